//! Whether a clone that was never completed holds somebody's work.

use std::fs;
use std::path::Path;

use crate::clients::git_lock::YOUNG_TIME_MAX;
use git2::{Delta, Diff, DiffOptions, Oid, Repository, Tree};

/// What of a remote is known here: its branches, and commits that were fetched as pins.
pub(super) const REMOTE: [&str; 2] = ["refs/remotes/*", "refs/ipaictl/pins/*"];
/// Whether an incomplete clone may be one that somebody is making: git's folder was written to a moment ago.
pub(super) fn is_young(path: &Path) -> bool {
    let git = path.join(".git");
    let young = |path: &Path| {
        let written = fs::metadata(path).and_then(|found| found.modified());
        written.is_ok_and(|written| written.elapsed().map_or(true, |age| age < YOUNG_TIME_MAX))
    };
    let entries =
        |folder: &Path| fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    young(&git)
        || entries(&git).any(|path| young(&path))
        || entries(&git.join("objects/pack")).any(|path| young(&path))
}

/// Files that are named.
const FILES_MAX: usize = 3;

/// What would be missed if the folder were moved away; git does not take it for a repository.
pub(super) fn work_around(path: &Path) -> Option<String> {
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let mut files: Vec<String> = names.filter(|name| name != ".git").collect();
    if !files.is_empty() {
        files.sort_unstable();
        return Some(named(&files));
    }
    // An interrupted clone comes to these last, when git has long taken the folder for a repository.
    let git = path.join(".git");
    let has_branch =
        |folder: &str| fs::read_dir(git.join(folder)).is_ok_and(|mut found| found.next().is_some());
    let is_used = has_branch("refs/heads")
        || ["packed-refs", "index", "refs/stash"].iter().any(|name| git.join(name).exists());
    is_used.then(|| "branches or staged files of its own".to_owned())
}

/// What would be missed if the repository were moved away, whose commit `tree` is, when it has one.
pub(super) fn work_in(
    repository: &Repository,
    tree: Option<&Tree<'_>>,
) -> Result<Option<String>, git2::Error> {
    if let Some(work) = work_in_references(repository)? {
        return Ok(Some(work));
    }
    let mut options = DiffOptions::new();
    options.include_untracked(true).recurse_untracked_dirs(false).ignore_submodules(true);
    options.include_ignored(true).recurse_ignored_dirs(false);
    let mut files = own_files(repository, &repository.diff_tree_to_workdir(tree, Some(&mut options))?);
    files.extend(match tree {
        Some(_) => Vec::new(),
        None => staged(repository)?,
    });
    files.retain(|file| !file.ends_with(".pyc") && !file.ends_with("__pycache__/"));
    files.sort_unstable();
    files.dedup();
    Ok((!files.is_empty()).then(|| named(&files)))
}

/// Stashed work, and commits of branches, tags and a detached HEAD that no remote has.
pub(super) fn work_in_references(repository: &Repository) -> Result<Option<String>, git2::Error> {
    if repository.find_reference("refs/stash").is_ok() {
        return Ok(Some("stashed work".to_owned()));
    }
    let mut tips: Vec<(String, Oid)> = Vec::new();
    for reference in repository.references()? {
        let reference = reference?;
        let name = reference.name().unwrap_or("?").to_owned();
        if ["refs/remotes/", "refs/ipaictl/"].iter().any(|known| name.starts_with(known)) {
            continue;
        }
        let name = reference.shorthand().unwrap_or("?").to_owned();
        tips.extend(reference.target().map(|tip| (name, tip)));
    }
    if fs::read_dir(repository.commondir().join("worktrees")).is_ok_and(|mut linked| linked.next().is_some())
    {
        return Ok(Some("other work trees hang on it".to_owned()));
    }
    if let Some(head) = repository.head().ok().and_then(|head| head.target()) {
        tips.push(("HEAD".to_owned(), head));
    }
    for (name, tip) in tips {
        if !is_of_a_remote(repository, tip)? {
            return Ok(Some(format!("commits that no remote has on `{name}`")));
        }
    }
    Ok(None)
}

/// Whether a remote's branch has the commit; one whose objects are not there is of the remote that names just it.
fn is_of_a_remote(repository: &Repository, tip: Oid) -> Result<bool, git2::Error> {
    for glob in REMOTE {
        for reference in repository.references_glob(glob)? {
            if reference?.target() == Some(tip) {
                return Ok(true);
            }
        }
    }
    let count = || {
        let tip = repository.find_object(tip, None)?.peel_to_commit()?.id();
        let mut walk = repository.revwalk()?;
        walk.push(tip)?;
        REMOTE.iter().try_for_each(|glob| walk.hide_glob(glob))?;
        Ok::<_, git2::Error>(walk.next().is_none())
    };
    Ok(count().unwrap_or(false))
}

/// New and changed files. One that a checkout was writing when it was killed is the beginning of what it was to be.
fn own_files(repository: &Repository, diff: &Diff<'_>) -> Vec<String> {
    let is_own = |status: Delta, path: &Path, was: Oid| match status {
        Delta::Modified => {
            let is = repository.workdir().and_then(|root| fs::read(root.join(path)).ok());
            let blob = repository.find_blob(was);
            !is.zip(blob.ok()).is_some_and(|(is, blob)| blob.content().starts_with(&is))
        }
        Delta::Deleted | Delta::Unmodified => false,
        _ => true,
    };
    diff.deltas()
        .filter_map(|delta| {
            let path = delta.new_file().path().or_else(|| delta.old_file().path())?;
            is_own(delta.status(), path, delta.old_file().id()).then(|| path.to_string_lossy().into_owned())
        })
        .collect()
}

fn staged(repository: &Repository) -> Result<Vec<String>, git2::Error> {
    let index = repository.index()?;
    Ok(index.iter().map(|entry| String::from_utf8_lossy(&entry.path).into_owned()).collect())
}

fn named(files: &[String]) -> String {
    let more = if files.len() > FILES_MAX { ", …" } else { "" };
    format!("{}{more}", files[..files.len().min(FILES_MAX)].join(", "))
}
