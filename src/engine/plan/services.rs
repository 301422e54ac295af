//! The services of a project in the order of their dependencies: what one needs of another, and what follows
//! from another's replacement.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use std::collections::{BTreeMap, HashMap};

use super::container::{Decision, Forced, Situation, decide};
use super::images::{self, Images};
use super::leftovers;
use super::operations;
use super::provide::{provide_dependencies, provide_external, provide_files, provide_image, stands_on};
use super::slots::{Slot, slots};
use super::wanted::Wanted;
use super::{ProjectRequest, Running, Surroundings, conflicts};
use crate::engine::labels;
use crate::engine::observe::ContainerFacts;
use crate::engine::operation::{EngineOperation, Target};
use crate::engine::spec::ServiceSpec;
use crate::model::change::{Action, Class, DriftClass, Risk, Subject};
use crate::model::draft::{Draft, DraftStep};
use crate::model::note::{Note, NoteKind};

/// What was decided about a service, as those that depend on it need it.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// The final names of its replicas, and those under which they are found once their steps are done.
    pub names: Vec<(String, String)>,
    /// Replicas with a step, by their final names.
    pub stepping: Vec<Subject>,
    /// The class of the step that gives it a new container.
    replaced: Option<Class>,
    /// The class of the step that restarts it.
    restarted: Option<Class>,
    /// Why it can't be brought to what is wanted.
    pub stuck: Option<String>,
}

/// Plans all services of a project.
pub(super) fn plan(
    request: &ProjectRequest<'_>,
    surroundings: &Surroundings,
    draft: &mut Draft<EngineOperation>,
) {
    let owner = request.resource.to_string();
    let mut mine: HashMap<&str, Vec<&ContainerFacts>> = HashMap::new();
    for container in request.index.owned(&owner) {
        let project = container.labels.get(labels::COMPOSE_PROJECT);
        if let Some(service) = container.labels.get(labels::COMPOSE_SERVICE)
            && project.is_some_and(|project| *project == request.project.name)
        {
            mine.entry(service).or_default().push(container);
        }
    }
    let mut images = Images::default();
    let mut outcomes: HashMap<&str, Outcome> = HashMap::new();
    for service in in_order(&request.project.services) {
        let own = mine.get(service.name.as_str()).map_or(&[][..], Vec::as_slice);
        let outcome = plan_service(request, service, own, (surroundings, &outcomes), &mut images, draft);
        outcomes.insert(&service.name, outcome);
    }
    images.finish(request, draft);
    report_foreign(request, draft);
}

/// Services so that each comes after those it depends on; by name within that. A cycle, which loading refuses,
/// is cut where it is found.
fn in_order(services: &[ServiceSpec]) -> Vec<&ServiceSpec> {
    let by_name: HashMap<&str, &ServiceSpec> =
        services.iter().map(|service| (service.name.as_str(), service)).collect();
    let mut waiting: HashMap<&str, usize> = HashMap::new();
    let mut dependents: HashMap<&str, Vec<&str>> = HashMap::new();
    for service in services {
        let needed = needed_services(service);
        let needed: Vec<&str> = needed.into_iter().filter(|name| by_name.contains_key(name)).collect();
        waiting.insert(&service.name, needed.len());
        for name in needed {
            dependents.entry(name).or_default().push(&service.name);
        }
    }
    let mut ready: std::collections::BTreeSet<&str> =
        waiting.iter().filter(|(_, count)| **count == 0).map(|(name, _)| *name).collect();
    let mut order = Vec::with_capacity(services.len());
    while order.len() < services.len() {
        let next = ready.pop_first().or_else(|| waiting.keys().min().copied());
        let Some(name) = next else { break };
        if waiting.remove(name).is_none() {
            continue;
        }
        order.push(by_name[name]);
        for dependent in dependents.get(name).into_iter().flatten() {
            if let Some(count) = waiting.get_mut(dependent) {
                *count -= 1;
                if *count == 0 {
                    ready.insert(dependent);
                }
            }
        }
    }
    order
}

fn needed_services(service: &ServiceSpec) -> std::collections::BTreeSet<&str> {
    let dependencies = service.depends_on.iter().map(|dependency| dependency.service.as_str());
    dependencies.chain(service.shares.iter().map(|share| share.service.as_str())).collect()
}

