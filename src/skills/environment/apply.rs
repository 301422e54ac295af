//! Does one thing for an Environment, so that doing it twice is doing it once.
//!
//! Chooses nothing. What a run of Odoo did is read from the database afterwards, never taken from its exit code.

mod files;
mod run;

use std::time::Duration;

use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::facts::{DatabaseFacts, DatabaseState, ProbeFacts};
use super::observe::{
    REGISTRY, container_address, database_address, of_database, probe, read_database, registry,
};
use super::operation::{DatabaseTarget, EnvironmentOperation, ProbeTarget};
use super::render::{GEVENT_PORT, HTTP_PORT};
use crate::clients::docker::{Docker, DockerError};
use crate::engine::apply::{Done, EngineError};
use crate::model::known::Known;

pub use run::RunFailure;

/// How often something is looked at that is waited for: each look costs some milliseconds.
const POLL: Duration = Duration::from_millis(50);
/// Lines of a log that an error repeats.
const LOG_LINES: usize = 20;

/// What an operation needs beside its own values.
#[derive(Clone, Copy)]
pub struct EnvironmentContext<'a> {
    /// The engine.
    pub docker: &'a Docker,
    /// Ends waits early; a run of Odoo that is under way goes on by itself, and is found by the next pass.
    pub cancel: &'a CancellationToken,
    /// Takes secrets out of what is kept.
    pub redact: &'a (dyn Fn(&str) -> String + Sync),
}

/// Why something could not be done.
#[derive(Debug, thiserror::Error)]
pub enum EnvironmentError {
    /// The engine failed.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// A file or folder of the Host.
    #[error("failed to {what} `{path}`")]
    File {
        /// What was tried.
        what: &'static str,
        /// Which.
        path: String,
        /// Why.
        #[source]
        err: std::io::Error,
    },
    /// The database is not what the application or the run needs.
    #[error("database `{name}`: {why}")]
    Database {
        /// Which.
        name: String,
        /// What is wrong, as a fragment.
        why: String,
    },
    /// Something changed since the plan was made.
    #[error("database `{name}` is not as it was when this was planned: {why}")]
    Stale {
        /// Which.
        name: String,
        /// What is different, as a fragment.
        why: String,
    },
    /// Attachments of a database that is not there: it was lost, not never made.
    #[error(
        "`{path}` holds the attachments of a database that is not there: restore the database, or name another filestore"
    )]
    FilestoreWithoutDatabase {
        /// Where they are, in the container.
        path: String,
    },
    /// A run of Odoo did not do what it was for.
    #[error(transparent)]
    Run(Box<RunFailure>),
    /// Not all probes pass.
    #[error("not healthy within {seconds} s: {answers}")]
    Unhealthy {
        /// How long was waited.
        seconds: u64,
        /// What the failing probes said last.
        answers: String,
    },
    /// It was broken off because something newer is to be done.
    #[error("gave up to {what}: cancelled")]
    Cancelled {
        /// What was under way.
        what: String,
    },
}

impl From<DockerError> for EnvironmentError {
    fn from(err: DockerError) -> Self {
        EnvironmentError::Engine(EngineError::Docker(err))
    }
}

impl EnvironmentError {
    /// Whether it ended early because it was told to.
    pub fn is_cancelled(&self) -> bool {
        match self {
            EnvironmentError::Cancelled { .. } => true,
            EnvironmentError::Engine(err) => err.is_cancelled(),
            _ => false,
        }
    }

    /// Whether trying the same again would end the same: until the input changes, a person has to ask for it.
    pub fn is_final(&self) -> bool {
        matches!(self, EnvironmentError::Run(_) | EnvironmentError::FilestoreWithoutDatabase { .. })
    }

    /// What to do next, as a sentence.
    pub fn hint(&self) -> Option<String> {
        match self {
            EnvironmentError::Engine(err) => err.hint(),
            EnvironmentError::File { err, .. } if err.kind() == std::io::ErrorKind::PermissionDenied => {
                Some("Run ipaictl as root on this machine, or remove `owner`.".to_owned())
            }
            EnvironmentError::Run(failure) => Some(failure.hint()),
            _ => None,
        }
    }
}

/// Does one operation.
pub async fn run_operation(
    operation: &EnvironmentOperation,
    context: &EnvironmentContext<'_>,
) -> Result<Done, EnvironmentError> {
    match operation {
        EnvironmentOperation::WriteFile { path, content, owner, mode, keeps } => {
            let (path, content, owner, mode) = (path.clone(), content.clone(), *owner, *mode);
            let keeps = keeps.clone();
            let write = move || {
                let done = files::write(&path, &content, owner, mode)?;
                if let Some(keeps) = keeps {
                    files::tidy(&path, &keeps)?;
                }
                Ok(done)
            };
            blocking(write).await
        }
        EnvironmentOperation::SetOwner { path, owner } => {
            let (path, owner) = (path.clone(), *owner);
            blocking(move || files::set_owner(&path, owner)).await
        }
        EnvironmentOperation::RequireDatabase { database, series, timeout } => {
            require(database, series, *timeout, context).await
        }
        EnvironmentOperation::RunModules(run) => run::run(run, context).await,
        EnvironmentOperation::Probe { probe, timeout } => prove(probe, *timeout, context).await,
    }
}

