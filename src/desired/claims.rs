//! No two stacks or environments of a host claim the same name, port or volume. A volume is shared knowingly only as `external`.

use std::collections::BTreeMap;

use serde_json::Value;

use super::typed::Described;
use crate::engine::plan::Running;
use crate::engine::spec::{ProjectSpec, ServiceSpec};
use crate::model::document::Place;
use crate::model::id::{Kind, ResourceId};
use crate::model::problem::{Location, Problem};
use crate::skills::environment::render::APPLICATION_SERVICE;
use crate::skills::environment::spec::EnvironmentSpec;
use crate::skills::host::spec::HostSpec;
use crate::skills::stack::compose::ComposeProject;

/// Containers of one service whose names are compared; more of one service run nowhere.
const NUMBERED_NAMES_MAX: u32 = 1_000;

/// One stack with what it will run.
pub struct Claimant<'a> {
    /// The Stack or Environment.
    pub resource: &'a ResourceId,
    /// Its Host.
    pub host: &'a str,
    /// The engine behind the Host, one text for all Hosts that reach it.
    pub engine: String,
    /// Whether it runs.
    pub run: Running,
    /// Where it is described.
    pub place: &'a Place,
    /// What it will run.
    pub project: &'a ProjectSpec,
    /// Where what it claims is written.
    pub places: &'a ClaimPlaces,
    /// A database on somebody else's server that it uses alone, as `name@host:port`.
    pub database: Option<String>,
}

/// Where ports and container names of a stack are written.
#[derive(Debug, Default)]
pub struct ClaimPlaces {
    /// By service: its `container_name`.
    names: BTreeMap<String, Place>,
    /// By service, address, port and protocol.
    ports: BTreeMap<(String, String, String, String), Place>,
    /// By name.
    volumes: BTreeMap<String, Place>,
    /// The line that names the database.
    database: Option<Place>,
}

impl ClaimPlaces {
    /// Finds the places in a project's files.
    pub fn of(project: &ComposeProject) -> Self {
        let mut places = ClaimPlaces::default();
        for (name, service) in project.json["services"].as_object().into_iter().flatten() {
            let pointer = format!("/services/{}", name.replace('~', "~0").replace('/', "~1"));
            if service.get("container_name").is_some() {
                let place = project.place(&format!("{pointer}/container_name"));
                places.names.insert(name.clone(), place.clone());
            }
            let ports = service.get("ports").and_then(Value::as_array).into_iter().flatten();
            for (index, port) in ports.enumerate() {
                let text = |field: &str| port[field].as_str().unwrap_or_default().to_owned();
                let key = (name.clone(), text("host_ip"), text("published"), text("protocol"));
                let place = project.place(&format!("{pointer}/ports/{index}"));
                places.ports.entry(key).or_insert_with(|| place.clone());
            }
        }
        places
    }

    /// Finds the places in the document of an Environment.
    pub fn of_environment(environment: &Described<EnvironmentSpec>) -> Self {
        let spec = &environment.resource.spec;
        let mut places = ClaimPlaces::default();
        let publish = spec.publish.clone().unwrap_or_default();
        for (field, text) in [("http", publish.http), ("gevent", publish.gevent)] {
            let Some(text) = text else { continue };
            let (address, port) = text.rsplit_once(':').unwrap_or(("127.0.0.1", &text));
            let address = address.trim_start_matches('[').trim_end_matches(']');
            let key = (APPLICATION_SERVICE.to_owned(), address.to_owned(), port.to_owned(), "tcp".to_owned());
            places.ports.insert(key, environment.value(&format!("/spec/publish/{field}")).clone());
        }
        let mut volume = |name: &str, pointer: &str| {
            places.volumes.insert(name.to_owned(), environment.value(pointer).clone());
        };
        volume(&spec.filestore.volume, "/spec/filestore/volume");
        if let Some(managed) = &spec.database.managed {
            volume(&managed.volume, "/spec/database/managed/volume");
        }
        places.database = spec
            .database
            .external
            .as_ref()
            .map(|_| environment.value("/spec/database/external/name").clone());
        places
    }
}

/// One thing on an engine that only one may have.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Claim {
    engine: String,
    rule: &'static str,
    thing: String,
}

/// Who claims something, and where that is written.
#[derive(Clone)]
struct Owner<'a> {
    stack: &'a Claimant<'a>,
    service: Option<&'a str>,
    location: &'a Location,
    place: Option<&'a Place>,
}

impl<'a> Owner<'a> {
    fn of_stack(stack: &'a Claimant<'a>, location: &'a Location) -> Self {
        Owner { stack, service: None, location, place: None }
    }

    fn is(&self, other: &Owner) -> bool {
        self.stack.resource == other.stack.resource && self.service == other.service
    }

