//! What is said of a resource beside what is done: differences that are left, and why.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::change::{Class, FieldDiff, Subject};

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
    pub fields: Vec<FieldDiff>,
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
