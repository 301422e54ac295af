//! The conditions of each resource, from what is wanted, what is, and what a plan would do.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

mod health;

use serde::Serialize;

use self::health::{containers, healthy};
use super::plan::{Note, NoteKind, Plan, ResourcePlan};
use super::step::Step;
use crate::desired::state::DesiredState;
use crate::model::change::{Class, DriftClass};
use crate::model::condition::{ConditionType, Reason, Status};
use crate::model::id::ResourceId;
use crate::observed::observation::Observation;

/// What is true of everything whose document is gone.
const LEFT: &str = "left the desired state";

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
    plan.resources.iter().map(|resource| report(desired, observed, plan, resource)).collect()
}

fn report(
    desired: &DesiredState,
    observed: &Observation,
    plan: &Plan,
    resource: &ResourcePlan,
) -> ResourceReport {
    let containers = containers(desired, observed, &resource.id);
    let view = View {
        resource,
        steps: resource.steps.iter().filter_map(|id| plan.step(*id)).collect(),
        secret_missing: secret_missing(desired, &resource.id),
    };
    let healthy = healthy(&view, desired, observed, &containers);
    let conditions = vec![
        ready(&view, &healthy),
        reconciling(&view, &healthy),
        stalled(&view),
        healthy,
        drifted(&view),
        suspended(&view),
        blocked(&view),
    ];
    ResourceReport { id: resource.id.clone(), digest: resource.digest.clone(), conditions, containers }
}

/// One resource's part of a plan, as conditions ask about it.
struct View<'a> {
    resource: &'a ResourcePlan,
    steps: Vec<&'a Step>,
    secret_missing: Option<String>,
}

impl View<'_> {
    /// The first note of one of the kinds.
    fn note(&self, kinds: &[NoteKind]) -> Option<&Note> {
        self.resource.notes.iter().find(|note| kinds.contains(&note.kind))
    }

    /// The note that says that the resource is paused: the only held one that is about nothing in particular.
    fn pause(&self) -> Option<&Note> {
        self.resource.notes.iter().find(|note| note.kind == NoteKind::Held && note.subject.is_none())
    }
}

fn message(note: &Note) -> String {
    match &note.subject {
        Some(subject) => format!("{subject}: {}", note.text),
        None => note.text.clone(),
    }
}

fn answer(
    kind: ConditionType,
    status: Status,
    reason: Reason,
    message: impl Into<String>,
) -> ConditionReport {
    ConditionReport { kind, status, reason, message: message.into() }
}

fn secret_missing(desired: &DesiredState, id: &ResourceId) -> Option<String> {
    desired.unknown(id).filter(|unknown| unknown.secret_missing).map(|unknown| unknown.why.clone())
}

/// Why a note keeps a resource from being ready; `None` when it does not.
pub fn obstacle(note: &Note) -> Option<Reason> {
    Some(match note.kind {
        NoteKind::Refused => Reason::Refused,
        NoteKind::NeedsDecision => Reason::NeedsDecision,
        NoteKind::Stalled => Reason::NoProgress,
        NoteKind::Contended => Reason::Contended,
        NoteKind::Blocked if is_not_supported(note) => Reason::NotSupported,
        NoteKind::Blocked => Reason::DependencyNotReady,
        NoteKind::Held => match note.class {
            None | Some(Class::Drift(DriftClass::ExtraOwned)) => return None,
            Some(Class::Change) => Reason::ManualApply,
            Some(Class::Drift(DriftClass::State)) => Reason::ManualStop,
            // It waits for its time of day.
            Some(Class::Drift(_)) => Reason::DriftReported,
        },
        NoteKind::Unhealthy => Reason::Unhealthy,
        // What others made, and what is merely kept, is no part of what is wanted.
        NoteKind::Reported => match note.class {
            None
            | Some(Class::Change)
            | Some(Class::Drift(DriftClass::ExtraOwned | DriftClass::OrphanUnowned | DriftClass::Identity)) =>
            {
                return None;
            }
            Some(Class::Drift(_)) => Reason::DriftReported,
        },
        NoteKind::Unknown | NoteKind::NotEnforced => return None,
    })
}

/// A stack that is to be adopted is blocked as a whole.
fn is_not_supported(note: &Note) -> bool {
    note.subject.is_none() && note.text.contains("not supported")
}

