//! When what is looked at: the intervals of `serve`, as the settings say.
//!
//! Each is spread by 5 %, so that many hosts and controllers don't meet at the same moment.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use std::time::{Duration, Instant};

use super::backoff::spread;
use crate::config::Settings;
use crate::model::schedule::{Schedule, ScheduleError};

/// How far intervals are spread; Flux has the same.
const JITTER: f64 = 0.05;
/// The name under which the store keeps the last run of the full pass.
pub const FULL_PASS: &str = "full-pass";
/// How long events of a resource count as our own after we acted on it: the engine sends them within milliseconds, a
/// loaded machine delivers them within a second.
pub const OWN_EVENTS: Duration = Duration::from_secs(2);
/// How long after `SIGTERM` an operation may still take; systemd kills after 90 s, people lose patience before.
pub const STOP_LIMIT: Duration = Duration::from_secs(30);

/// The part of the settings that decides when passes run.
#[derive(Debug, Clone)]
pub struct Modes {
    /// How often the state repository and the repositories it names are asked for news.
    pub git_poll: Duration,
    /// How often a host is read without a reason.
    pub drift_scan: Duration,
    /// How many resources are reconciled at once.
    pub concurrency: usize,
    /// When everything is looked at, however quiet it was.
    pub full_pass: Schedule,
}

impl Modes {
    /// Reads the settings.
    pub fn new(settings: &Settings) -> Result<Modes, ScheduleError> {
        Ok(Modes {
            git_poll: settings.git_poll,
            drift_scan: settings.drift_scan,
            concurrency: settings.concurrency,
            full_pass: Schedule::parse(&settings.schedule.cron, settings.schedule.time_zone)?,
        })
    }

    /// When git is asked next; `random` is in 0..1.
    pub fn next_poll(&self, now: Instant, random: f64) -> Instant {
        now + spread(self.git_poll, JITTER, random)
    }

    /// When a host is read next.
    pub fn next_scan(&self, now: Instant, random: f64) -> Instant {
        now + spread(self.drift_scan, JITTER, random)
    }
}