    fn name(&self) -> String {
        match self.service {
            Some(service) => format!("`{}` service `{service}`", self.stack.resource),
            None => format!("`{}`", self.stack.resource),
        }
    }

    fn written(&self) -> Location {
        self.place.map_or_else(|| self.location.clone(), Place::location)
    }

    /// Marks a problem here, and names the first owner and where both stacks are described.
    fn against(&self, first: &Owner, problem: Problem) -> Problem {
        let mut problem = match self.place {
            Some(place) => place.mark(problem),
            None => problem.at(self.location.clone()),
        };
        problem = problem.with_related(first.written(), "first claimed here");
        let mut told = vec![self.written(), first.written()];
        for stack in [first.stack, self.stack] {
            let location = stack.place.location();
            if !told.contains(&location) {
                problem =
                    problem.with_related(location.clone(), format!("`{}` is described here", stack.resource));
                told.push(location);
            }
        }
        problem
    }
}

/// One published port of an engine.
struct PortClaim<'a> {
    owner: Owner<'a>,
    address: String,
    port: u16,
    protocol: String,
}

/// Checks all stacks against each other.
pub fn check(stacks: &[Claimant<'_>], problems: &mut Vec<Problem>) {
    let locations: Vec<Location> = stacks.iter().map(|stack| stack.place.location()).collect();
    let mut claims = Claims { names: BTreeMap::new(), problems };
    let mut ports: BTreeMap<&str, Vec<PortClaim>> = BTreeMap::new();
    for (stack, location) in stacks.iter().zip(&locations) {
        let mut owner = Owner::of_stack(stack, location);
        owner.place = Some(stack.place);
        claims.claim("project-claimed-twice", format!("project `{}`", stack.project.name), owner);
        if let Some(database) = &stack.database {
            // Wherever its server is, it is the same for all Hosts.
            let place = stack.places.database.as_ref().or(Some(stack.place));
            let owner = Owner { place, ..Owner::of_stack(stack, location) };
            claims.claim_on("", "database-claimed-twice", format!("database `{database}`"), owner);
        }
        if stack.run == Running::Absent {
            continue;
        }
        for service in &stack.project.services {
            claims.container_names(stack, service);
            if stack.run == Running::Started && service.replicas > 0 {
                ports.entry(&stack.engine).or_default().extend(published(stack, service));
            }
        }
        for volume in stack.project.volumes.iter().filter(|volume| !volume.external) {
            let place = stack.places.volumes.get(&volume.name);
            let owner = Owner { place, ..Owner::of_stack(stack, &volume.location) };
            claims.claim("volume-claimed-twice", format!("volume `{}`", volume.name), owner);
        }
    }
    for claims in ports.values() {
        check_ports(claims, problems);
    }
}

struct Claims<'a, 'p> {
    names: BTreeMap<Claim, Owner<'a>>,
    problems: &'p mut Vec<Problem>,
}

impl<'a> Claims<'a, '_> {
    /// The fixed name of a service's container, or the numbered ones that Compose gives.
    fn container_names(&mut self, stack: &'a Claimant<'a>, service: &'a ServiceSpec) {
        let rule = "container-name-claimed-twice";
        let owner = Owner {
            stack,
            service: Some(&service.name),
            location: &service.location,
            place: stack.places.names.get(&service.name),
        };
        if let Some(name) = &service.container_name {
            return self.claim(rule, format!("container name `{name}`"), owner);
        }
        for number in 1..=service.replicas.min(NUMBERED_NAMES_MAX) {
            let name = format!("{}-{}-{number}", stack.project.name, service.name);
            self.claim(rule, format!("container name `{name}`"), owner.clone());
        }
    }

    fn claim(&mut self, rule: &'static str, thing: String, owner: Owner<'a>) {
        let engine = owner.stack.engine.clone();
        self.claim_on(&engine, rule, thing, owner);
    }

    fn claim_on(&mut self, engine: &str, rule: &'static str, thing: String, owner: Owner<'a>) {
        let claim = Claim { engine: engine.to_owned(), rule, thing };
        match self.names.get(&claim) {
            Some(first) if !first.is(&owner) && !is_said_of_project(rule, first, &owner) => {
                let hint = match rule {
                    "volume-claimed-twice" if owner.stack.resource.kind == Kind::Environment => {
                        "An Environment uses its volumes alone: name another one."
                    }
                    "volume-claimed-twice" => {
                        "If both are meant to use it, declare it `external: true` in all but one."
                    }
                    "project-claimed-twice" if owner.stack.resource.kind == Kind::Environment => {
                        "An Environment is a project of its own name: give one of them another name."
                    }
                    "project-claimed-twice" => "Give one of the stacks another `compose.project`.",
                    "database-claimed-twice" => "Two servers on one database destroy it: name another one.",
                    _ => "Give one of them another name.",
                };
                let message = format!(
                    "{} is claimed twice on `{}`, by {} and {}",
                    claim.thing,
                    owner.stack.host,
                    first.name(),
                    owner.name()
                );
                self.problems.push(owner.against(first, Problem::error(rule, message)).with_hint(hint));
            }
            Some(_) => {}
            None => {
                self.names.insert(claim, owner);
            }
        }
    }
}

