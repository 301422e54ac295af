//! The YAML of an AddonsLayout.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::resource::CommonSpec;

/// OCA and ipai repositories, branches, roots and mounts of a checkout.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LayoutSpec {
    /// What every kind accepts.
    #[serde(flatten)]
    pub common: CommonSpec,
    /// The Repository whose checkout is kept in shape.
    #[schemars(length(min = 1))]
    pub repository: String,
    /// The manifest that declares repositories and roots, in the checkout.
    #[serde(default = "default_manifest")]
    #[schemars(regex(pattern = r"^[^/-].*"))]
    pub manifest: String,
    /// The list of mounts that the devcontainer is held against, in the checkout.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^[^/-].*"))]
    pub mounts: Option<String>,
    /// The series of Odoo; the branch of repositories that name none.
    #[schemars(regex(pattern = r"^[0-9]{2}\.[0-9]$"))]
    pub series: String,
    /// The file with the commit of each repository, in the checkout.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^[^/-].*"))]
    pub pins: Option<String>,
    /// What a clone is kept at.
    #[serde(default)]
    pub pinning: Pinning,
    /// The devcontainer whose mounts are kept, in the checkout.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^[^/-].*devcontainer\.json$"))]
    pub devcontainer: Option<String>,
    /// The settings of the server, in the checkout: which roots it sees, in which order. Without them, the manifest's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^[^/-].*\.conf$"))]
    pub odoo_conf: Option<String>,
    /// The owner that all roots should have, as `uid:gid`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^[0-9]+:[0-9]+$"))]
    pub owner: Option<String>,
    /// Named lists of modules that have to be installable.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub features: BTreeMap<String, Vec<String>>,
    /// What may be corrected; everything else is reported.
    #[serde(default)]
    pub fix: BTreeSet<Fix>,
    /// What is done about folders that no manifest declares.
    #[serde(default)]
    pub orphans: Orphans,
    /// Scripts of the checkout that are expected to be there. They are never run: our own checks count.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hooks: Vec<String>,
    /// When drift is corrected.
    #[serde(default)]
    pub schedule: NightlySpec,
}

/// What a clone is kept at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Pinning {
    /// At its pin, where it has one; else on its branch.
    #[default]
    Commit,
    /// On its branch, whatever its pin is.
    Branch,
}

/// One sort of correction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Fix {
    /// Clones what is missing.
    Clone,
    /// Brings a clean clone to its branch or pin.
    Branch,
    /// Writes the mounts of the devcontainer.
    Devcontainer,
}

impl Fix {
    /// The word for it in a document.
    pub fn as_str(self) -> &'static str {
        match self {
            Fix::Clone => "clone",
            Fix::Branch => "branch",
            Fix::Devcontainer => "devcontainer",
        }
    }
}

/// What is done about folders that no manifest declares.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Orphans {
    /// They are named.
    #[default]
    Report,
    /// They are moved out of the checkout, whole.
    Quarantine,
}

/// A time of day in a zone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NightlySpec {
    /// Five cron fields.
    pub cron: String,
    /// The IANA name of the zone.
    pub time_zone: String,
}

impl Default for NightlySpec {
    fn default() -> Self {
        NightlySpec { cron: "0 2 * * *".to_owned(), time_zone: "Asia/Singapore".to_owned() }
    }
}

fn default_manifest() -> String {
    "config/addons_manifest.oca_ipai.json".to_owned()
}

impl LayoutSpec {
    /// Whether a sort of correction is allowed.
    pub fn allows(&self, fix: Fix) -> bool {
        self.fix.contains(&fix)
    }

    /// The files beside the manifest that declare something.
    pub fn files(&self) -> impl Iterator<Item = &str> {
        [&self.mounts, &self.pins, &self.devcontainer].into_iter().flatten().map(String::as_str)
    }

    /// The wanted owner.
    pub fn owner(&self) -> Option<(u32, u32)> {
        let (user, group) = self.owner.as_deref()?.split_once(':')?;
        Some((user.parse().ok()?, group.parse().ok()?))
    }
}
