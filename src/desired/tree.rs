//! The files of a repository at one revision, or of a working tree, read without ever leaving it.
//!
//! Symbolic links are resolved by us, part by part: inside the root they are followed for files that
//! a specification names, outside they are refused. Sizes are checked before anything is read.

use std::collections::VecDeque;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use git2::{ObjectType, Oid, Repository};

use crate::clients::secrets::StateFiles;
use crate::model::document::FILE_BYTES_MAX;
use crate::model::hash::sha256_hex;
use crate::skills::stack::compose::{FileRead, Look, Refusal};

/// Folders within folders.
pub(super) const FOLDERS_DEPTH_MAX: usize = 32;
/// The list of files of a build context; about 200,000 files.
const DESCRIPTION_BYTES_MAX: usize = 32 << 20;
/// Symbolic links on the way to one file.
const LINKS_MAX: usize = 16;
/// A mounted file is hashed up to this size; larger ones are not configuration.
const DIGEST_BYTES_MAX: u64 = 64 << 20;

/// Entries of one folder of a working tree.
pub(super) const ENTRIES_MAX: usize = 200_000;

/// What is said of an entry whose name can't be written.
const NAME_NOT_TEXT: &str = "a file whose name is not UTF-8";

const MODE_LINK: i32 = 0o120000;
const MODE_SUBMODULE: i32 = 0o160000;

/// The files of one revision, or of a working tree.
pub struct Tree {
    root: Root,
}

enum Root {
    Commit { repository: Repository, tree: Oid },
    Folder(PathBuf),
}

/// What is at a path, links not followed.
pub(super) enum Entry {
    Missing,
    Folder,
    File { size: u64, id: Option<Oid> },
    Link(String),
    Submodule,
    Other(&'static str),
}

/// Where a path leads.
enum Resolved {
    File { path: String, size: u64, id: Option<Oid> },
    Folder { path: String },
    Missing,
    Refused(Refusal),
    Unknown(String),
}

impl Tree {
    /// The files of a commit.
    pub fn commit(repository: Repository, commit: &str) -> Result<Self, git2::Error> {
        let tree = repository.revparse_single(commit)?.peel_to_commit()?.tree_id();
        Ok(Tree { root: Root::Commit { repository, tree } })
    }

    /// The files of a folder.
    pub fn folder(root: &Path) -> Self {
        Tree { root: Root::Folder(root.to_owned()) }
    }

    /// Reads a file by its path relative to the root, at most [`FILE_BYTES_MAX`] bytes of it.
    pub fn read(&self, path: &str) -> FileRead {
        match self.resolve(path) {
            Resolved::File { size, .. } if size > FILE_BYTES_MAX as u64 => {
                let why = format!("has {size} bytes; at most {FILE_BYTES_MAX} are read");
                FileRead::Refused(Refusal::too_large(why))
            }
            Resolved::File { path, id, .. } => match self.bytes(&path, id) {
                Ok(bytes) => FileRead::Bytes(bytes),
                Err(why) => FileRead::Unknown(why),
            },
            Resolved::Folder { .. } => FileRead::Refused(Refusal::not_a_file("is a folder")),
            Resolved::Missing => FileRead::Missing,
            Resolved::Refused(why) => FileRead::Refused(why),
            Resolved::Unknown(why) => FileRead::Unknown(why),
        }
    }

    /// The digest (`sha256:<hex>`) of a regular file; `Ok(None)` for folders and what isn't there.
    pub fn digest(&self, path: &str) -> Result<Option<String>, String> {
        match self.resolve(path) {
            Resolved::File { size, .. } if size > DIGEST_BYTES_MAX => {
                Err(format!("has {size} bytes; at most {DIGEST_BYTES_MAX} are compared"))
            }
            Resolved::File { path, id, .. } => {
                Ok(Some(format!("sha256:{}", sha256_hex(&self.bytes(&path, id)?))))
            }
            Resolved::Folder { .. } | Resolved::Missing => Ok(None),
            Resolved::Refused(Refusal { why, .. }) | Resolved::Unknown(why) => Err(why),
        }
    }

    /// What is at a path, links followed as far as they stay in the root.
    pub fn look(&self, path: &str) -> Look {
        match self.resolve(path) {
            Resolved::File { .. } => Look::File,
            Resolved::Folder { .. } => Look::Folder,
            Resolved::Missing => Look::Missing,
            Resolved::Refused(refusal) => Look::Refused(refusal),
            Resolved::Unknown(_) => Look::Unknown,
        }
    }

    /// A digest over names and contents below a folder, such as a build context; `Ok(None)` when there is none.
    pub fn folder_digest(&self, path: &str) -> Result<Option<String>, String> {
        let Resolved::Folder { path } = self.resolve(path) else { return Ok(None) };
        match &self.root {
            Root::Commit { .. } => match self.tree_id(&path) {
                // A tree's id is a hash over names, modes and contents already.
                Some(id) => Ok(Some(format!("tree:{id}"))),
                None => Ok(None),
            },
            Root::Folder(_) => {
                let mut lines = String::new();
                self.describe(&path, 0, &mut lines)?;
                Ok(Some(format!("tree:{}", sha256_hex(lines.as_bytes()))))
            }
        }
    }

