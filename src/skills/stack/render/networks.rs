//! Networks and volumes of a project, and how a service is attached.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use bollard::models::{
    EndpointIpamConfig, EndpointSettings, Ipam, IpamConfig, NetworkCreateRequest, VolumeCreateRequest,
};
use serde_json::Value;

use super::value::{Node, Problems, entries};
use super::{Canonical, location};
use crate::engine::spec::{AttachmentSpec, NetworkSpec, VolumeSpec};

/// The driver option by which an engine names the interface in the container.
const INTERFACE_OPTION: &str = "com.docker.network.endpoint.ifname";

/// A service's networks, the most important first; none with `network_mode`.
pub(super) fn attachments(project: &Canonical, node: &Node) -> Vec<AttachmentSpec> {
    if node.get("network_mode").is_some() {
        return Vec::new();
    }
    let empty = Value::Null;
    let mut keys: Vec<(i64, &str, &Value)> = entries(node.value, "networks")
        .map(|(key, value)| {
            (value.get("priority").and_then(Value::as_i64).unwrap_or_default(), key.as_str(), value)
        })
        .collect();
    let has_default = project.json.get("networks").and_then(|networks| networks.get("default")).is_some();
    if keys.is_empty() && has_default {
        keys.push((0, "default", &empty));
    }
    keys.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(b.1)));
    let links = links(project, node);
    let count = keys.len();
    let attach = keys.into_iter().enumerate().map(|(index, (_, key, value))| {
        let pointer = node.at("networks");
        let attachment = Node { value, pointer: &pointer, ..*node };
        let mut endpoint = endpoint(node, &attachment);
        endpoint.links = links.clone();
        if index == 0 && endpoint.mac_address.is_none() {
            endpoint.mac_address = node.text("mac_address");
        } else if count > 1 && index > 0 && endpoint.mac_address.is_some() {
            node.problems.unsupported(&pointer, "`mac_address` in any but the first network");
        }
        AttachmentSpec { network: engine_name(project, "networks", key), endpoint }
    });
    attach.collect()
}

fn endpoint(service: &Node, attachment: &Node) -> EndpointSettings {
    let name = service.pointer.rsplit('/').next().unwrap_or_default().replace("~1", "/").replace("~0", "~");
    let mut aliases = vec![name];
    if attachment.value.is_null() {
        return EndpointSettings { aliases: Some(aliases), ..EndpointSettings::default() };
    }
    aliases.extend(attachment.list("aliases").unwrap_or_default());
    let mut options = attachment.map("driver_opts");
    if let Some(interface) = attachment.text("interface_name") {
        options.get_or_insert_default().insert(INTERFACE_OPTION.to_owned(), interface);
    }
    EndpointSettings {
        ipam_config: Some(EndpointIpamConfig {
            ipv4_address: attachment.text("ipv4_address"),
            ipv6_address: attachment.text("ipv6_address"),
            link_local_ips: attachment.list("link_local_ips"),
        }),
        // Said a second time where an engine shows what it chose, because Compose says it there too.
        ip_address: attachment.text("ipv4_address"),
        ipv6_gateway: attachment.text("ipv6_address"),
        aliases: Some(aliases),
        mac_address: attachment.text("mac_address"),
        driver_opts: options,
        gw_priority: attachment.integer("gw_priority"),
        ..EndpointSettings::default()
    }
}

/// Links to other services by three names each, as Compose writes them, and to containers outside of the project.
pub(super) fn links(project: &Canonical, node: &Node) -> Option<Vec<String>> {
    let mut links = Vec::new();
    for link in node.list("links").unwrap_or_default() {
        let (service, alias) = link.split_once(':').unwrap_or((&link, &link));
        let named =
            project.json.pointer(&format!("/services/{service}/container_name")).and_then(Value::as_str);
        let container = named.map_or_else(|| format!("{}-{service}-1", project.name), str::to_owned);
        for alias in [alias.to_owned(), format!("{service}-1"), format!("{}-{service}-1", project.name)] {
            links.push(format!("{container}:{alias}"));
        }
    }
    for link in node.list("external_links").unwrap_or_default() {
        let (container, alias) = link.split_once(':').unwrap_or((&link, &link));
        links.push(format!("{container}:{alias}"));
    }
    (!links.is_empty()).then_some(links)
}

