//! The YAML of an Environment.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

mod database;
mod later;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::database::{DatabaseSpec, ExternalDatabase, ManagedDatabase, Setting, SslMode};
pub use self::later::{AnonymizeSpec, CiGate, DataSpec, Egress, GatesSpec, IngressSpec, NetworkSpec};
use crate::model::resource::CommonSpec;
use crate::model::secret::SecretRef;

/// One Odoo: application, database, filestore, configuration, modules.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EnvironmentSpec {
    /// What every kind accepts.
    #[serde(flatten)]
    pub common: CommonSpec,
    /// What it is for; decides what is permitted.
    pub tier: Tier,
    /// The Host it runs on.
    pub host: String,
    /// Whether it runs.
    #[serde(default)]
    pub run: RunState,
    /// The code that has to run; without it, the state repository at its own revision.
    #[serde(default)]
    pub source: SourceSpec,
    /// The server: its image, its addons, its configuration and its modules.
    pub odoo: OdooSpec,
    /// Where its database is.
    pub database: DatabaseSpec,
    /// Where its attachments are.
    pub filestore: FilestoreSpec,
    /// Ports of the Host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub publish: Option<PublishSpec>,
    /// Limits of the application's container.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<ResourcesSpec>,
    /// How its health is proven.
    #[serde(default)]
    pub health: HealthSpec,
    /// Takes over what runs already. An Environment with it is only observed by this version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adopt: Option<AdoptSpec>,
    /// Where its data comes from. Not enforced by this version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<DataSpec>,
    /// What has to be so before a change is applied. Not enforced by this version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gates: Option<GatesSpec>,
    /// Under which names it is reached. Not enforced by this version, but for `proxy_mode`: see docs/skills/environment.md.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ingress: Option<IngressSpec>,
    /// A MailRoute. Not enforced by this version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$"))]
    pub mail: Option<String>,
    /// What it may reach. Not enforced by this version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<NetworkSpec>,
    /// After which it goes. Not enforced by this version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^([0-9]+(\.[0-9]+)?(ns|us|ms|s|m|h|d))+$"))]
    pub lifetime: Option<String>,
}

/// What an Environment is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Tier {
    /// For developers.
    Dev,
    /// For trying what will be in production.
    Staging,
    /// What the company works with.
    Production,
}

/// Whether an Environment runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RunState {
    /// It runs.
    #[default]
    Started,
    /// Its containers exist and are stopped.
    Stopped,
    /// Its containers and networks are removed; volumes and databases stay.
    Absent,
}

/// The code that has to run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SourceSpec {
    /// The Repository; without it, the state repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
    /// A branch, tag or commit of the Repository; without it, the Repository's own `ref`.
    #[serde(default, rename = "ref", skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^[A-Za-z0-9_][A-Za-z0-9_./+-]*$"))]
    pub reference: Option<String>,
}

/// The server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OdooSpec {
    /// The image to run, such as `odoo:18.0@sha256:…`; this or `build`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub image: Option<String>,
    /// How the image is built from the source; this or `image`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub build: Option<BuildSource>,
    /// When the image is fetched.
    #[serde(default)]
    pub pull: PullWhen,
    /// The series of the server, such as `18.0`; a database of another series is never touched.
    #[schemars(regex(pattern = r"^[0-9]+\.[0-9]+$"))]
    pub version: String,
    /// Folders with modules beside those of the image, in order: of a module that several have, the first is taken.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addons: Vec<AddonsSpec>,
    /// Options of odoo.conf: text, numbers, truth values, or references to secrets.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub config: BTreeMap<String, ConfigValue>,
    /// The modules it has to have.
    #[serde(default)]
    pub modules: ModulesSpec,
    /// The numbers of the user and the group that the server runs as in the image; odoo.conf belongs to them.
    #[serde(default = "default_user")]
    #[schemars(regex(pattern = r"^[0-9]{1,9}:[0-9]{1,9}$"))]
    pub user: String,
}

