//! The numbers that `/metrics` shows: their names, their closed sets of labels, and the calls that move them.
//!
//! `METRICS` is the only list of the names, and a test holds the documentation to it. No value of a resource goes into a
//! label, so that the number of series is bounded. Before `Metrics::install`, every call is a no-op.

use std::time::Duration;

use metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

use super::TelemetryError;
use crate::model::change::DriftClass;

/// Upper bounds of the duration histogram in seconds: a no-op pass takes milliseconds, a pull or a health wait minutes.
const DURATION_BUCKETS: &[f64] =
    &[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 300.0, 900.0];

/// A part of a pass whose time is measured and whose errors are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// The desired state is read.
    Load,
    /// The world is read.
    Observe,
    /// The difference is decided on.
    Plan,
    /// Operations are executed and verified.
    Apply,
    /// What happened is kept.
    Record,
    /// All of it.
    Total,
}

impl Phase {
    /// All phases, in the order of a pass.
    pub const ALL: [Phase; 6] =
        [Phase::Load, Phase::Observe, Phase::Plan, Phase::Apply, Phase::Record, Phase::Total];

    /// The label's value.
    pub fn as_str(self) -> &'static str {
        match self {
            Phase::Load => "load",
            Phase::Observe => "observe",
            Phase::Plan => "plan",
            Phase::Apply => "apply",
            Phase::Record => "record",
            Phase::Total => "total",
        }
    }
}

/// How a pass ended, for the counter of runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum PassOutcome {
    /// Nothing differed, or nothing that may be changed.
    Unchanged,
    /// All steps were done and verified.
    Applied,
    /// Applied, but something is not healthy.
    Unhealthy,
    /// At least one step failed, or the pass itself did.
    Failed,
    /// Ended early: a newer revision, or the end of the program.
    Cancelled,
}

impl PassOutcome {
    /// All outcomes.
    pub const ALL: [PassOutcome; 5] = [
        PassOutcome::Unchanged,
        PassOutcome::Applied,
        PassOutcome::Unhealthy,
        PassOutcome::Failed,
        PassOutcome::Cancelled,
    ];

    /// The label's value.
    pub fn as_str(self) -> &'static str {
        match self {
            PassOutcome::Unchanged => "unchanged",
            PassOutcome::Applied => "applied",
            PassOutcome::Unhealthy => "unhealthy",
            PassOutcome::Failed => "failed",
            PassOutcome::Cancelled => "cancelled",
        }
    }
}

/// All classes of drift, so that each series exists from the start and falls back to 0.
pub const DRIFT_CLASSES: [DriftClass; 10] = [
    DriftClass::Missing,
    DriftClass::ExtraOwned,
    DriftClass::OrphanUnowned,
    DriftClass::Spec,
    DriftClass::Content,
    DriftClass::Image,
    DriftClass::State,
    DriftClass::Identity,
    DriftClass::Host,
    DriftClass::Source,
];

/// One number that `/metrics` shows.
#[derive(Debug, Clone, Copy)]
pub struct Metric {
    /// Its name.
    pub name: &'static str,
    /// `counter`, `gauge` or `histogram`.
    pub kind: &'static str,
    /// Its labels, comma-separated.
    pub labels: &'static str,
    /// What it says.
    pub help: &'static str,
}

const RECONCILE_DURATION: &str = "ipaictl_reconcile_duration_seconds";
const DRIFT: &str = "ipaictl_drift";
const QUEUE_DEPTH: &str = "ipaictl_queue_depth";
const OLDEST_UNSYNCED: &str = "ipaictl_oldest_unsynced_seconds";
const ERRORS: &str = "ipaictl_errors_total";
const RUNS: &str = "ipaictl_runs_total";
const WAKES: &str = "ipaictl_wakes_total";
const EVENT_STREAMS: &str = "ipaictl_event_streams_connected";
const SOURCE_READY: &str = "ipaictl_source_ready";
const BUILD_INFO: &str = "ipaictl_build_info";

/// Every number of the controller, in the order of the documentation.
pub const METRICS: &[Metric] = &[
    Metric {
        name: RECONCILE_DURATION,
        kind: "histogram",
        labels: "phase",
        help: "How long each phase of a pass took: load, observe, plan, apply, record, total.",
    },
    Metric {
        name: DRIFT,
        kind: "gauge",
        labels: "class",
        help: "Differences that nobody asked for, at the last look at each resource.",
    },
    Metric {
        name: QUEUE_DEPTH,
        kind: "gauge",
        labels: "",
        help: "Keys that wait for their turn or their time, retries included.",
    },
    Metric {
        name: OLDEST_UNSYNCED,
        kind: "gauge",
        labels: "",
        help: "For how long the resource that is longest not ready has not been ready; 0 when all are.",
    },
    Metric {
        name: ERRORS,
        kind: "counter",
        labels: "phase",
        help: "Errors by the phase in which they came up.",
    },
    Metric { name: RUNS, kind: "counter", labels: "outcome", help: "Passes by how they ended." },
    Metric {
        name: WAKES,
        kind: "counter",
        labels: "trigger",
        help: "Wakes by what caused them: git, docker, timer, schedule, manual, signal.",
    },
    Metric { name: EVENT_STREAMS, kind: "gauge", labels: "", help: "Hosts whose event stream is open." },
    Metric {
        name: SOURCE_READY,
        kind: "gauge",
        labels: "",
        help: "1 when the newest revision is the one in use; 0 when it is invalid or can't be read.",
    },
    Metric {
        name: BUILD_INFO,
        kind: "gauge",
        labels: "version",
        help: "Always 1; the version is in the label.",
    },
];

