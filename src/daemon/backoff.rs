//! When a key that failed is tried again; a pure memory per key.
//!
//! 1. A transient failure waits 1 s, then twice as long each time, at most 15 minutes, each ±20 %.
//! 2. It counts only when the wait before it was over or the input had changed: an unrelated event that wakes the key early
//!    must not push it to the cap.
//! 3. Success forgets everything; so does another desired digest.
//! 4. A blocked key looks again after 30 s at the latest; its dependency's change wakes it earlier.
//! 5. A terminal failure is not tried again before the input changes.
//!
//! Times and jitter are arguments, so the same calls give the same answer.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use std::time::{Duration, Instant};

/// The wait after the first failure.
pub const RETRY_FIRST: Duration = Duration::from_secs(1);
/// The longest wait: a host that comes back after a night is found within a coffee break.
pub const RETRY_MAX: Duration = Duration::from_secs(15 * 60);
/// How far a wait is spread, so that many keys don't return at the same moment.
pub const JITTER: f64 = 0.2;
/// How long a blocked key waits when nothing wakes it.
pub const BLOCKED_RETRY: Duration = Duration::from_secs(30);

/// How a pass over a key ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// As wanted, or nothing to do.
    Good,
    /// Something failed that may work the next time.
    Transient,
    /// It waits for another resource.
    Blocked,
    /// Nothing changes until the input does.
    Terminal,
}

/// What we remember of a key's failures.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Backoff {
    failures: u32,
    digest: Option<String>,
    retry_at: Option<Instant>,
    stalled: bool,
}

impl Backoff {
    /// Takes note of how a pass over the given input ended, and says when the next one should be.
    ///
    /// `random` is in 0..1 and spreads the wait. `None`: not before something wakes the key.
    pub fn ended(
        &mut self,
        ending: Ending,
        digest: Option<&str>,
        now: Instant,
        random: f64,
    ) -> Option<Instant> {
        self.input(digest);
        match ending {
            Ending::Good => {
                *self = Backoff { digest: self.digest.take(), ..Backoff::default() };
            }
            Ending::Blocked => {
                self.stalled = false;
                self.retry_at = Some(now + BLOCKED_RETRY);
            }
            Ending::Terminal => {
                self.stalled = true;
                self.retry_at = None;
            }
            Ending::Transient => {
                self.stalled = false;
                let elapsed = self.retry_at.is_none_or(|at| at <= now);
                if elapsed || self.failures == 0 {
                    self.failures = self.failures.saturating_add(1);
                    self.retry_at = Some(now + delay(self.failures, random));
                }
            }
        }
        self.retry_at
    }

    /// Takes note of the input; another one than before forgets the failures. Says whether it is another one.
    pub fn input(&mut self, digest: Option<&str>) -> bool {
        if self.digest.as_deref() == digest {
            return false;
        }
        *self = Backoff { digest: digest.map(str::to_owned), ..Backoff::default() };
        true
    }

    /// Whether only another input can help.
    pub fn is_stalled(&self) -> bool {
        self.stalled
    }

    /// How many failures were counted in a row.
    pub fn failures(&self) -> u32 {
        self.failures
    }
}

/// The wait after the n-th failure in a row, spread by a number in 0..1.
pub fn delay(failures: u32, random: f64) -> Duration {
    // 2^10 s is beyond the cap already.
    let factor = 1u32 << failures.saturating_sub(1).min(10);
    spread((RETRY_FIRST * factor).min(RETRY_MAX), JITTER, random)
}

/// Spreads a duration by ± a share of it.
pub fn spread(duration: Duration, share: f64, random: f64) -> Duration {
    duration.mul_f64(1.0 - share + 2.0 * share * random.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::disallowed_methods, reason = "an Instant to count from can only be had from the clock")]

    use super::*;

    fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    #[test]
    fn waits_double_up_to_the_cap() {
        let mut backoff = Backoff::default();
        let mut now = Instant::now();
        let mut waits = Vec::new();
        for _ in 0..13 {
            let at = backoff.ended(Ending::Transient, Some("d"), now, 0.5).unwrap();
            waits.push((at - now).as_secs());
            now = at;
        }
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900]);
    }

    #[test]
    fn jitter_is_a_fifth_to_both_sides() {
        assert_eq!(delay(1, 0.0), Duration::from_millis(800));
        assert_eq!(delay(1, 1.0), Duration::from_millis(1200));
        assert_eq!(delay(u32::MAX, 1.0), Duration::from_secs(18 * 60));
    }

    #[test]
    fn an_early_wake_neither_counts_nor_moves_the_retry() {
        let mut backoff = Backoff::default();
        let now = Instant::now();
        backoff.ended(Ending::Transient, Some("d"), now, 0.5);
        let at = backoff.ended(Ending::Transient, Some("d"), now + seconds(1), 0.5).unwrap();
        for i in 0..50 {
            let early = now + seconds(1) + Duration::from_millis(10 * i);
            assert_eq!(backoff.ended(Ending::Transient, Some("d"), early, 0.5), Some(at));
        }
        assert_eq!(backoff.failures(), 2);
    }

    #[test]
    fn success_and_another_digest_forget_the_failures() {
        let mut backoff = Backoff::default();
        let now = Instant::now();
        for _ in 0..3 {
            backoff.retry_at = None;
            backoff.ended(Ending::Transient, Some("d"), now, 0.5);
        }
        assert_eq!(backoff.failures(), 3);
        assert_eq!(backoff.ended(Ending::Transient, Some("e"), now, 0.5), Some(now + seconds(1)));
        assert_eq!(backoff.failures(), 1);
        assert_eq!(backoff.ended(Ending::Good, Some("e"), now, 0.5), None);
        assert_eq!(backoff.failures(), 0);
    }

    #[test]
    fn a_terminal_failure_waits_for_another_input() {
        let mut backoff = Backoff::default();
        let now = Instant::now();
        assert_eq!(backoff.ended(Ending::Terminal, Some("d"), now, 0.5), None);
        assert!(backoff.is_stalled());
        assert!(!backoff.input(Some("d")));
        assert!(backoff.is_stalled());
        assert!(backoff.input(Some("e")));
        assert!(!backoff.is_stalled());
    }

    #[test]
    fn a_blocked_key_looks_again_without_being_a_failure() {
        let mut backoff = Backoff::default();
        let now = Instant::now();
        for i in 0..5 {
            let now = now + seconds(i);
            assert_eq!(backoff.ended(Ending::Blocked, Some("d"), now, 0.5), Some(now + BLOCKED_RETRY));
        }
        assert_eq!(backoff.failures(), 0);
        assert_eq!(
            backoff.ended(Ending::Transient, Some("d"), now + seconds(40), 0.5),
            Some(now + seconds(41))
        );
    }
}
