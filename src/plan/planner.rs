//! Decides what to do: the only place where the kinds of resources meet.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use super::memory::Memory;
use super::plan::{Note, NoteKind, Plan, ResourcePlan};
use crate::desired::state::DesiredState;
use crate::model::id::ResourceId;
use crate::model::secret::HmacKey;
use crate::observed::observation::Observation;

/// Everything that a plan depends on.
#[derive(Debug, Clone, Copy)]
pub struct PlanInput<'a> {
    /// What is wanted.
    pub desired: &'a DesiredState,
    /// What is.
    pub observed: &'a Observation,
    /// What we remember.
    pub memory: &'a Memory,
    /// The time.
    pub now: DateTime<Utc>,
    /// The key of fingerprints of secrets.
    pub key: &'a HmacKey,
    /// These resources alone; `None` for all.
    pub only: Option<&'a BTreeSet<ResourceId>>,
    /// Whether a person asked, so that `apply: manual` is applied.
    pub manual: bool,
    /// Resources of which a person allowed to remove or to lose data, having seen this plan's hash.
    pub allow_destroy: Option<&'a BTreeSet<ResourceId>>,
}

/// Decides what to do. The same input gives the same plan, byte for byte.
pub fn plan(input: &PlanInput<'_>) -> Plan {
    let resources: Vec<ResourcePlan> = input
        .desired
        .ids()
        .into_iter()
        .filter(|id| input.only.is_none_or(|only| only.contains(id)))
        .map(|id| ResourcePlan {
            from_commit: None,
            digest: input.desired.digest_of(&id).unwrap_or_default().to_owned(),
            id,
            steps: Vec::new(),
            notes: vec![Note {
                kind: NoteKind::Unknown,
                subject: None,
                class: None,
                text: "this build does not compare yet".to_owned(),
                until: None,
                fields: Vec::new(),
            }],
            complete: false,
            desired: true,
            subjects: BTreeMap::new(),
            orphans: Vec::new(),
        })
        .collect();
    let mut plan = Plan {
        revision: input.desired.revision.clone(),
        complete: resources.iter().all(|resource| resource.complete),
        resources,
        steps: Vec::new(),
        hash: String::new(),
    };
    plan.hash = super::hash::plan_hash(&plan);
    plan
}