async fn blocking(
    work: impl FnOnce() -> Result<Done, EnvironmentError> + Send + 'static,
) -> Result<Done, EnvironmentError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(answer) => answer,
        Err(err) => Err(EnvironmentError::Cancelled { what: format!("work on files ({err})") }),
    }
}

/// Reads a database until its server answers.
async fn database(
    target: &DatabaseTarget,
    timeout: Duration,
    context: &EnvironmentContext<'_>,
) -> Result<DatabaseFacts, EnvironmentError> {
    let give_up = Instant::now() + timeout;
    loop {
        let why = match database_address(context.docker, &target.server).await {
            Ok(address) => match read_database(target, &address).await {
                Known::Known(reading) => return Ok(reading.facts),
                Known::Unknown(why) => why,
            },
            Err(why) => why,
        };
        if Instant::now() >= give_up {
            return Err(EnvironmentError::Database { name: target.name.clone(), why });
        }
        pause(context, "read the database").await?;
    }
}

async fn pause(context: &EnvironmentContext<'_>, what: &str) -> Result<(), EnvironmentError> {
    tokio::select! {
        () = sleep(POLL) => Ok(()),
        () = context.cancel.cancelled() => Err(EnvironmentError::Cancelled { what: what.to_owned() }),
    }
}

/// What keeps a server from starting on a database.
fn obstacle(facts: &DatabaseFacts, series: &str) -> Option<String> {
    Some(match &facts.state {
        DatabaseState::Odoo => {
            let version = facts.modules.get("base").map_or("", |base| base.version.as_str());
            let is_same = version.strip_prefix(series).is_some_and(|rest| rest.starts_with('.'));
            return (!is_same).then(|| format!("it is {version}, and the server is {series}"));
        }
        DatabaseState::NotRunning => "its server does not run".to_owned(),
        DatabaseState::Refused(why) => why.clone(),
        DatabaseState::Missing => {
            "there is none of that name, and a server that starts would make one".to_owned()
        }
        DatabaseState::Empty => "it has no table".to_owned(),
        DatabaseState::Foreign => "it is not Odoo's".to_owned(),
    })
}

async fn require(
    target: &DatabaseTarget,
    series: &str,
    timeout: Duration,
    context: &EnvironmentContext<'_>,
) -> Result<Done, EnvironmentError> {
    let facts = database(target, timeout, context).await?;
    match obstacle(&facts, series) {
        Some(why) => Err(EnvironmentError::Database { name: target.name.clone(), why }),
        None => Ok(Done::default()),
    }
}

/// Asks until all probes pass; gives up early when the container ended.
async fn prove(
    target: &ProbeTarget,
    timeout: Duration,
    context: &EnvironmentContext<'_>,
) -> Result<Done, EnvironmentError> {
    let begun = Instant::now();
    loop {
        let answers = ask(target, context).await;
        // A registry that was loaded without some modules stays so.
        let mut is_final = begun.elapsed() >= timeout;
        let answers = match answers {
            Ok(probes) => {
                is_final |= probes.iter().any(|probe| probe.name == REGISTRY && !probe.ok);
                match probes.iter().all(|probe| probe.ok) {
                    true => return Ok(Done::default()),
                    false => failing(&probes),
                }
            }
            Err(why) => why,
        };
        if is_final {
            let log = context.docker.log_tail(&target.container, LOG_LINES).await;
            let log = log.map(|tail| tail.text).unwrap_or_default();
            let answers = match log.trim_end() {
                "" => answers,
                log => format!("{answers}; its log ends with:\n{log}"),
            };
            let seconds = begun.elapsed().min(timeout).as_secs();
            return Err(EnvironmentError::Unhealthy { seconds, answers });
        }
        pause(context, "wait for health").await?;
    }
}

async fn ask(target: &ProbeTarget, context: &EnvironmentContext<'_>) -> Result<Vec<ProbeFacts>, String> {
    let address = container_address(context.docker, &target.container).await?;
    let (http, gevent) = (format!("{address}:{HTTP_PORT}"), format!("{address}:{GEVENT_PORT}"));
    let read = async {
        match database_address(context.docker, &target.database.server).await {
            Ok(address) => read_database(&target.database, &address).await.map(|reading| reading.facts),
            Err(why) => Known::Unknown(why),
        }
    };
    let (mut probes, database) = tokio::join!(probe(target, &http, &gevent), read);
    probes.push(of_database(&database, &target.series));
    // It has loaded its modules once it has answered.
    if probes.iter().all(|probe| probe.ok)
        && let Ok(Some(container)) = context.docker.container(&target.container).await
    {
        let started = crate::engine::observe::state(&container).started_at;
        probes.extend(registry(context.docker, &target.container, &started).await);
    }
    Ok(probes)
}

fn failing(probes: &[ProbeFacts]) -> String {
    let failing = probes.iter().filter(|probe| !probe.ok);
    failing.map(|probe| format!("probe `{}`: {}", probe.name, probe.answer)).collect::<Vec<_>>().join("; ")
}
