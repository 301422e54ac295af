//! Whether a merged model makes sense: every name that is used is described, nothing contradicts itself.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use std::collections::{BTreeMap, BTreeSet};

use crate::model::document::{Node, NodeValue, Place};
use crate::model::problem::nearest;

use super::context::Context;
use super::schema::{Kind, Record};
use super::{ports, schema, select, shape, tree};

/// Checks what only the merged model can tell: missing fields and values, repeated items.
pub(super) fn check_complete(context: &mut Context, model: &Node) {
    for entry in model.entries().unwrap_or_default() {
        let Some(field) = schema::FILE.fields.iter().find(|field| field.name == entry.key) else { continue };
        if entry.key == "services" {
            for service in entry.value.entries().unwrap_or_default() {
                if !context.broken.contains(&service.key) {
                    complete(
                        context,
                        &service.value,
                        &schema::SERVICE_KIND,
                        &format!("services.{}", service.key),
                    );
                }
            }
        }
        if entry.key != "services" || entry.value.is_null() {
            complete(context, &entry.value, &field.kind, &entry.key);
        }
    }
}

fn complete(context: &mut Context, node: &Node, kind: &Kind, path: &str) {
    if node.is_null() {
        if !matches!(kind, Kind::Nullable(_) | Kind::Words | Kind::Any) {
            let problem = node.place.error("no-value", format!("`{path}` has no value"));
            context.report(problem.with_hint("Give it one, or remove the field."));
        }
        return;
    }
    match kind {
        Kind::Nullable(inner) => complete(context, node, inner, path),
        Kind::Either(kinds) => {
            let long = kinds.iter().find(|kind| match (&node.value, kind) {
                (NodeValue::Mapping(_), Kind::Fields(_) | Kind::Named(_)) => true,
                (NodeValue::Sequence(_), Kind::List(_)) => true,
                _ => false,
            });
            if let Some(kind) = long {
                complete(context, node, kind, path);
            }
        }
        Kind::Fields(record) => complete_record(context, node, record, path),
        Kind::Named(inner) | Kind::Map(inner) => {
            for entry in node.entries().unwrap_or_default() {
                complete(context, &entry.value, inner, &format!("{path}.{}", entry.key));
            }
        }
        Kind::List(inner) => {
            for (index, item) in node.items().unwrap_or_default().iter().enumerate() {
                complete(context, item, inner, &format!("{path}[{index}]"));
            }
        }
        Kind::Texts | Kind::Scalars => repeated(context, node, path),
        _ => {}
    }
}

fn complete_record(context: &mut Context, node: &Node, record: &Record, path: &str) {
    for name in record.required {
        if node.get(name).is_none() {
            let problem = node.place.error("missing-field", format!("`{path}` has no `{name}`"));
            context.report(problem.with_hint(format!("Add `{name}`.")));
        }
    }
    for entry in node.entries().unwrap_or_default() {
        if let Some(field) = record.fields.iter().find(|field| field.name == entry.key) {
            complete(context, &entry.value, &field.kind, &format!("{path}.{}", entry.key));
        }
    }
}

fn repeated(context: &mut Context, node: &Node, path: &str) {
    if ["command", "entrypoint", "test", "constraints", "cache_from"].iter().any(|name| path.ends_with(name))
    {
        return;
    }
    let mut seen: BTreeMap<String, &Place> = BTreeMap::new();
    for item in node.items().unwrap_or_default() {
        let Some(text) = tree::value_text(item) else { continue };
        if let Some(first) = seen.get(&text) {
            let problem = item.place.error("repeated-item", format!("`{path}` holds `{text}` twice"));
            context.report(
                problem
                    .with_related(first.location(), "first written here")
                    .with_hint("Keep one of the two."),
            );
        } else {
            seen.insert(text, &item.place);
        }
    }
}

/// Checks that enabled services refer to what is there and don't contradict themselves.
pub(super) fn check_services(context: &mut Context, model: &Node, enabled: &BTreeSet<String>) {
    let Some(services) = model.get("services") else { return };
    for entry in services.entries().unwrap_or_default() {
        if enabled.contains(&entry.key) && !context.broken.contains(&entry.key) {
            let service = Service { name: &entry.key, place: &entry.key_place, node: &entry.value };
            service.references(context, model, services, enabled);
            service.values(context);
            service.scale(context);
            service.limits(context);
            service.mounts(context);
        }
    }
    cycles(context, services, enabled);
    container_names(context, services, enabled);
    resources(context, model);
}

