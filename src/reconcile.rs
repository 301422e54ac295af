//! One pass, which every face calls: desired, observed, plan, apply, record.
//!
//! Level-triggered: it reads everything again and never learns why it ran. When to run is `daemon`.

mod carry_out;
mod context;
mod prove;
mod report;
pub mod saved;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use chrono::Utc;
use tokio_util::sync::CancellationToken;

pub use self::carry_out::carry_out;
pub use self::context::{Access, Context, ContextError, KEY_FILE, resolver, source_settings};
pub use self::prove::settle;
pub use self::report::{PassReport, Prepared};
use crate::apply::{ApplyError, LockError, recover};
use crate::desired::state::DesiredState;
use crate::model::id::ResourceId;
use crate::observed::collector::{CollectRequest, collect, mark_stops};
use crate::observed::observation::Observation;
use crate::plan::memory::Memory;
use crate::record::locks::Fences;
use crate::record::store::StoreError;
use crate::telemetry::{Phase, record_duration};

/// Which resources a pass is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// All of the desired state, and what left it.
    All,
    /// These alone.
    Only(BTreeSet<ResourceId>),
}

impl Scope {
    /// The resources as planning takes them.
    pub fn only(&self) -> Option<&BTreeSet<ResourceId>> {
        match self {
            Scope::All => None,
            Scope::Only(ids) => Some(ids),
        }
    }
}

/// What a pass may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Plans and says; changes nothing, not even the store.
    DryRun,
    /// The controller acts by itself: `apply: manual` waits for a person.
    Automatic,
    /// The time of day has come that the document names: what waits for it is corrected as well.
    Scheduled,
    /// A person asked: `apply: manual` is applied.
    Manual,
}

impl Mode {
    /// Whether a person asked, or asks what would be done then.
    fn is_manual(self) -> bool {
        matches!(self, Mode::Manual | Mode::DryRun)
    }

    /// Whether what waits for a time of day is done now.
    fn is_scheduled(self) -> bool {
        self != Mode::Automatic
    }
}

/// Why a pass could not be made at all. What fails within it is part of its report.
#[derive(Debug, thiserror::Error)]
pub enum PassError {
    /// Nothing was begun.
    #[error(transparent)]
    Apply(#[from] ApplyError),
    /// A reader's context can't act.
    #[error("there is no store to keep what happens")]
    NoStore,
    /// What we remember can't be read, or what happened can't be kept.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl PassError {
    /// What the store said, when it was the store that failed.
    pub fn store(&self) -> Option<&StoreError> {
        match self {
            PassError::Store(err)
            | PassError::Apply(ApplyError::Store(err) | ApplyError::Lock(LockError::Store(err))) => Some(err),
            PassError::Apply(ApplyError::Lock(_)) | PassError::NoStore => None,
        }
    }
}

/// Observes and plans; changes nothing, takes no lock.
pub async fn prepare(
    context: &Context,
    desired: &DesiredState,
    scope: &Scope,
    mode: Mode,
) -> Result<Prepared, PassError> {
    // Read before observing: whoever acts in between moves a number, and the plan is not carried out.
    let fences = match &context.store {
        Some(store) => store.fences().await?,
        None => Fences::new(),
    };
    let (observed, memory) = look(context, desired, scope.only()).await?;
    let begun = Instant::now();
    let only = scope.only().cloned();
    let prepared = Prepared::plan(context, desired, only, mode, observed, memory, fences);
    record_duration(Phase::Plan, begun.elapsed());
    Ok(prepared)
}

/// Reads the world, and what we remember of it.
async fn look(
    context: &Context,
    desired: &DesiredState,
    only: Option<&BTreeSet<ResourceId>>,
) -> Result<(Observation, Memory), PassError> {
    if let Some(store) = &context.store {
        recover::let_finish(store).await?;
    }
    let begun = Instant::now();
    let remembered = async {
        match &context.store {
            Some(store) => store.memory(Utc::now()).await,
            None => Ok(Memory::default()),
        }
    };
    let collected = async {
        let request = CollectRequest { desired, key: &context.key, only, cache: &context.settings.state_dir };
        collect(&context.clients, &request).await
    };
    let (memory, mut observed) = tokio::join!(remembered, collected);
    let mut memory = memory?;
    memory.strayed = strayed(context, desired, &memory);
    // After the world: what was stopped while it was read counts, and so does what may turn out to be a stop.
    let doubtful = context.endings.in_doubt(Instant::now());
    let mut stops = match &context.store {
        Some(store) => store.stops("").await?,
        None => BTreeMap::new(),
    };
    let now = Utc::now();
    for container in doubtful {
        stops.entry(container).or_insert(now);
    }
    mark_stops(&mut observed, &stops);
    record_duration(Phase::Observe, begun.elapsed());
    Ok((observed, memory))
}

/// The commits we remember that the desired revision does not descend from. What can't be told is taken for one.
fn strayed(context: &Context, desired: &DesiredState, memory: &Memory) -> BTreeSet<String> {
    let Some(commit) = &desired.revision.commit else { return BTreeSet::new() };
    let follows = |old: &&str| context.source.is_descendant(old, commit).unwrap_or(false);
    memory.commits().into_iter().filter(|old| !follows(old)).map(str::to_owned).collect()
}

/// Makes one pass over the scope: observe, plan, apply, observe and plan again, record.
///
/// Cancelling ends it after the operation that is under way; what was done until then is recorded.
pub async fn reconcile(
    context: &Context,
    desired: &DesiredState,
    scope: &Scope,
    mode: Mode,
    cancel: &CancellationToken,
) -> Result<PassReport, PassError> {
    let prepared = prepare(context, desired, scope, mode).await?;
    match mode {
        Mode::DryRun => Ok(PassReport::unchanged(prepared)),
        Mode::Automatic | Mode::Scheduled | Mode::Manual => {
            carry_out(context, desired, prepared, cancel).await
        }
    }
}
