//! The revision in use, and what came of looking for a newer one.
//!
//! 1. A revision with an error, or a source that can't be read, never replaces the one in use; each look says so again.
//!    Read again it is all the same, for what it refers to: secrets, env files.
//! 2. A failed revision is not tried again by itself: each look takes the newest.
//! 3. A rewritten history is followed, and said. What it removes is subject to the same guards as any removal.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::desired::source::SourceError;
use crate::desired::state::DesiredState;
use crate::desired::{At, Loaded};
use crate::model::condition::{Reason, SourceCondition, Status};
use crate::model::id::{ResourceId, Revision};
use crate::model::problem::{Problem, error_chain};
use crate::reconcile::Context;

/// How many problems of an invalid revision a log line or condition quotes; `ipaictl validate` shows all.
const PROBLEMS_QUOTED_MAX: usize = 3;

/// What a look at the source brought.
#[derive(Debug)]
pub enum Looked {
    /// The newest revision is the one that was read last.
    Same,
    /// Another revision, or the same one read again.
    Read {
        /// What it says.
        loaded: Box<Loaded>,
        /// Whether the revision in use is none of its ancestors.
        rewritten: bool,
        /// The revision in use read again, when this one is not valid: its secrets may have moved.
        in_use: Option<Box<Loaded>>,
    },
}

/// What a look compares with; a value, so that the look runs beside the loop.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// The commit that was read last, valid or not.
    read: Option<String>,
    /// The commit in use.
    in_use: Option<String>,
}

/// What changed with a new state.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Change {
    /// Resources that are new or say something else.
    pub changed: BTreeSet<ResourceId>,
    /// Resources that say the same.
    pub same: BTreeSet<ResourceId>,
    /// Resources that are gone.
    pub gone: BTreeSet<ResourceId>,
}

/// The revision in use.
#[derive(Debug, Default)]
pub struct Revisions {
    in_use: Option<Arc<DesiredState>>,
    known: Known,
    condition: Option<SourceCondition>,
}

impl Revisions {
    /// The state in use; `None` before the first valid revision.
    pub fn in_use(&self) -> Option<&Arc<DesiredState>> {
        self.in_use.as_ref()
    }

    /// What the next look compares with.
    pub fn known(&self) -> Known {
        self.known.clone()
    }

    /// The last word on the source.
    pub fn condition(&self) -> Option<&SourceCondition> {
        self.condition.as_ref()
    }

    /// Takes over what a look brought. `None`: the revision in use stays.
    pub fn take(&mut self, looked: Result<Looked, SourceError>, now: DateTime<Utc>) -> Option<Change> {
        match looked {
            Ok(Looked::Same) => {
                // A source that is back shows the revision that is in use, or the bad one that is known already.
                if self.known.read == self.known.in_use && self.in_use.is_some() {
                    self.say(Status::True, Reason::InSync, String::new(), None, now);
                } else {
                    self.repeat();
                }
                None
            }
            Err(err) => {
                self.say(Status::False, Reason::SourceUnavailable, error_chain(&err), None, now);
                None
            }
            Ok(Looked::Read { loaded, rewritten, in_use }) => {
                let Loaded { state, problems, revision } = *loaded;
                self.known.read = revision.commit.clone();
                let Some(state) = state else {
                    let message = quote(&revision, &problems);
                    self.say(Status::False, Reason::InvalidRevision, message, Some(revision), now);
                    let state = in_use.and_then(|loaded| loaded.state)?;
                    let change = compare(self.in_use.as_deref(), &state);
                    self.in_use = Some(Arc::new(state));
                    return Some(change);
                };
                let change = compare(self.in_use.as_deref(), &state);
                let message = match rewritten {
                    true => {
                        format!("history was rewritten: {revision} does not follow the revision before it")
                    }
                    false => String::new(),
                };
                if rewritten {
                    tracing::warn!(%revision, "the history of the state repository was rewritten");
                }
                self.known.in_use = revision.commit.clone();
                self.in_use = Some(Arc::new(state));
                self.say(Status::True, Reason::InSync, message, Some(revision), now);
                Some(change)
            }
        }
    }

    fn say(
        &mut self,
        status: Status,
        reason: Reason,
        message: String,
        newest: Option<Revision>,
        now: DateTime<Utc>,
    ) {
        let before = self.condition.take();
        let last_transition_time = before
            .as_ref()
            .filter(|before| before.status == status)
            .map_or(now, |before| before.last_transition_time);
        let newest = newest.or(before.and_then(|before| before.newest));
        let in_use = self.in_use.as_ref().map(|state| state.revision.clone());
        self.condition =
            Some(SourceCondition { status, reason, message, in_use, newest, last_transition_time });
        self.repeat();
    }

    /// Says it again while it is bad: a controller that works with an old revision must not look healthy.
    fn repeat(&self) {
        let Some(condition) = &self.condition else { return };
        if condition.status != Status::True {
            let in_use = condition.in_use.as_ref().map_or("nothing".to_owned(), ToString::to_string);
            tracing::warn!(reason = %condition.reason, in_use, "the newest revision is not in use: {}", condition.message);
        }
    }
}

/// Looks for the newest revision and reads it when it is another one, or when `again` asks for it.
pub async fn look(context: &Context, known: Known, again: bool) -> Result<Looked, SourceError> {
    context.source.fetch().await?;
    let revision = context.source.resolve(None)?;
    if !again && known.read.is_some() && revision.commit == known.read {
        return Ok(Looked::Same);
    }
    let rewritten = match (&known.in_use, &revision.commit) {
        (Some(old), Some(new)) => !context.source.is_descendant(old, new)?,
        _ => false,
    };
    let reference = revision.reference.clone();
    let loaded = context.load_desired(&At::Revision(revision), true).await?;
    let in_use = match known.in_use.filter(|_| again && loaded.state.is_none()) {
        Some(commit) => {
            let at = At::Revision(Revision { reference, commit: Some(commit) });
            // Failing that, what was read of it before stays in use.
            context.load_desired(&at, true).await.ok().map(Box::new)
        }
        None => None,
    };
    Ok(Looked::Read { loaded: Box::new(loaded), rewritten, in_use })
}

/// What a new state changes.
fn compare(old: Option<&DesiredState>, new: &DesiredState) -> Change {
    let mut change = Change::default();
    for id in new.ids() {
        let same = old.is_some_and(|old| old.digest_of(&id) == new.digest_of(&id));
        if same { &mut change.same } else { &mut change.changed }.insert(id);
    }
    if let Some(old) = old {
        change.gone = old.ids().into_iter().filter(|id| new.digest_of(id).is_none()).collect();
    }
    change
}

fn quote(revision: &Revision, problems: &[Problem]) -> String {
    let errors: Vec<String> = problems
        .iter()
        .filter(|problem| problem.is_error())
        .map(|problem| match &problem.location {
            Some(location) => format!("{location}: {}", problem.message),
            None => problem.message.clone(),
        })
        .collect();
    let quoted = errors.iter().take(PROBLEMS_QUOTED_MAX).cloned().collect::<Vec<_>>().join("; ");
    match errors.len().saturating_sub(PROBLEMS_QUOTED_MAX) {
        0 => format!("{revision} is not valid: {quoted}"),
        more => format!("{revision} is not valid: {quoted}; and {more} more"),
    }
}
