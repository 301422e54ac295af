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

pub(super) fn extra_network(situation: &Situation<'_, '_>, network: &str, asked: bool) -> Note {
    let field = FieldDiff {
        field: format!("networks.{network}"),
        before: Some("attached".to_owned()),
        after: None,
        secret: false,
    };
    let class = if asked { Class::Change } else { Class::Drift(DriftClass::OrphanUnowned) };
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

/// Limits, networks and the name, put right without a new container.
pub(super) fn in_place(
    situation: &Situation<'_, '_>,
    current: &ContainerFacts,
    found: &Comparison,
    networks: &AttachmentDiff<'_>,
) -> Option<DraftStep<EngineOperation>> {
    let Situation { request, wanted, slot, .. } = *situation;
    let target = Target::Id(current.id.clone());
    let mut operations = Vec::new();
    let mut causes = found.causes.clone();
    let mut class = found.class;
    let mut fields = found.fields.clone();
    let mut risk = Risk::None;
    if !found.fields.is_empty() {
        operations.push(operations::update(wanted, &found.fields, target.clone()));
    }
    if networks.lacks_something() {
        causes.push(match networks.missing.is_empty() {
            false => "cut off from a network".to_owned(),
            true => "networks".to_owned(),
        });
        class = class.or(Some(Class::Drift(DriftClass::Spec)));
        fields.extend(networks.fields.clone());
        for attachment in &networks.different {
            let (network, container) = (attachment.network.clone(), target.clone());
            operations.push(EngineOperation::DisconnectNetwork { network, container });
            risk = Risk::Downtime;
        }
        for attachment in networks.different.iter().chain(&networks.missing) {
            operations.push(operations::connect(request, wanted.service, slot.number, attachment, &target));
        }
    }
    if current.name != slot.name {
        let drift = request.class_if_applied(&situation.subject(), &wanted.spec_hash, DriftClass::Identity);
        // What only a crash can have left is ours to finish; a name that a person gave is reported by default.
        let is_ours_to_finish = situation.slot.unfinished.iter().any(|one| one.id == current.id);
        class = class.or(Some(if is_ours_to_finish { Class::Change } else { drift }));
        causes.push(if is_ours_to_finish {
            "an unfinished recreation".to_owned()
        } else {
            "name".to_owned()
        });
        fields.push(FieldDiff {
            field: "name".to_owned(),
            before: Some(current.name.clone()),
            after: Some(slot.name.clone()),
            secret: false,
        });
        operations.push(operations::rename(target, &slot.name));
    }
    let mut step = situation.step(Action::Update, class?, causes.join(", "), risk);
    step.downtime_seconds = step.downtime_seconds.map(|_| 1);
    step.fields = fields;
    // What is put right in place may have stopped as well.
    if let Some((_, start)) = start_operations(situation, current) {
        operations.extend(start);
    }
    step.operations = operations;
    Some(step)
}
