//! The YAML of a Repository.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::resource::CommonSpec;
use crate::model::secret::SecretRef;

/// Code, wherever a resource needs a checkout of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RepositorySpec {
    /// What every kind accepts.
    #[serde(flatten)]
    pub common: CommonSpec,
    /// Where it is: `https://`, `ssh://`, `git@host:path`, or `file://` and paths where the settings allow them.
    #[schemars(length(min = 1))]
    pub url: String,
    /// The branch, tag or commit that is wanted; without it, the remote's default branch.
    #[serde(default, rename = "ref", skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^[A-Za-z0-9_][A-Za-z0-9_./+-]*$"))]
    pub reference: Option<String>,
    /// The token or password for `https://`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential_from: Option<SecretRef>,
    /// The host that needs a checkout; without it the controller only reads the objects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// Where the checkout is on that host; without it, in the controller's own state folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^/"))]
    pub checkout: Option<String>,
}
