//! `catalogue`, `pins`, `branches`, `addresses`: files against the manifest and against each other.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use std::collections::{BTreeMap, BTreeSet};

use super::{Input, number, some};
use crate::clients::git_url::show;
use crate::model::problem::Problem;
use crate::skills::layout::declared::{Declared, Form, Source};
use crate::skills::layout::report::{Checks, Detail, Verdict, detail};

pub(super) fn check(input: &Input<'_>, checks: &mut Checks) {
    let manifest: BTreeSet<&str> = input.declared().iter().map(|found| found.name.as_str()).collect();
    for (at, source) in input.sources.iter().enumerate() {
        file(source, at == 0, &manifest, input, checks);
    }
    differing(input, checks, "pins", "commits", |found| found.commit.clone());
    differing(input, checks, "branches", "branches", |found| found.branch.clone());
    differing(input, checks, "addresses", "addresses", |found| found.url.as_deref().map(same_address));
}

fn problem(problem: &Problem) -> Detail {
    let subject = problem.location.as_ref().map_or_else(String::new, ToString::to_string);
    detail(subject, problem.message.clone())
}

fn file(source: &Source, is_first: bool, manifest: &BTreeSet<&str>, input: &Input<'_>, checks: &mut Checks) {
    let problems: Vec<Detail> = source.problems.iter().map(problem).collect();
    let mut causes = Vec::new();
    if !problems.is_empty() {
        causes.push(number(problems.len(), "problem", "problems"));
    }
    let declares =
        matches!(source.form, Form::Manifest | Form::Lock | Form::Gitmodules | Form::Aggregate | Form::Pins);
    let mut verdict = if problems.is_empty() { Verdict::Ok } else { Verdict::Conflict };
    if declares {
        causes.insert(0, counted(source));
        let names: BTreeSet<&str> = source.repositories.iter().map(|found| found.name.as_str()).collect();
        let lacks: Vec<&str> = manifest.difference(&names).copied().collect();
        let extra: Vec<&str> = names.difference(manifest).copied().collect();
        if !is_first && !names.is_empty() {
            if !lacks.is_empty() {
                causes.push(format!("lacks {} of the manifest's: {}", lacks.len(), some(&lacks)));
            }
            if !extra.is_empty() {
                causes.push(format!("has {} that the manifest lacks: {}", extra.len(), some(&extra)));
            }
            if !lacks.is_empty() || !extra.is_empty() {
                verdict = Verdict::Conflict;
            }
        }
        let open = source.repositories.iter().filter(|found| found.commit.is_none()).count();
        if source.form == Form::Lock && open > 0 {
            causes.push(format!("{open} without a commit"));
            verdict = verdict.max(Verdict::Drift);
        }
        if is_first {
            let expected: usize = input.catalogue.repositories.iter().map(|found| found.expected.len()).sum();
            causes.push(number(expected, "must-have module", "must-have modules"));
        }
    } else {
        causes.insert(0, number(source.mounts.len(), "mount", "mounts"));
    }
    checks.add_with("catalogue", &source.file, verdict, causes.join("; "), problems);
}

/// How many repositories a file has, and where it puts them.
fn counted(source: &Source) -> String {
    let text = number(source.repositories.len(), "repository", "repositories");
    let mut homes: BTreeMap<&str, usize> = BTreeMap::new();
    for path in source.repositories.iter().filter_map(|found| found.path.as_deref()) {
        *homes.entry(path.rsplit_once('/').map_or("", |(home, _)| home)).or_default() += 1;
    }
    match homes.len() {
        0 | 1 => text,
        _ => {
            let homes: Vec<String> = homes.iter().map(|(home, count)| format!("{home} {count}")).collect();
            format!("{text} ({})", homes.join(", "))
        }
    }
}

/// A URL so that two spellings of one repository are equal.
pub(super) fn same_address(url: &str) -> String {
    let shown = show(url);
    let rest = shown.split_once("://").map_or(shown.as_str(), |(_, rest)| rest);
    let rest = rest.rsplit_once('@').map_or(rest, |(_, rest)| rest).trim_end_matches('/');
    let rest = rest.strip_suffix(".git").unwrap_or(rest);
    match rest.split_once('/') {
        Some((host, path)) if !host.contains(':') => format!("{host}/{path}").to_lowercase(),
        _ => rest.replacen(':', "/", 1).to_lowercase(),
    }
}

/// Repositories of which files say different things.
fn differing(
    input: &Input<'_>,
    checks: &mut Checks,
    id: &'static str,
    noun: &str,
    value: fn(&Declared) -> Option<String>,
) {
    let mut said: BTreeMap<&str, BTreeMap<String, Vec<String>>> = BTreeMap::new();
    for source in input.sources {
        for found in &source.repositories {
            if let Some(value) = value(found) {
                let places = said.entry(&found.name).or_default().entry(value).or_default();
                places.push(found.place.to_string());
            }
        }
    }
    let same = said.values().filter(|values| values.len() == 1).count();
    if same > 0 {
        let all = number(same, "repository", "repositories");
        checks.add(id, "agreed", Verdict::Ok, format!("{all} of which all files that say so name one"));
    }
    for (name, values) in said.into_iter().filter(|(_, values)| values.len() > 1) {
        let details = values.iter().map(|(value, places)| detail(value.clone(), places.join(", "))).collect();
        let short: Vec<&str> = values
            .keys()
            .map(|value| if id == "pins" { value.get(..7).unwrap_or(value) } else { value.as_str() })
            .collect();
        let cause = format!("{} different {noun}: {}", values.len(), some(&short));
        checks.add_with(id, name, Verdict::Conflict, cause, details);
    }
}
