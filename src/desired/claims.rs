//! No two stacks of a host claim the same name, port or volume. A volume is shared knowingly only as `external`.

use std::collections::BTreeMap;

use crate::engine::spec::ProjectSpec;
use crate::model::problem::{Location, Problem};
use crate::skills::stack::spec::RunState;

/// One stack with what it will run.
pub struct Claimant<'a> {
    /// The Stack's name.
    pub stack: &'a str,
    /// Its Host.
    pub host: &'a str,
    /// Whether it runs.
    pub run: RunState,
    /// Where the Stack is described.
    pub location: Location,
    /// What it will run.
    pub project: &'a ProjectSpec,
}

/// One thing on a host that only one may have.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Claim {
    host: String,
    rule: &'static str,
    thing: String,
}

/// One published port of a host.
struct PortClaim {
    stack: String,
    service: String,
    address: String,
    port: u16,
    protocol: String,
    location: Location,
}

/// Checks all stacks against each other.
pub fn check(stacks: &[Claimant<'_>], problems: &mut Vec<Problem>) {
    let mut names: BTreeMap<Claim, (String, Location)> = BTreeMap::new();
    let mut ports: BTreeMap<&str, Vec<PortClaim>> = BTreeMap::new();
    for stack in stacks {
        claim(
            &mut names,
            stack,
            "project-claimed-twice",
            format!("project `{}`", stack.project.name),
            "",
            &stack.location,
            problems,
        );
        if stack.run == RunState::Absent {
            continue;
        }
        for service in &stack.project.services {
            if let Some(name) = &service.container_name {
                let thing = format!("container name `{name}`");
                claim(
                    &mut names,
                    stack,
                    "container-name-claimed-twice",
                    thing,
                    &service.name,
                    &service.location,
                    problems,
                );
            }
            if stack.run == RunState::Started && service.replicas > 0 {
                ports.entry(stack.host).or_default().extend(published(stack.stack, service));
            }
        }
        for volume in stack.project.volumes.iter().filter(|volume| !volume.external) {
            let thing = format!("volume `{}`", volume.name);
            claim(&mut names, stack, "volume-claimed-twice", thing, "", &volume.location, problems);
        }
    }
    for (host, claims) in &ports {
        check_ports(host, claims, problems);
    }
}

fn claim(
    names: &mut BTreeMap<Claim, (String, Location)>,
    stack: &Claimant<'_>,
    rule: &'static str,
    thing: String,
    service: &str,
    location: &Location,
    problems: &mut Vec<Problem>,
) {
    let owner = format!("{}/{service}", stack.stack);
    let claim = Claim { host: stack.host.to_owned(), rule, thing };
    match names.get(&claim) {
        Some((first_owner, first)) if *first_owner != owner => {
            let hint = match rule {
                "volume-claimed-twice" => {
                    "If both are meant to use it, declare it `external: true` in all but one."
                }
                "project-claimed-twice" => "Give one of the stacks another `compose.project`.",
                _ => "Give one of them another name.",
            };
            let (first_stack, _) = first_owner.split_once('/').unwrap_or((first_owner, ""));
            let message = format!(
                "{} is claimed twice on `{}`, by `Stack/{first_stack}` and `Stack/{}`",
                claim.thing, stack.host, stack.stack
            );
            problems.push(
                Problem::error(rule, message)
                    .at(location.clone())
                    .with_related(first.clone(), "first claimed here")
                    .with_hint(hint),
            );
        }
        Some(_) => {}
        None => {
            names.insert(claim, (owner, location.clone()));
        }
    }
}

fn published(stack: &str, service: &crate::engine::spec::ServiceSpec) -> Vec<PortClaim> {
    let bindings = service.container.host_config.as_ref().and_then(|config| config.port_bindings.as_ref());
    let mut found = Vec::new();
    for (port, bindings) in bindings.into_iter().flatten() {
        let protocol = port.split_once('/').map_or("tcp", |(_, protocol)| protocol);
        for binding in bindings.iter().flatten() {
            // A range or no port at all lets the engine choose a free one.
            let number = binding.host_port.as_deref().and_then(|text| text.parse::<u16>().ok());
            let Some(number) = number.filter(|number| *number != 0) else { continue };
            found.push(PortClaim {
                stack: stack.to_owned(),
                service: service.name.clone(),
                address: binding.host_ip.clone().unwrap_or_default(),
                port: number,
                protocol: protocol.to_owned(),
                location: service.location.clone(),
            });
        }
    }
    found.sort_by(|a, b| (a.port, &a.protocol, &a.address).cmp(&(b.port, &b.protocol, &b.address)));
    found
}

fn check_ports(host: &str, claims: &[PortClaim], problems: &mut Vec<Problem>) {
    let mut by_port: BTreeMap<(u16, &str), Vec<&PortClaim>> = BTreeMap::new();
    for claim in claims {
        let earlier = by_port.entry((claim.port, &claim.protocol)).or_default();
        let same = |other: &&&PortClaim| {
            overlap(&other.address, &claim.address)
                && (other.stack != claim.stack || other.service != claim.service)
        };
        if let Some(first) = earlier.iter().find(same) {
            let message = format!(
                "port {}/{} is claimed twice on `{host}`, by `Stack/{}` service `{}` and `Stack/{}` service `{}`",
                claim.port, claim.protocol, first.stack, first.service, claim.stack, claim.service
            );
            problems.push(
                Problem::error("port-claimed-twice", message)
                    .at(claim.location.clone())
                    .with_related(first.location.clone(), "first claimed here")
                    .with_hint("Publish one of them on another port or address."),
            );
        }
        earlier.push(claim);
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
