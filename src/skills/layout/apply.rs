//! Does one thing to a layout, so that doing it twice is doing it once. Never deletes, never resets, never forces.
//!
//! A clone appears whole, by renaming; what an interrupted one left is found under one name and made anew. Whatever is in the
//! way is moved, never removed. What a step was decided on is looked at again before anything is touched.

mod moves;

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use git2::{Oid, Repository};
use tokio_util::sync::CancellationToken;

use self::moves::switch;
use super::checks::clones::{Judged, OUTSIDE, broken, judge};
use super::devcontainer::{WantedMounts, with_mounts};
use super::facts::{CloneFacts, Place};
use super::observe::{kept, look};
use super::operation::{CloneTarget, LayoutOperation, MountsTarget};
use crate::clients::git::{Git, GitError, Remote};
use crate::clients::git_address::check_address;
use crate::clients::git_clone::WorkTree;
use crate::clients::git_url::RemoteUrl;
use crate::clients::git_written::note;
use crate::model::hash::sha256_hex;

/// Names that are tried for something that is moved aside.
const ASIDE_MAX: u32 = 1000;

/// What an operation needs beside its own values.
#[derive(Clone, Copy)]
pub struct LayoutContext<'a> {
    /// The program.
    pub git: &'a Git,
    /// Transports and hosts that the settings permit.
    pub allow: &'a [String],
    /// Ends a clone early; what it left is made anew by the next.
    pub cancel: &'a CancellationToken,
    /// Hears progress.
    pub said: &'a (dyn Fn(&str) + Sync),
    /// Keeps the commands that were run, for the record.
    pub ran: &'a Mutex<Vec<String>>,
}

/// What was done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LayoutDone {
    /// Whether it was so already.
    pub already: bool,
    /// What was done, for people: one fragment each.
    pub said: Vec<String>,
}

/// Why something could not be done.
#[derive(Debug, thiserror::Error)]
pub enum LayoutError {
    /// Something changed since the plan was made.
    #[error("`{}` is not as it was when this was planned: {why}", path.display())]
    Stale {
        /// What.
        path: PathBuf,
        /// What is different, as a fragment.
        why: String,
    },
    /// Somebody works there.
    #[error("`{}` is not touched: {why}", path.display())]
    Conflict {
        /// What.
        path: PathBuf,
        /// Why, as a fragment.
        why: String,
    },
    /// It was broken off because something newer is to be done.
    #[error("gave up to clone `{0}`: cancelled")]
    Cancelled(String),
    /// The address may not be used.
    #[error("{0}")]
    Address(String),
    /// git failed.
    #[error(transparent)]
    Git(#[from] GitError),
    /// libgit2 failed.
    #[error("failed to read `{}`: {}", path.display(), err.message())]
    Read {
        /// The clone.
        path: PathBuf,
        /// Why.
        err: git2::Error,
    },
    /// A file or folder could not be made or moved.
    #[error("failed to {what} `{}`", path.display())]
    File {
        /// What was tried.
        what: &'static str,
        /// What.
        path: PathBuf,
        /// Why.
        #[source]
        err: io::Error,
    },
    /// git said that it succeeded, but what is there is something else.
    #[error("`{}` is not as wanted afterwards: {why}", path.display())]
    NotVerified {
        /// What.
        path: PathBuf,
        /// What was found, as a fragment.
        why: String,
    },
}

impl LayoutError {
    /// Whether it ended early because it was told to.
    pub fn is_cancelled(&self) -> bool {
        matches!(self, LayoutError::Cancelled(_))
    }

