//! What differs in a work tree from its commit, as git tells it.

use git2::{Repository, Status, StatusOptions, StatusShow};

/// Which files beside those that git tracks are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Others {
    /// None.
    Untold,
    /// New ones; of a new folder its name alone.
    New,
    /// Each new and each ignored one.
    All,
}

/// Files that differ, with how, sorted by name; names that are no text are made one. The index is left as it is.
pub fn differences(repository: &Repository, others: Others) -> Result<Vec<(String, Status)>, git2::Error> {
    let mut options = StatusOptions::new();
    options
        .show(StatusShow::IndexAndWorkdir)
        .include_untracked(others != Others::Untold)
        .recurse_untracked_dirs(others == Others::All)
        .include_ignored(others == Others::All)
        .recurse_ignored_dirs(others == Others::All)
        .exclude_submodules(true)
        .no_refresh(true);
    let statuses = repository.statuses(Some(&mut options))?;
    let entry = |entry: git2::StatusEntry<'_>| {
        (String::from_utf8_lossy(entry.path_bytes()).into_owned(), entry.status())
    };
    let mut found: Vec<(String, Status)> = statuses.iter().map(entry).collect();
    found.sort_unstable_by(|one, other| one.0.cmp(&other.0));
    Ok(found)
}

/// The names of files that differ.
pub fn names(repository: &Repository, others: Others) -> Result<Vec<String>, git2::Error> {
    Ok(differences(repository, others)?.into_iter().map(|(name, _)| name).collect())
}
