//! One folder where a clone belongs: what it is, and at which commit.

use std::fs;
use std::io;
use std::path::Path;

use git2::{ErrorCode, Oid, Repository, RepositoryState, Tree};

use super::half::{REMOTE, is_young, work_around, work_in};
use crate::clients::git_lock::locks;
use crate::clients::git_moving::half_moved;
use crate::clients::git_status::{Others, names};
use crate::skills::layout::declared::Source;
use crate::skills::layout::facts::{CloneFacts, Place};

/// Commits that are counted at most.
const UNNAMED_MAX: usize = 1000;
/// Files with uncommitted work that are named.
const DIRTY_MAX: usize = 5;

/// Takes over the commits of submodules, which git keeps in the index and not in `.gitmodules`.
pub(super) fn pin_submodules(checkout: &Path, source: &mut Source) {
    let Ok(index) = Repository::open(checkout).and_then(|repository| repository.index()) else { return };
    for declared in &mut source.repositories {
        let entry = declared.path.as_deref().and_then(|path| index.get_path(Path::new(path), 0));
        // The mode of a link to a commit.
        declared.commit = entry.filter(|entry| entry.mode == 0o160_000).map(|entry| entry.id.to_string());
    }
}

/// Looks at a folder.
pub fn look(path: &Path, pin: Option<&str>) -> Place {
    match fs::metadata(path) {
        Err(err) if err.kind() == io::ErrorKind::NotFound => {
            return if fs::symlink_metadata(path).is_ok() { Place::NotAFolder } else { Place::Missing };
        }
        Err(err) => return Place::Unreadable(err.to_string()),
        Ok(found) if !found.is_dir() => return Place::NotAFolder,
        Ok(_) => {}
    }
    match fs::read_dir(path).map(|mut entries| entries.next().is_none()) {
        Err(err) => return Place::Unreadable(err.to_string()),
        Ok(true) => return Place::Empty,
        Ok(false) => {}
    }
    if fs::symlink_metadata(path.join(".git")).is_err() {
        return Place::Plain;
    }
    let repository = match Repository::open(path) {
        Ok(repository) => repository,
        Err(err) if err.message().contains("unsupported extension") => {
            let cure = "`git config --unset extensions.partialClone` in it lets it be read";
            return Place::Unreadable(format!("{}: {cure}", err.message()));
        }
        Err(err) if matches!(err.code(), ErrorCode::NotFound | ErrorCode::Invalid) => {
            let why = format!("git does not take it for a repository: {}", err.message());
            return half(path, why, Ok(work_around(path)));
        }
        // libgit2 refuses a repository of another owner, as git does.
        Err(err) => return Place::Unreadable(err.message().to_owned()),
    };
    inside(path, &repository, pin)
}

/// A clone that was never completed, unless it holds what somebody would miss.
fn half(path: &Path, why: String, work: Result<Option<String>, git2::Error>) -> Place {
    match work {
        Ok(None) if is_young(path) => {
            Place::Broken { why, work: "somebody may be making it, less than 10 minutes ago".to_owned() }
        }
        Ok(None) => Place::Half(why),
        Ok(Some(work)) => Place::Broken { why, work },
        Err(err) => Place::Broken { why, work: format!("what can't be read: {}", err.message()) },
    }
}

