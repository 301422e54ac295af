//! What others may ask of a running controller: is it alive, is it ready, since when is something not as it should be.
//!
//! The serve loop writes, health endpoints and metrics read. Holds no resource's content, only names and times.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::model::change::DriftClass;
use crate::model::id::ResourceId;
use crate::telemetry;

/// The state of the controller, shared by the loop and those who ask.
#[derive(Debug, Default)]
pub struct Vitals {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    source_loaded: bool,
    observed: bool,
    stopping: bool,
    store_error: Option<String>,
    queue_depth: usize,
    unsynced: BTreeMap<ResourceId, Instant>,
    drift: BTreeMap<ResourceId, Vec<DriftClass>>,
    streams: BTreeMap<String, bool>,
}

impl Vitals {
    /// Makes the state of a controller that has seen nothing yet.
    pub fn new() -> Self {
        Vitals::default()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Plain values: a writer that panicked left nothing half done that matters here.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes note that a revision is in use.
    pub fn source_is_loaded(&self) {
        self.lock().source_loaded = true;
    }

    /// Takes note that the world was seen whole.
    pub fn world_is_observed(&self) {
        self.lock().observed = true;
    }

    /// Takes note that the program ends.
    pub fn is_stopping(&self) {
        self.lock().stopping = true;
    }

    /// Takes note of how many keys wait.
    pub fn set_queue_depth(&self, depth: usize) {
        self.lock().queue_depth = depth;
    }

    /// Takes note of whether the last write to the store worked.
    pub fn set_store(&self, error: Option<String>) {
        self.lock().store_error = error;
    }

    /// Takes note of whether a host's event stream is open.
    pub fn set_stream(&self, host: &str, open: bool) {
        self.lock().streams.insert(host.to_owned(), open);
    }

    /// Takes note of what a pass found of a resource.
    pub fn set_resource(&self, id: &ResourceId, in_sync: bool, drift: Vec<DriftClass>, now: Instant) {
        let mut inner = self.lock();
        if in_sync {
            inner.unsynced.remove(id);
        } else {
            inner.unsynced.entry(id.clone()).or_insert(now);
        }
        if drift.is_empty() {
            inner.drift.remove(id);
        } else {
            inner.drift.insert(id.clone(), drift);
        }
    }

    /// Forgets resources and hosts that left the desired state.
    pub fn retain(&self, keep: impl Fn(&ResourceId) -> bool, keep_host: impl Fn(&str) -> bool) {
        let mut inner = self.lock();
        inner.unsynced.retain(|id, _| keep(id));
        inner.drift.retain(|id, _| keep(id));
        inner.streams.retain(|host, _| keep_host(host));
    }

    /// Why the program is not alive in the sense of `/healthz`; `None` when it is.
    pub fn unhealthy(&self) -> Option<String> {
        self.lock().store_error.as_ref().map(|err| format!("the store can't be written: {err}"))
    }

    /// Why the program is not ready; empty when it is.
    pub fn unready(&self) -> Vec<&'static str> {
        let inner = self.lock();
        let checks = [
            (inner.source_loaded, "no revision of the state repository is loaded"),
            (inner.observed, "the first full observation is not complete"),
            (!inner.stopping, "the program is stopping"),
            (inner.store_error.is_none(), "the store can't be written"),
        ];
        checks.into_iter().filter(|(good, _)| !good).map(|(_, why)| why).collect()
    }

    /// For how long the resource that is longest not in sync has not been.
    pub fn oldest_unsynced(&self, now: Instant) -> Duration {
        let inner = self.lock();
        inner.unsynced.values().min().map_or(Duration::ZERO, |since| now.saturating_duration_since(*since))
    }

    /// Writes the numbers that are read off this state, just before they are shown.
    pub fn publish(&self, now: Instant) {
        telemetry::set_oldest_unsynced(self.oldest_unsynced(now));
        let inner = self.lock();
        telemetry::set_queue_depth(inner.queue_depth);
        telemetry::set_event_streams(inner.streams.values().filter(|open| **open).count());
        for class in telemetry::DRIFT_CLASSES {
            let count = inner.drift.values().flatten().filter(|other| **other == class).count();
            telemetry::set_drift(class, count as u64);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::id::Kind;

    #[test]
    fn readiness_names_all_that_is_missing() {
        let vitals = Vitals::new();
        assert_eq!(vitals.unready().len(), 2);
        vitals.source_is_loaded();
        vitals.world_is_observed();
        assert!(vitals.unready().is_empty());
        vitals.set_store(Some("disk is full".into()));
        assert_eq!(vitals.unhealthy().as_deref(), Some("the store can't be written: disk is full"));
        vitals.set_store(None);
        vitals.is_stopping();
        assert_eq!(vitals.unready(), ["the program is stopping"]);
    }

    #[test]
    fn the_age_counts_from_the_first_bad_pass_and_ends_with_the_first_good_one() {
        let vitals = Vitals::new();
        let (a, b) = (ResourceId::new(Kind::Stack, "a"), ResourceId::new(Kind::Stack, "b"));
        let t = Instant::now();
        vitals.set_resource(&a, false, vec![], t);
        vitals.set_resource(&a, false, vec![DriftClass::State], t + Duration::from_secs(5));
        vitals.set_resource(&b, false, vec![], t + Duration::from_secs(8));
        assert_eq!(vitals.oldest_unsynced(t + Duration::from_secs(10)), Duration::from_secs(10));
        vitals.set_resource(&a, true, vec![], t + Duration::from_secs(10));
        assert_eq!(vitals.oldest_unsynced(t + Duration::from_secs(10)), Duration::from_secs(2));
        vitals.retain(|_| false, |_| false);
        assert_eq!(vitals.oldest_unsynced(t + Duration::from_secs(10)), Duration::ZERO);
    }
}
