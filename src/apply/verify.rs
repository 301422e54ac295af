//! Whether what was applied is so: the plan that is made afterwards has no step for it any more.
//!
//! Success is observed, never taken from an answer. Pure.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::model::change::Class;
use crate::model::id::ResourceId;
use crate::model::note::{Note, NoteKind};
use crate::plan::plan::{Plan, ResourcePlan};
use crate::plan::step::StepId;

/// What looking again showed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Verification {
    /// Steps of the first plan whose subject needs nothing any more.
    pub in_sync: BTreeSet<StepId>,
    /// Steps of the first plan whose subject still needs something, with the steps of the second plan that say so.
    pub again: BTreeMap<StepId, Vec<StepId>>,
    /// Steps of the first plan that are planned again on the same facts: they changed nothing.
    pub no_progress: BTreeSet<StepId>,
    /// Steps of the first plan whose resource could not be read completely afterwards.
    pub unknown: BTreeSet<StepId>,
    /// Resources of which nothing is left to do and everything could be read: they are applied.
    pub applied: BTreeSet<ResourceId>,
}

impl Verification {
    /// Whether everything that was planned is so.
    pub fn holds(&self) -> bool {
        self.again.is_empty() && self.unknown.is_empty()
    }
}

/// Compares a plan with the one that is made after it was executed.
pub fn verify(before: &Plan, after: &Plan) -> Verification {
    let mut verification = Verification {
        applied: after.resources.iter().filter(|plan| is_applied(plan)).map(|plan| plan.id.clone()).collect(),
        ..Verification::default()
    };
    let complete: BTreeSet<&ResourceId> =
        after.resources.iter().filter(|plan| plan.complete).map(|plan| &plan.id).collect();
    // A resource that the second plan no longer speaks of was removed to the end.
    let spoken_of: BTreeSet<&ResourceId> = after.resources.iter().map(|plan| &plan.id).collect();
    for step in &before.steps {
        let same: Vec<&crate::plan::step::Step> = after
            .steps
            .iter()
            .filter(|other| other.host == step.host && other.subject == step.subject)
            .collect();
        if same.iter().any(|other| other.fingerprint == step.fingerprint && other.action == step.action) {
            verification.no_progress.insert(step.id);
        }
        if !same.is_empty() {
            verification.again.insert(step.id, same.iter().map(|other| other.id).collect());
        } else if spoken_of.contains(&step.resource) && !complete.contains(&step.resource) {
            verification.unknown.insert(step.id);
        } else {
            verification.in_sync.insert(step.id);
        }
    }
    verification
}

/// Whether a plan shows that a resource is as its specification says, but for drift that is left on purpose.
pub fn is_applied(plan: &ResourcePlan) -> bool {
    plan.complete && plan.desired && plan.steps.is_empty() && !plan.notes.iter().any(is_in_the_way)
}

fn is_in_the_way(note: &Note) -> bool {
    match note.kind {
        NoteKind::Blocked | NoteKind::Unknown | NoteKind::Stalled | NoteKind::Refused => true,
        NoteKind::NeedsDecision | NoteKind::Held | NoteKind::Reported | NoteKind::Contended => {
            note.class == Some(Class::Change)
        }
        NoteKind::Unhealthy | NoteKind::NotEnforced => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::change::{Action, Risk, Subject, SubjectKind};
    use crate::model::id::{Kind, Revision};
    use crate::plan::step::Step;

    fn plan(steps: &[(&str, Action, &str)], complete: bool) -> Plan {
        let id = ResourceId::new(Kind::Stack, "shop");
        let steps: Vec<Step> = steps
            .iter()
            .enumerate()
            .map(|(index, (name, action, fingerprint))| Step {
                id: index + 1,
                resource: id.clone(),
                host: "local".into(),
                subject: Subject { kind: SubjectKind::Container, name: (*name).into() },
                action: *action,
                class: Class::Change,
                cause: "missing".into(),
                risk: Risk::None,
                downtime_seconds: None,
                fields: Vec::new(),
                needs: Vec::new(),
                after: Vec::new(),
                fingerprint: (*fingerprint).into(),
                operations: Vec::new(),
                undo: Vec::new(),
            })
            .collect();
        Plan {
            revision: Revision { reference: "main".into(), commit: None },
            resources: vec![ResourcePlan {
                id,
                from_commit: None,
                digest: "v1:a".into(),
                steps: steps.iter().map(|step| step.id).collect(),
                notes: Vec::new(),
                complete,
                desired: true,
                subjects: BTreeMap::new(),
                orphans: Vec::new(),
            }],
            steps,
            complete,
            hash: String::new(),
        }
    }

    #[test]
    fn nothing_planned_again_means_applied() {
        let before = plan(&[("web", Action::Create, "a")], true);
        let verification = verify(&before, &plan(&[], true));
        assert!(verification.holds());
        assert_eq!(verification.applied.len(), 1);
        assert_eq!(verification.in_sync, BTreeSet::from([1]));
    }

    #[test]
    fn the_same_step_on_the_same_facts_is_no_progress() {
        let before = plan(&[("web", Action::Create, "a"), ("db", Action::Create, "b")], true);
        let verification =
            verify(&before, &plan(&[("web", Action::Create, "a"), ("db", Action::Start, "c")], true));
        assert_eq!(verification.no_progress, BTreeSet::from([1]));
        assert_eq!(verification.again, BTreeMap::from([(1, vec![1]), (2, vec![2])]));
        assert!(verification.applied.is_empty());
    }

    #[test]
    fn what_could_not_be_read_is_not_applied() {
        let before = plan(&[("web", Action::Create, "a")], true);
        let verification = verify(&before, &plan(&[], false));
        assert!(!verification.holds() && verification.applied.is_empty());
        assert_eq!(verification.unknown, BTreeSet::from([1]));
    }

    #[test]
    fn a_change_that_waits_for_a_decision_is_not_applied_but_reported_drift_is() {
        let mut after = plan(&[], true);
        let note = |class| Note {
            kind: NoteKind::NeedsDecision,
            subject: None,
            class: Some(class),
            text: String::new(),
            until: None,
            fields: Vec::new(),
        };
        after.resources[0].notes = vec![note(Class::Drift(crate::model::change::DriftClass::Identity))];
        assert!(is_applied(&after.resources[0]));
        after.resources[0].notes = vec![note(Class::Change)];
        assert!(!is_applied(&after.resources[0]));
    }
}
