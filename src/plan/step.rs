//! One thing to do: what a person sees of it, and the operations that do it.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::engine::operation::EngineOperation;
use crate::model::change::{Class, FieldDiff, Risk};
use crate::model::id::ResourceId;
use crate::skills::repository::checkout::CheckoutTarget;

/// A step's number in its plan, from 1, in the order of printing.
pub type StepId = usize;

/// One thing to do.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    /// Its number.
    pub id: StepId,
    /// The resource it serves.
    pub resource: ResourceId,
    /// The Host's name it acts on.
    pub host: String,
    /// What it acts on.
    pub subject: Subject,
    /// What is done.
    pub action: Action,
    /// Change or drift.
    pub class: Class,
    /// Why, as a short fragment: `image, environment`, `missing`, `stopped`.
    pub cause: String,
    /// What it costs.
    pub risk: Risk,
    /// How long the service is away, in seconds, when that can be said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub downtime_seconds: Option<u64>,
    /// The fields that differ, masked.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<FieldDiff>,
    /// Steps that have to succeed before.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<StepId>,
    /// Hash over the observed facts that the step was decided on.
    pub fingerprint: String,
    /// What is done, in order; each one call, each idempotent.
    pub operations: Vec<Operation>,
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
    /// An image.
    Image,
    /// A network.
    Network,
    /// A volume.
    Volume,
    /// A container.
    Container,
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            SubjectKind::Checkout => "checkout",
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

/// One operation of a step; which outside system does it is decided here.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Operation {
    /// Asked of the engine of the step's host.
    Engine(EngineOperation),
    /// Moves a checkout to a commit; refuses when tracked files were changed by others.
    Checkout(CheckoutTarget),
}
