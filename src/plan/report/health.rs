//! How the containers of a resource are: each of them, and whether all that should run is well.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use super::{ConditionReport, ContainerReport, LEFT, View, answer, message, obstacle};
use crate::desired::state::DesiredState;
use crate::engine::labels;
use crate::engine::observe::{ContainerFacts, ContainerStatus, HealthStatus};
use crate::model::change::{Class, DriftClass};
use crate::model::condition::{ConditionType, Reason, Status};
use crate::model::id::{Kind, ResourceId};
use crate::model::known::Known;
use crate::model::note::{Note, NoteKind};
use crate::observed::observation::Observation;
use crate::plan::policy::verb;
use crate::plan::step::{Action, Step, SubjectKind};
use crate::skills::environment::render::APPLICATION_SERVICE;
use crate::skills::environment::spec::RunState;

/// Whether what runs is well; what was never made is not.
pub(super) fn healthy(
    view: &View<'_>,
    desired: &DesiredState,
    observed: &Observation,
    containers: &[ContainerReport],
) -> ConditionReport {
    let kind = ConditionType::Healthy;
    if !view.resource.desired {
        return answer(kind, Status::Unknown, Reason::LeftDesiredState, LEFT);
    }
    if let Some(unknown) = desired.unknown(&view.resource.id) {
        return answer(kind, Status::Unknown, Reason::Unobserved, unknown.why.clone());
    }
    if view.resource.id.kind == Kind::AddonsLayout {
        return layout(view, observed);
    }
    let host = desired.host_of(&view.resource.id);
    let engine = host.and_then(|host| observed.hosts.get(host));
    if view.resource.id.kind != Kind::Repository && !matches!(engine, Some(Known::Known(_))) {
        return answer(kind, Status::Unknown, Reason::Unobserved, "the engine could not be read");
    }
    let probes = probes(observed, &view.resource.id);
    if let Some(note) = view.note(&[NoteKind::Unhealthy]) {
        let text = if probes.is_empty() { message(note) } else { format!("{} ({probes})", message(note)) };
        return answer(kind, Status::False, Reason::Unhealthy, text);
    }
    let down = |step: &&&Step| {
        step.subject.kind == SubjectKind::Container && matches!(step.action, Action::Create | Action::Start)
    };
    if let Some(step) = view.steps.iter().find(down) {
        return answer(kind, Status::False, Reason::Unhealthy, format!("{} does not run", step.subject));
    }
    let stopped = view
        .resource
        .notes
        .iter()
        .find(|note| matches!(note.class, Some(Class::Drift(DriftClass::State | DriftClass::Missing))));
    if let Some(note) = stopped {
        return answer(kind, Status::False, Reason::Unhealthy, message(note));
    }
    if let Some(note) = view.resource.notes.iter().find(|note| is_held_back(note, containers)) {
        // It is not ill: it was never made, and this is why.
        let reason = match view.pause() {
            Some(_) => Reason::SuspendedBySpec,
            None => obstacle(note).unwrap_or(Reason::Unhealthy),
        };
        return answer(kind, Status::False, reason, message(note));
    }
    let is_there = |note: &Note| {
        let name = note.subject.as_ref().filter(|subject| subject.kind == SubjectKind::Container);
        name.is_none_or(|subject| containers.iter().any(|container| container.name == subject.name))
    };
    let unknown = view.resource.notes.iter().find(|note| note.kind == NoteKind::Unknown && !is_there(note));
    if let Some(note) = unknown {
        return answer(kind, Status::Unknown, Reason::Unobserved, message(note));
    }
    if let Some(container) = containers.iter().find(|one| one.health.as_deref() == Some("starting")) {
        let text = format!("container {}: its health check has not passed yet", container.name);
        return answer(kind, Status::Unknown, Reason::WaitingForHealth, text);
    }
    match application(desired, &view.resource.id) {
        Some((RunState::Started, name)) if !runs(containers, &name) => {
            let reason = view.resource.notes.iter().find_map(obstacle).unwrap_or(Reason::Unhealthy);
            answer(kind, Status::False, reason, format!("container {name} does not run"))
        }
        Some((RunState::Stopped, _)) => {
            answer(kind, Status::True, Reason::InSync, "stopped, as its document says")
        }
        Some((RunState::Absent, _)) => {
            answer(kind, Status::True, Reason::InSync, "absent, as its document says")
        }
        Some((RunState::Started, _)) | None => answer(kind, Status::True, Reason::InSync, probes),
    }
}

