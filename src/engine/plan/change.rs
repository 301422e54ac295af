//! How a container that differs becomes what is wanted: by a new one, or in place when that is possible.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use super::attachments::AttachmentDiff;
use super::compare::Comparison;
use super::container::Situation;
use super::operations;
use super::state::start_operations;
use crate::engine::observe::{ContainerFacts, ContainerStatus};
use crate::engine::operation::{EngineOperation, Target};
use crate::model::change::{Action, Class, DriftClass, FieldDiff, Risk};
use crate::model::draft::DraftStep;
use crate::model::note::{Note, NoteKind};

/// How long a container is cut off while it is attached again, in seconds.
const RECONNECTION_SECONDS: u64 = 1;

pub(super) fn extra_network(situation: &Situation<'_, '_>, network: &str) -> Note {
    let field = FieldDiff {
        field: format!("networks.{network}"),
        before: Some("attached".to_owned()),
        after: None,
        secret: false,
    };
    let class = Class::Drift(DriftClass::OrphanUnowned);
    let text = format!("attached to network `{network}` by others: left so");
    let mut note = Note::difference(NoteKind::Reported, situation.subject(), class, text);
    note.fields.push(field);
    note
}

/// A new container, when that is the only way.
pub(super) fn replacement(
    situation: &Situation<'_, '_>,
    current: &ContainerFacts,
    found: &Comparison,
    networks: &AttachmentDiff<'_>,
) -> Option<DraftStep<EngineOperation>> {
    let Situation { request, wanted, slot, .. } = *situation;
    let is_dead = current.state.status == ContainerStatus::Dead;
    let networks_asked = found.asked && (networks.lacks_something() || !networks.extra.is_empty());
    let networks_gone = !networks.stale.is_empty();
    let own_class = found.class.filter(|_| !found.updatable);
    let mut causes = found.causes.clone();
    let mut classes: Vec<Class> = own_class.into_iter().collect();
    if networks_asked {
        causes.retain(|cause| cause != "network_mode");
        causes.push("networks".to_owned());
        classes.push(Class::Change);
    } else if networks_gone {
        causes.push("a network was replaced".to_owned());
        classes.push(Class::Drift(DriftClass::Spec));
    }
    if is_dead {
        causes.push("dead".to_owned());
        classes.push(Class::Drift(DriftClass::State));
    }
    if situation.rebuilt {
        causes.push("its image is built again".to_owned());
        classes.push(Class::Change);
    }
    if let Some(forced) = &situation.forced {
        causes.push(forced.cause.clone());
        classes.push(forced.class);
    }
    let class = classes.into_iter().min()?;
    let risk = if operations::is_up(current) { Risk::Downtime } else { Risk::None };
    let mut step = situation.step(Action::Recreate, class, causes.join(", "), risk);
    step.fields = found.fields.clone();
    if networks_asked || networks_gone {
        // The mode names the first of the networks, which are told one by one.
        step.fields.retain(|field| field.field != "network_mode");
        step.fields.extend(networks.fields.clone());
        step.fields.extend(networks.extra.iter().filter(|_| networks_asked).map(|network| FieldDiff {
            field: format!("networks.{network}"),
            before: Some("attached".to_owned()),
            after: None,
            secret: false,
        }));
    }
    step.operations = operations::replace(request, wanted, slot, current);
    step.operations.extend(situation.start_by_name());
    Some(step)
}

/// Limits, networks and a name of ours, put right without a new container.
pub(super) fn in_place(
    situation: &Situation<'_, '_>,
    current: &ContainerFacts,
    found: &Comparison,
    networks: &AttachmentDiff<'_>,
) -> Option<DraftStep<EngineOperation>> {
    let target = Target::Id(current.id.clone());
    let mut step = situation.step(Action::Update, Class::Change, "", Risk::None);
    let mut causes = found.causes.clone();
    let mut classes: Vec<Class> = found.class.into_iter().collect();
    step.fields = found.fields.clone();
    if !found.fields.is_empty() {
        step.operations.push(operations::update(situation.wanted, &found.fields, target.clone()));
    }
    let renames = rename_of(situation, current).filter(|(class, _)| *class == Class::Change);
    if networks.lacks_something() {
        causes.push(match networks.missing.is_empty() {
            false => "cut off from a network".to_owned(),
            true => "networks".to_owned(),
        });
        classes.push(Class::Drift(DriftClass::Spec));
        attach_again(situation, networks, &target, &mut step);
    }
    if let Some((class, cause)) = &renames {
        causes.push((*cause).to_owned());
        classes.push(*class);
        step.fields.push(name_field(situation, current));
        step.operations.push(operations::rename(target, &situation.slot.name));
    }
    step.class = classes.into_iter().min()?;
    step.cause = causes.join(", ");
    // What is put right in place may have stopped as well.
    let name = if renames.is_some() { &situation.slot.name } else { &current.name };
    if let Some((_, start)) = start_operations(situation, current, name) {
        step.operations.extend(start);
    }
    Some(step)
}

fn attach_again(
    situation: &Situation<'_, '_>,
    networks: &AttachmentDiff<'_>,
    target: &Target,
    step: &mut DraftStep<EngineOperation>,
) {
    let Situation { request, wanted, slot, .. } = *situation;
    step.fields.extend(networks.fields.clone());
    for attachment in &networks.different {
        let (network, container) = (attachment.network.clone(), target.clone());
        step.operations.push(EngineOperation::DisconnectNetwork { network, container });
        step.risk = Risk::Downtime;
        step.downtime_seconds = Some(RECONNECTION_SECONDS);
    }
    for attachment in networks.different.iter().chain(&networks.missing) {
        step.operations.push(operations::connect(request, wanted.service, slot.number, attachment, target));
    }
}

/// Why a container has another name than its final one, and whether that was asked for: what a crash left, and a
/// new `container_name`, are; a name that a person gave is not.
fn rename_of(situation: &Situation<'_, '_>, current: &ContainerFacts) -> Option<(Class, &'static str)> {
    if current.name == situation.slot.name {
        return None;
    }
    if situation.slot.unfinished.iter().any(|one| one.id == current.id) {
        return Some((Class::Change, "an unfinished recreation"));
    }
    let Situation { request, wanted, .. } = situation;
    Some((request.class_if_applied(&situation.subject(), &wanted.spec_hash, DriftClass::Identity), "name"))
}

fn name_field(situation: &Situation<'_, '_>, current: &ContainerFacts) -> FieldDiff {
    FieldDiff {
        field: "name".to_owned(),
        before: Some(current.name.clone()),
        after: Some(situation.slot.name.clone()),
        secret: false,
    }
}

/// Takes back a name that a person gave; done last, because by default it is only reported.
pub(super) fn rename_back(
    situation: &Situation<'_, '_>,
    current: &ContainerFacts,
) -> Option<DraftStep<EngineOperation>> {
    let (class, cause) = rename_of(situation, current)?;
    let mut step = situation.step(Action::Update, class, cause, Risk::None);
    step.fields.push(name_field(situation, current));
    step.operations.push(operations::rename(Target::Id(current.id.clone()), &situation.slot.name));
    Some(step)
}
