//! The networks of a project: made, left alone, or made again with everyone on them put back.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use bollard::models::EndpointSettings;
use serde_json::json;

use super::operations::{is_up, operation_id};
use super::{ProjectRequest, Surroundings, conflicts};
use crate::engine::fields::network_wanted;
use crate::engine::hash::network_hash;
use crate::engine::labels;
use crate::engine::observe::{ContainerFacts, NetworkFacts};
use crate::engine::operation::{EngineOperation, Target};
use crate::engine::request::{endpoint, network_request};
use crate::engine::spec::NetworkSpec;
use crate::model::change::{Action, Class, DriftClass, FieldDiff, Risk, Subject};
use crate::model::draft::{Draft, DraftStep};
use crate::model::note::{Note, NoteKind};

/// How long containers are cut off while their network is made again, in seconds.
const REPLACEMENT_SECONDS: u64 = 2;

/// Plans the networks of a project.
pub(super) fn plan(
    request: &ProjectRequest<'_>,
    surroundings: &mut Surroundings,
    draft: &mut Draft<EngineOperation>,
) {
    for network in &request.project.networks {
        let subject = Subject::network(network.name.clone());
        let existing = request.index.networks(&network.name);
        if network.external {
            if existing.is_empty() {
                let hint = format!("make it with `docker network create {}`", network.name);
                surroundings.missing_external(request, subject, &hint, draft);
            }
            continue;
        }
        draft.subjects.insert(subject.to_string(), network_hash(network));
        let owner = request.resource.to_string();
        let is_own = |facts: &&&NetworkFacts| facts.labels.get(labels::RESOURCE) == Some(&owner);
        let own: Vec<&NetworkFacts> = existing.iter().filter(is_own).copied().collect();
        match (own.as_slice(), existing.first()) {
            ([_, _, ..], _) => twins(request, network, &own, draft),
            ([own], _) => compare(request, network, own, draft),
            ([], Some(other)) => draft.notes.push(used_as_it_is(request, network, other)),
            ([], None) => draft.steps.push(create(request, network)),
        }
    }
}

fn step(
    subject: Subject,
    action: Action,
    class: Class,
    cause: String,
    risk: Risk,
) -> DraftStep<EngineOperation> {
    DraftStep {
        subject,
        action,
        class,
        cause,
        risk,
        downtime_seconds: (risk == Risk::Downtime).then_some(REPLACEMENT_SECONDS),
        fields: Vec::new(),
        needs: Vec::new(),
        after: Vec::new(),
        requires: Vec::new(),
        undo: Vec::new(),
        fingerprint: String::new(),
        operations: Vec::new(),
    }
}

fn create_operation(request: &ProjectRequest<'_>, network: &NetworkSpec, old: &str) -> EngineOperation {
    let id =
        operation_id(&[&request.resource.to_string(), "network", &network.name, &network_hash(network), old]);
    EngineOperation::CreateNetwork {
        request: Box::new(network_request(request.project, network, request.resource, &id)),
        name: network.name.clone(),
    }
}

fn create(request: &ProjectRequest<'_>, network: &NetworkSpec) -> DraftStep<EngineOperation> {
    let subject = Subject::network(network.name.clone());
    let class = request.class_if_applied(&subject, &network_hash(network), DriftClass::Missing);
    let mut step = step(subject, Action::Create, class, "missing".to_owned(), Risk::None);
    step.operations.push(create_operation(request, network, "new"));
    step.fingerprint = super::fingerprint(&step, &json!(null));
    step
}

/// The fields of a network that differ. A range that nobody asked for was chosen by the engine.
fn differing(request: &ProjectRequest<'_>, network: &NetworkSpec, facts: &NetworkFacts) -> Vec<FieldDiff> {
    let wanted = network_wanted(&network.request);
    let asked = facts
        .labels
        .get(labels::ASKED)
        .is_some_and(|names| names.split(',').any(|name| name == "ipam.config"));
    let chosen_by_engine = |name: &str| name == "ipam.config" && !asked && !wanted.0.contains_key(name);
    let names = facts.fields.differing(&wanted);
    names
        .into_iter()
        .filter(|name| !chosen_by_engine(name) && !request.ignore.covers("networks", &network.key, name))
        .map(|name| {
            request.masking.diff(name, facts.fields.0.get(name), wanted.0.get(name), &Default::default())
        })
        .collect()
}

fn used_as_it_is(request: &ProjectRequest<'_>, network: &NetworkSpec, facts: &NetworkFacts) -> Note {
    let subject = Subject::network(network.name.clone());
    let whose = match (facts.labels.get(labels::RESOURCE), facts.labels.get(labels::COMPOSE_PROJECT)) {
        (Some(resource), _) => format!("belongs to {resource}"),
        (None, Some(project)) => format!("made by Docker Compose for `{project}`"),
        (None, None) => "made by others".to_owned(),
    };
    let fields = differing(request, network, facts);
    let text = format!("{whose}: used as it is, never changed");
    if fields.is_empty() {
        return Note::new(NoteKind::Reported, Some(subject), text);
    }
    let mut note =
        Note::difference(NoteKind::Reported, subject, Class::Drift(DriftClass::OrphanUnowned), text);
    note.fields = fields;
    note
}

