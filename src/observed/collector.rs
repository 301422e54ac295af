//! Reads the world as far as the desired state speaks of it. A failed read is recorded, never returned.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use chrono::{DateTime, Utc};
use futures_util::{StreamExt as _, stream};

use super::observation::{Observation, checkout_key};
use crate::clients::Clients;
use crate::desired::state::DesiredState;
use crate::engine::observe::{ContainerStatus, EngineFacts, ObserveRequest, observe_engine};
use crate::engine::spec::ProjectSpec;
use crate::model::id::ResourceId;
use crate::model::known::Known;
use crate::model::problem::error_chain;
use crate::model::secret::HmacKey;
use crate::skills::environment::facts::EnvironmentFacts;
use crate::skills::environment::observe::{ObserveRequest as ObserveEnvironment, observe_environment};
use crate::skills::environment::render::APPLICATION_SERVICE;
use crate::skills::host::spec::HostSpec;
use crate::skills::layout::observe::observe_layout;
use crate::skills::layout::observe::verify::VerifyRequest;
use crate::skills::layout::observed::LayoutFacts;
use crate::skills::repository::checkout::{CheckoutDesired, CheckoutFacts};
use crate::skills::repository::observe::observe_checkout;

/// Hosts that are read at once.
const HOSTS_MAX: usize = 8;
/// Checkouts that are read at once; each keeps a thread and the disk busy.
const CHECKOUTS_MAX: usize = 4;
/// Why nothing is known of a checkout.
const ELSEWHERE: &str = "checkouts on another machine are not read by this version";
/// Environments that are read at once.
const ENVIRONMENTS_MAX: usize = 4;

/// What is to be read.
#[derive(Clone, Copy)]
pub struct CollectRequest<'a> {
    /// What is wanted.
    pub desired: &'a DesiredState,
    /// The key of fingerprints of secrets.
    pub key: &'a HmacKey,
    /// The resources that it is for; what only they need and takes long is not read for others.
    pub only: Option<&'a BTreeSet<ResourceId>>,
    /// The state folder, where what was read of manifests is remembered.
    pub cache: &'a Path,
}

/// Reads engines, checkouts, environments and layouts.
pub async fn collect(clients: &Clients, request: &CollectRequest<'_>) -> Observation {
    let CollectRequest { desired, key, .. } = *request;
    let (hosts, checkouts, layouts) = tokio::join!(
        collect_hosts(clients, desired, key),
        collect_checkouts(desired),
        collect_layouts(request)
    );
    let environments = collect_environments(clients, desired, &hosts, key).await;
    Observation { hosts, checkouts, environments, layouts }
}

/// Reads the layouts that the request is for: thousands of manifests are looked at, which a container's restart can't wait for.
async fn collect_layouts(request: &CollectRequest<'_>) -> BTreeMap<String, Known<LayoutFacts>> {
    let desired = request.desired;
    let is_asked = |id: &ResourceId| request.only.is_none_or(|only| only.contains(id));
    let mut found = BTreeMap::new();
    for (name, layout) in &desired.layouts {
        if !is_asked(&layout.resource.id) {
            continue;
        }
        let Ok(wanted) = layout.wanted.clone() else { continue };
        let host = layout.host.as_deref().unwrap_or_default();
        if !is_local(desired, host) {
            found.insert(name.clone(), Known::Unknown(ELSEWHERE.to_owned()));
            continue;
        }
        let spec = &layout.resource.spec;
        let verify = VerifyRequest {
            checkout: layout.checkout.clone().into(),
            manifest: spec.manifest.clone(),
            files: spec.files().map(str::to_owned).collect(),
            odoo_conf: spec.odoo_conf.clone(),
            owner: spec.owner(),
            hooks: spec.hooks.clone(),
            series: spec.series.clone(),
            features: spec.features.clone(),
            cache: Some(request.cache.join("cache").join("layout")),
            ..VerifyRequest::default()
        };
        let devcontainer = spec.devcontainer.clone();
        let read = move || observe_layout(&verify, &wanted, devcontainer.as_deref());
        let facts = match tokio::task::spawn_blocking(read).await {
            Ok(facts) => Known::Known(facts),
            Err(err) => Known::Unknown(format!("reading the layout failed: {err}")),
        };
        found.insert(name.clone(), facts);
    }
    found
}

/// Whether a host is this machine.
fn is_local(desired: &DesiredState, host: &str) -> bool {
    desired.hosts.get(host).is_some_and(|host| host.spec.engine.endpoint.starts_with("unix://"))
}

