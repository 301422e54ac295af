//! Everything that one revision asks for, or everything that is wrong with it.
//!
//! Reads documents, brings the repositories they name up to date, reads their Compose files, and checks
//! all of it before it answers: all problems at once, sorted by place. What can't be read now (a
//! repository that can't be reached, a secret without a value) is unknown, and makes no revision invalid.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::assemble::{StatePlace, assemble};
use super::parse::{PROBLEMS_MAX, parse_files};
use super::repositories::fetch_all;
use super::source::{At, Source, SourceError};
use super::state::DesiredState;
use super::tree::Tree;
use super::typed::{Typed, type_documents};
use super::{documents::Documents, references};
use crate::clients::secrets::SecretResolver;
use crate::model::id::Revision;
use crate::model::problem::{Location, Problem, nearest};

/// What loading depends on besides the revision.
#[derive(Debug, Clone)]
pub struct LoadOptions {
    /// The time, for what has an end.
    pub now: DateTime<Utc>,
    /// Whether the copies of the repositories that documents name are brought up to date first.
    pub fetch: bool,
}

/// One revision, read.
#[derive(Debug)]
pub struct Loaded {
    /// What it asks for; only when there is no error.
    pub state: Option<DesiredState>,
    /// All problems, errors and warnings, sorted by place.
    pub problems: Vec<Problem>,
    /// What was read.
    pub revision: Revision,
}

impl Loaded {
    /// Whether the revision can be used.
    pub fn is_valid(&self) -> bool {
        self.state.is_some()
    }
}

/// Reads and checks a revision. An error means that the source could not be read; what is wrong with its content is a problem.
pub async fn load(
    source: &Source,
    at: &At,
    secrets: &SecretResolver,
    options: &LoadOptions,
) -> Result<Loaded, SourceError> {
    let revision = match at {
        At::Revision(revision) => revision.clone(),
        At::WorkingTree => Revision { reference: "working tree".to_owned(), commit: None },
    };
    let mut problems = Vec::new();
    let tree = source.tree(at)?;
    let typed = read_documents(source, at, &tree, options, &mut problems)?;
    let failed = match options.fetch && !typed.repositories.is_empty() {
        true => fetch_all(source, &typed.repositories, secrets, source.tree(at)?).await,
        false => BTreeMap::new(),
    };
    let place = StatePlace { source, at, tree: &tree, revision: &revision };
    let state = assemble(place, typed, &failed, secrets, &mut problems);
    let problems = sorted(problems);
    let state = match problems.iter().any(Problem::is_error) {
        true => None,
        false => {
            let warnings = problems.clone();
            Some(DesiredState { warnings, ..state })
        }
    };
    Ok(Loaded { state, problems, revision })
}

/// Reads the documents of a revision, and checks all that needs no other repository.
fn read_documents(
    source: &Source,
    at: &At,
    tree: &Tree,
    options: &LoadOptions,
    problems: &mut Vec<Problem>,
) -> Result<Typed, SourceError> {
    let path = &source.settings().path;
    let Documents { files, problems: found, exists, .. } = tree.documents(path);
    if !exists {
        let siblings = tree.siblings(path);
        return Err(SourceError::PathMissing {
            path: path.clone(),
            repo: source.name(),
            at: match at {
                At::Revision(revision) => revision.to_string(),
                At::WorkingTree => "the working tree".to_owned(),
            },
            nearest: nearest(path, siblings.iter().map(String::as_str)).map(str::to_owned),
        });
    }
    problems.extend(found);
    let is_file = files.len() == 1 && files[0].0 == *path;
    let documents = parse_files(&files, problems);
    if documents.is_empty() && problems.is_empty() {
        let message = format!("there is no resource document in `{path}`");
        problems.push(Problem::error("no-documents", message).at(Location::of_file(path)).with_hint(
            "Write one, or name another folder with `--path`: every `.yaml` and `.yml` file in it is read.",
        ));
    }
    let typed = type_documents(documents, &source.settings().allow, options.now, problems);
    references::check(&typed, is_file, problems);
    Ok(typed)
}

/// Problems by file, line and column, without repetitions, as many as anybody reads.
fn sorted(mut problems: Vec<Problem>) -> Vec<Problem> {
    problems.sort_by(|a, b| {
        let key = |problem: &Problem| (problem.location.clone(), problem.severity, problem.rule);
        key(a).cmp(&key(b)).then_with(|| a.message.cmp(&b.message))
    });
    problems.dedup();
    if problems.len() > PROBLEMS_MAX {
        // Errors decide whether the revision can be used, so none may be lost to a wall of warnings.
        problems.sort_by_key(|problem| problem.severity);
        let next = problems[PROBLEMS_MAX].location.clone();
        problems.truncate(PROBLEMS_MAX);
        let message = format!("there are more problems than the {PROBLEMS_MAX} that are shown");
        problems.push(Problem { location: next, ..Problem::error("too-many-problems", message) });
    }
    problems
}
