//! The forms in YAML: Compose files, git-aggregator's, and lists of `repo` and `repos`.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use crate::model::document::{Entry, Node, parse_within};
use crate::skills::layout::declared::{
    AddonsPath, Declared, Form, Mount, Source, is_commit, name_of, resolve,
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

fn compose(file: &str, root: &Node) -> Source {
    let mut source = Source::new(file, Form::Compose);
    let folder = file.rsplit_once('/').map_or("", |(folder, _)| folder);
    for service in root.get("services").and_then(Node::entries).unwrap_or_default() {
        for volume in service.value.get("volumes").and_then(Node::items).unwrap_or_default() {
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
        let remote = |name: &str| {
            let found = entry.value.get("remotes").and_then(|remotes| remotes.get(name)).and_then(Node::text);
            found.map(|url| match url.contains([':', '/']) {
                true => url.to_owned(),
                false => format!("{AGGREGATE_HOST}/{url}"),
            })
        };
        let merges = entry.value.get("merges").and_then(Node::items).unwrap_or_default();
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
    let mut named: Vec<&Node> = node.get("repo").into_iter().filter(|repo| repo.text().is_some()).collect();
    let list = node.get("repos").and_then(Node::items).unwrap_or_default();
    named.extend(list.iter().filter(|repo| repo.text().is_some()));
    for repo in named {
        let text = repo.text().unwrap_or_default();
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
