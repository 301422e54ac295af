//! Manifests that were read before, by the identity and by the content of their files.
//!
//! A manifest is taken from the cache without a look into the file when device, inode, size, times of change and of status
//! are what they were; a file that changed shortly before the cache was written may have changed again within the same tick
//! of the clock, so it is read again and compared by content. A cache that is damaged, or of another version, is none.

use std::collections::HashMap;
use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::model::hash::sha256_hex;
use crate::odoo::manifest::Manifest;

/// The first word of a cache; another number for another form of its content.
const MAGIC: &str = concat!("ipaictl-deps-cache-1-", env!("CARGO_PKG_VERSION"));
/// The most bytes of a cache: 100,000 modules.
const CACHE_BYTES_MAX: u64 = 64 << 20;
/// Caches that are kept, one a set of roots; a person works with a handful of checkouts.
const FILES_MAX: usize = 16;
/// Nanoseconds within which a second change may leave the times as they are; some file systems count in whole seconds.
const RACY_NANOSECONDS: i128 = 2_000_000_000;

/// What makes a file that file, unchanged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) struct Identity(u64, u64, u64, i64, i64, i64, i64);

impl Identity {
    pub fn of(metadata: &fs::Metadata) -> Self {
        Identity(
            metadata.dev(),
            metadata.ino(),
            metadata.size(),
            metadata.mtime(),
            metadata.mtime_nsec(),
            metadata.ctime(),
            metadata.ctime_nsec(),
        )
    }

    fn status_changed(&self) -> i128 {
        i128::from(self.5) * 1_000_000_000 + i128::from(self.6)
    }
}

/// A manifest as it is kept.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Stored {
    #[serde(rename = "i")]
    pub identity: Identity,
    #[serde(rename = "c")]
    pub content: String,
    #[serde(rename = "m")]
    pub manifest: Arc<Manifest>,
}

/// The manifests of an earlier run.
#[derive(Debug, Default)]
pub(super) struct Cache {
    stored: Vec<Stored>,
    identities: HashMap<Identity, usize>,
    contents: OnceLock<HashMap<String, usize>>,
}

#[derive(Serialize, Deserialize)]
struct Content {
    written: i128,
    stored: Vec<Stored>,
}

impl Cache {
    pub fn by_identity(&self, identity: &Identity) -> Option<&Stored> {
        self.identities.get(identity).map(|at| &self.stored[*at])
    }

    pub fn by_content(&self, content: &str) -> Option<&Arc<Manifest>> {
        // Most runs find all files as they were and never ask.
        let index =
            || self.stored.iter().enumerate().map(|(at, stored)| (stored.content.clone(), at)).collect();
        self.contents.get_or_init(index).get(content).map(|at| &self.stored[*at].manifest)
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let end = bytes.iter().position(|byte| *byte == b'\n')?;
        let head = std::str::from_utf8(&bytes[..end]).ok()?;
        let body = &bytes[end + 1..];
        if head != head_of(body) {
            return None;
        }
        let content: Content = serde_json::from_slice(body).ok()?;
        let mut cache = Cache { stored: content.stored, ..Cache::default() };
        for (at, stored) in cache.stored.iter().enumerate() {
            if stored.identity.status_changed() + RACY_NANOSECONDS < content.written {
                cache.identities.insert(stored.identity, at);
            }
        }
        Some(cache)
    }
}

fn head_of(body: &[u8]) -> String {
    format!("{MAGIC} {}", sha256_hex(body))
}

/// A name for the content of a file.
pub(super) fn digest(bytes: &[u8]) -> String {
    // Sixteen bytes are enough: whoever can make two manifests collide can as well write the one that is read.
    hex::encode(&Sha256::digest(bytes)[..16])
}

/// Where the cache of a set of roots is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CacheFile {
    path: PathBuf,
}

