//! Wakes become keys. The reason is dropped here: no pass learns it.
//!
//! What people and timers ask for waits for a look at the source that reads everything again, secrets too. An event of
//! an engine acts on what was read last, at most one drift scan ago: healing must not wait for a slow remote.

use std::time::Instant;

use chrono::{DateTime, TimeDelta, Utc};

use super::Driver;
use crate::daemon::modes::FULL_PASS;
use crate::daemon::queue::{Key, When};
use crate::daemon::triggers::wake::{News, Wake};
use crate::model::id::ResourceId;
use crate::model::schedule::{Due, Schedule};
use crate::record::requests::Request;
use crate::telemetry::{self, Trigger};

/// How long stops by hand are kept: nobody holds on to one for more than half an hour.
const STOPS_KEPT: TimeDelta = TimeDelta::days(1);

impl Driver {
    pub(super) async fn wake(&mut self, wake: Wake) {
        let now = Instant::now();
        match wake {
            Wake::Source(trigger) => {
                telemetry::count_wake(trigger);
                self.queue.wake(Key::Source, When::Event, now);
            }
            Wake::Resource { id, news } => {
                telemetry::count_wake(Trigger::Docker);
                self.news(id, news, now);
            }
            Wake::Host(host) => {
                telemetry::count_wake(Trigger::Docker);
                for id in self.on_host(&host) {
                    self.news(id, News::Other, now);
                }
            }
            Wake::Connected(host) => {
                for id in self.on_host(&host) {
                    self.queue.wake(Key::Resource(id), When::Event, now);
                }
            }
            Wake::Heartbeat => self.beat(now).await,
            Wake::Requests(requests) => self.take_requests(requests, now).await,
        }
    }

    /// Wakes a resource for an event, unless the event is our own doing.
    fn news(&mut self, id: ResourceId, news: News, now: Instant) {
        let wanted = self.revisions.in_use().is_some_and(|state| state.digest_of(&id).is_some());
        if !wanted && !self.leftovers.contains(&id) {
            return;
        }
        let key = Key::Resource(id);
        let Key::Resource(id) = &key else { unreachable!("it was made so") };
        let own = self.own_events.get(id).is_some_and(|until| now < *until);
        // What a failed attempt stirs up is no reason to try again at once: the retry is due in its time.
        let failing = self.backoffs.get(&key).is_some_and(|backoff| backoff.failures() > 0);
        if own && (failing || news == News::Other) {
            return;
        }
        if let Some(flight) = self.flights.get_mut(&key).filter(|_| news == News::Other) {
            // Whether it was our doing is known when the pass has ended.
            flight.news = true;
            return;
        }
        let when = match news {
            News::Worse | News::Other => When::Event,
            News::WorseUnlessStopped(wait) => When::At(now + wait),
        };
        self.queue.wake(key, when, now);
    }

    /// Runs what schedules have due, and keeps that it did before it does.
    pub(super) async fn run_schedule(&mut self, wall: DateTime<Utc>, now: Instant) {
        let full_pass = self.modes.full_pass.clone();
        if let Some(scheduled) = self.due(FULL_PASS, &full_pass, wall).await {
            tracing::info!(%scheduled, "full pass");
            self.keep(self.store.trim_stops(wall - STOPS_KEPT)).await;
            self.wake_all(now);
        }
        for (id, schedule) in self.nightly_schedules() {
            if self.nightly.contains_key(&id) {
                continue;
            }
            // It is kept as run when it has ended: a restart in between must not lose the night.
            if let Some(scheduled) = self.occurrence(&id.to_string(), &schedule, wall).await {
                tracing::info!(%scheduled, resource = %id, "nightly pass");
                self.nightly.insert(id.clone(), scheduled);
                self.wake_after_look(vec![id], now);
            }
        }
        let looked = self.looked.clone();
        let is_current = move |id: &ResourceId| looked.contains(id);
        for lasting in self.keep(self.store.alert_of_drift(wall, &is_current)).await.unwrap_or_default() {
            let since = lasting.since.to_rfc3339();
            tracing::warn!(resource = %lasting.resource, since, "drift lasts: {}", lasting.message);
        }
    }

    /// The occurrence of a schedule that has to run now, which is kept as run.
    async fn due(&mut self, name: &str, schedule: &Schedule, wall: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let due = self.occurrence(name, schedule, wall).await?;
        self.keep(self.store.note_schedule(name, due)).await?;
        Some(due)
    }

    /// The occurrence of a schedule that has to run now.
    async fn occurrence(
        &mut self,
        name: &str,
        schedule: &Schedule,
        wall: DateTime<Utc>,
    ) -> Option<DateTime<Utc>> {
        let last = self.ask(self.store.last_schedule(name)).await?;
        // The first start ever has nothing to make up for.
        match last.map_or(Due::Rebase(wall), |last| schedule.due(last, wall)) {
            Due::Run(due) => {
                telemetry::count_wake(Trigger::Schedule);
                Some(due)
            }
            Due::Rebase(noted) => {
                self.keep(self.store.note_schedule(name, noted)).await?;
                None
            }
            Due::NotYet => None,
        }
    }

    /// The resources that have a time of day of their own.
    fn nightly_schedules(&self) -> Vec<(ResourceId, Schedule)> {
        let Some(state) = self.revisions.in_use() else { return Vec::new() };
        let layouts = state.layouts.values().map(|layout| &layout.resource);
        layouts
            .filter_map(|resource| {
                let spec = &resource.spec.schedule;
                // Both were checked when the document was read.
                let schedule = Schedule::parse(&spec.cron, spec.time_zone.parse().ok()?).ok()?;
                Some((resource.id.clone(), schedule))
            })
            .collect()
    }

    /// Takes up requests; each is a look at the source first.
    async fn take_requests(&mut self, requests: Vec<Request>, now: Instant) {
        if self.revisions.in_use().is_none() {
            // They stay in the store until there is something to reconcile.
            return;
        }
        for request in requests {
            if self.keep(self.store.take_request(&request.token, Utc::now())).await != Some(true) {
                continue;
            }
            telemetry::count_wake(Trigger::Manual);
            self.after_next_look.requests.push(request);
            self.wake_after_look(Vec::new(), now);
        }
    }

    /// Wakes what requests are about, by the state that the look they waited for left in use.
    pub(super) async fn requests(&mut self, requests: Vec<Request>, now: Instant) {
        for request in requests {
            let all = self.all();
            let meant: Vec<ResourceId> = match &request.resource {
                Some(id) => all.into_iter().filter(|other| other == id).collect(),
                None => all,
            };
            if meant.is_empty() {
                let answer = match &request.resource {
                    Some(id) => format!("`{id}` is not in the desired state"),
                    None => "the desired state has no resources".to_owned(),
                };
                self.keep(self.store.answer_request(&request.token, &answer, Utc::now())).await;
                continue;
            }
            // A request for all is answered by the last of its passes, see `passed`.
            for id in meant {
                self.queue.wake(Key::Resource(id.clone()), When::Now, now);
                self.asked.entry(id).or_default().push(request.token.clone());
            }
        }
    }
}
