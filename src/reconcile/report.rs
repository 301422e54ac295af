//! The two halves of a pass as values: what was decided, and what came of it.

use std::collections::BTreeSet;

use chrono::Utc;

use super::Context;
use crate::apply::RunOutcome;
use crate::desired::state::DesiredState;
use crate::model::id::ResourceId;
use crate::observed::observation::Observation;
use crate::plan::memory::Memory;
use crate::plan::plan::Plan;
use crate::plan::planner::{self, PlanInput};
use crate::record::locks::Fences;
use crate::record::runs::RunResult;

/// The first half of a pass: what is, and what would be done about it.
#[derive(Debug)]
pub struct Prepared {
    /// What the world is.
    pub observed: Observation,
    /// What is to be done.
    pub plan: Plan,
    /// The fencing numbers of all locks before it was observed.
    pub(super) fences: Fences,
    pub(super) only: Option<BTreeSet<ResourceId>>,
    pub(super) manual: bool,
    /// The manual request that the pass answers, by token; kept with the resources.
    pub request: Option<String>,
    pub(super) memory: Memory,
}

impl Prepared {
    pub(super) fn plan(
        context: &Context,
        desired: &DesiredState,
        only: Option<BTreeSet<ResourceId>>,
        manual: bool,
        observed: Observation,
        memory: Memory,
        fences: Fences,
    ) -> Self {
        let plan = planner::plan(&PlanInput {
            desired,
            observed: &observed,
            memory: &memory,
            now: Utc::now(),
            key: &context.key,
            only: only.as_ref(),
            manual,
            allow_destroy: None,
        });
        Prepared { observed, plan, fences, only, manual, request: None, memory }
    }

    /// Plans again on the same facts, with a person's permission to remove or lose data of these resources.
    pub fn permit(&mut self, context: &Context, desired: &DesiredState, ids: &BTreeSet<ResourceId>) {
        self.plan = planner::plan(&PlanInput {
            desired,
            observed: &self.observed,
            memory: &self.memory,
            now: Utc::now(),
            key: &context.key,
            only: self.only.as_ref(),
            manual: self.manual,
            allow_destroy: Some(ids),
        });
    }
}

/// What a pass found and did.
#[derive(Debug)]
pub struct PassReport {
    /// What the world was before.
    pub observed: Observation,
    /// What was to be done.
    pub plan: Plan,
    /// What came of it; `None` when nothing was executed.
    pub outcome: Option<RunOutcome>,
    /// What is still to be done, from observing again after applying; `None` when nothing was executed.
    pub after: Option<Plan>,
    /// How the run ended; `None` when nothing was executed.
    pub result: Option<RunResult>,
    /// The folder of the evidence pack, relative to `evidence` in the state directory.
    pub evidence: Option<String>,
}

impl PassReport {
    /// The report of a pass that executed nothing.
    pub fn unchanged(prepared: Prepared) -> Self {
        let Prepared { observed, plan, .. } = prepared;
        PassReport { observed, plan, outcome: None, after: None, result: None, evidence: None }
    }

    /// Whether nothing is left to do: planned again after applying, there are no steps.
    pub fn converged(&self) -> bool {
        let plan = self.after.as_ref().unwrap_or(&self.plan);
        plan.complete && plan.steps.is_empty()
    }
}
