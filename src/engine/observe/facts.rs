//! The engine's answers as facts.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use std::collections::BTreeMap;

use bollard::models::{
    ContainerInspectResponse, ContainerState, ContainerStateStatusEnum, ContainerSummary,
    ContainerSummaryStateEnum, EndpointSettings, HealthStatusEnum, ImageInspect, MountPoint, Network, Volume,
};

use super::read::{Listed, attached};
use super::{
    AttachmentFacts, ContainerFacts, ContainerStatus, HealthStatus, ImageFacts, MountFacts, NetworkFacts,
    StateFacts, VolumeFacts,
};
use crate::engine::fields::{container_observed, image_fields, network_observed, volume_observed};
use crate::model::known::Known;

/// Bytes kept of a health check's output.
const HEALTH_OUTPUT_MAX: usize = 1 << 10;
/// How many digits of a container's id are its alias in every network.
const SHORT_ID_LENGTH: usize = 12;
/// What the engine says instead of a time that never was.
const NEVER: &str = "0001-01-01T00:00:00Z";

/// A container, from the list and its inspection.
pub(super) fn container(
    listed: &ContainerSummary,
    inspected: Option<&Result<ContainerInspectResponse, String>>,
) -> ContainerFacts {
    let mut facts = ContainerFacts {
        id: listed.id.clone().unwrap_or_default(),
        name: name(listed),
        image: listed.image.clone().unwrap_or_default(),
        image_id: listed.image_id.clone().unwrap_or_default(),
        labels: listed.labels.clone().unwrap_or_default().into_iter().collect(),
        state: StateFacts { status: listed_status(listed), ..StateFacts::default() },
        fields: None,
        networks: BTreeMap::new(),
        mounts: mounts(listed.mounts.as_deref()),
        published: published(listed),
        stopped_by_hand: None,
    };
    let listed_networks = listed.network_settings.as_ref().and_then(|settings| settings.networks.as_ref());
    facts.networks = attachments(listed_networks, &facts.id);
    match inspected {
        None => {}
        Some(Err(why)) => facts.fields = Some(Known::Unknown(why.clone())),
        Some(Ok(inspected)) => {
            facts.fields = Some(Known::Known(container_observed(inspected)));
            facts.state = state(inspected);
            // The list shows an id instead of the reference once the tag has moved on.
            let config = inspected.config.as_ref();
            facts.image = config.and_then(|config| config.image.clone()).unwrap_or(facts.image);
            facts.image_id = inspected.image.clone().unwrap_or(facts.image_id);
            let settings = inspected.network_settings.as_ref();
            facts.networks = attachments(settings.and_then(|settings| settings.networks.as_ref()), &facts.id);
            // The engine makes the host name an alias once the container has started.
            if let Some(host_name) = config.and_then(|config| config.hostname.as_deref()) {
                for attachment in facts.networks.values_mut() {
                    attachment.aliases.retain(|alias| alias != host_name);
                }
            }
            facts.mounts = mounts(inspected.mounts.as_deref());
            facts.name = match inspected.name.as_deref() {
                Some(name) => name.trim_start_matches('/').to_owned(),
                None => facts.name,
            };
        }
    }
    facts
}

/// A container's name without the leading slash; links give it further names with more slashes.
pub(super) fn name(listed: &ContainerSummary) -> String {
    let names = listed.names.as_deref().unwrap_or_default();
    let names = names.iter().map(|name| name.trim_start_matches('/'));
    names.clone().find(|name| !name.contains('/')).or(names.clone().next()).unwrap_or_default().to_owned()
}

/// Whether the list says that a container runs.
pub(super) fn is_running(listed: &ContainerSummary) -> bool {
    matches!(
        listed_status(listed),
        ContainerStatus::Running | ContainerStatus::Paused | ContainerStatus::Restarting
    )
}

fn listed_status(listed: &ContainerSummary) -> ContainerStatus {
    match listed.state {
        Some(ContainerSummaryStateEnum::RUNNING) => ContainerStatus::Running,
        Some(ContainerSummaryStateEnum::PAUSED) => ContainerStatus::Paused,
        Some(ContainerSummaryStateEnum::RESTARTING) => ContainerStatus::Restarting,
        Some(ContainerSummaryStateEnum::EXITED) => ContainerStatus::Exited,
        Some(ContainerSummaryStateEnum::REMOVING) => ContainerStatus::Removing,
        Some(ContainerSummaryStateEnum::DEAD) => ContainerStatus::Dead,
        _ => ContainerStatus::Created,
    }
}

