//! Whether a merged model makes sense: every name that is used is described, nothing contradicts itself.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use std::collections::{BTreeMap, BTreeSet};

use crate::model::document::{Node, Place};
use crate::model::problem::nearest;

use super::context::Context;
use super::{ports, select, tree, value, whole};

/// Checks that enabled services refer to what is there and don't contradict themselves.
pub(super) fn check_services(context: &mut Context, model: &Node, enabled: &BTreeSet<String>) {
    let Some(services) = model.get("services") else { return };
    let names = Names::new(model);
    for entry in services.entries().unwrap_or_default() {
        if context.exhausted() {
            return;
        }
        if enabled.contains(&entry.key) && entry.value.entries().is_some() {
            let service = Service { name: &entry.key, place: &entry.key_place, node: &entry.value };
            service.references(context, &names, enabled);
            service.values(context);
            service.scale(context);
            service.limits(context);
            service.mounts(context);
        }
    }
    whole::check(context, model, services, enabled);
}

/// Reads the amount that a limit's scalar means.
type Reading = fn(&Node) -> Option<f64>;

/// What the sections of a model describe, by name.
struct Names<'a>(BTreeMap<&'a str, BTreeSet<&'a str>>);

impl<'a> Names<'a> {
    fn new(model: &'a Node) -> Self {
        let keys = |section: &str| -> BTreeSet<&'a str> {
            let entries = model.get(section).and_then(Node::entries).unwrap_or_default();
            entries.iter().map(|entry| entry.key.as_str()).collect()
        };
        let sections = ["services", "networks", "volumes", "secrets", "configs"];
        Names(sections.into_iter().map(|section| (section, keys(section))).collect())
    }

    fn of(&self, section: &str) -> &BTreeSet<&'a str> {
        &self.0[section]
    }
}

struct Service<'a> {
    name: &'a str,
    place: &'a Place,
    node: &'a Node,
}

impl Service<'_> {
    fn references(&self, context: &mut Context, names: &Names, enabled: &BTreeSet<String>) {
        let name = self.name;
        let whole = !context.is_broken("services", name);
        let has_image = self.node.get("image").is_some_and(|image| image.text() != Some(""));
        if whole && !has_image && self.node.get("build").is_none() {
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
            self.defined(context, names, "networks", &entry.key, &entry.key_place);
        }
        for mount in self.node.get("volumes").and_then(Node::items).unwrap_or_default() {
            let source = mount.get("source").filter(|_| tree::text_of(mount, "type") == Some("volume"));
            if let Some(source) = source.filter(|source| source.text().is_some_and(|text| !text.is_empty())) {
                self.defined(context, names, "volumes", source.text().unwrap_or(""), &source.place);
            }
        }
        for section in ["secrets", "configs"] {
            for mount in self.node.get(section).and_then(Node::items).unwrap_or_default() {
                if let Some(source) = mount.get("source") {
                    self.defined(context, names, section, source.text().unwrap_or(""), &source.place);
                }
            }
        }
        for entry in self.node.get("depends_on").and_then(Node::entries).unwrap_or_default() {
            let required = entry.value.get("required").and_then(value::truth).unwrap_or(true);
            if !names.of("services").contains(entry.key.as_str()) {
                self.defined(context, names, "services", &entry.key, &entry.key_place);
            } else if required && !enabled.contains(&entry.key) {
                context.report(select::disabled_dependency(name, &entry.key, entry));
            }
        }
    }

    fn defined(&self, context: &mut Context, names: &Names, section: &str, wanted: &str, place: &Place) {
        let known = names.of(section);
        if known.contains(wanted) || context.exhausted() {
            return;
        }
        let what = &section[..section.len() - 1];
        let rule = match what {
            "network" => "undefined-network",
            "volume" => "undefined-volume",
            "secret" => "undefined-secret",
            "config" => "undefined-config",
            _ => "undefined-service",
        };
        let message = format!("service `{}` refers to {what} `{wanted}`, which is not described", self.name);
        let problem = place.error(rule, message);
        context.report(match nearest(wanted, known.iter().copied()) {
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
        if let Some(inline) = self.node.get("build").and_then(|build| build.get("dockerfile_inline"))
            && self.node.get("build").is_some_and(|build| build.get("dockerfile").is_some())
        {
            let message = format!("`services.{name}.build` has `dockerfile` and `dockerfile_inline`");
            context.report(inline.place.error("conflict", message).with_hint("Keep one of the two."));
        }
        self.devices(context);
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
        for port in self.node.get("ports").and_then(Node::items).unwrap_or_default() {
            self.port(context, port);
        }
    }

    /// Requests for devices name them or count them.
    fn devices(&self, context: &mut Context) {
        let reserved = ["resources", "reservations", "devices"];
        let reserved = self
            .node
            .get("deploy")
            .and_then(|node| reserved.iter().try_fold(node, |node, key| node.get(key)));
        for devices in [self.node.get("gpus"), reserved].into_iter().flatten() {
            for item in devices.items().unwrap_or_default() {
                if let (Some(count), Some(_)) = (item.get("count"), item.get("device_ids")) {
                    let message =
                        format!("service `{}`: a device request has `count` and `device_ids`", self.name);
                    context.report(count.place.error("conflict", message).with_hint("Keep one of the two."));
                }
            }
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

    fn port(&self, context: &mut Context, port: &Node) {
        let path = format!("services.{}.ports", self.name);
        match port.get("target").and_then(value::integer) {
            Some(1..=65535) => {}
            Some(target) => {
                let message = format!("`{path}`: `{target}` is no port");
                context.report(port.place.error("bad-port", message));
            }
            None => {
                let message = format!("an item of `{path}` has no `target`");
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
        let count = |node: Option<&Node>| node.and_then(value::integer);
        for node in [scale, replicas].into_iter().flatten() {
            if value::integer(node).is_some_and(|count| !(0..=i64::from(i32::MAX)).contains(&count)) {
                let message =
                    format!("service `{}` can't have {} containers", self.name, node.text().unwrap_or(""));
                context.report(node.place.error("bad-value", message));
            }
        }
        if let (Some(scale), Some(replicas)) = (scale, replicas)
            && value::integer(scale) != value::integer(replicas)
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
        let cases: [(&str, Option<&Node>, &str, Reading); 4] = [
            ("cpus", limits, "cpus", |node| value::float(node).map(f64::from)),
            ("mem_limit", limits, "memory", |node| value::byte_size(node).map(|size| size as f64)),
            ("mem_reservation", reservations, "memory", |node| {
                value::byte_size(node).map(|size| size as f64)
            }),
            ("pids_limit", limits, "pids", |node| value::integer(node).map(|count| count as f64)),
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
            let drive = target.text().is_some_and(|text| text.chars().nth(1) == Some(':'));
            let hint = match drive {
                true => {
                    "A single letter before `:` is read as a Windows drive; write the long form, or a longer name."
                }
                false => "Begin it with `/`.",
            };
            context.report(target.place.error("bad-mount", message).with_hint(hint));
        }
    }
}

fn container_name(text: &str) -> bool {
    let mut bytes = text.bytes();
    bytes.next().is_some_and(|byte| byte.is_ascii_alphanumeric())
        && text.len() > 1
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-'))
}