fn compare(
    request: &ProjectRequest<'_>,
    network: &NetworkSpec,
    facts: &NetworkFacts,
    draft: &mut Draft<EngineOperation>,
) {
    let fields = differing(request, network, facts);
    if fields.is_empty() {
        return;
    }
    let subject = Subject::network(network.name.clone());
    let asked = facts.labels.get(labels::SPEC_HASH).is_none_or(|hash| *hash != network_hash(network));
    let class = if asked { Class::Change } else { Class::Drift(DriftClass::Spec) };
    let attached = attached(request, facts);
    let owner = request.resource.to_string();
    if let Some(other) = attached.iter().find(|one| one.labels.get(labels::RESOURCE) != Some(&owner)) {
        let text = format!(
            "has to be made again, but container `{}` {} is attached to it",
            other.name,
            conflicts::owner(other)
        );
        let mut note = Note::difference(NoteKind::NeedsDecision, subject, class, text);
        note.fields = fields;
        draft.notes.push(note);
        return;
    }
    let mut names: Vec<&str> = fields.iter().filter_map(|field| field.field.split('.').next()).collect();
    names.dedup();
    let risk = if attached.iter().any(|one| is_up(one)) { Risk::Downtime } else { Risk::None };
    let mut step = step(subject, Action::Recreate, class, names.join(", "), risk);
    step.fields = fields;
    step.operations = replacement(request, network, facts, &attached);
    step.fingerprint = super::fingerprint(&step, &json!(null));
    draft.steps.push(step);
}

/// Several networks of one name, all ours: the engine made one that a process asked for before it died, late.
///
/// Nothing can start on such a name. What is used stays, the empty ones go.
fn twins(
    request: &ProjectRequest<'_>,
    network: &NetworkSpec,
    own: &[&NetworkFacts],
    draft: &mut Draft<EngineOperation>,
) {
    let subject = Subject::network(network.name.clone());
    // Corrected unless the drift of a state is left alone: it keeps containers from starting.
    let class = Class::Drift(DriftClass::State);
    let (used, unused): (Vec<&NetworkFacts>, Vec<&NetworkFacts>) =
        own.iter().partition(|facts| !attached(request, facts).is_empty());
    if used.len() > 1 {
        let text = format!(
            "{} networks have this name and containers are attached to each; the engine starts nothing on it: \
             remove one with `docker network rm ID` after moving its containers",
            used.len()
        );
        draft.notes.push(Note::difference(NoteKind::NeedsDecision, subject, class, text));
        return;
    }
    let kept = usize::from(used.is_empty());
    let mut step = step(subject, Action::Remove, class, "made twice".to_owned(), Risk::None);
    step.operations = unused
        .iter()
        .skip(kept)
        .map(|facts| EngineOperation::RemoveNetwork { id: facts.id.clone(), name: network.name.clone() })
        .collect();
    step.fingerprint = super::fingerprint(&step, &json!(null));
    draft.steps.push(step);
}

/// The containers on a network, stopped ones too: they keep the network's id and could not start without it.
fn attached<'a>(request: &ProjectRequest<'a>, network: &NetworkFacts) -> Vec<&'a ContainerFacts> {
    let is_attached = |container: &&ContainerFacts| {
        container
            .networks
            .get(&network.name)
            .is_some_and(|attachment| attachment.network_id.is_empty() || attachment.network_id == network.id)
    };
    request.facts.containers.iter().filter(is_attached).collect()
}

fn replacement(
    request: &ProjectRequest<'_>,
    network: &NetworkSpec,
    facts: &NetworkFacts,
    attached: &[&ContainerFacts],
) -> Vec<EngineOperation> {
    let target = |container: &ContainerFacts| Target::Id(container.id.clone());
    let mut operations: Vec<EngineOperation> = attached
        .iter()
        .map(|container| EngineOperation::DisconnectNetwork {
            network: network.name.clone(),
            container: target(container),
        })
        .collect();
    operations.push(EngineOperation::RemoveNetwork { id: facts.id.clone(), name: network.name.clone() });
    operations.push(create_operation(request, network, &facts.id));
    operations.extend(attached.iter().map(|container| EngineOperation::ConnectNetwork {
        network: network.name.clone(),
        container: target(container),
        endpoint: Box::new(endpoint_of(request, network, container)),
    }));
    operations
}

/// How a container is put back: as its service asks, else with the aliases that it had.
fn endpoint_of(
    request: &ProjectRequest<'_>,
    network: &NetworkSpec,
    container: &ContainerFacts,
) -> EndpointSettings {
    let service = container.labels.get(labels::COMPOSE_SERVICE).and_then(|name| request.lookup.service(name));
    let number =
        container.labels.get(labels::COMPOSE_NUMBER).and_then(|number| number.parse().ok()).unwrap_or(1);
    let wanted = service.and_then(|service| {
        let attachment = service.attachments.iter().find(|attachment| attachment.network == network.name)?;
        Some(endpoint(request.project, service, number, attachment))
    });
    wanted.unwrap_or_else(|| EndpointSettings {
        aliases: container.networks.get(&network.name).map(|attachment| attachment.aliases.clone()),
        ..EndpointSettings::default()
    })
}
