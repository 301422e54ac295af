//! What apply would do, and what it would leave and why.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use std::collections::BTreeMap;

use serde::Serialize;

use super::step::{Step, StepId, Subject};
use crate::model::id::{ResourceId, Revision};
pub use crate::model::note::{Note, NoteKind};

/// What apply would do. The same inputs give the same bytes.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// The desired revision.
    pub revision: Revision,
    /// Per resource what is done and what is said, in dependency order; resources with nothing to say too.
    pub resources: Vec<ResourcePlan>,
    /// All steps; `steps[i].id == i + 1`.
    pub steps: Vec<Step>,
    /// Whether everything needed could be read; an incomplete plan never means "no change".
    pub complete: bool,
    /// `v1:<sha256>` over operations, desired digests, fingerprints and this program's version.
    pub hash: String,
}

/// One resource's part of a plan.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ResourcePlan {
    /// The resource.
    pub id: ResourceId,
    /// The commit that was last applied, when it differs from the revision's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from_commit: Option<String>,
    /// Digest of the resource's desired state.
    pub digest: String,
    /// Its steps.
    pub steps: Vec<StepId>,
    /// What is left and why.
    pub notes: Vec<Note>,
    /// Whether all that was needed could be read.
    pub complete: bool,
    /// Whether the desired state has it; `false` for what is left of a deleted one.
    pub desired: bool,
    /// Wanted spec hash per subject (`container odoo-1`), for `Memory.applied` once it is applied.
    #[serde(skip)]
    pub subjects: BTreeMap<String, String>,
    /// What we made for it and is no longer wanted, for `Memory.orphans`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub orphans: Vec<Subject>,
}

impl Plan {
    /// Whether the world differs from what is wanted: something is done, or a difference is left.
    pub fn has_differences(&self) -> bool {
        !self.steps.is_empty()
            || self.resources.iter().any(|resource| resource.notes.iter().any(|note| note.class.is_some()))
    }

    /// Whether everything needed could be read; otherwise "no difference" can't be said.
    pub fn is_complete(&self) -> bool {
        self.complete
    }

    /// A step by its number.
    pub fn step(&self, id: StepId) -> Option<&Step> {
        self.steps.get(id.checked_sub(1)?)
    }
}

impl ResourcePlan {
    /// Whether a guard refused its steps.
    pub fn is_refused(&self) -> bool {
        self.notes.iter().any(|note| note.kind == NoteKind::Refused)
    }
}
