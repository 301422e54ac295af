//! Starts the passes that are due, and takes their ends.

use std::sync::Arc;
use std::time::Instant;

use chrono::Utc;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use super::Driver;
use crate::apply::Stopped;
use crate::daemon::backoff::Ending;
use crate::daemon::modes::OWN_EVENTS;
use crate::daemon::pass::{Verdict, judge};
use crate::daemon::queue::{Key, When};
use crate::daemon::revision::Looked;
use crate::desired::source::SourceError;
use crate::desired::state::DesiredState;
use crate::model::condition::Status;
use crate::model::id::{Kind, ResourceId};
use crate::model::problem::error_chain;
use crate::reconcile::{Mode, PassError, PassReport, Scope, carry_out, prepare};
use crate::telemetry::{self, PassOutcome, Phase};

/// What runs beside the loop, and ended.
pub(super) enum Work {
    /// A look at the source.
    Looked(Result<Looked, SourceError>),
    /// The first observation.
    First(Box<Result<PassReport, PassError>>),
    /// A pass over a resource.
    Passed(Box<Passed>),
}

/// A pass that ended.
pub(super) struct Passed {
    id: ResourceId,
    report: Result<PassReport, PassError>,
    digest: Option<String>,
    took: std::time::Duration,
}

/// A pass under way.
pub(super) struct Flight {
    /// Ends it after the operation that is under way.
    pub(super) cancel: CancellationToken,
    /// Whether an event came that may be our own doing.
    pub(super) news: bool,
    /// Requests that it answers.
    tokens: Vec<String>,
    /// Whether its time of day had come.
    scheduled: bool,
}

impl Driver {
    pub(super) fn start_due(&mut self, now: Instant) {
        let state = self.revisions.in_use().cloned();
        let due = self.queue.take(now, |key| state.as_ref().map_or(Vec::new(), |state| needs(state, key)));
        for key in due {
            match (key, &state) {
                (Key::Source, _) => self.start_look(),
                (Key::Resource(id), Some(state)) => self.start_pass(id, state.clone()),
                (key, None) => self.queue.done(&key, now),
            }
        }
    }

    fn start_pass(&mut self, id: ResourceId, state: Arc<DesiredState>) {
        let tokens = self.asked.remove(&id).unwrap_or_default();
        let scheduled = self.nightly.contains_key(&id);
        let mode = match () {
            () if !tokens.is_empty() => Mode::Manual,
            () if scheduled => Mode::Scheduled,
            () => Mode::Automatic,
        };
        let request = tokens.last().cloned();
        let cancel = CancellationToken::new();
        let (context, token) = (self.context.clone(), cancel.clone());
        let digest = state.digest_of(&id).map(str::to_owned);
        let key = Key::Resource(id.clone());
        let span = tracing::info_span!("pass", resource = %id);
        let work = async move {
            let started = Instant::now();
            let scope = Scope::Only([id.clone()].into());
            let report = match prepare(&context, &state, &scope, mode).await {
                Ok(mut prepared) => {
                    prepared.request = request;
                    carry_out(&context, &state, prepared, &token).await
                }
                Err(err) => Err(err),
            };
            Work::Passed(Box::new(Passed { id, report, digest, took: started.elapsed() }))
        };
        let task = self.works.spawn(work.instrument(span));
        self.tasks.insert(task.id(), (Some(key.clone()), task));
        self.flights.insert(key, Flight { cancel, news: false, tokens, scheduled });
    }

    pub(super) async fn passed(&mut self, passed: Passed, now: Instant) {
        let Passed { id, report, digest, took } = passed;
        telemetry::record_duration(Phase::Total, took);
        self.vitals.set_store(store_failure(&report));
        let verdict = match &report {
            Ok(report) => {
                if !report.plan.complete {
                    telemetry::count_error(Phase::Observe);
                }
                judge(&id, report)
            }
            Err(err) => {
                telemetry::count_error(match err {
                    PassError::Apply(_) => Phase::Apply,
                    PassError::Store(_) | PassError::NoStore => Phase::Record,
                });
                tracing::warn!(resource = %id, "the pass failed: {}", error_chain(err));
                failed(error_chain(err))
            }
        };
        telemetry::count_run(verdict.outcome);
        if verdict.acted && verdict.outcome == PassOutcome::Failed {
            telemetry::count_error(Phase::Apply);
        }
        self.say(&id, &verdict);
        let key = Key::Resource(id.clone());
        let flight = self.flights.remove(&key);
        self.queue.done(&key, now);
        self.looked.insert(id.clone());
        // Until then the night's work is not done, and its next try is part of it.
        if verdict.ending != Ending::Transient
            && !verdict.cancelled
            && flight.as_ref().is_some_and(|flight| flight.scheduled)
            && let Some(due) = self.nightly.remove(&id)
        {
            self.keep(self.store.note_schedule(&id.to_string(), due)).await;
        }
        self.again_when(&key, &verdict, digest.as_deref(), now);
        if verdict.acted {
            self.own_events.insert(id.clone(), now + OWN_EVENTS);
        } else if flight.as_ref().is_some_and(|flight| flight.news) {
            // We did nothing, so somebody else did.
            self.queue.wake(key, When::Event, now);
        }
        self.settle(&id, &verdict, now);
        self.answer(flight.map(|flight| flight.tokens).unwrap_or_default(), &verdict).await;
    }

    /// Says when the key is looked at again by itself.
    fn again_when(&mut self, key: &Key, verdict: &Verdict, digest: Option<&str>, now: Instant) {
        if verdict.cancelled {
            // Not a failure: what cancelled it woke it, too.
            return;
        }
        let backoff = self.backoffs.entry(key.clone()).or_default();
        if let Some(at) = backoff.ended(verdict.ending, digest, now, rand::random()) {
            self.queue.wake(key.clone(), When::At(at), now);
        }
        if let Some(left) = verdict.until.and_then(|until| (until - Utc::now()).to_std().ok()) {
            self.queue.wake(key.clone(), When::At(now + left), now);
        }
    }

