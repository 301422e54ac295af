//! Whether a clone that was never completed holds somebody's work.

use std::fs;
use std::path::Path;

use git2::{BranchType, Delta, Diff, DiffOptions, Oid, Repository, Tree};

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
    if repository.find_reference("refs/stash").is_ok() {
        return Ok(Some("stashed work".to_owned()));
    }
    for branch in repository.branches(Some(BranchType::Local))? {
        let reference = branch?.0.into_reference();
        let Some(tip) = reference.target() else { continue };
        if !is_of_a_remote(repository, tip)? {
            return Ok(Some(format!(
                "commits that no remote has on `{}`",
                reference.shorthand().unwrap_or("?")
            )));
        }
    }
    let mut options = DiffOptions::new();
    options.include_untracked(true).recurse_untracked_dirs(false).ignore_submodules(true);
    let mut files = own_files(repository, &repository.diff_tree_to_workdir(tree, Some(&mut options))?);
    files.extend(match tree {
        Some(_) => Vec::new(),
        None => staged(repository)?,
    });
    files.sort_unstable();
    files.dedup();
    Ok((!files.is_empty()).then(|| named(&files)))
}

/// Whether a remote's branch has the commit; one whose objects are not there is of the remote that names just it.
fn is_of_a_remote(repository: &Repository, tip: Oid) -> Result<bool, git2::Error> {
    for branch in repository.branches(Some(BranchType::Remote))? {
        let found = branch?.0.into_reference().target();
        if found == Some(tip) {
            return Ok(true);
        }
    }
    let count = || {
        let mut walk = repository.revwalk()?;
        walk.push(tip)?;
        walk.hide_glob("refs/remotes/*")?;
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
        Delta::Deleted | Delta::Unmodified | Delta::Ignored => false,
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
