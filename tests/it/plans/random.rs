//! Random wishes over random worlds: what a plan does, done on the model engine, leaves nothing to do; what others
//! made is as it was.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use ipaictl::desired::state::{DesiredState, StackDesired};
use ipaictl::engine::labels;
use ipaictl::engine::observe::{ContainerFacts, ContainerStatus, EngineFacts};
use ipaictl::model::document::{Place, SourceFile};
use ipaictl::model::id::{Kind, ResourceId, Revision};
use ipaictl::model::known::Known;
use ipaictl::model::resource::{CommonSpec, Metadata, Resource};
use ipaictl::model::secret::{HmacKey, Redactor};
use ipaictl::observed::observation::Observation;
use ipaictl::plan::display;
use ipaictl::plan::memory::Memory;
use ipaictl::plan::plan::Plan;
use ipaictl::plan::planner::{PlanInput, plan};
use ipaictl::skills::host::spec::HostSpec;
use ipaictl::skills::stack::compose::{self, ComposeFiles, ComposeRequest, FileRead};
use ipaictl::skills::stack::render::{RenderContext, render};
use ipaictl::skills::stack::spec::StackSpec;
use proptest::prelude::*;
use serde_json::json;

use super::case::remember;
use super::model;

/// Passes after which nothing may be left: one for what is seen, one for what only shows then, one to see that.
const PASSES_MAX: usize = 3;
const SERVICES_MAX: usize = 5;

/// One service of a random project.
#[derive(Debug, Clone)]
struct Wish {
    image: u8,
    environment: u8,
    memory: bool,
    volume: bool,
    networks: u8,
    health: bool,
    restart: bool,
    replicas: u8,
    port: bool,
    /// The service before, and how it is depended on.
    depends: Option<u8>,
    /// The service before, whose network is shared.
    shares: bool,
    named: bool,
}

fn wish() -> impl Strategy<Value = Wish> {
    let looks = (0..3u8, 0..3u8, any::<bool>(), any::<bool>(), 0..4u8, any::<bool>());
    let ties =
        (any::<bool>(), 1..3u8, any::<bool>(), proptest::option::of(0..4u8), proptest::bool::weighted(0.2));
    (looks, ties, any::<bool>()).prop_map(|(looks, ties, named)| {
        let (image, environment, memory, volume, networks, health) = looks;
        let (restart, replicas, port, depends, shares) = ties;
        Wish {
            image,
            environment,
            memory,
            volume,
            networks,
            health,
            restart,
            replicas,
            port,
            depends,
            shares,
            named,
        }
    })
}

/// The Compose file of a list of wishes.
fn compose_file(wishes: &[Wish]) -> String {
    let mut out = "services:\n".to_owned();
    for (at, wish) in wishes.iter().enumerate() {
        let shares = wish.shares && at > 0;
        let is_awaited = wishes.get(at + 1).is_some_and(|next| next.depends == Some(2));
        let _ = writeln!(out, "  s{at}:\n    image: img:{}", wish.image);
        let _ = writeln!(out, "    environment: {{V: \"{}\"}}", wish.environment);
        if wish.memory {
            out.push_str("    mem_limit: 64m\n");
        }
        if wish.volume {
            let _ = writeln!(out, "    volumes: [\"v{at}:/data\", /anonymous]");
        }
        if wish.health && !is_awaited {
            out.push_str("    healthcheck: {test: [CMD, \"true\"]}\n");
        }
        if wish.restart && !is_awaited {
            out.push_str("    restart: always\n");
        }
        if shares {
            let _ = writeln!(out, "    network_mode: service:s{}", at - 1);
        } else {
            let _ = writeln!(out, "    networks: [{}]", ["a", "b", "a, b", "c"][usize::from(wish.networks)]);
            if wish.port {
                let _ = writeln!(out, "    ports: [\"{}:80\"]", 8000 + at);
            }
        }
        if wish.named {
            let _ = writeln!(out, "    container_name: own-{at}-{}", wish.environment);
        } else if !wish.port && wishes.get(at + 1).is_none_or(|next| !next.shares) {
            let _ = writeln!(out, "    scale: {}", wish.replicas);
        }
        if let Some(how) = wish.depends.filter(|_| at > 0) {
            let before = &wishes[at - 1];
            let condition = match how {
                1 if before.health => "service_healthy",
                2 => "service_completed_successfully",
                _ => "service_started",
            };
            let restart = how == 3;
            let _ = writeln!(
                out,
                "    depends_on: {{s{}: {{condition: {condition}, restart: {restart}}}}}",
                at - 1
            );
        }
    }
    out.push_str("networks: {a: , b: , c: }\nvolumes: {v0: , v1: , v2: , v3: , v4: }\n");
    out
}

