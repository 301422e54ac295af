//! The forms in YAML: Compose files, git-aggregator's, and lists of `repo` and `repos`.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use std::collections::BTreeMap;

use crate::model::document::{Entry, Node, parse_within};
use crate::skills::layout::declared::{
    AddonsPath, Declared, Form, Mount, Source, inside, is_commit, name_of, resolve,
};

/// Nodes of one file; the longest seen has 600.
const NODES_MAX: usize = 50_000;
/// Where git-aggregator clones from when a remote is only the name of an owner.
const AGGREGATE_HOST: &str = "https://github.com";

pub(super) fn read(file: &str, text: &str) -> Source {
    let parsed = parse_within(file, text.as_bytes(), NODES_MAX);
    let Some(root) = parsed.documents.first() else {
        let mut source = Source::new(file, Form::Pins);
        source.problems = parsed.problems;
        return source;
    };
    let entries = root.entries().unwrap_or_default();
    let has = |entry: &Entry, key: &str| entry.value.get(key).is_some();
    let mut source = match () {
        () if root.get("services").is_some() => compose(file, root),
        () if entries.iter().any(|entry| has(entry, "merges") || has(entry, "remotes")) => {
            aggregate(file, entries)
        }
        () => {
            let mut source = Source::new(file, Form::Pins);
            pins(&mut source, root, None);
            source
        }
    };
    source.problems.extend(parsed.problems);
    source
}

fn wrong_type(source: &mut Source, node: &Node, what: &str, wanted: &str) {
    source.wrong(&node.place.location(), format!("`{what}` must be a {wanted}, not a {}", node.type_name()));
}

/// The items of a key's list; anything else but nothing is wrong.
fn list<'n>(source: &mut Source, of: &'n Node, key: &str) -> &'n [Node] {
    let Some(found) = of.get(key).filter(|found| !found.is_null()) else { return &[] };
    found.items().unwrap_or_else(|| {
        wrong_type(source, found, key, "list");
        &[]
    })
}

/// The entries of a key's map; anything else but nothing is wrong.
fn map<'n>(source: &mut Source, of: &'n Node, key: &str) -> &'n [Entry] {
    let Some(found) = of.get(key).filter(|found| !found.is_null()) else { return &[] };
    found.entries().unwrap_or_else(|| {
        wrong_type(source, found, key, "map");
        &[]
    })
}

/// A text. Numbers and the like are none: nobody means the repository `5`.
fn string<'n>(source: &mut Source, node: &'n Node, what: &str) -> Option<&'n str> {
    if node.type_name() != "string" {
        wrong_type(source, node, what, "text");
        return None;
    }
    node.text()
}

fn compose(file: &str, root: &Node) -> Source {
    let mut source = Source::new(file, Form::Compose);
    let folder = file.rsplit_once('/').map_or("", |(folder, _)| folder);
    for service in map(&mut source, root, "services") {
        if !service.value.is_null() && service.value.entries().is_none() {
            wrong_type(&mut source, &service.value, &service.key, "map");
        }
        for volume in list(&mut source, &service.value, "volumes") {
            if volume.entries().is_none() && string(&mut source, volume, "volumes").is_none() {
                continue;
            }
            let (from, to) = match volume.text() {
                Some(text) => {
                    let mut parts = parts(text).into_iter();
                    (parts.next().map(str::to_owned), parts.next().map(str::to_owned))
                }
                None => {
                    let field = |key| volume.get(key).and_then(Node::text).map(str::to_owned);
                    (field("source"), field("target"))
                }
            };
            let (Some(from), Some(to)) = (from, to) else { continue };
            if from.replace("$$", "").contains('$') {
                source.open_mounts.push(Mount {
                    source: from,
                    target: to,
                    service: Some(service.key.clone()),
                    place: volume.place.location(),
                });
                continue;
            }
            // A name without a slash is a volume.
            if !from.starts_with('.') {
                continue;
            }
            if let Some(path) = resolve(folder, &from) {
                source.mounts.push(Mount {
                    source: path,
                    target: to,
                    service: Some(service.key.clone()),
                    place: volume.place.location(),
                });
            }
        }
        if let Some(command) = service.value.get("command") {
            let words: Vec<&str> = match command.items() {
                Some(items) => items.iter().filter_map(Node::text).collect(),
                None => command.text().unwrap_or_default().split_whitespace().collect(),
            };
            let path = words.iter().find_map(|word| word.strip_prefix("--addons-path="));
            let path = path.or_else(|| {
                let at = words.iter().position(|word| *word == "--addons-path")?;
                words.get(at + 1).copied()
            });
            if let Some(path) = path {
                source.addons_paths.push(AddonsPath {
                    entries: super::entries(path),
                    service: Some(service.key.clone()),
                    place: command.place.location(),
                });
            }
        }
    }
    source
}

