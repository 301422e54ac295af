//! What others can watch: log lines on stderr, and the numbers in `metrics`.
//!
//! Every log line of a run carries the run's id (`run_begins`), so one word finds all of it. Reads no environment variable
//! (`config` does) and starts no listener (`web` does).

mod metrics;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::SubscriberInitExt as _;

pub use self::metrics::{
    DRIFT_CLASSES, METRICS, Metric, Metrics, PassOutcome, Phase, Trigger, count_error, count_run, count_wake,
    record_duration, set_drift, set_event_streams, set_oldest_unsynced, set_queue_depth, set_source_ready,
};
use crate::config::LogFormat;

/// Why watching could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The filter can't be read.
    #[error("invalid log filter `{filter}`")]
    Filter {
        /// As it was given.
        filter: String,
        /// What is wrong with it.
        #[source]
        source: tracing_subscriber::filter::ParseError,
    },
    /// Something in this process logs already.
    #[error("logging is set up twice")]
    LoggingTwice(#[source] tracing_subscriber::util::TryInitError),
    /// Something in this process counts already.
    #[error("metrics are set up twice")]
    MetricsTwice(#[source] metrics_exporter_prometheus::BuildError),
}

/// Sets up logging to stderr for the whole process.
///
/// `filter` is in the words of `RUST_LOG`; a bare level (`info`) concerns our own lines, others then speak from warnings on.
pub fn start_logging(format: LogFormat, filter: &str, color: bool) -> Result<(), TelemetryError> {
    let filter = log_filter(filter)?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match format {
        LogFormat::Text => builder.with_target(false).with_ansi(color).finish().try_init(),
        LogFormat::Json => builder
            .json()
            .flatten_event(true)
            .with_current_span(true)
            .with_span_list(false)
            .finish()
            .try_init(),
    }
    .map_err(TelemetryError::LoggingTwice)
}

/// Reads a filter. A bare level is widened: debug lines of other crates may quote what was sent to an engine, secrets included.
fn log_filter(filter: &str) -> Result<EnvFilter, TelemetryError> {
    let filter = filter.trim();
    let words = match filter.to_ascii_lowercase().as_str() {
        level @ ("off" | "error" | "warn") => level.to_owned(),
        level @ ("info" | "debug" | "trace") => format!("warn,ipaictl={level}"),
        _ => filter.to_owned(),
    };
    EnvFilter::try_new(&words).map_err(|source| TelemetryError::Filter { filter: filter.to_owned(), source })
}

/// The level that `-q` and `-v` mean: `-q` errors, nothing `normal`, each `-v` one level more.
pub fn level(normal: &'static str, quiet: bool, verbose: u8) -> &'static str {
    const LEVELS: [&str; 5] = ["error", "warn", "info", "debug", "trace"];
    if quiet {
        return "error";
    }
    let start = LEVELS.iter().position(|level| *level == normal).unwrap_or(2);
    LEVELS[(start + usize::from(verbose)).min(LEVELS.len() - 1)]
}

/// The span of one pass. Every line within it carries its correlation, and the run's id from [`run_begins`] on.
pub fn pass_span(correlation: &str) -> tracing::Span {
    // At the level that every filter but `off` shows: a warning without its run would be worth little.
    tracing::error_span!("pass", correlation, run = tracing::field::Empty)
}

/// Gives the lines of the current pass the run's id, the same as in history and evidence.
pub fn run_begins(run: &str) {
    tracing::Span::current().record("run", run);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_level_concerns_our_own_lines_only() {
        assert_eq!(log_filter("debug").unwrap().to_string(), "ipaictl=debug,warn");
        assert_eq!(log_filter(" WARN ").unwrap().to_string(), "warn");
        assert_eq!(log_filter("bollard=trace").unwrap().to_string(), "bollard=trace");
        assert!(matches!(log_filter("a=b=c"), Err(TelemetryError::Filter { .. })));
    }

    #[test]
    fn each_v_says_more_and_q_only_errors() {
        assert_eq!(level("info", false, 0), "info");
        assert_eq!(level("info", false, 1), "debug");
        assert_eq!(level("warn", false, 9), "trace");
        assert_eq!(level("info", true, 3), "error");
    }
}