struct OneFile(String);

impl ComposeFiles for OneFile {
    fn read(&self, path: &str) -> FileRead {
        if path == "compose.yaml" { FileRead::Bytes(self.0.clone().into_bytes()) } else { FileRead::Missing }
    }
}

/// The desired state of one stack on one Host.
fn desired(wishes: &[Wish], commit: char) -> DesiredState {
    let source = Arc::new(SourceFile::new("d.yaml", String::new()));
    let place = Place { source, line: 1, column: 1, length: 1 };
    let text = compose_file(wishes);
    let spec: StackSpec = serde_json::from_value(
        json!({"host": "machine", "prune": true, "compose": {"files": ["compose.yaml"]}}),
    )
    .unwrap();
    let loaded = compose::load(&ComposeRequest {
        stack: "demo",
        spec: &spec.compose,
        working_dir: "/srv/demo",
        variables: &BTreeMap::new(),
        secret_variables: &BTreeSet::new(),
        files: &OneFile(text.clone()),
        place: &|_| None,
    });
    let project = loaded.project.unwrap_or_else(|| panic!("{:?}\n{text}", loaded.problems));
    let context =
        RenderContext { health_timeout: Duration::from_secs(60), digest: &|_| None, variable: &|_| None };
    let project = render(&project, &context).unwrap_or_else(|problems| panic!("{problems:?}\n{text}"));
    fn resource<S>(kind: Kind, name: &str, spec: S, place: &Place, digest: String) -> Resource<S> {
        Resource {
            id: ResourceId::new(kind, name),
            metadata: Metadata { name: name.into(), labels: BTreeMap::new(), annotations: BTreeMap::new() },
            common: CommonSpec::default(),
            spec,
            place: place.clone(),
            digest,
        }
    }
    let host = resource(Kind::Host, "machine", HostSpec::default(), &place, "v1:h".into());
    let stack = StackDesired {
        resource: resource(
            Kind::Stack,
            "demo",
            spec,
            &place,
            ipaictl::model::hash::sha256_hex(text.as_bytes()),
        ),
        project: Ok(project),
        checkout: None,
    };
    DesiredState {
        revision: Revision { reference: "main".into(), commit: Some(commit.to_string().repeat(40)) },
        hosts: BTreeMap::from([("machine".to_owned(), host)]),
        engine_keys: BTreeMap::new(),
        repositories: BTreeMap::new(),
        layouts: BTreeMap::new(),
        stacks: BTreeMap::from([("demo".to_owned(), stack)]),
        environments: BTreeMap::new(),
        warnings: Vec::new(),
        digest: String::new(),
        redactor: Redactor::default(),
    }
}

/// An engine with all images and one running container of others.
fn empty_world() -> Observation {
    let mut facts = EngineFacts::default();
    for image in 0..3 {
        let reference = format!("img:{image}");
        facts.images.insert(reference.clone(), Known::Known(Some(model::image_of(&reference))));
    }
    let mut other = ContainerFacts { id: "f".repeat(64), name: "foreign".into(), ..Default::default() };
    other.state.status = ContainerStatus::Running;
    facts.containers.push(other);
    Observation { hosts: BTreeMap::from([("machine".into(), Known::Known(facts))]), ..Default::default() }
}

fn facts(observed: &mut Observation) -> &mut EngineFacts {
    match observed.hosts.get_mut("machine") {
        Some(Known::Known(facts)) => facts,
        _ => unreachable!("the model's engine always answers"),
    }
}

