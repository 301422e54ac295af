//! What apply would do, and what it would leave and why.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::step::{Step, StepId, Subject};
use crate::model::change::Class;
use crate::model::id::{ResourceId, Revision};

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
}

/// Something that is not done, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Note {
    /// The sort of note.
    pub kind: NoteKind,
    /// What it is about, when it is one thing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<Subject>,
    /// Change or drift, when it is a difference.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class: Option<Class>,
    /// For people; secrets masked.
    pub text: String,
    /// When it ends by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<DateTime<Utc>>,
    /// The fields that differ, masked.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<crate::model::change::FieldDiff>,
}

/// Why something is not done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum NoteKind {
    /// Not now: stopped by hand, suspended, a tombstone's wait.
    Held,
    /// Waits for another resource.
    Blocked,
    /// Could not be read.
    Unknown,
    /// A person has to decide; nothing will happen by itself.
    NeedsDecision,
    /// A difference that the drift mode only reports.
    Reported,
    /// Something else writes the same field.
    Contended,
    /// Applying it again would change nothing.
    Stalled,
    /// A guard refuses.
    Refused,
    /// Runs as wanted but its health check fails.
    Unhealthy,
    /// Accepted, but without effect in this version.
    NotEnforced,
}
