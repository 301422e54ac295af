//! `orphan`, `case`, `link`, `name`, `ownership`, `reference`: what else lies around.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use std::collections::{BTreeMap, BTreeSet};

use super::Input;
use crate::skills::layout::facts::{Kind, Modes, join};
use crate::skills::layout::report::{Checks, Verdict};

pub(super) fn check(input: &Input<'_>, checks: &mut Checks) {
    orphans(input, checks);
    cases(input, checks);
    links(input, checks);
    for name in &input.facts.odd_names {
        checks.add(
            "name",
            name,
            Verdict::Conflict,
            "no text: it holds control characters or bytes that are none",
        );
    }
    for (folder, why) in &input.facts.unreadable {
        checks.add("name", folder, Verdict::Unknown, format!("can't be listed whole: {why}"));
    }
    for (path, modes) in &input.facts.modes {
        ownership(path, modes, input.owner, checks);
    }
    references(input, checks);
}

/// Folders among the repositories that no manifest declares.
fn orphans(input: &Input<'_>, checks: &mut Checks) {
    let declared: BTreeSet<&str> =
        input.declared().iter().filter_map(|found| found.path.as_deref()).collect();
    for home in input.homes() {
        let Some(listing) = input.facts.listings.get(home) else { continue };
        for (name, kind) in listing.iter().filter(|(name, _)| !name.starts_with('.')) {
            let path = join(home, name);
            let Kind::Folder { is_module, is_clone, is_empty, kept } = kind else { continue };
            if declared.contains(path.as_str()) || input.catalogue.roots.contains(&path) {
                continue;
            }
            // A root of modules may be a folder of repositories as well.
            if *is_module && input.catalogue.roots.iter().any(|root| root == home) {
                continue;
            }
            let what = match (is_module, is_clone, is_empty) {
                (true, _, _) => "a module where repositories belong",
                (_, true, _) => "a clone that no manifest declares",
                (_, _, true) => "an empty folder that no manifest declares",
                _ => "files that no manifest declares",
            };
            match kept {
                Some(why) => checks.add("orphan", &path, Verdict::Conflict, format!("{what}; {why}")),
                None => checks.add("orphan", &path, Verdict::Drift, what),
            }
        }
    }
}

fn cases(input: &Input<'_>, checks: &mut Checks) {
    let mut told = BTreeSet::new();
    for (one, other) in input.facts.twins() {
        let cause = format!("beside `{one}`: one folder on machines without case, two on others");
        told.insert(other.to_lowercase());
        checks.add("case", &other, Verdict::Conflict, cause);
    }
    // Files may name both though only one of them is there.
    let mut named: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    let repositories = input.sources.iter().flat_map(|source| &source.repositories);
    let mounts = input.sources.iter().flat_map(|source| &source.mounts);
    let paths = repositories.filter_map(|found| found.path.as_deref());
    for path in paths
        .flat_map(|path| [Some(path), path.rsplit_once('/').map(|(home, _)| home)])
        .flatten()
        .chain(mounts.map(|mount| mount.source.as_str()))
    {
        named.entry(path.to_lowercase()).or_default().insert(path);
    }
    for (lower, paths) in named.iter().filter(|(lower, paths)| paths.len() > 1 && !told.contains(*lower)) {
        let all: Vec<String> = paths.iter().map(|path| format!("`{path}`")).collect();
        checks.add("case", lower, Verdict::Conflict, format!("files name {}", all.join(" and ")));
    }
}

fn links(input: &Input<'_>, checks: &mut Checks) {
    for (folder, listing) in &input.facts.listings {
        for (name, kind) in listing {
            let Kind::Link { target, leads, inside } = kind else { continue };
            let (verdict, cause) = match (leads, inside) {
                (false, _) => (Verdict::Drift, format!("a link to `{target}`, where nothing is")),
                (true, false) => (Verdict::Conflict, format!("a link to `{target}`, outside the checkout")),
                (true, true) => (Verdict::Ok, format!("a link to `{target}`")),
            };
            checks.add("link", &join(folder, name), verdict, cause);
        }
    }
}

fn ownership(path: &str, modes: &Modes, owner: Option<(u32, u32)>, checks: &mut Checks) {
    let mut causes = Vec::new();
    if let Some((user, group)) = owner.filter(|_| modes.owners_count > 0) {
        causes.push(format!(
            "{} of {} are not owned by {user}:{group}: {}",
            modes.owners_count,
            modes.seen,
            modes.owners.join(", ")
        ));
    }
    if !modes.closed.is_empty() {
        causes.push(format!("others can't read {}", modes.closed.join(", ")));
    }
    if !modes.open.is_empty() {
        causes.push(format!("everybody can write {}", modes.open.join(", ")));
    }
    match causes.is_empty() {
        true => checks.add("ownership", path, Verdict::Ok, format!("{} looked at", modes.seen)),
        false => checks.add("ownership", path, Verdict::Drift, causes.join("; ")),
    }
}

fn references(input: &Input<'_>, checks: &mut Checks) {
    let named = input.sources.iter().flat_map(|source| source.references.iter());
    let named = named.map(|(path, place)| (path.as_str(), place.to_string()));
    for (path, by) in
        named.chain(input.hooks.iter().map(|hook| (hook.as_str(), "the list of hooks".to_owned())))
    {
        match input.facts.present.contains(path) {
            true => checks.add("reference", path, Verdict::Ok, format!("named by {by}")),
            false => checks.add(
                "reference",
                path,
                Verdict::Drift,
                format!("unresolved: {by} names it, and it is not there"),
            ),
        }
    }
}
