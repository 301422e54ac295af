//! An engine as a value: does what a plan's operations say to observed facts, as the real one would.

use std::collections::{BTreeMap, BTreeSet};

use bollard::models::{
    ContainerConfig, ContainerCreateBody, ContainerInspectResponse, EndpointSettings, HostConfig, MountType,
    Network, Volume,
};
use ipaictl::engine::fields::{
    Fields, container_observed, is_anonymous_volume, network_observed, overlay, volume_observed,
};
use ipaictl::engine::hash::secret_digest;
use ipaictl::engine::labels;
use ipaictl::engine::observe::{
    AttachmentFacts, ContainerFacts, ContainerStatus, EngineFacts, HealthStatus, ImageFacts, MountFacts,
    NetworkFacts, VolumeFacts,
};
use ipaictl::engine::operation::{EngineOperation, Target, WaitCondition};
use ipaictl::engine::spec::ShareKind;
use ipaictl::model::hash::sha256_hex;
use ipaictl::model::known::Known;
use ipaictl::model::secret::HmacKey;
use ipaictl::observed::observation::{Observation, checkout_key};
use ipaictl::plan::plan::Plan;
use ipaictl::plan::step::Operation;
use ipaictl::skills::environment::conf::shown;
use ipaictl::skills::environment::facts::{DatabaseState, FolderFacts, ModuleFacts};
use ipaictl::skills::environment::operation::EnvironmentOperation;
use ipaictl::skills::environment::render::digest;
use ipaictl::skills::repository::checkout::CheckoutFacts;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

/// Does everything a plan says, in the order of its steps.
pub fn apply(plan: &Plan, observed: &mut Observation) {
    apply_until(plan, observed, "", 0);
}

/// Does what a plan says until a crash within one step, of which so many operations are done.
pub fn apply_until(plan: &Plan, observed: &mut Observation, subject: &str, count: usize) {
    for step in &plan.steps {
        for need in step.needs.iter().chain(&step.after) {
            assert!(*need < step.id, "step {} needs {need}", step.id);
        }
        let is_last = step.subject.to_string() == subject;
        let count = if is_last { count } else { step.operations.len() };
        for operation in step.operations.iter().take(count) {
            match operation {
                Operation::Checkout(target) => {
                    let facts = CheckoutFacts {
                        exists: true,
                        repository: true,
                        commit: Some(target.commit.clone()),
                        url: target.url.clone(),
                        dirty: Vec::new(),
                        interrupted: false,
                        untracked: Vec::new(),
                        written: BTreeMap::new(),
                    };
                    observed.checkouts.insert(checkout_key(&step.host, &target.path), Known::Known(facts));
                }
                Operation::Environment(operation) => {
                    environment(operation, &step.host, &step.resource.name, observed);
                }
                Operation::Layout(_) => panic!("layouts are planned in cases of their own"),
                Operation::Engine(operation) => {
                    let Some(Known::Known(facts)) = observed.hosts.get_mut(&step.host) else {
                        panic!("a step on an engine that could not be read")
                    };
                    Engine { facts }.run(operation);
                }
            }
        }
        if is_last {
            return;
        }
    }
}

