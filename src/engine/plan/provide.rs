//! What a step on a container stands on: its image, its files, external things, and the services before it.
//!
//! What can't be had turns the step into a note.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use std::collections::HashMap;

use super::container::Decision;
use super::images::{ImageNeed, Images};
use super::services::Outcome;
use super::wanted::Wanted;
use super::{ProjectRequest, Surroundings, covers};
use crate::engine::observe::{ContainerStatus, HealthStatus};
use crate::engine::operation::EngineOperation;
use crate::engine::spec::{DependencyCondition, DependencySpec};
use crate::model::change::{Class, Subject};
use crate::model::known::Known;
use crate::model::note::{Note, NoteKind};

pub(super) fn provide_image<'a>(
    request: &ProjectRequest<'a>,
    wanted: &Wanted<'a>,
    images: &mut Images<'a>,
    decision: &mut Decision,
) {
    if !decision.creates {
        return;
    }
    let class = decision.step.as_ref().map_or(Class::Change, |step| step.class);
    match images.need(request, wanted, class) {
        ImageNeed::There => {}
        ImageNeed::Made(subject) => {
            if let Some(step) = &mut decision.step {
                step.needs.push(subject);
            }
        }
        ImageNeed::Blocked(why) => drop_step(decision, NoteKind::Blocked, &why, false),
        ImageNeed::Unknown(why) => drop_step(decision, NoteKind::Unknown, &why, true),
    }
}

/// A container that mounts files of the checkout is made when the checkout is where it should be.
pub(super) fn provide_files(request: &ProjectRequest<'_>, wanted: &Wanted<'_>, decision: &mut Decision) {
    let Some(step) = decision.step.as_mut().filter(|_| decision.creates) else { return };
    step.needs.extend(request.files.moving.clone());
    let of_repository = wanted.service.files.iter().filter(|file| file.follows_code);
    let paths: Vec<&str> = of_repository.map(|file| file.host_path.as_str()).collect();
    if let Some(why) = request.files.blocked.as_ref().filter(|_| !paths.is_empty()) {
        return drop_step(decision, NoteKind::Blocked, why, false);
    }
    let dirty = request.files.dirty.iter().find(|file| paths.iter().any(|mounted| covers(mounted, file)));
    if let Some(file) = dirty {
        let why = format!("`{file}` was changed by others; commit or undo that first");
        return drop_step(decision, NoteKind::Blocked, &why, false);
    }
    let missing = wanted.service.files.iter().filter(|file| file.digest.is_none()).find(|file| {
        let facts = request.facts.files.get(&file.host_path);
        matches!(facts, Some(Known::Known(None)))
    });
    if let Some(file) = missing {
        let why =
            format!("`{}` doesn't exist on the host; the engine would make a folder of it", file.host_path);
        drop_step(decision, NoteKind::Blocked, &why, false);
    }
}

/// The networks and named volumes that a container stands on.
pub(super) fn stands_on(wanted: &Wanted<'_>) -> impl Iterator<Item = Subject> {
    let networks =
        wanted.service.attachments.iter().map(|attachment| Subject::network(attachment.network.clone()));
    networks.chain(super::volumes::mounted_names(&wanted.fields).map(Subject::volume))
}

/// A container can't be made or attached while an external network or volume of it doesn't exist.
pub(super) fn provide_external(surroundings: &Surroundings, wanted: &Wanted<'_>, decision: &mut Decision) {
    if surroundings.unavailable.is_empty() || decision.step.is_none() {
        return;
    }
    let missing = stands_on(wanted).find(|subject| surroundings.unavailable.contains_key(subject));
    if let Some(subject) = missing {
        drop_step(decision, NoteKind::Blocked, &format!("waits for external {subject}"), false);
    }
}

/// Replaces a step by a note that says why not.
fn drop_step(decision: &mut Decision, kind: NoteKind, why: &str, incomplete: bool) {
    decision.creates = false;
    decision.incomplete |= incomplete;
    decision.stuck = Some(why.to_owned());
    if let Some(step) = decision.step.take() {
        let mut note = Note::difference(kind, step.subject, step.class, why.to_owned());
        note.fields = step.fields;
        decision.notes.retain(|other| (other.kind, &other.text) != (note.kind, &note.text));
        decision.notes.push(note);
    }
}

