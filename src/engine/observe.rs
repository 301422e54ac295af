//! What runs on one engine, as facts.

mod read;
mod facts;
mod files;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::fields::Fields;
use crate::model::known::Known;

pub use facts::state;
pub use read::{ObserveRequest, observe_engine};

/// Everything that was read from one engine.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct EngineFacts {
    /// The engine's version, such as `20.10.24`.
    pub version: String,
    /// All containers, those of others too, sorted by name.
    pub containers: Vec<ContainerFacts>,
    /// All networks, sorted by name.
    pub networks: Vec<NetworkFacts>,
    /// All volumes, sorted by name.
    pub volumes: Vec<VolumeFacts>,
    /// Images by reference, for the references of the desired state and the ids that containers run;
    /// `Known(None)`: the engine has no such image.
    pub images: BTreeMap<String, Known<Option<ImageFacts>>>,
    /// Files on the host by absolute path, for those that the desired state mounts; `Known(None)`: no such file.
    pub files: BTreeMap<String, Known<Option<FileFacts>>>,
}

/// One container.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ContainerFacts {
    /// The engine's id, 64 hexadecimal digits.
    pub id: String,
    /// The name without the leading slash.
    pub name: String,
    /// The image reference it was created with.
    pub image: String,
    /// The id of the image it runs, `sha256:…`.
    pub image_id: String,
    /// Its labels, ours, Compose's and the image's.
    pub labels: BTreeMap<String, String>,
    /// What it does.
    pub state: StateFacts,
    /// Owned fields in normal form; unknown for containers of others, which are not inspected.
    pub fields: Option<Known<Fields>>,
    /// The networks it is attached to, by name.
    pub networks: BTreeMap<String, AttachmentFacts>,
    /// The named volumes and binds it mounts: target path → source (volume name or host path).
    pub mounts: BTreeMap<String, MountFacts>,
    /// Published ports as `address:port/protocol`, for conflicts.
    pub published: Vec<String>,
    /// When a person stopped it, if an event said so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stopped_by_hand: Option<DateTime<Utc>>,
}

/// What a container does.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct StateFacts {
    /// The engine's word.
    pub status: ContainerStatus,
    /// The exit code, when it ended.
    pub exit_code: i64,
    /// The health check's word, when the container has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub health: Option<HealthStatus>,
    /// The health check's last output, cut to 1 KiB.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub health_output: String,
    /// The engine's error from the last start.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub error: String,
    /// Whether the kernel killed it for its memory.
    pub oom_killed: bool,
    /// How often the engine restarted it.
    pub restart_count: i64,
    /// When it last started, RFC 3339 as the engine says it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub started_at: String,
    /// When it last ended.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub finished_at: String,
}

/// The engine's word for what a container does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ContainerStatus {
    /// Never started.
    #[default]
    Created,
    /// Running.
    Running,
    /// Frozen.
    Paused,
    /// Between two starts.
    Restarting,
    /// Ended.
    Exited,
    /// Being removed.
    Removing,
    /// Half removed.
    Dead,
}

/// The health check's word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HealthStatus {
    /// Not decided yet.
    Starting,
    /// The check passes.
    Healthy,
    /// It fails.
    Unhealthy,
}

/// How a container is attached to a network.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AttachmentFacts {
    /// The network's id; empty while the container never ran.
    pub network_id: String,
    /// Aliases without the container's own short id and host name, sorted.
    pub aliases: Vec<String>,
    /// The fixed IPv4 address that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ipv4_address: Option<String>,
    /// The fixed IPv6 address that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ipv6_address: Option<String>,
    /// The address it has now, for probes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
}

/// One mount of a container.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct MountFacts {
    /// `bind`, `volume`, `tmpfs`.
    pub kind: String,
    /// The volume's name or the host path.
    pub source: String,
    /// Whether it may be written.
    pub read_only: bool,
}

/// One network.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NetworkFacts {
    /// The engine's id.
    pub id: String,
    /// The name; not unique on an engine.
    pub name: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Owned fields in normal form.
    pub fields: Fields,
    /// Names of the attached containers, those that run, sorted.
    pub containers: Vec<String>,
}

/// One volume.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct VolumeFacts {
    /// The name.
    pub name: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Owned fields in normal form.
    pub fields: Fields,
}

/// One image.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ImageFacts {
    /// The image's id, `sha256:…`.
    pub id: String,
    /// Repository digests, `name@sha256:…`, sorted.
    pub digests: Vec<String>,
    /// The fields that a container inherits from it, in normal form: `environment.*`, `command`,
    /// `entrypoint`, `working_dir`, `user`, `labels.*`, `expose`, `volumes`, `healthcheck.*`, `stop_signal`.
    pub config: Fields,
    /// Labels, for what was built by us.
    pub labels: BTreeMap<String, String>,
}

/// One file on the host.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct FileFacts {
    /// `sha256:<hex>` of the content, `hmac:<key id>:<hex>` when it is a secret; `directory` for a directory, whose
    /// content is not read; `large:<bytes>` beyond 64 MiB; `special` for sockets and devices.
    pub digest: String,
    /// Who may do what with it, where that was read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access: Option<FileAccess>,
}

/// Owner and permissions of a file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileAccess {
    /// The number of its user.
    pub user: u32,
    /// The number of its group.
    pub group: u32,
    /// The permission bits.
    pub mode: u32,
}
