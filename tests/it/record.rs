//! Executing and keeping: a real engine, a real store, and whatever may happen in between.

mod crash;
mod evidence;
mod guards;
mod locks;
mod secrets;

use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use ipaictl::apply::Progress;
use ipaictl::config::{Environment, Settings};
use ipaictl::desired::At;
use ipaictl::desired::state::DesiredState;
use ipaictl::reconcile::{Access, Context, Mode, PassError, PassReport, Scope, reconcile};
use ipaictl::record::store::Store;
use tokio_util::sync::CancellationToken;

use super::desired::Lab;

/// A state repository with one stack, and what it makes on the machine's engine; all of it removed at the end.
pub struct World {
    pub lab: Lab,
    /// The Stack's and the Compose project's name, unique on the engine.
    pub name: String,
}

impl World {
    pub fn new(compose: &str) -> World {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let world =
            World { lab: Lab::with_repository(), name: format!("rec{}x{number}", std::process::id()) };
        world.lab.write(
            "desired-state/world.yaml",
            &format!(
                "apiVersion: ipai.dev/v1alpha1\nkind: Host\nmetadata: {{name: local}}\nspec: {{}}\n---\n\
                 apiVersion: ipai.dev/v1alpha1\nkind: Stack\nmetadata: {{name: {}}}\n\
                 spec: {{host: local, compose: {{files: [compose.yaml]}}}}\n",
                world.name
            ),
        );
        world.change(compose);
        world
    }

    /// Commits another Compose file.
    pub fn change(&self, compose: &str) -> String {
        self.lab.write("compose.yaml", compose);
        self.lab.commit("change")
    }

    pub fn state(&self) -> PathBuf {
        self.lab.folder.path().join("state")
    }

    pub async fn context(&self) -> Context {
        context(&self.lab.repo(), &self.state()).await
    }

    pub async fn store(&self) -> Store {
        Store::open(&self.state().join("ipaictl.db")).await.unwrap()
    }

    pub fn stack(&self) -> ipaictl::model::id::ResourceId {
        ipaictl::model::id::ResourceId::new(ipaictl::model::id::Kind::Stack, self.name.clone())
    }

    /// Names and states of this world's containers, sorted.
    pub fn containers(&self) -> Vec<String> {
        let filter = format!("label=com.docker.compose.project={}", self.name);
        let text = docker(&["ps", "--all", "--filter", &filter, "--format", "{{.Names}} {{.State}}"]);
        let mut lines: Vec<String> =
            text.lines().map(|line| line.replace(&format!("{}-", self.name), "")).collect();
        lines.sort();
        lines
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let filter = format!("label=com.docker.compose.project={}", self.name);
        for (list, remove) in [
            (vec!["ps", "-aq", "--filter", &filter], vec!["rm", "-fv"]),
            (vec!["network", "ls", "-q", "--filter", &filter], vec!["network", "rm"]),
            (vec!["volume", "ls", "-q", "--filter", &filter], vec!["volume", "rm"]),
        ] {
            let ids = docker(&list);
            if !ids.is_empty() {
                let arguments: Vec<&str> = remove.into_iter().chain(ids.lines()).collect();
                let _ = Command::new("docker").args(arguments).output();
            }
        }
    }
}

/// A service that only waits; `more` is flow YAML that begins with a comma.
pub fn service(name: &str, more: &str) -> String {
    format!(
        "  {name}: {{image: \"ipaictl/busybox:1\", command: [/bin/pause], restart: unless-stopped, stop_grace_period: 1s{more}}}\n"
    )
}

pub fn docker(arguments: &[&str]) -> String {
    let output = Command::new("docker").args(arguments).output().unwrap();
    assert!(output.status.success(), "docker {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

pub async fn context(repo: &std::path::Path, state: &std::path::Path) -> Context {
    let environment = Environment::read();
    let settings = Settings {
        repo: Some(repo.display().to_string()),
        state_dir: state.to_owned(),
        ..Settings::defaults(&environment)
    };
    Context::open(settings, &environment, Access::Write).await.unwrap()
}

pub async fn desired(context: &Context) -> DesiredState {
    let at = At::Revision(context.source.resolve(None).unwrap());
    let loaded = context.load_desired(&at, false).await.unwrap();
    loaded.state.unwrap_or_else(|| panic!("{:#?}", loaded.problems))
}

pub async fn apply(context: &Context) -> Result<PassReport, PassError> {
    let desired = desired(context).await;
    reconcile(context, &desired, &Scope::All, Mode::Manual, &CancellationToken::new()).await
}

/// Says nothing of what happens.
pub fn quiet(_: &Progress<'_>) {}
