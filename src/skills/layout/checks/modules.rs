//! `visible`, `duplicate`, `manifests`, `must-have`, `feature`, `closure`, `dependencies`: what a server can load.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use std::collections::{BTreeMap, BTreeSet};

use super::{Input, number, some};
use crate::odoo::catalogue::MUST_HAVE;
use crate::odoo::graph::Graph;
use crate::odoo::knowledge::Knowledge;
use crate::odoo::missing::{Cause, Question};
use crate::odoo::universe::{Copy, Universe, Unusable};
use crate::skills::layout::report::{Checks, Detail, Verdict, detail};

pub(super) fn check(input: &Input<'_>, seen: &Universe<'_>, all: &Universe<'_>, checks: &mut Checks) {
    visible(input, seen, checks);
    duplicates(input, all, checks);
    manifests(input, all, checks);
    let knowledge = Knowledge::built_in();
    let cloned: BTreeSet<String> =
        input.facts.places.keys().filter(|path| input.facts.is_cloned(path)).cloned().collect();
    let question =
        Question { universe: all, catalogue: input.catalogue, cloned: &cloned, knowledge: &knowledge };
    must_have(input, seen, &question, checks);
    let expected: Vec<&str> =
        input.catalogue.repositories.iter().flat_map(|found| &found.expected).map(String::as_str).collect();
    if !expected.is_empty() {
        let usable = expected.iter().copied().filter(|name| seen.usable(name).is_some());
        let usable: Vec<&str> = usable.collect();
        let subject = "the must-have modules that are there";
        match usable.is_empty() {
            true => checks.add("closure", subject, Verdict::Drift, "none of them is there"),
            false => needs(input, seen, &question, usable, "closure", subject, checks),
        }
    }
    let names = all.names().into_iter().filter(|name| all.usable(name).is_some()).collect();
    needs(input, all, &question, names, "dependencies", "all modules", checks);
}

/// Whether a folder of modules is a module itself to Odoo.
fn is_pseudo(input: &Input<'_>, path: &str) -> bool {
    let below =
        |other: &str| other == path || other.strip_prefix(path).is_some_and(|rest| rest.starts_with('/'));
    input.roots.iter().any(|root| below(&root.path)) || input.homes().into_iter().any(below)
}

fn visible(input: &Input<'_>, seen: &Universe<'_>, checks: &mut Checks) {
    let (mut whole, mut whole_pseudo) = (0, 0);
    for (at, root) in input.roots[..input.in_view].iter().enumerate().skip(input.core) {
        let wins = |name: &&str| seen.winner(name).is_some_and(|copy| copy.root == at);
        let names: Vec<&str> = root.modules.iter().map(|found| found.name.as_str()).collect();
        let holds = |name: &&&str| is_pseudo(input, &format!("{}/{name}", root.path));
        let pseudo = names.iter().filter(holds).count();
        let hidden: Vec<&str> = names.iter().copied().filter(|name| !wins(name)).collect();
        let mut cause = number(names.len() - pseudo, "module", "modules");
        if pseudo > 0 {
            cause.push_str(&format!(" and {} that only hold modules", number(pseudo, "folder", "folders")));
        }
        if !hidden.is_empty() {
            cause.push_str(&format!("; {} of them hidden by earlier roots: {}", hidden.len(), some(&hidden)));
        }
        let (holding, plain): (Vec<&&str>, Vec<&&str>) =
            names.iter().filter(|name| wins(name)).partition(|name| holds(name));
        whole += plain.len();
        whole_pseudo += holding.len();
        let verdict = if names.is_empty() { Verdict::Drift } else { Verdict::Ok };
        checks.add("visible", &root.path, verdict, cause);
    }
    let mut cause = format!("a server sees {}", number(whole, "module", "modules"));
    if whole_pseudo > 0 {
        cause.push_str(&format!(" and {} that only hold modules", number(whole_pseudo, "folder", "folders")));
    }
    let verdict = if whole == 0 { Verdict::Drift } else { Verdict::Ok };
    checks.add("visible", &input.view.from, verdict, cause);
}

fn duplicates(input: &Input<'_>, all: &Universe<'_>, checks: &mut Checks) {
    let mut names = all.names();
    names.retain(|name| !all.shadowed(name).is_empty());
    for name in &names {
        let copies: Vec<&Copy<'_>> = all.winner(name).into_iter().chain(all.shadowed(name)).collect();
        // Two of Odoo's own roots may share a name; that is Odoo's affair.
        if copies.iter().all(|copy| copy.root < input.core) {
            continue;
        }
        let details: Vec<Detail> =
            copies.iter().map(|copy| detail(all.path(copy), state(copy, input.series))).collect();
        let paths: Vec<String> = details.iter().map(|copy| format!("`{}`", copy.subject)).collect();
        let seen = copies.first().filter(|copy| copy.root < input.in_view).map(|copy| all.path(copy));
        let end = seen.map_or_else(
            || "a server sees none of them".to_owned(),
            |path| format!("a server sees `{path}`"),
        );
        checks.add_with(
            "duplicate",
            name,
            Verdict::Conflict,
            format!("{}; {end}", paths.join(" and ")),
            details,
        );
    }
    if names.is_empty() {
        checks.add("duplicate", "all modules", Verdict::Ok, "no name is there twice");
    }
}

