//! Moves of a work tree to a commit that were broken off, and how they are told from somebody's work.
//!
//! git moves a work tree file by file; killed in between, it leaves files of two commits. Before a move its target gets a name of
//! ours. Afterwards a work tree in which every difference is a file of that target, whole or begun, holds nobody's work: all of
//! it is in the target, which that name keeps.

use std::fs;
use std::path::Path;

use git2::{ErrorCode, ObjectType, Oid, Repository, Status};

use super::git_status::{Others, differences};

/// The name of the commit that a work tree is being moved to.
const MOVING: &str = "refs/ipaictl/moving";

/// Notes where a work tree is about to be moved.
pub fn begin(repository: &Repository, target: Oid) -> Result<(), git2::Error> {
    repository.reference(MOVING, target, true, "ipaictl: moving").map(drop)
}

/// Notes that it has arrived.
pub fn end(repository: &Repository) -> Result<(), git2::Error> {
    match repository.find_reference(MOVING) {
        Ok(mut reference) => reference.delete(),
        Err(err) if err.code() == ErrorCode::NotFound => Ok(()),
        Err(err) => Err(err),
    }
}

/// Whether a work tree differs from its commit, and what git tracks in nothing but what a move of ours that was broken off left:
/// then other new files, which are in nobody's way.
pub fn half_moved(repository: &Repository) -> Result<Option<Vec<String>>, git2::Error> {
    let target = match repository.find_reference(MOVING) {
        Ok(reference) => reference.peel_to_commit()?.tree()?,
        Err(err) if err.code() == ErrorCode::NotFound => return Ok(None),
        Err(err) => return Err(err),
    };
    let index = repository.index()?;
    let (mut differs, mut others) = (false, Vec::new());
    for (name, status) in differences(repository, Others::All)? {
        let path = Path::new(&name);
        let wanted = target.get_path(path).ok().map(|entry| entry.id());
        // The index is written when all files are, and before HEAD.
        let staged =
            Status::INDEX_NEW | Status::INDEX_MODIFIED | Status::INDEX_DELETED | Status::INDEX_TYPECHANGE;
        if wanted.is_none() && matches!(status, Status::WT_NEW | Status::IGNORED) {
            others.extend((status == Status::WT_NEW).then_some(name));
            continue;
        }
        differs |= status != Status::IGNORED;
        let is_staged = status.intersects(staged);
        if is_staged && index.get_path(path, 0).map(|entry| entry.id) != wanted {
            return Ok(None);
        }
        if !is_of(repository, wanted, path, status.difference(staged)) {
            return Ok(None);
        }
    }
    Ok(differs.then_some(others))
}

fn is_of(repository: &Repository, wanted: Option<Oid>, path: &Path, status: Status) -> bool {
    match status {
        // A file that is not there holds nothing.
        Status::CURRENT | Status::WT_DELETED => true,
        Status::WT_NEW | Status::WT_MODIFIED | Status::WT_TYPECHANGE | Status::IGNORED => {
            wanted.and_then(|wanted| has_content(repository, wanted, path)).unwrap_or(false)
        }
        _ => false,
    }
}

/// Whether a file has the content of an object, or begins with it.
fn has_content(repository: &Repository, id: Oid, path: &Path) -> Option<bool> {
    let file = repository.workdir()?.join(path);
    let is = match fs::symlink_metadata(&file).ok()? {
        found if found.is_symlink() => fs::read_link(&file).ok()?.into_os_string().into_encoded_bytes(),
        found if found.is_file() => fs::read(&file).ok()?,
        _ => return None,
    };
    // A partial clone has only the files that were checked out, and each of these hashes to its name.
    if Oid::hash_object(ObjectType::Blob, &is).ok()? == id {
        return Some(true);
    }
    Some(repository.find_blob(id).ok()?.content().starts_with(&is))
}
