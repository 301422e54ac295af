//! `describe`: everything that the store knows of a resource.

use std::fmt::Write as _;

use serde::Serialize;

use super::stored::{self, time};
use crate::cli::args::{DescribeArgs, Format};
use crate::cli::ui::table;
use crate::cli::{Session, block_on};
use crate::error::{Error, Exit};
use crate::model::condition::SourceCondition;
use crate::model::problem::printable;
use crate::record::events::{Event, EventFilter};
use crate::record::resources::ResourceStatus;
use crate::record::runs::{HistoryFilter, RunRecord};

/// How many runs and events are shown; `history` lists more.
const SHOWN_MAX: u32 = 10;

/// What `describe -o json` prints; `docs/schemas/description.schema.json` describes it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Description {
    /// What is true of the state repository, when a controller has said so.
    source: Option<SourceCondition>,
    status: ResourceStatus,
    runs: Vec<RunRecord>,
    events: Vec<Event>,
}

pub fn run(session: &mut Session, args: &DescribeArgs) -> Result<Exit, Error> {
    let id = &args.resource;
    let found = block_on(1, async {
        let store = stored::open(session).await?;
        let status = stored::select(store.statuses().await?, std::slice::from_ref(id))?.remove(0);
        let history = HistoryFilter { resource: Some(id.clone()), ..HistoryFilter::default() };
        let runs = store.history(&history, SHOWN_MAX).await?;
        let filter = EventFilter { resource: Some(id.clone()), ..EventFilter::default() };
        let events = store.events(&filter, SHOWN_MAX).await?;
        stored::say_freshness(session, &store).await?;
        let source = store.source().await?;
        Ok::<_, Error>(Description { source, status, runs, events })
    })?;
    match session.ui.format {
        Format::Text | Format::Markdown => session.ui.data(&text(&found))?,
        Format::Json | Format::Yaml => session.ui.value(&found)?,
    }
    Ok(Exit::Done)
}

fn text(found: &Description) -> String {
    let status = &found.status;
    let mut out = format!("{}\n", status.id);
    let mut line = |name: &str, value: &str| {
        let _ = writeln!(out, "  {name:<18} {}", printable(value));
    };
    line("generation", &format!("{} (observed {})", status.generation, status.observed_generation));
    line("digest", &status.digest);
    line("applied revision", &full_revision(status.last_applied_revision.as_ref()));
    line("attempted revision", &full_revision(status.last_attempted_revision.as_ref()));
    line("last plan", status.last_applied_plan.as_deref().unwrap_or("-"));
    line("last run", status.last_run.as_deref().unwrap_or("-"));
    line("last request", status.last_handled_request.as_deref().unwrap_or("-"));
    line("judged", &time(status.updated));
    let conditions: Vec<Vec<String>> = status
        .conditions
        .iter()
        .map(|condition| {
            vec![
                condition.kind.to_string(),
                condition.status.to_string(),
                condition.reason.to_string(),
                time(condition.last_transition_time),
                condition.message.clone(),
            ]
        })
        .collect();
    section(&mut out, "Conditions", &["TYPE", "STATUS", "REASON", "SINCE", "MESSAGE"], &conditions);
    section(&mut out, "Containers", &["NAME", "SERVICE", "STATE", "HEALTH", "IMAGE"], &containers(status));
    let runs: Vec<Vec<String>> = found
        .runs
        .iter()
        .map(|run| {
            vec![
                run.id.clone(),
                super::history::outcome(run),
                run.revision.short().to_owned(),
                run.message.clone(),
            ]
        })
        .collect();
    section(&mut out, "Runs", &["RUN", "OUTCOME", "REVISION", "MESSAGE"], &runs);
    let events: Vec<Vec<String>> = found
        .events
        .iter()
        .map(|event| {
            vec![time(event.happened), event.kind.clone(), event.reason.clone(), event.message.clone()]
        })
        .collect();
    section(&mut out, "Events", &["TIME", "KIND", "REASON", "MESSAGE"], &events);
    let source = found.source.as_ref().map(stored::source_lines).unwrap_or_default();
    if !source.is_empty() {
        let _ = writeln!(out, "\n{}", source.join("\n"));
    }
    out
}

fn full_revision(revision: Option<&crate::model::id::Revision>) -> String {
    match revision {
        Some(revision) => {
            format!("{} {}", revision.reference, revision.commit.as_deref().unwrap_or("working tree"))
        }
        None => "-".to_owned(),
    }
}

fn containers(status: &ResourceStatus) -> Vec<Vec<String>> {
    let word = |container: &serde_json::Value, key: &str| container[key].as_str().unwrap_or("-").to_owned();
    let containers = status.containers.as_array().map(Vec::as_slice).unwrap_or_default();
    let columns = ["name", "service", "state", "health", "image"];
    containers.iter().map(|container| columns.iter().map(|key| word(container, key)).collect()).collect()
}

fn section(out: &mut String, title: &str, header: &[&str], rows: &[Vec<String>]) {
    if rows.is_empty() {
        return;
    }
    let _ = writeln!(out, "\n{title}");
    for line in table(header, rows).lines() {
        let _ = writeln!(out, "  {line}");
    }
}
