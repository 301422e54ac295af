//! Packs as commits under `docs/evidence/` of a repository on this machine.
//!
//! A commit is made of objects and moves the branch; a work tree on that branch gets the new files and nothing else
//! of it is touched. Whoever follows the branch skips such commits (`clients::git_evidence`), so they start nothing.

use std::fs;
use std::path::Path;

use git2::build::TreeUpdateBuilder;
use git2::{FileMode, Oid, Repository, Signature};

use super::{EvidenceError, FOLDER};
use crate::clients::git_evidence::EVIDENCE_PATH;

/// The most files that one pack has: its own few and its logs.
const FILES_MAX: usize = 1_000;

/// Commits one pack to a branch; returns the commit's id.
///
/// Blocking. A branch that somebody moves at the same time makes it fail, and nothing is changed.
pub fn commit_pack(
    state_folder: &Path,
    pack: &str,
    run: &str,
    repository: &Path,
    branch: &str,
) -> Result<String, EvidenceError> {
    let failed = |err| EvidenceError::Commit { path: repository.to_owned(), err };
    let opened = Repository::open(repository).map_err(failed)?;
    let reference = format!("refs/heads/{branch}");
    let no_branch = || EvidenceError::Branch { path: repository.to_owned(), branch: branch.to_owned() };
    let parent = opened.find_reference(&reference).map_err(|_| no_branch())?;
    let parent = parent.peel_to_commit().map_err(failed)?;
    let files = files(&state_folder.join(FOLDER).join(pack))?;
    let mut update = TreeUpdateBuilder::new();
    for (name, bytes) in &files {
        let blob = opened.blob(bytes).map_err(failed)?;
        update.upsert(format!("{EVIDENCE_PATH}{pack}/{name}"), blob, FileMode::Blob);
    }
    let tree = update.create_updated(&opened, &parent.tree().map_err(failed)?).map_err(failed)?;
    if tree == parent.tree_id() {
        return Ok(parent.id().to_string());
    }
    let author = Signature::now("ipaictl", "ipaictl@localhost").map_err(failed)?;
    let message = format!("docs(evidence): run {run}\n\nFiles of the evidence pack {pack}.\n");
    let tree = opened.find_tree(tree).map_err(failed)?;
    let commit =
        opened.commit(Some(&reference), &author, &author, &message, &tree, &[&parent]).map_err(failed)?;
    show(&opened, &reference, pack, &files).map_err(failed)?;
    Ok(commit.to_string())
}

/// All files of a pack with their content.
fn files(folder: &Path) -> Result<Vec<(String, Vec<u8>)>, EvidenceError> {
    let mut files = Vec::new();
    let mut folders = vec![(folder.to_owned(), String::new())];
    while let Some((folder, prefix)) = folders.pop() {
        for entry in fs::read_dir(&folder).map_err(super::file("read", &folder))? {
            let path = entry.map_err(super::file("read", &folder))?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let name = format!("{prefix}{name}");
            if path.is_dir() {
                folders.push((path, format!("{name}/")));
            } else if files.len() < FILES_MAX {
                files.push((name, fs::read(&path).map_err(super::file("read", &path))?));
            }
        }
    }
    Ok(files)
}

/// Writes the files into a work tree that is on the branch, so that git does not see them as deleted.
fn show(
    repository: &Repository,
    reference: &str,
    pack: &str,
    files: &[(String, Vec<u8>)],
) -> Result<(), git2::Error> {
    let Some(folder) = repository.workdir() else { return Ok(()) };
    let head = repository.find_reference("HEAD")?;
    if head.symbolic_target().ok().flatten() != Some(reference) {
        return Ok(());
    }
    let mut index = repository.index()?;
    for (name, bytes) in files {
        let path = format!("{EVIDENCE_PATH}{pack}/{name}");
        let target = folder.join(&path);
        let parent = target.parent().unwrap_or(folder);
        fs::create_dir_all(parent)
            .and_then(|()| fs::write(&target, bytes))
            .map_err(|err| git2::Error::from_str(&err.to_string()))?;
        index.add_path(Path::new(&path))?;
    }
    index.write()
}

/// Whether everything that differs between two commits is evidence.
pub fn is_evidence_only(repository: &Repository, old: Oid, new: Oid) -> Result<bool, git2::Error> {
    crate::clients::git_evidence::differ_in_evidence_only(repository, old, new)
}
