//! How the wanted and the observed world differ: class, risk and fields.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Whether someone asked for a difference or the world moved by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// The desired state is newer than what was last applied.
    Change,
    /// The desired state is what was last applied; the world differs.
    Drift(DriftClass),
}

/// What kind of drift.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DriftClass {
    /// Something of ours is gone.
    Missing,
    /// Something we made is no longer wanted.
    ExtraOwned,
    /// Something that nobody described uses our names.
    OrphanUnowned,
    /// A field differs.
    Spec,
    /// A mounted file, config or secret has other content.
    Content,
    /// The image that a reference means is another one.
    Image,
    /// Stopped, paused, exited or unhealthy.
    State,
    /// Name or labels differ.
    Identity,
    /// The machine or its engine.
    Host,
    /// A checkout moved or was rewritten.
    Source,
}

impl fmt::Display for DriftClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            DriftClass::Missing => "missing",
            DriftClass::ExtraOwned => "extra-owned",
            DriftClass::OrphanUnowned => "orphan-unowned",
            DriftClass::Spec => "spec",
            DriftClass::Content => "content",
            DriftClass::Image => "image",
            DriftClass::State => "state",
            DriftClass::Identity => "identity",
            DriftClass::Host => "host",
            DriftClass::Source => "source",
        })
    }
}

/// What applying a step costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Risk {
    /// Nobody notices.
    None,
    /// A process restarts within its container.
    Restart,
    /// A service is away for a while.
    Downtime,
    /// Data could be lost; never executed by the daemon.
    Data,
}

impl fmt::Display for Risk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Risk::None => "none",
            Risk::Restart => "restart",
            Risk::Downtime => "downtime",
            Risk::Data => "data",
        })
    }
}

/// One field that differs, as text that may be shown: secrets are masked already.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldDiff {
    /// The field in Compose's words: `image`, `environment.TZ`, `ports`.
    pub field: String,
    /// What is; `None` when the field is not set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// What is wanted; `None` when the field goes away.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// Whether the values are fingerprints of secrets.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub secret: bool,
}

/// What a step acts on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Subject {
    /// The sort of thing.
    pub kind: SubjectKind,
    /// Its name on the host: container, network, volume, image reference, path.
    pub name: String,
}

/// The sort of thing a step acts on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SubjectKind {
    /// A checkout of a repository.
    Checkout,
    /// A folder of a machine.
    Folder,
    /// A file of a machine.
    File,
    /// An image.
    Image,
    /// A network.
    Network,
    /// A volume.
    Volume,
    /// A database and its modules.
    Database,
    /// A container.
    Container,
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            SubjectKind::Checkout => "checkout",
            SubjectKind::Folder => "folder",
            SubjectKind::File => "file",
            SubjectKind::Database => "database",
            SubjectKind::Image => "image",
            SubjectKind::Network => "network",
            SubjectKind::Volume => "volume",
            SubjectKind::Container => "container",
        };
        write!(f, "{kind} {}", self.name)
    }
}

/// What is done, for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// `+`
    Create,
    /// `~`
    Update,
    /// `-/+`
    Recreate,
    /// `~`, nothing but its state changes.
    Start,
    /// `~`
    Stop,
    /// `~`
    Restart,
    /// `-`
    Remove,
    /// `+`, an image is fetched.
    Pull,
    /// `+`, an image is built.
    Build,
}