fn plan_service<'a>(
    request: &ProjectRequest<'a>,
    service: &'a ServiceSpec,
    mine: &[&'a ContainerFacts],
    (surroundings, outcomes): (&Surroundings, &HashMap<&str, Outcome>),
    images: &mut Images<'a>,
    draft: &mut Draft<EngineOperation>,
) -> Outcome {
    let wanted = Wanted::new(request, service);
    let (slots, surplus) = slots(request, service, mine);
    let mut outcome = Outcome::default();
    let forced = forced(service, outcomes);
    let rebuilt = images::is_stale_build(request, service);
    for slot in &slots {
        draft.subjects.insert(format!("container {}", slot.name), wanted.spec_hash.clone());
        let situation = Situation { request, wanted: &wanted, slot, forced: forced.clone(), rebuilt };
        let mut decision = match foreign(request, &situation) {
            Some(stuck) => stuck,
            None => decide(&situation),
        };
        follow_restarts(&situation, outcomes, &mut decision);
        provide_image(request, &wanted, images, &mut decision);
        provide_files(request, &wanted, &mut decision);
        provide_external(surroundings, &wanted, &mut decision);
        provide_dependencies(request, &wanted, outcomes, &mut decision);
        settle(&situation, surroundings, decision, &mut outcome, draft);
    }
    for (_, container) in surplus {
        draft.steps.push(scale_down(service, container));
    }
    outcome
}

/// Sharing a namespace or volumes ties a container to the very container of the other service.
fn forced(service: &ServiceSpec, outcomes: &HashMap<&str, Outcome>) -> Option<Forced> {
    service.shares.iter().find_map(|share| {
        let class = outcomes.get(share.service.as_str())?.replaced?;
        Some(Forced { cause: format!("`{}` is recreated", share.service), class })
    })
}

/// A container of the replica that Docker Compose made: not ours, and in the way.
fn foreign(request: &ProjectRequest<'_>, situation: &Situation<'_, '_>) -> Option<Decision> {
    let (service, slot) = (situation.wanted.service, situation.slot);
    let label =
        |container: &ContainerFacts, name: &str| container.labels.get(name).cloned().unwrap_or_default();
    let other = request.index.foreign_compose(&request.project.name).iter().find(|container| {
        label(container, labels::COMPOSE_SERVICE) == service.name
            && label(container, labels::COMPOSE_NUMBER) == slot.number.to_string()
    })?;
    let subject = Subject::container(other.name.clone());
    let was_ours =
        request.applied.is_some_and(|subjects| subjects.contains_key(&format!("container {}", slot.name)));
    let text = match was_ours {
        true => {
            "a `docker compose up` by hand replaced our container: remove it with `docker rm -f` to have it made again"
        }
        false => {
            "made by Docker Compose: adopt is not supported yet; `docker compose down` makes room, volumes stay"
        }
    };
    let note = Note::difference(NoteKind::NeedsDecision, subject, Class::Drift(DriftClass::Identity), text);
    let stuck = Some(format!("`{}` was made by Docker Compose", other.name));
    Some(Decision { notes: vec![note], stuck, ..Decision::default() })
}

/// `depends_on.restart`: a container that runs on is restarted when what it depends on is replaced.
fn follow_restarts(
    situation: &Situation<'_, '_>,
    outcomes: &HashMap<&str, Outcome>,
    decision: &mut Decision,
) {
    let Situation { request, wanted, slot, .. } = situation;
    let Some(current) = slot.current.filter(|current| operations::is_up(current)) else { return };
    if decision.step.is_some() || decision.stuck.is_some() || request.running != Running::Started {
        return;
    }
    let cause =
        wanted.service.depends_on.iter().filter(|dependency| dependency.restart).find_map(|dependency| {
            let other = outcomes.get(dependency.service.as_str())?;
            let class = other.replaced.or(other.restarted)?;
            let verb = if other.replaced.is_some() { "recreated" } else { "restarted" };
            Some((format!("`{}` is {verb}", dependency.service), class))
        });
    let Some((cause, class)) = cause else { return };
    decision.step = Some(DraftStep {
        subject: Subject::container(slot.name.clone()),
        action: Action::Restart,
        class,
        cause,
        risk: Risk::Restart,
        downtime_seconds: None,
        fields: Vec::new(),
        needs: Vec::new(),
        after: Vec::new(),
        requires: Vec::new(),
        undo: Vec::new(),
        fingerprint: String::new(),
        operations: vec![
            EngineOperation::RestartContainer {
                container: Target::Id(current.id.clone()),
                grace: wanted.service.stop_grace_period,
            },
            operations::promise(request, wanted, &current.name),
        ],
    });
}

