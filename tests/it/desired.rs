//! Reading the desired state: from real git servers, from good, bad and hostile trees.

mod errors;
mod files;
mod hostile;
mod properties;
mod schemas;
mod sources;
mod stacks;

use std::path::{Path, PathBuf};
use std::process::Command;

use ipaictl::clients::secrets::{SecretResolver, SecretSettings};
use ipaictl::desired::{At, LoadOptions, Loaded, Source, SourceSettings, load};

/// A time that never changes, for what has an end.
pub fn now() -> chrono::DateTime<chrono::Utc> {
    "2026-01-15T12:00:00Z".parse().unwrap()
}

/// A folder for a repository and our own state, removed at the end.
pub struct Lab {
    pub folder: tempfile::TempDir,
}

impl Lab {
    pub fn new() -> Self {
        Lab { folder: tempfile::tempdir().unwrap() }
    }

    /// A lab with an empty repository whose branch is `main`.
    pub fn with_repository() -> Self {
        let lab = Lab::new();
        std::fs::create_dir_all(lab.repo()).unwrap();
        lab.git(&["init", "--quiet", "--initial-branch=main"]);
        lab
    }

    pub fn repo(&self) -> PathBuf {
        self.folder.path().canonicalize().unwrap().join("repo")
    }

    pub fn write(&self, path: &str, text: &str) {
        let path = self.repo().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    pub fn git(&self, arguments: &[&str]) -> String {
        git(&self.repo(), arguments)
    }

    /// Commits everything and answers the commit.
    pub fn commit(&self, message: &str) -> String {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--allow-empty", "--message", message]);
        self.git(&["rev-parse", "HEAD"])
    }

    pub fn settings(&self) -> SourceSettings {
        SourceSettings {
            repo: self.repo().display().to_string(),
            branch: None,
            path: "desired-state".into(),
            state_dir: self.folder.path().join("state"),
            allow: Vec::new(),
            credential: None,
        }
    }

    pub fn source(&self) -> Source {
        Source::open(&self.settings()).unwrap()
    }

    pub async fn load_head(&self) -> Loaded {
        let source = self.source();
        let at = At::Revision(source.resolve(None).unwrap());
        load_at(&source, &at).await
    }
}

/// Runs git as a person would, without anything of the machine's own configuration.
pub fn git(directory: &Path, arguments: &[&str]) -> String {
    let output = Command::new("git")
        .current_dir(directory)
        .args([
            "-c",
            "user.name=Test",
            "-c",
            "user.email=test@example.org",
            "-c",
            "protocol.file.allow=always",
            "-c",
            "gc.auto=0",
        ])
        .args(arguments)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .output()
        .unwrap();
    assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

pub async fn load_at(source: &Source, at: &At) -> Loaded {
    let secrets = SecretResolver::new(SecretSettings::default());
    load(source, at, &secrets, &LoadOptions { now: now(), fetch: true }).await.unwrap()
}

pub fn rules(loaded: &Loaded) -> Vec<&str> {
    loaded.problems.iter().filter(|problem| problem.is_error()).map(|problem| problem.rule).collect()
}

/// A small valid host.
pub fn host(name: &str) -> String {
    format!("apiVersion: ipai.dev/v1alpha1\nkind: Host\nmetadata: {{name: {name}}}\nspec: {{}}\n")
}