/// Does what is done for an Environment, as an Odoo would.
fn environment(operation: &EnvironmentOperation, host: &str, name: &str, observed: &mut Observation) {
    let Some(Known::Known(engine)) = observed.hosts.get_mut(host) else {
        panic!("a step on an engine that could not be read")
    };
    let facts = observed.environments.get_mut(name).expect("an Environment is observed before it is planned");
    match operation {
        EnvironmentOperation::WriteFile { path, content, .. } => {
            let digest = secret_digest(&HmacKey::new(super::case::KEY), &digest(content));
            let read = serde_json::from_value(json!({"digest": digest})).unwrap();
            engine.files.insert(path.clone(), Known::Known(Some(read)));
            if let Some(conf) = shown(content.expose_secret(), &HmacKey::new(super::case::KEY)) {
                facts.conf = conf;
            }
        }
        EnvironmentOperation::SetOwner { path, owner } => {
            let owners = BTreeMap::from([(format!("{}:{}", owner.0, owner.1), 1)]);
            facts.folders.insert(path.clone(), Known::Known(FolderFacts { exists: true, owners }));
        }
        EnvironmentOperation::RequireDatabase { .. } => {}
        EnvironmentOperation::RunModules(run) => {
            let mut database = facts.database.known().cloned().unwrap_or_default();
            database.state = DatabaseState::Odoo;
            for module in run.install.iter().chain(&run.update) {
                let version =
                    run.versions.get(module).cloned().unwrap_or_else(|| format!("{}.1.0", run.series));
                database
                    .modules
                    .insert(module.clone(), ModuleFacts { state: "installed".to_owned(), version });
            }
            for (module, checksum) in &run.checksums {
                let is_named = run.install.contains(module) || run.update.contains(module);
                if database.modules.contains_key(module) && (run.is_whole || is_named) {
                    database.checksums.insert(module.clone(), Some(checksum.clone()));
                }
            }
            if run.is_whole {
                database.stamp = Some(run.stamp.clone());
            }
            facts.database = Known::Known(database);
        }
        EnvironmentOperation::Probe { .. } => facts.probes.clear(),
    }
}

struct Engine<'a> {
    facts: &'a mut EngineFacts,
}

