//! The Docker Engine, through its API.
//!
//! Speaks the newest version of the API that engine and client know, asks for no credentials of registries, and
//! never removes a volume or an image: there is no such call here. Lists and inspections are bounded by their
//! deadline alone; streams by lines and bytes.

mod build;
mod connect;
mod containers;
mod context;
mod resources;
mod streams;
mod tls;
mod transport;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bollard::errors::Error as ApiError;
use tokio::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};

pub use build::BuildRequest;
pub use streams::{ExecOutput, LogTail};
pub use tls::EngineTls;

/// How long a question may take. The engine answers in milliseconds; one that hangs must not hold a pass.
pub const READ_DEADLINE: Duration = Duration::from_secs(20);
/// How long a change may take, waiting for a process apart. A creation that copies an image's volume content takes seconds.
pub const WRITE_DEADLINE: Duration = Duration::from_secs(120);
/// How long the fetching of an image may take.
pub const PULL_DEADLINE: Duration = Duration::from_secs(30 * 60);
/// How long a build may take.
pub const BUILD_DEADLINE: Duration = Duration::from_secs(60 * 60);

/// One engine. Cheap to clone; all clones share one connection.
#[derive(Clone)]
pub struct Docker {
    api: bollard::Docker,
    shared: Arc<Shared>,
}

struct Shared {
    endpoint: String,
    seen: transport::Seen,
    tunnel: Option<connect::Tunnel>,
    is_local: bool,
    /// A start for which the engine picks a port is alone: two at once can be given the same port of a range.
    starts: RwLock<()>,
}

