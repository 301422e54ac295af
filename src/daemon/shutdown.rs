//! The end: no new key is taken, the operation under way ends, the plan does not; after a limit or a second signal, at once.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use std::time::Instant;

use super::modes::STOP_LIMIT;

/// How the program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stopped {
    /// Everything under way came to its end.
    Gracefully,
    /// Something was still under way at the limit; the journal says what.
    AtTheLimit,
    /// A second signal ended it at once.
    AtOnce,
}

/// Whether the program ends, and until when it may take.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Shutdown {
    /// It does not.
    #[default]
    No,
    /// It does; at this moment it is over.
    Until(Instant),
}

impl Shutdown {
    /// Takes note of a signal to end. `Some`: it is over now.
    pub fn asked(&mut self, now: Instant) -> Option<Stopped> {
        match self {
            Shutdown::No => {
                *self = Shutdown::Until(now + STOP_LIMIT);
                None
            }
            Shutdown::Until(_) => Some(Stopped::AtOnce),
        }
    }

    /// Whether it is over, with so many passes still under way.
    pub fn is_over(&self, in_flight: usize, now: Instant) -> Option<Stopped> {
        match self {
            Shutdown::No => None,
            Shutdown::Until(_) if in_flight == 0 => Some(Stopped::Gracefully),
            Shutdown::Until(limit) => (now >= *limit).then_some(Stopped::AtTheLimit),
        }
    }

    /// When to look again.
    pub fn limit(&self) -> Option<Instant> {
        match self {
            Shutdown::No => None,
            Shutdown::Until(limit) => Some(*limit),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::disallowed_methods, reason = "an Instant to count from can only be had from the clock")]

    use super::*;

    #[test]
    fn it_ends_when_nothing_is_under_way_or_the_limit_is_reached() {
        let now = Instant::now();
        let mut shutdown = Shutdown::default();
        assert_eq!(shutdown.is_over(0, now), None);
        assert_eq!(shutdown.asked(now), None);
        assert_eq!(shutdown.is_over(1, now), None);
        assert_eq!(shutdown.is_over(0, now), Some(Stopped::Gracefully));
        assert_eq!(shutdown.is_over(1, now + STOP_LIMIT), Some(Stopped::AtTheLimit));
    }

    #[test]
    fn a_second_signal_ends_it_at_once() {
        let now = Instant::now();
        let mut shutdown = Shutdown::default();
        shutdown.asked(now);
        assert_eq!(shutdown.asked(now), Some(Stopped::AtOnce));
    }
}