impl Engine<'_> {
    fn run(&mut self, operation: &EngineOperation) {
        match operation {
            EngineOperation::PullImage { reference, .. } => self.image(reference, "pulled", BTreeMap::new()),
            EngineOperation::BuildImage { reference, labels, .. } => {
                self.image(reference, "built", labels.clone())
            }
            EngineOperation::CreateNetwork { request, name } => self.create_network(name, request),
            EngineOperation::RemoveNetwork { id, name } => self.remove_network(id, name),
            EngineOperation::ConnectNetwork { network, container, endpoint } => {
                let attachment = self.attachment(network, endpoint);
                let container = self.container(container);
                let old = container.networks.insert(network.clone(), attachment);
                assert!(old.is_none(), "`{}` is attached to `{network}` already", container.name);
            }
            EngineOperation::DisconnectNetwork { network, container } => {
                let gone = self.container(container).networks.remove(network);
                assert!(gone.is_some(), "not attached to `{network}`");
            }
            EngineOperation::CreateVolume { request, name } => {
                let labels = request.labels.clone().unwrap_or_default();
                let volume = Volume {
                    name: name.clone(),
                    driver: request.driver.clone().unwrap_or_else(|| "local".to_owned()),
                    options: request.driver_opts.clone().unwrap_or_default(),
                    labels: labels.clone(),
                    ..Volume::default()
                };
                let fields = volume_observed(&volume);
                let labels = labels.into_iter().collect();
                self.facts.volumes.push(VolumeFacts { name: name.clone(), labels, fields });
            }
            EngineOperation::CreateContainer { name, body, shares, .. } => self.create(name, body, shares),
            EngineOperation::CopyFiles { container, .. } => {
                let status = self.container(container).state.status;
                assert_eq!(status, ContainerStatus::Created, "files go into a container that never ran");
            }
            EngineOperation::StartContainer { container }
            | EngineOperation::RestartContainer { container, .. } => {
                self.start(container);
            }
            EngineOperation::StopContainer { container, .. } => {
                self.container(container).state.status = ContainerStatus::Exited;
            }
            EngineOperation::UnpauseContainer { container } => {
                self.container(container).state.status = ContainerStatus::Running;
            }
            EngineOperation::UpdateContainer { container, update, fields } => {
                let host = HostConfig {
                    memory: update.memory,
                    memory_swap: update.memory_swap,
                    memory_reservation: update.memory_reservation,
                    nano_cpus: update.nano_cpus,
                    cpu_shares: update.cpu_shares,
                    cpu_period: update.cpu_period,
                    cpu_quota: update.cpu_quota,
                    cpuset_cpus: update.cpuset_cpus.clone(),
                    cpuset_mems: update.cpuset_mems.clone(),
                    pids_limit: update.pids_limit,
                    restart_policy: update.restart_policy.clone(),
                    ..HostConfig::default()
                };
                let inspect = ContainerInspectResponse { host_config: Some(host), ..Default::default() };
                let new = container_observed(&inspect);
                let container = self.container(container);
                let Some(Known::Known(old)) = &mut container.fields else { panic!("not inspected") };
                for field in fields {
                    match new.0.get(field) {
                        Some(value) => old.0.insert(field.clone(), value.clone()),
                        None => old.0.remove(field),
                    };
                }
            }
            EngineOperation::RemoveContainer { container } => {
                let id = self.container(container).id.clone();
                assert!(!is_up(self.container(container)), "a running container is not removed");
                self.facts.containers.retain(|one| one.id != id);
            }
            EngineOperation::RenameContainer { container, name } => {
                assert!(self.by_name(name).is_none(), "`{name}` is taken");
                self.container(container).name = name.clone();
                self.sort();
            }
            EngineOperation::Wait { container, condition, .. } => self.wait(container, *condition),
        }
    }

    fn new_id(&self, name: &str) -> String {
        let count = self.facts.containers.len() + self.facts.networks.len();
        sha256_hex(format!("{name} {count} {}", self.newest()).as_bytes())
    }

    fn newest(&self) -> String {
        self.facts.containers.iter().map(|one| one.id.as_str()).max().unwrap_or_default().to_owned()
    }

    fn sort(&mut self) {
        self.facts.containers.sort_by(|a, b| a.name.cmp(&b.name));
    }

    fn by_name(&self, name: &str) -> Option<&ContainerFacts> {
        self.facts.containers.iter().find(|one| one.name == name)
    }

    fn container(&mut self, target: &Target) -> &mut ContainerFacts {
        let found = self.facts.containers.iter_mut().find(|one| match target {
            Target::Id(id) => one.id == *id,
            Target::Name(name) => one.name == *name,
        });
        found.unwrap_or_else(|| panic!("no container {target:?}"))
    }

    fn image(&mut self, reference: &str, how: &str, labels: BTreeMap<String, String>) {
        let known = self.facts.images.get(reference).and_then(Known::known).cloned().flatten();
        let mut image = known.unwrap_or_else(|| image_of(reference));
        if how == "built" {
            image.id = format!("sha256:{}", sha256_hex(format!("{reference} {labels:?}").as_bytes()));
        }
        image.labels = labels;
        self.facts.images.insert(reference.to_owned(), Known::Known(Some(image)));
    }

    fn create_network(&mut self, name: &str, request: &bollard::models::NetworkCreateRequest) {
        assert!(self.facts.networks.iter().all(|network| network.name != name), "network `{name}` exists");
        let id = self.new_id(name);
        let labels = request.labels.clone().unwrap_or_default();
        let network = Network {
            name: Some(name.to_owned()),
            driver: request.driver.clone(),
            internal: request.internal,
            attachable: request.attachable,
            enable_ipv6: request.enable_ipv6,
            options: request.options.clone(),
            labels: Some(labels.clone()),
            ipam: request.ipam.clone(),
            ..Network::default()
        };
        self.facts.networks.push(NetworkFacts {
            id,
            name: name.to_owned(),
            labels: labels.into_iter().collect(),
            fields: network_observed(&network),
            containers: Vec::new(),
        });
        self.facts.networks.sort_by(|a, b| a.name.cmp(&b.name));
    }

    fn remove_network(&mut self, id: &str, name: &str) {
        let user = self.facts.containers.iter().find(|one| {
            is_up(one) && one.networks.get(name).is_some_and(|attachment| attachment.network_id == id)
        });
        assert!(user.is_none(), "network `{name}` is used by `{}`", user.unwrap().name);
        self.facts.networks.retain(|network| network.id != id);
    }

    fn attachment(&self, network: &str, endpoint: &EndpointSettings) -> AttachmentFacts {
        let found = self.facts.networks.iter().find(|one| one.name == network);
        let network_id = found.unwrap_or_else(|| panic!("no network `{network}`")).id.clone();
        let mut aliases = endpoint.aliases.clone().unwrap_or_default();
        aliases.sort_unstable();
        aliases.dedup();
        let config = endpoint.ipam_config.clone().unwrap_or_default();
        AttachmentFacts {
            network_id,
            aliases,
            ipv4_address: config.ipv4_address,
            ipv6_address: config.ipv6_address,
            address: None,
        }
    }

    fn create(&mut self, name: &str, body: &ContainerCreateBody, shares: &[(ShareKind, String)]) {
        assert!(self.by_name(name).is_none(), "`{name}` is taken");
        let reference = body.image.clone().unwrap_or_default();
        let image = match self.facts.images.get(&reference) {
            Some(Known::Known(Some(image))) => image.clone(),
            other => panic!("image `{reference}`: {other:?}"),
        };
        let id = self.new_id(name);
        let mut fields = overlay(&image.config, &container_observed(&inspection(body)));
        self.share(&mut fields, shares);
        let mut all = image.labels.clone();
        all.extend(body.labels.clone().unwrap_or_default());
        let endpoints = body.networking_config.as_ref().and_then(|config| config.endpoints_config.clone());
        let networks = endpoints
            .unwrap_or_default()
            .into_iter()
            .map(|(network, endpoint)| (network.clone(), self.attachment(&network, &endpoint)));
        let networks = networks.collect();
        let mounts = mounts(&fields, body, &id);
        for (source, kind) in mounts.values().map(|mount| (&mount.source, &mount.kind)) {
            let known = self.facts.volumes.iter().any(|volume| volume.name == *source);
            assert!(
                kind != "volume" || known || is_anonymous_volume(source),
                "volume `{source}` appears by itself"
            );
        }
        self.facts.containers.push(ContainerFacts {
            id,
            name: name.to_owned(),
            image: reference,
            image_id: image.id,
            labels: all,
            fields: Some(Known::Known(fields)),
            networks,
            mounts,
            ..ContainerFacts::default()
        });
        self.sort();
    }

    fn share(&self, fields: &mut Fields, shares: &[(ShareKind, String)]) {
        let mut volumes = Vec::new();
        for (kind, entry) in shares {
            let (name, access) = entry.split_once(':').unwrap_or((entry, ""));
            let other = self.by_name(name).unwrap_or_else(|| panic!("no container `{name}` to share with"));
            let service = other.labels[labels::COMPOSE_SERVICE].clone();
            let field = match kind {
                ShareKind::Network => "network_mode",
                ShareKind::Ipc => "ipc",
                ShareKind::Pid => "pid",
                ShareKind::Volumes => {
                    volumes.push(if access.is_empty() { service } else { format!("{service}:{access}") });
                    continue;
                }
            };
            fields.0.insert(field.to_owned(), Value::from(format!("service:{service}")));
        }
        if !volumes.is_empty() {
            fields.0.insert("volumes_from".to_owned(), Value::from(volumes));
        }
    }

    fn start(&mut self, target: &Target) {
        let networks: BTreeSet<(String, String)> =
            self.facts.networks.iter().map(|network| (network.name.clone(), network.id.clone())).collect();
        let container = self.container(target);
        for (name, attachment) in &container.networks {
            let is_there = networks.contains(&(name.clone(), attachment.network_id.clone()));
            assert!(is_there, "`{}` needs network `{name}`, which is gone", container.name);
        }
        let Some(Known::Known(fields)) = &container.fields else { panic!("not inspected") };
        let test = fields.0.get("healthcheck.test").and_then(Value::as_array);
        let is_checked = test.is_some_and(|words| words.first().is_some_and(|word| word != "NONE"));
        let ports = fields.0.get("ports").and_then(Value::as_array).cloned().unwrap_or_default();
        container.published = ports.iter().filter_map(Value::as_str).filter_map(published).collect();
        container.state.status = ContainerStatus::Running;
        container.state.exit_code = 0;
        container.state.health = is_checked.then_some(HealthStatus::Healthy);
        container.stopped_by_hand = None;
    }

    fn wait(&mut self, name: &str, condition: WaitCondition) {
        let container = self.container(&Target::Name(name.to_owned()));
        let state = &mut container.state;
        match condition {
            WaitCondition::Started => {
                let ended = state.status == ContainerStatus::Exited && state.exit_code == 0;
                assert!(state.status == ContainerStatus::Running || ended, "`{name}` does not run");
            }
            WaitCondition::Healthy => assert_eq!(state.health, Some(HealthStatus::Healthy), "`{name}`"),
            WaitCondition::CompletedSuccessfully => {
                state.status = ContainerStatus::Exited;
                state.exit_code = 0;
                container.published.clear();
            }
        }
    }
}