    /// Takes note of how the resource is, and wakes those that waited for it.
    fn settle(&mut self, id: &ResourceId, verdict: &Verdict, now: Instant) {
        // What is left of a deleted resource may stay for good; that is for `status` to say, not for an alarm.
        let wanted = self.revisions.in_use().is_some_and(|state| state.digest_of(id).is_some());
        self.vitals.set_resource(id, verdict.in_sync || !wanted, verdict.drift.clone(), now);
        if verdict.ending == Ending::Blocked {
            self.blocked.insert(id.clone());
        } else {
            self.blocked.remove(id);
        }
        if verdict.in_sync {
            self.leftovers.remove(id);
        }
        let Some(state) = self.revisions.in_use() else { return };
        let own = Key::Resource(id.clone());
        let waiting: Vec<Key> = self
            .blocked
            .iter()
            .map(|other| Key::Resource(other.clone()))
            .filter(|other| verdict.in_sync && needs(state, other).contains(&own))
            .collect();
        for other in waiting {
            self.queue.wake(other, When::Now, now);
        }
    }

    fn say(&self, id: &ResourceId, verdict: &Verdict) {
        let left = verdict.left.first().map_or("", String::as_str);
        match verdict.outcome {
            PassOutcome::Unchanged if verdict.in_sync => tracing::debug!(resource = %id, "in sync"),
            PassOutcome::Unchanged => tracing::debug!(resource = %id, left, "nothing to do"),
            PassOutcome::Applied | PassOutcome::Cancelled => {
                tracing::info!(resource = %id, outcome = verdict.outcome.as_str(), left, "pass ended")
            }
            PassOutcome::Unhealthy | PassOutcome::Failed => {
                tracing::warn!(resource = %id, outcome = verdict.outcome.as_str(), left, "pass ended")
            }
        }
    }

    async fn answer(&mut self, tokens: Vec<String>, verdict: &Verdict) {
        for token in tokens {
            let open = self.asked.values().chain(self.flights.values().map(|flight| &flight.tokens));
            if open.flatten().any(|other| *other == token) {
                // Others that it asked for are not done yet; the last one answers.
                continue;
            }
            let stale = self.revisions.condition().filter(|source| source.status != Status::True);
            let stale = stale.map(|source| format!("the newest revision is not in use: {}", source.message));
            let said: Vec<String> = verdict.left.iter().cloned().chain(stale).collect();
            let answer = match (verdict.outcome, said.as_slice()) {
                (outcome, []) => outcome.as_str().to_owned(),
                (outcome, said) => format!("{}: {}", outcome.as_str(), said.join("; ")),
            };
            self.keep(self.store.answer_request(&token, &answer, Utc::now())).await;
        }
    }

    /// A task ended without an answer.
    pub(super) async fn crashed(&mut self, key: Option<Key>, now: Instant) {
        telemetry::count_error(Phase::Total);
        // Without a key it was the first observation, which a look starts again.
        let key = key.unwrap_or(Key::Source);
        let flight = self.flights.remove(&key);
        self.queue.done(&key, now);
        if key == Key::Source {
            self.again = true;
            self.after_look(now).await;
        }
        if let (Key::Resource(id), Some(flight)) = (&key, flight)
            && !flight.tokens.is_empty()
        {
            self.asked.entry(id.clone()).or_default().extend(flight.tokens);
        }
        let backoff = self.backoffs.entry(key.clone()).or_default();
        if let Some(at) = backoff.ended(Ending::Transient, None, now, rand::random()) {
            self.queue.wake(key, When::At(at), now);
        }
    }
}

/// What kept a pass from writing to the store; each pass that ends well has written.
fn store_failure(report: &Result<PassReport, PassError>) -> Option<String> {
    match report {
        Ok(report) => match &report.outcome.as_ref()?.stopped {
            Some(Stopped::Store(why)) => Some(why.clone()),
            _ => None,
        },
        Err(err) => Some(error_chain(err.store()?)),
    }
}

fn failed(why: String) -> Verdict {
    Verdict {
        ending: Ending::Transient,
        outcome: PassOutcome::Failed,
        in_sync: false,
        acted: false,
        cancelled: false,
        drift: Vec::new(),
        until: None,
        left: vec![why],
    }
}

/// The keys that have to come to rest before this one: its host, its repository and what it names.
fn needs(state: &DesiredState, key: &Key) -> Vec<Key> {
    let Key::Resource(id) = key else { return Vec::new() };
    let host = state.host_of(id).filter(|_| id.kind != Kind::Host);
    let repository = match id.kind {
        Kind::Host | Kind::Repository => None,
        Kind::AddonsLayout => {
            state.layouts.get(&id.name).map(|layout| layout.resource.spec.repository.as_str())
        }
        Kind::Stack => state.stacks.get(&id.name).and_then(|it| it.resource.spec.repository.as_deref()),
        Kind::Environment => {
            state.environments.get(&id.name).and_then(|it| it.resource.spec.source.repository.as_deref())
        }
    };
    let named = state.common(id).map(|common| common.depends_on.as_slice()).unwrap_or_default();
    host.map(|name| ResourceId::new(Kind::Host, name))
        .into_iter()
        .chain(repository.map(|name| ResourceId::new(Kind::Repository, name)))
        .chain(named.iter().filter_map(|text| ResourceId::parse(text)))
        .map(Key::Resource)
        .collect()
}
