//! What we remember of earlier runs, as planning reads it. Everything but `applied` may be empty: then
//! labels on what runs tell change from drift.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::model::change::Subject;
use crate::model::id::ResourceId;

/// What the store remembers.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Memory {
    /// The last applied state per resource.
    pub applied: BTreeMap<ResourceId, Applied>,
    /// What we made and have not seen removed: the only things that may ever be pruned.
    pub inventory: Vec<InventoryEntry>,
    /// Resources that left the desired state, since when.
    pub tombstones: BTreeMap<ResourceId, Tombstone>,
    /// Single objects that left their resource (`ResourcePlan.orphans`), by `Stack/n8n container n8n-old-1`
    /// (see [`orphan_key`]), since when.
    pub orphans: BTreeMap<String, Tombstone>,
    /// Corrections of the same field within the last 300 s, by `Step::correction_keys`.
    pub corrections: BTreeMap<String, u32>,
    /// Operations that were applied and then planned again with the same cause, by `Step::fingerprint`.
    pub no_progress: BTreeMap<String, Attempts>,
    /// Commits of `applied`, `tombstones` and `orphans` that the desired revision does not descend from, because
    /// history was rewritten: what is absent since then is absent by another story.
    pub strayed: BTreeSet<String>,
}

impl Memory {
    /// The commits that it names, each once.
    pub fn commits(&self) -> BTreeSet<&str> {
        let applied = self.applied.values().filter_map(|applied| applied.commit.as_deref());
        let graves = self.tombstones.values().chain(self.orphans.values());
        let graves = graves.map(|grave| grave.last_revision.as_str()).filter(|commit| !commit.is_empty());
        applied.chain(graves).collect()
    }
}

/// What was tried and came to nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Attempts {
    /// How often.
    pub times: u32,
    /// Why it failed the last time, secrets masked; empty when it seemed to succeed.
    pub error: String,
}

/// The last applied state of a resource.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Applied {
    /// Digest of the resource's desired state.
    pub digest: String,
    /// The commit.
    pub commit: Option<String>,
    /// Spec hash per subject (`container odoo-1`), to tell a missing thing from a new one.
    pub subjects: BTreeMap<String, String>,
    /// Whether its specification allowed to remove what left it; holds when its document is deleted.
    pub prune: bool,
}

/// One thing that we made.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InventoryEntry {
    /// The resource it belongs to.
    pub resource: ResourceId,
    /// The Host's name.
    pub host: String,
    /// `container` or `network` or `volume` or `checkout`.
    pub kind: String,
    /// Its name on the host.
    pub name: String,
    /// The engine's id, when it has one.
    pub engine_id: String,
    /// Kept even if its document is deleted.
    pub protect: bool,
}

/// When a resource left the desired state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Tombstone {
    /// When its absence was first seen.
    pub since: DateTime<Utc>,
    /// How many successful revisions it has been absent from.
    pub revisions: u32,
    /// The commit of the last one; empty when it has none.
    #[serde(default)]
    pub last_revision: String,
}

/// The key of a single object in `Memory.orphans`.
pub fn orphan_key(resource: &ResourceId, subject: &Subject) -> String {
    format!("{resource} {subject}")
}