/// Completes a step with what it stands on, flags what would lose data, and writes down what follows from it.
fn settle(
    situation: &Situation<'_, '_>,
    surroundings: &Surroundings,
    mut decision: Decision,
    outcome: &mut Outcome,
    draft: &mut Draft<EngineOperation>,
) {
    let Situation { request, wanted, slot, .. } = situation;
    draft.notes.append(&mut decision.notes);
    draft.complete &= !decision.incomplete;
    if let Some(why) = decision.stuck {
        outcome.stuck = Some(why);
    }
    // Under which name those that depend on it find it.
    let renames = decision.step.as_ref().is_some_and(|step| step.operations.iter().any(is_final_name));
    let live = slot.current.filter(|_| !renames && !decision.creates).map(|current| current.name.clone());
    outcome.names.push((slot.name.clone(), live.unwrap_or_else(|| slot.name.clone())));
    let Some(mut step) = decision.step else { return };
    step.needs.extend(stands_on(wanted));
    step.requires.extend(stands_on(wanted).filter(|subject| surroundings.made_elsewhere.contains(subject)));
    if decision.creates {
        free_ports(request, wanted.service, slot, &mut step);
        if let Some(warning) = super::volumes::would_start_empty(surroundings, slot, &wanted.fields) {
            step.risk = Risk::Data;
            step.cause = format!("{}: {warning}", step.cause);
        }
    }
    if decision.creates || step.action == Action::Recreate {
        outcome.replaced = Some(step.class);
    } else if matches!(step.action, Action::Restart) {
        outcome.restarted = Some(step.class);
    }
    if step.action == Action::Stop {
        step.after.extend(request.lookup.dependents(request.project, &wanted.service.name));
    }
    step.needs.sort();
    step.needs.dedup();
    step.needs.retain(|subject| *subject != step.subject);
    let facts = slot.current.map(|current| {
        serde_json::json!({
            "state": current.state.status, "finished": current.state.finished_at, "image": current.image_id,
        })
    });
    step.fingerprint = super::fingerprint(&step, &facts.unwrap_or_default());
    outcome.stepping.push(step.subject.clone());
    draft.steps.push(step);
}

fn is_final_name(operation: &EngineOperation) -> bool {
    matches!(operation, EngineOperation::RenameContainer { .. })
}

/// A port that another service of the project gives up is free only after that service's step.
fn free_ports(
    request: &ProjectRequest<'_>,
    service: &ServiceSpec,
    slot: &Slot<'_>,
    step: &mut DraftStep<EngineOperation>,
) {
    let own: Vec<&ContainerFacts> = slot.current.into_iter().chain(slot.unfinished.iter().copied()).collect();
    let holder = conflicts::port_taken(request, service, &own);
    if let Some(subject) = holder.and_then(|(_, other)| conflicts::is_planned_here(request, other)) {
        step.after.push(subject);
    }
}

/// Takes away a replica that is too much.
fn scale_down(service: &ServiceSpec, container: &ContainerFacts) -> DraftStep<EngineOperation> {
    let cause = match service.replicas {
        1 => "one replica is wanted".to_owned(),
        count => format!("{count} replicas are wanted"),
    };
    leftovers::removal(container, service.stop_grace_period, Class::Change, cause)
}

/// Containers of the project that Docker Compose made for services that we don't know.
fn report_foreign(request: &ProjectRequest<'_>, draft: &mut Draft<EngineOperation>) {
    let known: BTreeMap<&str, u32> =
        request.project.services.iter().map(|service| (service.name.as_str(), service.replicas)).collect();
    for container in request.index.foreign_compose(&request.project.name) {
        let service = container.labels.get(labels::COMPOSE_SERVICE).map_or("", String::as_str);
        let number =
            container.labels.get(labels::COMPOSE_NUMBER).and_then(|number| number.parse::<u32>().ok());
        let is_said_already =
            known.get(service).is_some_and(|replicas| (1..=*replicas).contains(&number.unwrap_or(1)));
        if is_said_already || request.project.disabled_services.contains(service) {
            continue;
        }
        draft.notes.push(Note::difference(
            NoteKind::Reported,
            Subject::container(container.name.clone()),
            Class::Drift(DriftClass::OrphanUnowned),
            format!("made by Docker Compose for service `{service}`, which is not in the files: left alone"),
        ));
    }
}
