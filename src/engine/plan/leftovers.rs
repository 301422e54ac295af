//! What we made and is no longer wanted: what taking it away would be. Whether that is done is decided elsewhere.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use std::time::Duration;

use serde_json::{Value, json};

use super::operations::is_up;
use super::{EngineIndex, ProjectRequest, conflicts};
use crate::engine::labels;
use crate::engine::observe::{ContainerFacts, EngineFacts, NetworkFacts};
use crate::engine::operation::{EngineOperation, Target};
use crate::engine::spec::ProjectSpec;
use crate::model::change::{Action, Class, DriftClass, Risk, Subject, SubjectKind};
use crate::model::draft::{Draft, DraftStep};
use crate::model::known::Known;
use crate::model::note::{Note, NoteKind};
use crate::model::time::parse_duration;

/// The engine's own grace of a stop, for containers whose service is not known any more.
const STOP_GRACE_DEFAULT: Duration = Duration::from_secs(10);

/// Something that we made and is no longer wanted.
#[derive(Debug)]
pub struct Leftover {
    /// What it is.
    pub subject: Subject,
    /// The engine's id.
    pub engine_id: String,
    /// What it was for: `service web`, `network default`.
    pub was: String,
    /// The Compose project it was made in. Resources of other state repositories can have the same name, never
    /// the same project on one engine.
    pub project: Option<String>,
    /// What taking it away would be.
    pub removal: DraftStep<EngineOperation>,
}

/// What a resource made and no longer wants, containers first; all of it when nothing is wanted.
pub fn leftovers(
    facts: &EngineFacts,
    index: &EngineIndex<'_>,
    resource: &str,
    wanted: Option<&ProjectSpec>,
) -> Vec<Leftover> {
    let mut found = Vec::new();
    for container in index.owned(resource) {
        let service = container.labels.get(labels::COMPOSE_SERVICE).map_or("", String::as_str);
        let same_project =
            |project: &ProjectSpec| container.labels.get(labels::COMPOSE_PROJECT) == Some(&project.name);
        let is_wanted = wanted.is_some_and(|project| {
            same_project(project)
                && (project.disabled_services.contains(service)
                    || project.services.binary_search_by(|known| known.name.as_str().cmp(service)).is_ok())
        });
        if !is_wanted {
            found.push(container_leftover(container, service));
        }
    }
    for network in index.owned_networks(resource) {
        let is_wanted =
            wanted.is_some_and(|project| project.networks.iter().any(|known| known.name == network.name));
        if !is_wanted {
            found.extend(network_leftover(facts, resource, network, &|_| false));
        }
    }
    found
}

fn container_leftover(container: &ContainerFacts, service: &str) -> Leftover {
    let class = Class::Drift(DriftClass::ExtraOwned);
    Leftover {
        subject: Subject::container(container.name.clone()),
        engine_id: container.id.clone(),
        was: format!("service `{service}`"),
        project: container.labels.get(labels::COMPOSE_PROJECT).cloned(),
        removal: removal(container, grace_of(container), class, "no longer wanted".to_owned()),
    }
}

/// The stop's grace that the container itself was made with.
fn grace_of(container: &ContainerFacts) -> Duration {
    let fields = container.fields.as_ref().and_then(Known::known);
    let text = fields.and_then(|fields| fields.0.get("stop_grace_period")).and_then(Value::as_str);
    text.and_then(parse_duration).unwrap_or(STOP_GRACE_DEFAULT)
}

/// Taking a container away.
pub(super) fn removal(
    container: &ContainerFacts,
    grace: Duration,
    class: Class,
    cause: String,
) -> DraftStep<EngineOperation> {
    let target = Target::Id(container.id.clone());
    let mut operations = Vec::new();
    if is_up(container) {
        operations.push(EngineOperation::StopContainer { container: target.clone(), grace });
    }
    operations.push(EngineOperation::RemoveContainer { container: target });
    let mut step = DraftStep {
        subject: Subject::container(container.name.clone()),
        action: Action::Remove,
        class,
        cause,
        risk: if is_up(container) { Risk::Downtime } else { Risk::None },
        downtime_seconds: None,
        fields: Vec::new(),
        needs: Vec::new(),
        after: Vec::new(),
        requires: Vec::new(),
        undo: Vec::new(),
        fingerprint: String::new(),
        operations,
    };
    step.fingerprint = super::fingerprint(&step, &json!(container.state.status));
    step
}

