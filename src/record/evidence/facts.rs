//! What was observed of the things that a run changes; everything else of the world stays out of a pack.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use crate::engine::labels;
use crate::engine::observe::{ContainerFacts, EngineFacts};
use crate::model::id::{Kind, ResourceId};
use crate::observed::observation::{Observation, checkout_key};
use crate::plan::plan::Plan;
use crate::plan::step::SubjectKind;
use crate::record::journal::JournalEntry;

/// The things that a run changes.
pub(super) struct Changed<'a> {
    things: BTreeSet<Thing<'a>>,
    /// Containers by host and name, those of former names too.
    containers: BTreeSet<(&'a str, &'a str)>,
    /// Environments by host and name.
    environments: BTreeSet<(&'a str, &'a str)>,
    /// Layouts by name.
    layouts: BTreeSet<&'a str>,
}

/// A thing by host, sort and name.
type Thing<'a> = (&'a str, SubjectKind, &'a str);

impl<'a> Changed<'a> {
    /// What a plan changes. Also counts a container that had another name before or has one now, by its id.
    pub(super) fn new(plan: &'a Plan, before: &'a Observation, after: &'a Observation) -> Self {
        let things = plan.steps.iter();
        let things = things.map(|step| (step.host.as_str(), step.subject.kind, step.subject.name.as_str()));
        let steps = plan.steps.iter().map(|step| (step.host.as_str(), &step.resource));
        // A night in which nothing had to be done proves what was looked at.
        let looked =
            plan.resources.iter().filter(|_| plan.steps.is_empty()).map(|resource| ("", &resource.id));
        let steps = steps.chain(looked);
        Changed::of(things.collect(), steps, &[before, after])
    }