/// Adds what has to be so before the step's start, and the waits for what is not so yet.
pub(super) fn provide_dependencies(
    request: &ProjectRequest<'_>,
    wanted: &Wanted<'_>,
    outcomes: &HashMap<&str, Outcome>,
    decision: &mut Decision,
) {
    if decision.step.is_none() {
        return;
    }
    let mut waits = Vec::new();
    for share in &wanted.service.shares {
        let Some(other) = outcomes.get(share.service.as_str()) else { continue };
        if let Some(why) = &other.stuck {
            return drop_step(
                decision,
                NoteKind::Blocked,
                &format!("waits for service `{}`: {why}", share.service),
                false,
            );
        }
        if let Some(step) = &mut decision.step {
            step.needs.extend(other.stepping.iter().cloned());
        }
    }
    let starts = decision.step.as_ref().is_some_and(|step| {
        let is_start = |operation: &EngineOperation| {
            matches!(
                operation,
                EngineOperation::StartContainer { .. } | EngineOperation::RestartContainer { .. }
            )
        };
        step.operations.iter().any(is_start)
    });
    for dependency in wanted.service.depends_on.iter().filter(|_| starts) {
        let Some(other) = outcomes.get(dependency.service.as_str()) else { continue };
        let unsatisfied: Vec<&String> = other
            .names
            .iter()
            .map(|(_, live)| live)
            .filter(|live| !is_satisfied(request, live, dependency))
            .collect();
        if let Some(why) = other.stuck.as_ref().filter(|_| dependency.required && !unsatisfied.is_empty()) {
            let why = format!("waits for service `{}`: {why}", dependency.service);
            return drop_step(decision, NoteKind::Blocked, &why, false);
        }
        let Some(step) = &mut decision.step else { return };
        if !dependency.required {
            step.after.extend(other.stepping.iter().cloned());
            continue;
        }
        step.needs.extend(other.stepping.iter().cloned());
        let timeout = timeout_of(request, dependency);
        let is_stepping = |name: &String| other.stepping.iter().any(|subject| subject.name == *name);
        let awaited =
            other.names.iter().filter(|(name, live)| unsatisfied.contains(&live) || is_stepping(name));
        for (_, live) in awaited {
            waits.push(EngineOperation::Wait {
                container: live.clone(),
                condition: dependency.condition.into(),
                timeout,
            });
        }
    }
    if let Some(step) = &mut decision.step {
        insert_before_start(&mut step.operations, waits);
    }
}

/// Waits come right before the start, so that what is slow about a replacement is done meanwhile; but a running
/// container is not taken away before what the new one needs is there.
fn insert_before_start(operations: &mut Vec<EngineOperation>, waits: Vec<EngineOperation>) {
    let begins_outage = |operation: &EngineOperation| {
        matches!(
            operation,
            EngineOperation::StopContainer { .. }
                | EngineOperation::StartContainer { .. }
                | EngineOperation::RestartContainer { .. }
        )
    };
    let at = operations.iter().position(begins_outage).unwrap_or(0);
    operations.splice(at..at, waits);
}

fn timeout_of(request: &ProjectRequest<'_>, dependency: &DependencySpec) -> std::time::Duration {
    let other = request.lookup.service(&dependency.service);
    other.map_or(super::WAIT_DEFAULT, |service| service.health_timeout)
}

/// Whether a container is already what a dependent needs it to be.
fn is_satisfied(request: &ProjectRequest<'_>, name: &str, dependency: &DependencySpec) -> bool {
    let Some(container) = request.index.container(name) else { return false };
    let state = &container.state;
    match dependency.condition {
        DependencyCondition::Started => {
            let ended_well = state.status == ContainerStatus::Exited && state.exit_code == 0;
            state.status == ContainerStatus::Running || ended_well
        }
        DependencyCondition::Healthy => {
            state.status == ContainerStatus::Running && state.health == Some(HealthStatus::Healthy)
        }
        DependencyCondition::CompletedSuccessfully => {
            state.status == ContainerStatus::Exited && state.exit_code == 0
        }
    }
}
