//! A project on the real engine, made by the real Compose or by our own path, and taken away again.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use ipaictl::clients::docker::Docker;
use ipaictl::engine::apply::{Done, EngineError, OperationContext, run_operation};
use ipaictl::engine::hash::spec_hash;
use ipaictl::engine::observe::{EngineFacts, ObserveRequest, observe_engine};
use ipaictl::engine::operation::{EngineOperation, Target};
use ipaictl::engine::request::{
    Identity, container_name, endpoint, network_request, volume_request, with_labels,
};
use ipaictl::engine::spec::{ProjectSpec, ServiceSpec};
use ipaictl::model::id::{Kind, ResourceId};
use ipaictl::model::known::Known;
use ipaictl::skills::stack::render::{Canonical, RenderContext, render_canonical};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

pub const SOCKET: &str = "unix:///var/run/docker.sock";

pub fn run(program: &str, arguments: &[&str]) -> Output {
    Command::new(program).args(arguments).output().unwrap_or_else(|err| panic!("{program}: {err}"))
}

pub fn docker(arguments: &[&str]) -> String {
    let output = run("docker", arguments);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "docker {arguments:?}: {stderr}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

pub fn compose_program() -> &'static str {
    static PROGRAM: std::sync::OnceLock<String> = std::sync::OnceLock::new();
    PROGRAM.get_or_init(|| {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/lib/compose-v2");
        let output = run(script.to_str().unwrap(), &[]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    })
}

/// Taken by tests that make the fixtures: some names and addresses in them are fixed.
pub static FIXTURES: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// A project of its own name in a directory of its own; everything of it is removed in the end.
pub struct Lab {
    pub name: String,
    pub file: PathBuf,
    pub engine: Docker,
    pub resource: ResourceId,
    _folder: tempfile::TempDir,
}

impl Lab {
    pub async fn new(name: &str, text: &str) -> Lab {
        let folder = tempfile::tempdir().unwrap();
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/services");
        let copied =
            run("cp", &["-r", fixtures.join(".").to_str().unwrap(), folder.path().to_str().unwrap()]);
        assert!(copied.status.success());
        let file = folder.path().join("compose.yaml");
        std::fs::write(&file, text).unwrap();
        static NUMBER: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let name = format!("ipaieng-{}-{number}-{name}", std::process::id());
        let engine = Docker::connect(SOCKET, None).await.unwrap();
        let resource = ResourceId { kind: Kind::Stack, name: "lab".to_owned() };
        Lab { name, file, engine, resource, _folder: folder }
    }

    pub async fn of_fixture(fixture: &str) -> Lab {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/services").join(fixture);
        Lab::new(fixture.trim_end_matches(".yaml"), &std::fs::read_to_string(path).unwrap()).await
    }

    pub fn compose(&self, arguments: &[&str]) -> String {
        let file = self.file.to_str().unwrap();
        let mut all = vec!["-p", self.name.as_str(), "-f", file];
        all.extend(arguments);
        let output = run(compose_program(), &all);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "compose {arguments:?}: {stderr}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// The project as Compose itself understands it, rendered.
    pub fn project(&self) -> ProjectSpec {
        let mut json: Value = serde_json::from_str(&self.compose(&["config", "--format", "json"])).unwrap();
        unescape(&mut json);
        render_json(&self.name, &self.file, &json).unwrap()
    }

    pub async fn run(&self, operation: EngineOperation) -> Result<Done, EngineError> {
        let cancel = CancellationToken::new();
        run_operation(&self.engine, &operation, &OperationContext { cancel: &cancel, progress: &|_| {} })
            .await
    }

    /// Makes everything of a project in the order of its dependencies; starts nothing.
    pub async fn create(&self, project: &ProjectSpec) {
        for network in project.networks.iter().filter(|network| !network.external) {
            let request = Box::new(network_request(project, network, &self.resource, "op"));
            self.run(EngineOperation::CreateNetwork { request, name: network.name.clone() }).await.unwrap();
        }
        for volume in project.volumes.iter().filter(|volume| !volume.external) {
            let request = Box::new(volume_request(project, volume, &self.resource, "op"));
            self.run(EngineOperation::CreateVolume { request, name: volume.name.clone() }).await.unwrap();
        }
        for service in in_order(project) {
            for number in 1..=service.replicas {
                self.create_container(project, service, number).await.unwrap();
            }
        }
    }

    pub async fn create_container(
        &self,
        project: &ProjectSpec,
        service: &ServiceSpec,
        number: u32,
    ) -> Result<Done, EngineError> {
        let name = container_name(project, service, number);
        let operation_id = format!("op-{name}");
        let hash = spec_hash(service);
        let identity = Identity {
            resource: &self.resource,
            spec_hash: &hash,
            secret_hash: None,
            content_hash: None,
            operation_id: &operation_id,
            image_id: None,
        };
        let other = |name: &str| project.services.iter().find(|other| other.name == name).unwrap();
        let shares = service.shares.iter().map(|share| {
            let name = container_name(project, other(&share.service), 1);
            (share.kind, share.access.as_ref().map_or(name.clone(), |access| format!("{name}:{access}")))
        });
        let body = Box::new(with_labels(project, service, number, &identity));
        let operation = EngineOperation::CreateContainer {
            name: name.clone(),
            body,
            shares: shares.collect(),
            platform: service.platform.clone(),
            operation_id,
        };
        let done = self.run(operation).await?;
        for attachment in service.attachments.iter().skip(1) {
            self.run(EngineOperation::ConnectNetwork {
                network: attachment.network.clone(),
                container: Target::Name(name.clone()),
                endpoint: Box::new(endpoint(project, service, number, attachment)),
            })
            .await?;
        }
        if !service.injected.is_empty() {
            let targets = service.injected.iter().map(|file| file.target.clone()).collect();
            let (container, files) = (Target::Name(name), service.injected.clone());
            self.run(EngineOperation::CopyFiles { container, files, targets }).await?;
        }
        Ok(done)
    }

    pub async fn start(&self, project: &ProjectSpec) {
        // A machine within a machine may not have all the rights that a privileged container takes.
        let is_privileged =
            |service: &ServiceSpec| service.container.host_config.as_ref().unwrap().privileged == Some(true);
        for service in in_order(project).into_iter().filter(|service| !is_privileged(service)) {
            for number in 1..=service.replicas {
                let container = Target::Name(container_name(project, service, number));
                self.run(EngineOperation::StartContainer { container }).await.unwrap();
            }
        }
    }

    /// How many containers of the project there are.
    pub fn inspect_or_nothing(&self) -> usize {
        let filter = format!("label=com.docker.compose.project={}", self.name);
        docker(&["ps", "-aq", "--filter", &filter]).lines().count()
    }

    /// `docker inspect` of all containers of the project by name.
    pub fn inspect(&self) -> BTreeMap<String, Value> {
        let filter = format!("label=com.docker.compose.project={}", self.name);
        let ids = docker(&["ps", "-aq", "--no-trunc", "--filter", &filter]);
        let mut arguments = vec!["inspect"];
        arguments.extend(ids.lines());
        let all: Vec<Value> = serde_json::from_str(&docker(&arguments)).unwrap();
        all.into_iter().map(|one| (one["Name"].as_str().unwrap().to_owned(), one)).collect()
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        let remove = |list: &[&str], remove: &[&str]| {
            let filter = format!("label=com.docker.compose.project={}", self.name);
            let mut arguments = list.to_vec();
            arguments.extend(["-q", "--filter", &filter]);
            let found = String::from_utf8(run("docker", &arguments).stdout).unwrap_or_default();
            if !found.trim().is_empty() {
                let mut arguments = remove.to_vec();
                arguments.extend(found.lines());
                run("docker", &arguments);
            }
        };
        remove(&["ps", "-a"], &["rm", "-fv"]);
        remove(&["network", "ls"], &["network", "rm"]);
        remove(&["volume", "ls"], &["volume", "rm"]);
    }
}

pub fn render_json(
    name: &str,
    file: &Path,
    json: &Value,
) -> Result<ProjectSpec, Vec<ipaictl::model::problem::Problem>> {
    let working_dir = file.parent().unwrap().to_str().unwrap();
    let canonical = Canonical {
        name,
        working_dir,
        config_files: &[file.display().to_string()],
        json,
        disabled_services: &BTreeSet::new(),
        secret_environment: &BTreeMap::new(),
        place: &|_| None,
    };
    let variable = |name: &str| (name == "LAB_SECRET").then(|| "from a variable".to_owned());
    let context =
        RenderContext { health_timeout: Duration::from_secs(60), digest: &|_| None, variable: &variable };
    render_canonical(&canonical, &context)
}

/// `config` prints `$$` for `$`.
fn unescape(value: &mut Value) {
    match value {
        Value::String(text) => *text = text.replace("$$", "$"),
        Value::Array(items) => items.iter_mut().for_each(unescape),
        Value::Object(map) => map.values_mut().for_each(unescape),
        _ => {}
    }
}

fn in_order(project: &ProjectSpec) -> Vec<&ServiceSpec> {
    let mut ordered: Vec<&ServiceSpec> = Vec::new();
    while ordered.len() < project.services.len() {
        let is_there = |name: &str| ordered.iter().any(|other| other.name == name);
        let next = project.services.iter().find(|service| {
            !is_there(&service.name)
                && service.depends_on.iter().all(|other| is_there(&other.service))
                && service.shares.iter().all(|share| is_there(&share.service))
        });
        ordered.push(next.expect("no circle"));
    }
    ordered
}

pub async fn observe(lab: &Lab, project: &ProjectSpec) -> EngineFacts {
    let request = ObserveRequest {
        references: project.services.iter().map(|service| service.image.clone()).collect(),
        projects: [project.name.clone()].into(),
        ..ObserveRequest::default()
    };
    match observe_engine(&lab.engine, &request).await {
        Known::Known(facts) => facts,
        Known::Unknown(why) => panic!("{why}"),
    }
}
