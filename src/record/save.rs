//! Keeps what a pass found and did, in one transaction: all of it or nothing.
//!
//! `lastApplied` moves only when looking again showed that nothing is left to do.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use super::events::{self, NewEvent, Severity};
use super::graves::{self, Seen};
use super::resources::{self, SeenApplied, Transition};
use super::runs::{self, NewRun, RunEnd, RunResult};
use super::store::{Store, StoreError, Writing};
use super::{guards, inventory};
use crate::apply::outcome::{RunOutcome, StepStatus};
use crate::apply::verify::{Verification, is_applied, verify};
use crate::desired::state::DesiredState;
use crate::model::condition::{ConditionType, Reason, Status};
use crate::model::id::{ResourceId, Revision};
use crate::observed::observation::Observation;
use crate::plan::plan::Plan;
use crate::plan::report::ResourceReport;

/// The most characters of an error that history and events keep; the whole text is in the evidence.
const MESSAGE_MAX: usize = 1_000;

/// What a pass found and did.
#[derive(Debug, Clone, Copy)]
pub struct Pass<'a> {
    /// What is wanted.
    pub desired: &'a DesiredState,
    /// What was observed last.
    pub observed: &'a Observation,
    /// What was to be done.
    pub plan: &'a Plan,
    /// What came of it; `None` when nothing was executed.
    pub outcome: Option<&'a RunOutcome>,
    /// What was still to be done afterwards; `None` when nothing was executed.
    pub after: Option<&'a Plan>,
    /// What is true of each resource now.
    pub reports: &'a [ResourceReport],
    /// The folder of the evidence pack, relative to the state folder's `evidence`.
    pub evidence: Option<&'a str>,
    /// Ties log lines, events and the run together.
    pub correlation: &'a str,
    /// Commits that the revision does not descend from; see `Memory`.
    pub strayed: &'a BTreeSet<String>,
    /// The manual request that this pass answers, by token.
    pub request: Option<&'a str>,
}

/// What was kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Saved {
    /// How the run ended; `None` when nothing was executed.
    pub result: Option<RunResult>,
    /// What looking again showed; `None` when nothing was executed.
    pub verification: Option<Verification>,
}

/// Keeps history, conditions, inventory, what was applied, guards, tombstones and events of one pass.
pub async fn save(store: &Store, pass: &Pass<'_>, now: DateTime<Utc>) -> Result<Saved, StoreError> {
    let latest = pass.after.unwrap_or(pass.plan);
    let verification = pass.outcome.and(pass.after).map(|after| verify(pass.plan, after));
    let result = pass.outcome.map(|outcome| result_of(outcome, verification.as_ref(), pass.reports));
    let desired: BTreeSet<ResourceId> = pass.desired.ids().into_iter().collect();
    let settled: BTreeSet<ResourceId> = latest.resources.iter().map(|plan| plan.id.clone()).collect();

    let mut writing = store.writing().await?;
    let projects = desired.iter().map(|id| (id.clone(), project_of(pass.desired, id))).collect();
    inventory::settle(&mut writing, pass.observed, &projects, &settled, now).await?;
    let mut transitions = Vec::new();
    for report in pass.reports {
        guards::new_input(&mut writing, &report.id, &report.digest).await?;
        transitions.extend(resources::judge(&mut writing, report, Some(&latest.revision), now).await?);
        if let Some(token) = pass.request {
            resources::handled(&mut writing, &report.id, token).await?;
        }
    }
    // Before it is kept as applied: whether an absence counts is read off what was applied before.
    let seen = Seen { revision: &latest.revision, strayed: pass.strayed };
    graves::orphan(&mut writing, latest, &seen, now).await?;
    graves::bury(&mut writing, &desired, &seen, now).await?;
    keep_applied(&mut writing, pass, latest).await?;
    if let (Some(outcome), Some(result)) = (pass.outcome, result) {
        keep_run(&mut writing, pass, outcome, verification.as_ref(), result, now).await?;
    }
    tell(&mut writing, &transitions, Some(&latest.revision), pass.correlation, now).await?;
    writing.commit().await?;
    Ok(Saved { result, verification })
}

