//! `history`: what was done, the newest first.

use super::stored::{self, time};
use crate::cli::args::{Format, HistoryArgs};
use crate::cli::ui::table;
use crate::cli::{Session, block_on};
use crate::error::{Error, Exit};
use crate::model::id::ResourceId;
use crate::record::runs::{HistoryFilter, RunRecord};

const HEADER: &[&str] = &["RUN", "STARTED", "TOOK", "OUTCOME", "STEPS", "REVISION", "SCOPE", "MESSAGE"];

pub fn run(session: &mut Session, args: &HistoryArgs) -> Result<Exit, Error> {
    let runs = block_on(1, async {
        let store = stored::open(session).await?;
        let mut runs = Vec::new();
        if args.resources.is_empty() {
            runs = store.history(&HistoryFilter::default(), args.limit).await?;
        }
        for id in &args.resources {
            let filter = HistoryFilter { resource: Some(id.clone()), ..HistoryFilter::default() };
            let found = store.history(&filter, args.limit).await?;
            if found.is_empty() {
                // A resource without runs is fine; one that nobody has heard of is a slip of the pen.
                stored::select(store.statuses().await?, std::slice::from_ref::<ResourceId>(id))?;
            }
            runs.extend(found);
        }
        Ok::<_, Error>(runs)
    })?;
    let runs = newest(runs, args.limit as usize);
    match session.ui.format {
        Format::Text | Format::Markdown => {
            let rows: Vec<Vec<String>> = runs.iter().map(row).collect();
            session.ui.data(&table(HEADER, &rows))?;
        }
        Format::Json | Format::Yaml => session.ui.value(&runs)?,
    }
    Ok(Exit::Done)
}

/// Each run once, the newest first.
fn newest(mut runs: Vec<RunRecord>, limit: usize) -> Vec<RunRecord> {
    runs.sort_by(|a, b| b.started.cmp(&a.started).then_with(|| b.id.cmp(&a.id)));
    runs.dedup_by(|a, b| a.id == b.id);
    runs.truncate(limit);
    runs
}

fn row(run: &RunRecord) -> Vec<String> {
    let took =
        run.ended.map(|ended| format!("{:.1}s", (ended - run.started).num_milliseconds() as f64 / 1000.0));
    vec![
        run.id.clone(),
        time(run.started),
        took.unwrap_or_else(|| "-".to_owned()),
        outcome(run),
        steps(run),
        run.revision.short().to_owned(),
        run.scope.clone(),
        run.message.clone(),
    ]
}

/// The outcome's word.
pub fn outcome(run: &RunRecord) -> String {
    serde_json::to_value(run.outcome)
        .ok()
        .and_then(|value| value.as_str().map(str::to_owned))
        .unwrap_or_default()
}

fn steps(run: &RunRecord) -> String {
    let counts = &run.counts;
    let parts = [
        (counts.done, "done"),
        (counts.failed, "failed"),
        (counts.skipped, "skipped"),
        (counts.cancelled, "cancelled"),
    ];
    let said: Vec<String> =
        parts.iter().filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}")).collect();
    if said.is_empty() { "-".to_owned() } else { said.join(", ") }
}
