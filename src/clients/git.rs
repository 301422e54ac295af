//! The `git` program, for the network and for work trees; objects are read with libgit2 elsewhere.
//!
//! git runs with an empty home and a configuration of ours, hooks off, submodules off, one protocol
//! allowed per call, every received object checked, and a deadline. A credential travels in an environment
//! variable of the git process: never in its arguments, a URL, a file or an error.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use base64::Engine as _;
use secrecy::{ExposeSecret as _, SecretString};

use super::git_message::{is_damage, message};
use super::git_url::{RemoteUrl, show};
use super::process::{Invocation, Output, ProcessError, run_telling};

/// A first fetch of a large repository over a slow line; odoo/odoo's branches take about 3 minutes.
pub(super) const FETCH_TIME_MAX: Duration = Duration::from_secs(600);
/// Asking a remote for its default branch is one round trip.
const ASK_TIME_MAX: Duration = Duration::from_secs(30);
/// Writing a work tree of 40,000 files takes seconds.
const LOCAL_TIME_MAX: Duration = Duration::from_secs(300);
/// How long one fetch waits for another one of the same repository.
const LOCK_TIME_MAX: Duration = FETCH_TIME_MAX;
/// Variables of the controller's own environment that git needs to reach the network as its operator set it up.
const PASSED_ON: &[&str] = &[
    "PATH",
    "SSH_AUTH_SOCK",
    "http_proxy",
    "https_proxy",
    "HTTPS_PROXY",
    "no_proxy",
    "NO_PROXY",
    "all_proxy",
    "ALL_PROXY",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "GIT_SSL_CAINFO",
];

/// The configuration that replaces the system's and the user's.
const CONFIGURATION: &str = "\
[core]
\thooksPath = /dev/null
\tfsmonitor = false
\taskPass =
\tautocrlf = false
[credential]
\thelper =
[init]
\tdefaultBranch = main
[protocol]
\tversion = 2
[transfer]
\tfsckObjects = true
[fetch \"fsck\"]
\tzeroPaddedFilemode = warn
\tmissingSpaceBeforeDate = warn
\tbadTimezone = warn
[http]
\tfollowRedirects = false
\tlowSpeedLimit = 100
\tlowSpeedTime = 30
[submodule]
\trecurse = false
[fetch]
\trecurseSubmodules = false
[gc]
\tautoDetach = false
\tpruneExpire = never
[maintenance]
\tautoDetach = false
[advice]
\tdetachedHead = false
[user]
\tname = ipaictl
\temail = ipaictl@localhost
";

/// What no repository's own configuration changes: programs of its choice are not run.
const OVERRIDES: [(&str, &str); 2] = [("core.hooksPath", "/dev/null"), ("core.fsmonitor", "false")];

/// Sets configuration that counts more than any file's.
fn configured(mut invocation: Invocation, configuration: &[(String, String)]) -> Invocation {
    invocation = invocation.env("GIT_CONFIG_COUNT", configuration.len().to_string());
    for (index, (key, value)) in configuration.iter().enumerate() {
        invocation = invocation
            .env(format!("GIT_CONFIG_KEY_{index}"), key)
            .env(format!("GIT_CONFIG_VALUE_{index}"), value);
    }
    invocation
}

/// A repository elsewhere, and how to get in.
#[derive(Debug, Clone, Copy)]
pub struct Remote<'a> {
    /// Where.
    pub url: &'a RemoteUrl,
    /// The token or password for `https://`.
    pub credential: Option<&'a SecretString>,
    /// The checked addresses to connect to, as [`super::git_address::check_address`] answers them.
    pub addresses: Option<&'a str>,
}

/// Why git gave no result.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// git could not be run, or took too long.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// git said no.
    #[error("{action} failed: {message}")]
    Failed {
        /// What was tried.
        action: String,
        /// git's own words, cut, without credentials.
        message: String,
    },
    /// Our own folder could not be used.
    #[error("failed to use the folder `{}`", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why.
        #[source]
        err: std::io::Error,
    },
    /// Another process fetches the same repository.
    #[error("another fetch of `{url}` has not ended within {} s", LOCK_TIME_MAX.as_secs())]
    Busy {
        /// The repository.
        url: String,
    },
}

/// How much is written to see whether a disk is full: one block, as git's smallest file takes.
const PROBE_BYTES: usize = 4096;

/// The `git` program with settings of ours.
#[derive(Debug, Clone)]
pub struct Git {
    state_dir: PathBuf,
}