struct Service<'a> {
    name: &'a str,
    place: &'a Place,
    node: &'a Node,
}

impl Service<'_> {
    fn references(&self, context: &mut Context, model: &Node, services: &Node, enabled: &BTreeSet<String>) {
        let name = self.name;
        if self.node.get("image").is_none() && self.node.get("build").is_none() {
            let problem =
                self.place.error("no-image", format!("service `{name}` has neither `image` nor `build`"));
            context.report(problem.with_hint("Give it an `image`."));
        }
        if self.node.get("network_mode").is_some() && self.node.get("networks").is_some() {
            let place = &self.node.get("network_mode").expect("it was just seen").place;
            let message = format!("service `{name}` has `network_mode` and `networks`");
            context.report(place.error("conflict", message).with_hint("Keep one of the two."));
        }
        for entry in self.node.get("networks").and_then(Node::entries).unwrap_or_default() {
            self.defined(context, model, "networks", &entry.key, &entry.key_place);
        }
        for mount in self.node.get("volumes").and_then(Node::items).unwrap_or_default() {
            let source = mount.get("source").filter(|_| tree::text_of(mount, "type") == Some("volume"));
            if let Some(source) = source.filter(|source| source.text().is_some_and(|text| !text.is_empty())) {
                self.defined(context, model, "volumes", source.text().unwrap_or(""), &source.place);
            }
        }
        for section in ["secrets", "configs"] {
            for mount in self.node.get(section).and_then(Node::items).unwrap_or_default() {
                if let Some(source) = mount.get("source") {
                    self.defined(context, model, section, source.text().unwrap_or(""), &source.place);
                }
            }
        }
        for entry in self.node.get("depends_on").and_then(Node::entries).unwrap_or_default() {
            let required = entry.value.get("required").and_then(shape::truth).unwrap_or(true);
            if services.get(&entry.key).is_none() {
                self.undefined(context, services, "service", &entry.key, &entry.key_place);
            } else if required && !enabled.contains(&entry.key) {
                context.report(select::disabled_dependency(name, &entry.key, entry));
            }
        }
    }

    fn defined(&self, context: &mut Context, model: &Node, section: &str, wanted: &str, place: &Place) {
        let known = model.get(section);
        if known.is_none_or(|known| known.get(wanted).is_none()) {
            let empty = tree::map(Vec::new(), place.clone());
            self.undefined(context, known.unwrap_or(&empty), &section[..section.len() - 1], wanted, place);
        }
    }

    fn undefined(&self, context: &mut Context, known: &Node, what: &str, wanted: &str, place: &Place) {
        let rule = match what {
            "network" => "undefined-network",
            "volume" => "undefined-volume",
            "secret" => "undefined-secret",
            "config" => "undefined-config",
            _ => "undefined-service",
        };
        let message = format!("service `{}` refers to {what} `{wanted}`, which is not described", self.name);
        let problem = place.error(rule, message);
        let names = known.entries().unwrap_or_default().iter().map(|entry| entry.key.as_str());
        context.report(match nearest(wanted, names) {
            Some(near) => problem.with_hint(format!("Did you mean `{near}`?")),
            None => problem.with_hint(format!("Describe it under `{what}s:` at the top level.")),
        });
    }

    fn values(&self, context: &mut Context) {
        let name = self.name;
        if let Some(first) = self
            .node
            .get("healthcheck")
            .and_then(|check| check.get("test"))
            .and_then(Node::items)
            .and_then(<[Node]>::first)
            && !matches!(first.text(), Some("CMD" | "CMD-SHELL" | "NONE"))
        {
            let message =
                format!("`services.{name}.healthcheck.test` begins with `{}`", first.text().unwrap_or(""));
            let hint = "Begin the list with `CMD`, `CMD-SHELL` or `NONE`, or write the command as text.";
            context.report(first.place.error("bad-value", message).with_hint(hint));
        }
        self.word(
            context,
            "restart",
            |text| {
                let count = text.strip_prefix("on-failure:").map(|count| count.parse::<u32>().is_ok());
                matches!(text, "" | "no" | "always" | "unless-stopped" | "on-failure") || count == Some(true)
            },
            "It is `no`, `always`, `unless-stopped`, `on-failure` or `on-failure:5`.",
        );
        self.word(
            context,
            "pull_policy",
            |text| matches!(text, "" | "always" | "never" | "missing" | "build"),
            "It is `always`, `missing`, `never` or `build`.",
        );
        if let Some(mode) = self.node.get("deploy").and_then(|deploy| deploy.get("mode"))
            && mode.text() != Some("replicated")
        {
            let message = format!(
                "`services.{name}.deploy.mode` `{}` is not supported: it needs Swarm",
                mode.text().unwrap_or("")
            );
            context.report(
                mode.place.error("not-supported", message).with_hint("Remove it, or write `replicated`."),
            );
        }
        if let Some(container) = self.node.get("container_name")
            && !container_name(container.text().unwrap_or(""))
        {
            let message = format!("`{}` can't be a container's name", container.text().unwrap_or(""));
            let hint = "It begins with a letter or digit and goes on with letters, digits, `_`, `.` and `-`.";
            context.report(container.place.error("bad-name", message).with_hint(hint));
        }
        for (index, port) in
            self.node.get("ports").and_then(Node::items).unwrap_or_default().iter().enumerate()
        {
            self.port(context, index, port);
        }
    }

    fn word(&self, context: &mut Context, key: &str, fine: impl Fn(&str) -> bool, hint: &str) {
        let Some(node) = self.node.get(key) else { return };
        let text = node.text().unwrap_or("");
        if !fine(text) {
            let message = format!("`services.{}.{key}` can't be `{text}`", self.name);
            context.report(node.place.error("bad-value", message).with_hint(hint));
        }
    }

    fn port(&self, context: &mut Context, index: usize, port: &Node) {
        let path = format!("services.{}.ports[{index}]", self.name);
        match port.get("target").and_then(shape::integer) {
            Some(1..=65535) => {}
            Some(target) => {
                let message = format!("`{path}`: `{target}` is no port");
                context.report(port.place.error("bad-port", message));
            }
            None => {
                let message = format!("`{path}` has no `target`");
                context.report(
                    port.place.error("missing-field", message).with_hint("Give the container's port."),
                );
            }
        }
        if let Some(published) = port.get("published")
            && tree::value_text(published).is_some_and(|text| !text.is_empty() && !ports::is_published(&text))
        {
            let message = format!(
                "`{path}`: `{}` is no port or range",
                tree::value_text(published).unwrap_or_default()
            );
            context.report(published.place.error("bad-port", message));
        }
        if let Some(address) = port.get("host_ip")
            && !ports::is_address(address.text().unwrap_or(""))
        {
            let message = format!("`{path}`: `{}` is no IP address", address.text().unwrap_or(""));
            context.report(address.place.error("bad-port", message));
        }
        let protocol = tree::text_of(port, "protocol").unwrap_or("tcp");
        if !["tcp", "udp", "sctp"].contains(&protocol.to_ascii_lowercase().as_str()) {
            let message = format!("`{path}`: `{protocol}` is no protocol");
            context.report(port.place.error("bad-port", message).with_hint("It is `tcp`, `udp` or `sctp`."));
        }
    }

    fn scale(&self, context: &mut Context) {
        let scale = self.node.get("scale");
        let replicas = self.node.get("deploy").and_then(|deploy| deploy.get("replicas"));
        let count = |node: Option<&Node>| node.and_then(shape::integer);
        for node in [scale, replicas].into_iter().flatten() {
            if shape::integer(node).is_some_and(|count| !(0..=i64::from(i32::MAX)).contains(&count)) {
                let message =
                    format!("service `{}` can't have {} containers", self.name, node.text().unwrap_or(""));
                context.report(node.place.error("bad-value", message));
            }
        }
        if let (Some(scale), Some(replicas)) = (scale, replicas)
            && shape::integer(scale) != shape::integer(replicas)
        {
            let message = format!("service `{}`: `scale` and `deploy.replicas` differ", self.name);
            let problem = scale
                .place
                .error("conflict", message)
                .with_related(replicas.place.location(), "the other one");
            context.report(problem.with_hint("Keep one of the two."));
        }
        if let Some(container) = self.node.get("container_name")
            && count(scale).or(count(replicas)).unwrap_or(1) > 1
        {
            let message = format!("service `{}` has several containers and one `container_name`", self.name);
            context.report(container.place.error("conflict", message).with_hint("Remove `container_name`."));
        }
    }

    fn limits(&self, context: &mut Context) {
        let resources = self.node.get("deploy").and_then(|deploy| deploy.get("resources"));
        let limits = resources.and_then(|resources| resources.get("limits"));
        let reservations = resources.and_then(|resources| resources.get("reservations"));
        let cases: [(&str, Option<&Node>, &str, fn(&Node) -> Option<f64>); 4] = [
            ("cpus", limits, "cpus", |node| shape::float(node).map(f64::from)),
            ("mem_limit", limits, "memory", |node| shape::byte_size(node).map(|size| size as f64)),
            ("mem_reservation", reservations, "memory", |node| {
                shape::byte_size(node).map(|size| size as f64)
            }),
            ("pids_limit", limits, "pids", |node| shape::integer(node).map(|count| count as f64)),
        ];
        for (key, other, other_key, read) in cases {
            let (Some(node), Some(other)) = (self.node.get(key), other) else { continue };
            let own = read(node).unwrap_or(0.0);
            if own != 0.0 && other.get(other_key).and_then(read).unwrap_or(0.0) != own {
                let section = if key == "mem_reservation" { "reservations" } else { "limits" };
                let message = format!(
                    "service `{}`: `{key}` and `deploy.resources.{section}.{other_key}` differ",
                    self.name
                );
                let problem = node
                    .place
                    .error("conflict", message)
                    .with_related(other.place.location(), "the other one");
                context.report(problem.with_hint("Keep one of the two."));
            }
        }
    }

    fn mounts(&self, context: &mut Context) {
        let mut targets: BTreeMap<String, &Place> = BTreeMap::new();
        let tmpfs = self.node.get("tmpfs").and_then(Node::items).unwrap_or_default().iter();
        let tmpfs =
            tmpfs.map(|item| (item.text().map(|text| text.split(':').next().unwrap_or("").to_owned()), item));
        let mounts = self.node.get("volumes").and_then(Node::items).unwrap_or_default();
        for mount in mounts {
            self.mount(context, mount);
        }
        let mounts = mounts.iter().map(|item| (tree::text_of(item, "target").map(str::to_owned), item));
        for (target, item) in tmpfs.chain(mounts) {
            let Some(target) = target else { continue };
            if let Some(first) = targets.get(&target) {
                let message = format!("service `{}` mounts `{target}` twice", self.name);
                let problem = item
                    .place
                    .error("mounted-twice", message)
                    .with_related(first.location(), "first mounted here");
                context.report(problem.with_hint("Keep one of the two."));
            } else {
                targets.insert(target, &item.place);
            }
        }
    }

    fn mount(&self, context: &mut Context, mount: &Node) {
        let kind = tree::text_of(mount, "type").unwrap_or("");
        if matches!(kind, "cluster" | "npipe" | "image") {
            let message = format!("service `{}`: mounts of type `{kind}` are not supported", self.name);
            context.report(
                mount.place.error("not-supported", message).with_hint("Use `bind`, `volume` or `tmpfs`."),
            );
        }
        if tree::text_of(mount, "target").is_none_or(str::is_empty) {
            let message = format!("service `{}` has a mount without a `target`", self.name);
            context.report(
                mount.place.error("missing-field", message).with_hint("Give the path in the container."),
            );
        } else if !tree::text_of(mount, "target").is_some_and(|target| target.starts_with('/')) {
            let target = mount.get("target").unwrap_or(mount);
            let message = format!("`{}` is no absolute path in the container", target.text().unwrap_or(""));
            context.report(target.place.error("bad-mount", message).with_hint("Begin it with `/`."));
        }
    }
}