/// The parts of a short mount; a colon within `${…}` is the variable's.
fn parts(text: &str) -> Vec<&str> {
    let mut depth = 0_usize;
    let is_end = move |c: char| {
        match c {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        c == ':' && depth == 0
    };
    text.split(is_end).collect()
}

/// `PATH: {remotes: {NAME: URL}, target: "REMOTE REF", merges: ["REMOTE REF"]}`. Three words in `merges` name a repository
/// of the remote's owner in a folder of PATH, as some files use it.
fn aggregate(file: &str, entries: &[Entry]) -> Source {
    let mut source = Source::new(file, Form::Aggregate);
    for entry in entries {
        if entry.value.entries().is_none() {
            wrong_type(&mut source, &entry.value, &entry.key, "map");
            continue;
        }
        if inside(&entry.key).is_none() {
            let message = format!("the path `{}` is not one inside the checkout", entry.key);
            source.wrong(&entry.value.place.location(), message);
            continue;
        }
        let mut remotes = BTreeMap::new();
        for remote in map(&mut source, &entry.value, "remotes") {
            if let Some(url) = string(&mut source, &remote.value, &remote.key) {
                remotes.insert(remote.key.as_str(), url);
            }
        }
        let remote = |name: &str| {
            remotes.get(name).map(|url| match url.contains([':', '/']) {
                true => (*url).to_owned(),
                false => format!("{AGGREGATE_HOST}/{url}"),
            })
        };
        let merges = list(&mut source, &entry.value, "merges");
        let mut is_one_repository = false;
        for merge in merges {
            let text = merge.text().map(str::to_owned).or_else(|| {
                let field = |key| merge.get(key).and_then(Node::text);
                Some(format!("{} {}", field("remote")?, field("ref")?))
            });
            let text = text.unwrap_or_default();
            let place = merge.place.location();
            match text.split_whitespace().collect::<Vec<_>>().as_slice() {
                [_, _] if is_one_repository => {}
                [from, reference] => {
                    is_one_repository = true;
                    let Some(url) = remote(from) else {
                        source.wrong(&place, format!("`{from}` is not among the remotes"));
                        continue;
                    };
                    let pinned = is_commit(reference);
                    source.declare(Declared {
                        name: name_of(&url),
                        url: Some(url),
                        path: Some(entry.key.clone()),
                        branch: (!pinned).then(|| (*reference).to_owned()),
                        commit: pinned.then(|| (*reference).to_owned()),
                        place,
                    });
                }
                [from, name, branch, rest @ ..] => source.declare(Declared {
                    name: (*name).to_owned(),
                    url: remote(from).map(|owner| format!("{}/{name}", owner.trim_end_matches('/'))),
                    path: Some(format!("{}/{name}", entry.key.trim_end_matches('/'))),
                    branch: Some((*branch).to_owned()),
                    commit: rest.first().map(|commit| (*commit).to_owned()),
                    place,
                }),
                _ => source.wrong(&place, format!("`{text}` is not of the form REMOTE REF")),
            }
        }
    }
    source
}

/// Every map with `repo`, or a list `repos`, at any depth.
fn pins(source: &mut Source, node: &Node, inherited: Option<&str>) {
    for item in node.items().unwrap_or_default() {
        pins(source, item, inherited);
    }
    let Some(entries) = node.entries() else { return };
    let field = |names: &[&str]| names.iter().find_map(|name| node.get(name)?.text().map(str::to_owned));
    let branch = field(&["branch"]).or_else(|| inherited.map(str::to_owned));
    for key in ["branch", "commit", "sha", "pin"] {
        if let Some(value) = node.get(key).filter(|value| !value.is_null() && value.text().is_none()) {
            wrong_type(source, value, key, "text");
        }
    }
    // A list may hold maps, which say more of a repository and are looked into below.
    let listed = list(source, node, "repos").iter().filter(|repo| repo.entries().is_none());
    for repo in node.get("repo").into_iter().chain(listed) {
        let Some(text) = string(source, repo, "repo") else { continue };
        let name = name_of(text);
        if source.repositories.iter().any(|known| known.name.eq_ignore_ascii_case(&name)) {
            continue;
        }
        source.declare(Declared {
            name,
            url: text.contains(':').then(|| text.to_owned()),
            path: None,
            branch: branch.clone(),
            commit: field(&["commit", "sha", "pin"]),
            place: repo.place.location(),
        });
    }
    for entry in entries.iter().filter(|entry| entry.key != "repo") {
        pins(source, &entry.value, branch.as_deref());
    }
}
