//! Whether a container that is as asked for also does what it should, and how it is brought to run.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use chrono::TimeDelta;

use super::container::{Decision, Situation};
use super::{MANUAL_STOP_MINUTES, operations};
use crate::engine::observe::{ContainerFacts, ContainerStatus, HealthStatus};
use crate::engine::operation::{EngineOperation, Target};
use crate::model::change::{Action, Class, DriftClass, Risk};
use crate::model::note::{Note, NoteKind};

/// Why and how a container is brought to run, when it does not.
pub(super) fn start_operations(
    situation: &Situation<'_, '_>,
    current: &ContainerFacts,
    name: &str,
) -> Option<(String, Vec<EngineOperation>)> {
    let Situation { request, wanted, .. } = *situation;
    if !situation.starts() {
        return None;
    }
    let start = || operations::start(request, wanted, name, Target::Id(current.id.clone()));
    let state = &current.state;
    match state.status {
        ContainerStatus::Created => Some(("never started".to_owned(), start())),
        ContainerStatus::Exited if completed(situation, current) => None,
        ContainerStatus::Exited if state.oom_killed => Some(("killed: out of memory".to_owned(), start())),
        ContainerStatus::Exited if current.stopped_by_hand.is_some() => {
            Some((format!("stopped by hand over {MANUAL_STOP_MINUTES} minutes ago"), start()))
        }
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
    let name = &situation.wanted.service.name;
    let is_meant_to = situation.request.lookup.has_to_end(name) || situation.wanted.may_complete();
    current.state.exit_code == 0 && is_meant_to && current.stopped_by_hand.is_none()
}

/// A replica that is as asked for: does it do what it should?
pub(super) fn state(situation: &Situation<'_, '_>, current: &ContainerFacts, decision: &mut Decision) {
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
    if let Some((cause, operations)) = start_operations(situation, current, &current.name) {
        let never_ran = current.state.status == ContainerStatus::Created;
        let drift = DriftClass::State;
        let class = match never_ran {
            _ if situation.request.was_not_to_run() => Class::Change,
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
pub(super) fn hold_if_stopped_by_hand(
    situation: &Situation<'_, '_>,
    current: &ContainerFacts,
    decision: &mut Decision,
) {
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
