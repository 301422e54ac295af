//! How long planning takes and how much memory: 1,000, 10,000 and 100,000 services, pure, no I/O.
//!
//! Stacks of twenty services, all of them running as wanted but one in ten, whose image changed. Each size runs in a
//! process of its own, so that its peak is its own: what is wanted and what was observed included.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bollard::models::{ContainerCreateBody, EndpointSettings, HostConfig, NetworkCreateRequest, PortBinding};
use ipaictl::desired::state::{DesiredState, StackDesired};
use ipaictl::engine::fields::{container_wanted, network_wanted, overlay};
use ipaictl::engine::hash::{network_hash, spec_hash};
use ipaictl::engine::observe::{
    AttachmentFacts, ContainerFacts, ContainerStatus, EngineFacts, ImageFacts, NetworkFacts,
};
use ipaictl::engine::request::{Identity, aliases_wanted, container_name, network_request, tool_labels};
use ipaictl::engine::spec::{AttachmentSpec, NetworkSpec, ProjectSpec, PullPolicy, ServiceSpec};
use ipaictl::model::document::{Place, SourceFile};
use ipaictl::model::id::{Kind, ResourceId, Revision};
use ipaictl::model::known::Known;
use ipaictl::model::problem::Location;
use ipaictl::model::resource::{CommonSpec, Metadata, Resource};
use ipaictl::model::secret::{HmacKey, Redactor};
use ipaictl::observed::observation::Observation;
use ipaictl::plan::memory::Memory;
use ipaictl::plan::planner::{PlanInput, plan};
use ipaictl::skills::host::spec::HostSpec;
use ipaictl::skills::stack::spec::StackSpec;
use serde_json::json;

const SIZES: &[usize] = &[1_000, 10_000, 100_000];
const SERVICES_PER_STACK: usize = 20;
/// Timed runs of each size; the median counts.
const RUNS: usize = 5;
/// Says to a child process which size is its own.
const SIZE: &str = "IPAICTL_BENCH_PLANNING";

fn main() {
    match std::env::var(SIZE) {
        Ok(size) => measure(size.parse().expect("a number")),
        Err(_) => {
            for size in SIZES {
                let program = std::env::current_exe().expect("the benchmark's own program");
                let status = std::process::Command::new(program).env(SIZE, size.to_string()).status();
                assert!(status.expect("the benchmark starts itself").success());
            }
        }
    }
}

fn measure(count: usize) {
    let (desired, observed) = world(count);
    let (memory, key) = (Memory::default(), HmacKey::new("00"));
    let input = PlanInput {
        desired: &desired,
        observed: &observed,
        memory: &memory,
        now: "2026-01-15T12:00:00Z".parse().expect("a time"),
        key: &key,
        only: None,
        scheduled: true,
        manual: false,
        allow_destroy: None,
    };
    let mut times: Vec<Duration> = (0..RUNS)
        .map(|_| {
            let begun = Instant::now();
            let plan = plan(&input);
            let took = begun.elapsed();
            assert_eq!(plan.steps.len(), count / 10, "one in ten is recreated");
            took
        })
        .collect();
    times.sort();
    let seconds = times[RUNS / 2].as_secs_f64();
    println!("planning {} resources: {seconds:.3} s, peak {:.1} MiB", grouped(count), peak_mebibytes());
}

/// The process's peak resident memory.
fn peak_mebibytes() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or("0");
    let kibibytes: f64 = line.trim().trim_end_matches(" kB").parse().unwrap_or_default();
    kibibytes / 1024.0
}

fn grouped(count: usize) -> String {
    let digits = count.to_string();
    let groups: Vec<&str> =
        digits.as_bytes().rchunks(3).rev().map(|c| std::str::from_utf8(c).unwrap_or("")).collect();
    groups.join(",")
}

fn world(count: usize) -> (DesiredState, Observation) {
    let place = Place { source: Arc::new(SourceFile::new("bench", "")), line: 1, column: 1, length: 1 };
    let mut facts = EngineFacts::default();
    for image in ["web:1", "web:2"] {
        let config = json!({"command": ["run"], "environment.PATH": "/usr/bin:/bin"});
        let image_facts = ImageFacts {
            id: format!("sha256:{image}"),
            config: serde_json::from_value(config).expect("fields"),
            ..ImageFacts::default()
        };
        facts.images.insert(image.to_owned(), Known::Known(Some(image_facts)));
    }
    let mut stacks = BTreeMap::new();
    for at in 0..count.div_ceil(SERVICES_PER_STACK) {
        let name = format!("stack-{at:05}");
        let project = project(&name, at * SERVICES_PER_STACK);
        run(&project, &name, &mut facts);
        let spec: StackSpec =
            serde_json::from_value(json!({"host": "machine", "compose": {"files": ["c"]}})).expect("a spec");
        let resource = resource(Kind::Stack, &name, spec, &place);
        stacks.insert(name, StackDesired { resource, project: Ok(project), checkout: None });
    }
    // What is wanted now: another image in one of ten.
    for (at, service) in stacks
        .values_mut()
        .filter_map(|stack| stack.project.as_mut().ok())
        .flat_map(|project| &mut project.services)
        .enumerate()
    {
        if at % 10 == 0 {
            service.image = "web:2".to_owned();
            service.container.image = Some("web:2".to_owned());
        }
    }
    facts.containers.sort_by(|a, b| a.name.cmp(&b.name));
    let desired = DesiredState {
        revision: Revision { reference: "main".into(), commit: Some("a".repeat(40)) },
        hosts: BTreeMap::from([(
            "machine".to_owned(),
            resource(Kind::Host, "machine", HostSpec::default(), &place),
        )]),
        engine_keys: BTreeMap::new(),
        layouts: BTreeMap::new(),
        repositories: BTreeMap::new(),
        stacks,
        environments: BTreeMap::new(),
        warnings: Vec::new(),
        digest: String::new(),
        redactor: Redactor::default(),
    };
    let hosts = BTreeMap::from([("machine".to_owned(), Known::Known(facts))]);
    (desired, Observation { hosts, ..Observation::default() })
}