/// Something that happens to one of our containers, or to what it stands on.
fn happen(observed: &mut Observation, what: u8, which: usize) {
    let facts = facts(observed);
    let own: Vec<usize> = (0..facts.containers.len())
        .filter(|at| facts.containers[*at].labels.contains_key(labels::RESOURCE))
        .collect();
    let Some(at) = (!own.is_empty()).then(|| own[which % own.len()]) else { return };
    let container = &mut facts.containers[at];
    let Some(Known::Known(fields)) = &mut container.fields else { return };
    match what {
        0 => container.state.status = ContainerStatus::Exited,
        1 => {
            container.state.status = ContainerStatus::Exited;
            container.state.exit_code = 137;
        }
        2 => container.state.status = ContainerStatus::Paused,
        3 => container.state.status = ContainerStatus::Dead,
        4 => container.state.status = ContainerStatus::Created,
        5 => drop(fields.0.insert("mem_limit".into(), json!("1GiB"))),
        6 => drop(fields.0.insert("environment.V".into(), json!("drift"))),
        7 => drop(container.networks.pop_first()),
        8 => drop(facts.containers.remove(at)),
        9 => {
            let gone =
                facts.networks.get(which % facts.networks.len().max(1)).map(|network| network.id.clone());
            facts.networks.retain(|network| Some(&network.id) != gone.as_ref());
            // The engine removes no network that a running container is on.
            for container in &mut facts.containers {
                let is_on = container.networks.values().any(|one| Some(&one.network_id) == gone.as_ref());
                if is_on {
                    container.state.status = ContainerStatus::Exited;
                    container.state.exit_code = 1;
                }
            }
        }
        10 => {
            let image = facts.images.get_mut("img:1").unwrap();
            *image = Known::Known(Some(model::image_of(&format!("moved {which}"))));
        }
        11 => drop(container.labels.insert(labels::SPEC_HASH.into(), "v0:other".into())),
        12 => drop(facts.images.insert("img:2".into(), Known::Known(None))),
        _ => {}
    }
}

fn plan_of(desired: &DesiredState, observed: &Observation, memory: &Memory) -> Plan {
    plan(&PlanInput {
        desired,
        observed,
        memory,
        now: crate::desired::now(),
        key: &HmacKey::new("00"),
        only: None,
        scheduled: true,
        manual: false,
        allow_destroy: None,
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn planning_after_applying_leaves_nothing_to_do(
        before in proptest::collection::vec(wish(), 0..SERVICES_MAX),
        after in proptest::collection::vec(wish(), 1..SERVICES_MAX),
        kept in any::<bool>(),
        events in proptest::collection::vec((0..14u8, 0..8usize), 0..4),
        remembers in any::<bool>(),
        crash in proptest::option::of((0..8usize, 1..6usize)),
    ) {
        let mut world = empty_world();
        let mut memory = Memory::default();
        let before = if kept { after.clone() } else { before };
        if !before.is_empty() {
            let former = desired(&before, 'a');
            let plan = plan_of(&former, &world, &memory);
            model::apply(&plan, &mut world);
            if remembers {
                memory = remember(&former, &world, &plan);
            }
        }
        for (what, which) in events {
            happen(&mut world, what, which);
        }
        let now = desired(&after, 'b');
        if let Some((which, count)) = crash {
            let plan = plan_of(&now, &world, &memory);
            if let Some(step) = plan.steps.get(which) {
                model::apply_until(&plan, &mut world, &step.subject.to_string(), count);
            }
        }
        let foreign = |world: &mut Observation| {
            facts(world).containers.iter().find(|one| one.name == "foreign").cloned()
        };
        let other = foreign(&mut world);
        let volumes: BTreeSet<String> = facts(&mut world).volumes.iter().map(|one| one.name.clone()).collect();
        let mut texts = Vec::new();
        for _ in 0..PASSES_MAX {
            let plan = plan_of(&now, &world, &memory);
            let again = plan_of(&now, &world, &memory);
            prop_assert_eq!(&plan.hash, &again.hash);
            texts.push(display::text(&plan, false));
            if plan.steps.is_empty() {
                break;
            }
            model::apply(&plan, &mut world);
            prop_assert_eq!(foreign(&mut world), other.clone());
            let left: BTreeSet<String> = facts(&mut world).volumes.iter().map(|one| one.name.clone()).collect();
            prop_assert!(volumes.is_subset(&left), "a volume is gone");
        }
        let last = plan_of(&now, &world, &memory);
        prop_assert!(last.steps.is_empty(), "{}\n{}", texts.join("\n"), display::text(&last, false));
        let temporary = facts(&mut world).containers.iter().find(|one| one.name.contains('_')).cloned();
        prop_assert!(temporary.is_none(), "{:?}", temporary.map(|one| one.name));
    }
}
