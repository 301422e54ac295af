//! Rules over all services together, and over networks, volumes, secrets and configs by themselves.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use std::collections::{BTreeMap, BTreeSet};

use crate::model::document::{Entry, Node, Place};

use super::context::Context;
use super::value;

/// Checks that no service waits for itself, no name is claimed twice and each resource has what it needs.
pub(super) fn check(context: &mut Context, model: &Node, services: &Node, enabled: &BTreeSet<String>) {
    cycles(context, services, enabled);
    container_names(context, services, enabled);
    resources(context, model);
}

/// Rings that are reported; each is found by itself, and untangling a few untangles the rest.
const RINGS_MAX: usize = 20;
/// Services of a ring that are shown.
const RING_SHOWN_MAX: usize = 8;

/// Reports each ring of services that wait for each other, once.
fn cycles(context: &mut Context, services: &Node, enabled: &BTreeSet<String>) {
    let edges: BTreeMap<&str, Vec<&Entry>> = services
        .entries()
        .unwrap_or_default()
        .iter()
        .filter(|entry| enabled.contains(&entry.key))
        .map(|entry| {
            let dependencies = entry.value.get("depends_on").and_then(Node::entries).unwrap_or_default();
            (entry.key.as_str(), dependencies.iter().collect())
        })
        .collect();
    // 0: not seen, 1: on the way, 2: done. Without recursion, because a chain can be as long as the file.
    let mut state: BTreeMap<&str, u8> = BTreeMap::new();
    let mut rings = 0;
    for start in edges.keys() {
        let mut way: Vec<(&str, usize)> = vec![(start, 0)];
        if state.get(start).copied().unwrap_or(0) != 0 {
            continue;
        }
        state.insert(start, 1);
        while let Some((name, next)) = way.pop() {
            let Some(entry) = edges.get(name).and_then(|entries| entries.get(next)) else {
                state.insert(name, 2);
                continue;
            };
            way.push((name, next + 1));
            let wanted = entry.key.as_str();
            match state.get(wanted).copied().unwrap_or(0) {
                0 if edges.contains_key(wanted) => {
                    state.insert(wanted, 1);
                    way.push((wanted, 0));
                }
                1 if rings < RINGS_MAX => {
                    rings += 1;
                    let from = way.iter().position(|(name, _)| *name == wanted).unwrap_or(0);
                    let ring: Vec<&str> =
                        way[from..].iter().map(|(name, _)| *name).take(RING_SHOWN_MAX).collect();
                    let more = if way.len() - from > RING_SHOWN_MAX { " → …" } else { "" };
                    let message =
                        format!("services wait for each other: {}{more} → {wanted}", ring.join(" → "));
                    let hint = "Remove one of the dependencies (`depends_on`, `links`, `volumes_from`, shared namespaces).";
                    context.report(entry.key_place.error("dependency-cycle", message).with_hint(hint));
                }
                _ => {}
            }
        }
    }
}

/// Reports container names that two services claim.
fn container_names(context: &mut Context, services: &Node, enabled: &BTreeSet<String>) {
    let mut seen: BTreeMap<String, &Place> = BTreeMap::new();
    for entry in services.entries().unwrap_or_default().iter().filter(|entry| enabled.contains(&entry.key)) {
        let Some(node) = entry.value.get("container_name") else { continue };
        let Some(name) = node.text() else { continue };
        if let Some(first) = seen.get(name) {
            let message = format!("container name `{name}` is claimed twice");
            let problem = node.place.error("name-claimed-twice", message);
            context.report(problem.with_related(first.location(), "first claimed here"));
        } else {
            seen.insert(name.to_owned(), &node.place);
        }
    }
}

/// Checks networks, volumes, secrets and configs by themselves.
fn resources(context: &mut Context, model: &Node) {
    for entry in model.get("volumes").and_then(Node::entries).unwrap_or_default() {
        if !entry.value.get("external").and_then(value::truth).unwrap_or(false) {
            continue;
        }
        for field in entry.value.entries().unwrap_or_default() {
            if !matches!(field.key.as_str(), "name" | "external") {
                let message = format!("`volumes.{}` is external and has `{}`", entry.key, field.key);
                let hint = "Remove it: an external volume is not made here.";
                context.report(field.key_place.error("conflict", message).with_hint(hint));
            }
        }
    }
    for (section, keys) in
        [("secrets", &["file", "environment"][..]), ("configs", &["file", "environment", "content"])]
    {
        for entry in model.get(section).and_then(Node::entries).unwrap_or_default() {
            if context.is_broken(section, &entry.key) {
                continue;
            }
            let given: Vec<&&str> = keys.iter().filter(|key| entry.value.get(key).is_some()).collect();
            let path = format!("{section}.{}", entry.key);
            if given.len() > 1 {
                let message = format!(
                    "`{path}` has {}",
                    given.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(" and ")
                );
                context.report(entry.key_place.error("conflict", message).with_hint("Keep one of them."));
            } else if given.is_empty() {
                let message = format!("`{path}` has no content");
                let hint = format!("Give it one of: {}.", keys.join(", "));
                context.report(entry.key_place.error("missing-field", message).with_hint(hint));
            }
        }
    }
}