impl CacheFile {
    /// The file of these roots in a folder.
    pub fn new<'a>(folder: &Path, roots: impl IntoIterator<Item = &'a Path>) -> Self {
        let mut name = Vec::new();
        for root in roots {
            name.extend_from_slice(root.as_os_str().as_encoded_bytes());
            name.push(0);
        }
        CacheFile { path: folder.join(format!("{}.json", &sha256_hex(&name)[..16])) }
    }

    /// Reads it; whatever is wrong with it, it is as if it were not there.
    pub(super) fn load(&self) -> Cache {
        let mut bytes = Vec::new();
        let Ok(file) = fs::File::open(&self.path) else { return Cache::default() };
        match file.take(CACHE_BYTES_MAX).read_to_end(&mut bytes) {
            Ok(_) => Cache::parse(&bytes).unwrap_or_default(),
            Err(_) => Cache::default(),
        }
    }

    /// Writes it. That it can't be written only makes the next run slower.
    pub(super) fn save(&self, stored: Vec<Stored>) {
        let written =
            SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as i128);
        let Ok(body) = serde_json::to_vec(&Content { written, stored }) else { return };
        if body.len() as u64 >= CACHE_BYTES_MAX || self.write(&body).is_err() {
            tracing::debug!(path = %self.path.display(), "the cache of manifests is not written");
        }
    }

    fn write(&self, body: &[u8]) -> std::io::Result<()> {
        let folder = self.path.parent().unwrap_or(Path::new("."));
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        if !self.path.exists() {
            prune(folder)?;
        }
        // Each run writes a file of its own and renames it, so that nobody reads half of one.
        let temporary = self.path.with_extension(format!("{}.part", std::process::id()));
        let mut file =
            fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
        file.write_all(head_of(body).as_bytes())?;
        file.write_all(b"\n")?;
        file.write_all(body)?;
        drop(file);
        fs::rename(&temporary, &self.path)
    }
}

/// Removes the caches that were not written for longest, to leave room for one more.
fn prune(folder: &Path) -> std::io::Result<()> {
    let mut files: Vec<(SystemTime, PathBuf)> = Vec::new();
    for entry in fs::read_dir(folder)?.take(FILES_MAX * 16) {
        let entry = entry?;
        let is_ours =
            entry.path().extension().is_some_and(|extension| extension == "json" || extension == "part");
        if is_ours {
            files.push((entry.metadata()?.modified()?, entry.path()));
        }
    }
    files.sort();
    let surplus = (files.len() + 1).saturating_sub(FILES_MAX);
    for (_, path) in files.into_iter().take(surplus) {
        fs::remove_file(path)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::odoo::manifest;

    fn stored(folder: &Path) -> Stored {
        let path = folder.join("file");
        fs::write(&path, "{'depends': ['base']}").unwrap();
        let manifest = Arc::new(manifest::read("m", b"{'depends': ['base']}").manifest.unwrap());
        Stored { identity: Identity::of(&fs::metadata(path).unwrap()), content: digest(b"x"), manifest }
    }

    #[test]
    fn a_file_that_has_just_changed_is_known_by_content_alone() {
        let folder = tempfile::tempdir().unwrap();
        let file = CacheFile::new(folder.path(), [Path::new("/a")]);
        let entry = stored(folder.path());
        file.save(vec![entry.clone()]);
        let cache = file.load();
        assert!(cache.by_identity(&entry.identity).is_none());
        assert_eq!(cache.by_content(&entry.content), Some(&entry.manifest));
        let mut old = entry;
        old.identity.5 -= 10;
        file.save(vec![old.clone()]);
        assert!(file.load().by_identity(&old.identity).is_some());
    }

    #[test]
    fn a_damaged_cache_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let file = CacheFile::new(folder.path(), [Path::new("/a")]);
        let entry = stored(folder.path());
        file.save(vec![entry.clone()]);
        let whole = fs::read(&file.path).unwrap();
        assert!(Cache::parse(&whole).is_some());
        for at in [0, 30, whole.len() / 2, whole.len() - 1] {
            let mut damaged = whole.clone();
            damaged[at] ^= 1;
            assert!(Cache::parse(&damaged).is_none(), "byte {at}");
            assert!(Cache::parse(&whole[..at]).is_none(), "cut at {at}");
        }
        fs::write(&file.path, b"\xff\n{}").unwrap();
        assert!(file.load().by_content(&entry.content).is_none());
    }

    #[test]
    fn only_so_many_caches_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        for number in 0..40 {
            CacheFile::new(folder.path(), [Path::new(&format!("/{number}"))]).save(Vec::new());
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), FILES_MAX);
    }
}
