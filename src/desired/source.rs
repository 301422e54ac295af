//! Where the desired state comes from: a git repository by path or URL at a revision, or a working tree.
//!
//! Objects are read with libgit2, the network is left to the `git` program. A repository by URL is read
//! from our own copy of it, so that a remote that can't be reached never takes the last revision away.

use std::path::{Path, PathBuf};

use git2::{ErrorCode, Oid, Repository};
use secrecy::SecretString;

use super::revision::{resolve_branch, resolve_head, resolve_reference};
use super::tree::Tree;
use crate::clients::git::{Git, GitError, Remote};
use crate::clients::git_url::{RemoteUrl, show};
use crate::model::id::Revision;

/// Which repository, branch and folder.
#[derive(Debug, Clone, Default)]
pub struct SourceSettings {
    /// A path or URL.
    pub repo: String,
    /// The branch to follow; what HEAD means without it.
    pub branch: Option<String>,
    /// The folder of resource documents, or one file, relative to the repository.
    pub path: String,
    /// The controller's own folder: copies of repositories, checkouts.
    pub state_dir: PathBuf,
    /// URL prefixes that documents may name besides `https://` and `ssh://` (`git.allow`).
    pub allow: Vec<String>,
    /// The token or password for the repository itself, when it is reached by `https://`.
    pub credential: Option<SecretString>,
}

/// What to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum At {
    /// A commit, as [`Source::resolve`] found it.
    Revision(Revision),
    /// The files as they are in the working tree, committed or not.
    WorkingTree,
}

/// Why the source can't be used. None of them ends the life of an earlier revision.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The settings make no sense.
    #[error("`{repo}` can't be used as a state repository: {why}")]
    Invalid {
        /// As given.
        repo: String,
        /// Why.
        why: String,
    },
    /// There is no git repository.
    #[error("`{}` is not a git repository", path.display())]
    NotARepository {
        /// The path.
        path: PathBuf,
    },
    /// The remote can't be reached, or refuses.
    #[error("the state repository `{repo}` can't be reached")]
    Unavailable {
        /// The repository, without credentials.
        repo: String,
        /// Why.
        #[source]
        err: GitError,
    },
    /// Nothing was ever fetched.
    #[error("the state repository `{repo}` was never fetched")]
    NeverFetched {
        /// The repository.
        repo: String,
    },
    /// It has no commit.
    #[error("the repository `{repo}` has no commit yet")]
    Empty {
        /// The repository.
        repo: String,
    },
    /// The branch that is followed is gone.
    #[error("the branch `{branch}` doesn't exist in `{repo}`")]
    BranchMissing {
        /// The branch.
        branch: String,
        /// The repository.
        repo: String,
        /// A branch that may be meant.
        nearest: Option<String>,
    },
    /// A branch, tag or commit that isn't there.
    #[error("`{repo}` has no branch, tag or commit `{reference}`")]
    UnknownReference {
        /// As asked.
        reference: String,
        /// The repository.
        repo: String,
        /// A name that may be meant.
        nearest: Option<String>,
    },
    /// The folder of documents isn't there.
    #[error("there is no `{path}` in `{repo}` at {at}")]
    PathMissing {
        /// The folder or file.
        path: String,
        /// The repository.
        repo: String,
        /// The revision.
        at: String,
        /// A path that may be meant.
        nearest: Option<String>,
    },
    /// Objects are missing or damaged.
    #[error("failed to read `{what}` in `{repo}`")]
    Objects {
        /// Which object or name.
        what: String,
        /// The repository.
        repo: String,
        /// libgit2's reason.
        #[source]
        err: git2::Error,
    },
    /// A folder of ours or the working tree can't be read.
    #[error("failed to read `{}`", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why.
        #[source]
        err: std::io::Error,
    },
    /// git itself can't be used.
    #[error("failed to prepare git")]
    Git(#[source] GitError),
}

impl SourceError {
    /// What to do next, as a sentence.
    pub fn hint(&self) -> Option<String> {
        let did_you_mean =
            |name: &Option<String>| name.as_ref().map(|name| format!("Did you mean `{name}`?"));
        match self {
            SourceError::NotARepository { path } => {
                Some(format!("Make it one: `git init {0}`, or name another with `--repo`.", path.display()))
            }
            SourceError::Empty { .. } => Some("Commit the desired state first.".to_owned()),
            SourceError::BranchMissing { nearest, .. }
            | SourceError::UnknownReference { nearest, .. }
            | SourceError::PathMissing { nearest, .. } => did_you_mean(nearest),
            SourceError::Objects { err, .. } if err.code() == ErrorCode::Owner => Some(
                "It belongs to another user: run as that user, or `git config --global --add safe.directory PATH`."
                    .to_owned(),
            ),
            SourceError::Objects { .. } => Some("Check the repository with `git fsck`.".to_owned()),
            SourceError::NeverFetched { .. } => Some("Check the address and the network.".to_owned()),
            _ => None,
        }
    }
}