/// The turn to start a container.
#[derive(Debug)]
pub enum StartTurn<'a> {
    /// Nobody else starts anything.
    Alone(#[allow(dead_code, reason = "held for its drop")] RwLockWriteGuard<'a, ()>),
    /// Others start theirs.
    Beside(#[allow(dead_code, reason = "held for its drop")] RwLockReadGuard<'a, ()>),
}

/// Why a call to an engine failed.
#[derive(Debug, thiserror::Error)]
pub enum DockerError {
    /// The endpoint is none that we understand.
    #[error("engine endpoint `{endpoint}` {why}")]
    Endpoint {
        /// As it was written.
        endpoint: String,
        /// What is wrong with it, as a fragment that follows it.
        why: String,
    },
    /// The tunnel to another machine did not come up.
    #[error("failed to open a tunnel to `{endpoint}`: {why}")]
    Tunnel {
        /// As it was written.
        endpoint: String,
        /// What `ssh` said.
        why: String,
    },
    /// Nobody answers, or what answers is no engine.
    #[error("the engine at `{endpoint}` does not answer, asked to {what}{}", of(which))]
    Unreachable {
        /// The endpoint.
        endpoint: String,
        /// What was asked.
        what: &'static str,
        /// Of which thing; empty for the engine itself.
        which: String,
        /// The transport's error.
        #[source]
        source: Box<ApiError>,
    },
    /// It took too long.
    #[error("the engine did not {what}{} within {seconds} s", of(which))]
    Deadline {
        /// What was asked.
        what: &'static str,
        /// Of which thing; empty for the engine itself.
        which: String,
        /// The deadline.
        seconds: u64,
    },
    /// The engine refused.
    #[error("failed to {what}{}: {message}", of(which))]
    Refused {
        /// What was asked.
        what: &'static str,
        /// Of which thing; empty for the engine itself.
        which: String,
        /// The HTTP status; 0 when the refusal came in the middle of a stream.
        status: u16,
        /// The engine's own words.
        message: String,
    },
    /// The engine answered something that is not in its API.
    #[error("the engine's answer to {what}{} can't be read", of(which))]
    Answer {
        /// What was asked.
        what: &'static str,
        /// Of which thing; empty for the engine itself.
        which: String,
        /// What is wrong with the answer.
        #[source]
        source: Box<ApiError>,
    },
    /// Something on this machine, such as a build's context, can't be read.
    #[error("failed to {what} `{which}`: {why}")]
    Local {
        /// What was asked.
        what: &'static str,
        /// Of which thing; empty for the engine itself.
        which: String,
        /// Why not.
        why: String,
    },
}

/// A name after what was asked of it; what is asked of the engine itself has none.
fn of(which: &str) -> String {
    if which.is_empty() { String::new() } else { format!(" `{which}`") }
}

impl DockerError {
    /// Whether the engine has no such thing.
    pub fn is_not_found(&self) -> bool {
        matches!(self, DockerError::Refused { status: 404, .. })
    }

    /// Whether the thing is in another state, or its name is taken.
    pub fn is_conflict(&self) -> bool {
        matches!(self, DockerError::Refused { status: 409, .. })
    }

    /// Whether trying again later can help although nothing of ours changes.
    pub fn is_transient(&self) -> bool {
        matches!(
            self,
            DockerError::Unreachable { .. } | DockerError::Deadline { .. } | DockerError::Tunnel { .. }
        )
    }
}

impl Docker {
    /// Connects to `unix://<socket>`, `ssh://<user>@<machine>`, or, with certificates, `tcp://<machine>:<port>`.
    pub async fn connect(endpoint: &str, tls: Option<&EngineTls>) -> Result<Docker, DockerError> {
        connect::connect(endpoint, tls).await
    }

    /// The endpoint as it was written.
    pub fn endpoint(&self) -> &str {
        &self.shared.endpoint
    }

    /// Whether the engine runs on this machine, so that its paths are ours.
    pub fn is_local(&self) -> bool {
        self.shared.is_local
    }

    /// Whether the way to the engine still stands; of a local engine it always does.
    pub fn is_open(&self) -> bool {
        self.shared.tunnel.as_ref().is_none_or(connect::Tunnel::is_open)
    }

    /// The engine's version as its last answer said, such as `20.10.24`.
    pub fn version(&self) -> String {
        self.shared.seen.lock().expect("no holder of this lock panics").engine.clone()
    }

    /// The newest API version that the engine speaks, such as `(1, 41)`.
    pub fn api_version(&self) -> (u32, u32) {
        self.shared.seen.lock().expect("no holder of this lock panics").api
    }

    /// Waits for the turn to start a container; it ends when the guard is dropped. Where the engine picks a port, the start
    /// has the engine for itself; all others go side by side.
    pub async fn start_turn(&self, picks_port: bool) -> StartTurn<'_> {
        match picks_port {
            true => StartTurn::Alone(self.shared.starts.write().await),
            false => StartTurn::Beside(self.shared.starts.read().await),
        }
    }

    /// Makes a call with a deadline, and says in an error what was asked.
    async fn call<T>(
        &self,
        what: &'static str,
        which: &str,
        deadline: Duration,
        call: impl Future<Output = Result<T, ApiError>>,
    ) -> Result<T, DockerError> {
        match tokio::time::timeout(deadline, call).await {
            Ok(answer) => answer.map_err(|err| self.explain(what, which, err)),
            Err(_) => {
                Err(DockerError::Deadline { what, which: which.to_owned(), seconds: deadline.as_secs() })
            }
        }
    }

    fn explain(&self, what: &'static str, which: &str, err: ApiError) -> DockerError {
        let which = which.to_owned();
        match err {
            ApiError::DockerResponseServerError { status_code, message } => {
                DockerError::Refused { what, which, status: status_code, message: message.trim().to_owned() }
            }
            ApiError::DockerStreamError { error } => {
                DockerError::Refused { what, which, status: 0, message: error.trim().to_owned() }
            }
            ApiError::JsonDataError { .. }
            | ApiError::JsonSerdeError { .. }
            | ApiError::APIVersionParseError {}
            | ApiError::StrParseError { .. } => DockerError::Answer { what, which, source: Box::new(err) },
            err => DockerError::Unreachable {
                endpoint: self.endpoint().to_owned(),
                what,
                which,
                source: Box::new(err),
            },
        }
    }

    /// Refuses a name that would ask for another part of the API.
    fn checked<'a>(what: &'static str, which: &'a str) -> Result<&'a str, DockerError> {
        let is_name = |c: char| c.is_ascii_alphanumeric() || "_.-/:@".contains(c);
        if which.is_empty() || which.contains("..") || which.starts_with('/') || !which.chars().all(is_name) {
            let which = which.to_owned();
            return Err(DockerError::Local {
                what,
                which,
                why: "not a name that an engine knows".to_owned(),
            });
        }
        Ok(which)
    }
}
