//! The volumes of a project: made when they are missing, never changed and never removed.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use serde_json::{Value, json};

use super::operations::operation_id;
use super::slots::Slot;
use super::{ProjectRequest, Surroundings};
use crate::engine::fields::{Fields, volume_wanted};
use crate::engine::hash::volume_hash;
use crate::engine::labels;
use crate::engine::observe::VolumeFacts;
use crate::engine::operation::EngineOperation;
use crate::engine::request::volume_request;
use crate::engine::spec::VolumeSpec;
use crate::model::change::{Action, Class, DriftClass, Risk, Subject};
use crate::model::draft::{Draft, DraftStep};
use crate::model::note::{Note, NoteKind};

/// Plans the volumes of a project.
pub(super) fn plan(
    request: &ProjectRequest<'_>,
    surroundings: &mut Surroundings,
    draft: &mut Draft<EngineOperation>,
) {
    for volume in &request.project.volumes {
        let subject = Subject::volume(volume.name.clone());
        let existing = request.index.volume(&volume.name);
        if volume.external {
            if existing.is_none() {
                let hint = format!("make it with `docker volume create {}`", volume.name);
                surroundings.missing_external(request, subject, &hint, draft);
            }
            continue;
        }
        draft.subjects.insert(subject.to_string(), volume_hash(volume));
        match existing {
            Some(facts) => draft.notes.extend(compare(request, volume, facts)),
            None => {
                surroundings.new_volumes.insert(volume.name.clone());
                draft.steps.push(create(request, volume));
            }
        }
    }
}

fn create(request: &ProjectRequest<'_>, volume: &VolumeSpec) -> DraftStep<EngineOperation> {
    let subject = Subject::volume(volume.name.clone());
    let hash = volume_hash(volume);
    let class = request.class_if_applied(&subject, &hash, DriftClass::Missing);
    let cause = match class {
        Class::Change => "missing",
        Class::Drift(_) => "missing: others removed it with what was in it",
    };
    let id = operation_id(&[&request.resource.to_string(), "volume", &volume.name, &hash]);
    let mut step = DraftStep {
        subject,
        action: Action::Create,
        class,
        cause: cause.to_owned(),
        risk: Risk::None,
        downtime_seconds: None,
        fields: Vec::new(),
        needs: Vec::new(),
        after: Vec::new(),
        requires: Vec::new(),
        undo: Vec::new(),
        fingerprint: String::new(),
        operations: vec![EngineOperation::CreateVolume {
            request: Box::new(volume_request(request.project, volume, request.resource, &id)),
            name: volume.name.clone(),
        }],
    };
    step.fingerprint = super::fingerprint(&step, &json!(null));
    step
}

/// What is said of a volume that exists: its data stays, whatever its description says.
fn compare(request: &ProjectRequest<'_>, volume: &VolumeSpec, facts: &VolumeFacts) -> Option<Note> {
    let subject = Subject::volume(volume.name.clone());
    let wanted = volume_wanted(&volume.request);
    let fields: Vec<_> = facts
        .fields
        .differing(&wanted)
        .into_iter()
        .filter(|name| !request.ignore.covers("volumes", &volume.key, name))
        .map(|name| {
            request.masking.diff(name, facts.fields.0.get(name), wanted.0.get(name), &Default::default())
        })
        .collect();
    let owner = request.resource.to_string();
    let is_own = facts.labels.get(labels::RESOURCE) == Some(&owner);
    if !fields.is_empty() {
        let asked = facts.labels.get(labels::SPEC_HASH).is_none_or(|hash| *hash != volume_hash(volume));
        let class = if asked { Class::Change } else { Class::Drift(DriftClass::Spec) };
        let text = "differs, and a volume can't be changed without losing its data: left as it is";
        let mut note = Note::difference(NoteKind::NeedsDecision, subject, class, text);
        note.fields = fields;
        return Some(note);
    }
    let whose = match (is_own, facts.labels.get(labels::RESOURCE), facts.labels.get(labels::COMPOSE_PROJECT))
    {
        (true, _, _) => return None,
        (false, Some(resource), _) => format!("belongs to {resource}"),
        (false, None, Some(project)) => format!("made by Docker Compose for `{project}`"),
        (false, None, None) => "made by others".to_owned(),
    };
    Some(Note::new(NoteKind::Reported, Some(subject), format!("{whose}: used as it is, never changed")))
}

/// The named volumes that a container mounts, with the paths at which it does.
fn mounted(fields: &Fields) -> impl Iterator<Item = (&str, &str)> {
    let items = fields.0.get("volumes").and_then(Value::as_array);
    items.into_iter().flatten().filter_map(Value::as_str).filter_map(|item| {
        let mut parts = item.split(':');
        let (source, target) = (parts.next()?, parts.next()?);
        (!source.starts_with('/') && target.starts_with('/')).then_some((source, target))
    })
}

/// The names of the volumes that a container mounts.
pub(super) fn mounted_names(fields: &Fields) -> impl Iterator<Item = &str> {
    mounted(fields).map(|(source, _)| source)
}

/// Why a new container would begin without its data: a volume that doesn't exist yet takes the place of one that does.
pub(super) fn would_start_empty(
    surroundings: &Surroundings,
    slot: &Slot<'_>,
    fields: &Fields,
) -> Option<String> {
    let old = slot.current.or_else(|| slot.unfinished.first().copied())?;
    mounted(fields).find_map(|(source, target)| {
        let before =
            old.mounts.get(target).filter(|mount| mount.kind == "volume" && mount.source != source)?;
        let name = if crate::engine::fields::is_anonymous_volume(&before.source) {
            "an unnamed volume".to_owned()
        } else {
            format!("volume `{}`", before.source)
        };
        surroundings
            .new_volumes
            .contains(source)
            .then(|| format!("would start with the empty volume `{source}` at {target} in place of {name}"))
    })
}
