//! What was observed of an engine, by names and labels, so that planning stays linear.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use std::collections::HashMap;

use crate::engine::labels;
use crate::engine::observe::{ContainerFacts, ContainerStatus, EngineFacts, NetworkFacts, VolumeFacts};

/// A published port: number and protocol.
pub(super) type Port = (u16, String);

/// What was observed of an engine, by names and labels.
#[derive(Debug, Default)]
pub struct EngineIndex<'a> {
    containers: HashMap<&'a str, &'a ContainerFacts>,
    owned: HashMap<&'a str, Vec<&'a ContainerFacts>>,
    foreign_compose: HashMap<&'a str, Vec<&'a ContainerFacts>>,
    networks: HashMap<&'a str, Vec<&'a NetworkFacts>>,
    owned_networks: HashMap<&'a str, Vec<&'a NetworkFacts>>,
    volumes: HashMap<&'a str, &'a VolumeFacts>,
    published: HashMap<Port, Vec<(String, &'a ContainerFacts)>>,
}

impl<'a> EngineIndex<'a> {
    /// Sorts the facts of one engine.
    pub fn new(facts: &'a EngineFacts) -> Self {
        let mut index = EngineIndex::default();
        for container in &facts.containers {
            index.add_container(container);
        }
        for network in &facts.networks {
            index.networks.entry(&network.name).or_default().push(network);
            if let Some(resource) = network.labels.get(labels::RESOURCE) {
                index.owned_networks.entry(resource).or_default().push(network);
            }
        }
        index.volumes.extend(facts.volumes.iter().map(|volume| (volume.name.as_str(), volume)));
        index
    }

    fn add_container(&mut self, container: &'a ContainerFacts) {
        self.containers.insert(&container.name, container);
        let is_oneoff = container.labels.get(labels::COMPOSE_ONEOFF).is_some_and(|oneoff| oneoff == "True");
        if let Some(resource) = container.labels.get(labels::RESOURCE) {
            if !is_oneoff {
                self.owned.entry(resource).or_default().push(container);
            }
        } else if let Some(project) = container.labels.get(labels::COMPOSE_PROJECT)
            && !is_oneoff
        {
            self.foreign_compose.entry(project).or_default().push(container);
        }
        let holds_ports = matches!(
            container.state.status,
            ContainerStatus::Running | ContainerStatus::Restarting | ContainerStatus::Paused
        );
        for (address, port) in container.published.iter().filter_map(|text| parse_published(text)) {
            if holds_ports {
                self.published.entry(port).or_default().push((address, container));
            }
        }
    }

    /// The container of a name.
    pub fn container(&self, name: &str) -> Option<&'a ContainerFacts> {
        self.containers.get(name).copied()
    }

    /// The containers whose label says that a resource (`Stack/n8n`) made them.
    pub fn owned(&self, resource: &str) -> &[&'a ContainerFacts] {
        self.owned.get(resource).map_or(&[], Vec::as_slice)
    }

    /// The containers of a Compose project that are nobody's of ours.
    pub fn foreign_compose(&self, project: &str) -> &[&'a ContainerFacts] {
        self.foreign_compose.get(project).map_or(&[], Vec::as_slice)
    }

    /// The networks of a name; names are not unique.
    pub fn networks(&self, name: &str) -> &[&'a NetworkFacts] {
        self.networks.get(name).map_or(&[], Vec::as_slice)
    }

    /// The networks whose label says that a resource made them.
    pub fn owned_networks(&self, resource: &str) -> &[&'a NetworkFacts] {
        self.owned_networks.get(resource).map_or(&[], Vec::as_slice)
    }

    /// The volume of a name.
    pub fn volume(&self, name: &str) -> Option<&'a VolumeFacts> {
        self.volumes.get(name).copied()
    }

    /// The running containers that hold a port, with the address they hold it on.
    pub(super) fn holders(&self, port: &Port) -> &[(String, &'a ContainerFacts)] {
        self.published.get(port).map_or(&[], Vec::as_slice)
    }
}

/// Reads `address:port/protocol`; the address may be IPv6, in brackets or not.
fn parse_published(text: &str) -> Option<(String, Port)> {
    let (rest, protocol) = text.rsplit_once('/').unwrap_or((text, "tcp"));
    let (address, port) = rest.rsplit_once(':').unwrap_or(("", rest));
    let address = address.trim_start_matches('[').trim_end_matches(']');
    Some((address.to_owned(), (port.parse().ok()?, protocol.to_owned())))
}

/// Whether a port held on one address can't be given on another.
pub(super) fn addresses_overlap(a: &str, b: &str) -> bool {
    let is_any = |address: &str| matches!(address, "" | "0.0.0.0" | "::");
    a == b || is_any(a) || is_any(b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_ports_are_read_with_any_address() {
        let port = |text: &str| parse_published(text).unwrap();
        assert_eq!(port("127.0.0.1:80/tcp"), ("127.0.0.1".to_owned(), (80, "tcp".to_owned())));
        assert_eq!(port(":::80/udp"), ("::".to_owned(), (80, "udp".to_owned())));
        assert_eq!(port("[::1]:80/tcp"), ("::1".to_owned(), (80, "tcp".to_owned())));
        assert!(addresses_overlap("0.0.0.0", "127.0.0.1") && !addresses_overlap("10.0.0.1", "127.0.0.1"));
    }
}