/// A network that is no longer wanted; needs the removal of our own containers on it, `goes` tells of further ones, and
/// nobody else's.
fn network_leftover(
    facts: &EngineFacts,
    resource: &str,
    network: &NetworkFacts,
    goes: &dyn Fn(&ContainerFacts) -> bool,
) -> Option<Leftover> {
    let attached = facts.containers.iter().filter(|container| container.networks.contains_key(&network.name));
    let mut needs = Vec::new();
    for container in attached {
        if container.labels.get(labels::RESOURCE).map(String::as_str) != Some(resource) && !goes(container) {
            return None;
        }
        needs.push(Subject::container(container.name.clone()));
    }
    let subject = Subject::network(network.name.clone());
    let mut removal = DraftStep {
        subject: subject.clone(),
        action: Action::Remove,
        class: Class::Drift(DriftClass::ExtraOwned),
        cause: "no longer wanted".to_owned(),
        risk: Risk::None,
        downtime_seconds: None,
        fields: Vec::new(),
        needs,
        after: Vec::new(),
        requires: Vec::new(),
        undo: Vec::new(),
        fingerprint: String::new(),
        operations: vec![EngineOperation::RemoveNetwork {
            id: network.id.clone(),
            name: network.name.clone(),
        }],
    };
    removal.fingerprint = super::fingerprint(&removal, &json!(null));
    let key = network.labels.get(labels::COMPOSE_NETWORK).map_or("", String::as_str);
    let project = network.labels.get(labels::COMPOSE_PROJECT).cloned();
    Some(Leftover {
        subject,
        engine_id: network.id.clone(),
        was: format!("network `{key}`"),
        project,
        removal,
    })
}

/// `run: absent`: everything that the resource made goes, dependents first, and what is left of a run of its own that
/// nobody ended; volumes stay.
pub(super) fn remove_all(request: &ProjectRequest<'_>, draft: &mut Draft<EngineOperation>) {
    let resource = request.resource.to_string();
    let is_ended_run = |container: &ContainerFacts| {
        container.labels.get(labels::RUN) == Some(&resource) && !is_up(container)
    };
    let mut all = leftovers(request.facts, request.index, &resource, None);
    all.retain(|leftover| leftover.subject.kind != SubjectKind::Network);
    let networks = request.index.owned_networks(&resource).iter();
    all.extend(
        networks.filter_map(|network| network_leftover(request.facts, &resource, network, &is_ended_run)),
    );
    all.retain(|leftover| leftover.project.as_deref() == Some(request.project.name.as_str()));
    let runs = request.facts.containers.iter().filter(|container| is_ended_run(container));
    all.extend(runs.map(|container| container_leftover(container, "")));
    let by_service = |service: &str| -> Vec<Subject> {
        let own = request.index.owned(&resource).iter().filter(|container| {
            container.labels.get(labels::COMPOSE_SERVICE).map(String::as_str) == Some(service)
        });
        own.map(|container| Subject::container(container.name.clone())).collect()
    };
    let mut after: std::collections::BTreeMap<Subject, Vec<Subject>> = std::collections::BTreeMap::new();
    for service in &request.project.services {
        let dependents = by_service(&service.name);
        for dependency in &service.depends_on {
            for subject in by_service(&dependency.service) {
                after.entry(subject).or_default().extend(dependents.iter().cloned());
            }
        }
    }
    for mut leftover in all {
        leftover.removal.class = Class::Change;
        leftover.removal.cause = "run: absent".to_owned();
        leftover.removal.after = after.remove(&leftover.subject).unwrap_or_default();
        draft.steps.push(leftover.removal);
    }
    for network in request.index.owned_networks(&resource) {
        let others = request.facts.containers.iter().find(|container| {
            container.networks.contains_key(&network.name)
                && container.labels.get(labels::RESOURCE) != Some(&resource)
                && !is_ended_run(container)
        });
        if let Some(other) = others {
            let text =
                format!("stays: container `{}` {} is attached to it", other.name, conflicts::owner(other));
            let subject = Subject::network(network.name.clone());
            draft.notes.push(Note::difference(NoteKind::NeedsDecision, subject, Class::Change, text));
        }
    }
}
