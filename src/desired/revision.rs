//! From a branch, tag or commit to the commit it means.
//!
//! A branch means its newest commit that holds more than evidence: a run that commits its proof starts no run.

use git2::{Commit, Repository};

use super::source::SourceError;
use crate::clients::git_evidence::skip_evidence;
use crate::model::id::Revision;
use crate::model::problem::nearest;

/// The commit of a branch, tag or commit of a repository.
pub(super) fn resolve_reference(
    repository: &Repository,
    reference: &str,
    repo: &str,
) -> Result<Revision, SourceError> {
    let unknown = || {
        let names = short_names(repository);
        SourceError::UnknownReference {
            reference: reference.to_owned(),
            repo: repo.to_owned(),
            nearest: nearest(reference, names.iter().map(String::as_str)).map(str::to_owned),
        }
    };
    if reference.is_empty() || reference.starts_with('-') {
        return Err(unknown());
    }
    let named = ["refs/heads/", "refs/tags/", "refs/remotes/origin/"]
        .iter()
        .find_map(|prefix| repository.find_reference(&format!("{prefix}{reference}")).ok());
    let found = match named {
        Some(found) if found.is_tag() => found.peel_to_commit(),
        Some(found) => found.peel_to_commit().map(|commit| newest(repository, commit)),
        None => repository.revparse_single(reference).and_then(|object| object.peel_to_commit()),
    };
    match found {
        Ok(commit) => Ok(Revision { reference: reference.to_owned(), commit: Some(commit.id().to_string()) }),
        Err(_) if repository.is_empty().unwrap_or(false) => Err(SourceError::Empty { repo: repo.to_owned() }),
        Err(_) => Err(unknown()),
    }
}

/// The head of a branch; a missing one is answered with the branch that may be meant.
pub(super) fn resolve_branch(
    repository: &Repository,
    branch: &str,
    repo: &str,
) -> Result<Revision, SourceError> {
    for prefix in ["refs/heads/", "refs/remotes/origin/"] {
        if let Ok(found) = repository.find_reference(&format!("{prefix}{branch}")) {
            let commit = found.peel_to_commit().map_err(|err| SourceError::Objects {
                what: branch.to_owned(),
                repo: repo.to_owned(),
                err,
            })?;
            let commit = newest(repository, commit).id().to_string();
            return Ok(Revision { reference: branch.to_owned(), commit: Some(commit) });
        }
    }
    let names = short_names(repository);
    if names.is_empty() {
        return Err(SourceError::Empty { repo: repo.to_owned() });
    }
    let near = nearest(branch, names.iter().map(String::as_str)).map(str::to_owned);
    // With nothing similar left, the branch that HEAD means is the one to look at.
    let head = repository.head().ok().and_then(|head| head.shorthand().ok().map(str::to_owned));
    Err(SourceError::BranchMissing {
        branch: branch.to_owned(),
        repo: repo.to_owned(),
        nearest: near.or(head).or_else(|| names.into_iter().next()),
    })
}

/// What HEAD means, under the name of its branch.
pub(super) fn resolve_head(repository: &Repository, repo: &str) -> Result<Revision, SourceError> {
    match repository.head() {
        Ok(head) => {
            let commit = head.peel_to_commit().map_err(|err| SourceError::Objects {
                what: "HEAD".to_owned(),
                repo: repo.to_owned(),
                err,
            })?;
            let reference = head.shorthand().unwrap_or("HEAD").to_owned();
            Ok(Revision { reference, commit: Some(newest(repository, commit).id().to_string()) })
        }
        Err(_) => {
            let branch = repository
                .find_reference("HEAD")
                .ok()
                .and_then(|head| head.symbolic_target().ok().flatten().map(str::to_owned))
                .and_then(|target| target.strip_prefix("refs/heads/").map(str::to_owned));
            resolve_branch(repository, branch.as_deref().unwrap_or("HEAD"), repo)
        }
    }
}

/// The newest commit of a branch that holds more than evidence; the head where history can't be read.
fn newest<'r>(repository: &'r Repository, head: Commit<'r>) -> Commit<'r> {
    let found = skip_evidence(repository, head.id()).and_then(|id| repository.find_commit(id));
    found.unwrap_or(head)
}

/// The names of branches and tags, at most a thousand: enough to find a near one.
fn short_names(repository: &Repository) -> Vec<String> {
    let Ok(references) = repository.references() else { return Vec::new() };
    let mut names: Vec<String> = references
        .flatten()
        .take(1_000)
        .filter_map(|reference| {
            let name = reference.name().ok()?;
            ["refs/heads/", "refs/tags/", "refs/remotes/origin/"]
                .iter()
                .find_map(|prefix| name.strip_prefix(prefix).map(str::to_owned))
        })
        .filter(|name| name != "HEAD")
        .collect();
    names.sort_unstable();
    names.dedup();
    names
}
