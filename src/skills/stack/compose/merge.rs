//! Lays one document over another by Compose's rules; both are in long form.
//!
//! Maps merge key by key, lists append, what names the same thing replaces it in its place, commands replace.
//! `!reset` removes what is below it, `!override` replaces it.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use std::collections::{HashMap, HashSet};

use crate::model::document::{Node, NodeValue};

use super::context::Context;
use super::tree;

/// Lays `over` on `base`, both whole files.
pub(super) fn merge_files(context: &mut Context, base: &mut Node, over: Node) {
    merge(context, base, over, &mut Vec::new());
}

/// Lays a service on the one that it extends.
pub(super) fn merge_service(context: &mut Context, name: &str, base: &mut Node, over: Node) {
    let mut path = vec!["services".to_owned(), name.to_owned()];
    merge(context, base, over, &mut path);
    unite(base, &mut path);
}

/// Drops what `!reset` marks, and the marks, where there is nothing to lay over.
pub(super) fn settle(node: &mut Node) {
    node.tag = None;
    match &mut node.value {
        NodeValue::Mapping(entries) => {
            entries.retain(|entry| entry.value.tag.as_deref() != Some("reset"));
            entries.iter_mut().for_each(|entry| settle(&mut entry.value));
        }
        NodeValue::Sequence(items) => {
            items.retain(|item| item.tag.as_deref() != Some("reset"));
            items.iter_mut().for_each(settle);
        }
        NodeValue::Scalar { .. } => {}
    }
}

/// Replaces repeated items of the lists of a whole file.
pub(super) fn unite_file(file: &mut Node) {
    unite(file, &mut Vec::new());
}

fn merge(context: &mut Context, base: &mut Node, mut over: Node, path: &mut Vec<String>) {
    let rule = rule(path);
    if over.tag.as_deref() == Some("override") || rule == Rule::Replace {
        over.tag = None;
        settle(&mut over);
        *base = over;
        return;
    }
    if over.is_null() {
        return;
    }
    if rule == Rule::Logging && !same_driver(base, &over) {
        settle(&mut over);
        *base = over;
        return;
    }
    match (&mut base.value, over.value) {
        (NodeValue::Mapping(entries), NodeValue::Mapping(others)) => {
            let index: HashMap<String, usize> =
                entries.iter().enumerate().map(|(at, entry)| (entry.key.clone(), at)).collect();
            let mut reset: HashSet<String> = HashSet::new();
            for mut other in others {
                match index.get(&other.key) {
                    _ if other.value.tag.as_deref() == Some("reset") => {
                        reset.insert(other.key);
                    }
                    Some(at) => {
                        path.push(other.key);
                        let entry = &mut entries[*at];
                        // The place that people look for is where the value was last written.
                        if !other.value.is_null() && other.value.entries().is_none() {
                            entry.key_place = other.key_place;
                        }
                        merge(context, &mut entry.value, other.value, path);
                        path.pop();
                    }
                    None => {
                        settle(&mut other.value);
                        entries.push(other);
                    }
                }
            }
            if !reset.is_empty() {
                entries.retain(|entry| !reset.contains(&entry.key));
            }
        }
        (NodeValue::Sequence(items), NodeValue::Sequence(others)) => {
            if others.is_empty() && !items.is_empty() {
                warn_empty(context, &base.place, &over.place, path);
                return;
            }
            let known: HashSet<String> = match rule == Rule::Hosts {
                true => items.iter().filter_map(|item| item.text().map(str::to_owned)).collect(),
                false => HashSet::new(),
            };
            items.extend(others.into_iter().filter(|item| item.tag.as_deref() != Some("reset")).filter_map(
                |mut item| {
                    settle(&mut item);
                    (!item.text().is_some_and(|text| known.contains(text))).then_some(item)
                },
            ));
        }
        (_, value) => {
            *base = Node { value, place: over.place, tag: None };
            settle(base);
        }
    }
}

fn warn_empty(
    context: &mut Context,
    base: &crate::model::document::Place,
    over: &crate::model::document::Place,
    path: &[String],
) {
    let message =
        format!("the empty list `{}` removes nothing: lists of several files are joined", path.join("."));
    context.report(
        over.warning("empty-list", message)
            .with_related(base.location(), "these items stay")
            .with_hint("Write `!reset []` to remove them."),
    );
}

#[derive(PartialEq)]
enum Rule {
    Ordinary,
    Replace,
    Logging,
    Hosts,
}

