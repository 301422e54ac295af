//! One operation → the outside system that does it, and what the inventory has to know before and after.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use tokio_util::sync::CancellationToken;

use crate::clients::Clients;
use crate::clients::docker::DockerError;
use crate::clients::git::Git;
use crate::engine::apply::{Done, EngineError, OperationContext, run_operation};
use crate::engine::operation::{EngineOperation, Target};
use crate::model::problem::error_chain;
use crate::model::secret::Redactor;
use crate::plan::memory::InventoryEntry;
use crate::plan::step::{Operation, Step};
use crate::record::inventory::InventoryChange;
use crate::skills::environment::apply::{
    EnvironmentContext, EnvironmentError, run_operation as run_environment_operation,
};
use crate::skills::environment::operation::EnvironmentOperation;
use crate::skills::layout::apply::{
    LayoutContext, LayoutDone, LayoutError, run_operation as run_layout_operation,
};
use crate::skills::layout::operation::LayoutOperation;
use crate::skills::repository::apply::{CheckoutError, Moved, move_checkout};

/// The outside systems that operations are asked of.
#[derive(Clone, Copy)]
pub struct Systems<'a> {
    /// Connections to engines.
    pub clients: &'a Clients,
    /// Endpoints by Host name.
    pub endpoints: &'a BTreeMap<String, String>,
    /// The `git` program.
    pub git: &'a Git,
    /// Transports and hosts of git that the settings permit.
    pub allow: &'a [String],
    /// Knows the secrets.
    pub redactor: &'a Redactor,
}

