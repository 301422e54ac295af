//! Work trees of other repositories: partial clones, and branches and commits that are fetched into them.
//!
//! A clone has all commits and folders of one branch, and of files those that are checked out; others come when they are
//! asked for. Each call is tried again when the network failed it, because a night's work must not end at one hiccup.

use std::ffi::OsStr;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::git::{FETCH_TIME_MAX, Git, GitError, Remote};
use super::git_url::show;
use super::process::ProcessError;

/// Times that a call is made at most.
const TRIES_MAX: u32 = 3;
/// How long the second try waits; the third waits three times as long.
const PAUSE: Duration = Duration::from_secs(1);

/// How long nothing is said of how far git is; small clones are over by then.
const PROGRESS_PAUSE: Duration = Duration::from_secs(2);

/// Words by which git says that another try would end the same.
const FINAL: &[&str] = &[
    "not found",
    "does not exist",
    "does not appear to be a git repository",
    "Remote branch",
    "couldn't find remote ref",
    "not our ref",
    "credential",
    "access denied",
    "Permission denied",
    "Host key",
    "returned error: 3",
    "returned error: 4",
    "no space is left",
    "would be overwritten",
    ".lock': File exists",
];

/// A clone to make, or one that is there.
#[derive(Clone, Copy)]
pub struct WorkTree<'a> {
    /// The program.
    pub git: &'a Git,
    /// Where it comes from.
    pub remote: Remote<'a>,
    /// Its folder.
    pub path: &'a Path,
    /// Hears git's progress.
    pub said: &'a (dyn Fn(&str) + Sync),
    /// Keeps the commands that were run.
    pub ran: &'a Mutex<Vec<String>>,
}

