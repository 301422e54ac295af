//! Short forms to long forms in one document, so that merging meets one form only.
//!
//! Nothing is added that another file could still give: defaults are `normalize`'s.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use crate::model::document::{Entry, Node, NodeValue, Place};

use super::context::Context;
use super::{mounts, ports, tree, words};

/// Rewrites a document that `shape` has checked.
pub(super) fn rewrite(context: &mut Context, document: &mut Node) {
    for section in ["networks", "volumes"] {
        for_each_value(document, section, |_, node| {
            external(context, node);
            pairs_field(node, "labels");
        });
    }
    for section in ["secrets", "configs"] {
        for_each_value(document, section, |_, node| pairs_field(node, "labels"));
    }
    for_each_value(document, "services", |name, service| rewrite_service(context, name, service));
    if let Some(items) = tree::get_mut(document, "include").and_then(tree::items_mut) {
        items.iter_mut().for_each(|item| wrap_text(item, "path"));
    }
}

/// Calls a function for each entry of a map under a key.
pub(super) fn for_each_value(node: &mut Node, key: &str, mut call: impl FnMut(&str, &mut Node)) {
    if let Some(entries) = tree::get_mut(node, key).and_then(tree::entries_mut) {
        entries.iter_mut().for_each(|entry| call(&entry.key, &mut entry.value));
    }
}

fn rewrite_service(context: &mut Context, name: &str, service: &mut Node) {
    for key in ["environment", "labels", "annotations", "sysctls"] {
        pairs_field(service, key);
    }
    for key in ["dns", "dns_search", "tmpfs", "label_file", "env_file"] {
        if let Some(node) = tree::get_mut(service, key) {
            listed(node);
        }
    }
    for (key, name) in [("env_file", "path"), ("secrets", "source"), ("configs", "source")] {
        if let Some(items) = tree::get_mut(service, key).and_then(tree::items_mut) {
            items.iter_mut().for_each(|item| wrap_text(item, name));
        }
    }
    if let Some(node) = tree::get_mut(service, "dns").and_then(tree::items_mut) {
        node.retain(|item| item.text() != Some(""));
    }
    for (key, name) in [("build", "context"), ("extends", "service")] {
        if let Some(node) = tree::get_mut(service, key) {
            wrap_text(node, name);
        }
    }
    if let Some(build) = tree::get_mut(service, "build") {
        pairs_field(build, "args");
        pairs_field(build, "labels");
        hosts_field(build, "extra_hosts");
    }
    if let Some(deploy) = tree::get_mut(service, "deploy") {
        pairs_field(deploy, "labels");
    }
    hosts_field(service, "extra_hosts");
    command(service, "command");
    command(service, "entrypoint");
    if let Some(test) = tree::get_mut(service, "healthcheck").and_then(|node| tree::get_mut(node, "test")) {
        health_test(test);
    }
    keyed(context, name, service, "depends_on", |place| {
        let condition = Node::string("service_started", place.clone());
        let entries = vec![
            tree::entry("condition", condition),
            tree::entry("required", tree::flag(true, place.clone())),
        ];
        tree::map(entries, place)
    });
    keyed(context, name, service, "networks", tree::null);
    gpus(service);
    devices(context, name, service);
    rewrite_ports(context, name, service);
    rewrite_mounts(context, name, service);
}

/// `text` becomes `{key: text}`.
fn wrap_text(node: &mut Node, key: &str) {
    if node.text().is_some() {
        let tag = node.tag.take();
        let place = node.place.clone();
        let value = std::mem::replace(node, tree::map(Vec::new(), place));
        *node = tree::map(vec![tree::entry(key, value.clone())], value.place);
        node.tag = tag;
    }
}

/// `text` becomes `[text]`.
fn listed(node: &mut Node) {
    if node.text().is_some() {
        let tag = node.tag.take();
        let item = node.clone();
        node.value = NodeValue::Sequence(vec![item]);
        node.tag = tag;
    }
}

/// A list of names becomes a map of them.
fn keyed(
    context: &mut Context,
    service_name: &str,
    service: &mut Node,
    key: &str,
    value: impl Fn(Place) -> Node,
) {
    let Some(node) = tree::get_mut(service, key) else { return };
    let NodeValue::Sequence(items) = &node.value else { return };
    let mut entries: Vec<Entry> = Vec::with_capacity(items.len());
    for item in items {
        let name = item.text().unwrap_or("");
        match entries.iter().find(|entry| entry.key == name) {
            None => entries.push(tree::entry(name, value(item.place.clone()))),
            Some(first) => {
                let message = format!("`services.{service_name}.{key}` holds `{name}` twice");
                let problem = item.place.error("repeated-item", message);
                let first = first.key_place.location();
                context.report(
                    problem.with_related(first, "first written here").with_hint("Keep one of the two."),
                );
            }
        }
    }
    node.value = NodeValue::Mapping(entries);
}

