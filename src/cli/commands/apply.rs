//! `apply`: shows the plan, asks, does it, says what came of it.

use std::fmt::Write as _;
use std::path::Path;

use chrono::Utc;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::{diff, left};
use crate::apply::{Progress, RunOutcome, StepStatus};
use crate::cli::args::{ApplyArgs, Format};
use crate::cli::ui::{Loudness, Ui, to_stderr};
use crate::cli::{Session, block_on};
use crate::config::Settings;
use crate::desired::At;
use crate::desired::state::DesiredState;
use crate::error::{Error, Exit};
use crate::model::problem::printable;
use crate::plan::display;
use crate::plan::plan::Plan;
use crate::reconcile::saved::SavedPlan;
use crate::reconcile::{self, Access, Context, Mode, PassReport, Prepared, Scope};
use crate::record::evidence::FOLDER as EVIDENCE;
use crate::record::runs::RunResult;

/// Threads for operations side by side; the engine does the work.
const THREADS: usize = 2;

/// What `apply -o json` prints; `docs/schemas/apply.schema.json` describes it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Applied<'a> {
    plan: serde_json::Value,
    result: Option<RunResult>,
    outcome: Option<&'a RunOutcome>,
    evidence: Option<&'a str>,
}

pub fn run(session: &mut Session, args: &ApplyArgs) -> Result<Exit, Error> {
    let settings = session.settings()?;
    block_on(THREADS, async {
        match &args.plan {
            Some(file) => apply_saved(session, args, settings, file).await,
            None => apply_head(session, args, settings).await,
        }
    })
}

/// Opens everything for acting; who looks on sees each step begin and end.
async fn open(session: &Session, settings: Settings) -> Result<Context, Error> {
    let mut context = Context::open(settings, &session.environment, Access::Write).await?;
    if session.ui.loudness >= Loudness::Normal {
        context.progress = show;
    }
    Ok(context)
}

/// Shows progress in plain lines.
fn show(progress: &Progress<'_>) {
    let line = match progress {
        Progress::Begun(step) => format!("{}: {} ({})", step.subject, word(step.action), step.cause),
        Progress::Ended(outcome) => {
            let took = outcome.started.zip(outcome.ended).map(|(started, ended)| ended - started);
            let took = took.map_or_else(String::new, |took| format!(" in {:.1}s", took.as_seconds_f64()));
            let why = outcome.error.as_deref().map_or_else(String::new, |error| format!(": {error}"));
            format!("{}: {}{took}{why}", outcome.subject, word(outcome.status))
        }
        Progress::Said(step, text) => format!("{}: {text}", step.subject),
        Progress::Asking(..) | Progress::Answered(..) => return,
    };
    to_stderr(&printable(&format!("  {line}")));
}

