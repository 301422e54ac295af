//! The YAML of a Stack.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::model::resource::CommonSpec;
use crate::model::secret::SecretRef;

/// A set of containers, from Compose files.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StackSpec {
    /// What every kind accepts.
    #[serde(flatten)]
    pub common: CommonSpec,
    /// The Host it runs on.
    pub host: String,
    /// The Repository that holds the Compose files; without it, the state repository itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
    /// The Compose files and what goes into them.
    pub compose: ComposeSpec,
    /// Values for `${NAME}` in the Compose files, over those of the env files: text, or a reference to a secret.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub variables: BTreeMap<String, Variable>,
    /// Whether the stack runs.
    #[serde(default)]
    pub run: RunState,
    /// Removes containers and networks that left the files; never volumes.
    #[serde(default)]
    pub prune: bool,
    /// How long a start may take until its health checks pass, such as `5m`; five minutes without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^([0-9]+(\.[0-9]+)?(ns|us|ms|s|m|h|d))+$"))]
    pub health_timeout: Option<String>,
    /// Takes over what runs already. A stack with it is only observed by this version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adopt: Option<Value>,
}

/// Compose files and how they are read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ComposeSpec {
    /// The files in the order in which they are merged, relative to the repository.
    #[schemars(length(min = 1))]
    pub files: Vec<String>,
    /// The project's name; without it, the files' own `name`, then the Stack's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^[a-z0-9][a-z0-9_-]*$"))]
    pub project: Option<String>,
    /// The services to run and what they depend on; without it, all that the profiles enable.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub services: Vec<String>,
    /// The profiles to enable; `*` enables all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub profiles: Vec<String>,
    /// Files of `NAME=value` lines for interpolation: absolute on the controller's machine, or relative
    /// to the repository. Without it, `.env` beside the first Compose file when the repository has one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub env_files: Vec<String>,
}

/// Whether a stack runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RunState {
    /// Its containers run.
    #[default]
    Started,
    /// Its containers exist and don't run.
    Stopped,
    /// Its containers and networks don't exist; volumes stay.
    Absent,
}

/// A value for interpolation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Variable {
    /// The text itself.
    Text(String),
    /// A reference to a secret.
    Secret(SecretRef),
}