/// Why an operation failed.
#[derive(Debug, thiserror::Error)]
pub enum OperationError {
    /// The plan names a host that the desired state does not have.
    #[error("host `{0}` has no engine endpoint")]
    Host(String),
    /// The engine can't be reached.
    #[error(transparent)]
    Connection(#[from] DockerError),
    /// The engine failed.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The checkout was not moved.
    #[error(transparent)]
    Checkout(#[from] CheckoutError),
    /// Something of an Environment failed.
    #[error(transparent)]
    Environment(#[from] EnvironmentError),
    /// Something of an AddonsLayout failed.
    #[error(transparent)]
    Layout(#[from] LayoutError),
}

impl OperationError {
    /// Whether it ended early because it was told to.
    pub fn is_cancelled(&self) -> bool {
        match self {
            OperationError::Engine(err) => err.is_cancelled(),
            OperationError::Environment(err) => err.is_cancelled(),
            OperationError::Host(_) | OperationError::Connection(_) | OperationError::Checkout(_) => false,
            OperationError::Layout(err) => err.is_cancelled(),
        }
    }

    /// Whether trying the same again would end the same.
    pub fn is_final(&self) -> bool {
        matches!(self, OperationError::Environment(err) if err.is_final())
    }

    /// Whether the world is certainly as before; a lost answer leaves that open.
    pub fn is_certain(&self) -> bool {
        match self {
            OperationError::Host(_) | OperationError::Connection(_) | OperationError::Checkout(_) => true,
            OperationError::Environment(_) | OperationError::Layout(_) => false,
            OperationError::Engine(EngineError::Docker(err)) => {
                matches!(err, DockerError::Refused { status: 400..=499, .. })
            }
            OperationError::Engine(err) => matches!(
                err,
                EngineError::NameTaken { .. }
                    | EngineError::ImageMissing { .. }
                    | EngineError::NotSupported { .. }
                    | EngineError::ShareMissing { .. }
            ),
        }
    }

    /// The last lines that a run wrote before it failed, secrets masked.
    pub fn log(&self) -> &[String] {
        match self {
            OperationError::Environment(EnvironmentError::Run(failure)) => &failure.log,
            _ => &[],
        }
    }

    /// The error with its causes and what to do next.
    pub fn text(&self) -> String {
        let hint = match self {
            OperationError::Engine(err) => err.hint(),
            OperationError::Environment(err) => err.hint(),
            OperationError::Layout(err) => err.hint(),
            _ => None,
        };
        let chain = error_chain(self);
        hint.map_or_else(|| chain.clone(), |hint| format!("{chain}. {hint}"))
    }
}

/// Does one operation of a step.
pub async fn perform(
    systems: &Systems<'_>,
    step: &Step,
    operation: &Operation,
    cancel: &CancellationToken,
    progress: &(dyn Fn(&str) + Sync),
) -> Result<Done, OperationError> {
    match operation {
        Operation::Engine(operation) => {
            let endpoint = systems.endpoints.get(&step.host);
            let endpoint = endpoint.ok_or_else(|| OperationError::Host(step.host.clone()))?;
            let docker = systems.clients.docker(endpoint).await?;
            Ok(run_operation(&docker, operation, &OperationContext { cancel, progress }).await?)
        }
        Operation::Environment(operation) => {
            let endpoint = systems.endpoints.get(&step.host);
            let endpoint = endpoint.ok_or_else(|| OperationError::Host(step.host.clone()))?;
            let docker = systems.clients.docker(endpoint).await?;
            let redact = |text: &str| systems.redactor.redact_kept(text);
            let context = EnvironmentContext { docker: &docker, cancel, redact: &redact };
            Ok(run_environment_operation(operation, &context).await?)
        }
        Operation::Layout(operation) => {
            let ran = Mutex::new(Vec::new());
            let context =
                LayoutContext { git: systems.git, allow: systems.allow, cancel, said: progress, ran: &ran };
            let LayoutDone { already, mut said } = run_layout_operation(operation, &context).await?;
            let ran = ran.into_inner().unwrap_or_else(PoisonError::into_inner);
            said.extend(ran.into_iter().map(|command| format!("ran `{command}`")));
            Ok(Done { already, said, ..Done::default() })
        }
        Operation::Checkout(target) => {
            let moved = move_checkout(systems.git, target).await?;
            Ok(Done { already: moved == Moved::Unchanged, ..Done::default() })
        }
    }
}

/// Whether an operation waits for a remote of git.
pub fn asks_remote(operation: &Operation) -> bool {
    matches!(operation, Operation::Layout(LayoutOperation::Clone(_) | LayoutOperation::Switch(_)))
}

/// Whether an operation only waits: it changes nothing, so it is not journaled and takes no turn.
pub fn is_wait(operation: &Operation) -> bool {
    matches!(
        operation,
        Operation::Engine(EngineOperation::Wait { .. })
            | Operation::Environment(EnvironmentOperation::Probe { .. })
    )
}

/// What the inventory has to know before an operation is asked for.
pub fn intent(step: &Step, operation: &Operation) -> Option<InventoryChange> {
    let add = |kind: &str, name: &str| Some(InventoryChange::Add(entry(step, kind, name, "")));
    match operation {
        Operation::Checkout(target) => add("checkout", &target.path),
        Operation::Engine(EngineOperation::CreateNetwork { name, .. }) => add("network", name),
        Operation::Engine(EngineOperation::CreateVolume { name, .. }) => add("volume", name),
        Operation::Engine(EngineOperation::CreateContainer { name, .. }) => add("container", name),
        Operation::Engine(EngineOperation::RenameContainer { name, .. }) => add("container", name),
        Operation::Layout(LayoutOperation::Clone(target)) => add("checkout", &target.path),
        Operation::Engine(_) | Operation::Environment(_) | Operation::Layout(_) => None,
    }
}

/// What the inventory has to know once an operation is done.
pub fn confirmation(step: &Step, operation: &Operation, done: &Done) -> Option<InventoryChange> {
    let Operation::Engine(operation) = operation else { return None };
    let id = done.id.as_deref().unwrap_or_default();
    let host = step.host.clone();
    let remove = |kind: &str, engine_id: &str, name: &str| {
        Some(InventoryChange::Remove {
            host: host.clone(),
            kind: kind.to_owned(),
            engine_id: engine_id.to_owned(),
            name: name.to_owned(),
        })
    };
    match operation {
        EngineOperation::CreateNetwork { name, .. } => {
            Some(InventoryChange::Add(entry(step, "network", name, id)))
        }
        EngineOperation::CreateContainer { name, .. } => {
            Some(InventoryChange::Add(entry(step, "container", name, id)))
        }
        // Never by name: another network may have it.
        EngineOperation::RemoveNetwork { id, .. } => remove("network", id, ""),
        EngineOperation::RemoveContainer { container: Target::Id(id) } => {
            remove("container", id, &step.subject.name)
        }
        EngineOperation::RemoveContainer { container: Target::Name(name) } => remove("container", "", name),
        EngineOperation::RenameContainer { container: Target::Id(from) | Target::Name(from), name } => {
            Some(InventoryChange::Renamed { host, from: from.clone(), to: name.clone() })
        }
        _ => None,
    }
}

/// What the inventory has to know when an operation has certainly changed nothing.
pub fn withdrawal(step: &Step, operation: &Operation) -> Option<InventoryChange> {
    match intent(step, operation)? {
        // A checkout that was refused may be an older one of ours.
        InventoryChange::Add(entry) if entry.kind != "checkout" => {
            Some(InventoryChange::Withdraw { host: entry.host, kind: entry.kind, name: entry.name })
        }
        _ => None,
    }
}

fn entry(step: &Step, kind: &str, name: &str, engine_id: &str) -> InventoryEntry {
    InventoryEntry {
        resource: step.resource.clone(),
        host: step.host.clone(),
        kind: kind.to_owned(),
        name: name.to_owned(),
        engine_id: engine_id.to_owned(),
        protect: false,
    }
}
