//! One thing to do: what a person sees of it, and the operations that do it.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use serde::Serialize;

use crate::engine::operation::EngineOperation;
pub use crate::model::change::{Action, Subject, SubjectKind};
use crate::model::change::{Class, FieldDiff, Risk};
use crate::model::id::ResourceId;
use crate::skills::environment::operation::EnvironmentOperation;
use crate::skills::layout::operation::LayoutOperation;
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
    /// Steps that have to succeed before. Waits at the end of a step are its own verification: one that
    /// needs it may begin before they end, because it carries the waits that it needs itself.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<StepId>,
    /// Steps that have to be over before, whatever came of them (`required: false`).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<StepId>,
    /// Hash over the observed facts that the step was decided on.
    pub fingerprint: String,
    /// What is done, in order; each one call, each idempotent.
    pub operations: Vec<Operation>,
    /// What is done, in order, when one of the operations failed: what the step took away comes back.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub undo: Vec<Operation>,
}

/// One operation of a step; which outside system does it is decided here.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Operation {
    /// Asked of the engine of the step's host.
    Engine(EngineOperation),
    /// Moves a checkout to a commit; refuses when tracked files were changed by others.
    Checkout(CheckoutTarget),
    /// Done for an Environment.
    Environment(EnvironmentOperation),
    /// Done for an AddonsLayout.
    Layout(LayoutOperation),
}

impl Step {
    /// The keys under which a correction of drift is counted in `Memory.corrections`; empty for changes.
    pub fn correction_keys(&self) -> Vec<String> {
        correction_keys(&self.resource, &self.subject, self.class, &self.fields)
    }
}

/// See [`Step::correction_keys`]: `resource subject field`, the class in place of a field when none differs.
pub fn correction_keys(
    resource: &ResourceId,
    subject: &Subject,
    class: Class,
    fields: &[FieldDiff],
) -> Vec<String> {
    match class {
        Class::Change => Vec::new(),
        Class::Drift(class) if fields.is_empty() => vec![format!("{resource} {subject} {class}")],
        Class::Drift(_) => {
            fields.iter().map(|field| format!("{resource} {subject} {}", field.field)).collect()
        }
    }
}