    /// Writes one line per file below a folder: its path, and its digest or link target.
    fn describe(&self, folder: &str, depth: usize, lines: &mut String) -> Result<(), String> {
        if depth > FOLDERS_DEPTH_MAX || lines.len() > DESCRIPTION_BYTES_MAX {
            return Err("is too large to be compared".to_owned());
        }
        for (name, entry) in self.list(folder)? {
            let path = join(folder, &name);
            match entry {
                Entry::Folder if name == ".git" => {}
                Entry::Folder => self.describe(&path, depth + 1, lines)?,
                Entry::File { size, .. } if size > DIGEST_BYTES_MAX => {
                    return Err(format!(
                        "`{path}` has {size} bytes; at most {DIGEST_BYTES_MAX} are compared"
                    ));
                }
                Entry::File { id, .. } => {
                    lines.push_str(&format!("{path}\0{}\n", sha256_hex(&self.bytes(&path, id)?)));
                }
                Entry::Link(target) => lines.push_str(&format!("{path}\0-> {target}\n")),
                Entry::Missing | Entry::Submodule | Entry::Other(_) => {}
            }
        }
        Ok(())
    }

    /// The names in the folder above a path, to find what may be meant.
    pub fn siblings(&self, path: &str) -> Vec<String> {
        let parent = path.rsplit_once('/').map_or("", |(parent, _)| parent);
        let names = self.list(parent).unwrap_or_default();
        names.into_iter().map(|(name, _)| join(parent, &name)).collect()
    }

    /// Follows a path part by part, links included, without leaving the root.
    fn resolve(&self, path: &str) -> Resolved {
        if path.starts_with('/') || path.contains('\0') {
            return Resolved::Refused(Refusal::outside("is not relative to the repository"));
        }
        let mut pending: VecDeque<String> = path.split('/').map(str::to_owned).collect();
        let mut done: Vec<String> = Vec::new();
        let mut last = Entry::Folder;
        let mut links = 0;
        while let Some(part) = pending.pop_front() {
            match part.as_str() {
                "" | "." => continue,
                ".." => match done.pop() {
                    Some(_) => {
                        last = Entry::Folder;
                        continue;
                    }
                    None if links > 0 => {
                        return Resolved::Refused(Refusal::outside(
                            "is a symbolic link out of the repository",
                        ));
                    }
                    None => return Resolved::Refused(Refusal::outside("leaves the repository")),
                },
                ".git" => return Resolved::Refused(Refusal::not_allowed("is git's own")),
                _ => {}
            }
            if !matches!(last, Entry::Folder) {
                return Resolved::Missing;
            }
            done.push(part);
            last = match self.entry(&done.join("/")) {
                Ok(entry) => entry,
                Err(why) => return Resolved::Unknown(why),
            };
            match &last {
                Entry::Link(target) => {
                    links += 1;
                    if links > LINKS_MAX {
                        let why = format!("is behind more than {LINKS_MAX} symbolic links");
                        return Resolved::Refused(Refusal::not_a_file(why));
                    }
                    if target.starts_with('/') {
                        return Resolved::Refused(Refusal::outside(
                            "is a symbolic link out of the repository",
                        ));
                    }
                    for part in target.split('/').rev() {
                        pending.push_front(part.to_owned());
                    }
                    done.pop();
                    last = Entry::Folder;
                }
                Entry::Missing => return Resolved::Missing,
                Entry::Submodule => return Resolved::Refused(Refusal::not_a_file("lies in a submodule")),
                Entry::Other(what) => {
                    return Resolved::Refused(Refusal::not_a_file(format!("is {what}")));
                }
                Entry::Folder | Entry::File { .. } => {}
            }
        }
        match last {
            Entry::File { size, id } => Resolved::File { path: done.join("/"), size, id },
            _ => Resolved::Folder { path: done.join("/") },
        }
    }

    fn tree_id(&self, path: &str) -> Option<Oid> {
        let Root::Commit { repository, tree } = &self.root else { return None };
        if path.is_empty() {
            return Some(*tree);
        }
        let root = repository.find_tree(*tree).ok()?;
        let entry = root.get_path(Path::new(path)).ok()?;
        (entry.kind() == Some(ObjectType::Tree)).then(|| entry.id())
    }

    /// What is at a path.
    pub(super) fn entry(&self, path: &str) -> Result<Entry, String> {
        match &self.root {
            Root::Commit { .. } if path.is_empty() => Ok(Entry::Folder),
            Root::Commit { repository, tree } => {
                let root = repository.find_tree(*tree).map_err(|err| err.message().to_owned())?;
                match root.get_path(Path::new(path)) {
                    Ok(entry) => tree_entry(repository, entry.filemode(), entry.kind(), entry.id()),
                    Err(err) if err.code() == git2::ErrorCode::NotFound => Ok(Entry::Missing),
                    Err(err) => Err(err.message().to_owned()),
                }
            }
            Root::Folder(root) => folder_entry(&root.join(path)),
        }
    }

