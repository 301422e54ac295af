//! Folders of modules → roots: lists them and reads their manifests, several at a time, through the cache.

mod cache;
pub mod checksum;
pub mod committed;

use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use self::cache::{Cache, Identity, Stored};
use super::literal::SOURCE_BYTES_MAX;
use super::manifest;
use super::universe::{Found, Root, RootKind};
use crate::model::problem::{Location, Problem};

pub use self::cache::CacheFile;

/// Names of manifests; the first that is there counts.
const MANIFEST_NAMES: [&str; 2] = ["__manifest__.py", "__openerp__.py"];
/// Folders of one root; the largest known, Odoo with Enterprise, has some 1,300.
const ENTRIES_MAX: usize = 200_000;
/// Readers at a time; more only wait for the same disk.
const READERS_MAX: usize = 8;
/// Folders that are worth a reader of their own.
const ENTRIES_PER_READER: usize = 256;

/// A root to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RootRequest {
    /// Where it is.
    pub path: PathBuf,
    /// Its path as the person knows it.
    pub shown: String,
    /// What it is.
    pub kind: RootKind,
    /// The repository that it belongs to.
    pub repository: Option<String>,
}

/// Why a root can't be read.
#[derive(Debug, thiserror::Error)]
pub enum RootError {
    /// Listing fails.
    #[error("failed to read the root `{root}`")]
    List {
        /// The root.
        root: String,
        /// Why.
        #[source]
        err: io::Error,
    },
    /// There is no end to it.
    #[error("the root `{root}` has more than {ENTRIES_MAX} entries")]
    TooMany {
        /// The root.
        root: String,
    },
}

/// Reads all roots. With a cache file, manifests that did not change since are not read again.
pub fn read_roots(requests: &[RootRequest], cache_file: Option<&CacheFile>) -> Result<Vec<Root>, RootError> {
    let mut roots = Vec::with_capacity(requests.len());
    let mut folders: Vec<Folder<'_>> = Vec::new();
    for (number, request) in requests.iter().enumerate() {
        roots.push(Root {
            path: request.shown.clone(),
            kind: request.kind,
            repository: request.repository.clone(),
            modules: Vec::new(),
            bare: Vec::new(),
        });
        folders.extend(list(request, number)?);
    }
    let cache = cache_file.map(CacheFile::load).unwrap_or_default();
    let looked = look_at_all(&folders, &cache);
    let changed = looked.iter().any(|look| matches!(look, Look::Module { fresh: true, .. }));
    let mut kept = Vec::new();
    for (folder, look) in folders.into_iter().zip(looked) {
        let root = &mut roots[folder.root];
        match look {
            Look::Module { found, stored, .. } => {
                kept.extend(stored);
                root.modules.push(found);
            }
            Look::Bare => root.bare.push(folder.name),
            Look::Nothing => {}
        }
    }
    if let Some(file) = cache_file.filter(|_| changed) {
        file.save(kept);
    }
    Ok(roots)
}

/// A folder that may be a module.
struct Folder<'a> {
    root: usize,
    request: &'a RootRequest,
    name: String,
    is_link: bool,
}

/// The folders of a root, by name.
fn list(request: &RootRequest, root: usize) -> Result<Vec<Folder<'_>>, RootError> {
    let failed = |err| RootError::List { root: request.shown.clone(), err };
    let mut folders = Vec::new();
    for entry in fs::read_dir(&request.path).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let kind = entry.file_type().map_err(failed)?;
        // A module is imported by its name, so it is text and does not begin with a point.
        let Ok(name) = entry.file_name().into_string() else { continue };
        if name.starts_with('.') || !(kind.is_dir() || kind.is_symlink()) {
            continue;
        }
        if folders.len() == ENTRIES_MAX {
            return Err(RootError::TooMany { root: request.shown.clone() });
        }
        folders.push(Folder { root, request, name, is_link: kind.is_symlink() });
    }
    folders.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    Ok(folders)
}

/// What is in a folder.
enum Look {
    Module {
        found: Found,
        /// What the cache keeps of it: only manifests about which there is nothing to say.
        stored: Option<Stored>,
        /// Whether the file had to be read.
        fresh: bool,
    },
    Bare,
    Nothing,
}

