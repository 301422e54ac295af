//! The starter state repository that `ipaictl init` writes: small, commented, valid.
//!
//! Writes into an empty folder only, so that nothing of anybody's can be lost.

use std::path::{Path, PathBuf};

use super::schema;

/// The starter's files by path; each is valid as it is.
const FILES: &[(&str, &str)] = &[
    ("README.md", include_str!("starter/README.md")),
    ("compose/hello.yaml", include_str!("starter/compose/hello.yaml")),
    ("desired-state/hello.yaml", include_str!("starter/desired-state/hello.yaml")),
    ("desired-state/local.yaml", include_str!("starter/desired-state/local.yaml")),
];
/// The folder of schemas, which the documents name for editors.
const SCHEMAS: &str = "crds";
/// The message of the first commit.
const MESSAGE: &str = "feat: a host and a first stack\n";

/// What was made.
#[derive(Debug)]
pub struct Starter {
    /// The files, relative to the folder.
    pub files: Vec<String>,
    /// What became of the first commit.
    pub commit: Commit,
}

/// What became of the first commit.
#[derive(Debug, PartialEq, Eq)]
pub enum Commit {
    /// It was made.
    Made(String),
    /// Everything is staged, and git doesn't know who commits.
    NoIdentity,
    /// The folder belongs to another repository, which is left alone.
    InsideRepository,
}

/// Why there is no starter.
#[derive(Debug, thiserror::Error)]
pub enum StarterError {
    /// The folder has something in it.
    #[error("`{path}` is not empty: it has `{first}`", path = path.display())]
    NotEmpty {
        /// The folder.
        path: PathBuf,
        /// The first thing in it.
        first: String,
    },
    /// A file can't be written.
    #[error("failed to write `{path}`", path = path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        err: std::io::Error,
    },
    /// The git repository can't be made.
    #[error("failed to make the git repository")]
    Git(#[source] git2::Error),
}

/// Writes the starter into a folder that is empty or doesn't exist, and commits it.
pub fn create(directory: &Path) -> Result<Starter, StarterError> {
    let file_error = |path: &Path, err| StarterError::File { path: path.to_owned(), err };
    std::fs::create_dir_all(directory).map_err(|err| file_error(directory, err))?;
    let mut entries = std::fs::read_dir(directory).map_err(|err| file_error(directory, err))?;
    if let Some(entry) = entries.next() {
        let first = entry.map_err(|err| file_error(directory, err))?.file_name();
        let first = first.to_string_lossy().into_owned();
        return Err(StarterError::NotEmpty { path: directory.to_owned(), first });
    }
    // Asked before anything is written: afterwards the folder would be a repository of its own.
    let inside = git2::Repository::discover(directory).is_ok();
    let files = files();
    for (name, text) in &files {
        let path = directory.join(name);
        let folder = path.parent().expect("every file lies in the folder");
        std::fs::create_dir_all(folder).map_err(|err| file_error(folder, err))?;
        write_new(&path, text).map_err(|err| file_error(&path, err))?;
    }
    let files: Vec<String> = files.into_iter().map(|(name, _)| name).collect();
    if inside {
        return Ok(Starter { files, commit: Commit::InsideRepository });
    }
    let commit = commit_all(directory, &files).map_err(StarterError::Git)?;
    Ok(Starter { files, commit })
}

/// All files by path: the starter's own, and the schemas that editors check its documents with.
fn files() -> Vec<(String, String)> {
    let own = FILES.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
    let schemas = schema::files().into_iter().filter(|(name, _)| name.ends_with(".schema.json"));
    let mut files: Vec<_> =
        own.chain(schemas.map(|(name, text)| (format!("{SCHEMAS}/{name}"), text))).collect();
    files.sort();
    files
}

/// Writes a file that must not exist yet, whoever else writes here at the same time.
fn write_new(path: &Path, text: &str) -> std::io::Result<()> {
    use std::io::Write as _;
    std::fs::File::options().write(true).create_new(true).open(path)?.write_all(text.as_bytes())
}

fn commit_all(directory: &Path, files: &[String]) -> Result<Commit, git2::Error> {
    let mut options = git2::RepositoryInitOptions::new();
    options.initial_head("main").external_template(false).no_reinit(true);
    let repository = git2::Repository::init_opts(directory, &options)?;
    let mut index = repository.index()?;
    for name in files {
        index.add_path(Path::new(name))?;
    }
    index.write()?;
    let tree = repository.find_tree(index.write_tree()?)?;
    let Ok(signature) = repository.signature() else { return Ok(Commit::NoIdentity) };
    let commit = repository.commit(Some("HEAD"), &signature, &signature, MESSAGE, &tree, &[])?;
    Ok(Commit::Made(commit.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_with_anything_in_it_is_left_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(".hidden"), "mine").unwrap();
        let error = create(folder.path()).unwrap_err();
        assert!(error.to_string().contains(".hidden"));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_folder_of_another_repository_gets_no_repository_of_its_own() {
        let folder = tempfile::tempdir().unwrap();
        git2::Repository::init(folder.path()).unwrap();
        let made = create(&folder.path().join("state")).unwrap();
        assert_eq!(made.commit, Commit::InsideRepository);
        assert!(!folder.path().join("state/.git").exists());
    }
}