/// A source that was opened.
#[derive(Debug, Clone)]
pub struct Source {
    settings: SourceSettings,
    place: SourcePlace,
    git: Git,
}

#[derive(Debug, Clone)]
enum SourcePlace {
    /// A repository on this machine, or a folder that is none.
    Local { root: PathBuf, git_dir: Option<PathBuf> },
    /// A repository elsewhere, read from our copy.
    Remote { url: RemoteUrl, mirror: PathBuf },
}

impl Source {
    /// Opens a source; touches no network.
    pub fn open(settings: &SourceSettings) -> Result<Self, SourceError> {
        let invalid = |why: String| SourceError::Invalid { repo: show(&settings.repo), why };
        let state_dir = std::path::absolute(&settings.state_dir)
            .map_err(|err| SourceError::Folder { path: settings.state_dir.clone(), err })?;
        let path = normal_path(&settings.path)
            .ok_or_else(|| invalid(format!("the path `{}` leaves the repository", settings.path)))?;
        let settings = SourceSettings { state_dir, path, ..settings.clone() };
        let git = Git::new(&settings.state_dir);
        let local = Path::new(&settings.repo);
        let is_url = settings.repo.contains("://")
            || (!local.exists() && settings.repo.contains(':') && !settings.repo.starts_with('/'));
        let place = if is_url {
            let url = RemoteUrl::parse_own(&settings.repo).map_err(invalid)?;
            SourcePlace::Remote { mirror: git.mirror_path(&url), url }
        } else {
            open_local(local)?
        };
        Ok(Source { settings, place, git })
    }

    /// Opens the source that holds a folder of documents, or one document file, in the working tree.
    ///
    /// The enclosing git repository is the root in which paths resolve; without one, the folder itself.
    pub fn open_folder(path: &Path, settings: &SourceSettings) -> Result<Self, SourceError> {
        let folder = |err| SourceError::Folder { path: path.to_owned(), err };
        let full = path.canonicalize().map_err(folder)?;
        let start = if full.is_dir() { full.as_path() } else { full.parent().unwrap_or(Path::new("/")) };
        let root = Repository::discover(start)
            .ok()
            .and_then(|repository| repository.workdir().and_then(|dir| dir.canonicalize().ok()))
            .filter(|root| full.starts_with(root))
            .unwrap_or_else(|| start.to_owned());
        let inner = full.strip_prefix(&root).unwrap_or(Path::new("")).to_string_lossy().into_owned();
        let repo = root.to_string_lossy().into_owned();
        Source::open(&SourceSettings { repo, path: inner, ..settings.clone() })
    }

    /// Brings our own copy up to date; nothing to do for a repository on this machine.
    pub async fn fetch(&self) -> Result<(), SourceError> {
        let SourcePlace::Remote { url, .. } = &self.place else { return Ok(()) };
        self.git
            .fetch_mirror(Remote { url, credential: self.settings.credential.as_ref(), addresses: None })
            .await
            .map(|_| ())
            .map_err(|err| SourceError::Unavailable { repo: self.name(), err })
    }

    /// The commit that a branch, tag or commit means; without one, the head of the branch that is followed.
    pub fn resolve(&self, reference: Option<&str>) -> Result<Revision, SourceError> {
        let repository = self.repository()?;
        match (reference, &self.settings.branch) {
            (Some(reference), _) => resolve_reference(&repository, reference, &self.name()),
            (None, Some(branch)) => resolve_branch(&repository, branch, &self.name()),
            (None, None) => resolve_head(&repository, &self.name()),
        }
    }

    /// Whether a commit comes after another one in history (or is the same): if not, history was rewritten.
    pub fn is_descendant(&self, old: &str, new: &str) -> Result<bool, SourceError> {
        if old == new {
            return Ok(true);
        }
        let repository = self.repository()?;
        let (Ok(old), Ok(new)) = (Oid::from_str(old), Oid::from_str(new)) else { return Ok(false) };
        // A commit that is gone is no ancestor of anything.
        if repository.find_commit(old).is_err() {
            return Ok(false);
        }
        repository.graph_descendant_of(new, old).map_err(|err| self.objects("history", err))
    }

