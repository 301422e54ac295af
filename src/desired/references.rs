//! Every name that a document mentions exists once, and nothing waits for itself.

use std::collections::{BTreeMap, BTreeSet};

use super::typed::{Described, Typed};
use crate::model::document::Place;
use crate::model::id::{Kind, ResourceId};
use crate::model::problem::{Location, Problem, Severity, nearest};

/// Dangling references for which the name that may be meant is looked for; each costs a look at all names.
const NEAREST_SEARCHES_MAX: usize = 100;
/// Names that a hint lists.
const NAMES_LISTED_MAX: usize = 10;

/// One mention of a resource by another.
struct Reference<'a> {
    from: ResourceId,
    to: ResourceId,
    place: &'a Place,
    field: &'static str,
}

/// Checks identities and references. With `partial`, only a part of the documents was read: a missing one is a warning.
pub fn check(typed: &Typed, partial: bool, problems: &mut Vec<Problem>) {
    let known = identities(typed, problems);
    let references = references(typed);
    let mut edges: BTreeMap<&ResourceId, Vec<&Reference>> = BTreeMap::new();
    let mut dangling_count = 0;
    for reference in &references {
        if known.contains_key(&reference.to) {
            edges.entry(&reference.from).or_default().push(reference);
        } else if !typed.broken.contains(&reference.to) {
            let ids = known.keys().chain(&typed.broken);
            // Looking for what was meant costs time: when everything dangles, once in a while is enough.
            let looked_for = if dangling_count < NEAREST_SEARCHES_MAX { usize::MAX } else { 0 };
            dangling_count += 1;
            problems.push(dangling(reference, ids.take(looked_for), partial));
        }
    }
    cycles(&edges, problems);
}

/// All identities with their first place; a second one is an error that names both.
fn identities(typed: &Typed, problems: &mut Vec<Problem>) -> BTreeMap<ResourceId, Location> {
    let mut known: BTreeMap<ResourceId, Location> = BTreeMap::new();
    let hosts = typed.hosts.iter().map(|host| (&host.resource.id, &host.resource.place));
    let repositories = typed.repositories.iter().map(|one| (&one.resource.id, &one.resource.place));
    let stacks = typed.stacks.iter().map(|stack| (&stack.resource.id, &stack.resource.place));
    let environments = typed.environments.iter().map(|it| (&it.resource.id, &it.resource.place));
    let layouts = typed.layouts.iter().map(|it| (&it.resource.id, &it.resource.place));
    for (id, place) in hosts.chain(repositories).chain(stacks).chain(environments).chain(layouts) {
        match known.get(id) {
            Some(first) => problems.push(
                place
                    .error("duplicate-resource", format!("`{id}` is described twice"))
                    .with_related(first.clone(), "first described here")
                    .with_hint("Remove one, or give it another name."),
            ),
            None => {
                known.insert(id.clone(), place.location());
            }
        }
    }
    known
}

fn references(typed: &Typed) -> Vec<Reference<'_>> {
    let mut found = Vec::new();
    for host in &typed.hosts {
        depends_on(host, &mut found);
    }
    for repository in &typed.repositories {
        depends_on(repository, &mut found);
        if let Some(host) = &repository.resource.spec.host {
            found.push(Reference {
                from: repository.resource.id.clone(),
                to: ResourceId::new(Kind::Host, host),
                place: repository.value("/spec/host"),
                field: "spec.host",
            });
        }
    }
    for layout in &typed.layouts {
        depends_on(layout, &mut found);
        found.push(Reference {
            from: layout.resource.id.clone(),
            to: ResourceId::new(Kind::Repository, &layout.resource.spec.repository),
            place: layout.value("/spec/repository"),
            field: "spec.repository",
        });
    }
    for stack in &typed.stacks {
        depends_on(stack, &mut found);
        let from = &stack.resource.id;
        found.push(Reference {
            from: from.clone(),
            to: ResourceId::new(Kind::Host, &stack.resource.spec.host),
            place: stack.value("/spec/host"),
            field: "spec.host",
        });
        if let Some(repository) = &stack.resource.spec.repository {
            found.push(Reference {
                from: from.clone(),
                to: ResourceId::new(Kind::Repository, repository),
                place: stack.value("/spec/repository"),
                field: "spec.repository",
            });
        }
    }
    for environment in &typed.environments {
        depends_on(environment, &mut found);
        let spec = &environment.resource.spec;
        let mut mention = |kind, name: &str, pointer: &str, field| {
            found.push(Reference {
                from: environment.resource.id.clone(),
                to: ResourceId::new(kind, name),
                place: environment.value(pointer),
                field,
            });
        };
        mention(Kind::Host, &spec.host, "/spec/host", "spec.host");
        if let Some(repository) = &spec.source.repository {
            mention(Kind::Repository, repository, "/spec/source/repository", "spec.source.repository");
        }
        if let Some(data) = &spec.data {
            mention(Kind::Environment, &data.from, "/spec/data/from", "spec.data.from");
        }
    }
    found
}

