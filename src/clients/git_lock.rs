//! Lock files in a repository: whether a git process holds them, or one that was killed left them.
//!
//! git writes a file anew as `FILE.lock` and renames it; a killed process leaves the lock, and every later one refuses to work.
//! Which of both it is, `/proc` tells: a lock counts as held while a process has the file open, while a git works in the
//! repository or one runs that can't be looked into, and while it is young, because some close the file and go on.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use git2::Repository;

/// A lock that is younger may be held by somebody who has closed it; checkouts take seconds.
pub const YOUNG_TIME_MAX: Duration = Duration::from_secs(600);
/// How far the beginning of a move and its lock are apart: git has to start, and may fetch files.
const BEGIN_TIME_MAX: Duration = Duration::from_secs(60);
/// Folders above a working directory that are looked at.
const DEPTH_MAX: usize = 64;
/// What a lock is called that was put aside.
const ASIDE: &str = "ipaictl-left";
/// What it is called when it tells nothing more.
const FORGOTTEN: &str = "ipaictl-old";

/// The lock files of a repository.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Locks {
    /// One that a process holds, or may hold.
    pub held: Option<PathBuf>,
    /// Those that were left.
    pub left: Vec<PathBuf>,
}

/// Looks for lock files in git's own folder of a repository.
pub fn locks(repository: &Repository) -> Locks {
    locks_in(repository.path(), &work_trees(repository))
}

/// Where a git may work in a repository: its work tree, and those that are linked to it.
fn work_trees(repository: &Repository) -> Vec<PathBuf> {
    let linked = fs::read_dir(repository.commondir().join("worktrees")).into_iter().flatten().flatten();
    let linked = linked.filter_map(|entry| fs::read_to_string(entry.path().join("gitdir")).ok());
    let linked = linked.filter_map(|text| Path::new(text.trim()).parent().map(Path::to_owned));
    repository.workdir().map(Path::to_owned).into_iter().chain(linked).collect()
}

fn locks_in(git_dir: &Path, work_trees: &[PathBuf]) -> Locks {
    let mut found = Vec::new();
    list(git_dir, false, &mut found);
    list(&git_dir.join("refs"), true, &mut found);
    if found.is_empty() {
        return Locks::default();
    }
    let seen = Seen::read(git_dir, work_trees);
    let (held, left) = found.into_iter().partition::<Vec<_>, _>(|lock| seen.may_hold(lock));
    Locks { held: held.into_iter().next(), left }
}

/// Gives locks that were left another name: git works again, and what they hold stays to be looked at.
pub fn put_aside(git_dir: &Path, left: &[PathBuf]) -> io::Result<()> {
    for lock in left {
        // In the folder of references any other name would be that of a branch.
        let inside = lock.strip_prefix(git_dir).unwrap_or(lock);
        let to = match inside.parent() {
            Some(folder) if folder.as_os_str().is_empty() => lock.with_extension(ASIDE),
            _ => {
                let folder = git_dir.join(ASIDE);
                fs::create_dir_all(&folder)?;
                folder.join(inside.to_string_lossy().replace('/', "-"))
            }
        };
        match fs::rename(lock, to) {
            Err(err) if err.kind() != io::ErrorKind::NotFound => return Err(err),
            _ => {}
        }
    }
    Ok(())
}

fn list(folder: &Path, is_deep: bool, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        match entry.file_type() {
            Ok(kind) if kind.is_dir() && is_deep => list(&path, is_deep, found),
            Ok(kind) if kind.is_file() && path.extension().is_some_and(|it| it == "lock") => found.push(path),
            _ => {}
        }
    }
}

/// Whether a lock on the index was left by what began at a time, put aside since or not, and nobody has written the index since.
pub fn was_left(repository: &Repository, began: SystemTime) -> bool {
    let lock = repository.path().join("index.lock");
    let aside = lock.with_extension(ASIDE);
    let left = if locks(repository).left.contains(&lock) { lock } else { aside };
    let written = |path: &Path| fs::metadata(path).and_then(|found| found.modified()).ok();
    match (written(&left), written(&repository.path().join("index"))) {
        (Some(left), Some(index)) => {
            // git makes its lock at the beginning; that of another git is another's.
            let is_its = left + BEGIN_TIME_MAX >= began && left <= began + BEGIN_TIME_MAX;
            is_its && index <= left
        }
        _ => false,
    }
}