pub fn is_up(container: &ContainerFacts) -> bool {
    matches!(
        container.state.status,
        ContainerStatus::Running | ContainerStatus::Paused | ContainerStatus::Restarting
    )
}

/// The image that a registry would give for a reference.
pub fn image_of(reference: &str) -> ImageFacts {
    let config = serde_json::json!({"command": ["run"], "environment.PATH": "/usr/bin:/bin"});
    ImageFacts {
        id: format!("sha256:{}", sha256_hex(reference.as_bytes())),
        config: serde_json::from_value(config).unwrap(),
        ..ImageFacts::default()
    }
}

/// `[address:]port:target/protocol` as an engine lists it.
fn published(port: &str) -> Option<String> {
    let (rest, protocol) = port.rsplit_once('/')?;
    let (host, _) = rest.rsplit_once(':')?;
    let host = if host.contains(':') { host.to_owned() } else { format!("0.0.0.0:{host}") };
    Some(format!("{host}/{protocol}"))
}

fn inspection(body: &ContainerCreateBody) -> ContainerInspectResponse {
    ContainerInspectResponse {
        config: Some(ContainerConfig {
            hostname: body.hostname.clone(),
            domainname: body.domainname.clone(),
            user: body.user.clone(),
            exposed_ports: body.exposed_ports.clone(),
            tty: body.tty,
            open_stdin: body.open_stdin,
            env: body.env.clone(),
            cmd: body.cmd.clone(),
            healthcheck: body.healthcheck.clone(),
            image: body.image.clone(),
            volumes: body.volumes.clone(),
            working_dir: body.working_dir.clone(),
            entrypoint: body.entrypoint.clone(),
            network_disabled: body.network_disabled,
            labels: body.labels.clone(),
            stop_signal: body.stop_signal.clone(),
            stop_timeout: body.stop_timeout,
            ..ContainerConfig::default()
        }),
        host_config: body.host_config.clone(),
        ..ContainerInspectResponse::default()
    }
}