/// The official image's own.
fn default_user() -> String {
    "100:101".to_owned()
}

/// How an image is built.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BuildSource {
    /// The folder of the source that is sent to the builder; `.` for all of it.
    #[serde(default = "default_context")]
    pub context: String,
    /// The Dockerfile, relative to the context.
    #[serde(default = "default_dockerfile")]
    pub dockerfile: String,
}

fn default_context() -> String {
    ".".to_owned()
}

fn default_dockerfile() -> String {
    "Dockerfile".to_owned()
}

/// When an image is fetched.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum PullWhen {
    /// When the engine doesn't have it.
    #[default]
    Missing,
    /// Whenever a container is made from it.
    Always,
    /// Never: a missing image is an error.
    Never,
}

/// One folder with modules.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AddonsSpec {
    /// Where the server finds it.
    #[schemars(regex(pattern = r"^/"))]
    pub mount_path: String,
    /// The folder of the source, or with `/` in front one of the Host.
    #[schemars(length(min = 1))]
    pub source: String,
    /// The numbers of the user and the group that its files have to belong to, such as `100:101`; not looked at without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^[0-9]{1,9}:[0-9]{1,9}$"))]
    pub owner: Option<String>,
}

/// The value of an option.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum ConfigValue {
    /// As it is written.
    Text(String),
    /// That of a secret.
    Secret(SecretRef),
}

/// The modules that an Environment has to have.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ModulesSpec {
    /// Modules that have to be installed; what they depend on comes with them. None is ever uninstalled.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub install: Vec<String>,
    /// Which of the installed modules are updated.
    #[serde(default)]
    pub update: UpdateWhich,
}

/// Which modules are updated.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum UpdateWhich {
    /// Those whose content is another than when they were last installed or updated.
    #[default]
    Changed,
    /// All of them, when the content of one is another, or the image is.
    All,
    /// None.
    None,
}

/// Where attachments are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FilestoreSpec {
    /// The volume, mounted as `/var/lib/odoo`; never removed.
    #[schemars(regex(pattern = r"^[a-zA-Z0-9][a-zA-Z0-9_.-]+$"))]
    pub volume: String,
}

/// Ports of the Host.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PublishSpec {
    /// For the server's port 8069, such as `127.0.0.1:8069`; a port alone is published on `127.0.0.1`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^((\d{1,3}\.){3}\d{1,3}:|\[[0-9a-fA-F:]+\]:)?[0-9]{1,5}$"))]
    pub http: Option<String>,
    /// For the evented port 8072, where websockets are when there are workers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^((\d{1,3}\.){3}\d{1,3}:|\[[0-9a-fA-F:]+\]:)?[0-9]{1,5}$"))]
    pub gevent: Option<String>,
}

/// Limits of the application's container.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ResourcesSpec {
    /// Memory, such as `4Gi`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^[0-9]+(\.[0-9]+)?\s*([bBkKmMgGtT][iI]?[bB]?)?$"))]
    pub memory: Option<String>,
    /// Processors, such as `1.5`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0.01, max = 1024.0))]
    pub cpus: Option<f64>,
    /// Processes and threads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub pids: Option<u32>,
}

/// How health is proven.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HealthSpec {
    /// How long a start may take until all probes pass, such as `5m`; five minutes without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^([0-9]+(\.[0-9]+)?(ns|us|ms|s|m|h|d))+$"))]
    pub timeout: Option<String>,
    /// How long the installation or the update of modules may take, such as `2h`; an hour without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^([0-9]+(\.[0-9]+)?(ns|us|ms|s|m|h|d))+$"))]
    pub update_timeout: Option<String>,
}

/// What is taken over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AdoptSpec {
    /// The name of the container that runs the application.
    pub container: String,
}

impl EnvironmentSpec {
    /// The name of its database; empty when the document says none.
    pub fn database_name(&self) -> &str {
        match (&self.database.external, &self.database.managed) {
            (Some(external), _) => &external.name,
            (None, Some(managed)) => &managed.name,
            (None, None) => "",
        }
    }
}