impl WorkTree<'_> {
    /// Clones one branch into a folder that does not exist, without checking anything out.
    pub async fn clone_branch(&self, branch: &str) -> Result<(), GitError> {
        let url = self.remote.url.as_str();
        self.again_and_again(|| async {
            if self.path.exists() {
                let folder = |err| GitError::Folder { path: self.path.to_owned(), err };
                std::fs::remove_dir_all(self.path).map_err(folder)?;
            }
            let arguments = ["clone", "--progress", "--filter=blob:none", "--no-checkout", "--single-branch"];
            let more =
                ["--no-tags", "--no-recurse-submodules", "--origin=origin", "--branch", branch, "--", url];
            let arguments = arguments.iter().chain(&more).map(OsStr::new).chain([self.path.as_os_str()]);
            self.ask(&format!("cloning `{}`", show(url)), Path::new("/"), arguments).await
        })
        .await?;
        // Since git 2.24 the remote's own settings say that files are missing on purpose. This older mark, which git still
        // writes beside them, keeps every program that is built on libgit2 from opening the clone.
        let file = self.path.join(".git/config");
        let removed =
            git2::Config::open(&file).and_then(|mut config| config.remove("extensions.partialclone"));
        match removed {
            // A server that filters nothing leaves no mark.
            Err(err) if err.code() != git2::ErrorCode::NotFound => {
                let err = std::io::Error::other(err);
                Err(GitError::Folder { path: file, err })
            }
            _ => Ok(()),
        }
    }

    /// Fetches a branch of the remote to `origin/BRANCH`.
    pub async fn fetch_branch(&self, branch: &str) -> Result<(), GitError> {
        self.fetch(&format!("+refs/heads/{branch}:refs/remotes/origin/{branch}")).await
    }

    /// Fetches a commit, under a name of ours: what nothing leads to is taken for somebody's own work.
    pub async fn fetch_commit(&self, commit: &str) -> Result<(), GitError> {
        self.fetch(&format!("+{commit}:refs/ipaictl/pins/{commit}")).await
    }

    async fn fetch(&self, what: &str) -> Result<(), GitError> {
        let url = show(self.remote.url.as_str());
        self.again_and_again(|| async {
            let arguments =
                ["fetch", "--progress", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules"];
            let what = ["--", "origin", what];
            let arguments = arguments.iter().chain(&what).map(OsStr::new);
            self.ask(&format!("fetching `{url}`"), self.path, arguments).await
        })
        .await
    }

    /// Checks out, which may fetch files. What git does not track is never overwritten, ignored files included.
    pub async fn checkout(&self, how: &[&str]) -> Result<(), GitError> {
        self.again_and_again(|| async {
            let arguments = ["checkout", "--progress", "--no-overwrite-ignore", "--no-recurse-submodules"];
            let arguments = arguments.iter().chain(how).chain(&["--"]).map(OsStr::new);
            self.ask("checking out", self.path, arguments).await
        })
        .await
    }

    async fn ask<'s>(
        &self,
        action: &str,
        directory: &Path,
        arguments: impl Iterator<Item = &'s OsStr>,
    ) -> Result<(), GitError> {
        let arguments: Vec<&OsStr> = arguments.collect();
        // No argument holds a credential; see `RemoteUrl`.
        let words: Vec<_> = arguments.iter().map(|word| word.to_string_lossy()).collect();
        self.ran.lock().unwrap_or_else(PoisonError::into_inner).push(format!("git {}", words.join(" ")));
        let invocation = self.git.remote(directory, self.remote, FETCH_TIME_MAX).args(arguments);
        let latest = Mutex::new(Instant::now());
        let said = |line: &str| {
            if is_told(line, &mut latest.lock().unwrap_or_else(PoisonError::into_inner)) {
                (self.said)(line);
            }
        };
        match self.git.run_telling(action, &invocation, self.remote.credential, &said).await {
            // Whoever names a clone has no place for a credential; and hosts ask for one where there is nothing, too.
            Err(GitError::Failed { action, message }) if message.contains("`credentialFrom`") => {
                let message = "the remote asks for a credential: there is no such repository, or it needs one, which clones can't have yet".to_owned();
                Err(GitError::Failed { action, message })
            }
            other => other.map(drop),
        }
    }

    async fn again_and_again<F: Future<Output = Result<(), GitError>>>(
        &self,
        ask: impl Fn() -> F,
    ) -> Result<(), GitError> {
        let mut tries = 1;
        loop {
            match ask().await {
                Err(err) if tries < TRIES_MAX && may_pass(&err) => {
                    (self.said)(&format!("try {tries} of {TRIES_MAX}: {err}"));
                    tokio::time::sleep(PAUSE * (2 * tries - 1)).await;
                    tries += 1;
                }
                other => return other,
            }
        }
    }
}

/// Whether a line of git's progress is passed on: how far it is, once in a while; all else.
fn is_told(line: &str, latest: &mut Instant) -> bool {
    let is_progress =
        line.contains("% (") || line.contains(" objects: ") || line.starts_with("remote: Total ");
    if is_progress && latest.elapsed() < PROGRESS_PAUSE {
        return false;
    }
    *latest = Instant::now();
    true
}

/// Whether another try may end otherwise.
fn may_pass(err: &GitError) -> bool {
    match err {
        GitError::Failed { message, .. } => !FINAL.iter().any(|word| message.contains(word)),
        GitError::Process(ProcessError::Timeout { .. }) => false,
        GitError::Process(_) | GitError::Folder { .. } | GitError::Busy { .. } => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_is_told_once_in_a_while_and_all_else_at_once() {
        let mut latest = Instant::now();
        for line in [
            "remote: Compressing objects:  16% (1/6)",
            "Receiving objects: 100% (6/6), done.",
            "remote: Total 6 (delta 0)",
        ] {
            assert!(!is_told(line, &mut latest), "{line}");
        }
        assert!(is_told("Cloning into 'x'...", &mut latest));
        latest -= PROGRESS_PAUSE;
        assert!(is_told("Receiving objects:  42% (420/1000)", &mut latest));
        assert!(!is_told("Receiving objects:  43% (430/1000)", &mut latest));
    }
}