fn container_name(text: &str) -> bool {
    let mut bytes = text.bytes();
    bytes.next().is_some_and(|byte| byte.is_ascii_alphanumeric())
        && text.len() > 1
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-'))
}

/// Reports each ring of services that wait for each other, once.
fn cycles(context: &mut Context, services: &Node, enabled: &BTreeSet<String>) {
    let edges: BTreeMap<&str, Vec<&crate::model::document::Entry>> = services
        .entries()
        .unwrap_or_default()
        .iter()
        .filter(|entry| enabled.contains(&entry.key))
        .map(|entry| {
            let dependencies = entry.value.get("depends_on").and_then(Node::entries).unwrap_or_default();
            (entry.key.as_str(), dependencies.iter().collect())
        })
        .collect();
    // 0: not seen, 1: on the way, 2: done. Without recursion, because a chain can be as long as the file.
    let mut state: BTreeMap<&str, u8> = BTreeMap::new();
    for start in edges.keys() {
        let mut way: Vec<(&str, usize)> = vec![(start, 0)];
        if state.get(start).copied().unwrap_or(0) != 0 {
            continue;
        }
        state.insert(start, 1);
        while let Some((name, next)) = way.pop() {
            let Some(entry) = edges.get(name).and_then(|entries| entries.get(next)) else {
                state.insert(name, 2);
                continue;
            };
            way.push((name, next + 1));
            let wanted = entry.key.as_str();
            match state.get(wanted).copied().unwrap_or(0) {
                0 if edges.contains_key(wanted) => {
                    state.insert(wanted, 1);
                    way.push((wanted, 0));
                }
                1 => {
                    let from = way.iter().position(|(name, _)| *name == wanted).unwrap_or(0);
                    let ring: Vec<&str> = way[from..].iter().map(|(name, _)| *name).collect();
                    let message = format!("services wait for each other: {} → {wanted}", ring.join(" → "));
                    let hint = "Remove one of the dependencies (`depends_on`, `links`, `volumes_from`, shared namespaces).";
                    context.report(entry.key_place.error("dependency-cycle", message).with_hint(hint));
                }
                _ => {}
            }
        }
    }
}