/// How the application of an Environment that is ours is to be, and its container's name.
fn application(desired: &DesiredState, id: &ResourceId) -> Option<(RunState, String)> {
    let environment = desired.environments.get(&id.name).filter(|_| id.kind == Kind::Environment)?;
    let spec = &environment.resource.spec;
    spec.adopt.is_none().then(|| (spec.run, format!("{}-{APPLICATION_SERVICE}-1", id.name)))
}

fn runs(containers: &[ContainerReport], name: &str) -> bool {
    containers.iter().any(|container| container.name == name && container.state == "running")
}

/// A layout is well when its checks could be made and none of them asks for anybody; how many there are is said.
fn layout(view: &View<'_>, observed: &Observation) -> ConditionReport {
    let kind = ConditionType::Healthy;
    let facts = observed.layouts.get(&view.resource.id.name).and_then(Known::known);
    let Some(count) = facts.and_then(|facts| facts.count) else {
        let why = view.note(&[NoteKind::Unknown, NoteKind::Blocked]).map(message);
        return answer(
            kind,
            Status::Unknown,
            Reason::Unobserved,
            why.unwrap_or_else(|| "not checked".to_owned()),
        );
    };
    let text = format!(
        "{} checks ok, {} drift, {} conflict, {} unknown",
        count.ok, count.drift, count.conflict, count.unknown
    );
    match count.drift + count.conflict {
        0 => answer(kind, Status::True, Reason::InSync, text),
        _ => answer(kind, Status::False, Reason::DriftReported, text),
    }
}

/// What the probes of an Environment answered; empty for everything else.
fn probes(observed: &Observation, id: &ResourceId) -> String {
    let facts = observed.environments.get(&id.name).filter(|_| id.kind == Kind::Environment);
    let probes = facts.into_iter().flat_map(|facts| &facts.probes);
    probes.map(|probe| format!("{}: {}", probe.name, probe.answer)).collect::<Vec<_>>().join("; ")
}

/// Whether a note is about a container that is wanted and was not made or started, for whatever reason.
fn is_held_back(note: &Note, containers: &[ContainerReport]) -> bool {
    let subject = note.subject.as_ref().filter(|subject| subject.kind == SubjectKind::Container);
    let Some(subject) = subject.filter(|_| note.class == Some(Class::Change)) else { return false };
    let found = containers.iter().find(|container| container.name == subject.name);
    found.is_none() || note.text.starts_with(&format!("{}:", verb(Action::Start)))
}

/// The containers that a stack made, whatever became of them.
pub(super) fn containers(
    desired: &DesiredState,
    observed: &Observation,
    id: &ResourceId,
) -> Vec<ContainerReport> {
    let runs = matches!(id.kind, Kind::Stack | Kind::Environment);
    let host = desired.host_of(id).filter(|_| runs);
    let facts = host.and_then(|host| observed.hosts.get(host)).and_then(Known::known);
    let text = id.to_string();
    let own = facts.into_iter().flat_map(|facts| &facts.containers);
    let mut reports: Vec<ContainerReport> = own
        .filter(|container| container.labels.get(labels::RESOURCE) == Some(&text))
        .map(container_report)
        .collect();
    reports.sort_by(|a, b| a.name.cmp(&b.name));
    reports
}

fn container_report(container: &ContainerFacts) -> ContainerReport {
    let state = match container.state.status {
        ContainerStatus::Created => "created".to_owned(),
        ContainerStatus::Running => "running".to_owned(),
        ContainerStatus::Paused => "paused".to_owned(),
        ContainerStatus::Restarting => format!("restarting ({})", container.state.exit_code),
        ContainerStatus::Exited => format!("exited ({})", container.state.exit_code),
        ContainerStatus::Removing => "removing".to_owned(),
        ContainerStatus::Dead => "dead".to_owned(),
    };
    let health = container.state.health.filter(|_| container.state.status == ContainerStatus::Running);
    ContainerReport {
        name: container.name.clone(),
        service: container.labels.get(labels::COMPOSE_SERVICE).cloned().unwrap_or_default(),
        state,
        health: health.map(|health| {
            match health {
                HealthStatus::Starting => "starting",
                HealthStatus::Healthy => "healthy",
                HealthStatus::Unhealthy => "unhealthy",
            }
            .to_owned()
        }),
        image: container.image.clone(),
        image_id: container.image_id.clone(),
    }
}