fn pairs_field(node: &mut Node, key: &str) {
    if let Some(node) = tree::get_mut(node, key) {
        pairs(node);
    }
}

/// A list of `NAME=value` becomes a map; a name alone has the value null.
fn pairs(node: &mut Node) {
    let NodeValue::Sequence(items) = &node.value else { return };
    let mut entries: Vec<Entry> = Vec::with_capacity(items.len());
    let mut index = std::collections::HashMap::new();
    for item in items {
        let text = item.text().unwrap_or("");
        let (name, value) = match text.split_once('=') {
            Some((name, value)) => (name, Node::string(value, item.place.clone())),
            None => (text, tree::null(item.place.clone())),
        };
        match index.get(name) {
            Some(at) => {
                let known: &mut Entry = &mut entries[*at];
                known.value = value;
            }
            None => {
                index.insert(name.to_owned(), entries.len());
                entries.push(tree::entry(name, value));
            }
        }
    }
    node.value = NodeValue::Mapping(entries);
}

/// Host names become a list of `name=address`.
fn hosts_field(node: &mut Node, key: &str) {
    let Some(node) = tree::get_mut(node, key) else { return };
    let mut out = Vec::new();
    match &node.value {
        NodeValue::Mapping(entries) => {
            for entry in entries {
                let addresses = entry.value.items().unwrap_or(std::slice::from_ref(&entry.value));
                for address in addresses {
                    out.push(host_pair(&entry.key, address.text().unwrap_or(""), &address.place));
                }
            }
        }
        NodeValue::Sequence(items) => {
            for item in items {
                let text = item.text().unwrap_or("");
                let (name, addresses) =
                    text.split_once('=').or_else(|| text.split_once(':')).unwrap_or((text, ""));
                out.extend(addresses.split(',').map(|address| host_pair(name, address, &item.place)));
            }
        }
        NodeValue::Scalar { .. } => return,
    }
    node.value = NodeValue::Sequence(out);
}

fn host_pair(name: &str, address: &str, place: &Place) -> Node {
    let bare =
        address.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).filter(|bare| !bare.is_empty());
    Node::string(format!("{name}={}", bare.unwrap_or(address)), place.clone())
}

/// Command text becomes its words; null stays.
fn command(service: &mut Node, key: &str) {
    let Some(node) = tree::get_mut(service, key) else { return };
    let Some(words) = node.text().and_then(words::split) else { return };
    let place = node.place.clone();
    node.value =
        NodeValue::Sequence(words.words.into_iter().map(|word| Node::string(word, place.clone())).collect());
}

fn health_test(node: &mut Node) {
    if let Some(text) = node.text() {
        let items = ["CMD-SHELL", text].map(|text| Node::string(text, node.place.clone())).to_vec();
        node.value = NodeValue::Sequence(items);
    }
}

fn gpus(service: &mut Node) {
    if let Some(node) = tree::get_mut(service, "gpus")
        && node.text().is_some()
    {
        let count = tree::entry("count", Node::string("all", node.place.clone()));
        node.value = NodeValue::Sequence(vec![tree::map(vec![count], node.place.clone())]);
    }
}

fn devices(context: &mut Context, name: &str, service: &mut Node) {
    let Some(items) = tree::get_mut(service, "devices").and_then(tree::items_mut) else { return };
    for (index, item) in items.iter_mut().enumerate() {
        let Some(text) = item.text() else { continue };
        let parts: Vec<&str> = text.split(':').collect();
        if parts.len() > 3 {
            let message = format!("`services.{name}.devices[{index}]`: `{text}` has too many colons");
            context.report(
                item.place
                    .error("bad-value", message)
                    .with_hint("Write the long form, with `source` and `target`."),
            );
            context.mark_broken("services", name);
            continue;
        }
        let target = parts.get(1).copied().filter(|target| !target.is_empty()).unwrap_or(parts[0]);
        let permissions = parts.get(2).copied().unwrap_or("rwm");
        let entry = |key: &str, text: &str| tree::entry(key, Node::string(text, item.place.clone()));
        let entries =
            vec![entry("source", parts[0]), entry("target", target), entry("permissions", permissions)];
        *item = tree::map(entries, item.place.clone());
    }
}

