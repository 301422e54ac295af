//! What the engine is asked to create, with the labels by which Compose and we find it again.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use std::collections::{BTreeMap, HashMap};

use bollard::models::{
    ContainerCreateBody, EndpointSettings, HostConfig, NetworkCreateRequest, NetworkingConfig,
    VolumeCreateRequest,
};

use super::fields::{asked, limits_asked, network_wanted};
use super::hash::{network_hash, volume_hash};
use super::labels;
use super::spec::{AttachmentSpec, DependencyCondition, NetworkSpec, ProjectSpec, ServiceSpec, VolumeSpec};
use crate::model::id::ResourceId;

/// What Compose reads as the version of the program that made a thing.
const TOOL_VERSION: &str = concat!("ipaictl-", env!("CARGO_PKG_VERSION"));

/// What ties one container to the resource that asked for it.
#[derive(Debug, Clone, Copy)]
pub struct Identity<'a> {
    /// The resource.
    pub resource: &'a ResourceId,
    /// See `hash::spec_hash`.
    pub spec_hash: &'a str,
    /// See `hash::secret_hash`.
    pub secret_hash: Option<&'a str>,
    /// See `hash::content_hash`.
    pub content_hash: Option<&'a str>,
    /// The operation that makes it.
    pub operation_id: &'a str,
    /// The id of the image that its reference means, when the engine has it already.
    pub image_id: Option<&'a str>,
}

/// The final name of a service's container, counted from 1.
pub fn container_name(project: &ProjectSpec, service: &ServiceSpec, number: u32) -> String {
    match &service.container_name {
        Some(name) => name.clone(),
        None => format!("{}-{}-{number}", project.name, service.name),
    }
}

/// The labels of a container, ours and Compose's.
pub fn tool_labels(
    project: &ProjectSpec,
    service: &ServiceSpec,
    number: u32,
    identity: &Identity,
) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    let mut set = |name: &str, value: String| all.insert(name.to_owned(), value);
    set(labels::COMPOSE_PROJECT, project.name.clone());
    set(labels::COMPOSE_SERVICE, service.name.clone());
    set(labels::COMPOSE_NUMBER, number.to_string());
    set(labels::COMPOSE_ONEOFF, "False".to_owned());
    set(labels::COMPOSE_CONFIG_HASH, hash_digits(identity.spec_hash));
    set(labels::COMPOSE_VERSION, TOOL_VERSION.to_owned());
    set(labels::COMPOSE_WORKING_DIR, project.working_dir.clone());
    set(labels::COMPOSE_CONFIG_FILES, project.config_files.join(","));
    set(labels::COMPOSE_DEPENDS_ON, depends_on(service));
    if let Some(image) = identity.image_id {
        set(labels::COMPOSE_IMAGE, image.to_owned());
    }
    set(labels::RESOURCE, identity.resource.to_string());
    set(labels::SPEC_HASH, identity.spec_hash.to_owned());
    if let Some(hash) = identity.secret_hash {
        set(labels::SECRET_HASH, hash.to_owned());
    }
    if let Some(hash) = identity.content_hash {
        set(labels::CONTENT_HASH, hash.to_owned());
    }
    if let Some(names) = asked(service) {
        set(labels::ASKED, names);
    }
    if let Some(limits) = limits_asked(service) {
        set(labels::LIMITS, limits);
    }
    set(labels::OPERATION, identity.operation_id.to_owned());
    all
}

/// What the engine is asked to create for one container of a service: labels and the first network included.
pub fn with_labels(
    project: &ProjectSpec,
    service: &ServiceSpec,
    number: u32,
    identity: &Identity,
) -> ContainerCreateBody {
    let mut body = (*service.container).clone();
    body.labels.get_or_insert_default().extend(tool_labels(project, service, number, identity));
    if let Some(first) = service.attachments.first() {
        body.host_config.get_or_insert_with(HostConfig::default).network_mode = Some(first.network.clone());
        let endpoint = endpoint(project, service, number, first);
        body.networking_config = Some(NetworkingConfig {
            endpoints_config: Some(HashMap::from([(first.network.clone(), endpoint)])),
        });
    }
    body
}

