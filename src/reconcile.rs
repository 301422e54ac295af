//! One pass, which every face calls: desired, observed, plan, apply, record.
//!
//! Level-triggered: it reads everything again and never learns why it ran. When to run is `daemon`.

mod context;
pub mod saved;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use chrono::Utc;
use tokio_util::sync::CancellationToken;

pub use self::context::{Access, Context, ContextError, KEY_FILE, resolver, source_settings};
use crate::desired::state::DesiredState;
use crate::model::id::ResourceId;
use crate::observed::collector::collect;
use crate::observed::observation::Observation;
use crate::plan::memory::Memory;
use crate::plan::plan::Plan;
use crate::plan::planner::{self, PlanInput};
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
    /// A person asked: `apply: manual` is applied.
    Manual,
}

/// The first half of a pass: what is, and what would be done about it.
#[derive(Debug)]
pub struct Prepared {
    /// What the world is.
    pub observed: Observation,
    /// What is to be done.
    pub plan: Plan,
}

/// What a pass found and did.
#[derive(Debug)]
pub struct PassReport {
    /// What the world was before.
    pub observed: Observation,
    /// What was to be done.
    pub plan: Plan,
    /// What is still to be done, from observing again after applying; `None` when nothing was applied.
    pub after: Option<Plan>,
}

impl PassReport {
    /// Whether nothing is left to do: planned again after applying, there are no steps.
    pub fn converged(&self) -> bool {
        let plan = self.after.as_ref().unwrap_or(&self.plan);
        plan.complete && plan.steps.is_empty()
    }
}

/// Why a pass could not be made at all. What fails within it is part of its report.
#[derive(Debug, thiserror::Error)]
pub enum PassError {
    /// A part of the pass is not there yet.
    #[error("this build cannot {0} yet")]
    Missing(&'static str),
}

/// Observes and plans; changes nothing, takes no lock.
pub async fn prepare(
    context: &Context,
    desired: &DesiredState,
    scope: &Scope,
    mode: Mode,
) -> Result<Prepared, PassError> {
    let (memory, stops) = (Memory::default(), BTreeMap::new());
    let begun = Instant::now();
    let observed = collect(&context.clients, desired, &stops, &context.key).await;
    record_duration(Phase::Observe, begun.elapsed());
    let begun = Instant::now();
    let plan = planner::plan(&PlanInput {
        desired,
        observed: &observed,
        memory: &memory,
        now: Utc::now(),
        key: &context.key,
        only: scope.only(),
        manual: mode != Mode::Automatic,
        allow_destroy: None,
    });
    record_duration(Phase::Plan, begun.elapsed());
    Ok(Prepared { observed, plan })
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
    let _ = cancel;
    let Prepared { observed, plan } = prepare(context, desired, scope, mode).await?;
    if mode == Mode::DryRun {
        return Ok(PassReport { observed, plan, after: None });
    }
    Err(PassError::Missing("apply"))
}
