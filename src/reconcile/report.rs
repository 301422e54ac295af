//! The two halves of a pass as values: what was decided, and what came of it.

use std::collections::BTreeSet;

use chrono::Utc;

use super::{Context, Mode};
use crate::apply::{RunOutcome, StepStatus};
use crate::desired::state::DesiredState;
use crate::model::condition::{ConditionType, Reason, Status};
use crate::model::id::ResourceId;
use crate::observed::observation::Observation;
use crate::plan::memory::Memory;
use crate::plan::plan::Plan;
use crate::plan::planner::{self, PlanInput};
use crate::plan::report::ResourceReport;
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
    pub(super) mode: Mode,
    /// The manual request that the pass answers, by token; kept with the resources.
    pub request: Option<String>,
    pub(super) memory: Memory,
}

impl Prepared {
    pub(super) fn plan(
        context: &Context,
        desired: &DesiredState,
        only: Option<BTreeSet<ResourceId>>,
        mode: Mode,
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
            manual: mode.is_manual(),
            scheduled: mode.is_scheduled(),
            allow_destroy: None,
        });
        Prepared { observed, plan, fences, only, mode, request: None, memory }
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
            manual: self.mode.is_manual(),
            scheduled: self.mode.is_scheduled(),
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

/// The most characters of an error that a condition quotes; the whole text is in the evidence.
const ERROR_MAX: usize = 500;

/// Says in the conditions why what is still to be done was not: the error of the run that just tried, before its cause.
/// What would fail again in the same way is not on its way: it waits for something else, or for a person.
pub(super) fn blame(reports: &mut [ResourceReport], outcome: &RunOutcome) {
    for report in reports {
        let failed = outcome.steps.iter().find(|step| {
            step.resource == report.id && step.status == StepStatus::Failed && !step.waited_in_vain
        });
        let Some((step, error)) = failed.and_then(|step| Some((step, step.error.as_ref()?))) else {
            continue;
        };
        let message: String = format!("{}: {error}", step.subject).chars().take(ERROR_MAX).collect();
        for condition in &mut report.conditions {
            let status = match condition.kind {
                ConditionType::Ready if condition.reason == Reason::Progressing => condition.status,
                ConditionType::Reconciling if condition.reason == Reason::Progressing => {
                    match step.is_final {
                        true => Status::False,
                        false => condition.status,
                    }
                }
                ConditionType::Stalled if step.is_final && condition.status == Status::False => Status::True,
                _ => continue,
            };
            condition.status = status;
            condition.reason = Reason::ApplyFailed;
            condition.message.clone_from(&message);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::apply::outcome::StepOutcome;
    use crate::model::id::{Kind, Revision};
    use crate::plan::report::ConditionReport;
    use crate::plan::step::{Action, Subject, SubjectKind};
    use crate::record::runs::{Counts, RunRecord};

    fn outcome(id: &ResourceId, is_final: bool) -> RunOutcome {
        let (now, revision) = (Utc::now(), Revision { reference: "main".into(), commit: None });
        let run = RunRecord {
            id: "1".into(),
            correlation: "c".into(),
            scope: "all".into(),
            revision,
            plan_hash: "v1:h".into(),
            holder: "here/1".into(),
            started: now,
            ended: None,
            outcome: RunResult::Running,
            counts: Counts::default(),
            evidence: None,
            message: String::new(),
        };
        let step = StepOutcome {
            id: 1,
            resource: id.clone(),
            host: "local".into(),
            subject: Subject { kind: SubjectKind::Image, name: "busybox:1".into() },
            action: Action::Pull,
            status: StepStatus::Failed,
            error: Some("failed to pull".into()),
            is_final,
            waited_in_vain: false,
            started: None,
            ended: None,
            detail: Vec::new(),
        };
        RunOutcome { run, steps: vec![step], started: now, ended: now, stopped: None, lease: None }
    }

    #[test]
    fn a_failed_step_is_why_its_resource_is_not_ready_and_nobody_elses() {
        let (web, db) = (ResourceId::new(Kind::Stack, "web"), ResourceId::new(Kind::Stack, "db"));
        let report = |id: &ResourceId| {
            let condition = |kind, status| ConditionReport {
                kind,
                status,
                reason: Reason::Progressing,
                message: "image busybox:1: missing".into(),
            };
            let conditions = vec![
                condition(ConditionType::Ready, Status::False),
                condition(ConditionType::Reconciling, Status::True),
                ConditionReport {
                    reason: Reason::InSync,
                    ..condition(ConditionType::Stalled, Status::False)
                },
            ];
            ResourceReport { id: id.clone(), digest: "v1:d".into(), conditions, containers: Vec::new() }
        };
        let answers = |report: &ResourceReport| {
            let answer = |condition: &ConditionReport| match condition.message.as_str() {
                "image busybox:1: failed to pull" => (condition.status, condition.reason),
                _ => (condition.status, Reason::InSync),
            };
            report.conditions.iter().map(answer).collect::<Vec<_>>()
        };
        let mut reports = [report(&web), report(&db)];
        blame(&mut reports, &outcome(&web, false));
        let failed = |status| (status, Reason::ApplyFailed);
        let expected = [failed(Status::False), failed(Status::True), (Status::False, Reason::InSync)];
        assert_eq!(answers(&reports[0]), expected);
        assert_eq!(reports[1], report(&db));
        blame(&mut reports, &outcome(&db, true));
        assert_eq!(
            answers(&reports[1]),
            [failed(Status::False), failed(Status::False), failed(Status::True)]
        );
    }
}