/// Forgets that a lock on the index was left.
pub fn forget(git_dir: &Path) -> io::Result<()> {
    let lock = git_dir.join("index.lock");
    match fs::rename(lock.with_extension(ASIDE), lock.with_extension(FORGOTTEN)) {
        Err(err) if err.kind() != io::ErrorKind::NotFound => Err(err),
        _ => Ok(()),
    }
}

/// A file or folder, whatever it is called: containers see it at other paths.
type Identity = (u64, u64);

fn identity(path: &Path) -> Option<Identity> {
    fs::metadata(path).ok().map(|found| (found.dev(), found.ino()))
}

/// What the processes of this machine do.
struct Seen {
    open: BTreeSet<Identity>,
    /// Whether a git works in the repository, or one runs that can't be looked into.
    has_git: bool,
}

impl Seen {
    fn read(git_dir: &Path, work_trees: &[PathBuf]) -> Self {
        let places = work_trees.iter().map(PathBuf::as_path).chain([git_dir]);
        let places: Vec<Identity> = places.filter_map(identity).collect();
        let mut seen = Seen { open: BTreeSet::new(), has_git: false };
        for process in fs::read_dir("/proc").into_iter().flatten().flatten() {
            let process = process.path();
            let Ok(name) = fs::read_to_string(process.join("comm")) else { continue };
            match fs::read_dir(process.join("fd")) {
                Ok(files) => {
                    seen.open.extend(files.flatten().filter_map(|file| identity(&file.path())));
                    seen.has_git |= name.starts_with("git") && is_in(&process.join("cwd"), &places);
                }
                Err(err) if err.kind() == io::ErrorKind::PermissionDenied => {
                    seen.has_git |= name.starts_with("git");
                }
                // One that has ended meanwhile holds nothing.
                Err(_) => {}
            }
        }
        seen
    }

    fn may_hold(&self, lock: &Path) -> bool {
        let written = fs::metadata(lock).and_then(|found| found.modified()).unwrap_or(SystemTime::UNIX_EPOCH);
        // One from the future tells nothing of its age.
        let is_young = written.elapsed().map_or(true, |age| age < YOUNG_TIME_MAX);
        is_young || self.has_git || identity(lock).is_none_or(|lock| self.open.contains(&lock))
    }
}

/// Whether a working directory is one of some folders, or below.
fn is_in(folder: &Path, places: &[Identity]) -> bool {
    let mut path = folder.to_owned();
    let mut before = None;
    for _ in 0..DEPTH_MAX {
        let found = identity(&path);
        if found.is_none() || found == before {
            return false;
        }
        if found.is_some_and(|found| places.contains(&found)) {
            return true;
        }
        before = found;
        path.push("..");
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_held_while_a_process_has_it_open() {
        let folder = tempfile::tempdir().unwrap();
        let lock = folder.path().join("index.lock");
        assert_eq!(locks_in(folder.path(), &[]), Locks::default());
        let long_ago = SystemTime::now() - 2 * YOUNG_TIME_MAX;
        let open = fs::File::create(&lock).unwrap();
        open.set_modified(long_ago).unwrap();
        assert_eq!(locks_in(folder.path(), &[]).held, Some(lock.clone()), "somebody has it open");
        drop(open);
        fs::File::create(&lock).unwrap();
        assert_eq!(locks_in(folder.path(), &[]).held, Some(lock.clone()), "it is young");
        let branch = folder.path().join("refs/heads/18.0.lock");
        fs::create_dir_all(branch.parent().unwrap()).unwrap();
        for path in [&lock, &branch] {
            fs::File::create(path).unwrap().set_modified(long_ago).unwrap();
        }
        let found = locks_in(folder.path(), &[]);
        assert_eq!(found, Locks { held: None, left: vec![lock.clone(), branch] });
        put_aside(folder.path(), &found.left).unwrap();
        assert!(
            folder.path().join("refs/heads").read_dir().unwrap().next().is_none(),
            "it would be a branch"
        );
        assert_eq!(locks_in(folder.path(), &[]), Locks::default());
        forget(folder.path()).unwrap();
        assert!(!lock.with_extension(ASIDE).exists() && lock.with_extension(FORGOTTEN).exists());
    }
}
