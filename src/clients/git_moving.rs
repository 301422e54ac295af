//! Moves of a work tree to a commit that were broken off, and how they are told from somebody's work.
//!
//! git moves a work tree file by file; killed in between, it leaves files of two commits and its lock on the index. Before a
//! move of ours both commits get names. Afterwards a work tree that is still at the first, in which every difference is a file
//! of the second, whole or begun, holds nobody's work: all of it is in the second, which that name keeps.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use git2::{ErrorCode, IndexEntryExtendedFlag, IndexEntryFlag, ObjectType, Oid, Repository, Status, Tree};

use super::git_lock;
use super::git_status::{Others, differences};

/// How a tree marks a file that may be run.
const PROGRAM: i32 = 0o100_755;
/// The name of the commit that a work tree is being moved to.
const MOVING: &str = "refs/ipaictl/moving";
/// The name of the commit that it was at.
const FROM: &str = "refs/ipaictl/moving-from";

/// Notes where a work tree is about to be moved.
pub fn begin(repository: &Repository, target: Oid) -> Result<(), git2::Error> {
    git_lock::forget(repository.path()).map_err(|err| git2::Error::from_str(&err.to_string()))?;
    let from = match repository.head() {
        Ok(head) => head.peel_to_commit()?.id(),
        // A new clone whose remote's HEAD leads nowhere: it is whole, or made anew.
        Err(err) if matches!(err.code(), ErrorCode::UnbornBranch | ErrorCode::NotFound) => return Ok(()),
        Err(err) => return Err(err),
    };
    repository.reference(FROM, from, true, "ipaictl: moving")?;
    repository.reference(MOVING, target, true, "ipaictl: moving").map(drop)
}

/// Notes that it has arrived.
pub fn end(repository: &Repository) -> Result<(), git2::Error> {
    for name in [MOVING, FROM] {
        match repository.find_reference(name) {
            Ok(mut reference) => reference.delete()?,
            Err(err) if err.code() == ErrorCode::NotFound => {}
            Err(err) => return Err(err),
        }
    }
    Ok(())
}

/// Notes that it was refused, when nothing was moved.
pub fn give_up(repository: &Repository) -> Result<(), git2::Error> {
    match differences(repository, Others::Untold)?.is_empty() {
        true => end(repository),
        false => Ok(()),
    }
}

/// The commit that a work tree was being moved to.
pub fn target(repository: &Repository) -> Result<Oid, git2::Error> {
    repository.refname_to_id(MOVING)
}

fn noted(repository: &Repository, name: &str) -> Result<Option<Oid>, git2::Error> {
    match repository.refname_to_id(name) {
        Ok(id) => Ok(Some(id)),
        Err(err) if err.code() == ErrorCode::NotFound => Ok(None),
        Err(err) => Err(err),
    }
}

/// Whether a work tree differs from its commit, and what git tracks in nothing but what a move of ours that was broken off left:
/// then other new files, which are in nobody's way.
pub fn half_moved(repository: &Repository) -> Result<Option<Vec<String>>, git2::Error> {
    let (Some(target), Some(from)) = (noted(repository, MOVING)?, noted(repository, FROM)?) else {
        return Ok(None);
    };
    let head = repository.head()?.peel_to_commit()?;
    // HEAD is written last, and whoever moved it since knows more.
    if head.id() != from || from == target {
        return Ok(None);
    }
    let (old, new) = (head.tree()?, repository.find_commit(target)?.tree()?);
    let mut index = repository.index()?;
    index.read(true)?;
    // What git was told not to look at, nobody sees change.
    let unseen = IndexEntryFlag::VALID.bits();
    let skipped = IndexEntryExtendedFlag::SKIP_WORKTREE.bits();
    if index.iter().any(|entry| entry.flags & unseen != 0 || entry.flags_extended & skipped != 0) {
        return Ok(None);
    }
    // The lock stays when git is killed; without it, git was through with the files and the index.
    let began = fs::metadata(repository.commondir().join(FROM)).and_then(|found| found.modified()).ok();
    let is_cut_off = began.is_some_and(|began| git_lock::was_left(repository, began));
    if !is_cut_off && repository.diff_tree_to_index(Some(&new), Some(&index), None)?.deltas().len() > 0 {
        return Ok(None);
    }
    let (mut differs, mut others) = (false, Vec::new());
    for (name, status) in differences(repository, Others::All)? {
        // A name that is no text is not found in a tree.
        if name.contains(char::REPLACEMENT_CHARACTER) {
            return Ok(None);
        }
        let path = Path::new(&name);
        let entry = |tree: &Tree<'_>| tree.get_path(path).ok().map(|entry| (entry.id(), entry.filemode()));
        let (before, wanted) = (entry(&old), entry(&new));
        if wanted.is_none() && matches!(status, Status::WT_NEW | Status::IGNORED) {
            // A file below what becomes one itself goes with its folder.
            let is_in_the_way =
                path.ancestors().skip(1).filter(|it| !it.as_os_str().is_empty()).any(|folder| {
                    new.get_path(folder).is_ok_and(|entry| entry.kind() != Some(ObjectType::Tree))
                });
            if is_in_the_way {
                return Ok(None);
            }
            others.extend((status == Status::WT_NEW).then_some(name));
            continue;
        }
        differs |= status != Status::IGNORED;
        let staged =
            Status::INDEX_NEW | Status::INDEX_MODIFIED | Status::INDEX_DELETED | Status::INDEX_TYPECHANGE;
        if status.intersects(staged) && index.get_path(path, 0).map(|entry| entry.id) != wanted.map(|it| it.0)
        {
            return Ok(None);
        }
        // git touches no file that both commits have alike, and files are complete once the index is written.
        let is_git = before != wanted && is_cut_off;
        if !is_of(repository, wanted, path, status.difference(staged), is_git) {
            return Ok(None);
        }
    }
    Ok(differs.then_some(others))
}

fn is_of(
    repository: &Repository,
    wanted: Option<(Oid, i32)>,
    path: &Path,
    status: Status,
    is_git: bool,
) -> bool {
    match status {
        Status::CURRENT => true,
        // A file that is to be replaced goes first.
        Status::WT_DELETED => is_git,
        Status::WT_NEW | Status::WT_MODIFIED | Status::WT_TYPECHANGE if !is_git => false,
        Status::WT_NEW | Status::WT_MODIFIED | Status::WT_TYPECHANGE | Status::IGNORED => {
            wanted.and_then(|wanted| has_content(repository, wanted, path)).unwrap_or(false)
        }
        _ => false,
    }
}

/// Whether a file has the content and the mode of a tree's entry, or begins with it.
fn has_content(repository: &Repository, (id, mode): (Oid, i32), path: &Path) -> Option<bool> {
    let file = repository.workdir()?.join(path);
    let found = fs::symlink_metadata(&file).ok()?;
    let is_program = found.is_file() && found.permissions().mode() & 0o100 != 0;
    let is = match () {
        () if found.is_symlink() => fs::read_link(&file).ok()?.into_os_string().into_encoded_bytes(),
        () if found.is_file() && is_program == (mode == PROGRAM) => fs::read(&file).ok()?,
        () => return None,
    };
    // A partial clone has only the files that were checked out, and each of these hashes to its name.
    if Oid::hash_object(ObjectType::Blob, &is).ok()? == id {
        return Some(true);
    }
    Some(repository.find_blob(id).ok()?.content().starts_with(&is))
}