fn rule(path: &[String]) -> Rule {
    let service = path.first().is_some_and(|first| first == "services") && path.len() >= 3;
    if !service {
        return Rule::Ordinary;
    }
    match path[2..].iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["command" | "entrypoint"] | ["healthcheck", "test"] => Rule::Replace,
        // A limit is one thing, whichever form it has.
        ["ulimits", _] => Rule::Replace,
        // A name without a value takes the value away.
        ["environment" | "labels" | "annotations" | "sysctls", _]
        | ["build", "args" | "labels", _]
        | ["deploy", "labels", _] => Rule::Replace,
        ["logging"] => Rule::Logging,
        ["extra_hosts"] | ["build", "extra_hosts"] => Rule::Hosts,
        _ => Rule::Ordinary,
    }
}

fn same_driver(base: &Node, over: &Node) -> bool {
    match (tree::text_of(base, "driver"), tree::text_of(over, "driver")) {
        (Some(a), Some(b)) => a == b,
        _ => true,
    }
}

/// Replaces items that an item after them names again, in a tree under a path.
fn unite(node: &mut Node, path: &mut Vec<String>) {
    if path.len() > 5 {
        return;
    }
    match &mut node.value {
        NodeValue::Mapping(entries) => {
            for entry in entries {
                path.push(entry.key.clone());
                unite(&mut entry.value, path);
                path.pop();
            }
        }
        NodeValue::Sequence(items) => match identity(path) {
            Some(identity) => unite_items(items, identity),
            None if path.len() == 4 && path[0] == "networks" && path[3] == "config" => unite_pools(items),
            None => {}
        },
        NodeValue::Scalar { .. } => {}
    }
}

type Identity = fn(&Node) -> Option<String>;

fn identity(path: &[String]) -> Option<Identity> {
    if path.first().is_none_or(|first| first != "services") || path.len() < 3 {
        return None;
    }
    Some(match path[2..].iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [
            "cap_add" | "cap_drop" | "dns" | "dns_opt" | "dns_search" | "links" | "profiles" | "tmpfs"
            | "label_file",
        ]
        | ["build", "tags"]
        | ["networks", _, "aliases" | "link_local_ips"] => name_identity,
        ["volumes" | "devices"] => |item| tree::text_of(item, "target").map(str::to_owned),
        ["env_file"] => |item| tree::text_of(item, "path").map(str::to_owned),
        ["expose"] => tree::value_text,
        ["ports"] => port_identity,
        ["secrets"] => |item| mount_identity(item, "/run/secrets"),
        ["configs"] => |item| mount_identity(item, ""),
        _ => return None,
    })
}

fn name_identity(item: &Node) -> Option<String> {
    item.text().map(|text| text.split('=').next().unwrap_or("").to_owned())
}

fn mount_identity(item: &Node, directory: &str) -> Option<String> {
    match tree::text_of(item, "target") {
        Some(target) => Some(target.to_owned()),
        None => Some(format!("{directory}/{}", tree::text_of(item, "source")?)),
    }
}

fn port_identity(item: &Node) -> Option<String> {
    let part = |key: &str| item.get(key).and_then(tree::value_text);
    let host = part("host_ip").unwrap_or_else(|| "0.0.0.0".to_owned());
    let protocol = part("protocol").unwrap_or_else(|| "tcp".to_owned());
    Some(format!("{host}:{}:{}/{protocol}", part("published").unwrap_or_default(), part("target")?))
}

fn unite_items(items: &mut Vec<Node>, identity: Identity) {
    let mut index: HashMap<String, usize> = HashMap::with_capacity(items.len());
    let mut out: Vec<Node> = Vec::with_capacity(items.len());
    for item in items.drain(..) {
        let key = identity(&item);
        match key.as_ref().and_then(|key| index.get(key)) {
            Some(at) => out[*at] = item,
            None => {
                if let Some(key) = key {
                    index.insert(key, out.len());
                }
                out.push(item);
            }
        }
    }
    *items = out;
}

/// Address pools of one subnet are one pool.
fn unite_pools(items: &mut Vec<Node>) {
    let mut out: Vec<Node> = Vec::with_capacity(items.len());
    for item in items.drain(..) {
        let subnet = tree::text_of(&item, "subnet").map(str::to_owned);
        let known = out
            .iter_mut()
            .find(|pool| subnet.is_some() && tree::text_of(pool, "subnet") == subnet.as_deref());
        match (known, item.value) {
            (Some(pool), NodeValue::Mapping(entries)) => {
                entries.into_iter().for_each(|entry| tree::set(pool, &entry.key, entry.value));
            }
            (_, value) => out.push(Node { value, place: item.place, tag: None }),
        }
    }
    *items = out;
}
