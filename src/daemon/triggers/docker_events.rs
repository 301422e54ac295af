//! Listens to an engine's events, for as long as the desired state names its host.
//!
//! 1. Events are lost whenever the stream is not open, and the engine replays some hundred at most: each time the stream is
//!    open, all of the host is looked at anew.
//! 2. A stop by a person is a fact that only an event tells, so it is written to the store before anything is woken.
//! 3. A stop is our own when the journal has an operation on that container at that time, of this process or another.
//!
//! What an event means is `meaning`'s.

use std::collections::BTreeSet;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bollard::models::EventMessage;
use chrono::{DateTime, TimeDelta, Utc};
use futures_util::StreamExt as _;
use tokio::sync::mpsc::Sender;
use tokio_util::sync::CancellationToken;

use super::meaning::{ACTIONS, Effect, Event, Watched};
use super::reconnect::Reconnect;
use super::wake::Wake;
use crate::clients::Clients;
use crate::clients::docker::DockerError;
use crate::daemon::vitals::Vitals;
use crate::model::problem::error_chain;
use crate::record::store::{Store, StoreError};

/// How far the engine's clock and ours may differ, and how late an answer may be noted.
const CLOCK_MARGIN: TimeDelta = TimeDelta::seconds(2);
/// How far back the first stream looks for stops that came while nobody listened.
const REPLAY_MAX: TimeDelta = TimeDelta::hours(1);
/// How often we note that we listen.
const ALIVE_EVERY: Duration = Duration::from_secs(60);

/// What a listener works with.
#[derive(Clone)]
pub struct Listener {
    /// The Host's name.
    pub host: String,
    /// Where its engine is.
    pub endpoint: String,
    /// Connections to engines.
    pub clients: Clients,
    /// Where stops by hand are kept.
    pub store: Store,
    /// Who is told.
    pub wakes: Sender<Wake>,
    /// Who is told whether we listen.
    pub vitals: Arc<Vitals>,
}

/// Listens until told to stop.
pub async fn watch(listener: Listener, stop: CancellationToken) {
    let mut reconnect = Reconnect::default();
    let mut since = listener.last_alive().await;
    loop {
        let mut opened = None;
        let ended = tokio::select! {
            () = stop.cancelled() => return,
            ended = listener.listen(&mut since, &mut opened) => ended,
        };
        listener.vitals.set_stream(&listener.host, false);
        let wait = reconnect.ended(opened, Instant::now(), rand::random());
        let why = ended.err().map_or("it ended".to_owned(), |err| error_chain(&err));
        tracing::warn!(host = listener.host, wait = ?wait, "the event stream is closed: {why}");
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(wait) => {}
        }
    }
}

impl Listener {
    /// Listens to one stream until it breaks.
    async fn listen(
        &self,
        since: &mut Option<DateTime<Utc>>,
        opened: &mut Option<Instant>,
    ) -> Result<(), DockerError> {
        let docker = self.clients.docker(&self.endpoint).await?;
        let mut watched = Watched::default();
        let mut stopped: BTreeSet<String> = match self.store.stops(&self.host).await {
            Ok(stops) => stops.into_keys().collect(),
            Err(err) => self.not_kept(&err, BTreeSet::new()),
        };
        let mut events = pin!(docker.events(since.or(Some(Utc::now() - CLOCK_MARGIN)), ACTIONS));
        let mut listing = pin!(docker.containers());
        let mut alive = tokio::time::interval(ALIVE_EVERY);
        loop {
            tokio::select! {
                // The stream is asked for first, so that nothing falls between the list and the first event.
                biased;
                event = events.next() => match event {
                    None => return Ok(()),
                    Some(event) => {
                        let time = self.take(&mut watched, &mut stopped, event?).await;
                        *since = (*since).max(time);
                    }
                },
                listed = &mut listing, if opened.is_none() => {
                    for container in listed? {
                        let labels = container.labels.unwrap_or_default().into_iter().collect();
                        watched.container(&container.id.unwrap_or_default(), &labels);
                    }
                    *opened = Some(Instant::now());
                    self.vitals.set_stream(&self.host, true);
                    self.tell(Wake::Connected(self.host.clone())).await;
                }
                _ = alive.tick(), if opened.is_some() => {
                    // A quiet engine sends nothing for days; the next stream needs no replay of that time.
                    let now = Utc::now();
                    *since = (*since).max(Some(now - CLOCK_MARGIN));
                    if let Err(err) = self.store.note_fact(&self.alive_fact(), "", now).await {
                        self.not_kept(&err, ());
                    }
                }
            }
        }
    }

    /// Acts on one event; answers its time.
    async fn take(
        &self,
        watched: &mut Watched,
        stopped: &mut BTreeSet<String>,
        event: EventMessage,
    ) -> Option<DateTime<Utc>> {
        let time = event.time_nano.map(DateTime::from_timestamp_nanos);
        let actor = event.actor.unwrap_or_default();
        let attributes = actor.attributes.unwrap_or_default().into_iter().collect();
        let effects = watched.event(&Event {
            kind: event.typ.map(|kind| kind.to_string()).unwrap_or_default().as_str(),
            action: &event.action.unwrap_or_default(),
            id: &actor.id.unwrap_or_default(),
            attributes: &attributes,
            time: time.unwrap_or_else(Utc::now),
        });
        for effect in effects {
            match effect {
                Effect::Resource(id, news) => self.tell(Wake::Resource { id, news }).await,
                Effect::Host => self.tell(Wake::Host(self.host.clone())).await,
                Effect::Stopped { resource, container, name, time } => {
                    match self.note_stop(&container, &name, time).await {
                        Ok(true) => {
                            tracing::info!(host = self.host, %resource, container = name, "stopped by hand; left so for a while");
                            stopped.insert(container);
                        }
                        Ok(false) => {}
                        Err(err) => self.not_kept(&err, ()),
                    }
                }
                Effect::Resumed { container } => {
                    if stopped.remove(&container)
                        && let Err(err) = self.store.forget_stop(&self.host, &container).await
                    {
                        self.not_kept(&err, ());
                    }
                }
            }
        }
        time
    }

    /// Notes a stop unless it was ours; says whether it did.
    async fn note_stop(&self, container: &str, name: &str, time: DateTime<Utc>) -> Result<bool, StoreError> {
        let (from, to) = (time - CLOCK_MARGIN, time + CLOCK_MARGIN);
        if self.store.has_stopped(&self.host, &[container, name], from, to).await? {
            return Ok(false);
        }
        self.store.note_stop(&self.host, container, name, time).await?;
        Ok(true)
    }

    /// When we last listened to this host, as far as that is not too long ago.
    async fn last_alive(&self) -> Option<DateTime<Utc>> {
        match self.store.fact(&self.alive_fact()).await {
            Ok(fact) => {
                fact.map(|fact| fact.noted - CLOCK_MARGIN).filter(|noted| Utc::now() - *noted < REPLAY_MAX)
            }
            Err(err) => self.not_kept(&err, None),
        }
    }

    fn alive_fact(&self) -> String {
        format!("events-seen/{}", self.host)
    }

    async fn tell(&self, wake: Wake) {
        // The driver is gone only when the program ends.
        let _ = self.wakes.send(wake).await;
    }

    fn not_kept<T>(&self, err: &StoreError, otherwise: T) -> T {
        tracing::warn!(host = self.host, "what an event says could not be kept: {}", error_chain(err));
        otherwise
    }
}
