//! What is true of a resource right now, with a reason that programs can match.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::id::Revision;

/// A question that every resource answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ConditionType {
    /// Observed equals desired and it is healthy.
    Ready,
    /// Work is under way or waiting for its turn.
    Reconciling,
    /// No progress until the input changes.
    Stalled,
    /// Its containers run and their health checks pass.
    Healthy,
    /// The world differs from what was last applied.
    Drifted,
    /// A person has paused it.
    Suspended,
    /// It waits for another resource.
    Blocked,
}

impl fmt::Display for ConditionType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            ConditionType::Ready => "Ready",
            ConditionType::Reconciling => "Reconciling",
            ConditionType::Stalled => "Stalled",
            ConditionType::Healthy => "Healthy",
            ConditionType::Drifted => "Drifted",
            ConditionType::Suspended => "Suspended",
            ConditionType::Blocked => "Blocked",
        })
    }
}

/// The answer to a condition's question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Status {
    /// Yes.
    True,
    /// No.
    False,
    /// It could not be found out.
    Unknown,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Status::True => "True",
            Status::False => "False",
            Status::Unknown => "Unknown",
        })
    }
}

/// Why a condition is as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Reason {
    /// Observed equals desired.
    InSync,
    /// A newer revision is being applied.
    Progressing,
    /// Waiting for health checks.
    WaitingForHealth,
    /// Applied and healthy.
    Applied,
    /// An operation failed; it is tried again.
    ApplyFailed,
    /// Applied, but a health check fails.
    Unhealthy,
    /// The engine, repository or file could not be read.
    Unobserved,
    /// The state repository's newest revision is not valid.
    InvalidRevision,
    /// The state repository can't be reached.
    SourceUnavailable,
    /// A reference to a secret has no value.
    SecretMissing,
    /// Another resource has to be ready first.
    DependencyNotReady,
    /// A field was corrected too often in too short a time: something else writes it.
    Contended,
    /// The same operation was planned again after it had been applied.
    NoProgress,
    /// A person stopped the container.
    ManualStop,
    /// A difference that is only reported.
    DriftReported,
    /// A person has to decide.
    NeedsDecision,
    /// The specification pauses it.
    SuspendedBySpec,
    /// It waits for a person's `apply`.
    ManualApply,
    /// This version can't do it.
    NotSupported,
    /// A guard refused the plan.
    Refused,
    /// Its document is gone; what it made is kept or waits to be removed.
    LeftDesiredState,
    /// Nothing is known yet.
    NotObservedYet,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The variants are the reason words of the contract, so their debug form is their text.
        f.pad(&format!("{self:?}"))
    }
}

/// One condition of a resource.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// The question.
    #[serde(rename = "type")]
    pub kind: ConditionType,
    /// The answer.
    pub status: Status,
    /// Why.
    pub reason: Reason,
    /// Why, for people; secrets redacted.
    pub message: String,
    /// When the answer last changed.
    pub last_transition_time: DateTime<Utc>,
}

/// Whether the newest revision is the one in use, as the store keeps it for `status`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SourceCondition {
    /// Whether it is.
    pub status: Status,
    /// Why not.
    pub reason: Reason,
    /// For people.
    pub message: String,
    /// The revision in use.
    pub in_use: Option<Revision>,
    /// The newest revision, when it was found.
    pub newest: Option<Revision>,
    /// When the answer last changed.
    pub last_transition_time: DateTime<Utc>,
}
