//! The labels that tie what runs to what was asked for, and that let Compose's own commands see it.

/// `Kind/name` of the resource that made a container, network or volume.
pub const RESOURCE: &str = "dev.ipai.resource";
/// Canonical hash of the part of the specification that made it, secrets left out.
pub const SPEC_HASH: &str = "dev.ipai.spec-hash";
/// `<key id>:<hmac>` over the secret values that went into it.
pub const SECRET_HASH: &str = "dev.ipai.secret-hash";
/// Canonical hash over the digests of the files mounted into it.
pub const CONTENT_HASH: &str = "dev.ipai.content-hash";
/// The operation that made it; finds a creation whose answer was lost.
pub const OPERATION: &str = "dev.ipai.op-id";
/// `Kind/name` of the resource for which a container does one thing and ends; it is none of the resource's own.
pub const RUN: &str = "dev.ipai.run";
/// What such a container is for, as JSON: whoever finds it ended can tell what has to be so now.
pub const RUN_INTENT: &str = "dev.ipai.run-intent";
/// Names of the fields that were asked for although the engine's configuration fills them in when nobody asks
/// (`logging.options.max-size,ulimits.nofile`); whatever else of those is found was filled in by the engine.
pub const ASKED: &str = "dev.ipai.asked";
/// The limits that were asked for, as a JSON object of fields: an engine whose kernel can't keep one drops it.
pub const LIMITS: &str = "dev.ipai.limits";
/// All of ours begin so.
pub const PREFIX: &str = "dev.ipai.";

/// Compose's label for the project.
pub const COMPOSE_PROJECT: &str = "com.docker.compose.project";
/// Compose's label for the service.
pub const COMPOSE_SERVICE: &str = "com.docker.compose.service";
/// Compose's label for the replica, from 1.
pub const COMPOSE_NUMBER: &str = "com.docker.compose.container-number";
/// Compose's label for `run` containers; `False` for services, capitalised.
pub const COMPOSE_ONEOFF: &str = "com.docker.compose.oneoff";
/// Compose's hash of the service; any value makes the container visible to Compose.
pub const COMPOSE_CONFIG_HASH: &str = "com.docker.compose.config-hash";
/// Compose's label for a network's key.
pub const COMPOSE_NETWORK: &str = "com.docker.compose.network";
/// Compose's label for a volume's key.
pub const COMPOSE_VOLUME: &str = "com.docker.compose.volume";
/// All of Compose's begin so.
pub const COMPOSE_PREFIX: &str = "com.docker.compose.";
/// Compose's label for the program that made the thing.
pub const COMPOSE_VERSION: &str = "com.docker.compose.version";
/// Compose's label for the project's directory.
pub const COMPOSE_WORKING_DIR: &str = "com.docker.compose.project.working_dir";
/// Compose's label for the project's files, separated by commas.
pub const COMPOSE_CONFIG_FILES: &str = "com.docker.compose.project.config_files";
/// Compose's label for what a service depends on, as `service:condition:restart`, separated by commas.
pub const COMPOSE_DEPENDS_ON: &str = "com.docker.compose.depends_on";
/// Compose's label for the id of the image.
pub const COMPOSE_IMAGE: &str = "com.docker.compose.image";