fn inside(path: &Path, repository: &Repository, pin: Option<&str>) -> Place {
    let half = |why: String, tree: Option<&Tree<'_>>| half(path, why, work_in(repository, tree));
    let head = match repository.head() {
        Ok(head) => head,
        Err(err) if matches!(err.code(), ErrorCode::UnbornBranch | ErrorCode::NotFound) => {
            return half("nothing was ever checked out".to_owned(), None);
        }
        Err(err) => return half(format!("HEAD can't be read: {}", err.message()), None),
    };
    let commit = match head.peel_to_commit() {
        Ok(commit) => commit,
        Err(err) => return half(format!("the commit of HEAD is not there: {}", err.message()), None),
    };
    let Ok(tree) = commit.tree() else {
        return half(format!("the files of {} are not there", commit.id()), None);
    };
    let is_written = tree.is_empty() || fs::metadata(repository.path().join("index")).is_ok();
    if !is_written {
        return half("its files were never written".to_owned(), Some(&tree));
    }
    let mut facts = CloneFacts {
        url: repository.find_remote("origin").ok().and_then(|remote| remote.url().ok().map(str::to_owned)),
        branch: branch(&head),
        commit: commit.id().to_string(),
        shallow: repository.is_shallow(),
        operation: operation(repository.state()).map(str::to_owned),
        has_pin: pin
            .and_then(|pin| Oid::from_str(pin).ok())
            .is_some_and(|pin| repository.find_commit(pin).is_ok()),
        ..CloneFacts::default()
    };
    match ahead(repository, facts.branch.as_deref(), commit.id()) {
        Ok(count) => facts.ahead = count,
        Err(err) => return Place::Unreadable(format!("its own commits can't be counted: {}", err.message())),
    }
    let locks = locks(repository);
    if let Some(held) = &locks.held {
        let name = held.strip_prefix(repository.path()).unwrap_or(held).display();
        facts
            .operation
            .get_or_insert(format!("a command of git, or one ended less than 10 minutes ago: `{name}`"));
    }
    // Work that no commit has, new files too.
    match names(repository, Others::New) {
        Ok(files) if !files.is_empty() && is_half_moved(repository).unwrap_or(false) => {
            facts.interrupted = Some("a move that was broken off".to_owned());
        }
        Ok(files) => {
            let left = locks.left.first().map(|lock| lock.strip_prefix(repository.path()).unwrap_or(lock));
            facts.interrupted = left.map(|lock| format!("`{}` of a git process that died", lock.display()));
            facts.dirty_count = files.len();
            facts.dirty = files.into_iter().take(DIRTY_MAX).collect();
        }
        Err(err) => return Place::Unreadable(format!("its changes can't be read: {}", err.message())),
    }
    Place::Clone(Box::new(facts))
}

/// Whether all that differs was left by a move of ours that was broken off.
pub fn is_half_moved(repository: &Repository) -> Result<bool, git2::Error> {
    Ok(half_moved(repository)?.is_some_and(|others| others.is_empty()))
}

fn branch(head: &git2::Reference<'_>) -> Option<String> {
    let name = String::from_utf8_lossy(head.name_bytes()).into_owned();
    name.strip_prefix("refs/heads/").map(str::to_owned)
}

fn ahead(repository: &Repository, branch: Option<&str>, commit: Oid) -> Result<usize, git2::Error> {
    let Some(branch) = branch else { return unnamed(repository, commit) };
    match repository.refname_to_id(&format!("refs/remotes/origin/{branch}")) {
        Ok(upstream) => repository.graph_ahead_behind(commit, upstream).map(|(ahead, _)| ahead),
        // A branch of somebody's own: what no branch of a remote has.
        Err(_) => beyond(repository, commit, &REMOTE),
    }
}

/// Commits of a detached HEAD that nothing else leads to: they would be lost to everybody but git's own log.
fn unnamed(repository: &Repository, commit: Oid) -> Result<usize, git2::Error> {
    // A stash is no name: it goes with the work that it holds.
    beyond(repository, commit, &["refs/heads/*", "refs/tags/*", REMOTE[0], REMOTE[1]])
}

fn beyond(repository: &Repository, commit: Oid, references: &[&str]) -> Result<usize, git2::Error> {
    let mut walk = repository.revwalk()?;
    walk.push(commit)?;
    references.iter().try_for_each(|references| walk.hide_glob(references))?;
    Ok(walk.take(UNNAMED_MAX).count())
}

fn operation(state: RepositoryState) -> Option<&'static str> {
    Some(match state {
        RepositoryState::Clean => return None,
        RepositoryState::Merge => "a merge",
        RepositoryState::Revert | RepositoryState::RevertSequence => "a revert",
        RepositoryState::CherryPick | RepositoryState::CherryPickSequence => "a cherry-pick",
        RepositoryState::Bisect => "a bisection",
        _ => "a rebase or a series of patches",
    })
}