    /// What to do next, as a sentence.
    pub fn hint(&self) -> Option<String> {
        match self {
            LayoutError::File { err, path, .. } if err.kind() == io::ErrorKind::CrossesDevices => Some(
                format!("It is on another disk than its quarantine: move `{}` away yourself", path.display()),
            ),
            LayoutError::File { err, .. } if err.kind() == io::ErrorKind::PermissionDenied => {
                Some("Run ipaictl as the owner of the checkout, or as root".to_owned())
            }
            _ => None,
        }
    }
}

/// Does one operation.
pub async fn run_operation(
    operation: &LayoutOperation,
    context: &LayoutContext<'_>,
) -> Result<LayoutDone, LayoutError> {
    match operation {
        LayoutOperation::Clone(target) => tokio::select! {
            done = clone(target, context) => done,
            () = context.cancel.cancelled() => {
                let _ = fs::remove_dir_all(temporary(Path::new(&target.path)));
                Err(LayoutError::Cancelled(target.url.clone()))
            }
        },
        // Broken off, it would leave a half written tree.
        LayoutOperation::Switch(target) => switch(target, context).await,
        LayoutOperation::WriteFile { checkout, path, before, content, mounts } => {
            let path = Path::new(path);
            is_no_link(path.parent().unwrap_or(path), Path::new(checkout))?;
            let inside = path.strip_prefix(checkout).ok().and_then(Path::to_str).unwrap_or_default();
            // A clone of the same plan may have failed.
            let Some(content) = mountable(Path::new(checkout), path, content, mounts)? else {
                return Ok(LayoutDone { already: true, ..LayoutDone::default() });
            };
            write(path, before, &content, || {
                read(Path::new(checkout), |repository| note(repository, inside, content.as_bytes()))
            })
        }
        LayoutOperation::MoveAside { checkout, path, aside } => {
            let (path, aside) = (Path::new(path), Path::new(aside));
            match fs::symlink_metadata(path) {
                Ok(_) => {}
                Err(err) if err.kind() == io::ErrorKind::NotFound => {
                    return Ok(LayoutDone { already: true, ..LayoutDone::default() });
                }
                Err(err) => return Err(file("look at", path, err)),
            }
            is_no_link(path.parent().unwrap_or(path), Path::new(checkout))?;
            let inside = path.strip_prefix(checkout).ok().and_then(Path::to_str).unwrap_or_default();
            if let Some(why) = kept(Path::new(checkout), inside) {
                return Err(conflict(path, why));
            }
            Ok(LayoutDone { already: false, said: vec![move_aside(path, aside)?] })
        }
    }
}

async fn clone(target: &CloneTarget, context: &LayoutContext<'_>) -> Result<LayoutDone, LayoutError> {
    let path = Path::new(&target.path);
    let mut said = Vec::new();
    match look(path, target.commit.as_deref()) {
        Place::Missing | Place::Empty => {}
        Place::Half(_) if target.aside.is_some() => {}
        Place::Clone(facts) if is_as_wanted(target, &facts) => {
            return Ok(LayoutDone { already: true, ..LayoutDone::default() });
        }
        other => return Err(stale(path, format!("now {}", name(&other)))),
    }
    let url = remote_url(&target.url)?;
    let addresses = check_address(&url, context.allow).await.map_err(LayoutError::Address)?;
    let remote = Remote { url: &url, credential: None, addresses: addresses.as_deref() };
    let parent = path.parent().unwrap_or(Path::new("/"));
    // Before a folder is made: it would be made where the link leads.
    let there = parent.ancestors().find(|folder| folder.exists()).unwrap_or(parent);
    is_no_link(there, Path::new(&target.checkout))?;
    fs::create_dir_all(parent).map_err(|err| file("make the folder", parent, err))?;
    is_no_link(parent, Path::new(&target.checkout))?;
    let temporary = temporary(path);
    let tree = WorkTree { git: context.git, remote, path: &temporary, said: context.said, ran: context.ran };
    if let Err(err) = fill(target, &tree).await {
        // Only ours, and made anew by the next in any case.
        let _ = fs::remove_dir_all(&temporary);
        return Err(err);
    }
    if let (Some(aside), Place::Half(_)) = (&target.aside, look(path, None)) {
        said.push(move_aside(path, Path::new(aside))?);
    }
    fs::rename(&temporary, path).map_err(|err| file("put in place", path, err))?;
    let commit = verified(path, target.commit.as_deref())?.commit;
    said.push(format!("cloned `{}` partially, branch `{}`, at {commit}", target.url, target.branch));
    Ok(LayoutDone { already: false, said })
}

/// Where a clone is made, to be put in place when it is whole.
fn temporary(path: &Path) -> PathBuf {
    path.with_file_name(format!(".{}.ipaictl-new", file_name(path)))
}

/// Fetches a clone and its files, and looks whether it is what is wanted.
async fn fill(target: &CloneTarget, tree: &WorkTree<'_>) -> Result<(), LayoutError> {
    let temporary = tree.path;
    tree.clone_branch(&target.branch).await?;
    match &target.commit {
        Some(commit) => {
            if !has_commit(temporary, commit)? {
                tree.fetch_commit(commit).await?;
            }
            tree.checkout(&["--quiet", "--detach", commit]).await?;
        }
        None => tree.checkout(&["--quiet", &target.branch]).await?,
    }
    let facts = verified(temporary, target.commit.as_deref())?;
    match is_as_wanted(target, &facts) {
        true => Ok(()),
        false => {
            Err(LayoutError::NotVerified { path: temporary.to_owned(), why: format!("at {}", facts.commit) })
        }
    }
}

fn is_as_wanted(target: &CloneTarget, facts: &CloneFacts) -> bool {
    judge(&target.url, &target.branch, target.commit.as_deref(), facts) == Judged::Sound
}

fn verified(path: &Path, commit: Option<&str>) -> Result<Box<CloneFacts>, LayoutError> {
    let wrong = |why: String| LayoutError::NotVerified { path: path.to_owned(), why };
    match look(path, commit) {
        Place::Clone(facts) if facts.dirty_count == 0 && facts.interrupted.is_none() => Ok(facts),
        Place::Clone(facts) if facts.dirty_count == 0 => Err(wrong(facts.interrupted.unwrap_or_default())),
        Place::Clone(facts) => Err(wrong(format!("`{}` differs from its commit", facts.dirty.join("`, `")))),
        other => Err(wrong(name(&other))),
    }
}

fn name(place: &Place) -> String {
    match place {
        Place::Missing => "nothing is there".to_owned(),
        Place::Empty => "an empty folder".to_owned(),
        Place::NotAFolder => "not a folder".to_owned(),
        Place::Outside => OUTSIDE.to_owned(),
        Place::Plain => "files without a clone".to_owned(),
        Place::Half(why) => format!("an incomplete clone: {why}"),
        Place::Broken { why, work } => broken(why, work),
        Place::Clone(facts) => format!("a clone at {}", facts.commit),
        Place::Unreadable(why) => why.clone(),
    }
}

fn has_commit(path: &Path, commit: &str) -> Result<bool, LayoutError> {
    read(path, |repository| Ok(repository.find_commit(Oid::from_str(commit)?).is_ok()))
}

fn read<T>(path: &Path, ask: impl FnOnce(&Repository) -> Result<T, git2::Error>) -> Result<T, LayoutError> {
    let failed = |err| LayoutError::Read { path: path.to_owned(), err };
    let repository = Repository::open(path).map_err(failed)?;
    ask(&repository).map_err(failed)
}

fn write(
    path: &Path,
    before: &str,
    content: &str,
    note: impl FnOnce() -> Result<(), LayoutError>,
) -> Result<LayoutDone, LayoutError> {
    let failed = |what| move |err| file(what, path, err);
    let metadata = fs::symlink_metadata(path).map_err(failed("look at"))?;
    if !metadata.is_file() {
        return Err(conflict(path, "it is not a regular file".to_owned()));
    }
    let is = fs::read(path).map_err(failed("read"))?;
    if is == content.as_bytes() {
        return Ok(LayoutDone { already: true, ..LayoutDone::default() });
    }
    if sha256_hex(&is) != before {
        return Err(stale(path, "somebody wrote it".to_owned()));
    }
    // Before it is written: a crash in between must not make it somebody's.
    note()?;
    let temporary = path.with_file_name(format!(".{}.ipaictl-new", file_name(path)));
    let written = fs::write(&temporary, content)
        .and_then(|()| fs::set_permissions(&temporary, fs::Permissions::from_mode(metadata.mode() & 0o7777)))
        .and_then(|()| std::os::unix::fs::chown(&temporary, Some(metadata.uid()), Some(metadata.gid())))
        .and_then(|()| fs::File::open(&temporary)?.sync_all())
        .and_then(|()| fs::rename(&temporary, path));
    written.map_err(|err| {
        // Only ours: the file itself was not touched.
        let _ = fs::remove_file(&temporary);
        file("write", path, err)
    })?;
    Ok(LayoutDone { already: false, said: vec![format!("wrote `{}`: commit it", path.display())] })
}

/// The content with mounts of those folders alone that are there; `None` when no other one is left to be written.
fn mountable(
    checkout: &Path,
    path: &Path,
    content: &str,
    mounts: &MountsTarget,
) -> Result<Option<String>, LayoutError> {
    let is_there = |folder: &str| checkout.join(folder).exists();
    if mounts.added.iter().all(|folder| is_there(folder)) {
        return Ok(Some(content.to_owned()));
    }
    let text = fs::read_to_string(path).map_err(|err| file("read", path, err))?;
    let MountsTarget { folders, homes, .. } = mounts;
    let wanted = WantedMounts { folders, homes, is_present: &is_there, is_mountable: &is_there };
    match with_mounts(&mounts.file, &text, &wanted) {
        Ok(edit) => Ok(edit.map(|edit| edit.text).filter(|edited| *edited != text)),
        Err(why) => Err(conflict(path, why)),
    }
}

/// Moves something out of the way, under a free name.
fn move_aside(path: &Path, aside: &Path) -> Result<String, LayoutError> {
    let parent = aside.parent().unwrap_or(Path::new("/"));
    fs::create_dir_all(parent).map_err(|err| file("make the folder", parent, err))?;
    for number in 1..ASIDE_MAX {
        let to = match number {
            1 => aside.to_owned(),
            number => parent.join(format!("{}-{number}", file_name(aside))),
        };
        if fs::symlink_metadata(&to).is_ok() {
            continue;
        }
        fs::rename(path, &to).map_err(|err| file("move", path, err))?;
        return Ok(format!("moved `{}` to `{}`", path.display(), to.display()));
    }
    Err(conflict(path, format!("`{}` holds too much already", parent.display())))
}

/// Whether a folder of the checkout is really in it: a link could lead anywhere.
fn is_no_link(folder: &Path, checkout: &Path) -> Result<(), LayoutError> {
    let real = |path: &Path| fs::canonicalize(path).map_err(|err| file("find", path, err));
    match real(folder)?.starts_with(real(checkout)?) {
        true => Ok(()),
        false => Err(conflict(folder, OUTSIDE.to_owned())),
    }
}

fn remote_url(text: &str) -> Result<RemoteUrl, LayoutError> {
    RemoteUrl::parse_own(text).map_err(LayoutError::Address)
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn stale(path: &Path, why: String) -> LayoutError {
    LayoutError::Stale { path: path.to_owned(), why }
}

fn conflict(path: &Path, why: String) -> LayoutError {
    LayoutError::Conflict { path: path.to_owned(), why }
}

fn file(what: &'static str, path: &Path, err: io::Error) -> LayoutError {
    LayoutError::File { what, path: path.to_owned(), err }
}
