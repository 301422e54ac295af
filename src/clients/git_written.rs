//! Which uncommitted content of a checkout's files is ours.
//!
//! What ipaictl writes into a checkout and a person has yet to commit is kept there as an object under a name of ours. So it is
//! told from somebody's edit by what it is, whatever has become of the documents that asked for it.

use std::path::Path;

use git2::{ErrorCode, ObjectType, Oid, Repository};

use crate::model::hash::sha256_hex;

/// Notes that a file, relative to the checkout, gets this content.
pub fn note(repository: &Repository, file: &str, content: &[u8]) -> Result<(), git2::Error> {
    let blob = repository.blob(content)?;
    repository.reference(&name(file), blob, true, "ipaictl: written").map(drop)
}

/// Whether a file holds just what was written into it.
pub fn is_written(repository: &Repository, file: &str) -> Result<bool, git2::Error> {
    let written = match repository.find_reference(&name(file)) {
        Ok(reference) => reference.target(),
        Err(err) if err.code() == ErrorCode::NotFound => return Ok(false),
        Err(err) => return Err(err),
    };
    let path = repository.workdir().unwrap_or(Path::new("")).join(file);
    let is_file = std::fs::symlink_metadata(&path).is_ok_and(|found| found.is_file());
    // What somebody staged is theirs, whatever lies in the work tree.
    let staged = repository.index()?.get_path(Path::new(file), 0).map(|entry| entry.id);
    let committed = repository.head()?.peel_to_tree()?.get_path(Path::new(file)).ok().map(|entry| entry.id());
    let is_staged = staged != committed && staged != written;
    Ok(is_file && !is_staged && written == Some(Oid::hash_file(ObjectType::Blob, &path)?))
}

/// Names of references can't be any path.
fn name(file: &str) -> String {
    format!("refs/ipaictl/written/{}", &sha256_hex(file.as_bytes())[..16])
}
