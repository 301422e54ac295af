//! The fields of a container, wanted and observed.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use std::collections::BTreeSet;

use bollard::models::{ContainerConfig, ContainerCreateBody, ContainerInspectResponse, HostConfig};
use serde_json::{Value, json};

use super::Fields;
use super::host::{add_host, can_be_dropped, is_engine_filled, normal_link};
use super::mounts::{Mounted, mounted};
use super::text::normal_port;
use crate::engine::labels;
use crate::engine::spec::{ServiceSpec, ShareKind, ShareSpec};
use crate::model::hash::canonical_json;
use crate::model::reference::normal_reference;

/// How many digits of a container's id the engine uses as its host name.
const SHORT_ID_LENGTH: usize = 12;

/// The fields that a service asks for; what its image adds is `overlay`'s.
///
/// An emptied `entrypoint` stays as an empty list, because it means something else than none.
pub fn container_wanted(service: &ServiceSpec) -> Fields {
    let body = &service.container;
    let (mut fields, mounted) = common(&config_of(body), body.host_config.as_ref());
    fields.text("image", Some(&normal_reference(&service.image)));
    if let Some(first) = service.attachments.first() {
        fields.text("network_mode", normal_network_mode(Some(&first.network)));
    }
    add_shares(&mut fields, &service.shares);
    finish(&mut fields, mounted);
    fields
}

/// The fields of a container as the engine answers, engine-filled values left out.
///
/// Namespaces and volumes of other containers are named by the engine's ids: `share_container` gives them names.
pub fn container_observed(inspect: &ContainerInspectResponse) -> Fields {
    let empty = ContainerConfig::default();
    let config = inspect.config.as_ref().unwrap_or(&empty);
    let (mut fields, mut mounted) = common(config, inspect.host_config.as_ref());
    mounted.declare(config.volumes.iter().flatten());
    fields.text("image", config.image.as_deref().map(normal_reference).as_deref());
    // In a network of one's own, the engine keeps links with the attachment.
    let networks = inspect.network_settings.as_ref().and_then(|settings| settings.networks.as_ref());
    let endpoint_links =
        networks.into_iter().flatten().flat_map(|(_, endpoint)| endpoint.links.iter().flatten());
    let links = endpoint_links.map(|link| normal_link(link)).chain(fields.get_list("links"));
    fields.set("links", links.collect::<Vec<_>>());
    finish(&mut fields, mounted);
    drop_engine_filled(&mut fields, inspect, config);
    fields.0.retain(|_, value| !value.as_array().is_some_and(Vec::is_empty));
    fields
}

/// The value of the label that says which engine-filled fields a service asks for; `None` when it asks for none.
pub fn asked(service: &ServiceSpec) -> Option<String> {
    let fields = container_wanted(service);
    let names: Vec<&str> =
        fields.0.keys().map(String::as_str).filter(|name| is_engine_filled(name)).collect();
    (!names.is_empty()).then(|| names.join(","))
}

/// The value of the label that says which limits a service asks for; `None` when it asks for none.
pub fn limits_asked(service: &ServiceSpec) -> Option<String> {
    let mut fields = container_wanted(service);
    fields.0.retain(|name, _| can_be_dropped(name));
    (!fields.0.is_empty()).then(|| canonical_json(&json!(fields)))
}

/// Gives the containers whose namespaces or volumes this one shares the names that a service would use:
/// `name_of` answers `service:<name>` or `container:<name>` for a container's id or name.
pub fn share_container(fields: &mut Fields, name_of: impl Fn(&str) -> Option<String>) {
    for field in ["network_mode", "ipc", "pid"] {
        let container = fields.get_text(field).and_then(|mode| mode.strip_prefix("container:"));
        if let Some(name) = container.and_then(&name_of) {
            fields.text(field, Some(&name));
        }
    }
    let sources = fields.get_list("volumes_from");
    let named = sources.into_iter().map(|source| {
        let (container, access) = source.split_once(':').unwrap_or((source.as_str(), ""));
        match name_of(container) {
            Some(name) => with_access(name.strip_prefix("service:").unwrap_or(&name), access),
            None => source,
        }
    });
    let named: BTreeSet<String> = named.collect();
    fields.set("volumes_from", named);
}

/// Adds the fields of a container's own configuration; the image's name, ports and volumes left out.
pub(super) fn add_config(fields: &mut Fields, config: &ContainerConfig) {
    for (name, value) in [("command", &config.cmd), ("entrypoint", &config.entrypoint)] {
        fields.list(name, value.as_deref());
    }
    if config.entrypoint.as_ref().is_some_and(Vec::is_empty) {
        fields.0.insert("entrypoint".to_owned(), Value::Array(Vec::new()));
    }
    for entry in config.env.iter().flatten() {
        let (name, value) = match entry.split_once('=') {
            Some((name, value)) => (name, Value::from(value)),
            // Without a value it takes the image's variable away.
            None => (entry.as_str(), Value::Null),
        };
        fields.0.insert(format!("environment.{name}"), value);
    }
    let own = |name: &String| !name.starts_with(labels::PREFIX) && !name.starts_with(labels::COMPOSE_PREFIX);
    fields.map("labels", config.labels.iter().flatten().filter(|(name, _)| own(name)));
    fields.text("working_dir", config.working_dir.as_deref());
    fields.text("user", config.user.as_deref());
    fields.text("hostname", config.hostname.as_deref());
    fields.text("domainname", config.domainname.as_deref());
    fields.flag("tty", config.tty);
    fields.flag("stdin_open", config.open_stdin);
    fields.flag("network_disabled", config.network_disabled);
    fields.text("stop_signal", config.stop_signal.as_deref());
    let nanos = config.stop_timeout.and_then(|seconds| seconds.checked_mul(1_000_000_000));
    match nanos {
        Some(0) => fields.text("stop_grace_period", Some("0s")),
        nanos => fields.nanoseconds("stop_grace_period", nanos),
    }
    if let Some(check) = &config.healthcheck {
        fields.list("healthcheck.test", check.test.as_deref());
        fields.nanoseconds("healthcheck.interval", check.interval);
        fields.nanoseconds("healthcheck.timeout", check.timeout);
        fields.nanoseconds("healthcheck.start_period", check.start_period);
        fields.nanoseconds("healthcheck.start_interval", check.start_interval);
        fields.number("healthcheck.retries", check.retries);
    }
}