fn rewrite_ports(context: &mut Context, name: &str, service: &mut Node) {
    let Some(node) = tree::get_mut(service, "ports") else { return };
    let NodeValue::Sequence(items) = &mut node.value else { return };
    let mut out = Vec::with_capacity(items.len());
    for (index, item) in items.drain(..).enumerate() {
        let Some(text) = tree::value_text(&item) else {
            out.push(item);
            continue;
        };
        match ports::parse(&text, context.ports_left) {
            Ok(ports) => {
                context.ports_left -= ports.len();
                out.extend(ports.into_iter().map(|port| port_node(port, &item.place)));
            }
            Err(why) => {
                let message = format!("`services.{name}.ports[{index}]`: {why}");
                context.report(
                    item.place
                        .error("bad-port", message)
                        .with_hint("Write `[address:][host:]container[/protocol]`."),
                );
                context.mark_broken("services", name);
            }
        }
    }
    *items = out;
}

fn port_node(port: ports::Port, place: &Place) -> Node {
    let text = |text: String| Node::string(text, place.clone());
    let mut entries = vec![tree::entry("mode", text("ingress".to_owned()))];
    entries.extend(port.host_ip.map(|address| tree::entry("host_ip", text(address))));
    entries.push(tree::entry("target", tree::integer(i64::from(port.target), place.clone())));
    entries.extend(port.published.map(|published| tree::entry("published", text(published))));
    entries.push(tree::entry("protocol", text(port.protocol)));
    tree::map(entries, place.clone())
}

fn rewrite_mounts(context: &mut Context, name: &str, service: &mut Node) {
    let Some(items) = tree::get_mut(service, "volumes").and_then(tree::items_mut) else { return };
    for (index, item) in items.iter_mut().enumerate() {
        let Some(text) = item.text() else { continue };
        match mounts::parse(text) {
            Ok(mount) => {
                for option in &mount.inert {
                    let message = format!(
                        "`services.{name}.volumes[{index}]`: option `{option}` does nothing on Linux"
                    );
                    context.report(item.place.warning("no-effect", message).with_hint("Remove it."));
                }
                *item = mount_node(mount, &item.place);
            }
            Err(why) => {
                let message = format!("`services.{name}.volumes[{index}]`: `{text}`: {why}");
                context.report(
                    item.place
                        .error("bad-mount", message)
                        .with_hint("Write `[source:]target[:options]`, or the long form."),
                );
                context.mark_broken("services", name);
            }
        }
    }
    items.retain(|item| item.entries().is_some());
}

fn mount_node(mount: mounts::Mount, place: &Place) -> Node {
    let text = |text: &str| Node::string(text, place.clone());
    let on = || tree::flag(true, place.clone());
    let bind = mount.source.as_deref().is_some_and(mounts::is_path);
    let mut entries = vec![tree::entry("type", text(if bind { "bind" } else { "volume" }))];
    entries.extend(mount.source.as_deref().map(|source| tree::entry("source", text(source))));
    entries.push(tree::entry("target", text(&mount.target)));
    if mount.read_only {
        entries.push(tree::entry("read_only", on()));
    }
    let mut options = Vec::new();
    options.extend(mount.selinux.as_deref().map(|label| tree::entry("selinux", text(label))));
    options.extend(mount.propagation.as_deref().map(|kind| tree::entry("propagation", text(kind))));
    if bind {
        options.push(tree::entry("create_host_path", on()));
    }
    if !options.is_empty() {
        entries.push(tree::entry("bind", tree::map(options, place.clone())));
    }
    // Two letters and less are a target alone, to which Compose adds nothing.
    let bare = mount.source.is_none() && mount.target.len() <= 2;
    if mount.nocopy || !bind && !bare {
        let nocopy = if mount.nocopy { vec![tree::entry("nocopy", on())] } else { Vec::new() };
        entries.push(tree::entry("volume", tree::map(nocopy, place.clone())));
    }
    tree::map(entries, place.clone())
}

/// `external: {name: x}` becomes `external: true` and `name: x`.
fn external(context: &mut Context, node: &mut Node) {
    let Some(external) = node.get("external") else { return };
    let NodeValue::Mapping(_) = external.value else { return };
    let place = external.place.clone();
    let old = external.get("name").cloned();
    tree::set(node, "external", tree::flag(true, place.clone()));
    let Some(old) = old else { return };
    let problem = place.warning("old-external", "`external.name` is the old form");
    context.report(problem.with_hint("Write `external: true` and `name:` beside it."));
    match node.get("name") {
        Some(name) if name.text() != old.text() => {
            let message = "`name` and `external.name` differ".to_owned();
            context.report(old.place.error("conflict", message).with_hint("Keep `name`."));
        }
        Some(_) => {}
        None => tree::set(node, "name", old),
    }
}