fn depends_on<'a, S>(described: &'a Described<S>, found: &mut Vec<Reference<'a>>) {
    for (index, text) in described.resource.common.depends_on.iter().enumerate() {
        if let Some(to) = ResourceId::parse(text) {
            let place = described.value(&format!("/spec/dependsOn/{index}"));
            found.push(Reference { from: described.resource.id.clone(), to, place, field: "spec.dependsOn" });
        }
    }
}

fn dangling<'a>(
    reference: &Reference,
    known: impl Iterator<Item = &'a ResourceId>,
    partial: bool,
) -> Problem {
    let message = format!("`{}` names `{}`, which doesn't exist", reference.field, reference.to);
    let names: Vec<&str> =
        known.filter(|id| id.kind == reference.to.kind).map(|id| id.name.as_str()).collect();
    let mut problem = reference.place.error("dangling-reference", message);
    problem.hint = Some(match nearest(&reference.to.name, names.iter().copied()) {
        Some(near) => format!("Did you mean `{near}`?"),
        None if names.is_empty() => format!("Describe it, as kind {}.", reference.to.kind),
        None if names.len() > NAMES_LISTED_MAX => format!("There are {} others.", names.len()),
        None => format!("There are: {}.", names.join(", ")),
    });
    if partial {
        problem.severity = Severity::Warning;
        problem.hint = Some("Only this file was read; validate the folder to check references.".to_owned());
    }
    problem
}

/// Reports each cycle once, at the smallest of its members.
fn cycles(edges: &BTreeMap<&ResourceId, Vec<&Reference>>, problems: &mut Vec<Problem>) {
    let mut done: BTreeSet<&ResourceId> = BTreeSet::new();
    for start in edges.keys() {
        if done.contains(start) {
            continue;
        }
        // The way from the start, with the next edge to take at each step: deep chains need no deep stack.
        let mut way: Vec<(&ResourceId, usize)> = vec![(start, 0)];
        let mut on_way: BTreeSet<&ResourceId> = BTreeSet::from([*start]);
        while let Some((at, next)) = way.last_mut() {
            let edge = edges.get(*at).and_then(|edges| edges.get(*next)).copied();
            *next += 1;
            match edge {
                Some(edge) if on_way.contains(&edge.to) => {
                    let from = way.iter().position(|(id, _)| **id == edge.to).unwrap_or(0);
                    let members: Vec<&ResourceId> = way[from..].iter().map(|(id, _)| *id).collect();
                    problems.push(cycle(edge, &members));
                }
                Some(edge) if !done.contains(&edge.to) => {
                    way.push((&edge.to, 0));
                    on_way.insert(&edge.to);
                }
                Some(_) => {}
                None => {
                    if let Some((id, _)) = way.pop() {
                        on_way.remove(id);
                        done.insert(id);
                    }
                }
            }
        }
    }
}

fn cycle(edge: &Reference, members: &[&ResourceId]) -> Problem {
    let names: Vec<String> = members.iter().chain([&&edge.to]).map(|id| format!("`{id}`")).collect();
    edge.place
        .error("dependency-cycle", format!("resources wait for each other: {}", names.join(" → ")))
        .with_hint("Remove one of the dependencies.")
}
