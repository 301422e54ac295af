//! Lock files in a repository: whether a git process holds them, or one that was killed left them.
//!
//! git writes a file anew as `FILE.lock` and renames it; while it does, the file is open. A killed process leaves the lock, and
//! every later one refuses to work. Which of both it is, the kernel knows: `/proc` lists the open files of every process. Those
//! of other users can't be seen by everybody; then a lock counts as held while a git of theirs runs, or while it is young.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// Processes whose files can't be seen may hold a lock that is younger; checkouts take seconds.
const UNSEEN_TIME_MAX: Duration = Duration::from_secs(600);
/// What a lock is called that was put aside.
const ASIDE: &str = "ipaictl-left";

/// The lock files of a repository.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Locks {
    /// One that a process holds, or may hold.
    pub held: Option<PathBuf>,
    /// Those that were left.
    pub left: Vec<PathBuf>,
}

/// Looks for lock files in git's own folder of a repository.
pub fn locks(git_dir: &Path) -> Locks {
    let mut found = Vec::new();
    list(git_dir, false, &mut found);
    list(&git_dir.join("refs"), true, &mut found);
    if found.is_empty() {
        return Locks::default();
    }
    let seen = Seen::read();
    let (held, left) = found.into_iter().partition::<Vec<_>, _>(|lock| seen.may_hold(lock));
    Locks { held: held.into_iter().next(), left }
}

/// Gives locks that were left another name: git works again, and what they hold stays to be looked at.
pub fn put_aside(left: &[PathBuf]) -> io::Result<()> {
    left.iter().try_for_each(|lock| match fs::rename(lock, lock.with_extension(ASIDE)) {
        Err(err) if err.kind() != io::ErrorKind::NotFound => Err(err),
        _ => Ok(()),
    })
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

/// What the processes of this machine have open.
struct Seen {
    open: Vec<PathBuf>,
    /// Whether there are processes that can't be looked into, and whether one of them is git.
    has_unseen: bool,
    has_unseen_git: bool,
}

impl Seen {
    fn read() -> Self {
        let mut seen = Seen { open: Vec::new(), has_unseen: false, has_unseen_git: false };
        for process in fs::read_dir("/proc").into_iter().flatten().flatten() {
            let is_process = process.file_name().to_string_lossy().bytes().all(|byte| byte.is_ascii_digit());
            if !is_process {
                continue;
            }
            match fs::read_dir(process.path().join("fd")) {
                Ok(files) => {
                    seen.open.extend(files.flatten().filter_map(|file| fs::read_link(file.path()).ok()))
                }
                // One that has ended meanwhile holds nothing.
                Err(err) if err.kind() == io::ErrorKind::PermissionDenied => {
                    seen.has_unseen = true;
                    let name = fs::read_to_string(process.path().join("comm")).unwrap_or_default();
                    seen.has_unseen_git |= name.starts_with("git");
                }
                Err(_) => {}
            }
        }
        // Without /proc nothing is known of anybody.
        seen.has_unseen |= seen.open.is_empty();
        seen
    }

    fn may_hold(&self, lock: &Path) -> bool {
        let real = fs::canonicalize(lock).unwrap_or_else(|_| lock.to_owned());
        let written = fs::metadata(lock).and_then(|found| found.modified()).unwrap_or(SystemTime::UNIX_EPOCH);
        let is_young = written.elapsed().is_ok_and(|age| age < UNSEEN_TIME_MAX);
        self.open.contains(&real) || self.has_unseen_git || self.has_unseen && is_young
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_held_while_a_process_has_it_open() {
        let folder = tempfile::tempdir().unwrap();
        let lock = folder.path().join("index.lock");
        assert_eq!(locks(folder.path()), Locks::default());
        let open = fs::File::create(&lock).unwrap();
        assert_eq!(locks(folder.path()).held, Some(lock.clone()));
        drop(open);
        let branch = folder.path().join("refs/heads/18.0.lock");
        fs::create_dir_all(branch.parent().unwrap()).unwrap();
        for path in [&lock, &branch] {
            let long_ago = SystemTime::now() - 2 * UNSEEN_TIME_MAX;
            fs::File::create(path).unwrap().set_modified(long_ago).unwrap();
        }
        let found = locks(folder.path());
        assert_eq!(found, Locks { held: None, left: vec![lock.clone(), branch] });
        put_aside(&found.left).unwrap();
        assert_eq!(locks(folder.path()), Locks::default());
        assert!(lock.with_extension(ASIDE).exists());
    }
}
