//! `mount`, `mounts`, `addons-path`: what containers see against the manifest, both ways.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use std::collections::BTreeSet;

use super::{Input, number, some};
use crate::skills::layout::declared::{AddonsPath, Form, Mount, Source, is_within};
use crate::skills::layout::report::{Checks, Detail, Verdict, detail};
use crate::skills::layout::view::{Entry, Mapping};

pub(super) fn check(input: &Input<'_>, checks: &mut Checks) {
    for source in input.sources {
        mounts(input, source, checks);
    }
    same_lists(input, checks);
    for source in input.sources {
        for path in &source.addons_paths {
            addons_path(input, source, path, checks);
        }
    }
}

/// Whether a folder holds what is declared, or lies where that belongs, on machines without case as well.
fn is_of_layout(input: &Input<'_>, folder: &str) -> bool {
    let folder = folder.to_lowercase();
    let covers = |path: &str| {
        let path = path.to_lowercase();
        is_within(&path, &folder) || is_within(&folder, &path)
    };
    input.homes().into_iter().any(covers) || input.catalogue.roots.iter().any(|root| covers(root))
}

fn mounts(input: &Input<'_>, source: &Source, checks: &mut Checks) {
    // What a variable leaves open, a person may name.
    let named = |mount: &Mount| {
        let target = mount.target.trim_end_matches('/');
        let (_, folder) = input.mounts.iter().find(|(at, _)| at.trim_end_matches('/') == target)?;
        Some(Mount { source: folder.clone(), ..mount.clone() })
    };
    let told: Vec<Mount> = source.open_mounts.iter().filter_map(named).collect();
    let ours: Vec<&Mount> = source
        .mounts
        .iter()
        .chain(&told)
        .filter(|mount| !mount.source.is_empty() && is_of_layout(input, &mount.source))
        .collect();
    let is_open = |mount: &&Mount| named(mount).is_none() && holds_addons(input, mount);
    let open: Vec<&Mount> = source.open_mounts.iter().filter(is_open).collect();
    for mount in &open {
        let cause = format!(
            "`{}` sees it, and it holds a variable, whose value is the machine's: `--mount FOLDER:{}` names the folder",
            mount.target, mount.target
        );
        checks.add("mount", &format!("{}: {}", source.file, mount.source), Verdict::Unknown, cause);
    }
    if ours.is_empty() {
        return;
    }
    for mount in &ours {
        let (verdict, cause) = judge(input, &mount.source);
        checks.add("mount", &format!("{}: {}", source.file, mount.source), verdict, cause);
    }
    let is_covered = |path: &str| ours.iter().any(|mount| is_within(path, &mount.source));
    let paths = input.declared().iter().filter_map(|found| found.path.as_deref());
    let bare: Vec<&str> = paths
        .chain(input.catalogue.roots.iter().map(String::as_str))
        .filter(|path| !is_covered(path))
        .collect();
    match bare.is_empty() {
        true => checks.add("mounts", &source.file, Verdict::Ok, "all that is declared is mounted"),
        false => {
            let names: Vec<&str> = bare.iter().map(|path| path.rsplit('/').next().unwrap_or(path)).collect();
            let (verdict, unless) = match open.is_empty() {
                true => (Verdict::Drift, ""),
                false => (Verdict::Unknown, ", unless by a mount that holds a variable"),
            };
            let cause = format!("{} declared and not mounted{unless}: {}", bare.len(), some(&names));
            checks.add("mounts", &source.file, verdict, cause);
        }
    }
}

/// Whether a mount whose folder is not known is where a server looks for modules.
fn holds_addons(input: &Input<'_>, mount: &Mount) -> bool {
    let target = mount.target.trim_end_matches('/');
    let mut paths = input.sources.iter().flat_map(|source| &source.addons_paths);
    paths.any(|path| path.entries.iter().any(|entry| is_within(entry, target) || is_within(target, entry)))
        || target.split('/').any(|part| part.contains("addons"))
}

fn judge(input: &Input<'_>, folder: &str) -> (Verdict, String) {
    let declared: Vec<&str> = input
        .declared()
        .iter()
        .filter_map(|found| found.path.as_deref())
        .chain(input.catalogue.roots.iter().map(String::as_str))
        .collect();
    let twin = declared.iter().find(|path| **path != folder && path.eq_ignore_ascii_case(folder));
    let holds = declared.iter().any(|path| is_within(path, folder));
    let is_there = input.facts.present.contains(folder);
    match (holds, twin) {
        (false, Some(twin)) => (Verdict::Conflict, format!("differs from `{twin}` by case alone")),
        (false, None)
            if declared.iter().any(|path| is_within(&path.to_lowercase(), &folder.to_lowercase())) =>
        {
            (Verdict::Conflict, "differs by case alone from the folder of what is declared".to_owned())
        }
        (false, None) => (Verdict::Drift, "in no manifest".to_owned()),
        (true, _) if !is_there => (Verdict::Drift, "declared, and the folder is not there".to_owned()),
        (true, _) => (Verdict::Ok, "declared and there".to_owned()),
    }
}

