//! Which services are enabled: by profiles, and by name with what they depend on.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use std::collections::{BTreeMap, BTreeSet};

use crate::model::document::Node;
use crate::model::problem::{Problem, nearest};

use super::context::Context;
use super::{tree, value};

/// The services that profiles enable.
pub(super) fn by_profiles(services: &Node, profiles: &[String]) -> BTreeSet<String> {
    let all = profiles.iter().any(|profile| profile == "*");
    services
        .entries()
        .unwrap_or_default()
        .iter()
        .filter(|entry| {
            let own = profiles_of(&entry.value);
            own.is_empty() || all || own.iter().any(|own| profiles.iter().any(|profile| profile == own))
        })
        .map(|entry| entry.key.clone())
        .collect()
}

fn profiles_of(service: &Node) -> Vec<&str> {
    service.get("profiles").and_then(Node::items).unwrap_or_default().iter().filter_map(Node::text).collect()
}

/// The named services and what they depend on; naming a service enables its profiles.
pub(super) fn by_names(
    context: &mut Context,
    services: &Node,
    profiles: &[String],
    names: &[String],
) -> BTreeSet<String> {
    let mut profiles = profiles.to_vec();
    let known: BTreeMap<&str, &Node> = services
        .entries()
        .unwrap_or_default()
        .iter()
        .map(|entry| (entry.key.as_str(), &entry.value))
        .collect();
    let mut queue: Vec<String> = Vec::new();
    for name in names {
        match known.get(name.as_str()) {
            Some(service) => {
                profiles.extend(profiles_of(service).iter().map(|profile| (*profile).to_owned()));
                queue.push(name.clone());
            }
            None => {
                let problem = Problem::error(
                    "undefined-service",
                    format!("the Stack runs service `{name}`, which its Compose files do not describe"),
                );
                context.report(match nearest(name, known.keys().copied()) {
                    Some(near) => problem.with_hint(format!("Did you mean `{near}`?")),
                    None => problem,
                });
            }
        }
    }
    let enabled = by_profiles(services, &profiles);
    let mut selected = BTreeSet::new();
    while let Some(name) = queue.pop() {
        if !enabled.contains(&name) || !selected.insert(name.clone()) {
            continue;
        }
        let dependencies = known.get(name.as_str()).and_then(|service| service.get("depends_on"));
        for entry in dependencies.and_then(Node::entries).unwrap_or_default() {
            let required = entry.value.get("required").and_then(value::truth).unwrap_or(true);
            if enabled.contains(&entry.key) {
                queue.push(entry.key.clone());
            } else if required && known.contains_key(entry.key.as_str()) {
                context.report(disabled_dependency(&name, &entry.key, entry));
            }
        }
    }
    selected
}

/// A service needs one that no profile enables.
pub(super) fn disabled_dependency(
    name: &str,
    wanted: &str,
    entry: &crate::model::document::Entry,
) -> Problem {
    entry
        .key_place
        .error(
            "disabled-service",
            format!("service `{name}` depends on `{wanted}`, which no enabled profile has"),
        )
        .with_hint("Enable its profile in the Stack, or write `required: false`.")
}

/// Keeps the selected services only; named ones lose dependencies that are not selected.
pub(super) fn keep(services: &mut Node, selected: &BTreeSet<String>, named: bool) {
    let Some(entries) = tree::entries_mut(services) else { return };
    entries.retain(|entry| selected.contains(&entry.key));
    if !named {
        return;
    }
    for entry in entries {
        let empty = match tree::get_mut(&mut entry.value, "depends_on").and_then(tree::entries_mut) {
            Some(dependencies) => {
                dependencies.retain(|dependency| selected.contains(&dependency.key));
                dependencies.is_empty()
            }
            None => false,
        };
        if empty {
            tree::take(&mut entry.value, "depends_on");
        }
    }
}

/// Drops networks, volumes, configs and secrets that no service uses.
pub(super) fn prune(model: &mut Node) {
    let mut used: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for entry in model.get("services").and_then(Node::entries).unwrap_or_default() {
        let service = &entry.value;
        for network in service.get("networks").and_then(Node::entries).unwrap_or_default() {
            used.entry("networks").or_default().insert(network.key.clone());
        }
        for mount in service.get("volumes").and_then(Node::items).unwrap_or_default() {
            if tree::text_of(mount, "type") == Some("volume") {
                used.entry("volumes").or_default().extend(tree::text_of(mount, "source").map(str::to_owned));
            }
        }
        for section in ["configs", "secrets"] {
            for mount in service.get(section).and_then(Node::items).unwrap_or_default() {
                used.entry(section).or_default().extend(tree::text_of(mount, "source").map(str::to_owned));
            }
        }
    }
    for section in ["networks", "volumes", "configs", "secrets"] {
        let names = used.remove(section).unwrap_or_default();
        let empty = match tree::get_mut(model, section).and_then(tree::entries_mut) {
            Some(entries) => {
                entries.retain(|entry| names.contains(&entry.key));
                entries.is_empty()
            }
            None => true,
        };
        if empty {
            tree::take(model, section);
        }
    }
}
