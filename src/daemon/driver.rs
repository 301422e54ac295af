//! The serve loop: one task that owns all state, takes wakes, starts passes and takes their ends.
//!
//! 1. Passes and looks at the source run beside it; it never waits for one.
//! 2. The state in use is swapped whole. A pass keeps the one it began with and is cancelled when its resource changed.
//! 3. A pass that panics is a pass that failed: its key goes on.
//!
//! Knows neither what an event means (`triggers`), nor when a key is due (`queue`), nor what a pass does (`reconcile`).

mod passes;
mod source;
mod wakes;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::task::{AbortHandle, Id, JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use self::passes::{Flight, Work};
use self::source::Streams;
use super::backoff::Backoff;
use super::modes::Modes;
use super::queue::{Key, Queue, When};
use super::revision::Revisions;
use super::shutdown::{Shutdown, Stopped};
use super::triggers::git_local::{self, GitWatch};
use super::triggers::signals::{Asked, Signals};
use super::triggers::wake::{WAKES_MAX, Wake};
use super::triggers::{heartbeat, requests};
use super::vitals::Vitals;
use crate::config::Settings;
use crate::model::id::ResourceId;
use crate::model::problem::error_chain;
use crate::model::schedule::ScheduleError;
use crate::reconcile::Context;
use crate::record::process::ProcessId;
use crate::record::requests::Request;
use crate::record::store::{Store, StoreError};
use crate::telemetry::{self, Trigger};

/// How often a store that could not be written is tried: a disk is cleaned by hand, and one small write is cheap.
const STORE_PROBE: Duration = Duration::from_secs(5);

/// Reads the settings again, for SIGHUP.
pub type Reload = Box<dyn Fn() -> Result<Settings, String> + Send>;

/// Why the loop could not begin, or had to end.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The settings' schedule.
    #[error(transparent)]
    Schedule(#[from] ScheduleError),
    /// Signals can't be listened to.
    #[error("failed to listen to signals")]
    Signals(#[source] std::io::Error),
    /// The heartbeat could not be started.
    #[error("failed to start the heartbeat")]
    Heartbeat(#[source] tokio_cron_scheduler::JobSchedulerError),
    /// The store can't be written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Reconciles until a signal ends it.
pub async fn serve(
    context: Arc<Context>,
    store: Store,
    vitals: Arc<Vitals>,
    reload: Reload,
) -> Result<Stopped, ServeError> {
    let mut signals = Signals::listen().map_err(ServeError::Signals)?;
    let (sender, mut wakes) = mpsc::channel(WAKES_MAX);
    let mut beat = heartbeat::start(sender.clone()).await.map_err(ServeError::Heartbeat)?;
    store.reopen_requests().await?;
    let triggers = CancellationToken::new();
    tokio::spawn(requests::watch(store.clone(), sender.clone(), triggers.clone()));
    let mut driver = Driver::new(context, store, vitals, reload, sender, triggers.clone())?;
    let stopped = driver.run(&mut signals, &mut wakes).await;
    triggers.cancel();
    // Its tasks end with the process; an error here helps nobody any more.
    let _ = beat.shutdown().await;
    Ok(stopped)
}

/// What waits for a look at the source, so that it acts on what is wanted now and not on what was read some time ago.
#[derive(Default)]
struct AfterLook {
    resources: BTreeSet<ResourceId>,
    requests: Vec<Request>,
}

struct Driver {
    context: Arc<Context>,
    store: Store,
    vitals: Arc<Vitals>,
    reload: Reload,
    modes: Modes,
    queue: Queue,
    backoffs: BTreeMap<Key, Backoff>,
    revisions: Revisions,
    /// Whether the next look reads even the revision that it knows.
    again: bool,
    streams: Streams,
    _watch: Option<GitWatch>,
    poll: Instant,
    scans: BTreeMap<String, Instant>,
    works: JoinSet<Work>,
    /// What runs beside the loop; without a key, the first observation.
    tasks: HashMap<Id, (Option<Key>, AbortHandle)>,
    flights: BTreeMap<Key, Flight>,
    /// Until when a resource's events are taken for our own.
    own_events: BTreeMap<ResourceId, Instant>,
    /// Requests by the resource they wait for.
    asked: BTreeMap<ResourceId, Vec<String>>,
    /// Resources whose time of day has come, and whose pass has not begun.
    nightly: BTreeMap<ResourceId, DateTime<Utc>>,
    /// Resources that were looked at since this process began.
    looked: BTreeSet<ResourceId>,
    /// Resources that wait for another one.
    blocked: BTreeSet<ResourceId>,
    /// Resources that are no longer wanted, and have something left.
    leftovers: BTreeSet<ResourceId>,
    /// When the store is tried again; `None` while it works.
    store_probe: Option<Instant>,
    /// What waits for a look that has not begun, and for the one under way.
    after_next_look: AfterLook,
    after_this_look: AfterLook,
    shutdown: Shutdown,
}

impl Driver {
    fn new(
        context: Arc<Context>,
        store: Store,
        vitals: Arc<Vitals>,
        reload: Reload,
        sender: Sender<Wake>,
        triggers: CancellationToken,
    ) -> Result<Driver, ServeError> {
        let modes = Modes::new(&context.settings)?;
        let now = Instant::now();
        let mut queue = Queue::new(modes.concurrency);
        queue.wake(Key::Source, When::Now, now);
        Ok(Driver {
            _watch: watch(&context, &sender),
            streams: Streams::new(&context, store.clone(), sender, vitals.clone(), triggers),
            poll: modes.next_poll(now, rand::random()),
            scans: BTreeMap::new(),
            backoffs: BTreeMap::new(),
            revisions: Revisions::default(),
            again: false,
            works: JoinSet::new(),
            tasks: HashMap::new(),
            flights: BTreeMap::new(),
            own_events: BTreeMap::new(),
            asked: BTreeMap::new(),
            nightly: BTreeMap::new(),
            looked: BTreeSet::new(),
            blocked: BTreeSet::new(),
            leftovers: BTreeSet::new(),
            store_probe: None,
            after_next_look: AfterLook::default(),
            after_this_look: AfterLook::default(),
            shutdown: Shutdown::default(),
            context,
            store,
            vitals,
            reload,
            modes,
            queue,
        })
    }

    async fn run(&mut self, signals: &mut Signals, wakes: &mut Receiver<Wake>) -> Stopped {
        loop {
            let now = Instant::now();
            if let Some(stopped) = self.shutdown.is_over(self.works.len(), now) {
                return stopped;
            }
            self.mind_the_store(now).await;
            self.timers(now);
            self.start_due(now);
            self.vitals.set_queue_depth(self.queue.depth());
            let next = self.next(now);
            tokio::select! {
                asked = signals.next() => match asked {
                    Asked::Reload => self.reload(Instant::now()),
                    Asked::Stop => if let Some(stopped) = self.stop(Instant::now()) {
                        return stopped;
                    },
                },
                Some(ended) = self.works.join_next_with_id(), if !self.works.is_empty() => self.ended(ended).await,
                Some(wake) = wakes.recv() => self.wake(wake).await,
                () = tokio::time::sleep_until(next.into()) => {}
            }
        }
    }

    /// What intervals ask for.
    fn timers(&mut self, now: Instant) {
        if now >= self.poll {
            self.poll = self.modes.next_poll(now, rand::random());
            // References of other repositories move without a commit in this one.
            self.again |= self.revisions.in_use().is_some_and(|state| !state.repositories.is_empty());
            self.queue.wake(Key::Source, When::Now, now);
        }
        let due: Vec<String> =
            self.scans.iter().filter(|(_, at)| now >= **at).map(|(host, _)| host.clone()).collect();
        for host in due {
            self.scans.insert(host.clone(), self.modes.next_scan(now, rand::random()));
            telemetry::count_wake(Trigger::Timer);
            self.wake_after_look(self.on_host(&host), now);
        }
    }

    /// The next moment at which something is due by itself.
    fn next(&self, now: Instant) -> Instant {
        let times = [self.queue.next(now), self.shutdown.limit(), self.store_probe];
        times.into_iter().flatten().chain(self.scans.values().copied()).fold(self.poll, Instant::min)
    }

    fn stop(&mut self, now: Instant) -> Option<Stopped> {
        tracing::info!(under_way = self.flights.len(), "stopping");
        self.vitals.is_stopping();
        self.queue.close();
        self.streams.stop();
        for flight in self.flights.values() {
            flight.cancel.cancel();
        }
        // Looks change nothing, so nobody waits for a slow remote.
        for (key, task) in self.tasks.values() {
            if !matches!(key, Some(Key::Resource(_))) {
                task.abort();
            }
        }
        self.shutdown.asked(now)
    }

    /// Takes over the settings that a running program can change, and looks at everything.
    fn reload(&mut self, now: Instant) {
        telemetry::count_wake(Trigger::Signal);
        match (self.reload)().and_then(|settings| {
            let modes = Modes::new(&settings).map_err(|err| error_chain(&err))?;
            Ok((settings, modes))
        }) {
            Ok((settings, modes)) => {
                let restart = needs_restart(&self.context.settings, &settings);
                if !restart.is_empty() {
                    tracing::warn!("these settings take effect at the next start: {}", restart.join(", "));
                }
                self.queue.set_concurrency(modes.concurrency);
                self.modes = modes;
                self.poll = now;
                tracing::info!("settings read again");
            }
            Err(err) => tracing::warn!("the settings stay as they were: {err}"),
        }
        self.wake_all(now);
    }

    fn wake_all(&mut self, now: Instant) {
        self.wake_after_look(self.all(), now);
    }

    /// Wakes resources as soon as the source was read again: secrets and env files move without a commit.
    fn wake_after_look(&mut self, ids: Vec<ResourceId>, now: Instant) {
        self.after_next_look.resources.extend(ids);
        self.again = true;
        self.queue.wake(Key::Source, When::Now, now);
    }

    /// All resources that are wanted, and those that are not any more.
    fn all(&self) -> Vec<ResourceId> {
        let wanted = self.revisions.in_use().map(|state| state.ids()).unwrap_or_default();
        wanted.into_iter().chain(self.leftovers.iter().cloned()).collect()
    }

    /// The resources of a host. Where leftovers were is not known here, so they belong to every host.
    fn on_host(&self, host: &str) -> Vec<ResourceId> {
        let Some(state) = self.revisions.in_use() else { return Vec::new() };
        let wanted = state.ids().into_iter().filter(|id| state.host_of(id) == Some(host));
        wanted.chain(self.leftovers.iter().cloned()).collect()
    }

    async fn ended(&mut self, ended: Result<(Id, Work), JoinError>) {
        let now = Instant::now();
        match ended {
            Ok((task, work)) => {
                self.tasks.remove(&task);
                match work {
                    Work::Looked(looked) => self.looked(looked, now).await,
                    Work::First(report) => self.first(report, now).await,
                    Work::Passed(passed) => self.passed(*passed, now).await,
                }
            }
            Err(err) => {
                let key = self.tasks.remove(&err.id()).and_then(|(key, _)| key);
                if err.is_cancelled() {
                    return;
                }
                tracing::error!(key = key.as_ref().map(ToString::to_string), "a pass ended by a bug: {err}");
                self.crashed(key, now).await;
            }
        }
    }

    /// Reads something from the store. That it can be read does not show that it can be written.
    async fn ask<T>(&self, asked: impl Future<Output = Result<T, StoreError>>) -> Option<T> {
        asked.await.inspect_err(|err| self.store_failed(err)).ok()
    }

    fn store_failed(&self, err: &StoreError) {
        let err = error_chain(err);
        tracing::error!("the store could not be used: {err}");
        self.vitals.set_store(Some(err));
    }

    /// While the store can't be written: tries again. Once it can: looks at all that was missed.
    async fn mind_the_store(&mut self, now: Instant) {
        let was_bad = self.store_probe.is_some();
        if self.store_probe.is_some_and(|at| now >= at) {
            self.keep(self.store.note_fact(crate::record::facts::HEARTBEAT, "", Utc::now())).await;
            self.store_probe = Some(now + STORE_PROBE);
        }
        match (was_bad, self.vitals.unhealthy().is_some()) {
            (false, true) => self.store_probe = Some(now + STORE_PROBE),
            (true, false) => {
                tracing::info!("the store can be written again");
                self.store_probe = None;
                self.wake_all(now);
            }
            (true, true) | (false, false) => {}
        }
    }

    /// Notes something in the store; a failure shows in `/healthz`.
    async fn keep<T>(&self, kept: impl Future<Output = Result<T, StoreError>>) -> Option<T> {
        match kept.await {
            Ok(value) => {
                self.vitals.set_store(None);
                Some(value)
            }
            Err(err) => {
                self.store_failed(&err);
                None
            }
        }
    }

    async fn beat(&mut self, now: Instant) {
        let wall = Utc::now();
        self.keep(self.store.beat(&ProcessId::current().text(), wall)).await;
        self.run_schedule(wall, now).await;
    }
}

/// Watches the state repository when it is on this machine; polling goes on in any case.
fn watch(context: &Context, sender: &Sender<Wake>) -> Option<GitWatch> {
    let git_dir = context.source.git_dir().filter(|_| !context.source.is_remote())?;
    match git_local::watch(git_dir, sender.clone()) {
        Ok(watch) => Some(watch),
        Err(err) => {
            tracing::warn!("the state repository can't be watched, only polled: {err}");
            None
        }
    }
}

/// The settings that differ and that a running program can't take over.
fn needs_restart(old: &Settings, new: &Settings) -> Vec<&'static str> {
    let checks = [
        ("repo", old.repo == new.repo),
        ("branch", old.branch == new.branch),
        ("path", old.path == new.path),
        ("stateDir", old.state_dir == new.state_dir),
        ("store", old.store == new.store),
        ("listen", old.listen == new.listen),
        ("evidence", old.evidence == new.evidence),
        ("git.allow", old.git_allow == new.git_allow),
        ("ageIdentity", old.age_identity == new.age_identity),
        ("log", old.log_format == new.log_format && old.log_filter == new.log_filter),
        ("holder", old.holder == new.holder),
    ];
    checks.into_iter().filter(|(_, same)| !same).map(|(name, _)| name).collect()
}
