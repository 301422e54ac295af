//! Which key is reconciled next, and when; a state machine that is told the time.
//!
//! 1. A key is in flight at most once. What wakes it meanwhile is kept and runs once, after.
//! 2. A waiting key has one time, the earliest that was asked for.
//! 3. The first event after silence runs after `EVENT_DELAY`, and so do the next few, which often complete what it began (a
//!    container dies, is taken off its network, is removed). Further events within `EVENT_WINDOW` of a key's last start become one
//!    trailing run, put off by each further event, but never beyond `EVENT_WINDOW_MAX`: a chatty key can't starve itself.
//! 4. At most as many resources are in flight as the settings say; the source has a place of its own, so a long pass never delays a commit.
//! 5. Nothing but the source is taken before `release`: nobody acts on a world that was never seen whole.
//! 6. A key waits for those that it depends on as long as they are in flight or due.
//!
//! Does not know why a key was woken, what a pass does, or how long to back off.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::{Duration, Instant};

use crate::model::id::ResourceId;

/// How long the first event after silence waits for its companions: a `docker compose stop` sends several within it.
pub const EVENT_DELAY: Duration = Duration::from_millis(50);
/// Repeats within this time of a key's last start become one trailing run.
pub const EVENT_WINDOW: Duration = Duration::from_secs(1);
/// How many runs of a key may start within a window without being put off: one more than the removal of a container takes.
pub const EVENT_RUNS_MAX: u32 = 4;
/// How long repeats can put the trailing run off, counted from the first of them.
pub const EVENT_WINDOW_MAX: Duration = Duration::from_secs(5);
/// What can be woken.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// The state repository: resolve, and load when it moved.
    Source,
    /// One resource.
    Resource(ResourceId),
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Key::Source => f.pad("source"),
            Key::Resource(id) => id.fmt(f),
        }
    }
}

/// When a key should run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// Something happened: soon, together with what follows at once.
    Event,
    /// A person asked, or a new revision did: now.
    Now,
    /// A timer, a retry: not before then.
    At(Instant),
}

/// The keys that wait or are in flight.
#[derive(Debug)]
pub struct Queue {
    concurrency: usize,
    entries: BTreeMap<Key, Entry>,
    released: bool,
    closed: bool,
}

#[derive(Debug, Default)]
struct Entry {
    /// When it should run next.
    due: Option<Instant>,
    /// Since when something waits, for the latest time of a trailing run.
    first_repeat: Option<Instant>,
    /// Whether the waiting run is a trailing one, which further events may put off.
    trailing: bool,
    /// The last time it was taken.
    started: Option<Instant>,
    /// How many times it was taken since the window of that time began, and when it did.
    burst: Option<(Instant, u32)>,
    in_flight: bool,
}

impl Queue {
    /// Makes an empty queue that holds all resources back, and will have so many of them in flight at once.
    pub fn new(concurrency: usize) -> Self {
        Queue { concurrency: concurrency.max(1), entries: BTreeMap::new(), released: false, closed: false }
    }

    /// Changes how many resources are in flight at once.
    pub fn set_concurrency(&mut self, concurrency: usize) {
        self.concurrency = concurrency.max(1);
    }

    /// Lets resources run: the world has been seen whole once.
    pub fn release(&mut self) {
        self.released = true;
    }

    /// Whether resources may run.
    pub fn is_released(&self) -> bool {
        self.released
    }

    /// Takes no key any more.
    pub fn close(&mut self) {
        self.closed = true;
    }

    /// Asks for a run of a key.
    pub fn wake(&mut self, key: Key, when: When, now: Instant) {
        let entry = self.entries.entry(key).or_default();
        match when {
            When::Now => entry.bring_forward(now),
            When::At(at) => entry.bring_forward(at.max(now)),
            When::Event => entry.event(now),
        }
    }

    /// Forgets keys that are gone; one in flight ends first.
    pub fn retain(&mut self, keep: impl Fn(&Key) -> bool) {
        for (key, entry) in &mut self.entries {
            if !keep(key) {
                entry.due = None;
            }
        }
        self.entries.retain(|key, entry| entry.in_flight || keep(key));
    }

