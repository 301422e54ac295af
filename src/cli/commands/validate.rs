//! `validate`: all problems of a working tree, a folder, a file or a revision.

use serde::Serialize;

use crate::cli::args::{Format, ValidateArgs};
use crate::cli::{Session, block_on};
use crate::desired::{At, LoadOptions, Loaded, Source, load};
use crate::error::{Error, Exit};
use crate::model::id::ResourceId;
use crate::model::problem::Problem;
use crate::reconcile::{resolver, source_settings};

/// What `validate -o json` prints; `docs/schemas/validation.schema.json` describes it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Validation<'a> {
    valid: bool,
    revision: String,
    resources: Vec<ResourceId>,
    problems: &'a [Problem],
}

pub fn run(session: &mut Session, args: &ValidateArgs) -> Result<Exit, Error> {
    if args.target.is_some() && session.global.revision.is_some() {
        return Err(Error::usage(
            "a path is read from the working tree, not from a revision",
            "Leave out PATH and name the folder with --path, or leave out --revision.",
        ));
    }
    let settings = session.settings()?;
    let secrets = resolver(&settings, &session.environment);
    let source_settings = source_settings(&settings, &secrets)?;
    let (source, at) = match &args.target {
        Some(target) => (Source::open_folder(target, &source_settings)?, At::WorkingTree),
        None => {
            let source = Source::open(&source_settings)?;
            let at = match &session.global.revision {
                Some(revision) => At::Revision(source.resolve(Some(revision))?),
                None if source.is_remote() => At::Revision(source.resolve(None)?),
                None => At::WorkingTree,
            };
            (source, at)
        }
    };
    let options = LoadOptions { now: chrono::Utc::now(), fetch: true };
    let loaded = block_on(1, load(&source, &at, &secrets, &options))?;
    print(session, &loaded)
}

fn print(session: &mut Session, loaded: &Loaded) -> Result<Exit, Error> {
    let errors = loaded.problems.iter().filter(|problem| problem.is_error()).count();
    let warnings = loaded.problems.len() - errors;
    let resources = loaded.state.as_ref().map(|state| state.ids()).unwrap_or_default();
    match session.ui.format {
        Format::Text | Format::Markdown => {
            let text: Vec<String> = loaded.problems.iter().map(ToString::to_string).collect();
            session.ui.data(&text.join("\n"))?;
            session.ui.progress(&match loaded.is_valid() {
                true => format!(
                    "{} is valid: {}, {}.",
                    loaded.revision,
                    count(resources.len(), "resource"),
                    count(warnings, "warning")
                ),
                false => format!(
                    "{} is not valid: {}, {}.",
                    loaded.revision,
                    count(errors, "error"),
                    count(warnings, "warning")
                ),
            });
        }
        Format::Json | Format::Yaml => {
            let valid = loaded.is_valid();
            let revision = loaded.revision.to_string();
            session.ui.value(&Validation { valid, revision, resources, problems: &loaded.problems })?;
        }
    }
    Ok(if loaded.is_valid() { Exit::Done } else { Exit::Found })
}

fn count(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}
