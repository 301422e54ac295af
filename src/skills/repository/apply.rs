//! Moves a checkout to the wanted commit. Never loses work: what somebody changed or left there stops it, or is put
//! aside first where the checkout is the controller's own.
//!
//! A new checkout appears whole, by renaming. An existing one is moved in place by git, which
//! refuses to overwrite files it doesn't track, ignored ones included. Doing it twice is doing it once.

use std::path::{Path, PathBuf};

use git2::{Oid, Repository, RepositoryState};

use super::checkout::{CheckoutFacts, CheckoutTarget};
use super::observe::read_checkout;
use super::restore::restore;
use crate::clients::git::{Git, GitError};
use crate::clients::git_lock::{locks, put_aside};
use crate::clients::git_moving::{self, begin, end, give_up, half_moved};
use crate::model::hash::sha256_hex;
use crate::model::known::Known;

/// How many changed files an error names.
const NAMED_MAX: usize = 5;

/// What moving did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moved {
    /// The checkout was made.
    Created,
    /// It was moved from another commit.
    Moved,
    /// It was there already.
    Unchanged,
}

/// Why a checkout was not moved.
#[derive(Debug, thiserror::Error)]
pub enum CheckoutError {
    /// It is not where it was when the plan was made.
    #[error("`{}` is at {}, not at {}, as it was when this was planned", path.display(), short(found), short(expected))]
    Stale {
        /// The directory.
        path: PathBuf,
        /// The observed commit.
        found: Option<String>,
        /// The planned one.
        expected: Option<String>,
    },
    /// Somebody changed tracked files.
    #[error("`{}` has changes that are not committed: {}", path.display(), files.join(", "))]
    Dirty {
        /// The directory.
        path: PathBuf,
        /// The files, a few of them.
        files: Vec<String>,
    },
    /// Somebody is in the middle of a merge, rebase or the like.
    #[error("`{}` is in the middle of a {operation}", path.display())]
    Busy {
        /// The directory.
        path: PathBuf,
        /// What git calls it.
        operation: String,
    },
    /// Something else is there.
    #[error("`{}` exists and is not a checkout", path.display())]
    Occupied {
        /// The directory.
        path: PathBuf,
    },
    /// What others changed could not be put aside.
    #[error("failed to keep changed files in `{}`: {why}", path.display())]
    Kept {
        /// The folder.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// It could not be read.
    #[error("{0}")]
    Unknown(String),
    /// git refused or failed.
    #[error(transparent)]
    Git(#[from] GitError),
    /// The directory could not be made.
    #[error("failed to make `{}`", path.display())]
    Folder {
        /// The directory.
        path: PathBuf,
        /// Why.
        #[source]
        err: std::io::Error,
    },
    /// libgit2 could not write a reference or setting.
    #[error("failed to record {what} in `{}`", path.display())]
    Record {
        /// What.
        what: &'static str,
        /// The directory.
        path: PathBuf,
        /// Why.
        #[source]
        err: git2::Error,
    },
    /// git said that it succeeded, but the content is another.
    #[error("`{}` is not at {} after it was moved: {why}", path.display(), short(&Some(commit.clone())))]
    NotVerified {
        /// The directory.
        path: PathBuf,
        /// The wanted commit.
        commit: String,
        /// What was found.
        why: String,
    },
}

fn short(commit: &Option<String>) -> &str {
    commit.as_deref().map_or("nothing", |commit| &commit[..commit.len().min(7)])
}

/// Moves a checkout to its target's commit, and makes it when it isn't there.
pub async fn move_checkout(git: &Git, target: &CheckoutTarget) -> Result<Moved, CheckoutError> {
    let path = Path::new(&target.path);
    let mut facts = read(path).await?;
    let written: Vec<&str> =
        target.written.iter().filter(|file| is_written(path, file)).map(|(file, _)| file.as_str()).collect();
    facts.dirty.retain(|file| !written.contains(&file.as_str()));
    let is_empty_folder = std::fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_none());
    if !facts.exists || is_empty_folder {
        create(git, target, path).await?;
        return verified(target, path, Moved::Created).await;
    }
    if !facts.repository {
        return Err(CheckoutError::Occupied { path: path.to_owned() });
    }
    if facts.commit.as_ref() == Some(&target.commit) && facts.dirty.is_empty() && !facts.interrupted {
        record_origin(path, target)?;
        return Ok(Moved::Unchanged);
    }
    if facts.commit != target.from {
        let (found, expected) = (facts.commit, target.from.clone());
        return Err(CheckoutError::Stale { path: path.to_owned(), found, expected });
    }
    if !facts.dirty.is_empty() {
        let Some(kept) = &target.kept else {
            let mut files = facts.dirty;
            files.truncate(NAMED_MAX);
            return Err(CheckoutError::Dirty { path: path.to_owned(), files });
        };
        idle(path)?;
        restore(git, path, Path::new(kept)).await?;
    }
    if !written.is_empty() {
        idle(path)?;
        let undo = git.local(Some(path)).args(["checkout", "--quiet", "HEAD", "--"]).args(written);
        git.run("undoing what a layout wrote", &undo, None).await?;
    }
    move_in_place(git, target, path, facts.commit.as_deref()).await?;
    verified(target, path, Moved::Moved).await
}

/// Whether a file still holds what a layout wrote into it.
fn is_written(path: &Path, (file, digest): &(&String, &String)) -> bool {
    std::fs::read(path.join(file)).is_ok_and(|content| sha256_hex(&content) == **digest)
}

async fn create(git: &Git, target: &CheckoutTarget, path: &Path) -> Result<(), CheckoutError> {
    let folder = |err| CheckoutError::Folder { path: path.to_owned(), err };
    let parent = path.parent().unwrap_or(Path::new("/"));
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    // One name per checkout: what a crash left is found and removed by the next attempt.
    let temporary = parent.join(format!(".{name}.ipaictl-new"));
    std::fs::create_dir_all(parent).map_err(folder)?;
    if temporary.exists() {
        std::fs::remove_dir_all(&temporary).map_err(folder)?;
    }
    let clone = git
        .local(Some(parent))
        .args(["clone", "--quiet", "--no-local", "--no-checkout", "--no-recurse-submodules", "--"])
        .args([target.objects.as_str().as_ref(), temporary.as_os_str()]);
    git.run("copying the repository", &clone, None).await?;
    fetch_commit(git, target, &temporary).await?;
    checkout(git, target, &temporary).await?;
    record_origin(&temporary, target)?;
    std::fs::rename(&temporary, path).map_err(folder)
}

async fn move_in_place(
    git: &Git,
    target: &CheckoutTarget,
    path: &Path,
    from: Option<&str>,
) -> Result<(), CheckoutError> {
    let record = |what| move |err| CheckoutError::Record { what, path: path.to_owned(), err };
    {
        let repository = idle(path)?;
        keep_local_commit(&repository, target, from).map_err(record("a local commit"))?;
    }
    fetch_commit(git, target, path).await?;
    checkout(git, target, path).await?;
    record_origin(path, target)
}

/// Opens a checkout in which nobody is in the middle of something.
fn idle(path: &Path) -> Result<Repository, CheckoutError> {
    let record = |err| CheckoutError::Record { what: "the checkout", path: path.to_owned(), err };
    let repository = Repository::open(path).map_err(record)?;
    let busy = |operation| Err(CheckoutError::Busy { path: path.to_owned(), operation });
    if repository.state() != RepositoryState::Clean {
        return busy(format!("{:?}", repository.state()).to_lowercase());
    }
    let locks = locks(&repository);
    if let Some(held) = locks.held {
        return busy(format!(
            "a command of git, or one ended less than 10 minutes ago: `{}`",
            held.display()
        ));
    }
    put_aside(repository.path(), &locks.left)
        .map_err(|err| CheckoutError::Folder { path: path.to_owned(), err })?;
    Ok(repository)
}

/// Gives a commit that only this checkout has a name of ours, so that git never collects it.
fn keep_local_commit(
    repository: &Repository,
    target: &CheckoutTarget,
    from: Option<&str>,
) -> Result<(), git2::Error> {
    let Some(from) = from.and_then(|from| Oid::from_str(from).ok()) else { return Ok(()) };
    let known = Repository::open(&target.objects).is_ok_and(|objects| objects.find_commit(from).is_ok());
    if !known {
        let name = format!("refs/ipaictl/kept/{from}");
        repository.reference(&name, from, true, "ipaictl: kept before moving")?;
    }
    Ok(())
}

/// Brings the wanted commit's objects into the checkout's repository, if they are not there.
async fn fetch_commit(git: &Git, target: &CheckoutTarget, path: &Path) -> Result<(), CheckoutError> {
    let there = Repository::open(path).and_then(|repository| {
        let id = Oid::from_str(&target.commit)?;
        repository.find_commit(id).map(|_| ())
    });
    if there.is_ok() {
        return Ok(());
    }
    let fetch = git
        .local(Some(path))
        .args(["fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules", "--"])
        .args([target.objects.as_str(), target.commit.as_str()]);
    git.run("fetching the commit", &fetch, None).await?;
    Ok(())
}

async fn checkout(git: &Git, target: &CheckoutTarget, path: &Path) -> Result<(), CheckoutError> {
    let to = |commit: &str, how: &[&str]| {
        git.local(Some(path))
            .args(["checkout", "--quiet", "--detach", "--no-overwrite-ignore", "--no-recurse-submodules"])
            .args(how)
            .args([commit, "--"])
    };
    // What a move that was broken off left is in the commit that it was to reach, and in no other.
    let broken_off = noted(path, |repository| match half_moved(repository)? {
        Some(_) => git_moving::target(repository).map(|target| Some(target.to_string())),
        None => Ok(None),
    })?;
    if let Some(former) = broken_off {
        git.run("completing a move that was broken off", &to(&former, &["--force"]), None).await?;
        noted(path, end)?;
    }
    noted(path, |repository| begin(repository, Oid::from_str(&target.commit)?))?;
    if let Err(err) = git.run("checking the commit out", &to(&target.commit, &[]), None).await {
        // What git refused before it began left nothing.
        noted(path, give_up)?;
        return Err(err.into());
    }
    noted(path, end)
}

fn noted<T>(
    path: &Path,
    note: impl FnOnce(&Repository) -> Result<T, git2::Error>,
) -> Result<T, CheckoutError> {
    let repository = Repository::open(path);
    repository.and_then(|repository| note(&repository)).map_err(|err| CheckoutError::Record {
        what: "where it is moved",
        path: path.to_owned(),
        err,
    })
}

fn record_origin(path: &Path, target: &CheckoutTarget) -> Result<(), CheckoutError> {
    let record = |err| CheckoutError::Record { what: "the origin", path: path.to_owned(), err };
    let Some(url) = &target.url else { return Ok(()) };
    let repository = Repository::open(path).map_err(record)?;
    let known = repository.find_remote("origin").ok().and_then(|remote| remote.url().ok().map(str::to_owned));
    match known {
        Some(known) if known == *url => Ok(()),
        Some(_) => repository.remote_set_url("origin", url).map_err(record),
        None => repository.remote("origin", url).map(|_| ()).map_err(record),
    }
}

async fn verified(target: &CheckoutTarget, path: &Path, moved: Moved) -> Result<Moved, CheckoutError> {
    let facts = read(path).await?;
    let wrong = |why: String| {
        Err(CheckoutError::NotVerified { path: path.to_owned(), commit: target.commit.clone(), why })
    };
    if facts.commit.as_ref() != Some(&target.commit) {
        return wrong(format!("HEAD is at {}", short(&facts.commit)));
    }
    match facts.dirty.first() {
        Some(file) => wrong(format!("`{file}` differs from the commit")),
        None => Ok(moved),
    }
}

async fn read(path: &Path) -> Result<CheckoutFacts, CheckoutError> {
    let path = path.to_owned();
    match tokio::task::spawn_blocking(move || read_checkout(&path)).await {
        Ok(Known::Known(facts)) => Ok(facts),
        Ok(Known::Unknown(why)) => Err(CheckoutError::Unknown(why)),
        Err(err) => Err(CheckoutError::Unknown(err.to_string())),
    }
}