/// The word that documents use for a value.
fn word(value: impl Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

fn steps(count: usize) -> String {
    if count == 1 { "1 step".to_owned() } else { format!("{count} steps") }
}

async fn apply_head(session: &mut Session, args: &ApplyArgs, settings: Settings) -> Result<Exit, Error> {
    let context = open(session, settings).await?;
    let desired = session.load(&context).await?;
    let scope = diff::scope(&desired, &args.only)?;
    let mut prepared = session.prepare(&context, &desired, &scope, Mode::Manual).await?;
    permit(args, &context, &desired, &mut prepared)?;
    apply(session, args, &context, &desired, scope, prepared).await
}

/// Applies a saved plan: the same commit and the same operations, or nothing.
async fn apply_saved(
    session: &mut Session,
    args: &ApplyArgs,
    settings: Settings,
    file: &Path,
) -> Result<Exit, Error> {
    let saved = SavedPlan::read(file)?;
    if let Some(why) = saved.expired(Utc::now()) {
        return Err(Error::Stale { why: format!("the saved plan is stale: {why}"), moved: Vec::new() });
    }
    let settings = Settings { path: saved.path.clone(), ..settings };
    let context = open(session, settings).await?;
    if context.source.is_remote() {
        context.source.fetch().await?;
    }
    let current = context.source.resolve(Some(&saved.revision.reference))?;
    if current.commit != saved.revision.commit {
        let why =
            format!("the saved plan is stale: it is for {}, and {current} is there now", saved.revision);
        return Err(Error::Stale { why, moved: Vec::new() });
    }
    let desired = session.load_at(&context, &At::Revision(saved.revision.clone())).await?;
    let scope = match &saved.scope {
        Some(named) => diff::scope(&desired, named)?,
        None => Scope::All,
    };
    let mut prepared = session.prepare(&context, &desired, &scope, Mode::Manual).await?;
    let moved = saved.moved(&prepared.plan);
    if !moved.is_empty() {
        return Err(Error::Stale {
            why: "the saved plan is stale: the world or the commit moved".to_owned(),
            moved,
        });
    }
    permit(args, &context, &desired, &mut prepared)?;
    apply(session, args, &context, &desired, scope, prepared).await
}

/// Plans again with the permissions that name exactly this plan.
fn permit(
    args: &ApplyArgs,
    context: &Context,
    desired: &DesiredState,
    prepared: &mut Prepared,
) -> Result<(), Error> {
    let hash = prepared.plan.hash.trim_start_matches("v1:").to_owned();
    for permission in &args.allow_destroy {
        if !hash.starts_with(&permission.plan_hash) {
            let why = format!("the permission for {} is for another plan; this one is {hash}", permission.id);
            return Err(Error::Stale { why, moved: Vec::new() });
        }
    }
    if !args.allow_destroy.is_empty() {
        let ids = args.allow_destroy.iter().map(|permission| permission.id.clone()).collect();
        prepared.permit(context, desired, &ids);
    }
    Ok(())
}

async fn apply(
    session: &mut Session,
    args: &ApplyArgs,
    context: &Context,
    desired: &DesiredState,
    scope: Scope,
    mut prepared: Prepared,
) -> Result<Exit, Error> {
    if session.ui.format == Format::Text {
        session.ui.data(&display::text(&prepared.plan, session.ui.color))?;
    }
    diff::say_hash(session, &prepared.plan);
    if prepared.plan.steps.is_empty() {
        // Nothing is acted on, so nobody is asked; what was found is kept all the same, for `status`.
        let report = reconcile::carry_out(context, desired, prepared, &CancellationToken::new()).await?;
        print(session, context, &report)?;
        return Ok(left::exit(&report.plan));
    }
    if !args.yes {
        if session.ui.format != Format::Text {
            session.ui.notice(&display::text(&prepared.plan, false));
        }
        match session.ui.confirm("Apply this plan?")? {
            Some(true) => {}
            Some(false) => {
                session.ui.notice("Nothing was applied.");
                return Ok(Exit::Failed);
            }
            None => {
                return Err(Error::usage(
                    "there is no terminal to ask for consent, so nothing was applied",
                    "Look at the plan above, then repeat with --yes.",
                ));
            }
        }
        // Whoever said yes said it to what was shown, however long that took.
        let mut again = session.prepare(context, desired, &scope, Mode::Manual).await?;
        permit(args, context, desired, &mut again)?;
        if again.plan.hash != prepared.plan.hash {
            let why = "the world moved while you looked".to_owned();
            return Err(Error::Stale { why, moved: Vec::new() });
        }
        prepared = again;
    }
    session.ui.progress(&format!("Applying {} …", steps(prepared.plan.steps.len())));
    let cancel = CancellationToken::new();
    let watch = tokio::spawn(stop_on_signal(cancel.clone()));
    let report = reconcile::carry_out(context, desired, prepared, &cancel).await;
    watch.abort();
    let report = report?;
    print(session, context, &report)?;
    Ok(exit(&report))
}

/// With the first signal nothing new is begun and nothing is waited for any longer; the second one ends the process.
async fn stop_on_signal(cancel: CancellationToken) {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut interrupt), Ok(mut terminate)) =
        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return;
    };
    for count in 0.. {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        if count > 0 {
            to_stderr("Stopped at once; the journal knows what was under way.");
            std::process::exit(i32::from(Exit::Failed.code()));
        }
        to_stderr("Stopping: nothing new is begun, and waits are given up; once more to stop at once.");
        cancel.cancel();
    }
}