impl Git {
    /// Keeps git's home and configuration under the state folder; nothing is written before git is run, so that
    /// reading a local repository needs no folder of ours.
    pub fn new(state_dir: &Path) -> Self {
        Git { state_dir: state_dir.to_owned() }
    }

    fn prepare(&self) -> Result<(), GitError> {
        let home = self.home();
        let folder = |err| GitError::Folder { path: home.clone(), err };
        std::fs::create_dir_all(home.join("empty")).map_err(folder)?;
        let file = home.join("config");
        if std::fs::read_to_string(&file).ok().as_deref() != Some(CONFIGURATION) {
            let temporary = home.join(format!(".config.{}", std::process::id()));
            std::fs::write(&temporary, CONFIGURATION)
                .and_then(|()| std::fs::rename(&temporary, &file))
                .map_err(folder)?;
        }
        Ok(())
    }

    /// The folder of our own copy of a repository.
    pub fn mirror_path(&self, url: &RemoteUrl) -> PathBuf {
        self.state_dir.join("repositories").join(url.hash())
    }

    /// Brings our own bare copy of a repository up to date: all branches and tags, and what HEAD means.
    ///
    /// Objects that were fetched once stay, also after a forced push. A copy that turns out to be damaged is made anew.
    pub async fn fetch_mirror(&self, remote: Remote<'_>) -> Result<PathBuf, GitError> {
        let url = remote.url;
        let path = self.mirror_path(url);
        let _lock = self.lock(url).await?;
        let first = self.fetch_into(&path, remote).await;
        match first {
            Err(GitError::Failed { ref message, .. }) if is_damage(message) => {
                tracing::warn!(
                    url = show(url.as_str()),
                    "the copy of a repository is damaged; making it anew"
                );
                let aside = path.with_extension("damaged");
                let folder = |err| GitError::Folder { path: path.clone(), err };
                if aside.exists() {
                    std::fs::remove_dir_all(&aside).map_err(folder)?;
                }
                std::fs::rename(&path, &aside).map_err(folder)?;
                if let Err(err) = self.fetch_into(&path, remote).await {
                    // A damaged copy may still hold the last revision; nothing at all holds nothing.
                    let _ = std::fs::remove_dir_all(&path);
                    std::fs::rename(&aside, &path).map_err(folder)?;
                    return Err(err);
                }
                std::fs::remove_dir_all(&aside).map_err(folder)?;
            }
            other => other?,
        }
        Ok(path)
    }

    async fn fetch_into(&self, path: &Path, remote: Remote<'_>) -> Result<(), GitError> {
        let Remote { url, credential, .. } = remote;
        if !path.join("HEAD").exists() {
            let init = self.local(path.parent()).args(["init", "--quiet", "--bare", "--"]).args([path]);
            std::fs::create_dir_all(path).map_err(|err| GitError::Folder { path: path.to_owned(), err })?;
            self.run("making a repository", &init, None).await?;
        }
        let fetch = self
            .remote(path, remote, FETCH_TIME_MAX)
            .args(["fetch", "--quiet", "--prune", "--force", "--no-write-fetch-head", "--no-tags"])
            .args(["--no-recurse-submodules", "--", url.as_str()])
            .args(["+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"]);
        self.run(&format!("fetching `{}`", show(url.as_str())), &fetch, credential).await?;
        let ask = self.remote(path, remote, ASK_TIME_MAX).args([
            "ls-remote",
            "--quiet",
            "--symref",
            "--",
            url.as_str(),
            "HEAD",
        ]);
        let answer = self.run(&format!("asking `{}` for HEAD", show(url.as_str())), &ask, credential).await?;
        let answer = String::from_utf8_lossy(&answer.stdout).into_owned();
        let head = answer.lines().find_map(|line| line.strip_prefix("ref: ")?.strip_suffix("\tHEAD"));
        if let Some(head) = head.filter(|head| head.starts_with("refs/heads/")) {
            let set = self.local(Some(path)).args(["symbolic-ref", "HEAD", head]);
            self.run("setting HEAD", &set, None).await?;
        }
        Ok(())
    }

    /// An invocation of git that touches no network.
    pub fn local(&self, directory: Option<&Path>) -> Invocation {
        let mut invocation = self.base(LOCAL_TIME_MAX).env("GIT_ALLOW_PROTOCOL", "file");
        invocation.directory = directory.map(Path::to_owned);
        configured(invocation, &OVERRIDES.map(|(key, value)| (key.to_owned(), value.to_owned())))
    }

