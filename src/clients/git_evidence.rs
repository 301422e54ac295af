//! Commits that hold nothing but evidence: whoever follows a branch skips them, so that a run never starts a run.

use git2::{Oid, Repository};

/// Where evidence is committed.
pub const EVIDENCE_PATH: &str = "docs/evidence/";
/// How many commits are skipped; a year of runs without one change of the desired state.
const SKIPPED_MAX: usize = 100_000;

/// The newest commit, from this one on along first parents, that changes something other than evidence.
///
/// A first commit, and one with several parents, is never skipped.
pub fn skip_evidence(repository: &Repository, from: Oid) -> Result<Oid, git2::Error> {
    let mut commit = repository.find_commit(from)?;
    for _ in 0..SKIPPED_MAX {
        if commit.parent_count() != 1 {
            break;
        }
        let parent = commit.parent(0)?;
        // An empty commit is somebody's own; only ours have new evidence.
        if parent.tree_id() == commit.tree_id()
            || !differ_in_evidence_only(repository, parent.id(), commit.id())?
        {
            break;
        }
        commit = parent;
    }
    Ok(commit.id())
}

/// Whether everything that differs between two commits is evidence.
pub fn differ_in_evidence_only(repository: &Repository, old: Oid, new: Oid) -> Result<bool, git2::Error> {
    let tree = |id| repository.find_commit(id)?.tree();
    // Subtrees with equal ids are not entered, so this costs what was changed, not what is there.
    let diff = repository.diff_tree_to_tree(Some(&tree(old)?), Some(&tree(new)?), None)?;
    let is_evidence = |file: git2::DiffFile<'_>| {
        file.path_bytes().is_none_or(|path| path.starts_with(EVIDENCE_PATH.as_bytes()))
    };
    Ok(diff.deltas().all(|delta| is_evidence(delta.old_file()) && is_evidence(delta.new_file())))
}
