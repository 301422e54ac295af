//! Who claims something on an engine: stacks and environments against each other, names of hosts, checkouts.

use std::collections::{BTreeMap, BTreeSet};

use super::claims::{self, ClaimPlaces, Claimant};
use super::stacks::StackLoad;
use super::state::EnvironmentDesired;
use super::typed::{Described, Typed};
use crate::engine::spec::ProjectSpec;
use crate::model::problem::Problem;
use crate::skills::environment::plan::running;
use crate::skills::repository::spec::RepositorySpec;
use crate::skills::stack::plan::running as stack_running;

/// Checks what all resources of a revision claim.
pub fn check_claims(
    typed: &Typed,
    loads: &[StackLoad],
    environments: &[(EnvironmentDesired, Option<ProjectSpec>)],
    endpoints: &BTreeMap<&str, &str>,
    problems: &mut Vec<Problem>,
) {
    // Two Hosts may be two names of one engine. One that isn't described is an engine of its own.
    let engine_of = |host: &str| engine_name(endpoints.get(host).copied().unwrap_or(host));
    // What is described twice is an error already; claiming everything twice would hide it.
    let mut seen = BTreeSet::new();
    let places: BTreeMap<&str, ClaimPlaces> = typed
        .environments
        .iter()
        .map(|it| (it.resource.id.name.as_str(), ClaimPlaces::of_environment(it)))
        .collect();
    let mut claimants: Vec<Claimant> = typed
        .stacks
        .iter()
        .zip(loads)
        .filter(|(stack, _)| seen.insert(stack.resource.id.clone()))
        .filter_map(|(stack, load)| {
            Some(Claimant {
                resource: &stack.resource.id,
                host: &stack.resource.spec.host,
                engine: engine_of(&stack.resource.spec.host),
                run: stack_running(&stack.resource.spec),
                place: &stack.resource.place,
                project: load.project.as_ref().ok()?,
                places: &load.places,
                database: None,
            })
        })
        .collect();
    let of_environments = environments.iter().filter(|(it, _)| seen.insert(it.resource.id.clone()));
    claimants.extend(of_environments.filter_map(|(environment, project)| {
        let spec = &environment.resource.spec;
        let database = &environment.database;
        Some(Claimant {
            resource: &environment.resource.id,
            host: &spec.host,
            engine: engine_of(&spec.host),
            run: running(spec),
            place: &environment.resource.place,
            project: project.as_ref()?,
            places: places.get(environment.resource.id.name.as_str())?,
            database: spec
                .database
                .external
                .as_ref()
                .map(|_| format!("{}@{}", database.name, database.server)),
        })
    }));
    claims::check(&claimants, problems);
    claims::check_host_names(&typed.hosts, problems);
    check_checkouts(typed, &engine_of, problems);
}

/// One spelling for the endpoints of one engine.
fn engine_name(endpoint: &str) -> String {
    endpoint.trim_end_matches('/').replacen("unix:///var/run/", "unix:///run/", 1)
}

/// Two repositories never share a directory of one host, nor lie one within the other.
fn check_checkouts(typed: &Typed, engine_of: &dyn Fn(&str) -> String, problems: &mut Vec<Problem>) {
    let mut placed: Vec<(String, String, &Described<RepositorySpec>)> = typed
        .repositories
        .iter()
        .filter_map(|repository| {
            let spec = &repository.resource.spec;
            let path = format!("{}/", spec.checkout.as_ref()?.trim_end_matches('/'));
            Some((engine_of(spec.host.as_deref()?), path, repository))
        })
        .collect();
    placed.sort_by(|a, b| (&a.0, &a.1).cmp(&(&b.0, &b.1)));
    // Sorted, whatever lies within a directory follows it.
    let mut outer: Option<&(String, String, &Described<RepositorySpec>)> = None;
    for place in &placed {
        let (engine, path, repository) = place;
        let within = outer
            .filter(|(other_engine, other, _)| other_engine == engine && path.starts_with(other.as_str()));
        if let Some((_, _, first)) = within {
            let host = repository.resource.spec.host.as_deref().unwrap_or_default();
            let message = format!("the directory `{path}` of `{host}` is claimed twice");
            problems.push(
                repository
                    .value("/spec/checkout")
                    .error("checkout-claimed-twice", message)
                    .with_related(first.value("/spec/checkout").location(), "first claimed here")
                    .with_hint("Give one of them another directory."),
            );
        } else {
            outer = Some(place);
        }
    }
}
