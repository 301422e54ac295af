//! Times of day at which everything is looked at: cron in a time zone, safe against daylight saving, sleep and restarts.
//!
//! 1. An occurrence runs once. What was missed while the machine slept or the program was down is made up for once, however
//!    many occurrences it was.
//! 2. A time that the spring change skips runs at the end of the gap; one that the autumn change repeats runs once.
//! 3. What counts as run is the occurrence, not the moment it ran at: a clock set back a little repeats nothing.
//!
//! Decides only; the heartbeat that asks is `triggers::heartbeat`, and who keeps `last` is the store.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use chrono::{DateTime, TimeZone as _, Utc};
use chrono_tz::Tz;
use croner::Cron;
use croner::parser::{CronParser, Seconds};

/// A recurring time.
#[derive(Debug, Clone)]
pub struct Schedule {
    cron: Cron,
    zone: Tz,
}

/// Why a schedule can't be used.
#[derive(Debug, thiserror::Error)]
pub enum ScheduleError {
    /// It is not cron.
    #[error("`{text}` is not a schedule of five cron fields")]
    Syntax {
        /// As it was given.
        text: String,
        /// What is wrong with it.
        #[source]
        err: croner::errors::CronError,
    },
    /// It names a day that no calendar has.
    #[error("`{text}` never comes")]
    Never {
        /// As it was given.
        text: String,
    },
}

impl Schedule {
    /// Reads five cron fields; refuses one that never comes.
    pub fn parse(text: &str, zone: Tz) -> Result<Schedule, ScheduleError> {
        let cron = CronParser::builder()
            .seconds(Seconds::Disallowed)
            .build()
            .parse(text)
            .map_err(|err| ScheduleError::Syntax { text: text.to_owned(), err })?;
        let schedule = Schedule { cron, zone };
        // Any moment will do: a day that comes at all comes within the years that croner searches.
        let moment = Utc.timestamp_opt(0, 0).single().expect("the epoch is a time");
        match schedule.next_after(moment) {
            Some(_) => Ok(schedule),
            None => Err(ScheduleError::Never { text: text.to_owned() }),
        }
    }

    /// The first occurrence after a moment.
    pub fn next_after(&self, moment: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let local = moment.with_timezone(&self.zone);
        self.cron.find_next_occurrence(&local, false).ok().map(|at| at.with_timezone(&Utc))
    }

    /// The newest occurrence that is over and has not run; `last` is the occurrence that ran last.
    ///
    /// A `last` that lies beyond the next occurrence can only come from a clock that was wrong; it is taken for now, so that
    /// one wrong clock doesn't silence the schedule until its time.
    pub fn due(&self, last: DateTime<Utc>, now: DateTime<Utc>) -> Due {
        let next = self.next_after(now);
        if next.is_some_and(|next| last > next) {
            return Due::Rebase(now);
        }
        let mut newest = None;
        let mut from = last;
        // Each turn skips to the last day before now, then walks at most a day of minutes.
        const STEPS_MAX: usize = 2 * 24 * 60;
        if now - from > chrono::Duration::days(1) {
            let local = now.with_timezone(&self.zone);
            if let Ok(previous) = self.cron.find_previous_occurrence(&local, true) {
                // croner's backward search may meet the second of two equal autumn hours; begin before it and walk forward.
                from = from.max(previous.with_timezone(&Utc) - chrono::Duration::hours(3));
            }
        }
        for _ in 0..STEPS_MAX {
            match self.next_after(from) {
                Some(at) if at <= now => {
                    newest = Some(at);
                    from = at;
                }
                _ => break,
            }
        }
        newest.map_or(Due::NotYet, Due::Run)
    }
}

/// Whether a schedule has something to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// Nothing since the last run.
    NotYet,
    /// This occurrence; it becomes `last`.
    Run(DateTime<Utc>),
    /// Nothing, but `last` was in the future and becomes this.
    Rebase(DateTime<Utc>),
}

#[cfg(test)]
mod tests {
    use super::*;

    const BERLIN: Tz = chrono_tz::Europe::Berlin;

    fn utc(text: &str) -> DateTime<Utc> {
        DateTime::parse_from_rfc3339(text).unwrap().with_timezone(&Utc)
    }

    /// Asks every ten minutes from one moment to another, as the heartbeat does.
    fn runs(schedule: &Schedule, from: &str, to: &str) -> Vec<String> {
        let (mut last, mut now, mut found) = (utc(from), utc(from), Vec::new());
        while now <= utc(to) {
            if let Due::Run(at) = schedule.due(last, now) {
                found.push(at.to_rfc3339());
                last = at;
            }
            now += chrono::Duration::minutes(10);
        }
        found
    }

