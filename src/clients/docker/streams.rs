//! What the engine tells piece by piece: logs, events, the output of a command.

use std::collections::HashMap;
use std::time::Duration;

use bollard::container::LogOutput;
use bollard::exec::{StartExecOptions, StartExecResults};
use bollard::models::{EventMessage, ExecConfig};
use bollard::query_parameters::{EventsOptionsBuilder, LogsOptionsBuilder};
use chrono::{DateTime, Utc};
use futures_util::{Stream, StreamExt as _, TryStreamExt as _};

use super::{Docker, DockerError, READ_DEADLINE};

/// Bytes kept of a log's tail; an evidence pack shows pages, not archives.
const LOG_BYTES_MAX: usize = 256 << 10;
/// Lines that may be asked for.
const LOG_LINES_MAX: usize = 2_000;
/// Bytes kept of a command's output.
const EXEC_BYTES_MAX: usize = 64 << 10;
/// The kinds of things whose events wake somebody.
const EVENT_KINDS: &[&str] = &["container", "network", "image", "volume"];

/// The end of a container's log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogTail {
    /// Both streams in the order of arrival, as text; bytes that are none are replaced.
    pub text: String,
    /// Whether something was cut off.
    pub cut: bool,
}

/// What came of a command in a container.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExecOutput {
    /// The exit code.
    pub exit_code: i64,
    /// Both streams as text, at most 64 KiB.
    pub text: String,
    /// Whether something was cut off.
    pub cut: bool,
}

impl Docker {
    /// The last lines of a container's log.
    pub async fn log_tail(&self, id: &str, lines: usize) -> Result<LogTail, DockerError> {
        let what = "read the log of container";
        let id = Docker::checked(what, id)?;
        let lines = lines.min(LOG_LINES_MAX).to_string();
        let options = LogsOptionsBuilder::default().stdout(true).stderr(true).tail(&lines).build();
        let read = collect(self.api.logs(id, Some(options)), LOG_BYTES_MAX);
        let (text, cut) = self.call(what, id, READ_DEADLINE, read).await?;
        Ok(LogTail { text, cut })
    }

    /// What a container logged in the first seconds after a point in time.
    pub async fn log_after(
        &self,
        id: &str,
        start: DateTime<Utc>,
        seconds: i64,
    ) -> Result<LogTail, DockerError> {
        let what = "read the log of container";
        let id = Docker::checked(what, id)?;
        let second = |time: i64| i32::try_from(time).unwrap_or(i32::MAX);
        let (since, until) = (second(start.timestamp()), second(start.timestamp() + seconds));
        // No `tail`: the engine would take the last lines of all, and then those of that time.
        let options = LogsOptionsBuilder::default().stdout(true).stderr(true).since(since).until(until);
        let read = collect(self.api.logs(id, Some(options.timestamps(true).build())), LOG_BYTES_MAX);
        let (text, cut) = self.call(what, id, READ_DEADLINE, read).await?;
        // The engine counts whole seconds, and a process may follow another one within one.
        let after = text.lines().filter_map(|line| {
            let (time, line) = line.split_once(' ')?;
            (time.parse::<DateTime<Utc>>().ok()? >= start).then_some(line)
        });
        Ok(LogTail { text: after.collect::<Vec<_>>().join("\n"), cut })
    }

    /// What happens to containers, networks, volumes and images from a time on, until the stream breaks.
    ///
    /// Only the named actions are told; without that, each health check would be three events.
    /// The engine remembers some hundred events only: whoever listens has to look at everything anew first.
    pub fn events(
        &self,
        since: Option<DateTime<Utc>>,
        actions: &[&str],
    ) -> impl Stream<Item = Result<EventMessage, DockerError>> + Send + use<> {
        let filters = HashMap::from([("type", EVENT_KINDS.to_vec()), ("event", actions.to_vec())]);
        let mut options = EventsOptionsBuilder::default().filters(&filters);
        if let Some(since) = since {
            options = options.since(&format!("{}.{:09}", since.timestamp(), since.timestamp_subsec_nanos()));
        }
        let docker = self.clone();
        // The clone keeps the tunnel of a far engine alive as long as somebody listens.
        self.api
            .events(Some(options.build()))
            .map(move |event| event.map_err(|err| docker.explain("tell its events", "", err)))
    }

    /// Runs a command in a running container and waits for it.
    pub async fn exec(
        &self,
        id: &str,
        command: &[String],
        deadline: Duration,
    ) -> Result<ExecOutput, DockerError> {
        let what = "run a command in container";
        let id = Docker::checked(what, id)?;
        let config = ExecConfig {
            cmd: Some(command.to_vec()),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            ..ExecConfig::default()
        };
        let run = async {
            let exec = self.api.create_exec(id, config).await?.id;
            let (text, cut) = match self.api.start_exec(&exec, None::<StartExecOptions>).await? {
                StartExecResults::Attached { output, .. } => collect(output, EXEC_BYTES_MAX).await?,
                StartExecResults::Detached => (String::new(), false),
            };
            let exit_code = self.api.inspect_exec(&exec).await?.exit_code.unwrap_or_default();
            Ok(ExecOutput { exit_code, text, cut })
        };
        self.call(what, id, deadline, run).await
    }
}

/// Reads a stream to its end and keeps the last bytes.
async fn collect(
    output: impl Stream<Item = Result<LogOutput, bollard::errors::Error>>,
    bytes_max: usize,
) -> Result<(String, bool), bollard::errors::Error> {
    let mut output = std::pin::pin!(output);
    let (mut kept, mut cut) = (Vec::new(), false);
    while let Some(piece) = output.try_next().await? {
        kept.extend_from_slice(&piece.into_bytes());
        if kept.len() > 2 * bytes_max {
            kept.drain(..kept.len() - bytes_max);
            cut = true;
        }
    }
    if kept.len() > bytes_max {
        kept.drain(..kept.len() - bytes_max);
        cut = true;
    }
    Ok((String::from_utf8_lossy(&kept).into_owned(), cut))
}
