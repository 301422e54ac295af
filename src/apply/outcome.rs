//! What came of each step of a plan. Says what was asked and answered; whether it is so is `verify`'s to say.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::lock::Lease;
use crate::model::id::ResourceId;
use crate::plan::step::{Action, StepId, Subject};
use crate::record::runs::{Counts, RunRecord};

/// What came of a run. Its locks are released when it is dropped.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RunOutcome {
    /// The run as it began.
    pub run: RunRecord,
    /// Every step of the plan, in its order.
    pub steps: Vec<StepOutcome>,
    /// When the first step began.
    pub started: DateTime<Utc>,
    /// When the last step ended.
    pub ended: DateTime<Utc>,
    /// Why not all of the plan was tried; `None` when it was.
    pub stopped: Option<Stopped>,
    /// The locks, so that nobody else acts until what was done has been looked at.
    #[serde(skip)]
    pub lease: Option<Lease>,
}

/// Why a run ended before its plan did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stopped {
    /// Somebody asked for it, or a newer revision is there.
    Cancelled,
    /// Somebody else has a lock by now.
    LeaseLost,
    /// The store could not be written, and nothing is done that is not journaled before.
    Store(String),
}

impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Stopped::Cancelled => f.write_str("stopped between two operations"),
            Stopped::LeaseLost => f.write_str("the lock was lost to another controller"),
            Stopped::Store(why) => write!(f, "the journal could not be written: {why}"),
        }
    }
}

/// What came of one step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StepOutcome {
    /// Its number in the plan.
    pub id: StepId,
    /// The resource it serves.
    pub resource: ResourceId,
    /// The host it acts on.
    pub host: String,
    /// What it acts on.
    pub subject: Subject,
    /// What it was to do.
    pub action: Action,
    /// How it ended.
    pub status: StepStatus,
    /// Why it did not end well; secrets masked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Whether everything was done and only the wait for its health ended badly.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub waited_in_vain: bool,
    /// Whether trying the same again would end the same.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub is_final: bool,
    /// When its first operation began; `None` when none did.
    pub started: Option<DateTime<Utc>>,
    /// When its last operation ended.
    pub ended: Option<DateTime<Utc>>,
    /// What its operations answered; secrets masked.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub detail: Vec<String>,
}

/// How a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum StepStatus {
    /// All its operations were done.
    Done,
    /// One of them failed.
    Failed,
    /// Not begun or not finished, because what it needs did not succeed.
    Skipped,
    /// Not begun or not finished, because the run was stopped.
    Cancelled,
}

impl RunOutcome {
    /// How many steps ended how.
    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for step in &self.steps {
            match step.status {
                StepStatus::Done => counts.done += 1,
                StepStatus::Failed => counts.failed += 1,
                StepStatus::Skipped => counts.skipped += 1,
                StepStatus::Cancelled => counts.cancelled += 1,
            }
        }
        counts
    }

    /// The first error, by the order of the plan, or what was waited for in vain; secrets masked.
    pub fn first_error(&self) -> Option<&str> {
        let first = |status| self.steps.iter().find(|step| step.status == status);
        let step = first(StepStatus::Failed).or_else(|| first(StepStatus::Skipped))?;
        step.error.as_deref()
    }
}
