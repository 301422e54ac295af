//! What is done about one replica of a service.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use super::attachments;
use super::change::{extra_network, in_place, rename_back, replacement};
use super::compare::compare;
use super::slots::Slot;
use super::state::{hold_if_stopped_by_hand, state};
use super::wanted::Wanted;
use super::{ProjectRequest, Running, conflicts, operations};
use crate::engine::labels;
use crate::engine::observe::{ContainerFacts, ContainerStatus};
use crate::engine::operation::{EngineOperation, Target};
use crate::model::change::{Action, Class, DriftClass, Risk, Subject};
use crate::model::draft::DraftStep;
use crate::model::note::{Note, NoteKind};

/// What was decided about a replica.
#[derive(Debug, Default)]
pub(super) struct Decision {
    /// What is done, if anything.
    pub step: Option<DraftStep<EngineOperation>>,
    /// What is said.
    pub notes: Vec<Note>,
    /// Why nothing can be done about it, when that is so.
    pub stuck: Option<String>,
    /// Whether something needed could not be read.
    pub incomplete: bool,
    /// Whether the step makes a container from the image.
    pub creates: bool,
}

/// Why a replica gets a new container although its own fields may be equal.
#[derive(Debug, Clone)]
pub(super) struct Forced {
    /// `db is recreated`.
    pub cause: String,
    /// The class of the step that forces it.
    pub class: Class,
}

/// What is known of a replica's place beside itself.
pub(super) struct Situation<'s, 'a> {
    /// The request.
    pub request: &'s ProjectRequest<'a>,
    /// What its service asks for.
    pub wanted: &'s Wanted<'a>,
    /// The replica.
    pub slot: &'s Slot<'a>,
    /// A new container is needed for another's sake.
    pub forced: Option<Forced>,
    /// The image is built again.
    pub rebuilt: bool,
}

/// Decides about one replica.
pub(super) fn decide(situation: &Situation<'_, '_>) -> Decision {
    let mut decision = match (situation.slot.current, situation.slot.unfinished.as_slice()) {
        (None, []) => create(situation),
        (Some(current), []) => keep(situation, current, Vec::new()),
        (current, unfinished) => finish(situation, current, unfinished),
    };
    for copy in &situation.slot.copies {
        decision.notes.push(Note::difference(
            NoteKind::Reported,
            Subject::container(copy.name.clone()),
            Class::Drift(DriftClass::Identity),
            format!("has the labels of `{}`, but is not it: left alone", situation.slot.name),
        ));
    }
    decision
}

impl<'a> Situation<'_, 'a> {
    /// The container under its final name.
    pub fn subject(&self) -> Subject {
        Subject::container(self.slot.name.clone())
    }

    /// A step on the replica, without operations yet.
    pub fn step(
        &self,
        action: Action,
        class: Class,
        cause: impl Into<String>,
        risk: Risk,
    ) -> DraftStep<EngineOperation> {
        DraftStep {
            subject: self.subject(),
            action,
            class,
            cause: cause.into(),
            risk,
            downtime_seconds: (risk == Risk::Downtime).then(|| self.wanted.downtime_seconds()),
            fields: Vec::new(),
            needs: Vec::new(),
            after: Vec::new(),
            requires: Vec::new(),
            undo: Vec::new(),
            fingerprint: String::new(),
            operations: Vec::new(),
        }
    }

    /// Whether its containers are to run.
    pub fn starts(&self) -> bool {
        self.request.running == Running::Started
    }

    /// The start of a container that this step makes.
    pub fn start_by_name(&self) -> Vec<EngineOperation> {
        if !self.starts() {
            return Vec::new();
        }
        operations::start(self.request, self.wanted, &self.slot.name, Target::Name(self.slot.name.clone()))
    }

    fn stuck(&self, kind: NoteKind, class: Option<Class>, text: String) -> Decision {
        let note = Note { class, ..Note::new(kind, Some(self.subject()), text.clone()) };
        Decision { notes: vec![note], stuck: Some(text), ..Decision::default() }
    }
}

/// A replica of which nothing exists.
fn create(situation: &Situation<'_, '_>) -> Decision {
    let Situation { request, wanted, slot, .. } = *situation;
    let class = request.class_if_applied(&situation.subject(), &wanted.spec_hash, DriftClass::Missing);
    if let Some(other) = request.index.container(&slot.name) {
        return name_taken(situation, other);
    }
    if let Some(stuck) = port_taken(situation, &[]) {
        return stuck;
    }
    let mut step = situation.step(Action::Create, class, "missing", Risk::None);
    step.operations = operations::create(request, wanted, slot, &slot.name, None);
    step.operations.extend(situation.start_by_name());
    Decision { step: Some(step), creates: true, ..Decision::default() }
}

/// The wanted name is somebody's: ours when a service was renamed, otherwise a person has to decide.
fn name_taken(situation: &Situation<'_, '_>, other: &ContainerFacts) -> Decision {
    let Situation { request, wanted, slot, .. } = *situation;
    let label = |name: &str| other.labels.get(name).map(String::as_str);
    let is_ours = label(labels::RESOURCE) == Some(request.resource.to_string().as_str());
    let former = label(labels::COMPOSE_SERVICE).unwrap_or_default();
    let is_free =
        request.lookup.service(former).is_none() && !request.project.disabled_services.contains(former);
    if is_ours && is_free {
        let cause = format!("service `{former}` is now `{}`", wanted.service.name);
        let mut step = situation.step(Action::Recreate, Class::Change, cause, Risk::Downtime);
        step.operations = operations::replace(request, wanted, slot, other);
        step.operations.extend(situation.start_by_name());
        return Decision { step: Some(step), creates: true, ..Decision::default() };
    }
    let text = format!("the name is taken by a container {}: remove or rename it", conflicts::owner(other));
    situation.stuck(NoteKind::NeedsDecision, Some(Class::Drift(DriftClass::OrphanUnowned)), text)
}