/// The list of mounts and the devcontainer say the same.
fn same_lists(input: &Input<'_>, checks: &mut Checks) {
    let folders = |form| -> Option<(&str, BTreeSet<&str>)> {
        let source = input.sources.iter().find(|source| source.form == form && !source.mounts.is_empty())?;
        Some((&source.file, source.mounts.iter().map(|mount| mount.source.as_str()).collect()))
    };
    let (Some((list, listed)), Some((container, mounted))) =
        (folders(Form::Mounts), folders(Form::Devcontainer))
    else {
        return;
    };
    let subject = format!("{list}, {container}");
    let (only, other): (Vec<&str>, Vec<&str>) =
        (listed.difference(&mounted).copied().collect(), mounted.difference(&listed).copied().collect());
    let mut causes = Vec::new();
    if !only.is_empty() {
        causes.push(format!("only {list} has {}", some(&only)));
    }
    if !other.is_empty() {
        causes.push(format!("only {container} has {}", some(&other)));
    }
    match causes.is_empty() {
        true => checks.add(
            "mounts",
            &subject,
            Verdict::Ok,
            format!("the same {}", number(listed.len(), "folder", "folders")),
        ),
        false => checks.add("mounts", &subject, Verdict::Drift, causes.join("; ")),
    }
}

fn addons_path(input: &Input<'_>, source: &Source, path: &AddonsPath, checks: &mut Checks) {
    let service = path.service.as_deref().map(|service| (source.file.as_str(), service));
    let mapping = Mapping::new(input.mounts, input.sources, service);
    let is_command = path.service.is_some();
    let (mut verdict, mut details) = (Verdict::Ok, Vec::new());
    let mut roots: Vec<String> = Vec::new();
    let mut say = |found: Verdict, entry: &str, message: String, details: &mut Vec<Detail>| {
        verdict = verdict.max(found);
        details.push(detail(entry, message));
    };
    let consequence = if is_command { "Odoo ends" } else { "it is useless" };
    for entry in &path.entries {
        match mapping.entry(entry) {
            Entry::Core | Entry::Data => {}
            Entry::Elsewhere => {
                say(Verdict::Unknown, entry, "no mount that is known leads there".to_owned(), &mut details);
            }
            Entry::Root(root) => {
                match input.root(&root) {
                    None => say(
                        Verdict::Drift,
                        entry,
                        format!("`{root}` is not there: {consequence}"),
                        &mut details,
                    ),
                    Some(found) if found.modules.is_empty() => {
                        let message =
                            format!("`{root}` holds no module, and is not searched deeper: {consequence}");
                        say(Verdict::Drift, entry, message, &mut details);
                    }
                    Some(_) => {}
                }
                roots.push(root);
            }
        }
    }
    let paths = input.declared().iter().filter_map(|found| found.path.as_deref());
    let wanted: Vec<&str> = paths.chain(input.catalogue.roots.iter().map(String::as_str)).collect();
    let absent: Vec<&str> =
        wanted.iter().copied().filter(|path| !roots.iter().any(|root| root == path)).collect();
    let names: Vec<&str> = absent.iter().map(|path| path.rsplit('/').next().unwrap_or(path)).collect();
    if !absent.is_empty() {
        let message = format!(
            "{} declared and not searched, so nothing of them can be loaded: {}",
            absent.len(),
            some(&names)
        );
        say(Verdict::Drift, "declared", message, &mut details);
    }
    let places: Vec<usize> =
        roots.iter().filter_map(|root| wanted.iter().position(|path| path == root)).collect();
    if !places.is_sorted() {
        let message = "the order is not the manifest's, and the first copy of a module wins".to_owned();
        say(Verdict::Conflict, "order", message, &mut details);
    }
    let subject = match &path.service {
        Some(service) => format!("{}: {service}", source.file),
        None => source.file.clone(),
    };
    let cause = match details.as_slice() {
        [] => number(path.entries.len(), "entry", "entries"),
        [one] => format!("{}: {}", one.subject, one.message),
        more => format!("{} findings in {}", more.len(), number(path.entries.len(), "entry", "entries")),
    };
    checks.add_with("addons-path", &subject, verdict, cause, details);
}
