//! One pass, which every face calls: desired, observed, plan, apply, record.
//!
//! Level-triggered: it reads everything again and never learns why it ran. When to run is `daemon`.

mod context;

use std::collections::BTreeSet;

use tokio_util::sync::CancellationToken;

pub use self::context::{Access, Context, ContextError, KEY_FILE, resolver, source_settings};
use crate::desired::state::DesiredState;
use crate::model::id::ResourceId;
use crate::observed::observation::Observation;
use crate::plan::plan::Plan;

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
    let _ = (context, desired, scope, mode, cancel);
    Err(PassError::Missing("observe"))
}