fn port_taken(situation: &Situation<'_, '_>, except: &[&ContainerFacts]) -> Option<Decision> {
    let Situation { request, wanted, slot, .. } = *situation;
    if !situation.starts() {
        return None;
    }
    let own: Vec<&ContainerFacts> =
        except.iter().copied().chain(slot.current).chain(slot.unfinished.iter().copied()).collect();
    let (port, other) = conflicts::port_taken(request, wanted.service, &own)?;
    // A port that moves between services of one project is free once the other one is replaced.
    if conflicts::is_planned_here(request, other).is_some() {
        return None;
    }
    let text = format!("port {port} is taken by container `{}` {}", other.name, conflicts::owner(other));
    Some(situation.stuck(NoteKind::NeedsDecision, Some(Class::Drift(DriftClass::OrphanUnowned)), text))
}

/// A replica in the middle of a recreation: the new container is taken when it is what is wanted.
fn finish<'a>(
    situation: &Situation<'_, 'a>,
    current: Option<&'a ContainerFacts>,
    unfinished: &[&'a ContainerFacts],
) -> Decision {
    let Situation { request, wanted, slot, .. } = *situation;
    let is_wanted = |container: &&&ContainerFacts| {
        let found = compare(request, wanted, container);
        situation.forced.is_none() && !situation.rebuilt && found.is_equal() && found.unknown.is_empty()
    };
    let successor = unfinished.iter().find(is_wanted).copied();
    let others = unfinished.iter().filter(|one| successor.is_none_or(|taken| taken.id != one.id));
    let cleared: Vec<EngineOperation> =
        others.clone().flat_map(|one| operations::remove(one, wanted.service)).collect();
    let Some(successor) = successor else {
        let Some(current) = current else {
            // Only half-made ones, none of which is wanted: the first stands for the old container.
            let first = unfinished[0];
            let rest =
                unfinished[1..].iter().flat_map(|one| operations::remove(one, wanted.service)).collect();
            return keep(situation, first, rest);
        };
        return keep(situation, current, cleared);
    };
    let mut operations = cleared;
    if let Some(current) = current {
        operations.extend(operations::remove(current, wanted.service));
    }
    let target = Target::Id(successor.id.clone());
    let networks = attachments::compare(request, wanted, slot.number, successor);
    for attachment in networks.missing {
        operations.push(operations::connect(request, wanted.service, slot.number, attachment, &target));
    }
    if !wanted.service.injected.is_empty() && !operations::is_up(successor) {
        operations.push(EngineOperation::CopyFiles {
            container: target.clone(),
            targets: wanted.service.injected.iter().map(|file| file.target.clone()).collect(),
            files: wanted.service.injected.clone(),
        });
    }
    operations.push(operations::rename(target, &slot.name));
    if !operations::is_up(successor) {
        operations.extend(situation.start_by_name());
    }
    let risk = if current.is_some_and(operations::is_up) { Risk::Downtime } else { Risk::None };
    let action = if current.is_some() { Action::Recreate } else { Action::Update };
    let mut step = situation.step(action, Class::Change, "an unfinished recreation", risk);
    step.operations = operations;
    Decision { step: Some(step), ..Decision::default() }
}

/// A replica that exists: compared, then its state.
fn keep(situation: &Situation<'_, '_>, current: &ContainerFacts, cleared: Vec<EngineOperation>) -> Decision {
    let Situation { request, wanted, slot, .. } = *situation;
    if current.state.status == ContainerStatus::Removing {
        return situation.stuck(
            NoteKind::Blocked,
            Some(Class::Drift(DriftClass::State)),
            "the engine is removing it".to_owned(),
        );
    }
    let found = compare(request, wanted, current);
    let networks = attachments::compare(request, wanted, slot.number, current);
    let mut decision = Decision::default();
    for why in &found.unknown {
        decision.notes.push(Note::new(NoteKind::Unknown, Some(situation.subject()), why.clone()));
        decision.incomplete = true;
    }
    // What a newer specification takes away goes with the recreation.
    for network in networks.extra.iter().filter(|_| !found.asked) {
        decision.notes.push(extra_network(situation, network));
    }
    decision.step = replacement(situation, current, &found, &networks)
        .or_else(|| in_place(situation, current, &found, &networks));
    decision.creates = decision.step.as_ref().is_some_and(|step| step.action == Action::Recreate);
    if decision.step.is_none() {
        state(situation, current, &mut decision);
    }
    if decision.step.is_none() {
        decision.step = rename_back(situation, current);
    }
    if let Some(step) = &mut decision.step
        && step.fields.is_empty()
    {
        step.fields = found.fields.clone();
    }
    clear_first(situation, &mut decision, cleared);
    hold_if_stopped_by_hand(situation, current, &mut decision);
    // A container that runs is not taken away for one that could not start.
    if decision.step.is_some()
        && (decision.creates || !operations::is_up(current))
        && let Some(stuck) = port_taken(situation, &[current])
    {
        return stuck;
    }
    decision
}

/// What a crash left behind goes before anything else; alone when nothing else is to be done.
fn clear_first(situation: &Situation<'_, '_>, decision: &mut Decision, cleared: Vec<EngineOperation>) {
    if cleared.is_empty() {
        return;
    }
    match &mut decision.step {
        Some(step) => {
            step.operations.splice(0..0, cleared);
        }
        None => {
            let cause = "what an unfinished recreation left behind";
            let mut step = situation.step(Action::Update, Class::Change, cause, Risk::None);
            step.operations = cleared;
            decision.step = Some(step);
        }
    }
}