    /// Takes the keys that are due, earliest first, each of them now in flight until `done`.
    ///
    /// `needs` names the keys that have to come to rest before a key.
    pub fn take(&mut self, now: Instant, needs: impl Fn(&Key) -> Vec<Key>) -> Vec<Key> {
        if self.closed {
            return Vec::new();
        }
        let mut due: Vec<(Instant, Key)> = self
            .entries
            .iter()
            .filter(|(key, entry)| !entry.in_flight && (self.released || **key == Key::Source))
            .filter_map(|(key, entry)| entry.due.filter(|at| *at <= now).map(|at| (at, key.clone())))
            .collect();
        due.sort();
        let unsettled: BTreeSet<Key> = self
            .entries
            .iter()
            .filter(|(_, entry)| entry.in_flight || entry.due.is_some_and(|at| at <= now))
            .map(|(key, _)| key.clone())
            .collect();
        let mut free = self.concurrency.saturating_sub(self.resources_in_flight());
        let mut taken = Vec::new();
        for (_, key) in due {
            let needed = needs(&key);
            if needed.iter().any(|other| *other != key && unsettled.contains(other)) {
                continue;
            }
            if key != Key::Source {
                if free == 0 {
                    continue;
                }
                free -= 1;
            }
            let entry = self.entries.get_mut(&key).expect("a due key is an entry");
            entry.start(now);
            taken.push(key);
        }
        taken
    }

    /// Says that a key's run ended.
    pub fn done(&mut self, key: &Key, now: Instant) {
        let Some(entry) = self.entries.get_mut(key) else { return };
        entry.in_flight = false;
        // What came while it ran can't be taken any earlier than now, so a later wake must not be compared with the past.
        entry.due = entry.due.map(|at| at.max(now));
        if entry.due.is_none() && entry.started.is_none_or(|at| at + EVENT_WINDOW < now) {
            self.entries.remove(key);
        }
    }

    /// The next time at which `take` may give something that it did not give before; `None`: only after a wake or an end.
    pub fn next(&self, now: Instant) -> Option<Instant> {
        if self.closed {
            return None;
        }
        self.entries
            .iter()
            .filter(|(key, entry)| !entry.in_flight && (self.released || **key == Key::Source))
            .filter_map(|(_, entry)| entry.due)
            .filter(|at| *at > now)
            .min()
    }

    /// Whether a key is in flight.
    pub fn is_in_flight(&self, key: &Key) -> bool {
        self.entries.get(key).is_some_and(|entry| entry.in_flight)
    }

    /// When a waiting key is due.
    pub fn due(&self, key: &Key) -> Option<Instant> {
        self.entries.get(key).and_then(|entry| entry.due)
    }

    /// How many keys wait for their turn or their time.
    pub fn depth(&self) -> usize {
        self.entries.values().filter(|entry| entry.due.is_some()).count()
    }

    /// How many keys are in flight.
    pub fn in_flight(&self) -> usize {
        self.entries.values().filter(|entry| entry.in_flight).count()
    }

    fn resources_in_flight(&self) -> usize {
        self.entries.iter().filter(|(key, entry)| entry.in_flight && **key != Key::Source).count()
    }
}

impl Entry {
    /// Moves the waiting run to a time, unless it waits for an earlier one.
    fn bring_forward(&mut self, at: Instant) {
        if self.due.is_none_or(|due| at < due) {
            self.due = Some(at);
            self.trailing = false;
            self.first_repeat = None;
        }
    }

    fn event(&mut self, now: Instant) {
        let repeat = self.in_flight || self.started.is_some_and(|started| now < started + EVENT_WINDOW);
        let few = self.burst.is_none_or(|(begun, runs)| runs < EVENT_RUNS_MAX || now >= begun + EVENT_WINDOW);
        if (!repeat || few) && !self.trailing {
            return self.bring_forward(now + EVENT_DELAY);
        }
        let first = *self.first_repeat.get_or_insert(now);
        let at = (now + EVENT_WINDOW).min(first + EVENT_WINDOW_MAX).max(now);
        if self.trailing || self.due.is_none_or(|due| at < due) {
            self.due = Some(at);
            self.trailing = true;
        }
    }

