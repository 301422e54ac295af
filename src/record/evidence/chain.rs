//! The order of packs: each names the one before, and a file names the last.

use std::fs;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{EvidenceError, MANIFEST, Manifest, TEMPORARY, file, pretty, sync, write_private};
use crate::model::hash::sha256_hex;

/// The file that names the last pack: without it, a loss at the end would not show.
const HEAD: &str = "head.json";
/// Held while a pack is written or removed.
const LOCK: &str = ".lock";
/// The largest manifest that is read; an ordinary one is a thousandth of it.
const MANIFEST_BYTES_MAX: u64 = 16 << 20;

/// A pack and the hash of its manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// Its folder, relative to the folder of all packs.
    pub pack: String,
    /// SHA-256 of its manifest.
    pub sha256: String,
}

/// The last pack.
pub(super) type Head = Link;

/// A pack as it lies on disk.
#[derive(Debug, Clone)]
pub(super) struct Found {
    pub(super) link: Link,
    pub(super) manifest: Manifest,
}

/// Waits for the right to write; ends with the returned file.
pub(super) fn turn(root: &Path) -> Result<fs::File, EvidenceError> {
    let path = root.join(LOCK);
    let lock = fs::OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&path);
    let lock = lock.map_err(file("open", &path))?;
    lock.lock().map_err(file("lock", &path))?;
    Ok(lock)
}

/// The folders of all packs, relative to the root, oldest name first.
pub(super) fn pack_names(root: &Path) -> Result<Vec<String>, EvidenceError> {
    let mut names = Vec::new();
    for minute in folders(root)? {
        for scope in folders(&root.join(&minute))? {
            names.push(format!("{minute}/{scope}"));
        }
    }
    names.sort_by_key(|name| order(name));
    Ok(names)
}

/// Sorts `20261122-2350-10/x` after `20261122-2350-2/x`.
pub(super) fn order(name: &str) -> (String, u32, String) {
    let (run, scope) = name.split_once('/').unwrap_or((name, ""));
    let mut parts = run.splitn(3, '-');
    let minute = format!("{}-{}", parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let number = parts.next().and_then(|number| number.parse().ok()).unwrap_or(1);
    (minute, number, scope.to_owned())
}

fn folders(path: &Path) -> Result<Vec<String>, EvidenceError> {
    let mut names = Vec::new();
    for entry in fs::read_dir(path).map_err(file("read", path))? {
        let entry = entry.map_err(file("read", path))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let is_folder = entry.file_type().map_err(file("read", path))?.is_dir();
        if is_folder && !name.starts_with(TEMPORARY) {
            names.push(name);
        }
    }
    Ok(names)
}

/// Reads a pack's manifest.
pub(super) fn read(root: &Path, pack: &str) -> Result<Found, EvidenceError> {
    let path = root.join(pack).join(MANIFEST);
    let bytes = read_bounded(&path, MANIFEST_BYTES_MAX)?;
    let manifest =
        serde_json::from_slice(&bytes).map_err(|err| EvidenceError::Form { path: path.clone(), err })?;
    Ok(Found { link: Link { pack: pack.to_owned(), sha256: sha256_hex(&bytes) }, manifest })
}

/// Reads a whole file that is not larger than a limit.
pub(super) fn read_bounded(path: &Path, limit: u64) -> Result<Vec<u8>, EvidenceError> {
    use std::io::Read as _;
    let mut bytes = Vec::new();
    let read = fs::File::open(path).and_then(|file| file.take(limit + 1).read_to_end(&mut bytes));
    read.map_err(file("read", path))?;
    if bytes.len() as u64 > limit {
        let err = std::io::Error::other(format!("larger than {limit} bytes"));
        return Err(EvidenceError::File { action: "read", path: path.to_owned(), err });
    }
    Ok(bytes)
}

/// The last pack: the one that the head names, or one that was published before a crash kept the head from moving.
pub(super) fn find_head(root: &Path) -> Result<Option<Link>, EvidenceError> {
    let mut head = read_link(&root.join(HEAD))?;
    let since = head.as_ref().map(|head| order(&head.pack).0);
    let names = pack_names(root)?.into_iter().filter(|name| since.as_ref() <= Some(&order(name).0));
    let mut recent = Vec::new();
    for name in names {
        // A pack that can't be read is no link; verifying names it.
        if let Ok(found) = read(root, &name) {
            recent.push(found);
        }
    }
    // At most one round for each pack: every round moves the head to another.
    for _ in 0..recent.len() {
        let Some(next) = recent.iter().find(|found| found.manifest.previous == head) else { break };
        if head.as_ref() == Some(&next.link) {
            break;
        }
        head = Some(next.link.clone());
    }
    Ok(head)
}

pub(super) fn head(root: &Path) -> Result<Option<Link>, EvidenceError> {
    read_link(&root.join(HEAD))
}

pub(super) fn write_head(root: &Path, head: &Head) -> Result<(), EvidenceError> {
    write_link(root, HEAD, head)
}

pub(super) fn read_link(path: &Path) -> Result<Option<Link>, EvidenceError> {
    if !path.exists() {
        return Ok(None);
    }
    let bytes = read_bounded(path, MANIFEST_BYTES_MAX)?;
    let link = serde_json::from_slice(&bytes);
    link.map(Some).map_err(|err| EvidenceError::Form { path: path.to_owned(), err })
}

/// Replaces a file that names a pack, whole or not at all.
pub(super) fn write_link(root: &Path, name: &str, link: &Link) -> Result<(), EvidenceError> {
    let temporary: PathBuf = root.join(format!(".{name}"));
    let _ = fs::remove_file(&temporary);
    write_private(&temporary, pretty(link).as_bytes())?;
    let path = root.join(name);
    fs::rename(&temporary, &path).map_err(file("name", &path))?;
    sync(root)
}