/// Adds the exposed ports.
pub(super) fn add_exposed(fields: &mut Fields, ports: Option<&[String]>) {
    fields.set("expose", ports.unwrap_or_default().iter().map(|port| normal_port(port)));
}

fn config_of(body: &ContainerCreateBody) -> ContainerConfig {
    ContainerConfig {
        hostname: body.hostname.clone(),
        domainname: body.domainname.clone(),
        user: body.user.clone(),
        exposed_ports: body.exposed_ports.clone(),
        tty: body.tty,
        open_stdin: body.open_stdin,
        env: body.env.clone(),
        cmd: body.cmd.clone(),
        healthcheck: body.healthcheck.clone(),
        working_dir: body.working_dir.clone(),
        entrypoint: body.entrypoint.clone(),
        network_disabled: body.network_disabled,
        labels: body.labels.clone(),
        stop_signal: body.stop_signal.clone(),
        stop_timeout: body.stop_timeout,
        ..ContainerConfig::default()
    }
}

fn common(config: &ContainerConfig, host: Option<&HostConfig>) -> (Fields, Mounted) {
    let mut fields = Fields::default();
    add_config(&mut fields, config);
    add_exposed(&mut fields, config.exposed_ports.as_deref());
    let empty = HostConfig::default();
    let host = host.unwrap_or(&empty);
    add_host(&mut fields, host);
    fields.text("network_mode", normal_network_mode(host.network_mode.as_deref()));
    let volumes_from = host.volumes_from.iter().flatten().map(|source| {
        let (container, access) = source.split_once(':').unwrap_or((source, ""));
        with_access(container, access)
    });
    fields.set("volumes_from", volumes_from);
    let mounted = mounted(host.binds.as_deref(), host.mounts.as_deref(), host.tmpfs.as_ref());
    (fields, mounted)
}

fn finish(fields: &mut Fields, mounted: Mounted) {
    fields.set("tmpfs", mounted.tmpfs_list());
    fields.set("volumes", mounted.volumes.into_values());
}

fn add_shares(fields: &mut Fields, shares: &[ShareSpec]) {
    let mut volumes = fields.get_list("volumes_from");
    for share in shares {
        let service = format!("service:{}", share.service);
        match share.kind {
            ShareKind::Network => fields.text("network_mode", Some(&service)),
            ShareKind::Ipc => fields.text("ipc", Some(&service)),
            ShareKind::Pid => fields.text("pid", Some(&service)),
            ShareKind::Volumes => {
                volumes.push(with_access(&share.service, share.access.as_deref().unwrap_or_default()));
            }
        }
    }
    fields.set("volumes_from", volumes);
}

fn with_access(container: &str, access: &str) -> String {
    if access.is_empty() || access == "rw" { container.to_owned() } else { format!("{container}:{access}") }
}

fn normal_network_mode(mode: Option<&str>) -> Option<&str> {
    mode.filter(|mode| !matches!(*mode, "" | "default" | "bridge"))
}

/// Leaves out what the engine filled in: of ours, what was not asked for; of others, what is known to be filled in.
fn drop_engine_filled(fields: &mut Fields, inspect: &ContainerInspectResponse, config: &ContainerConfig) {
    let label = |name: &str| config.labels.as_ref().and_then(|labels| labels.get(name));
    if label(labels::RESOURCE).is_some() {
        let asked: BTreeSet<&str> =
            label(labels::ASKED).into_iter().flat_map(|names| names.split(',')).collect();
        fields.0.retain(|name, _| !is_engine_filled(name) || asked.contains(name.as_str()));
        restore_dropped(fields, label(labels::LIMITS).map(String::as_str));
        return;
    }
    if fields.get_text("memswap_limit") == Some("unlimited") {
        fields.0.remove("memswap_limit");
    }
    fields.0.remove("cgroup");
    let short_id = inspect.id.as_deref().and_then(|id| id.get(..SHORT_ID_LENGTH));
    let shares_names = matches!(fields.get_text("network_mode"), Some(mode) if mode == "host" || mode.starts_with("container:"));
    if shares_names || fields.get_text("hostname") == short_id {
        fields.0.remove("hostname");
    }
}

/// Puts back the limits that were asked for and that the engine dropped: asking again would change nothing.
fn restore_dropped(fields: &mut Fields, label: Option<&str>) {
    let asked: Fields = label.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    // Without swap accounting the engine writes "without limit" whatever was asked.
    if fields.get_text("memswap_limit") == Some("unlimited") {
        fields.0.remove("memswap_limit");
    }
    for (name, value) in asked.0 {
        if can_be_dropped(&name) {
            fields.0.entry(name).or_insert(value);
        }
    }
}