fn resource<S>(kind: Kind, name: &str, spec: S, place: &Place) -> Resource<S> {
    Resource {
        id: ResourceId::new(kind, name),
        metadata: Metadata { name: name.to_owned(), labels: BTreeMap::new(), annotations: BTreeMap::new() },
        common: CommonSpec::default(),
        spec,
        place: place.clone(),
        digest: format!("v1:{name}"),
    }
}

fn project(name: &str, first: usize) -> ProjectSpec {
    let network = format!("{name}_default");
    ProjectSpec {
        name: name.to_owned(),
        working_dir: format!("/srv/{name}"),
        config_files: vec![format!("/srv/{name}/compose.yaml")],
        services: (0..SERVICES_PER_STACK).map(|at| service(at, first + at, &network)).collect(),
        disabled_services: BTreeSet::new(),
        networks: vec![NetworkSpec {
            key: "default".to_owned(),
            name: network.clone(),
            external: false,
            request: Box::new(NetworkCreateRequest { name: network, ..NetworkCreateRequest::default() }),
            location: Location::of_file("compose.yaml"),
        }],
        volumes: Vec::new(),
    }
}

fn service(at: usize, number: usize, network: &str) -> ServiceSpec {
    let name = format!("service-{at:02}");
    let port = PortBinding {
        host_ip: Some("127.0.0.1".into()),
        host_port: Some((10_000 + number % 50_000).to_string()),
    };
    let container = ContainerCreateBody {
        image: Some("web:1".to_owned()),
        env: Some((0..10).map(|at| format!("VARIABLE_{at}=value of variable {at}")).collect()),
        cmd: Some(vec!["serve".into(), "--port".into(), "8080".into()]),
        host_config: Some(HostConfig {
            memory: Some(512 << 20),
            port_bindings: Some([("8080/tcp".to_owned(), Some(vec![port]))].into()),
            binds: Some(vec![format!("/srv/data/{number}:/data:rw")]),
            ..HostConfig::default()
        }),
        ..ContainerCreateBody::default()
    };
    let endpoint = EndpointSettings { aliases: Some(vec![name.clone()]), ..EndpointSettings::default() };
    ServiceSpec {
        name,
        replicas: 1,
        container_name: None,
        image: "web:1".to_owned(),
        platform: None,
        build: None,
        pull: PullPolicy::Missing,
        container: Box::new(container),
        attachments: vec![AttachmentSpec { network: network.to_owned(), endpoint }],
        shares: Vec::new(),
        depends_on: Vec::new(),
        files: Vec::new(),
        injected: Vec::new(),
        secret_environment: BTreeSet::from(["VARIABLE_3".to_owned()]),
        stop_grace_period: Duration::from_secs(10),
        health_timeout: Duration::from_secs(300),
        location: Location::of_file("compose.yaml"),
    }
}

/// Puts a project on the engine, as it is.
fn run(project: &ProjectSpec, stack: &str, facts: &mut EngineFacts) {
    let resource = ResourceId::new(Kind::Stack, stack);
    for network in &project.networks {
        let request = network_request(project, network, &resource, "op");
        assert_eq!(network_hash(network).len(), 67, "a hash of this version");
        facts.networks.push(NetworkFacts {
            id: network.name.clone(),
            name: network.name.clone(),
            labels: request.labels.unwrap_or_default().into_iter().collect(),
            fields: network_wanted(&network.request),
            containers: Vec::new(),
        });
    }
    let Some(Known::Known(Some(image))) = facts.images.get("web:1").cloned() else { return };
    for service in &project.services {
        let hash = spec_hash(service);
        let identity = Identity {
            resource: &resource,
            spec_hash: &hash,
            secret_hash: None,
            content_hash: None,
            operation_id: "op",
            image_id: Some(&image.id),
        };
        let attachment = &service.attachments[0];
        let attached = AttachmentFacts {
            network_id: attachment.network.clone(),
            aliases: aliases_wanted(project, service, 1, attachment),
            ..AttachmentFacts::default()
        };
        let name = container_name(project, service, 1);
        let mut container = ContainerFacts {
            id: ipaictl::model::hash::sha256_hex(name.as_bytes()),
            image: service.image.clone(),
            image_id: image.id.clone(),
            labels: tool_labels(project, service, 1, &identity),
            fields: Some(Known::Known(overlay(&image.config, &container_wanted(service)))),
            networks: BTreeMap::from([(attachment.network.clone(), attached)]),
            name,
            ..ContainerFacts::default()
        };
        container.state.status = ContainerStatus::Running;
        facts.containers.push(container);
    }
}