fn mounts(fields: &Fields, body: &ContainerCreateBody, id: &str) -> BTreeMap<String, MountFacts> {
    let mut found = BTreeMap::new();
    let listed = fields.0.get("volumes").and_then(Value::as_array).cloned().unwrap_or_default();
    for item in listed.iter().filter_map(Value::as_str) {
        let mut parts = item.split(':');
        let (first, second) = (parts.next().unwrap_or_default(), parts.next());
        let (source, target) = match second.filter(|second| second.starts_with('/')) {
            Some(target) => (first.to_owned(), target.to_owned()),
            None => (sha256_hex(format!("{id} {first}").as_bytes()), first.to_owned()),
        };
        let kind = if source.starts_with('/') { "bind" } else { "volume" };
        let mount = MountFacts { kind: kind.to_owned(), source, ..MountFacts::default() };
        found.insert(target, mount);
    }
    // An anonymous volume that is taken over keeps its name.
    for mount in body.host_config.iter().flat_map(|host| host.mounts.iter().flatten()) {
        if let (Some(MountType::VOLUME), Some(source), Some(target)) =
            (mount.typ, &mount.source, &mount.target)
        {
            let mount =
                MountFacts { kind: "volume".to_owned(), source: source.clone(), ..MountFacts::default() };
            found.insert(target.clone(), mount);
        }
    }
    found
}