/// What an inspected container does.
pub fn state(inspected: &ContainerInspectResponse) -> StateFacts {
    let empty = ContainerState::default();
    let state = inspected.state.as_ref().unwrap_or(&empty);
    let health = state.health.as_ref();
    let output = health.and_then(|health| health.log.as_ref()?.last()?.output.as_deref()).unwrap_or_default();
    let time = |text: &Option<String>| text.clone().filter(|text| text != NEVER).unwrap_or_default();
    StateFacts {
        status: match state.status {
            Some(ContainerStateStatusEnum::RUNNING) => ContainerStatus::Running,
            Some(ContainerStateStatusEnum::PAUSED) => ContainerStatus::Paused,
            Some(ContainerStateStatusEnum::RESTARTING) => ContainerStatus::Restarting,
            Some(ContainerStateStatusEnum::REMOVING) => ContainerStatus::Removing,
            Some(ContainerStateStatusEnum::EXITED) => ContainerStatus::Exited,
            Some(ContainerStateStatusEnum::DEAD) => ContainerStatus::Dead,
            _ => ContainerStatus::Created,
        },
        exit_code: state.exit_code.unwrap_or_default(),
        health: match health.and_then(|health| health.status) {
            Some(HealthStatusEnum::STARTING) => Some(HealthStatus::Starting),
            Some(HealthStatusEnum::HEALTHY) => Some(HealthStatus::Healthy),
            Some(HealthStatusEnum::UNHEALTHY) => Some(HealthStatus::Unhealthy),
            _ => None,
        },
        health_output: cut(output.trim(), HEALTH_OUTPUT_MAX),
        error: state.error.clone().unwrap_or_default(),
        oom_killed: state.oom_killed.unwrap_or_default(),
        restart_count: inspected.restart_count.unwrap_or_default(),
        started_at: time(&state.started_at),
        finished_at: time(&state.finished_at),
    }
}

/// An image.
pub(super) fn image(inspected: &ImageInspect) -> ImageFacts {
    let mut digests = inspected.repo_digests.clone().unwrap_or_default();
    digests.sort_unstable();
    let config = inspected.config.as_ref();
    ImageFacts {
        id: inspected.id.clone().unwrap_or_default(),
        digests,
        config: config.map(image_fields).unwrap_or_default(),
        labels: config.and_then(|config| config.labels.clone()).unwrap_or_default().into_iter().collect(),
    }
}

/// A network, with the running containers that are attached to it.
pub(super) fn network(network: &Network, listed: &[Listed]) -> NetworkFacts {
    NetworkFacts {
        id: network.id.clone().unwrap_or_default(),
        name: network.name.clone().unwrap_or_default(),
        labels: network.labels.clone().unwrap_or_default().into_iter().collect(),
        fields: network_observed(network),
        containers: attached(network, listed),
    }
}

/// A volume.
pub(super) fn volume(volume: &Volume) -> VolumeFacts {
    VolumeFacts {
        name: volume.name.clone(),
        labels: volume.labels.clone().into_iter().collect(),
        fields: volume_observed(volume),
    }
}

/// Cuts a text to some bytes, at a character's border.
pub(crate) fn cut(text: &str, bytes_max: usize) -> String {
    let mut end = text.len().min(bytes_max);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].to_owned()
}

fn attachments(
    networks: Option<&std::collections::HashMap<String, EndpointSettings>>,
    container_id: &str,
) -> BTreeMap<String, AttachmentFacts> {
    let short_id = container_id.get(..SHORT_ID_LENGTH).unwrap_or(container_id);
    let set = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    let facts = |endpoint: &EndpointSettings| {
        let mut aliases = endpoint.aliases.clone().unwrap_or_default();
        aliases.retain(|alias| alias != short_id);
        aliases.sort_unstable();
        aliases.dedup();
        let fixed = endpoint.ipam_config.as_ref();
        AttachmentFacts {
            network_id: endpoint.network_id.clone().unwrap_or_default(),
            aliases,
            ipv4_address: fixed.and_then(|fixed| set(&fixed.ipv4_address)),
            ipv6_address: fixed.and_then(|fixed| set(&fixed.ipv6_address)),
            address: set(&endpoint.ip_address),
        }
    };
    networks.into_iter().flatten().map(|(name, endpoint)| (name.clone(), facts(endpoint))).collect()
}

fn mounts(mounts: Option<&[MountPoint]>) -> BTreeMap<String, MountFacts> {
    let facts = |mount: &MountPoint| {
        let kind = mount.typ.as_ref().map(|kind| kind.to_string()).unwrap_or_default();
        let source = if kind == "volume" { &mount.name } else { &mount.source };
        MountFacts { kind, source: source.clone().unwrap_or_default(), read_only: mount.rw == Some(false) }
    };
    let mounts = mounts.unwrap_or_default().iter();
    mounts.map(|mount| (mount.destination.clone().unwrap_or_default(), facts(mount))).collect()
}

fn published(listed: &ContainerSummary) -> Vec<String> {
    let ports = listed.ports.as_deref().unwrap_or_default().iter();
    let mut published: Vec<String> = ports
        .filter_map(|port| {
            let address = match port.ip.as_deref().unwrap_or_default() {
                address if address.contains(':') => format!("[{address}]"),
                address => address.to_owned(),
            };
            let protocol = port.typ.map(|kind| kind.to_string()).filter(|kind| !kind.is_empty());
            Some(format!("{address}:{}/{}", port.public_port?, protocol.as_deref().unwrap_or("tcp")))
        })
        .collect();
    published.sort_unstable();
    published.dedup();
    published
}
