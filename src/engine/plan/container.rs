//! What is done about one replica of a service.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use chrono::TimeDelta;

use super::attachments::{self, AttachmentDiff};
use super::compare::{Comparison, compare};
use super::slots::Slot;
use super::wanted::Wanted;
use super::{MANUAL_STOP_MINUTES, ProjectRequest, Running, conflicts, operations};
use crate::engine::labels;
use crate::engine::observe::{ContainerFacts, ContainerStatus, HealthStatus};
use crate::engine::operation::{EngineOperation, Target};
use crate::model::change::{Action, Class, DriftClass, FieldDiff, Risk, Subject};
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
    fn subject(&self) -> Subject {
        Subject::container(self.slot.name.clone())
    }

    fn step(
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
            fingerprint: String::new(),
            operations: Vec::new(),
        }
    }

    fn starts(&self) -> bool {
        self.request.running == Running::Started
    }

    fn start_by_name(&self) -> Vec<EngineOperation> {
        if !self.starts() {
            return Vec::new();
        }
        operations::start(self.request, self.wanted, self.slot, Target::Name(self.slot.name.clone()))
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
    let mut step = situation.step(Action::Recreate, Class::Change, "an unfinished recreation", risk);
    step.operations = operations;
    Decision { step: Some(step), ..Decision::default() }
}

/// A replica that exists: compared, then its state.
fn keep(situation: &Situation<'_, '_>, current: &ContainerFacts, cleared: Vec<EngineOperation>) -> Decision {
    let Situation { request, wanted, slot, .. } = *situation;
    if current.state.status == ContainerStatus::Removing {
        return situation.stuck(NoteKind::Blocked, None, "the engine is removing it".to_owned());
    }
    let found = compare(request, wanted, current);
    let networks = attachments::compare(request, wanted, slot.number, current);
    let mut decision = Decision::default();
    for why in &found.unknown {
        decision.notes.push(Note::new(NoteKind::Unknown, Some(situation.subject()), why.clone()));
        decision.incomplete = true;
    }
    for network in &networks.extra {
        decision.notes.push(extra_network(situation, network, found.asked));
    }
    decision.step = replacement(situation, current, &found, &networks)
        .or_else(|| in_place(situation, current, &found, &networks));
    decision.creates = decision.step.as_ref().is_some_and(|step| step.action == Action::Recreate);
    if decision.step.is_none() {
        state(situation, current, &mut decision);
    }
    if let Some(step) = &mut decision.step
        && step.fields.is_empty()
    {
        step.fields = found.fields.clone();
    }
    clear_first(situation, &mut decision, cleared);
    hold_if_stopped_by_hand(situation, current, &mut decision);
    if decision.step.is_some()
        && !operations::is_up(current)
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

fn extra_network(situation: &Situation<'_, '_>, network: &str, asked: bool) -> Note {
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
fn replacement(
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
fn in_place(
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

/// Why and how a container is brought to run, when it does not.
fn start_operations(
    situation: &Situation<'_, '_>,
    current: &ContainerFacts,
) -> Option<(String, Vec<EngineOperation>)> {
    let Situation { request, wanted, slot, .. } = *situation;
    if !situation.starts() {
        return None;
    }
    let start = || operations::start(request, wanted, slot, Target::Id(current.id.clone()));
    let state = &current.state;
    match state.status {
        ContainerStatus::Created => Some(("never started".to_owned(), start())),
        ContainerStatus::Exited if completed(situation, current) => None,
        ContainerStatus::Exited if state.oom_killed => Some(("killed: out of memory".to_owned(), start())),
        ContainerStatus::Exited => Some((format!("exited ({})", state.exit_code), start())),
        ContainerStatus::Paused => {
            let container = Target::Id(current.id.clone());
            Some(("paused".to_owned(), vec![EngineOperation::UnpauseContainer { container }]))
        }
        ContainerStatus::Running
        | ContainerStatus::Restarting
        | ContainerStatus::Removing
        | ContainerStatus::Dead => None,
    }
}

/// Whether a container that ended did what it is for; one that a person stopped did not.
fn completed(situation: &Situation<'_, '_>, current: &ContainerFacts) -> bool {
    current.state.exit_code == 0 && situation.wanted.may_complete() && current.stopped_by_hand.is_none()
}

/// A replica that is as asked for: does it do what it should?
fn state(situation: &Situation<'_, '_>, current: &ContainerFacts, decision: &mut Decision) {
    if !situation.starts() {
        if operations::is_up(current) {
            let mut step = situation.step(Action::Stop, Class::Change, "run: stopped", Risk::Downtime);
            step.downtime_seconds = None;
            step.operations = vec![EngineOperation::StopContainer {
                container: Target::Id(current.id.clone()),
                grace: situation.wanted.service.stop_grace_period,
            }];
            decision.step = Some(step);
        }
        return;
    }
    let unhealthy = |text: &str| Note::new(NoteKind::Unhealthy, Some(situation.subject()), text);
    match (current.state.status, current.state.health) {
        (ContainerStatus::Restarting, _) => decision.notes.push(unhealthy(&format!(
            "ends and is restarted again and again (last exit code {})",
            current.state.exit_code
        ))),
        (ContainerStatus::Running, Some(HealthStatus::Unhealthy)) => {
            decision.notes.push(unhealthy("its health check fails"));
        }
        _ => {}
    }
    if let Some((cause, operations)) = start_operations(situation, current) {
        let never_ran = current.state.status == ContainerStatus::Created;
        let drift = DriftClass::State;
        let class = match never_ran {
            true => {
                situation.request.class_if_applied(&situation.subject(), &situation.wanted.spec_hash, drift)
            }
            false => Class::Drift(drift),
        };
        let mut step = situation.step(Action::Start, class, cause, Risk::None);
        step.operations = operations;
        decision.step = Some(step);
    }
}

/// A person's stop is honoured for a while, unless a newer specification asks for more than a start.
fn hold_if_stopped_by_hand(situation: &Situation<'_, '_>, current: &ContainerFacts, decision: &mut Decision) {
    let Some(stopped) = current.stopped_by_hand else { return };
    let until = stopped + TimeDelta::minutes(MANUAL_STOP_MINUTES);
    let Some(step) = &decision.step else { return };
    if operations::is_up(current) || situation.request.now >= until || step.class == Class::Change {
        return;
    }
    let mut note = Note::difference(
        NoteKind::Held,
        situation.subject(),
        Class::Drift(DriftClass::State),
        "stopped by hand",
    );
    note.until = Some(until);
    note.fields = step.fields.clone();
    decision.notes.push(note);
    decision.stuck = Some(format!("`{}` was stopped by hand", situation.slot.name));
    decision.step = None;
    decision.creates = false;
}
