//! Waits for a container to become what others need.

use std::time::Duration;

use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::{Done, EngineError};
use crate::clients::docker::Docker;
use crate::engine::observe::{ContainerStatus, HealthStatus, StateFacts, state};
use crate::engine::operation::WaitCondition;

/// How often a container is looked at: an inspection costs the engine a millisecond or two.
const POLL: Duration = Duration::from_millis(150);
/// Lines of a log that an error repeats.
const LOG_LINES: usize = 20;
/// Bytes of a log that an error repeats.
const LOG_BYTES_MAX: usize = 2 << 10;

/// What to do after a look at a container.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Done,
    Wait,
    Ended,
    NoHealthCheck,
}

/// Waits until a container is as wanted; on failure, what its health check or its log said last is in the error.
pub(super) async fn until(
    docker: &Docker,
    container: &str,
    condition: WaitCondition,
    timeout: Duration,
    cancel: &CancellationToken,
) -> Result<Done, EngineError> {
    let give_up = Instant::now() + timeout;
    loop {
        let Some(inspected) = docker.container(container).await? else {
            return Err(EngineError::Vanished { container: container.to_owned() });
        };
        let facts = state(&inspected);
        match judge(condition, &facts) {
            Verdict::Done => return Ok(Done { id: inspected.id, ..Done::default() }),
            Verdict::NoHealthCheck => {
                return Err(EngineError::NoHealthCheck { container: container.to_owned() });
            }
            Verdict::Ended => {
                return Err(EngineError::Ended {
                    container: container.to_owned(),
                    exit_code: facts.exit_code,
                    output: log_end(docker, container).await,
                });
            }
            Verdict::Wait if Instant::now() >= give_up => {
                let output = match facts.health_output.as_str() {
                    "" => log_end(docker, container).await,
                    output => output.to_owned(),
                };
                return Err(EngineError::TimedOut {
                    container: container.to_owned(),
                    condition,
                    seconds: timeout.as_secs(),
                    output,
                });
            }
            Verdict::Wait => {}
        }
        tokio::select! {
            () = sleep(POLL) => {}
            () = cancel.cancelled() => {
                return Err(EngineError::Cancelled { what: "wait for", which: container.to_owned() });
            }
        }
    }
}

/// An unhealthy container is waited for: it may recover until the time is up. One that ended is not, unless the
/// engine is about to restart it.
fn judge(condition: WaitCondition, facts: &StateFacts) -> Verdict {
    let ended = matches!(facts.status, ContainerStatus::Exited | ContainerStatus::Dead);
    match condition {
        WaitCondition::Started => match facts.status {
            ContainerStatus::Running | ContainerStatus::Paused => Verdict::Done,
            // A task that is through already has started.
            _ if ended && facts.exit_code == 0 => Verdict::Done,
            _ if ended => Verdict::Ended,
            _ => Verdict::Wait,
        },
        WaitCondition::Healthy => match (facts.status, facts.health) {
            _ if ended => Verdict::Ended,
            (ContainerStatus::Running, Some(HealthStatus::Healthy)) => Verdict::Done,
            (ContainerStatus::Running, None) => Verdict::NoHealthCheck,
            _ => Verdict::Wait,
        },
        WaitCondition::CompletedSuccessfully => match facts.exit_code {
            0 if ended => Verdict::Done,
            _ if ended => Verdict::Ended,
            _ => Verdict::Wait,
        },
    }
}

async fn log_end(docker: &Docker, container: &str) -> String {
    let text = docker.log_tail(container, LOG_LINES).await.map(|tail| tail.text).unwrap_or_default();
    let text = text.trim_end();
    let mut start = text.len().saturating_sub(LOG_BYTES_MAX);
    while !text.is_char_boundary(start) {
        start += 1;
    }
    text[start..].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_that_is_through_counts_as_started_and_a_crash_does_not() {
        let facts = |status, exit_code| StateFacts { status, exit_code, ..StateFacts::default() };
        let started = |status, code| judge(WaitCondition::Started, &facts(status, code));
        assert_eq!(started(ContainerStatus::Running, 0), Verdict::Done);
        assert_eq!(started(ContainerStatus::Exited, 0), Verdict::Done);
        assert_eq!(started(ContainerStatus::Exited, 1), Verdict::Ended);
        assert_eq!(started(ContainerStatus::Restarting, 1), Verdict::Wait);
        assert_eq!(started(ContainerStatus::Created, 0), Verdict::Wait);
        let healthy = |health| {
            judge(WaitCondition::Healthy, &StateFacts { health, ..facts(ContainerStatus::Running, 0) })
        };
        assert_eq!(healthy(Some(HealthStatus::Unhealthy)), Verdict::Wait);
        assert_eq!(healthy(Some(HealthStatus::Healthy)), Verdict::Done);
        assert_eq!(healthy(None), Verdict::NoHealthCheck);
    }
}