/// What woke the loop, for the counter of wakes; the reconciler itself never learns it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trigger {
    /// The state repository moved.
    Git,
    /// An event of a container engine.
    Docker,
    /// A drift scan.
    Timer,
    /// A time of the schedule.
    Schedule,
    /// A person.
    Manual,
    /// A signal.
    Signal,
}

impl Trigger {
    /// All triggers.
    pub const ALL: [Trigger; 6] =
        [Trigger::Git, Trigger::Docker, Trigger::Timer, Trigger::Schedule, Trigger::Manual, Trigger::Signal];

    /// The label's value.
    pub fn as_str(self) -> &'static str {
        match self {
            Trigger::Git => "git",
            Trigger::Docker => "docker",
            Trigger::Timer => "timer",
            Trigger::Schedule => "schedule",
            Trigger::Manual => "manual",
            Trigger::Signal => "signal",
        }
    }
}

/// The numbers of this process, ready to be shown.
#[derive(Clone)]
pub struct Metrics {
    handle: PrometheusHandle,
}

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Metrics")
    }
}

impl Metrics {
    /// Starts counting in this process; without it, every count is a no-op.
    pub fn install() -> Result<Metrics, TelemetryError> {
        let handle = PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Full(RECONCILE_DURATION.to_owned()), DURATION_BUCKETS)
            .and_then(PrometheusBuilder::install_recorder)
            .map_err(TelemetryError::MetricsTwice)?;
        describe();
        Ok(Metrics { handle })
    }

    /// The numbers in Prometheus' text format.
    pub fn render(&self) -> String {
        self.handle.run_upkeep();
        self.handle.render()
    }
}

/// Registers the help texts, and every series of the closed sets with 0.
fn describe() {
    for metric in METRICS {
        match metric.kind {
            "counter" => describe_counter!(metric.name, metric.help),
            "histogram" => describe_histogram!(metric.name, metrics::Unit::Seconds, metric.help),
            _ => describe_gauge!(metric.name, metric.help),
        }
    }
    for phase in Phase::ALL {
        counter!(ERRORS, "phase" => phase.as_str()).absolute(0);
    }
    for outcome in PassOutcome::ALL {
        counter!(RUNS, "outcome" => outcome.as_str()).absolute(0);
    }
    for trigger in Trigger::ALL {
        counter!(WAKES, "trigger" => trigger.as_str()).absolute(0);
    }
    for class in DRIFT_CLASSES {
        set_drift(class, 0);
    }
    set_queue_depth(0);
    set_oldest_unsynced(Duration::ZERO);
    set_event_streams(0);
    set_source_ready(false);
    gauge!(BUILD_INFO, "version" => env!("CARGO_PKG_VERSION")).set(1.0);
}

/// Records how long a phase took.
pub fn record_duration(phase: Phase, duration: Duration) {
    histogram!(RECONCILE_DURATION, "phase" => phase.as_str()).record(duration.as_secs_f64());
}

/// Counts an error.
pub fn count_error(phase: Phase) {
    counter!(ERRORS, "phase" => phase.as_str()).increment(1);
}

/// Counts a finished pass.
pub fn count_run(outcome: PassOutcome) {
    counter!(RUNS, "outcome" => outcome.as_str()).increment(1);
}

/// Counts a wake.
pub fn count_wake(trigger: Trigger) {
    counter!(WAKES, "trigger" => trigger.as_str()).increment(1);
}

/// Says how many differences of a class there are.
pub fn set_drift(class: DriftClass, count: u64) {
    gauge!(DRIFT, "class" => class.to_string()).set(count as f64);
}

/// Says how many keys wait.
pub fn set_queue_depth(depth: usize) {
    gauge!(QUEUE_DEPTH).set(depth as f64);
}

/// Says for how long the oldest resource has not been ready.
pub fn set_oldest_unsynced(age: Duration) {
    gauge!(OLDEST_UNSYNCED).set(age.as_secs_f64());
}

/// Says how many event streams are open.
pub fn set_event_streams(count: usize) {
    gauge!(EVENT_STREAMS).set(count as f64);
}

/// Says whether the newest revision is in use.
pub fn set_source_ready(ready: bool) {
    gauge!(SOURCE_READY).set(if ready { 1.0 } else { 0.0 });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_series_exists_before_anything_happened() {
        let recorder = PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Full(RECONCILE_DURATION.to_owned()), DURATION_BUCKETS)
            .unwrap()
            .build_recorder();
        let text = metrics::with_local_recorder(&recorder, || {
            describe();
            record_duration(Phase::Plan, Duration::from_millis(3));
            recorder.handle().render()
        });
        for metric in METRICS {
            assert!(
                text.contains(&format!("# TYPE {} {}", metric.name, metric.kind)),
                "{}\n{text}",
                metric.name
            );
        }
        assert!(
            text.contains("ipaictl_reconcile_duration_seconds_bucket{phase=\"plan\",le=\"0.005\"} 1"),
            "{text}"
        );
        assert!(text.contains("ipaictl_drift{class=\"orphan-unowned\"} 0"), "{text}");
        assert!(text.contains("ipaictl_runs_total{outcome=\"cancelled\"} 0"), "{text}");
    }

    #[test]
    fn the_documentation_lists_every_metric() {
        let page =
            std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/operations.md")).unwrap();
        for metric in METRICS {
            let labels =
                if metric.labels.is_empty() { "".to_owned() } else { format!("`{}`", metric.labels) };
            let row = format!("| `{}` | {} | {labels} | {} |", metric.name, metric.kind, metric.help);
            assert!(page.contains(&row), "docs/operations.md lacks this row:\n{row}");
        }
    }
}
