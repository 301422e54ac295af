//! What should run on one engine, as values without a choice left open.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bollard::models::{ContainerCreateBody, EndpointSettings, NetworkCreateRequest, VolumeCreateRequest};
use secrecy::SecretString;
use serde::Serialize;

use crate::model::known::Known;
use crate::model::problem::Location;

/// A named set of services with their networks and volumes.
#[derive(Debug, Clone, Default)]
pub struct ProjectSpec {
    /// The project's name, by which Compose's commands find it.
    pub name: String,
    /// The directory on the host in which relative paths resolve.
    pub working_dir: String,
    /// The Compose files, absolute on the host.
    pub config_files: Vec<String>,
    /// The services to run, sorted by name.
    pub services: Vec<ServiceSpec>,
    /// Names of services that exist in the files but are not enabled (profiles, `services`): never orphans.
    pub disabled_services: BTreeSet<String>,
    /// The networks that enabled services use, sorted by key.
    pub networks: Vec<NetworkSpec>,
    /// The volumes that enabled services use, sorted by key.
    pub volumes: Vec<VolumeSpec>,
}

/// One service: a container, or several equal ones.
#[derive(Debug, Clone)]
pub struct ServiceSpec {
    /// Its name in the project.
    pub name: String,
    /// How many containers; `0` keeps none running.
    pub replicas: u32,
    /// The container's fixed name; otherwise `<project>-<service>-<number>`.
    pub container_name: Option<String>,
    /// The image reference to run; also the tag of what `build` makes.
    pub image: String,
    /// The platform of the image, such as `linux/amd64`; without it, the engine's own.
    pub platform: Option<String>,
    /// How the image is built, when it is.
    pub build: Option<BuildSpec>,
    /// When the image is fetched.
    pub pull: PullPolicy,
    /// What the engine is asked to create: no tool labels, no name, no networks; the values of environment
    /// variables in clear (see `secret_environment`).
    pub container: Box<ContainerCreateBody>,
    /// The networks to attach in order (the first at creation), by engine name; empty with `network_mode`.
    pub attachments: Vec<AttachmentSpec>,
    /// Namespaces and volumes shared with other services of the project.
    pub shares: Vec<ShareSpec>,
    /// What has to be so before this service starts, sorted by service.
    pub depends_on: Vec<DependencySpec>,
    /// Files whose content belongs to the service: binds of files, configs, secrets.
    pub files: Vec<FileSpec>,
    /// Files whose content is given by value: they are copied into the container between creation and start.
    pub injected: Vec<InjectedFile>,
    /// Environment variables whose values are masked in every output.
    pub secret_environment: BTreeSet<String>,
    /// How long a stop waits before it kills.
    pub stop_grace_period: Duration,
    /// When a wait for its health gives up.
    pub health_timeout: Duration,
    /// Where the service is described.
    pub location: Location,
}

/// A network that a service is attached to.
#[derive(Debug, Clone, PartialEq)]
pub struct AttachmentSpec {
    /// The network's name on the engine.
    pub network: String,
    /// Aliases, addresses and driver options; aliases include the service's name.
    pub endpoint: EndpointSettings,
}

/// A namespace or the volumes of another service of the project.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ShareSpec {
    /// What is shared.
    pub kind: ShareKind,
    /// The other service's name.
    pub service: String,
    /// For volumes: `ro` or `rw`.
    pub access: Option<String>,
}

/// What one container can share with another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ShareKind {
    /// `network_mode: service:x`
    Network,
    /// `ipc: service:x`
    Ipc,
    /// `pid: service:x`
    Pid,
    /// `volumes_from: [x]`
    Volumes,
}

/// When an image is fetched.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum PullPolicy {
    /// When the engine has no image of that reference.
    #[default]
    Missing,
    /// Whenever a container is created from it.
    Always,
    /// Never: a missing image is an error.
    Never,
    /// It is built, never fetched.
    Build,
}

/// How an image is built with the classic builder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildSpec {
    /// The context directory, absolute on the controller's machine.
    pub context: String,
    /// The Dockerfile, relative to the context.
    pub dockerfile: String,
    /// The Dockerfile's text, when it is inline.
    pub dockerfile_inline: Option<String>,
    /// Build arguments; `None` values come from nowhere and are left out.
    pub args: BTreeMap<String, Option<String>>,
    /// The stage to build.
    pub target: Option<String>,
    /// Labels of the image.
    pub labels: BTreeMap<String, String>,
    /// Further build fields as the engine's query parameters.
    pub options: BTreeMap<String, String>,
    /// Digest of the context's content, when the controller could read it.
    pub digest: Known<String>,
    /// Whether nobody else has a reason to build under its name: what lies there without our label is not this build.
    pub is_own_name: bool,
}

/// What another service has to be before this one starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DependencySpec {
    /// The other service's name.
    pub service: String,
    /// What it has to be.
    pub condition: DependencyCondition,
    /// Whether this service restarts when the other one is replaced.
    pub restart: bool,
    /// Whether this service can't start without it.
    pub required: bool,
}

/// A state of a service that another waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DependencyCondition {
    /// It runs.
    Started,
    /// Its health check passes.
    Healthy,
    /// It ended with exit code 0.
    CompletedSuccessfully,
}

/// A file whose content belongs to a service.
///
/// A bind that the container may write counts only when its content is part of the repository: what a
/// program writes into its own file is no difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileSpec {
    /// Where it is on the host.
    pub host_path: String,
    /// Where it is mounted.
    pub target: String,
    /// The digest that the desired revision gives it (`sha256:<hex>`, or `tree:<object id>` for a directory);
    /// `None` when it is not part of the repository, so that what is on the host counts.
    pub digest: Option<String>,
    /// Whether its content is a secret.
    pub secret: bool,
    /// Whether its container has to wait until the code is at its commit.
    pub follows_code: bool,
}

/// A file that is copied into a container, because its content is given inline or by a variable.
///
/// Not serializable: the content is never written anywhere but into the container.
#[derive(Debug, Clone)]
pub struct InjectedFile {
    /// The absolute path in the container.
    pub target: String,
    /// The whole content.
    pub content: SecretString,
    /// The permission bits.
    pub mode: u32,
    /// The owner's number.
    pub uid: u64,
    /// The group's number.
    pub gid: u64,
    /// Whether its content is a secret.
    pub secret: bool,
}

/// A network.
#[derive(Debug, Clone)]
pub struct NetworkSpec {
    /// Its key in the Compose file.
    pub key: String,
    /// Its name on the engine.
    pub name: String,
    /// Made by somebody else: has to exist, is never touched.
    pub external: bool,
    /// What the engine is asked to create, without tool labels.
    pub request: Box<NetworkCreateRequest>,
    /// Where it is described.
    pub location: Location,
}

/// A volume. Never removed, whatever happens to its description.
#[derive(Debug, Clone)]
pub struct VolumeSpec {
    /// Its key in the Compose file.
    pub key: String,
    /// Its name on the engine.
    pub name: String,
    /// Made by somebody else: has to exist, is never touched.
    pub external: bool,
    /// What the engine is asked to create, without tool labels.
    pub request: Box<VolumeCreateRequest>,
    /// Where it is described.
    pub location: Location,
}
