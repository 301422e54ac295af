//! What an Environment says for later versions: read and checked, and not enforced by this one.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where the data comes from, and what makes it harmless.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DataSpec {
    /// The Environment whose data are copied.
    #[schemars(regex(pattern = r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$"))]
    pub from: String,
    /// How old they may become.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^([0-9]+(\.[0-9]+)?(ns|us|ms|s|m|h|d))+$"))]
    pub max_age: Option<String>,
    /// Whether what would act on the outside is switched off in them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub neutralize: Option<bool>,
    /// How persons are made unrecognisable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub anonymize: Option<AnonymizeSpec>,
}

/// How persons are made unrecognisable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AnonymizeSpec {
    /// The name of a policy.
    #[schemars(length(min = 1))]
    pub policy: String,
    /// Domains whose addresses stay.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(inner(regex(pattern = r"^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$")))]
    pub keep_domains: Vec<String>,
}

/// What has to be so before a change is applied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GatesSpec {
    /// How the checks of the commit ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ci: Option<CiGate>,
    /// How long it has to have run elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^([0-9]+(\.[0-9]+)?(ns|us|ms|s|m|h|d))+$"))]
    pub soak: Option<String>,
    /// How old the newest backup may be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^([0-9]+(\.[0-9]+)?(ns|us|ms|s|m|h|d))+$"))]
    pub backup_within: Option<String>,
}

/// How the checks of a commit have to have ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum CiGate {
    /// Well.
    Success,
}

/// Under which names it is reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct IngressSpec {
    /// Its name.
    #[schemars(regex(pattern = r"^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$"))]
    pub domain: String,
    /// Further names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(inner(regex(pattern = r"^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$")))]
    pub aliases: Vec<String>,
    /// Networks that may reach it; all, when there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(inner(regex(pattern = r"^[0-9a-fA-F.:]+(/[0-9]{1,3})?$")))]
    pub allow_from: Vec<String>,
}

/// What it may reach.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NetworkSpec {
    /// Whether it reaches the outside.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub egress: Option<Egress>,
    /// What it reaches all the same, such as `github.com:443`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(inner(regex(pattern = r"^[A-Za-z0-9.-]+:[0-9]{1,5}$")))]
    pub allow: Vec<String>,
}

/// Whether the outside is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Egress {
    /// It is.
    Allow,
    /// It is not.
    Deny,
}
