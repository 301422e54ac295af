//! Looks at the state repository, and what a new state means for the loop: keys, hosts, streams.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::Utc;
use tokio::sync::mpsc::Sender;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::Driver;
use super::passes::Work;
use crate::clients::Clients;
use crate::daemon::backoff::Ending;
use crate::daemon::queue::{Key, When};
use crate::daemon::revision::{Change, Looked, look};
use crate::daemon::triggers::docker_events::{self, Listener};
use crate::daemon::triggers::wake::Wake;
use crate::daemon::vitals::Vitals;
use crate::desired::source::SourceError;
use crate::desired::state::DesiredState;
use crate::model::condition::Status;
use crate::model::id::ResourceId;
use crate::model::problem::error_chain;
use crate::observed::endings::Endings;
use crate::reconcile::{Context, Mode, PassError, PassReport, Scope, reconcile, settle};
use crate::record::store::Store;
use crate::telemetry::{self, Phase};

/// How long resources that say the same wait after a new revision, so that those that changed go first.
const SAME_DELAY: Duration = Duration::from_secs(1);

impl Driver {
    /// Starts a look beside the loop.
    pub(super) fn start_look(&mut self) {
        let (context, known) = (self.context.clone(), self.revisions.known());
        let again = std::mem::take(&mut self.again);
        let waiting = std::mem::take(&mut self.after_next_look);
        self.after_this_look.resources.extend(waiting.resources);
        self.after_this_look.requests.extend(waiting.requests);
        let task = self.works.spawn(async move { Work::Looked(look(&context, known, again).await) });
        self.tasks.insert(task.id(), (Some(Key::Source), task));
    }

    /// Takes over what a look brought.
    pub(super) async fn looked(&mut self, looked: Result<Looked, SourceError>, now: Instant) {
        self.queue.done(&Key::Source, now);
        let ending = if looked.is_err() { Ending::Transient } else { Ending::Good };
        let is_unusable = match &looked {
            Ok(Looked::Read { loaded, .. }) => loaded.state.is_none(),
            Ok(Looked::Same) => false,
            Err(_) => true,
        };
        if is_unusable {
            telemetry::count_error(Phase::Load);
        }
        let retry = self.backoffs.entry(Key::Source).or_default().ended(ending, None, now, rand::random());
        if let Some(at) = retry.filter(|at| *at < self.poll) {
            self.queue.wake(Key::Source, When::At(at), now);
        }
        let before = self.revisions.condition().cloned();
        let commit = self.revisions.in_use().map(|state| state.revision.clone());
        let change = self.revisions.take(looked, Utc::now());
        self.keep_condition(before.as_ref() != self.revisions.condition()).await;
        if let (Some(change), Some(state)) = (change, self.revisions.in_use().cloned()) {
            let moved = commit.as_ref() != Some(&state.revision);
            if moved {
                tracing::info!(revision = %state.revision, changed = change.changed.len(), gone = change.gone.len(), "new revision");
                self.keep(self.store.note_good_revision(&state.revision, Utc::now())).await;
            }
            self.adopt(&state, change, moved, now).await;
        }
        self.after_look(now).await;
    }

    /// Wakes what waited for the look that ended. When it failed, they go on with the revision in use.
    pub(super) async fn after_look(&mut self, now: Instant) {
        let waited = std::mem::take(&mut self.after_this_look);
        for id in waited.resources {
            self.queue.wake(Key::Resource(id), When::Now, now);
        }
        self.requests(waited.requests, now).await;
    }

    async fn keep_condition(&self, changed: bool) {
        let Some(condition) = self.revisions.condition() else { return };
        telemetry::set_source_ready(condition.status == Status::True);
        if changed {
            self.keep(self.store.note_source(condition, Utc::now())).await;
        }
    }

    /// Makes a new state the one that everything follows.
    async fn adopt(&mut self, state: &Arc<DesiredState>, change: Change, moved: bool, now: Instant) {
        let host = |host: &str| state.hosts.contains_key(host);
        self.scans.retain(|name, _| host(name));
        for name in state.hosts.keys() {
            let at = self.modes.next_scan(now, rand::random());
            self.scans.entry(name.clone()).or_insert(at);
        }
        let inventory = self.ask(self.store.inventory()).await.unwrap_or_default();
        self.leftovers = inventory
            .into_iter()
            .map(|entry| entry.resource)
            .chain(change.gone.iter().cloned())
            .chain(std::mem::take(&mut self.leftovers))
            .filter(|id| state.digest_of(id).is_none())
            .collect();
        self.streams.follow(state, &self.leftovers);
        let known = |id: &ResourceId| state.digest_of(id).is_some() || self.leftovers.contains(id);
        self.vitals.retain(known, host);
        self.blocked.retain(known);
        self.own_events.retain(|id, until| known(id) && now < *until);
        self.backoffs
            .retain(|key, _| matches!(key, Key::Source) || matches!(key, Key::Resource(id) if known(id)));
        self.queue.retain(|key| matches!(key, Key::Source) || matches!(key, Key::Resource(id) if known(id)));
        for id in change.changed.into_iter().chain(change.gone) {
            let key = Key::Resource(id);
            if let Some(flight) = self.flights.get(&key) {
                // It waits for the health of what nobody wants any more.
                flight.cancel.cancel();
            }
            self.backoffs.remove(&key);
            self.queue.wake(key, When::Now, now);
        }
        if moved {
            let rest = change.same.into_iter().chain(self.leftovers.iter().cloned());
            for id in rest {
                self.queue.wake(Key::Resource(id), When::At(now + SAME_DELAY), now);
            }
        }
        self.vitals.source_is_loaded();
        if !self.queue.is_released() {
            self.start_first(state.clone());
        }
    }