fn container_names(context: &mut Context, services: &Node, enabled: &BTreeSet<String>) {
    let mut seen: BTreeMap<String, &Place> = BTreeMap::new();
    for entry in services.entries().unwrap_or_default().iter().filter(|entry| enabled.contains(&entry.key)) {
        let Some(node) = entry.value.get("container_name") else { continue };
        let Some(name) = node.text() else { continue };
        if let Some(first) = seen.get(name) {
            let message = format!("container name `{name}` is claimed twice");
            let problem = node.place.error("name-claimed-twice", message);
            context.report(problem.with_related(first.location(), "first claimed here"));
        } else {
            seen.insert(name.to_owned(), &node.place);
        }
    }
}

/// Checks networks, volumes, secrets and configs by themselves.
fn resources(context: &mut Context, model: &Node) {
    for entry in model.get("volumes").and_then(Node::entries).unwrap_or_default() {
        if !entry.value.get("external").and_then(shape::truth).unwrap_or(false) {
            continue;
        }
        for field in entry.value.entries().unwrap_or_default() {
            if !matches!(field.key.as_str(), "name" | "external") {
                let message = format!("`volumes.{}` is external and has `{}`", entry.key, field.key);
                let hint = "Remove it: an external volume is not made here.";
                context.report(field.key_place.error("conflict", message).with_hint(hint));
            }
        }
    }
    for (section, keys) in
        [("secrets", &["file", "environment"][..]), ("configs", &["file", "environment", "content"])]
    {
        for entry in model.get(section).and_then(Node::entries).unwrap_or_default() {
            let given: Vec<&&str> = keys.iter().filter(|key| entry.value.get(key).is_some()).collect();
            let path = format!("{section}.{}", entry.key);
            if given.len() > 1 {
                let message = format!(
                    "`{path}` has {}",
                    given.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(" and ")
                );
                context.report(entry.key_place.error("conflict", message).with_hint("Keep one of them."));
            } else if given.is_empty() {
                let message = format!("`{path}` has no content");
                let hint = format!("Give it one of: {}.", keys.join(", "));
                context.report(entry.key_place.error("missing-field", message).with_hint(hint));
            }
        }
    }
}
