//! Does one operation on an engine, so that doing it twice is doing it once.
//!
//! Chooses nothing: names, grace periods and labels come with the operation. A lost answer of a creation is found
//! again by our operation label. Removes containers and networks only, never volumes or images.

mod create;
mod errors;
mod wait;

use std::time::Duration;

use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::operation::{EngineOperation, Target};
use crate::clients::docker::{BuildRequest, Docker, DockerError};

pub use errors::EngineError;

/// How long a removal that somebody else began may take.
const REMOVAL_TIME_MAX: Duration = Duration::from_secs(60);
/// How often such a removal is looked at.
const REMOVAL_POLL: Duration = Duration::from_millis(100);

/// What an operation needs beside its own values.
#[derive(Clone, Copy)]
pub struct OperationContext<'a> {
    /// Ends waits, pulls and builds early; changes under way are finished.
    pub cancel: &'a CancellationToken,
    /// Hears what pulls and builds say; may contain what the builder prints, so redact it.
    pub progress: &'a (dyn Fn(&str) + Sync),
}

/// What came of an operation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Done {
    /// The engine's id of what was made or taken, when it has one.
    pub id: Option<String>,
    /// Whether it was so already.
    pub already: bool,
    /// What the engine warned of.
    pub warnings: Vec<String>,
    /// What was done, for people, where it is more than the step says.
    pub said: Vec<String>,
}

impl Done {
    fn already() -> Done {
        Done { already: true, ..Done::default() }
    }
}

/// Does one operation.
pub async fn run_operation(
    docker: &Docker,
    operation: &EngineOperation,
    context: &OperationContext<'_>,
) -> Result<Done, EngineError> {
    match operation {
        EngineOperation::PullImage { reference, platform } => {
            let pull = docker.pull(reference, platform.as_deref(), context.progress);
            cancellable(context, "pull", reference, pull).await
        }
        EngineOperation::BuildImage { reference, build, labels } => {
            let request = build_request(reference, build, labels);
            cancellable(context, "build", reference, docker.build(request, context.progress)).await
        }
        EngineOperation::CreateNetwork { request, name } => create::network(docker, name, request).await,
        EngineOperation::RemoveNetwork { id, .. } => gone_is_done(docker.remove_network(id).await),
        EngineOperation::ConnectNetwork { network, container, endpoint } => {
            match docker.connect_network(network, id_of(container), (**endpoint).clone()).await {
                Err(err) if says(&err, "already exists in network") => Ok(Done::already()),
                answer => finished(answer),
            }
        }
        EngineOperation::DisconnectNetwork { network, container } => {
            match docker.disconnect_network(network, id_of(container)).await {
                Err(err) if says(&err, "is not connected to") => Ok(Done::already()),
                answer => gone_is_done(answer),
            }
        }
        EngineOperation::CreateVolume { request, name } => create::volume(docker, name, request).await,
        EngineOperation::CreateContainer { name, body, shares, platform, operation_id } => {
            create::container(docker, name, body, shares, platform.as_deref(), operation_id).await
        }
        EngineOperation::CopyFiles { container, files, .. } => {
            let archive = create::archive(files).map_err(EngineError::Archive)?;
            finished(docker.copy_into(id_of(container), archive).await)
        }
        EngineOperation::StartContainer { container } => start(docker, id_of(container)).await,
        EngineOperation::StopContainer { container, grace } => {
            gone_is_done(docker.stop_container(id_of(container), *grace).await)
        }
        EngineOperation::RestartContainer { container, grace } => {
            let _turn = docker.start_turn(picks_port(docker, id_of(container)).await?).await;
            finished(docker.restart_container(id_of(container), *grace).await)
        }
        EngineOperation::UnpauseContainer { container } => {
            match docker.unpause_container(id_of(container)).await {
                Err(err) if says(&err, "is not paused") => Ok(Done::already()),
                answer => finished(answer),
            }
        }
        EngineOperation::UpdateContainer { container, update, .. } => {
            finished(docker.update_container(id_of(container), (**update).clone()).await)
        }
        EngineOperation::RemoveContainer { container } => remove(docker, id_of(container)).await,
        EngineOperation::RenameContainer { container, name } => {
            create::rename(docker, id_of(container), name).await
        }
        EngineOperation::Wait { container, condition, timeout } => {
            wait::until(docker, container, *condition, *timeout, context.cancel).await
        }
    }
}