/// The project's networks, sorted by key.
pub(super) fn networks(project: &Canonical, problems: &Problems) -> Vec<NetworkSpec> {
    let mut all: Vec<NetworkSpec> = entries(project.json, "networks")
        .map(|(key, value)| {
            let pointer = format!("/networks/{key}");
            let node = Node { value, pointer: &pointer, problems };
            let name = engine_name(project, "networks", key);
            NetworkSpec {
                key: key.clone(),
                name: name.clone(),
                external: node.flag("external").unwrap_or_default(),
                request: Box::new(network_request(&node, name)),
                location: location(project, &pointer),
            }
        })
        .collect();
    all.sort_by(|a, b| a.key.cmp(&b.key));
    all
}

fn network_request(node: &Node, name: String) -> NetworkCreateRequest {
    let pointer = node.at("ipam");
    let ipam = node.get("ipam").map(|value| Node { value, pointer: &pointer, ..*node });
    let ipam = ipam.and_then(|ipam| {
        let ranges: Vec<IpamConfig> = ipam
            .items("config")
            .iter()
            .map(|value| {
                let range = Node { value, pointer: &pointer, ..ipam };
                IpamConfig {
                    subnet: range.text("subnet"),
                    ip_range: range.text("ip_range"),
                    gateway: range.text("gateway"),
                    auxiliary_addresses: range.map("aux_addresses"),
                }
            })
            .collect();
        let (driver, options) = (ipam.text("driver"), ipam.map("options"));
        let is_set = driver.is_some() || options.is_some() || !ranges.is_empty();
        is_set.then(|| Ipam { driver, options, config: (!ranges.is_empty()).then_some(ranges) })
    });
    NetworkCreateRequest {
        name,
        driver: node.text("driver"),
        internal: Some(node.flag("internal").unwrap_or_default()),
        attachable: Some(node.flag("attachable").unwrap_or_default()),
        ipam,
        enable_ipv4: node.flag("enable_ipv4"),
        enable_ipv6: node.flag("enable_ipv6"),
        options: node.map("driver_opts"),
        labels: Some(node.map("labels").unwrap_or_default()),
        ..NetworkCreateRequest::default()
    }
}

/// The project's volumes, sorted by key.
pub(super) fn volumes(project: &Canonical, problems: &Problems) -> Vec<VolumeSpec> {
    let mut all: Vec<VolumeSpec> = entries(project.json, "volumes")
        .map(|(key, value)| {
            let pointer = format!("/volumes/{key}");
            let node = Node { value, pointer: &pointer, problems };
            let name = engine_name(project, "volumes", key);
            let request = VolumeCreateRequest {
                name: Some(name.clone()),
                driver: node.text("driver"),
                driver_opts: node.map("driver_opts"),
                labels: Some(node.map("labels").unwrap_or_default()),
                ..VolumeCreateRequest::default()
            };
            VolumeSpec {
                key: key.clone(),
                name,
                external: node.flag("external").unwrap_or_default(),
                request: Box::new(request),
                location: location(project, &pointer),
            }
        })
        .collect();
    all.sort_by(|a, b| a.key.cmp(&b.key));
    all
}

/// The name on the engine: its own, else the project's and the key.
fn engine_name(project: &Canonical, kind: &str, key: &str) -> String {
    let name = project.json.get(kind).and_then(|all| all.get(key)?.get("name")?.as_str());
    name.map_or_else(|| format!("{}_{key}", project.name), str::to_owned)
}
