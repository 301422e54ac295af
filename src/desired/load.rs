//! Everything that one revision asks for, or everything that is wrong with it.

use chrono::{DateTime, Utc};

use super::source::{At, Source, SourceError};
use super::state::DesiredState;
use crate::clients::secrets::SecretResolver;
use crate::model::id::Revision;
use crate::model::problem::Problem;

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
    let _ = (secrets, options);
    let revision = match at {
        At::Revision(revision) => revision.clone(),
        At::WorkingTree => Revision { reference: "HEAD".to_owned(), commit: None },
    };
    let documents = source.tree(at)?.documents(&source.settings().path);
    Ok(Loaded { state: None, problems: documents.problems, revision })
}