    pub(super) fn remote(&self, directory: &Path, remote: Remote<'_>, deadline: Duration) -> Invocation {
        let Remote { url, credential, addresses } = remote;
        let mut invocation = self
            .base(deadline)
            .env("GIT_ALLOW_PROTOCOL", url.protocol().as_str())
            // The user's own ~/.ssh counts (ssh takes it from the password file, not from HOME): hosts must be known.
            .env(
                "GIT_SSH_COMMAND",
                "ssh -o BatchMode=yes -o StrictHostKeyChecking=yes -o ConnectTimeout=15 -o ForwardAgent=no -o ClearAllForwardings=yes -o PermitLocalCommand=no",
            );
        invocation.directory = Some(directory.to_owned());
        // Configuration by environment: unlike arguments, it is seen by nobody but ourselves.
        let mut configuration = Vec::new();
        configuration.extend(OVERRIDES.map(|(key, value)| (key.to_owned(), value.to_owned())));
        if let (Some(credential), Some(origin)) = (credential, url.origin()) {
            let header = basic(credential.expose_secret());
            configuration
                .push((format!("http.{origin}.extraHeader"), format!("Authorization: Basic {header}")));
        }
        if let Some(addresses) = addresses {
            configuration.push(("http.curloptResolve".to_owned(), addresses.to_owned()));
        }
        configured(invocation, &configuration)
    }

    fn base(&self, deadline: Duration) -> Invocation {
        let home = self.home();
        let mut invocation = Invocation::new("git", deadline)
            .env("HOME", home.join("empty"))
            .env("XDG_CONFIG_HOME", home.join("empty"))
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_SYSTEM", "/dev/null")
            .env("GIT_CONFIG_GLOBAL", home.join("config"))
            .env("GIT_ATTR_NOSYSTEM", "1")
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_ASKPASS", "/bin/false")
            .env("SSH_ASKPASS_REQUIRE", "never")
            .env("LC_ALL", "C");
        for name in PASSED_ON {
            if let Some(value) = std::env::var_os(name) {
                invocation = invocation.env(*name, value);
            }
        }
        invocation
    }

    /// Runs git and requires that it succeeds.
    pub async fn run(
        &self,
        action: &str,
        invocation: &Invocation,
        credential: Option<&SecretString>,
    ) -> Result<Output, GitError> {
        self.run_telling(action, invocation, credential, &|_| {}).await
    }

    /// Runs git and requires that it succeeds; `said` hears its progress.
    pub(super) async fn run_telling(
        &self,
        action: &str,
        invocation: &Invocation,
        credential: Option<&SecretString>,
        said: &(dyn Fn(&str) + Sync),
    ) -> Result<Output, GitError> {
        self.prepare()?;
        let output = run_telling(invocation, said).await?;
        if output.status.success() {
            return Ok(output);
        }
        let mut message = message(&output, credential);
        if self.is_full() {
            message.push_str(&format!("; no space is left in `{}`", self.state_dir.display()));
        }
        Err(GitError::Failed { action: action.to_owned(), message })
    }

    /// Whether nothing can be written to our folder any more. git speaks of locks that it could not close instead.
    fn is_full(&self) -> bool {
        let probe = self.home().join(format!(".probe.{}", std::process::id()));
        let written = std::fs::write(&probe, [0; PROBE_BYTES]);
        // Only a probe: what is left of it is overwritten by the next.
        let _ = std::fs::remove_file(&probe);
        written.is_err_and(|err| err.kind() == std::io::ErrorKind::StorageFull)
    }

    fn home(&self) -> PathBuf {
        self.state_dir.join("git")
    }

    async fn lock(&self, url: &RemoteUrl) -> Result<std::fs::File, GitError> {
        let folder = self.state_dir.join("repositories");
        let path = folder.join(format!("{}.lock", url.hash()));
        let fail = |err| GitError::Folder { path: folder.clone(), err };
        std::fs::create_dir_all(&folder).map_err(fail)?;
        let file =
            std::fs::OpenOptions::new().create(true).truncate(false).write(true).open(&path).map_err(fail)?;
        let start = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(std::fs::TryLockError::Error(err)) => return Err(fail(err)),
                Err(std::fs::TryLockError::WouldBlock) if start.elapsed() > LOCK_TIME_MAX => {
                    return Err(GitError::Busy { url: show(url.as_str()) });
                }
                Err(std::fs::TryLockError::WouldBlock) => {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }
}

/// A token or `user:password` as HTTP's basic authentication wants it.
pub(super) fn basic(credential: &str) -> String {
    let pair = match credential.contains(':') {
        true => credential.to_owned(),
        // What GitHub and GitLab take as the user name of a token.
        false => format!("x-access-token:{credential}"),
    };
    base64::engine::general_purpose::STANDARD.encode(pair)
}
