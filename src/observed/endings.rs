//! Containers that were told gently to end: until the engine says whether a person stopped them, nobody starts them.
//!
//! `docker stop` sends `kill`, `die` and last of all `stop`. A pass that looks between `die` and `stop` sees an exited
//! container that nobody seems to have stopped. Kept in memory only: the doubt lasts half a second.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How many containers are in doubt at once; more than that end together only when an engine shuts down.
const ENDINGS_MAX: usize = 10_000;

/// Host and the engine's id → since it died, how long the doubt lasts; `None` while it lives.
type Doubts = BTreeMap<(String, String), Option<Instant>>;

/// The containers in doubt.
#[derive(Debug, Clone, Default)]
pub struct Endings(Arc<Mutex<Doubts>>);

impl Endings {
    /// A container was told gently to end.
    pub fn told(&self, host: &str, container: &str) {
        self.change(|endings| {
            if endings.len() < ENDINGS_MAX {
                endings.insert(key(host, container), None);
            }
        });
    }

    /// It died; the engine says within this time whether it was a stop.
    pub fn died(&self, host: &str, container: &str, now: Instant, within: Duration) {
        self.change(|endings| {
            if let Some(until) = endings.get_mut(&key(host, container)) {
                *until = Some(now + within);
            }
        });
    }

    /// It is known what became of it.
    pub fn settled(&self, host: &str, container: &str) {
        self.change(|endings| {
            endings.remove(&key(host, container));
        });
    }

    /// Nothing is known of a host any more: the stream that would tell broke.
    pub fn forget(&self, host: &str) {
        self.change(|endings| endings.retain(|(of, _), _| of != host));
    }

    /// The containers in doubt at this time; drops those whose doubt is over.
    pub fn in_doubt(&self, now: Instant) -> Vec<String> {
        self.change(|endings| {
            endings.retain(|_, until| until.is_none_or(|until| now < until));
            endings.keys().map(|(_, container)| container.clone()).collect()
        })
    }

    fn change<T>(&self, change: impl FnOnce(&mut Doubts) -> T) -> T {
        // Every change is one call on the map, so a panic of another holder leaves it whole.
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn key(host: &str, container: &str) -> (String, String) {
    (host.to_owned(), container.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_doubt_begins_with_the_signal_and_ends_after_the_death_or_with_the_word() {
        let (endings, now, wait) = (Endings::default(), Instant::now(), Duration::from_millis(500));
        endings.died("h", "never-told", now, wait);
        endings.told("h", "a");
        endings.told("h", "b");
        assert_eq!(endings.in_doubt(now + wait * 100), ["a", "b"], "while they live, nobody knows");
        endings.died("h", "a", now, wait);
        assert_eq!(endings.in_doubt(now + wait / 2), ["a", "b"]);
        endings.settled("h", "b");
        assert_eq!(endings.in_doubt(now + wait / 2), ["a"]);
        assert!(endings.in_doubt(now + wait).is_empty());
        endings.told("h", "c");
        endings.forget("other");
        assert_eq!(endings.in_doubt(now), ["c"]);
        endings.forget("h");
        assert!(endings.in_doubt(now).is_empty());
    }
}