fn ready(view: &View<'_>, healthy: &ConditionReport) -> ConditionReport {
    let kind = ConditionType::Ready;
    if let Some(why) = &view.secret_missing {
        return answer(kind, Status::False, Reason::SecretMissing, why.clone());
    }
    if let Some(note) = view.note(&[NoteKind::Unknown]) {
        return answer(kind, Status::Unknown, Reason::Unobserved, message(note));
    }
    let obstacles = view.resource.notes.iter().filter_map(|note| Some((obstacle(note)?, note)));
    let paused = view.pause().filter(|_| view.resource.notes.iter().any(|note| note.class.is_some()));
    if let Some(pause) = paused {
        return answer(kind, Status::False, Reason::SuspendedBySpec, pause.text.clone());
    }
    // The enumeration's order is not one of importance; what needs a person comes first.
    let rank = |reason: &Reason| match reason {
        Reason::Refused => 0,
        Reason::NeedsDecision => 1,
        Reason::NoProgress | Reason::Contended => 2,
        Reason::NotSupported | Reason::DependencyNotReady => 3,
        _ => 4,
    };
    if let Some((reason, note)) = obstacles.min_by_key(|(reason, _)| rank(reason)) {
        return answer(kind, Status::False, reason, message(note));
    }
    if let Some(step) = view.steps.first() {
        return answer(kind, Status::False, Reason::Progressing, steps_text(step, view.steps.len()));
    }
    if !view.resource.desired {
        return left(view);
    }
    match healthy.status {
        Status::True => answer(kind, Status::True, Reason::InSync, "observed equals desired"),
        status => answer(kind, status, healthy.reason, healthy.message.clone()),
    }
}

/// A resource whose document is gone is as it should be when all that is left of it is kept on purpose.
fn left(view: &View<'_>) -> ConditionReport {
    let held = view.note(&[NoteKind::Held]);
    let status = if held.is_some() { Status::False } else { Status::True };
    let note = held.or(view.resource.notes.first());
    let text = note.map_or_else(|| LEFT.to_owned(), message);
    answer(ConditionType::Ready, status, Reason::LeftDesiredState, text)
}

fn steps_text(first: &Step, count: usize) -> String {
    let more = if count > 1 { format!(" and {} more", count - 1) } else { String::new() };
    format!("{}: {}{more}", first.subject, first.cause)
}

fn reconciling(view: &View<'_>, healthy: &ConditionReport) -> ConditionReport {
    let kind = ConditionType::Reconciling;
    if let Some(step) = view.steps.first() {
        return answer(kind, Status::True, Reason::Progressing, steps_text(step, view.steps.len()));
    }
    if healthy.reason == Reason::WaitingForHealth {
        return answer(kind, Status::True, Reason::WaitingForHealth, healthy.message.clone());
    }
    answer(kind, Status::False, Reason::InSync, "nothing is left to do")
}

fn stalled(view: &View<'_>) -> ConditionReport {
    let kind = ConditionType::Stalled;
    if let Some(why) = &view.secret_missing {
        return answer(kind, Status::True, Reason::SecretMissing, why.clone());
    }
    for (note, reason) in [
        (NoteKind::Refused, Reason::Refused),
        (NoteKind::NeedsDecision, Reason::NeedsDecision),
        (NoteKind::Stalled, Reason::NoProgress),
        (NoteKind::Contended, Reason::Contended),
    ] {
        if let Some(note) = view.note(&[note]) {
            return answer(kind, Status::True, reason, message(note));
        }
    }
    answer(kind, Status::False, Reason::InSync, "")
}

fn drifted(view: &View<'_>) -> ConditionReport {
    let kind = ConditionType::Drifted;
    let is_drift = |class: Option<Class>| matches!(class, Some(Class::Drift(_)));
    if let Some(note) = view.note(&[NoteKind::Contended]) {
        return answer(kind, Status::True, Reason::Contended, message(note));
    }
    let held = view.resource.notes.iter().find(|note| {
        note.kind == NoteKind::Held
            && note.class == Some(Class::Drift(DriftClass::State))
            && note.until.is_some()
    });
    if let Some(note) = held {
        return answer(kind, Status::True, Reason::ManualStop, message(note));
    }
    if let Some(step) = view.steps.iter().find(|step| is_drift(Some(step.class))) {
        return answer(kind, Status::True, Reason::Progressing, format!("{}: {}", step.subject, step.cause));
    }
    if let Some(note) = view.resource.notes.iter().find(|note| is_drift(note.class)) {
        return answer(kind, Status::True, Reason::DriftReported, message(note));
    }
    if let Some(note) = view.note(&[NoteKind::Unknown]) {
        return answer(kind, Status::Unknown, Reason::Unobserved, message(note));
    }
    answer(kind, Status::False, Reason::InSync, "")
}

fn suspended(view: &View<'_>) -> ConditionReport {
    match view.pause() {
        Some(note) => {
            answer(ConditionType::Suspended, Status::True, Reason::SuspendedBySpec, note.text.clone())
        }
        None => answer(ConditionType::Suspended, Status::False, Reason::InSync, ""),
    }
}

fn blocked(view: &View<'_>) -> ConditionReport {
    match view.note(&[NoteKind::Blocked]) {
        Some(note) => {
            let reason =
                if is_not_supported(note) { Reason::NotSupported } else { Reason::DependencyNotReady };
            answer(ConditionType::Blocked, Status::True, reason, message(note))
        }
        None => answer(ConditionType::Blocked, Status::False, Reason::InSync, ""),
    }
}