/// How one container of a service is attached to a network: its own name is an alias too.
pub fn endpoint(
    project: &ProjectSpec,
    service: &ServiceSpec,
    number: u32,
    attachment: &AttachmentSpec,
) -> EndpointSettings {
    let mut endpoint = attachment.endpoint.clone();
    let mut aliases = vec![container_name(project, service, number)];
    aliases.extend(endpoint.aliases.take().into_iter().flatten());
    endpoint.aliases = Some(aliases);
    endpoint
}

/// The aliases of one container of a service in a network as `AttachmentFacts` has them: sorted, each once, without
/// its host name, which the engine makes an alias anyway.
pub fn aliases_wanted(
    project: &ProjectSpec,
    service: &ServiceSpec,
    number: u32,
    attachment: &AttachmentSpec,
) -> Vec<String> {
    let mut aliases = endpoint(project, service, number, attachment).aliases.unwrap_or_default();
    aliases.retain(|alias| Some(alias) != service.container.hostname.as_ref());
    aliases.sort_unstable();
    aliases.dedup();
    aliases
}

/// What the engine is asked to create for a network, with labels.
pub fn network_request(
    project: &ProjectSpec,
    network: &NetworkSpec,
    resource: &ResourceId,
    operation_id: &str,
) -> NetworkCreateRequest {
    let mut request = (*network.request).clone();
    let hash = network_hash(network);
    let labels = request.labels.get_or_insert_default();
    labels.extend(resource_labels(project, resource, &hash, operation_id));
    labels.insert(labels::COMPOSE_NETWORK.to_owned(), network.key.clone());
    if network_wanted(&network.request).0.contains_key("ipam.config") {
        labels.insert(labels::ASKED.to_owned(), "ipam.config".to_owned());
    }
    request
}

/// What the engine is asked to create for a volume, with labels.
pub fn volume_request(
    project: &ProjectSpec,
    volume: &VolumeSpec,
    resource: &ResourceId,
    operation_id: &str,
) -> VolumeCreateRequest {
    let mut request = (*volume.request).clone();
    let hash = volume_hash(volume);
    let labels = request.labels.get_or_insert_default();
    labels.extend(resource_labels(project, resource, &hash, operation_id));
    labels.insert(labels::COMPOSE_VOLUME.to_owned(), volume.key.clone());
    request
}

fn resource_labels<'a>(
    project: &'a ProjectSpec,
    resource: &ResourceId,
    hash: &str,
    operation_id: &str,
) -> impl Iterator<Item = (String, String)> + use<'a> {
    [
        (labels::COMPOSE_PROJECT, project.name.clone()),
        (labels::COMPOSE_VERSION, TOOL_VERSION.to_owned()),
        (labels::COMPOSE_CONFIG_HASH, hash_digits(hash)),
        (labels::RESOURCE, resource.to_string()),
        (labels::SPEC_HASH, hash.to_owned()),
        (labels::OPERATION, operation_id.to_owned()),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
}

/// Compose's hashes have no version in front.
fn hash_digits(hash: &str) -> String {
    hash.rsplit(':').next().unwrap_or(hash).to_owned()
}

fn depends_on(service: &ServiceSpec) -> String {
    let entries = service.depends_on.iter().map(|dependency| {
        let condition = match dependency.condition {
            DependencyCondition::Started => "service_started",
            DependencyCondition::Healthy => "service_healthy",
            DependencyCondition::CompletedSuccessfully => "service_completed_successfully",
        };
        format!("{}:{condition}:{}", dependency.service, dependency.restart)
    });
    entries.collect::<Vec<_>>().join(",")
}