/// Reads the Environments, after the engines: where a database's server is, its container tells.
async fn collect_environments(
    clients: &Clients,
    desired: &DesiredState,
    hosts: &BTreeMap<String, Known<EngineFacts>>,
    key: &HmacKey,
) -> BTreeMap<String, EnvironmentFacts> {
    let asked: Vec<_> = desired
        .environments
        .iter()
        .filter_map(|(name, environment)| {
            let facts = hosts.get(&environment.resource.spec.host)?.known()?;
            let rendered = environment.rendered.as_ref().ok()?;
            (environment.resource.spec.adopt.is_none()).then_some((name, environment, facts, rendered))
        })
        .map(|(name, environment, facts, rendered)| async move {
            let application = format!("{name}-{APPLICATION_SERVICE}-1");
            let host = &desired.hosts[&environment.resource.spec.host];
            let docker = clients.docker(&host.spec.engine.endpoint).await.ok();
            let request = ObserveEnvironment {
                docker: docker.as_ref(),
                spec: &environment.resource.spec,
                database: &environment.database,
                containers: &facts.containers,
                application: &application,
                commit: environment.commit.as_deref(),
                objects: &environment.objects,
                code: &environment.code,
                key,
                is_evented: rendered.options.workers() > 0,
            };
            (name.clone(), observe_environment(&request).await)
        })
        .collect();
    stream::iter(asked).buffer_unordered(ENVIRONMENTS_MAX).collect().await
}

async fn collect_hosts(
    clients: &Clients,
    desired: &DesiredState,
    key: &HmacKey,
) -> BTreeMap<String, Known<EngineFacts>> {
    // Futures in a list: a closure that borrows would keep the stream from being sent to another thread.
    let asked: Vec<_> = desired
        .hosts
        .iter()
        .map(|(name, host)| async {
            let request = request(desired, name, key);
            let facts = collect_engine(clients, &host.spec, &request).await;
            (name.clone(), facts)
        })
        .collect();
    stream::iter(asked).buffer_unordered(HOSTS_MAX).collect().await
}

async fn collect_engine(clients: &Clients, host: &HostSpec, request: &ObserveRequest) -> Known<EngineFacts> {
    match clients.docker(&host.engine.endpoint).await {
        Ok(docker) => observe_engine(&docker, request).await,
        Err(err) => Known::Unknown(error_chain(&err)),
    }
}

/// What the stacks of a host need to be read beside the lists.
fn request(desired: &DesiredState, host: &str, key: &HmacKey) -> ObserveRequest {
    let stacks = desired.stacks.values().filter(|stack| stack.resource.spec.host == host);
    let environments = desired.environments.values().filter(|it| it.resource.spec.host == host);
    let projects: Vec<&ProjectSpec> = stacks
        .filter_map(|stack| stack.project.as_ref().ok())
        .chain(environments.filter_map(|environment| environment.project()))
        .collect();
    let services = || projects.iter().flat_map(|project| &project.services);
    let mut files = BTreeMap::new();
    for file in services().flat_map(|service| &service.files) {
        // A file that one service holds for a secret is one for all.
        *files.entry(file.host_path.clone()).or_default() |= file.secret;
    }
    let adopted = desired.environments.values().filter(|it| it.resource.spec.host == host);
    let adopted =
        adopted.filter_map(|it| it.resource.spec.adopt.as_ref()).map(|adopt| adopt.container.clone());
    ObserveRequest {
        containers: adopted.collect(),
        references: services().map(|service| service.image.clone()).collect(),
        projects: projects.iter().map(|project| project.name.clone()).collect::<BTreeSet<_>>(),
        files,
        key: Some(key.clone()),
    }
}

/// Notes who was stopped by hand; one that was started since has another state.
///
/// The stops have to be read after the world: one that happened while it was read is among them then.
pub fn mark_stops(observation: &mut Observation, stops: &BTreeMap<String, DateTime<Utc>>) {
    let hosts = observation.hosts.values_mut().filter_map(|facts| match facts {
        Known::Known(facts) => Some(facts),
        Known::Unknown(_) => None,
    });
    for container in hosts.flat_map(|facts| &mut facts.containers) {
        if container.state.status == ContainerStatus::Exited {
            container.stopped_by_hand = stops.get(&container.id).copied();
        }
    }
}

async fn collect_checkouts(desired: &DesiredState) -> BTreeMap<String, Known<CheckoutFacts>> {
    let of_repositories = desired.repositories.values().filter_map(|repository| repository.checkout.as_ref());
    let of_stacks = desired.stacks.values().filter_map(|stack| stack.checkout.as_ref());
    let wanted: BTreeMap<String, &CheckoutDesired> = of_repositories
        .chain(of_stacks)
        .chain(desired.environments.values().filter_map(|environment| environment.checkout.as_ref()))
        .map(|checkout| (checkout_key(&checkout.host, &checkout.path), checkout))
        .collect();
    let asked: Vec<_> = wanted
        .into_iter()
        .map(|(place, checkout)| async move {
            if !is_local(desired, &checkout.host) {
                return (place, Known::Unknown(ELSEWHERE.to_owned()));
            }
            (place, observe_checkout(&checkout.path).await)
        })
        .collect();
    stream::iter(asked).buffer_unordered(CHECKOUTS_MAX).collect().await
}