/// The engine takes a name where it takes an id.
fn id_of(target: &Target) -> &str {
    match target {
        Target::Id(id) => id,
        Target::Name(name) => name,
    }
}

fn finished(answer: Result<(), DockerError>) -> Result<Done, EngineError> {
    answer.map(|()| Done::default()).map_err(EngineError::from)
}

fn gone_is_done(answer: Result<(), DockerError>) -> Result<Done, EngineError> {
    match answer {
        Err(err) if err.is_not_found() => Ok(Done::already()),
        answer => finished(answer),
    }
}

/// Whether the engine refused with these words.
fn says(err: &DockerError, words: &str) -> bool {
    matches!(err, DockerError::Refused { message, .. } if message.contains(words))
}

async fn cancellable(
    context: &OperationContext<'_>,
    what: &'static str,
    which: &str,
    call: impl Future<Output = Result<(), DockerError>>,
) -> Result<Done, EngineError> {
    tokio::select! {
        answer = call => finished(answer),
        () = context.cancel.cancelled() => Err(EngineError::Cancelled { what, which: which.to_owned() }),
    }
}

async fn start(docker: &Docker, id: &str) -> Result<Done, EngineError> {
    let answer = {
        let _turn = docker.start_turn(picks_port(docker, id).await?).await;
        docker.start_container(id).await
    };
    match answer {
        Ok(()) => Ok(Done::default()),
        Err(err) => Err(errors::explain_start(docker, id, err).await),
    }
}

/// Whether the engine picks a port of the machine when the container starts: one of a range, or any.
///
/// Two such starts at once can be given the same port. One that can't be inspected counts as such; one that is gone
/// says so when it is started.
async fn picks_port(docker: &Docker, id: &str) -> Result<bool, EngineError> {
    let Some(container) = docker.container(id).await? else { return Ok(true) };
    let host = container.host_config.unwrap_or_default();
    let bindings = host.port_bindings.unwrap_or_default();
    let is_open =
        |port: Option<&str>| port.is_none_or(|port| port.is_empty() || port == "0" || port.contains('-'));
    let ports = bindings.values().flatten().flatten();
    Ok(host.publish_all_ports == Some(true)
        || ports.into_iter().any(|port| is_open(port.host_port.as_deref())))
}

async fn remove(docker: &Docker, id: &str) -> Result<Done, EngineError> {
    match docker.remove_container(id).await {
        Err(err) if says(&err, "is already in progress") => {
            let give_up = Instant::now() + REMOVAL_TIME_MAX;
            while docker.container(id).await?.is_some() {
                if Instant::now() > give_up {
                    return Err(err.into());
                }
                sleep(REMOVAL_POLL).await;
            }
            Ok(Done::already())
        }
        answer => gone_is_done(answer),
    }
}

fn build_request(
    reference: &str,
    build: &super::spec::BuildSpec,
    labels: &std::collections::BTreeMap<String, String>,
) -> BuildRequest {
    let mut all_labels = build.labels.clone();
    all_labels.extend(labels.clone());
    let args = build.args.iter().filter_map(|(name, value)| Some((name.clone(), value.clone()?)));
    BuildRequest {
        reference: reference.to_owned(),
        context: build.context.clone().into(),
        dockerfile: build.dockerfile.clone(),
        dockerfile_inline: build.dockerfile_inline.clone(),
        args: args.collect(),
        target: build.target.clone(),
        labels: all_labels,
        options: build.options.clone(),
    }
}