/// Two stacks of one project share all its numbered names; one problem about the project says it.
fn is_said_of_project(rule: &str, first: &Owner, owner: &Owner) -> bool {
    rule == "container-name-claimed-twice"
        && first.stack.resource != owner.stack.resource
        && first.stack.project.name == owner.stack.project.name
}

fn published<'a>(stack: &'a Claimant<'a>, service: &'a ServiceSpec) -> Vec<PortClaim<'a>> {
    let bindings = service.container.host_config.as_ref().and_then(|config| config.port_bindings.as_ref());
    let mut found = Vec::new();
    for (port, bindings) in bindings.into_iter().flatten() {
        let protocol = port.split_once('/').map_or("tcp", |(_, protocol)| protocol);
        for binding in bindings.iter().flatten() {
            // A range or no port at all lets the engine choose a free one.
            let text = binding.host_port.as_deref().unwrap_or_default();
            let Some(number) = text.parse::<u16>().ok().filter(|number| *number != 0) else { continue };
            let address = binding.host_ip.clone().unwrap_or_default();
            let key = (service.name.clone(), address.clone(), text.to_owned(), protocol.to_owned());
            let owner = Owner {
                stack,
                service: Some(&service.name),
                location: &service.location,
                place: stack.places.ports.get(&key),
            };
            found.push(PortClaim { owner, address, port: number, protocol: protocol.to_owned() });
        }
    }
    found.sort_by(|a, b| (a.port, &a.protocol, &a.address).cmp(&(b.port, &b.protocol, &b.address)));
    found
}

fn check_ports(claims: &[PortClaim], problems: &mut Vec<Problem>) {
    let mut by_port: BTreeMap<(u16, &str), Vec<&PortClaim>> = BTreeMap::new();
    for claim in claims {
        let earlier = by_port.entry((claim.port, &claim.protocol)).or_default();
        let same =
            |other: &&&PortClaim| overlap(&other.address, &claim.address) && !other.owner.is(&claim.owner);
        if let Some(first) = earlier.iter().find(same) {
            let message = format!(
                "port {}/{} is claimed twice on `{}`, by {} and {}",
                claim.port,
                claim.protocol,
                claim.owner.stack.host,
                first.owner.name(),
                claim.owner.name()
            );
            let problem = claim.owner.against(&first.owner, Problem::error("port-claimed-twice", message));
            problems.push(problem.with_hint("Publish one of them on another port or address."));
        }
        earlier.push(claim);
    }
}

/// No two Hosts have one name: neither as `metadata.name` nor among their aliases.
pub fn check_host_names(hosts: &[Described<HostSpec>], problems: &mut Vec<Problem>) {
    let mut names: BTreeMap<&str, (&str, &Place)> = BTreeMap::new();
    for host in hosts {
        names.entry(&host.resource.id.name).or_insert((&host.resource.id.name, &host.resource.place));
    }
    for host in hosts {
        let own = host.resource.id.name.as_str();
        for (index, alias) in host.resource.spec.aliases.iter().enumerate() {
            let place = host.value(&format!("/spec/aliases/{index}"));
            match names.get(alias.as_str()) {
                Some((other, first)) if *other != own => {
                    let message =
                        format!("the name `{alias}` is claimed twice, by `Host/{other}` and `Host/{own}`");
                    problems.push(
                        place
                            .error("host-name-claimed-twice", message)
                            .with_related(first.location(), "first claimed here")
                            .with_hint("Describe a machine once, or give one of them another alias."),
                    );
                }
                Some(_) => {}
                None => {
                    names.insert(alias, (own, place));
                }
            }
        }
    }
}

/// Whether two bind addresses can't both be bound to one port; no address, `0.0.0.0` and `::` stand for all.
fn overlap(a: &str, b: &str) -> bool {
    let all = |address: &str| matches!(address, "" | "0.0.0.0" | "::" | "[::]");
    a == b || all(a) || all(b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_overlaps_with_itself_and_with_all() {
        assert!(
            overlap("", "127.0.0.1") && overlap("0.0.0.0", "10.0.0.1") && overlap("127.0.0.1", "127.0.0.1")
        );
        assert!(!overlap("127.0.0.1", "10.0.0.1"));
    }
}
