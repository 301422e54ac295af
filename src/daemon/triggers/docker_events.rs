//! Listens to an engine's events, for as long as the desired state names its host.
//!
//! 1. Events are lost whenever the stream is not open, and the engine replays some hundred at most: each time the stream is
//!    open, all of the host is looked at anew.
//! 2. A stop by a person is a fact that only an event tells, so it is written to the store before anything is woken.
//! 3. A stop is our own when the journal has an operation on that container at that time, of this process or another.
//! 4. An engine that ends stops its containers, and one that starts after a crash does so too; neither is a person. The former
//!    takes no new connection any more, the latter's stops are older than our stream.
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
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::meaning::{ACTIONS, Effect, Event, STOP_FOLLOWS, Watched};
use super::reconnect::Reconnect;
use super::wake::Wake;
use crate::clients::Clients;
use crate::clients::docker::DockerError;
use crate::daemon::vitals::Vitals;
use crate::model::id::ResourceId;
use crate::model::problem::error_chain;
use crate::observed::endings::Endings;
use crate::record::store::{Store, StoreError};

/// How far the engine's clock and ours may differ, and how late an answer may be noted.
const CLOCK_MARGIN: TimeDelta = TimeDelta::seconds(2);
/// How long an engine may take to answer whether it goes on.
const ANSWER_WAIT: Duration = Duration::from_secs(2);

/// What a listener works with.
#[derive(Clone)]
pub struct Listener {
    /// The Host's name.
    pub host: String,
    /// Where its engine is.
    pub endpoint: String,
    /// Connections to engines.
    pub clients: Clients,
    /// Where containers wait for the word whether they were stopped.
    pub endings: Endings,
    /// Where stops by hand are kept.
    pub store: Store,
    /// Who is told.
    pub wakes: Sender<Wake>,
    /// Who is told whether we listen.
    pub vitals: Arc<Vitals>,
    /// The resources that are ours to care for; another controller on the same engine has others.
    pub ours: watch::Receiver<BTreeSet<ResourceId>>,
}

/// Listens until told to stop.
pub async fn watch(listener: Listener, stop: CancellationToken) {
    let mut reconnect = Reconnect::default();
    loop {
        let mut opened = None;
        let ended = tokio::select! {
            () = stop.cancelled() => return,
            ended = listener.listen(&mut opened) => ended,
        };
        listener.vitals.set_stream(&listener.host, false);
        listener.endings.forget(&listener.host);
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
    async fn listen(&self, opened: &mut Option<Instant>) -> Result<(), DockerError> {
        let begun = Utc::now();
        let docker = self.clients.docker(&self.endpoint).await?;
        let mut watched = Watched::default();
        let mut stopped: BTreeSet<String> = match self.store.stops(&self.host).await {
            Ok(stops) => stops.into_keys().collect(),
            Err(err) => self.not_kept(&err, BTreeSet::new()),
        };
        let mut events = pin!(docker.events(Some(begun), ACTIONS));
        let mut listing = pin!(docker.containers());
        loop {
            tokio::select! {
                // The stream is asked for first, so that nothing falls between the list and the first event.
                biased;
                event = events.next() => match event {
                    None => return Ok(()),
                    Some(event) => self.take(&mut watched, &mut stopped, event?, begun).await,
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
            }
        }
    }

    /// Acts on one event.
    async fn take(
        &self,
        watched: &mut Watched,
        stopped: &mut BTreeSet<String>,
        event: EventMessage,
        begun: DateTime<Utc>,
    ) {
        let time = event.time_nano.map_or_else(Utc::now, DateTime::from_timestamp_nanos);
        let actor = event.actor.unwrap_or_default();
        let attributes = actor.attributes.unwrap_or_default().into_iter().collect();
        let effects = watched.event(&Event {
            kind: event.typ.map(|kind| kind.to_string()).unwrap_or_default().as_str(),
            action: &event.action.unwrap_or_default(),
            id: &actor.id.unwrap_or_default(),
            attributes: &attributes,
            time,
        });
        for effect in effects {
            match effect {
                Effect::Resource(resource, _) | Effect::Stopped { resource, .. }
                    if !self.ours.borrow().contains(&resource) => {}
                Effect::Resource(id, news) => self.tell(Wake::Resource { id, news }).await,
                Effect::Host => self.tell(Wake::Host(self.host.clone())).await,
                Effect::Stopped { time, .. } if time < begun => {}
                Effect::Stopped { resource, container, name, time } => {
                    let told = container.clone();
                    match self.note_stop(&container, &name, time).await {
                        Ok(true) => {
                            tracing::info!(host = self.host, %resource, container = name, "stopped by hand; left so for a while");
                            stopped.insert(container);
                        }
                        Ok(false) => {}
                        Err(err) => self.not_kept(&err, ()),
                    }
                    // Only now: before the stop was kept, a pass would see neither.
                    self.endings.settled(&self.host, &told);
                }
                Effect::Told { container } => self.endings.told(&self.host, &container),
                Effect::Died { container } => {
                    self.endings.died(&self.host, &container, Instant::now(), STOP_FOLLOWS)
                }
                Effect::Resumed { container } => {
                    self.endings.settled(&self.host, &container);
                    if stopped.remove(&container)
                        && let Err(err) = self.store.forget_stop(&self.host, &container).await
                    {
                        self.not_kept(&err, ());
                    }
                }
            }
        }
    }

    /// Notes a stop unless it was ours; says whether it did.
    async fn note_stop(&self, container: &str, name: &str, time: DateTime<Utc>) -> Result<bool, StoreError> {
        let (from, to) = (time - CLOCK_MARGIN, time + CLOCK_MARGIN);
        if self.store.has_stopped(&self.host, &[container, name], from, to).await? {
            return Ok(false);
        }
        // On a connection of its own: one that is open already is served to the end.
        let answers = tokio::time::timeout(ANSWER_WAIT, self.clients.connect(&self.endpoint)).await;
        if !matches!(answers, Ok(Ok(_))) {
            return Ok(false);
        }
        self.store.note_stop(&self.host, container, name, time).await?;
        Ok(true)
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