fn print(session: &mut Session, context: &Context, report: &PassReport) -> Result<(), Error> {
    match session.ui.format {
        Format::Text | Format::Markdown => print_text(&mut session.ui, context, report)?,
        Format::Json | Format::Yaml => session.ui.value(&Applied {
            plan: display::json(&report.plan),
            result: report.result,
            outcome: report.outcome.as_ref(),
            evidence: report.evidence.as_deref(),
        })?,
    }
    left::say_ways_out(session, latest(report));
    // What was done may have shown what else is to be done, such as a database that can be read now.
    if is_applied(report) && !latest(report).steps.is_empty() {
        let count = latest(report).steps.len();
        let steps = if count == 1 { "step is" } else { "steps are" };
        session.ui.progress(&format!("Hint: {count} more {steps} possible now: `ipaictl apply` again."));
    }
    Ok(())
}

fn is_applied(report: &PassReport) -> bool {
    matches!(report.result, Some(RunResult::Applied | RunResult::Unhealthy))
}

/// Whether what was done made more possible.
fn has_more(report: &PassReport) -> bool {
    report.after.as_ref().is_some_and(|after| !after.steps.is_empty())
}

/// The plan after applying, or the one that had no steps.
fn latest(report: &PassReport) -> &Plan {
    report.after.as_ref().unwrap_or(&report.plan)
}

fn print_text(ui: &mut Ui, context: &Context, report: &PassReport) -> Result<(), Error> {
    let Some(outcome) = &report.outcome else { return Ok(()) };
    let mut text = String::new();
    for step in outcome.steps.iter().filter(|step| step.status != StepStatus::Done) {
        let _ = write!(text, "{}: {} {}", word(step.status), step.resource, step.subject);
        if let Some(error) = &step.error {
            let _ = write!(text, ": {}", printable(error));
        }
        text.push('\n');
    }
    for line in left::lines(latest(report)) {
        let _ = writeln!(text, "{line}");
    }
    let counts = outcome.counts();
    let verdict = match report.result {
        Some(RunResult::Applied) if left::exit(latest(report)) == Exit::Done => "Applied and verified",
        Some(RunResult::Applied) => "Applied what could be, but not everything is as wanted",
        Some(RunResult::Unhealthy) if has_more(report) => {
            "Applied what could be, but not everything is as wanted"
        }
        Some(RunResult::Unhealthy) => "Applied, but not healthy",
        Some(RunResult::Cancelled) => "Stopped",
        _ => "Not all of it was applied",
    };
    let _ = writeln!(
        text,
        "{verdict}: {} done, {} failed, {} skipped. Run {}.",
        counts.done,
        counts.failed,
        counts.skipped + counts.cancelled,
        outcome.run.id
    );
    if let Some(evidence) = &report.evidence {
        let folder = context.settings.state_dir.join(EVIDENCE).join(evidence);
        let _ = writeln!(text, "Evidence: {}", printable(&folder.display().to_string()));
    }
    Ok(ui.data(&text)?)
}

/// How a run ended, as an exit code.
fn exit(report: &PassReport) -> Exit {
    match report.result {
        Some(RunResult::Applied) => left::exit(latest(report)),
        // What is not healthy yet may be so for want of what can be done next.
        Some(RunResult::Unhealthy) if has_more(report) => Exit::Failed,
        Some(RunResult::Unhealthy) => Exit::Unhealthy,
        Some(RunResult::Failed | RunResult::Cancelled | RunResult::Interrupted | RunResult::Running)
        | None => Exit::Failed,
    }
}