fn look_at_all(folders: &[Folder<'_>], cache: &Cache) -> Vec<Look> {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let readers = processors.min(READERS_MAX).min(folders.len() / ENTRIES_PER_READER).max(1);
    if readers == 1 {
        return folders.iter().map(|folder| look_at(folder, cache)).collect();
    }
    let share = folders.len().div_ceil(readers);
    std::thread::scope(|scope| {
        let threads: Vec<_> = folders
            .chunks(share)
            .map(|part| {
                scope.spawn(move || part.iter().map(|folder| look_at(folder, cache)).collect::<Vec<_>>())
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("a reader does not panic")).collect()
    })
}

fn look_at(folder: &Folder<'_>, cache: &Cache) -> Look {
    let path = folder.request.path.join(&folder.name);
    for file in MANIFEST_NAMES {
        let manifest = path.join(file);
        match fs::metadata(&manifest) {
            Ok(metadata) if metadata.is_file() => {
                return look_at_manifest(folder, file, &manifest, &metadata, cache);
            }
            // Whether it is a module isn't known.
            Err(err) if err.kind() == std::io::ErrorKind::PermissionDenied => {
                return unreadable(folder, file, format!("can't be looked at: {err}"));
            }
            Ok(_) | Err(_) => {}
        }
    }
    // A link to no folder, or one that leads to itself, is nothing.
    if folder.is_link && !path.is_dir() { Look::Nothing } else { Look::Bare }
}

fn look_at_manifest(
    folder: &Folder<'_>,
    file: &'static str,
    path: &Path,
    metadata: &fs::Metadata,
    cache: &Cache,
) -> Look {
    let identity = Identity::of(metadata);
    if let Some(stored) = cache.by_identity(&identity) {
        let found = Found {
            name: folder.name.clone(),
            file,
            manifest: Some(stored.manifest.clone()),
            problems: Vec::new(),
        };
        return Look::Module { found, stored: Some(stored.clone()), fresh: false };
    }
    let shown = format!("{}/{}/{file}", folder.request.shown.trim_end_matches('/'), folder.name);
    let read = match read_bounded(path) {
        Ok(bytes) => {
            let content = cache::digest(&bytes);
            if let Some(manifest) = cache.by_content(&content) {
                let found = Found {
                    name: folder.name.clone(),
                    file,
                    manifest: Some(manifest.clone()),
                    problems: Vec::new(),
                };
                let stored = Some(Stored { identity, content, manifest: manifest.clone() });
                return Look::Module { found, stored, fresh: true };
            }
            let read = manifest::read(&shown, &bytes);
            if let (Some(manifest), true) = (&read.manifest, read.problems.is_empty()) {
                let manifest = Arc::new(manifest.clone());
                let stored = Some(Stored { identity, content, manifest: Arc::clone(&manifest) });
                let found =
                    Found { name: folder.name.clone(), file, manifest: Some(manifest), problems: Vec::new() };
                return Look::Module { found, stored, fresh: true };
            }
            read
        }
        Err(message) => return unreadable(folder, file, message),
    };
    let found = Found {
        name: folder.name.clone(),
        file,
        manifest: read.manifest.map(Arc::new),
        problems: read.problems,
    };
    // It is read each time anyway, and is no reason to write the cache.
    Look::Module { found, stored: None, fresh: false }
}

fn unreadable(folder: &Folder<'_>, file: &'static str, message: String) -> Look {
    let shown = format!("{}/{}/{file}", folder.request.shown.trim_end_matches('/'), folder.name);
    let problems = vec![Problem::error("unreadable-manifest", message).at(Location::of_file(shown))];
    let found = Found { name: folder.name.clone(), file, manifest: None, problems };
    Look::Module { found, stored: None, fresh: false }
}

fn read_bounded(path: &Path) -> Result<Vec<u8>, String> {
    let limit = SOURCE_BYTES_MAX as u64 + 1;
    let mut bytes = Vec::new();
    let file = fs::File::open(path).map_err(|err| format!("can't be opened: {err}"))?;
    file.take(limit).read_to_end(&mut bytes).map_err(|err| format!("can't be read: {err}"))?;
    if bytes.len() > SOURCE_BYTES_MAX {
        return Err(format!("longer than {} KiB, no manifest is", SOURCE_BYTES_MAX / 1024));
    }
    Ok(bytes)
}
