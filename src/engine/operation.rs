//! One thing to ask of an engine, with every value it needs.

use std::collections::BTreeMap;
use std::time::Duration;

use bollard::models::{
    ContainerCreateBody, ContainerUpdateBody, EndpointSettings, NetworkCreateRequest, VolumeCreateRequest,
};
use serde::{Deserialize, Serialize};

use super::spec::{BuildSpec, DependencyCondition, InjectedFile, ShareKind};

/// Which container an operation means.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Target {
    /// One that exists, by the engine's id.
    Id(String),
    /// One that an earlier operation of this plan makes, by name.
    Name(String),
}

/// One call to an engine, or one wait. Carries every value it needs; doing it twice is doing it once.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum EngineOperation {
    /// Fetches an image.
    PullImage {
        /// The reference.
        reference: String,
        /// The platform, when one is asked for.
        #[serde(skip_serializing_if = "Option::is_none")]
        platform: Option<String>,
    },
    /// Builds an image with the classic builder.
    BuildImage {
        /// The tag to give it.
        reference: String,
        /// How.
        #[serde(skip)]
        build: Box<BuildSpec>,
        /// Labels of ours for the image.
        labels: BTreeMap<String, String>,
    },
    /// Makes a network.
    CreateNetwork {
        /// With labels.
        #[serde(skip)]
        request: Box<NetworkCreateRequest>,
        /// Its name, for the journal.
        name: String,
    },
    /// Removes a network, which nothing uses any more.
    RemoveNetwork {
        /// The engine's id.
        id: String,
        /// Its name.
        name: String,
    },
    /// Attaches a container.
    ConnectNetwork {
        /// The network's name.
        network: String,
        /// Which container.
        container: Target,
        /// Aliases and addresses.
        #[serde(skip)]
        endpoint: Box<EndpointSettings>,
    },
    /// Detaches a container.
    DisconnectNetwork {
        /// The network's name.
        network: String,
        /// Which container.
        container: Target,
    },
    /// Makes a volume.
    CreateVolume {
        /// With labels.
        #[serde(skip)]
        request: Box<VolumeCreateRequest>,
        /// Its name, for the journal.
        name: String,
    },
    /// Makes a container. An equal one that a lost answer left behind (same `dev.ipai.op-id`) is taken instead.
    CreateContainer {
        /// Its name; temporary in a recreation.
        name: String,
        /// With labels, networks and clear secrets: never written anywhere.
        #[serde(skip)]
        body: Box<ContainerCreateBody>,
        /// Namespaces and volumes of other containers, resolved by name when it runs: field → container name;
        /// for volumes `name` or `name:ro`.
        shares: Vec<(ShareKind, String)>,
        /// The platform that its image has to have, when one is asked for.
        #[serde(skip_serializing_if = "Option::is_none")]
        platform: Option<String>,
        /// Our operation label's value.
        operation_id: String,
    },
    /// Writes files into a container that does not run yet.
    CopyFiles {
        /// Which container.
        container: Target,
        /// What to write; the content is never written anywhere else.
        #[serde(skip)]
        files: Vec<InjectedFile>,
        /// The paths, for the journal.
        targets: Vec<String>,
    },
    /// Starts a container.
    StartContainer {
        /// Which.
        container: Target,
    },
    /// Stops a container.
    StopContainer {
        /// Which.
        container: Target,
        /// How long it may take before it is killed.
        grace: Duration,
    },
    /// Restarts a container.
    RestartContainer {
        /// Which.
        container: Target,
        /// How long it may take before it is killed.
        grace: Duration,
    },
    /// Unfreezes a container.
    UnpauseContainer {
        /// Which.
        container: Target,
    },
    /// Changes limits or the restart policy of a container in place.
    UpdateContainer {
        /// Which.
        container: Target,
        /// The new values; what is not set stays.
        #[serde(skip)]
        update: Box<ContainerUpdateBody>,
        /// The names of the fields, for the journal.
        fields: Vec<String>,
    },
    /// Removes a stopped container; its named volumes stay, and so do its anonymous ones.
    RemoveContainer {
        /// Which.
        container: Target,
    },
    /// Gives a container its final name.
    RenameContainer {
        /// Which.
        container: Target,
        /// The name.
        name: String,
    },
    /// Waits until a container is as another needs it, or as its step promises.
    Wait {
        /// The container's name.
        container: String,
        /// What it has to be.
        condition: WaitCondition,
        /// When to give up.
        timeout: Duration,
    },
}

/// What a wait waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WaitCondition {
    /// It runs.
    Started,
    /// Its health check passes.
    Healthy,
    /// It ended with exit code 0.
    CompletedSuccessfully,
}

impl From<DependencyCondition> for WaitCondition {
    fn from(condition: DependencyCondition) -> Self {
        match condition {
            DependencyCondition::Started => WaitCondition::Started,
            DependencyCondition::Healthy => WaitCondition::Healthy,
            DependencyCondition::CompletedSuccessfully => WaitCondition::CompletedSuccessfully,
        }
    }
}
