//! The envelope that every resource document shares, and the fields that every `spec` accepts.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::document::Place;
use super::id::ResourceId;

/// Name, labels and annotations of a resource.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Metadata {
    /// The resource's name: lower case letters, digits and hyphens, unique within its kind.
    #[schemars(regex(pattern = r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$"))]
    pub name: String,
    /// Labels, for people and selectors.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Annotations, for people and other programs.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// Fields that the `spec` of every kind accepts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CommonSpec {
    /// Whether the controller acts by itself on a new commit.
    #[serde(default)]
    pub apply: ApplyMode,
    /// What happens to differences that nobody asked for.
    #[serde(default)]
    pub drift: DriftSpec,
    /// Keeps what this resource made when its document is deleted.
    #[serde(default)]
    pub protect: bool,
    /// Pauses the resource: it is observed and reported, never changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspend: Option<SuspendSpec>,
    /// Resources, as `Kind/name`, that have to be ready before this one is changed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub depends_on: Vec<String>,
    /// The name that this resource had before. Not enforced by this version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moved: Option<MovedSpec>,
    /// When changes may be applied. Not enforced by this version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub windows: Option<Vec<serde_json::Value>>,
}

/// Whether the controller acts by itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ApplyMode {
    /// `serve` applies a new commit by itself.
    #[default]
    Auto,
    /// A person runs `ipaictl apply`.
    Manual,
}

/// What happens to drift.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DriftSpec {
    /// The mode for every class of drift; without it, each class has its default: all that
    /// can be put right without losing data is corrected, `identity`, `host` and orphans are reported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<DriftMode>,
    /// Field paths that are neither reported nor corrected, such as `services.web.mem_limit`
    /// or `services.*.labels.com.example`; `*` stands for one part.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ignore: Vec<String>,
}

/// What is done about a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum DriftMode {
    /// Put it right.
    Correct,
    /// Report it.
    Warn,
    /// Say nothing.
    Ignore,
}

/// Why and until when a resource is paused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SuspendSpec {
    /// Why, for those who come later.
    #[schemars(length(min = 1))]
    pub reason: String,
    /// Until when, in RFC 3339; at most seven days ahead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<chrono::DateTime<chrono::Utc>>,
}

/// The name that a resource had before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MovedSpec {
    /// The former name.
    pub from: String,
}

/// One resource of the desired state.
#[derive(Debug, Clone)]
pub struct Resource<S> {
    /// Its identity.
    pub id: ResourceId,
    /// Name, labels, annotations.
    pub metadata: Metadata,
    /// What every kind accepts.
    pub common: CommonSpec,
    /// What its kind accepts.
    pub spec: S,
    /// Where its document begins.
    pub place: Place,
    /// Canonical hash of the whole spec, what it refers to (Compose files) included, secrets left out.
    pub digest: String,
}
