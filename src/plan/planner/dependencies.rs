//! `dependsOn`: what depends on a resource that is not ready is not changed.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use std::collections::{BTreeMap, BTreeSet};

use super::world::World;
use super::{Part, PlanInput, plan};
use crate::desired::state::DesiredState;
use crate::engine::observe::{ContainerStatus, HealthStatus};
use crate::model::change::{Class, DriftClass};
use crate::model::id::ResourceId;
use crate::model::note::{Note, NoteKind};
use crate::plan::policy;

/// Blocks the steps of parts whose dependencies will not be ready, and says which parts come before which.
pub(super) fn follow(input: &PlanInput<'_>, world: &World<'_>, parts: &mut [Part]) {
    let places: BTreeMap<ResourceId, usize> =
        parts.iter().enumerate().map(|(at, part)| (part.id.clone(), at)).collect();
    let elsewhere = unready_elsewhere(input, &places);
    let ids: Vec<Vec<ResourceId>> = parts
        .iter()
        .map(|part| if part.desired { needed(input.desired, &part.id) } else { Vec::new() })
        .collect();
    let mut blocked: BTreeSet<usize> = BTreeSet::new();
    // A chain of dependencies is at most as long as there are resources; each round blocks one more, or is the last.
    loop {
        let mut progress = false;
        for at in 0..parts.len() {
            if blocked.contains(&at) || parts[at].draft.steps.is_empty() {
                continue;
            }
            let reason = ids[at].iter().find_map(|id| {
                let text = match places.get(id) {
                    Some(other) => unready(world, &parts[*other]),
                    None => elsewhere.get(id).cloned(),
                };
                Some(format!("waits for {id}: {}", text?))
            });
            let Some(reason) = reason else { continue };
            let steps = std::mem::take(&mut parts[at].draft.steps);
            let notes = steps.iter().map(|step| policy::note(step, NoteKind::Blocked, &reason));
            parts[at].draft.notes.extend(notes);
            blocked.insert(at);
            progress = true;
        }
        if !progress {
            break;
        }
    }
    for (at, ids) in ids.into_iter().enumerate() {
        let others = ids.iter().filter_map(|id| places.get(id).copied());
        parts[at].depends_on = others.filter(|other| *other != at).collect();
    }
}

/// The resources that one depends on by its document.
fn needed(desired: &DesiredState, id: &ResourceId) -> Vec<ResourceId> {
    let common = desired.common(id);
    let ids = common.into_iter().flat_map(|common| &common.depends_on).filter_map(|id| ResourceId::parse(id));
    ids.filter(|id| desired.common(id).is_some()).collect()
}

/// Why resources that are depended on and left out of this plan are not ready. They are planned for that alone,
/// together with all that they depend on in turn.
fn unready_elsewhere(
    input: &PlanInput<'_>,
    planned: &BTreeMap<ResourceId, usize>,
) -> BTreeMap<ResourceId, String> {
    if input.only.is_none() {
        return BTreeMap::new();
    }
    let mut all: BTreeSet<ResourceId> = planned.keys().cloned().collect();
    let mut queue: Vec<ResourceId> = all.iter().cloned().collect();
    // Each resource is looked at once.
    while let Some(id) = queue.pop() {
        queue.extend(needed(input.desired, &id).into_iter().filter(|other| all.insert(other.clone())));
    }
    if all.len() == planned.len() {
        return BTreeMap::new();
    }
    let whole = plan(&PlanInput { only: Some(&all), ..*input });
    let left_out = whole.resources.iter().filter(|resource| !planned.contains_key(&resource.id));
    left_out
        .filter_map(|resource| {
            let step = resource.steps.first().and_then(|id| whole.step(*id));
            let text = step.map(|step| format!("{} has to be done first", step.subject));
            Some((resource.id.clone(), text.or_else(|| obstacle(&resource.notes))?))
        })
        .collect()
}

/// Why a resource will not be ready after its steps, if that is so.
fn unready(world: &World<'_>, part: &Part) -> Option<String> {
    obstacle(&part.draft.notes).or_else(|| {
        // Steps wait for health themselves; without any, it may still be on its way.
        let (_, index) = world.host(&part.host).filter(|_| part.draft.steps.is_empty())?;
        let id = part.id.to_string();
        let starting = index.owned(&id).iter().find(|container| {
            container.state.status == ContainerStatus::Running
                && container.state.health == Some(HealthStatus::Starting)
        })?;
        Some(format!("the health check of container {} has not passed yet", starting.name))
    })
}

/// The first note that keeps a resource from being ready. What it no longer wants doesn't.
fn obstacle(notes: &[Note]) -> Option<String> {
    let note = notes.iter().find(|note| {
        let is_about_leftovers = note.class == Some(Class::Drift(DriftClass::ExtraOwned));
        !is_about_leftovers
            && matches!(
                note.kind,
                NoteKind::Held
                    | NoteKind::Blocked
                    | NoteKind::Unknown
                    | NoteKind::NeedsDecision
                    | NoteKind::Contended
                    | NoteKind::Stalled
                    | NoteKind::Refused
                    | NoteKind::Unhealthy
            )
    })?;
    Some(match &note.subject {
        Some(subject) => format!("{subject} {}", note.text),
        None => note.text.clone(),
    })
}
