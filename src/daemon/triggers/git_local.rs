//! Watches the references of a repository on this machine, so that a commit is seen at once.
//!
//! 1. Looks at `HEAD`, `packed-refs`, `refs/` and `reftable/` only: index, objects and logs change all the time.
//! 2. Lock files are not news; the rename that ends them is.
//! 3. Says only that something may have moved. When watching fails (no more inotify watches, a network file system), the
//!    poll interval is all that is left, and a warning says so.

use std::ffi::OsStr;
use std::path::{Component, Path, PathBuf};

use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::mpsc::Sender;

use super::wake::Wake;
use crate::telemetry::Trigger;

/// A watch that lasts as long as it is kept.
#[derive(Debug)]
pub struct GitWatch {
    _watcher: RecommendedWatcher,
}

/// Begins to watch a repository's git directory.
pub fn watch(git_dir: &Path, wakes: Sender<Wake>) -> notify::Result<GitWatch> {
    let roots = roots(git_dir);
    let judged = roots.clone();
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
        let moved = match &event {
            Ok(event) => is_news(event, &judged),
            // Overflow and the like: look, it costs little.
            Err(_) => true,
        };
        if moved {
            // Called on the watcher's own thread, which may wait; events queue up in the kernel meanwhile.
            let _ = wakes.blocking_send(Wake::Source(Trigger::Git));
        }
    })?;
    for root in &roots {
        watcher.watch(root, RecursiveMode::NonRecursive)?;
        for folder in ["refs", "reftable"] {
            let folder = root.join(folder);
            if folder.is_dir() {
                watcher.watch(&folder, RecursiveMode::Recursive)?;
            }
        }
    }
    Ok(GitWatch { _watcher: watcher })
}

/// The git directory, and the common one that a linked work tree shares its branches with.
fn roots(git_dir: &Path) -> Vec<PathBuf> {
    let mut roots = vec![git_dir.canonicalize().unwrap_or_else(|_| git_dir.to_owned())];
    if let Ok(common) = std::fs::read_to_string(git_dir.join("commondir")) {
        let common = git_dir.join(common.trim_end());
        roots.push(common.canonicalize().unwrap_or(common));
    }
    roots
}

/// Whether an event may mean that a reference moved.
fn is_news(event: &Event, roots: &[PathBuf]) -> bool {
    if matches!(event.kind, EventKind::Access(_)) {
        return false;
    }
    event.need_rescan() || event.paths.iter().any(|path| roots.iter().any(|root| is_reference(path, root)))
}

fn is_reference(path: &Path, root: &Path) -> bool {
    let Ok(inner) = path.strip_prefix(root) else { return false };
    if path.extension() == Some(OsStr::new("lock")) {
        return false;
    }
    match inner.components().next() {
        Some(Component::Normal(first)) => {
            let whole = inner.components().count() == 1;
            first == "refs" || first == "reftable" || (whole && (first == "HEAD" || first == "packed-refs"))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;
    use std::time::Duration;

    use tokio::sync::mpsc;

    use super::*;

    fn git(folder: &Path, arguments: &[&str]) {
        let output = Command::new("git")
            .args(["-c", "user.name=t", "-c", "user.email=t@t", "-c", "init.defaultBranch=main"])
            .args(arguments)
            .current_dir(folder)
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("HOME", folder)
            .output()
            .unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }

    async fn woken(wakes: &mut mpsc::Receiver<Wake>) -> bool {
        let first = tokio::time::timeout(Duration::from_secs(2), wakes.recv()).await.is_ok();
        while tokio::time::timeout(Duration::from_millis(100), wakes.recv()).await.is_ok() {}
        first
    }

    #[test]
    fn lock_files_and_objects_are_no_news() {
        let root = Path::new("/r/.git");
        for (path, expected) in [
            ("/r/.git/HEAD", true),
            ("/r/.git/packed-refs", true),
            ("/r/.git/refs/heads/main", true),
            ("/r/.git/reftable/tables.list", true),
            ("/r/.git/refs/heads/main.lock", false),
            ("/r/.git/HEAD.lock", false),
            ("/r/.git/logs/HEAD", false),
            ("/r/.git/index", false),
            ("/r/.git/worktrees/x/HEAD", false),
            ("/elsewhere/HEAD", false),
        ] {
            assert_eq!(is_reference(Path::new(path), root), expected, "{path}");
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn commits_branches_and_packing_wake_and_an_edited_file_does_not() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        git(root, &["init", "-q", "."]);
        git(root, &["commit", "-q", "--allow-empty", "-m", "one"]);
        let (sender, mut wakes) = mpsc::channel(64);
        let _watch = watch(&root.join(".git"), sender).unwrap();

        git(root, &["commit", "-q", "--allow-empty", "-m", "two"]);
        assert!(woken(&mut wakes).await, "a commit");
        std::fs::write(root.join("file"), "x").unwrap();
        git(root, &["add", "file"]);
        assert!(tokio::time::timeout(Duration::from_millis(300), wakes.recv()).await.is_err(), "the index");
        git(root, &["branch", "team/new"]);
        assert!(woken(&mut wakes).await, "a branch in a new folder");
        git(root, &["pack-refs", "--all"]);
        assert!(woken(&mut wakes).await, "packed references");
        git(root, &["commit", "-q", "-m", "three"]);
        assert!(woken(&mut wakes).await, "a commit after packing");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_linked_work_tree_is_watched_where_its_branches_are() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("main");
        std::fs::create_dir(&root).unwrap();
        git(&root, &["init", "-q", "."]);
        git(&root, &["commit", "-q", "--allow-empty", "-m", "one"]);
        git(&root, &["worktree", "add", "-q", "-b", "side", "../side"]);
        let (sender, mut wakes) = mpsc::channel(64);
        let _watch = watch(&root.join(".git/worktrees/side"), sender).unwrap();
        git(&folder.path().join("side"), &["commit", "-q", "--allow-empty", "-m", "two"]);
        assert!(woken(&mut wakes).await);
    }
}