fn state(copy: &Copy<'_>, series: &str) -> String {
    match (&copy.unusable, &copy.found.manifest) {
        (Some(why), _) => why.text(series),
        (None, Some(manifest)) => format!("{}, needs {}", manifest.version, manifest.depends.join(", ")),
        (None, None) => String::new(),
    }
}

/// Manifests that a server refuses though they mean to be installed.
fn manifests(input: &Input<'_>, all: &Universe<'_>, checks: &mut Checks) {
    let (mut total, mut off, mut details) = (0, 0, Vec::new());
    for root in &input.roots[input.core..] {
        total += root.modules.len();
    }
    for name in all.names() {
        for copy in
            all.winner(name).into_iter().chain(all.shadowed(name)).filter(|copy| copy.root >= input.core)
        {
            match &copy.unusable {
                Some(Unusable::NotInstallable) => off += 1,
                Some(why) => details.push(detail(all.path(copy), why.text(input.series))),
                None => {}
            }
        }
    }
    if total == 0 {
        return;
    }
    let mut cause = format!(
        "{}, {off} of them not installable by their own word",
        number(total, "manifest", "manifests")
    );
    if !details.is_empty() {
        cause.push_str(&format!("; {} that a server of series {} refuses", details.len(), input.series));
    }
    let verdict = if details.is_empty() { Verdict::Ok } else { Verdict::Conflict };
    checks.add_with("manifests", "all modules", verdict, cause, details);
}

fn must_have(input: &Input<'_>, seen: &Universe<'_>, question: &Question<'_>, checks: &mut Checks) {
    let repositories = input.catalogue.repositories.iter().filter(|found| !found.expected.is_empty());
    let expected = repositories.map(|found| ("must-have", &found.slug, &found.expected));
    let features = input.catalogue.features.iter().filter(|(name, _)| *name != MUST_HAVE);
    for (id, subject, modules) in expected.chain(features.map(|(name, modules)| ("feature", name, modules))) {
        let (mut verdict, mut details) = (Verdict::Ok, Vec::new());
        for module in modules.iter().filter(|module| seen.usable(module).is_none()) {
            let (found, message) = match question.universe.usable(module) {
                Some((copy, _)) => {
                    let path = question.universe.path(copy);
                    (
                        Verdict::Drift,
                        format!("`{path}` is there, and no root of {} holds it", input.view.from),
                    )
                }
                None => {
                    let cause = question.explain(module);
                    (weight(&cause), cause.text(input.series))
                }
            };
            verdict = verdict.max(found);
            details.push(detail(module.clone(), message));
        }
        let total = modules.len();
        let cause = match details.len() {
            0 => format!("all {total} there"),
            missing => {
                let names: Vec<&str> = details.iter().map(|detail| detail.subject.as_str()).collect();
                format!("{missing} of {total} can't be installed: {}", some(&names))
            }
        };
        checks.add_with(id, subject, verdict, cause, details);
    }
}

/// What a clone can mend is drift; that the list asks for what does not exist is for a person.
fn weight(cause: &Cause) -> Verdict {
    match cause {
        Cause::NotCloned { .. } | Cause::NotInClone { .. } => Verdict::Drift,
        _ => Verdict::Conflict,
    }
}

/// What some modules need, directly or not, and is not there.
fn needs(
    input: &Input<'_>,
    universe: &Universe<'_>,
    question: &Question<'_>,
    of: Vec<&str>,
    id: &'static str,
    subject: &str,
    checks: &mut Checks,
) {
    let total = of.len();
    let graph = Graph::closure(universe, of);
    let (mut details, mut verdict, mut untold) = (Vec::new(), Verdict::Ok, 0);
    let mut users: BTreeMap<&str, Vec<&str>> = graph.missing();
    users.retain(|_, users| !users.is_empty());
    for (name, users) in users {
        let cause = question.explain(name);
        // Without Odoo's own modules everything of theirs is missing, which says nothing.
        if input.core == 0 && matches!(cause, Cause::NoRepository { .. }) {
            untold += 1;
            continue;
        }
        let message = format!("{}; needed by {}", cause.text(input.series), some(&users));
        verdict = verdict.max(weight(&cause));
        details.push(detail(name, message));
    }
    for cycle in graph.order().cycles {
        verdict = Verdict::Conflict;
        details.push(detail(cycle.way.join(" → "), "they need each other"));
    }
    let mut cause = match details.len() {
        0 => format!("what {} need is there", number(total, "module", "modules")),
        missing => {
            let names: Vec<&str> = details.iter().map(|detail| detail.subject.as_str()).collect();
            format!("{missing} needed and not there: {}", some(&names))
        }
    };
    if untold > 0 {
        verdict = verdict.max(Verdict::Unknown);
        cause = match details.is_empty() {
            true => format!("{} may be Odoo's own, which `--core` names", number(untold, "name", "names")),
            false => format!("{cause}; {untold} more may be Odoo's own, which `--core` names"),
        };
    }
    checks.add_with(id, subject, verdict, cause, details);
}
