//! How long to wait before a stream is opened again; told the time and a random number.
//!
//! 0.8 s, doubled up to 30 s, ±20 %; forgotten once a stream lasted two minutes. A stream that opens and breaks at once
//! is therefore not opened in a tight loop.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use std::time::{Duration, Instant};

use crate::daemon::backoff::{JITTER, spread};

/// The first wait; as kube-rs has it.
const FIRST: Duration = Duration::from_millis(800);
/// The longest wait: an engine that comes back is seen within half a minute.
const LONGEST: Duration = Duration::from_secs(30);
/// A stream that lasted so long was sound.
const STABLE: Duration = Duration::from_secs(120);

/// What is remembered between two openings.
#[derive(Debug, Clone, Default)]
pub struct Reconnect {
    attempts: u32,
}

impl Reconnect {
    /// Takes note that a stream ended (or did not open: `opened` is `None`), and says how long to wait.
    pub fn ended(&mut self, opened: Option<Instant>, now: Instant, random: f64) -> Duration {
        if opened.is_some_and(|opened| now.saturating_duration_since(opened) >= STABLE) {
            self.attempts = 0;
        }
        // 0.8 s times 2^6 is beyond the cap.
        let wait = (FIRST * (1 << self.attempts.min(6))).min(LONGEST);
        self.attempts = self.attempts.saturating_add(1);
        spread(wait, JITTER, random)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::disallowed_methods, reason = "an Instant to count from can only be had from the clock")]

    use super::*;

    #[test]
    fn waits_double_up_to_half_a_minute_and_start_over_after_a_sound_stream() {
        let mut reconnect = Reconnect::default();
        let now = Instant::now();
        let waits: Vec<u128> = (0..8).map(|_| reconnect.ended(None, now, 0.5).as_millis()).collect();
        assert_eq!(waits, [800, 1600, 3200, 6400, 12800, 25600, 30000, 30000]);
        assert_eq!(reconnect.ended(Some(now), now + Duration::from_secs(119), 0.5), LONGEST);
        assert_eq!(reconnect.ended(Some(now), now + Duration::from_secs(120), 0.5), FIRST);
        assert_eq!(reconnect.ended(None, now, 1.0).as_millis(), 1920);
    }
}