/// Notes what a run that begins is about: it may wait for health for minutes, and whoever asks meanwhile is to see
/// the new generation, the revision that is tried and that work is under way.
pub(super) async fn begin(
    writing: &mut Writing,
    run: &NewRun<'_>,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let mut transitions = Vec::new();
    for report in run.reports {
        transitions.extend(resources::judge(writing, report, Some(run.revision), now).await?);
    }
    tell(writing, &transitions, Some(run.revision), run.correlation, now).await
}

/// The Compose project of a stack or environment, when it is known.
fn project_of(desired: &DesiredState, id: &ResourceId) -> Option<String> {
    desired.project(id).map(|project| project.name.clone())
}

/// Writes for every resource that needs nothing any more that this revision is applied.
async fn keep_applied(writing: &mut Writing, pass: &Pass<'_>, latest: &Plan) -> Result<(), StoreError> {
    for plan in &latest.resources {
        if let Some(common) = pass.desired.common(&plan.id) {
            inventory::protect(writing, &plan.id, common.protect).await?;
        }
        if !is_applied(plan) {
            continue;
        }
        let acted = pass.outcome.is_some_and(|run| run.steps.iter().any(|step| step.resource == plan.id));
        let seen = SeenApplied {
            resource: &plan.id,
            revision: &latest.revision,
            digest: &plan.digest,
            plan: acted.then_some(pass.plan.hash.as_str()),
            subjects: &plan.subjects,
            prune: pass
                .desired
                .stacks
                .get(&plan.id.name)
                .is_some_and(|stack| stack.resource.id == plan.id && stack.resource.spec.prune),
        };
        resources::applied(writing, &seen).await?;
    }
    Ok(())
}

/// Writes how a run ended, what it corrected, and what it did in vain.
async fn keep_run(
    writing: &mut Writing,
    pass: &Pass<'_>,
    outcome: &RunOutcome,
    verification: Option<&Verification>,
    result: RunResult,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let run = &outcome.run;
    let mut touched = BTreeSet::new();
    for (step, planned) in outcome.steps.iter().zip(&pass.plan.steps) {
        if step.started.is_some() {
            touched.insert(&step.resource);
        }
        if step.is_final {
            let digest = pass.desired.digest_of(&step.resource).unwrap_or_default();
            guards::attempted(writing, step, &planned.fingerprint, digest, now).await?;
        }
        if step.status != StepStatus::Done {
            continue;
        }
        for name in planned.correction_keys() {
            guards::corrected(writing, &run.id, &step.resource, &name, now).await?;
        }
        let in_vain = verification.is_some_and(|found| found.no_progress.contains(&step.id));
        let digest = pass.desired.digest_of(&step.resource).unwrap_or_default();
        match in_vain {
            true => {
                guards::attempted(writing, step, &planned.fingerprint, digest, now).await?;
            }
            false => guards::progress(writing, &planned.fingerprint).await?,
        }
    }
    let message = message_of(outcome, verification);
    let end =
        RunEnd { outcome: result, counts: outcome.counts(), evidence: pass.evidence, message: &message };
    runs::finish(writing, &run.id, &end, now).await?;
    for resource in touched {
        resources::ran(writing, resource, &run.id).await?;
        let is_well = matches!(result, RunResult::Applied);
        let text = if message.is_empty() { format!("run {} ended", run.id) } else { message.clone() };
        let event = NewEvent {
            correlation: &run.correlation,
            resource: Some(resource),
            kind: "Run",
            reason: reason_of(result),
            revision: run.revision.commit.as_deref().unwrap_or_default(),
            severity: if is_well { Severity::Info } else { Severity::Warning },
            message: &text,
        };
        events::add(writing, &event, now).await?;
    }
    Ok(())
}

