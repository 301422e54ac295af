//! Which process holds something, and whether it still lives; and a clock that no one can set.
//!
//! A lease of a process that died on this machine ends at once; every other one ends by the machine's uptime,
//! or by wall clock when it was taken before a reboot or elsewhere.

use std::fs;

/// The field of `/proc/<pid>/stat`, counted after the command's closing parenthesis, that says when a process started.
const START_FIELD: usize = 19;

/// The identity of a process on one boot of one machine: `boot pid start`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessId {
    /// The kernel's id of this boot; empty when it can't be read.
    pub boot: String,
    /// The process id.
    pub pid: u32,
    /// When the process started, in clock ticks since boot.
    pub start: u64,
}

impl ProcessId {
    /// This process.
    pub fn current() -> ProcessId {
        let pid = std::process::id();
        ProcessId { boot: boot_id(), pid, start: start_of(pid).unwrap_or_default() }
    }

    /// As it is stored.
    pub fn text(&self) -> String {
        format!("{} {} {}", self.boot, self.pid, self.start)
    }

    /// Reads what [`ProcessId::text`] wrote.
    pub fn parse(text: &str) -> Option<ProcessId> {
        let mut parts = text.split(' ');
        let id = ProcessId {
            boot: parts.next()?.to_owned(),
            pid: parts.next()?.parse().ok()?,
            start: parts.next()?.parse().ok()?,
        };
        parts.next().is_none().then_some(id)
    }

    /// Whether it certainly ended: it was of this boot, and its id is free or another process has it.
    pub fn is_dead(&self) -> bool {
        !self.boot.is_empty() && self.boot == boot_id() && start_of(self.pid) != Some(self.start)
    }
}

/// The kernel's id of this boot; empty when it can't be read.
pub fn boot_id() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_owned()
}

/// Milliseconds since boot; `None` when the system doesn't say.
pub fn uptime_milliseconds() -> Option<i64> {
    let text = fs::read_to_string("/proc/uptime").ok()?;
    let seconds: f64 = text.split(' ').next()?.parse().ok()?;
    Some((seconds * 1000.0) as i64)
}

fn start_of(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The command may hold spaces and parentheses; everything after the last one is numbers.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    // A zombie has done its last work.
    if matches!(fields.first(), Some(&"Z" | &"X")) {
        return None;
    }
    fields.get(START_FIELD)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_lives_and_an_earlier_one_of_its_number_does_not() {
        let current = ProcessId::current();
        assert!(!current.is_dead());
        assert_eq!(ProcessId::parse(&current.text()), Some(current.clone()));
        assert!(ProcessId { start: current.start + 1, ..current.clone() }.is_dead());
        assert!(!ProcessId { boot: "another".into(), ..current }.is_dead());
    }
}
