//! Reads what a checkout holds; changes nothing and touches no network.

use std::collections::BTreeMap;
use std::path::Path;

use git2::{ErrorCode, Repository};

use super::checkout::CheckoutFacts;
use crate::clients::git_moving::half_moved;
use crate::clients::git_status::{Others, differences, names};
use crate::clients::git_url::show;
use crate::clients::git_written::is_written;
use crate::model::hash::sha256_hex;
use crate::model::known::Known;

/// Changed files that are named.
const DIRTY_MAX: usize = 20;

/// Observes a checkout on this machine.
pub async fn observe_checkout(path: &str) -> Known<CheckoutFacts> {
    let path = path.to_owned();
    match tokio::task::spawn_blocking(move || read_checkout(Path::new(&path))).await {
        Ok(facts) => facts,
        Err(err) => Known::Unknown(format!("reading the checkout failed: {err}")),
    }
}

/// Reads a checkout; blocks.
pub(super) fn read_checkout(path: &Path) -> Known<CheckoutFacts> {
    let mut facts = CheckoutFacts::default();
    match std::fs::symlink_metadata(path) {
        Err(err) if err.kind() == std::io::ErrorKind::NotFound => return Known::Known(facts),
        Err(err) => return Known::Unknown(format!("`{}` can't be read: {err}", path.display())),
        Ok(_) => facts.exists = true,
    }
    let repository = match Repository::open(path) {
        Ok(repository) => repository,
        Err(err) if err.code() == ErrorCode::NotFound => return Known::Known(facts),
        Err(err) => return Known::Unknown(format!("`{}` can't be read: {}", path.display(), err.message())),
    };
    facts.url = repository.find_remote("origin").ok().and_then(|remote| remote.url().ok().map(show));
    let Some(commit) = repository.head().ok().and_then(|head| head.peel_to_commit().ok()) else {
        return Known::Known(facts);
    };
    facts.commit = Some(commit.id().to_string());
    facts.repository = !repository.is_bare() && commit.tree().is_ok();
    if facts.repository {
        match untracked_files(&repository) {
            Ok(files) => facts.untracked = files,
            Err(err) => {
                return Known::Unknown(format!(
                    "what is new in `{}` can't be read: {}",
                    path.display(),
                    err.message()
                ));
            }
        }
        match dirty_files(&repository) {
            // What a move of ours left that was killed is nobody's change, and the next one completes it.
            Ok(dirty) if !dirty.is_empty() && matches!(half_moved(&repository), Ok(Some(_))) => {
                facts.interrupted = true;
            }
            Ok(dirty) => {
                facts.written = written(&repository, path, &dirty);
                facts.dirty = dirty;
            }
            Err(err) => {
                return Known::Unknown(format!(
                    "the changes in `{}` can't be read: {}",
                    path.display(),
                    err.message()
                ));
            }
        }
    }
    Known::Known(facts)
}

/// The first files and folders that no commit has. Python leaves its compiled files wherever it may write.
fn untracked_files(repository: &Repository) -> Result<Vec<String>, git2::Error> {
    let new = differences(repository, Others::New)?.into_iter().filter(|(_, status)| status.is_wt_new());
    let names = new.map(|(name, _)| name);
    let is_compiled = |name: &String| name.ends_with(".pyc") || name.ends_with("__pycache__/");
    Ok(names.filter(|name| !is_compiled(name)).take(DIRTY_MAX).collect())
}

/// Which of the files hold what was written into them, by digest; one that can't be read is somebody's.
fn written(repository: &Repository, path: &Path, files: &[String]) -> BTreeMap<String, String> {
    let ours = files.iter().filter(|file| is_written(repository, file).unwrap_or(false));
    ours.filter_map(|file| Some((file.clone(), sha256_hex(&std::fs::read(path.join(file)).ok()?)))).collect()
}

/// The first tracked files that differ from HEAD.
fn dirty_files(repository: &Repository) -> Result<Vec<String>, git2::Error> {
    let mut dirty = changed_files(repository)?;
    dirty.truncate(DIRTY_MAX);
    Ok(dirty)
}

/// Tracked files that differ from HEAD, staged or not, sorted.
pub(super) fn changed_files(repository: &Repository) -> Result<Vec<String>, git2::Error> {
    names(repository, Others::Untold)
}