    /// The files at a revision.
    pub fn tree(&self, at: &At) -> Result<Tree, SourceError> {
        match (at, &self.place) {
            (At::WorkingTree, SourcePlace::Local { root, .. }) if is_bare(root) => {
                Err(SourceError::Invalid {
                    repo: self.name(),
                    why: "a bare repository has no working tree".to_owned(),
                })
            }
            (At::WorkingTree, SourcePlace::Local { root, .. }) => Ok(Tree::folder(root)),
            (At::WorkingTree, SourcePlace::Remote { .. }) => Err(SourceError::Invalid {
                repo: self.name(),
                why: "a repository by URL has no working tree".to_owned(),
            }),
            (At::Revision(revision), _) => {
                let commit = revision.commit.as_deref().unwrap_or(&revision.reference);
                Tree::commit(self.repository()?, commit).map_err(|err| self.objects(commit, err))
            }
        }
    }

    /// The folder of git's objects, for checkouts and for watching; `None` for a folder without git.
    pub fn git_dir(&self) -> Option<&Path> {
        match &self.place {
            SourcePlace::Local { git_dir, .. } => git_dir.as_deref(),
            SourcePlace::Remote { mirror, .. } => Some(mirror),
        }
    }

    /// The working tree's root; `None` for a repository by URL.
    pub fn working_tree(&self) -> Option<&Path> {
        match &self.place {
            SourcePlace::Local { root, .. } => Some(root),
            SourcePlace::Remote { .. } => None,
        }
    }

    /// Whether changes have to be polled for, because the repository is elsewhere.
    pub fn is_remote(&self) -> bool {
        matches!(self.place, SourcePlace::Remote { .. })
    }

    /// The repository's path or URL for people.
    pub fn name(&self) -> String {
        match &self.place {
            SourcePlace::Local { root, .. } => root.display().to_string(),
            SourcePlace::Remote { url, .. } => show(url.as_str()),
        }
    }

    /// The settings it was opened with, paths made absolute.
    pub fn settings(&self) -> &SourceSettings {
        &self.settings
    }

    /// The `git` program with our settings.
    pub fn git(&self) -> &Git {
        &self.git
    }

    fn repository(&self) -> Result<Repository, SourceError> {
        match &self.place {
            SourcePlace::Local { root, git_dir: None } => {
                Err(SourceError::NotARepository { path: root.clone() })
            }
            SourcePlace::Local { git_dir: Some(git_dir), .. } => {
                Repository::open(git_dir).map_err(|err| self.objects(&git_dir.display().to_string(), err))
            }
            SourcePlace::Remote { mirror, .. } if !mirror.join("HEAD").exists() => {
                Err(SourceError::NeverFetched { repo: self.name() })
            }
            SourcePlace::Remote { mirror, .. } => {
                Repository::open_bare(mirror).map_err(|err| self.objects("our copy", err))
            }
        }
    }

    fn objects(&self, what: &str, err: git2::Error) -> SourceError {
        SourceError::Objects { what: what.to_owned(), repo: self.name(), err }
    }
}

fn open_local(path: &Path) -> Result<SourcePlace, SourceError> {
    let folder = |err| SourceError::Folder { path: path.to_owned(), err };
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    let full = path.canonicalize().map_err(folder)?;
    match Repository::discover(&full) {
        Ok(repository) => {
            let root = repository.workdir().unwrap_or(repository.path());
            let root = root.canonicalize().map_err(folder)?;
            Ok(SourcePlace::Local { root, git_dir: Some(repository.path().to_owned()) })
        }
        Err(err) if err.code() == ErrorCode::NotFound => Ok(SourcePlace::Local { root: full, git_dir: None }),
        Err(err) => {
            let repo = full.display().to_string();
            Err(SourceError::Objects { what: repo.clone(), repo, err })
        }
    }
}

/// A relative path without `.` and empty parts; `None` when it is absolute or contains `..`.
fn normal_path(path: &str) -> Option<String> {
    if path.starts_with('/') || path.contains('\0') {
        return None;
    }
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    (!parts.contains(&"..")).then(|| parts.join("/"))
}

/// Whether a folder is a repository itself instead of holding one.
fn is_bare(root: &Path) -> bool {
    !root.join(".git").exists() && root.join("HEAD").is_file() && root.join("objects").is_dir()
}