    /// The entries of a folder, sorted by name.
    pub(super) fn list(&self, folder: &str) -> Result<Vec<(String, Entry)>, String> {
        let mut entries = Vec::new();
        match &self.root {
            Root::Commit { repository, .. } => {
                let id = self.tree_id(folder).ok_or_else(|| "is not a folder".to_owned())?;
                let tree = repository.find_tree(id).map_err(|err| err.message().to_owned())?;
                for entry in tree.iter() {
                    let name = String::from_utf8_lossy(entry.name_bytes()).into_owned();
                    if std::str::from_utf8(entry.name_bytes()).is_err() {
                        entries.push((name, Entry::Other(NAME_NOT_TEXT)));
                        continue;
                    }
                    // Only what will be read needs its size.
                    let found = match entry.kind() {
                        Some(ObjectType::Blob) if entry.filemode() != MODE_LINK && !is_document(&name) => {
                            Entry::File { size: 0, id: Some(entry.id()) }
                        }
                        kind => tree_entry(repository, entry.filemode(), kind, entry.id())
                            .map_err(|why| format!("`{name}`: {why}"))?,
                    };
                    entries.push((name, found));
                }
            }
            Root::Folder(root) => {
                let folder = root.join(folder);
                for entry in std::fs::read_dir(&folder).map_err(|err| err.to_string())? {
                    let entry = entry.map_err(|err| err.to_string())?;
                    let name = entry.file_name();
                    let found = match name.to_str() {
                        Some(_) => folder_entry(&entry.path())?,
                        None => Entry::Other(NAME_NOT_TEXT),
                    };
                    entries.push((name.to_string_lossy().into_owned(), found));
                    if entries.len() > ENTRIES_MAX {
                        return Err(format!("has more than {ENTRIES_MAX} entries"));
                    }
                }
            }
        }
        entries.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(entries)
    }

    /// The content of a regular file that was found.
    pub(super) fn bytes(&self, path: &str, id: Option<Oid>) -> Result<Vec<u8>, String> {
        match (&self.root, id) {
            (Root::Commit { repository, .. }, Some(id)) => repository
                .find_blob(id)
                .map(|blob| blob.content().to_vec())
                .map_err(|err| format!("the object {id} is missing or damaged: {}", err.message())),
            (Root::Folder(root), _) => {
                let file = std::fs::File::open(root.join(path)).map_err(|err| err.to_string())?;
                let mut bytes = Vec::new();
                file.take(DIGEST_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(|err| err.to_string())?;
                Ok(bytes)
            }
            (Root::Commit { .. }, None) => Err("is not an object".to_owned()),
        }
    }
}

impl StateFiles for Tree {
    fn state_file(&self, path: &str) -> Result<Option<Vec<u8>>, String> {
        match self.read(path) {
            FileRead::Bytes(bytes) => Ok(Some(bytes)),
            FileRead::Missing => Ok(None),
            FileRead::Refused(Refusal { why, .. }) | FileRead::Unknown(why) => Err(why),
        }
    }
}

fn tree_entry(
    repository: &Repository,
    mode: i32,
    kind: Option<ObjectType>,
    id: Oid,
) -> Result<Entry, String> {
    let damaged = |err: git2::Error| format!("the object {id} is missing or damaged: {}", err.message());
    match (mode, kind) {
        (MODE_SUBMODULE, _) => Ok(Entry::Submodule),
        (MODE_LINK, _) => {
            let blob = repository.find_blob(id).map_err(damaged)?;
            Ok(Entry::Link(String::from_utf8_lossy(blob.content()).into_owned()))
        }
        (_, Some(ObjectType::Tree)) => Ok(Entry::Folder),
        (_, Some(ObjectType::Blob)) => {
            let odb = repository.odb().map_err(damaged)?;
            let (size, _) = odb.read_header(id).map_err(damaged)?;
            Ok(Entry::File { size: size as u64, id: Some(id) })
        }
        _ => Ok(Entry::Other("an object of another type")),
    }
}

fn folder_entry(path: &Path) -> Result<Entry, String> {
    let metadata = match std::fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(err) if err.kind() == std::io::ErrorKind::NotFound => return Ok(Entry::Missing),
        Err(err) if err.kind() == std::io::ErrorKind::NotADirectory => return Ok(Entry::Missing),
        Err(err) => return Err(err.to_string()),
    };
    let kind = metadata.file_type();
    Ok(if kind.is_symlink() {
        let target = std::fs::read_link(path).map_err(|err| err.to_string())?;
        Entry::Link(target.to_string_lossy().into_owned())
    } else if kind.is_dir() {
        Entry::Folder
    } else if kind.is_file() {
        Entry::File { size: metadata.len(), id: None }
    } else {
        Entry::Other("a device, pipe or socket")
    })
}

/// Whether a file is one of resource documents, by its name.
pub(super) fn is_document(name: &str) -> bool {
    name.ends_with(".yaml") || name.ends_with(".yml")
}

pub(super) fn join(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}