    #[test]
    fn a_time_in_the_spring_gap_runs_once_at_its_end() {
        let schedule = Schedule::parse("30 2 * * *", BERLIN).unwrap();
        // On 28 March 2027 the clock goes from 02:00 to 03:00, which is 01:00 UTC.
        assert_eq!(
            runs(&schedule, "2027-03-27T12:00:00Z", "2027-03-29T12:00:00Z"),
            ["2027-03-28T01:00:00+00:00", "2027-03-29T00:30:00+00:00"]
        );
    }

    #[test]
    fn a_time_in_the_autumn_fold_runs_once() {
        let schedule = Schedule::parse("30 2 * * *", BERLIN).unwrap();
        // On 31 October 2027 02:30 comes twice: 00:30 and 01:30 UTC.
        assert_eq!(
            runs(&schedule, "2027-10-30T12:00:00Z", "2027-11-01T12:00:00Z"),
            ["2027-10-31T00:30:00+00:00", "2027-11-01T01:30:00+00:00"]
        );
    }

    #[test]
    fn every_half_hour_is_every_half_hour_of_both_autumn_hours() {
        let schedule = Schedule::parse("*/30 * * * *", BERLIN).unwrap();
        assert_eq!(runs(&schedule, "2027-10-30T23:45:00Z", "2027-10-31T02:15:00Z").len(), 5);
        assert_eq!(runs(&schedule, "2027-03-28T00:15:00Z", "2027-03-28T02:15:00Z").len(), 4);
    }

    #[test]
    fn a_sleep_over_several_occurrences_is_made_up_for_once() {
        let schedule = Schedule::parse("0 2 * * *", chrono_tz::Asia::Singapore).unwrap();
        let woken = utc("2026-11-29T21:17:00Z");
        assert_eq!(schedule.due(utc("2026-11-22T18:00:00Z"), woken), Due::Run(utc("2026-11-29T18:00:00Z")));
        assert_eq!(schedule.due(utc("2026-11-29T18:00:00Z"), woken), Due::NotYet);
    }

    #[test]
    fn a_year_of_minutes_is_made_up_for_at_once() {
        let schedule = Schedule::parse("* * * * *", BERLIN).unwrap();
        let now = utc("2026-11-29T21:17:30Z");
        assert_eq!(schedule.due(utc("2020-01-01T00:00:00Z"), now), Due::Run(utc("2026-11-29T21:17:00Z")));
    }

    #[test]
    fn a_sleep_over_the_autumn_fold_finds_the_run_that_counts() {
        let schedule = Schedule::parse("30 2 * * *", BERLIN).unwrap();
        for now in ["2027-10-31T00:45:00Z", "2027-10-31T01:45:00Z", "2027-10-31T20:00:00Z"] {
            assert_eq!(
                schedule.due(utc("2027-10-25T00:30:00Z"), utc(now)),
                Due::Run(utc("2027-10-31T00:30:00Z")),
                "{now}"
            );
        }
        assert_eq!(schedule.due(utc("2027-10-31T00:30:00Z"), utc("2027-10-31T01:45:00Z")), Due::NotYet);
    }

    #[test]
    fn nothing_runs_twice_when_the_clock_is_set_back_a_little() {
        let schedule = Schedule::parse("0 2 * * *", BERLIN).unwrap();
        let last = utc("2026-11-29T01:00:00Z");
        assert_eq!(schedule.due(last, utc("2026-11-29T00:59:00Z")), Due::NotYet);
        assert_eq!(schedule.due(last, utc("2026-11-29T01:00:30Z")), Due::NotYet);
        assert_eq!(schedule.due(last, utc("2026-11-30T01:00:00Z")), Due::Run(utc("2026-11-30T01:00:00Z")));
    }

    #[test]
    fn a_clock_that_was_years_ahead_does_not_silence_the_schedule() {
        let schedule = Schedule::parse("0 2 * * *", BERLIN).unwrap();
        let now = utc("2026-11-29T12:00:00Z");
        assert_eq!(schedule.due(utc("2038-01-19T03:14:08Z"), now), Due::Rebase(now));
        assert_eq!(schedule.due(now, utc("2026-11-30T01:00:00Z")), Due::Run(utc("2026-11-30T01:00:00Z")));
    }

    #[test]
    fn a_schedule_that_is_wrong_or_never_comes_is_refused() {
        assert!(matches!(Schedule::parse("0 0 30 2 *", BERLIN), Err(ScheduleError::Never { .. })));
        for text in ["", "0 2 * *", "61 * * * *", "0 0 2 * * *"] {
            assert!(matches!(Schedule::parse(text, BERLIN), Err(ScheduleError::Syntax { .. })), "{text}");
        }
    }
}