    /// What the operations of a journal changed.
    pub(super) fn journaled(journal: &'a [JournalEntry], after: &'a Observation) -> Self {
        let thing = |entry: &'a JournalEntry| {
            let (kind, name) = entry.subject.split_once(' ')?;
            let kind = serde_json::from_value(Value::from(kind)).ok()?;
            Some((entry.host.as_str(), kind, name))
        };
        let entries = journal.iter().map(|entry| (entry.host.as_str(), &entry.resource));
        Changed::of(journal.iter().filter_map(thing).collect(), entries, &[after])
    }

    fn of(
        things: BTreeSet<Thing<'a>>,
        resources: impl Iterator<Item = (&'a str, &'a ResourceId)>,
        worlds: &[&'a Observation],
    ) -> Self {
        let named: BTreeSet<(&str, &str)> = things
            .iter()
            .filter(|(_, kind, _)| *kind == SubjectKind::Container)
            .map(|(host, _, name)| (*host, *name))
            .collect();
        let all: Vec<(&str, &ContainerFacts)> = worlds
            .iter()
            .flat_map(|world| &world.hosts)
            .filter_map(|(host, facts)| Some((host.as_str(), facts.known()?)))
            .flat_map(|(host, facts)| facts.containers.iter().map(move |found| (host, found)))
            .collect();
        let ids: BTreeSet<&str> = all
            .iter()
            .filter(|(host, found)| named.contains(&(*host, found.name.as_str())))
            .map(|(_, found)| found.id.as_str())
            .collect();
        let renamed = all.iter().filter(|(_, found)| ids.contains(found.id.as_str()));
        let mut containers = named.clone();
        containers.extend(renamed.map(|(host, found)| (*host, found.name.as_str())));
        let resources: Vec<(&str, &ResourceId)> = resources.collect();
        // A run of modules stops and starts an application whose container no step names.
        let is_of = |found: &ContainerFacts, id: &ResourceId| {
            id.kind == Kind::Environment && found.labels.get(labels::RESOURCE) == Some(&id.to_string())
        };
        let theirs = all.iter().filter(|(_, found)| resources.iter().any(|(_, id)| is_of(found, id)));
        containers.extend(theirs.map(|(host, found)| (*host, found.name.as_str())));
        let (mut environments, mut layouts) = (BTreeSet::new(), BTreeSet::new());
        for (host, id) in resources {
            match id.kind {
                Kind::Environment => drop(environments.insert((host, id.name.as_str()))),
                Kind::AddonsLayout => drop(layouts.insert(id.name.as_str())),
                Kind::Host | Kind::Repository | Kind::Stack => {}
            }
        }
        Changed { things, containers, environments, layouts }
    }

    /// The hosts that are acted on.
    pub(super) fn hosts(&self) -> Vec<String> {
        let hosts: BTreeSet<&str> = self.things.iter().map(|(host, ..)| *host).collect();
        hosts.into_iter().map(str::to_owned).collect()
    }

    /// Changed containers of a host in an observation.
    pub(super) fn containers<'w>(&self, host: &str, facts: &'w EngineFacts) -> Vec<&'w ContainerFacts> {
        let is_changed = |found: &&ContainerFacts| self.containers.contains(&(host, found.name.as_str()));
        facts.containers.iter().filter(is_changed).collect()
    }

    fn has(&self, host: &str, kind: SubjectKind, name: &str) -> bool {
        self.things.contains(&(host, kind, name))
    }

    /// What was observed of them; a host that could not be read says why.
    pub(super) fn facts(&self, world: &Observation) -> Value {
        let mut hosts = Map::new();
        for host in self.hosts() {
            let value = match world.hosts.get(&host) {
                None => json!({"unknown": "it was not observed"}),
                Some(facts) => match facts.known() {
                    None => json!({"unknown": facts.unknown()}),
                    Some(facts) => self.host_facts(&host, facts),
                },
            };
            hosts.insert(host, value);
        }
        let checkouts: BTreeMap<String, Value> = self
            .things
            .iter()
            .filter(|(_, kind, _)| *kind == SubjectKind::Checkout)
            .map(|(host, _, path)| checkout_key(host, path))
            .map(|key| (key.clone(), json!(world.checkouts.get(&key))))
            .collect();
        let environments: BTreeMap<&str, Value> =
            self.environments.iter().map(|(_, name)| (*name, json!(world.environments.get(*name)))).collect();
        let mut found = json!({"hosts": hosts, "checkouts": checkouts, "environments": environments});
        if !self.layouts.is_empty() {
            let layouts: BTreeMap<&str, Value> =
                self.layouts.iter().map(|name| (*name, json!(world.layouts.get(*name)))).collect();
            found["layouts"] = json!(layouts);
        }
        found
    }

    fn host_facts(&self, host: &str, facts: &EngineFacts) -> Value {
        let networks: Vec<_> = facts
            .networks
            .iter()
            .filter(|network| self.has(host, SubjectKind::Network, &network.name))
            .collect();
        let volumes: Vec<_> =
            facts.volumes.iter().filter(|volume| self.has(host, SubjectKind::Volume, &volume.name)).collect();
        json!({
            "version": facts.version,
            "containers": self.containers(host, facts),
            "networks": networks,
            "volumes": volumes,
        })
    }

    /// References of changed containers and fetched images → what they mean on their host.
    pub(super) fn images(&self, world: &Observation) -> Value {
        let mut hosts = Map::new();
        for host in self.hosts() {
            let Some(facts) = world.hosts.get(&host).and_then(|facts| facts.known()) else { continue };
            let mut references: BTreeSet<&str> =
                self.containers(&host, facts).iter().map(|found| found.image.as_str()).collect();
            references.extend(
                facts
                    .images
                    .keys()
                    .filter(|reference| self.has(&host, SubjectKind::Image, reference))
                    .map(String::as_str),
            );
            let images: Map<String, Value> = references
                .into_iter()
                .map(|reference| {
                    let image = facts.images.get(reference).and_then(|image| image.known()?.as_ref());
                    let value = match image {
                        Some(image) => json!({"id": image.id, "digests": image.digests}),
                        None => Value::Null,
                    };
                    (reference.to_owned(), value)
                })
                .collect();
            hosts.insert(host, Value::Object(images));
        }
        Value::Object(hosts)
    }

    /// How changed containers were afterwards, with the last word of their health checks.
    pub(super) fn health(&self, world: &Observation) -> Value {
        let mut hosts = Map::new();
        for host in self.hosts() {
            let Some(facts) = world.hosts.get(&host).and_then(|facts| facts.known()) else { continue };
            let mut containers: Map<String, Value> = self
                .containers(&host, facts)
                .into_iter()
                .map(|found| (found.name.clone(), json!(found.state)))
                .collect();
            for (_, name) in self.environments.iter().filter(|(of, _)| **of == host) {
                let probes = world.environments.get(*name).map(|facts| &facts.probes);
                containers.insert(format!("Environment/{name}"), json!(probes));
            }
            hosts.insert(host, Value::Object(containers));
        }
        Value::Object(hosts)
    }
}