    fn start(&mut self, now: Instant) {
        let burst = match self.burst {
            Some((begun, runs)) if now < begun + EVENT_WINDOW => (begun, runs.saturating_add(1)),
            _ => (now, 1),
        };
        *self = Entry { started: Some(now), burst: Some(burst), in_flight: true, ..Entry::default() };
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::disallowed_methods, reason = "an Instant to count from can only be had from the clock")]

    use super::*;
    use crate::model::id::Kind;

    const CONCURRENCY: usize = 4;

    fn key(name: &str) -> Key {
        Key::Resource(ResourceId::new(Kind::Stack, name))
    }

    fn free(_: &Key) -> Vec<Key> {
        Vec::new()
    }

    fn released() -> (Queue, Instant) {
        let mut queue = Queue::new(CONCURRENCY);
        queue.release();
        (queue, Instant::now())
    }

    fn ms(count: u64) -> Duration {
        Duration::from_millis(count)
    }

    #[test]
    fn the_first_event_runs_after_its_delay_and_its_companions_with_it() {
        let (mut queue, t) = released();
        queue.wake(key("a"), When::Event, t);
        queue.wake(key("a"), When::Event, t + ms(40));
        assert_eq!(queue.next(t), Some(t + EVENT_DELAY));
        assert!(queue.take(t + ms(49), free).is_empty());
        assert_eq!(queue.take(t + ms(50), free), [key("a")]);
        assert_eq!(queue.depth(), 0);
    }

    #[test]
    fn a_key_is_in_flight_once_and_what_woke_it_meanwhile_runs_once_after() {
        let (mut queue, t) = released();
        queue.wake(key("a"), When::Now, t);
        assert_eq!(queue.take(t, free), [key("a")]);
        for i in 0..10 {
            queue.wake(key("a"), When::Now, t + ms(i));
        }
        assert!(queue.take(t + ms(100), free).is_empty());
        assert_eq!(queue.next(t + ms(100)), None);
        queue.done(&key("a"), t + ms(200));
        assert_eq!(queue.take(t + ms(200), free), [key("a")]);
        queue.done(&key("a"), t + ms(300));
        assert!(queue.take(t + ms(5000), free).is_empty());
    }

    #[test]
    fn a_waiting_key_keeps_the_earliest_time() {
        let (mut queue, t) = released();
        queue.wake(key("a"), When::At(t + ms(900)), t);
        queue.wake(key("a"), When::At(t + ms(500)), t);
        queue.wake(key("a"), When::At(t + ms(700)), t);
        assert_eq!(queue.due(&key("a")), Some(t + ms(500)));
        assert_eq!(queue.depth(), 1);
        queue.wake(key("a"), When::Event, t + ms(10));
        assert_eq!(queue.due(&key("a")), Some(t + ms(60)));
        queue.wake(key("a"), When::Now, t + ms(20));
        assert_eq!(queue.take(t + ms(20), free), [key("a")]);
    }

    #[test]
    fn what_completes_an_event_does_not_wait_for_the_window() {
        let (mut queue, t) = released();
        queue.wake(key("a"), When::Event, t);
        queue.take(t + ms(50), free);
        queue.wake(key("a"), When::Event, t + ms(70));
        queue.done(&key("a"), t + ms(140));
        assert_eq!(queue.take(t + ms(140), free), [key("a")]);
        assert_eq!(queue.next(t + ms(140)), None);
    }

    #[test]
    fn repeats_soon_after_some_runs_become_one_trailing_run() {
        let (mut queue, t) = released();
        queue.wake(key("a"), When::Event, t);
        queue.take(t + ms(20), free);
        queue.take(t + ms(50), free);
        queue.done(&key("a"), t + ms(55));
        for i in 1..EVENT_RUNS_MAX.into() {
            queue.wake(key("a"), When::Now, t + ms(60 + i));
            assert_eq!(queue.take(t + ms(60 + i), free).len(), 1);
            queue.done(&key("a"), t + ms(60 + i));
        }
        queue.wake(key("a"), When::Event, t + ms(100));
        queue.wake(key("a"), When::Event, t + ms(300));
        assert!(queue.take(t + ms(1299), free).is_empty());
        assert_eq!(queue.take(t + ms(1300), free), [key("a")]);
        queue.done(&key("a"), t + ms(1310));
        assert!(queue.take(t + ms(9000), free).is_empty());
    }

    #[test]
    fn a_chatty_key_runs_at_the_latest_after_the_cap() {
        let (mut queue, t) = released();
        queue.wake(key("a"), When::Event, t);
        queue.take(t + ms(50), free);
        queue.done(&key("a"), t + ms(60));
        let mut runs = Vec::new();
        for i in 1..200 {
            let now = t + ms(60 + i * 100);
            queue.wake(key("a"), When::Event, now);
            if !queue.take(now, free).is_empty() {
                runs.push(now);
                queue.done(&key("a"), now);
            }
        }
        let gaps: Vec<Duration> = runs.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(runs.len() >= 3, "{runs:?}");
        assert!(gaps.iter().all(|gap| *gap <= EVENT_WINDOW_MAX + ms(200)), "{gaps:?}");
        // Twenty seconds of ten events each: a few runs a window, then none for five seconds.
        assert!(runs.len() <= 24, "{runs:?}");
    }

    #[test]
    fn an_event_after_the_window_is_a_first_event_again() {
        let (mut queue, t) = released();
        queue.wake(key("a"), When::Event, t);
        queue.take(t + ms(50), free);
        queue.done(&key("a"), t + ms(80));
        queue.wake(key("a"), When::Event, t + ms(1100));
        assert_eq!(queue.due(&key("a")), Some(t + ms(1150)));
    }

    #[test]
    fn an_event_never_puts_off_a_run_that_a_person_or_a_retry_asked_for() {
        let (mut queue, t) = released();
        queue.wake(key("a"), When::Now, t);
        queue.take(t, free);
        queue.wake(key("a"), When::At(t + ms(400)), t + ms(10));
        queue.wake(key("a"), When::Event, t + ms(20));
        queue.wake(key("a"), When::Event, t + ms(25));
        queue.done(&key("a"), t + ms(30));
        assert_eq!(queue.due(&key("a")), Some(t + ms(70)));
        for _ in 0..EVENT_RUNS_MAX {
            queue.wake(key("b"), When::Now, t);
            queue.take(t, free);
            queue.done(&key("b"), t);
        }
        queue.wake(key("b"), When::Event, t + ms(60));
        assert_eq!(queue.due(&key("b")), Some(t + ms(60) + EVENT_WINDOW));
        queue.wake(key("b"), When::Now, t + ms(70));
        queue.wake(key("b"), When::Event, t + ms(80));
        assert_eq!(queue.due(&key("b")), Some(t + ms(70)));
    }

    #[test]
    fn at_most_four_resources_are_in_flight_and_the_source_has_its_own_place() {
        let (mut queue, t) = released();
        for i in 0..10 {
            queue.wake(key(&format!("s{i}")), When::At(t + ms(i)), t);
        }
        let now = t + ms(20);
        assert_eq!(queue.take(now, free), [key("s0"), key("s1"), key("s2"), key("s3")]);
        queue.wake(Key::Source, When::Now, now);
        assert_eq!(queue.take(now, free), [Key::Source]);
        queue.done(&key("s2"), now);
        assert_eq!(queue.take(now, free), [key("s4")]);
        assert_eq!(queue.in_flight(), 5);
        assert_eq!(queue.depth(), 5);
    }

    #[test]
    fn nothing_but_the_source_runs_before_the_first_full_observation() {
        let mut queue = Queue::new(CONCURRENCY);
        let t = Instant::now();
        queue.wake(key("a"), When::Now, t);
        queue.wake(Key::Source, When::Now, t);
        assert_eq!(queue.take(t, free), [Key::Source]);
        queue.done(&Key::Source, t);
        assert!(queue.take(t + ms(10_000), free).is_empty());
        assert_eq!(queue.next(t), None);
        queue.release();
        assert_eq!(queue.take(t + ms(10_000), free), [key("a")]);
    }

    #[test]
    fn a_key_waits_for_those_it_depends_on() {
        let (mut queue, t) = released();
        let needs = |key_: &Key| if *key_ == key("a") { vec![key("b")] } else { Vec::new() };
        queue.wake(key("a"), When::Now, t);
        queue.wake(key("b"), When::Now, t);
        assert_eq!(queue.take(t, needs), [key("b")]);
        assert!(queue.take(t, needs).is_empty());
        queue.done(&key("b"), t + ms(5));
        assert_eq!(queue.take(t + ms(5), needs), [key("a")]);
    }

    #[test]
    fn a_retry_of_a_dependency_far_away_holds_nobody() {
        let (mut queue, t) = released();
        let needs = |key_: &Key| if *key_ == key("a") { vec![key("b")] } else { Vec::new() };
        queue.wake(key("b"), When::At(t + ms(60_000)), t);
        queue.wake(key("a"), When::Now, t);
        assert_eq!(queue.take(t, needs), [key("a")]);
    }

    #[test]
    fn a_closed_queue_gives_nothing() {
        let (mut queue, t) = released();
        queue.wake(key("a"), When::Now, t);
        queue.wake(Key::Source, When::Now, t);
        queue.close();
        assert!(queue.take(t, free).is_empty());
        assert_eq!(queue.next(t), None);
    }

    #[test]
    fn a_key_that_is_gone_is_forgotten_once_it_has_ended() {
        let (mut queue, t) = released();
        queue.wake(key("a"), When::Now, t);
        queue.wake(key("b"), When::Now, t);
        queue.take(t, |k| if *k == key("b") { vec![key("a")] } else { Vec::new() });
        queue.wake(key("a"), When::Now, t);
        queue.retain(|_| false);
        assert_eq!((queue.in_flight(), queue.depth()), (1, 0));
        queue.done(&key("a"), t + ms(2000));
        assert_eq!(queue.in_flight(), 0);
        assert!(queue.take(t + ms(2000), free).is_empty());
    }

    #[test]
    fn whatever_happens_no_key_is_lost_or_doubled() {
        use proptest::prelude::*;
        let operations = proptest::collection::vec((0u8..5, 0u8..6, 0u64..3000), 1..200);
        let mut runner = proptest::test_runner::TestRunner::default();
        runner
            .run(&operations, |operations| {
                let (mut queue, mut now) = released();
                let mut flying: BTreeSet<Key> = BTreeSet::new();
                let mut wanted: BTreeSet<Key> = BTreeSet::new();
                for (operation, name, step) in operations {
                    now += ms(step);
                    let k = key(&format!("k{name}"));
                    match operation {
                        0 => queue.wake(k.clone(), When::Event, now),
                        1 => queue.wake(k.clone(), When::Now, now),
                        2 => queue.wake(k.clone(), When::At(now + ms(step)), now),
                        3 => {
                            if flying.remove(&k) {
                                queue.done(&k, now);
                            }
                            continue;
                        }
                        _ => {
                            for taken in queue.take(now, free) {
                                wanted.remove(&taken);
                                prop_assert!(flying.insert(taken), "a key was taken twice");
                            }
                            prop_assert!(flying.len() <= CONCURRENCY);
                            continue;
                        }
                    }
                    wanted.insert(k);
                }
                // Everything that was asked for runs within the cap, once places are free.
                for k in std::mem::take(&mut flying) {
                    queue.done(&k, now);
                }
                now += EVENT_WINDOW_MAX + ms(3000);
                for _ in 0..10 {
                    for taken in queue.take(now, free) {
                        wanted.remove(&taken);
                        queue.done(&taken, now);
                    }
                }
                prop_assert!(wanted.is_empty(), "lost: {wanted:?}");
                Ok(())
            })
            .unwrap();
    }
}
