//! `status`: whether everything is as declared, as the store knows it.

use serde::Serialize;

use super::stored::{self, answer, headline};
use crate::cli::args::{Format, StatusArgs};
use crate::cli::ui::{markdown_table, table};
use crate::cli::{Session, block_on};
use crate::error::{Error, Exit};
use crate::model::condition::{Condition, ConditionType, Status};
use crate::record::facts::SOURCE_CONDITION;
use crate::record::resources::ResourceStatus;
use crate::record::store::Store;

const HEADER: &[&str] = &["RESOURCE", "READY", "HEALTHY", "DRIFTED", "REVISION", "LAST RUN", "MESSAGE"];

/// What `status -o json` prints; `docs/schemas/status.schema.json` describes it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct StatusDocument<'a> {
    /// What is true of the state repository, when a controller has said so.
    source: Option<Condition>,
    resources: &'a [ResourceStatus],
}

pub fn run(session: &mut Session, args: &StatusArgs) -> Result<Exit, Error> {
    let (resources, source) = block_on(1, async {
        let store = stored::open(session).await?;
        let resources = stored::select(store.statuses().await?, &args.resources)?;
        stored::say_freshness(session, &store).await?;
        Ok::<_, Error>((resources, source(&store).await?))
    })?;
    let rows: Vec<Vec<String>> = resources.iter().map(row).collect();
    let source_line = source.as_ref().filter(|source| source.status != Status::True).map(|source| {
        format!("State repository: {}: {}", source.reason, crate::model::problem::printable(&source.message))
    });
    match session.ui.format {
        Format::Text => {
            let mut text = table(HEADER, &rows);
            if let Some(line) = source_line {
                text.push_str(&format!("\n{line}\n"));
            }
            session.ui.data(&text)?;
        }
        Format::Markdown => {
            let mut text = markdown_table(HEADER, &rows);
            if let Some(line) = source_line {
                text.push_str(&format!("\n**{line}**\n"));
            }
            session.ui.data(&text)?;
        }
        Format::Json | Format::Yaml => session.ui.value(&StatusDocument { source, resources: &resources })?,
    }
    Ok(Exit::Done)
}

async fn source(store: &Store) -> Result<Option<Condition>, Error> {
    let fact = store.fact(SOURCE_CONDITION).await?;
    Ok(fact.and_then(|fact| serde_json::from_str(&fact.text).ok()))
}

/// One line of the table.
pub fn row(status: &ResourceStatus) -> Vec<String> {
    vec![
        status.id.to_string(),
        answer(status, ConditionType::Ready).to_string(),
        answer(status, ConditionType::Healthy).to_string(),
        answer(status, ConditionType::Drifted).to_string(),
        stored::revision(status.last_applied_revision.as_ref()),
        status.last_run.clone().unwrap_or_else(|| "-".to_owned()),
        headline(status),
    ]
}
