//! `status`: whether everything is as declared, as the store knows it.

use serde::Serialize;

use super::stored::{self, answer, headline};
use crate::cli::args::{Format, StatusArgs};
use crate::cli::ui::{markdown_table, markdown_text, table};
use crate::cli::{Session, block_on};
use crate::error::{Error, Exit};
use crate::model::condition::{ConditionType, SourceCondition};
use crate::record::resources::ResourceStatus;

const HEADER: &[&str] = &["RESOURCE", "READY", "HEALTHY", "DRIFTED", "REVISION", "LAST RUN", "MESSAGE"];

/// What `status -o json` prints; `docs/schemas/status.schema.json` describes it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct StatusDocument<'a> {
    /// What is true of the state repository, when a controller has said so.
    source: Option<SourceCondition>,
    resources: &'a [ResourceStatus],
}

pub fn run(session: &mut Session, args: &StatusArgs) -> Result<Exit, Error> {
    let (resources, source) = block_on(1, async {
        let store = stored::open(session).await?;
        let resources = stored::select(store.statuses().await?, &args.resources)?;
        stored::say_freshness(session, &store).await?;
        Ok::<_, Error>((resources, store.source().await?))
    })?;
    let rows: Vec<Vec<String>> = resources.iter().map(row).collect();
    let source_lines = source.as_ref().map(stored::source_lines).unwrap_or_default();
    match session.ui.format {
        Format::Text => {
            let mut text = table(HEADER, &rows);
            if !source_lines.is_empty() {
                text.push_str(&format!("\n{}\n", source_lines.join("\n")));
            }
            session.ui.data(&text)?;
        }
        Format::Markdown => {
            let mut text = markdown_table(HEADER, &rows);
            for line in source_lines {
                text.push_str(&format!("\n**{}**\n", markdown_text(&line)));
            }
            session.ui.data(&text)?;
        }
        Format::Json | Format::Yaml => session.ui.value(&StatusDocument { source, resources: &resources })?,
    }
    Ok(Exit::Done)
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