/// How a run ended, from what was answered and what was seen afterwards.
fn result_of(
    outcome: &RunOutcome,
    verification: Option<&Verification>,
    reports: &[ResourceReport],
) -> RunResult {
    let has = |status| outcome.steps.iter().any(|step| step.status == status);
    let failed = outcome.steps.iter().any(|step| step.status == StepStatus::Failed && !step.waited_in_vain);
    let holds = verification.is_some_and(Verification::holds);
    let touched: BTreeSet<&ResourceId> = outcome.steps.iter().map(|step| &step.resource).collect();
    let unhealthy = reports.iter().filter(|report| touched.contains(&report.id)).any(|report| {
        // What was held back or blocked was never made: that is said, but nothing that was done is ill for it.
        report.conditions.iter().any(|condition| {
            condition.kind == ConditionType::Healthy
                && condition.status == Status::False
                && condition.reason == Reason::Unhealthy
        })
    });
    match () {
        () if failed => RunResult::Failed,
        () if has(StepStatus::Cancelled) => RunResult::Cancelled,
        () if holds && !unhealthy && !has(StepStatus::Failed) => RunResult::Applied,
        () if holds => RunResult::Unhealthy,
        () => RunResult::Failed,
    }
}

/// The first error, or what was not seen afterwards; cut for history.
fn message_of(outcome: &RunOutcome, verification: Option<&Verification>) -> String {
    let error = match (outcome.first_error(), &outcome.stopped) {
        (Some(error), _) => error.to_owned(),
        (None, Some(stopped)) => stopped.to_string(),
        (None, None) => match verification {
            None => "what was done could not be looked at afterwards".to_owned(),
            Some(found) if !found.again.is_empty() => {
                format!("{} done but needed again", steps(found.again.len()))
            }
            Some(found) if !found.unknown.is_empty() => {
                format!("{} done but could not be looked at", steps(found.unknown.len()))
            }
            Some(_) => String::new(),
        },
    };
    error.chars().take(MESSAGE_MAX).collect()
}

fn steps(count: usize) -> String {
    if count == 1 { "1 step was".to_owned() } else { format!("{count} steps were") }
}

fn reason_of(result: RunResult) -> &'static str {
    match result {
        RunResult::Running => "Running",
        RunResult::Applied => "Applied",
        RunResult::Unhealthy => "Unhealthy",
        RunResult::Failed => "ApplyFailed",
        RunResult::Cancelled => "Cancelled",
        RunResult::Interrupted => "Interrupted",
    }
}

/// Makes events of answers that changed; a first answer is news only when it is worth telling.
pub(super) async fn tell(
    writing: &mut Writing,
    transitions: &[Transition],
    revision: Option<&Revision>,
    correlation: &str,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    for Transition { resource, before, after } in transitions {
        let bad = match after.kind {
            ConditionType::Ready | ConditionType::Healthy => Status::False,
            _ => Status::True,
        };
        let is_first_and_usual =
            before.is_none() && after.status != bad && after.kind != ConditionType::Ready;
        if is_first_and_usual {
            continue;
        }
        // Work under way and pauses are no trouble.
        let is_usual = matches!(after.kind, ConditionType::Reconciling | ConditionType::Suspended)
            || after.reason == Reason::Progressing;
        let message: String = match after.message.as_str() {
            "" => format!("{} is {}", after.kind, after.status),
            text => format!("{} is {}: {text}", after.kind, after.status).chars().take(MESSAGE_MAX).collect(),
        };
        let event = NewEvent {
            correlation,
            resource: Some(resource),
            kind: &after.kind.to_string(),
            reason: &after.reason.to_string(),
            revision: revision.and_then(|revision| revision.commit.as_deref()).unwrap_or_default(),
            severity: if after.status == bad && !is_usual { Severity::Warning } else { Severity::Info },
            message: &message,
        };
        events::add(writing, &event, now).await?;
    }
    Ok(())
}
