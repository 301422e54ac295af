//! The second half of a pass: execute, look again, keep what happened.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use chrono::Utc;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use super::prove::{Ran, prove, settle};
use super::report::{PassReport, Prepared, blame};
use super::{Context, Mode, PassError, look};
use crate::apply::{ApplyContext, Progress, RunOutcome, endpoints, execute};
use crate::desired::state::DesiredState;
use crate::model::id::ResourceId;
use crate::model::problem::printable;
use crate::plan::plan::Plan;
use crate::plan::report::conditions;
use crate::record::save::{Pass, Saved, save};
use crate::record::store::Store;
use crate::telemetry::{Phase, pass_span, record_duration};

/// How long a pass waits for a lock that another one holds; whoever woke it tries again later.
const LOCK_PATIENCE: Duration = Duration::from_secs(5);

/// Executes the plan, observes and plans again, and keeps what came of it. Without steps it only keeps what was found.
///
/// Cancelling ends it after the operation that is under way; what was done until then is kept.
pub async fn carry_out(
    context: &Context,
    desired: &DesiredState,
    prepared: Prepared,
    cancel: &CancellationToken,
) -> Result<PassReport, PassError> {
    let store = context.store.as_ref().ok_or(PassError::NoStore)?;
    let correlation = format!("{}-{:08x}", Utc::now().format("%Y%m%dT%H%M%S"), rand::random::<u32>());
    let span = pass_span(&correlation);
    let work = async {
        // What an earlier process was asked and never answered: told from what was just observed, not asked again.
        settle(context, store, desired, &prepared.observed).await?;
        let request = prepared.request.clone();
        let strayed = prepared.memory.strayed.clone();
        let correlation = correlation.as_str();
        let kept = Kept { store, desired, correlation, request: request.as_deref(), strayed: &strayed };
        // What was looked at because it was time is proven even when nothing was to be done.
        if prepared.plan.steps.is_empty() && prepared.mode != Mode::Scheduled {
            let mut report = PassReport::unchanged(prepared);
            kept.keep(&mut report).await?;
            return Ok(report);
        }
        let begun = Instant::now();
        let outcome = run(context, store, desired, &prepared, correlation, cancel).await?;
        record_duration(Phase::Apply, begun.elapsed());
        let (observed, memory) = look(context, desired, prepared.only.as_ref()).await?;
        let Prepared { observed: before, plan, only, mode, fences, .. } = prepared;
        let again = Prepared::plan(context, desired, only, mode, observed, memory, fences);
        let ran = Ran {
            plan: &plan,
            outcome: &outcome,
            after_plan: &again.plan,
            before: &before,
            after: &again.observed,
        };
        let evidence = prove(context, store, desired, &ran).await;
        let mut report = PassReport {
            observed: again.observed,
            plan,
            outcome: Some(outcome),
            after: Some(again.plan),
            result: None,
            evidence,
        };
        kept.keep(&mut report).await?;
        // Not before it is kept: whoever is next must plan with what came of this.
        if let Some(lease) = report.outcome.as_mut().and_then(|outcome| outcome.lease.take()) {
            lease.release().await?;
        }
        Ok(report)
    };
    work.instrument(span).await
}

async fn run(
    context: &Context,
    store: &Store,
    desired: &DesiredState,
    prepared: &Prepared,
    correlation: &str,
    cancel: &CancellationToken,
) -> Result<RunOutcome, PassError> {
    let changed: BTreeSet<&ResourceId> = prepared.plan.steps.iter().map(|step| &step.resource).collect();
    let mut reports = conditions(desired, &prepared.observed, &prepared.plan);
    reports.retain(|report| changed.contains(&report.id));
    let apply = ApplyContext {
        store,
        clients: &context.clients,
        endpoints: endpoints(desired),
        git: context.source.git(),
        allow: &context.source.settings().allow,
        redactor: &desired.redactor,
        holder: &context.holder,
        correlation,
        scope: &scope_text(prepared),
        why: &why(&prepared.plan),
        seen: Some(&prepared.fences),
        patience: LOCK_PATIENCE,
        reports: &reports,
        progress: &context.progress,
    };
    Ok(execute(&apply, &prepared.plan, cancel).await?)
}

/// Where and as what a pass is kept.
struct Kept<'a> {
    store: &'a Store,
    desired: &'a DesiredState,
    correlation: &'a str,
    request: Option<&'a str>,
    strayed: &'a BTreeSet<String>,
}

impl Kept<'_> {
    async fn keep(&self, report: &mut PassReport) -> Result<(), PassError> {
        let begun = Instant::now();
        let latest = report.after.as_ref().unwrap_or(&report.plan);
        let mut reports = conditions(self.desired, &report.observed, latest);
        if let Some(outcome) = &report.outcome {
            blame(&mut reports, outcome);
        }
        let pass = Pass {
            desired: self.desired,
            observed: &report.observed,
            plan: &report.plan,
            outcome: report.outcome.as_ref(),
            after: report.after.as_ref(),
            reports: &reports,
            evidence: report.evidence.as_deref(),
            correlation: self.correlation,
            request: self.request,
            strayed: self.strayed,
        };
        let Saved { result, .. } = save(self.store, &pass, Utc::now()).await?;
        report.result = result;
        record_duration(Phase::Record, begun.elapsed());
        Ok(())
    }
}

/// Logs progress by name only: operations carry clear secrets.
pub(super) fn say(progress: &Progress<'_>) {
    match progress {
        Progress::Begun(step) => {
            tracing::info!(step = step.id, what = %step.subject, action = ?step.action, cause = step.cause, "begun")
        }
        Progress::Ended(outcome) => {
            let error = outcome.error.as_deref().map(printable);
            tracing::info!(step = outcome.id, what = %outcome.subject, status = ?outcome.status, error, "ended");
        }
        Progress::Said(step, text) => tracing::debug!(step = step.id, "{}", printable(text)),
        Progress::Asking(step, operation) => tracing::debug!(step = step.id, operation, "asking"),
        Progress::Answered(step, operation) => tracing::debug!(step = step.id, operation, "answered"),
    }
}

fn scope_text(prepared: &Prepared) -> String {
    match &prepared.only {
        None => "all".to_owned(),
        Some(ids) => ids.iter().map(ResourceId::to_string).collect::<Vec<_>>().join(","),
    }
}

fn why(plan: &Plan) -> String {
    let count = plan.steps.len();
    format!("{count} step{} at {}", if count == 1 { "" } else { "s" }, plan.revision)
}