    /// Looks at all of the world once before anything is done to it.
    fn start_first(&mut self, state: Arc<DesiredState>) {
        if self.tasks.values().any(|(key, _)| key.is_none()) {
            return;
        }
        let context = self.context.clone();
        let task = self.works.spawn(async move {
            let never = CancellationToken::new();
            Work::First(Box::new(reconcile(&context, &state, &Scope::All, Mode::DryRun, &never).await))
        });
        self.tasks.insert(task.id(), (None, task));
    }

    /// The world was seen whole, or could not be.
    pub(super) async fn first(&mut self, report: Box<Result<PassReport, PassError>>, now: Instant) {
        match *report {
            Ok(report) => {
                // What an earlier process asked for and never heard of is settled by what is there.
                if let Some(state) = self.revisions.in_use() {
                    self.keep(settle(&self.context, &self.store, state, &report.observed)).await;
                }
                tracing::info!(
                    resources = report.plan.resources.len(),
                    steps = report.plan.steps.len(),
                    "first observation"
                );
                self.vitals.world_is_observed();
                self.queue.release();
                // A night that was missed is made up for at once, not at the next full minute.
                self.run_schedule(Utc::now(), now).await;
            }
            Err(err) => {
                telemetry::count_error(Phase::Observe);
                if let Some(err) = err.store() {
                    self.store_failed(err);
                }
                tracing::error!("the first observation failed: {}", error_chain(&err));
                // The next look starts it again.
                self.again = true;
                let wait = crate::daemon::backoff::RETRY_FIRST;
                self.queue.wake(Key::Source, When::At(now + wait), now);
            }
        }
    }
}

/// The event streams of all hosts.
pub(super) struct Streams {
    clients: Clients,
    endings: Endings,
    store: Store,
    wakes: Sender<Wake>,
    vitals: Arc<Vitals>,
    stop: CancellationToken,
    open: BTreeMap<String, (String, CancellationToken)>,
    ours: watch::Sender<BTreeSet<ResourceId>>,
}

impl Streams {
    pub(super) fn new(
        context: &Context,
        store: Store,
        wakes: Sender<Wake>,
        vitals: Arc<Vitals>,
        stop: CancellationToken,
    ) -> Streams {
        let (clients, endings) = (context.clients.clone(), context.endings.clone());
        Streams {
            clients,
            endings,
            store,
            wakes,
            vitals,
            stop,
            open: BTreeMap::new(),
            ours: watch::Sender::default(),
        }
    }

    /// Listens to the hosts of a state for its resources and what is left of former ones, and to no others.
    fn follow(&mut self, state: &DesiredState, leftovers: &BTreeSet<ResourceId>) {
        self.ours.send_replace(state.ids().into_iter().chain(leftovers.iter().cloned()).collect());
        self.open.retain(|host, (endpoint, stop)| {
            let stays = state.hosts.get(host).is_some_and(|wanted| wanted.spec.engine.endpoint == *endpoint);
            if !stays {
                stop.cancel();
            }
            stays
        });
        for (host, wanted) in &state.hosts {
            if self.open.contains_key(host) {
                continue;
            }
            let endpoint = wanted.spec.engine.endpoint.clone();
            let stop = self.stop.child_token();
            let listener = Listener {
                host: host.clone(),
                endpoint: endpoint.clone(),
                clients: self.clients.clone(),
                endings: self.endings.clone(),
                store: self.store.clone(),
                wakes: self.wakes.clone(),
                vitals: self.vitals.clone(),
                ours: self.ours.subscribe(),
            };
            tokio::spawn(docker_events::watch(listener, stop.clone()));
            self.open.insert(host.clone(), (endpoint, stop));
        }
    }

    pub(super) fn stop(&self) {
        self.stop.cancel();
    }
}
