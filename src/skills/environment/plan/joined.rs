//! The engine's steps, joined with what an Odoo needs before and after them.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use secrecy::ExposeSecret as _;

use super::{EnvironmentAction, EnvironmentRequest};
use crate::engine::hash::secret_digest;
use crate::engine::observe::FileAccess;
use crate::engine::operation::{EngineOperation, Target, WaitCondition};
use crate::model::change::{Action, Class, DriftClass, FieldDiff, Risk, Subject};
use crate::model::draft::{Draft, DraftStep};
use crate::model::hash::sha256_hex;
use crate::model::known::Known;
use crate::model::note::{Note, NoteKind};
use crate::skills::environment::conf::{FINGERPRINT, shown};
use crate::skills::environment::operation::{EnvironmentOperation, ProbeTarget, READABLE};
use crate::skills::environment::render::{
    APPLICATION_SERVICE, CONF_TARGET, RenderedFile, digest, health_timeout,
};

/// What our file is called where people read of it.
const CONF: &str = "odoo.conf";
/// How long a start waits for its database's server: it was waited for already when it is ours.
const DATABASE_PATIENCE: Duration = Duration::from_secs(30);

/// Whether an operation brings a container to run.
pub(super) fn is_start(action: &EnvironmentAction) -> bool {
    matches!(
        action,
        EnvironmentAction::Engine(
            EngineOperation::StartContainer { .. } | EngineOperation::RestartContainer { .. }
        )
    )
}

/// Whether a running container is taken away by it, or one is started.
fn begins_outage(action: &EnvironmentAction) -> bool {
    is_start(action) || matches!(action, EnvironmentAction::Engine(EngineOperation::StopContainer { .. }))
}

/// Writes a file. Of odoo.conf the one stays that a container mounts now: it may have to go back to it.
pub(super) fn write(request: &EnvironmentRequest<'_>, file: &RenderedFile) -> EnvironmentAction {
    let in_use = || {
        let owner = request.engine.resource.to_string();
        let own = request.engine.index.owned(&owner);
        own.iter().filter_map(|it| it.mounts.get(CONF_TARGET)).map(|mount| mount.source.clone()).collect()
    };
    EnvironmentAction::Own(EnvironmentOperation::WriteFile {
        path: file.path.clone(),
        content: file.content.clone(),
        owner: file.owner,
        mode: file.mode,
        keeps: (file.service == APPLICATION_SERVICE).then(in_use),
    })
}

fn creates(step: &DraftStep<EnvironmentAction>) -> bool {
    let makes = |operation: &EnvironmentAction| {
        matches!(operation, EnvironmentAction::Engine(EngineOperation::CreateContainer { .. }))
    };
    step.operations.iter().any(makes)
}

/// Files are written before a container is made that mounts them; and written again when somebody changed them.
pub(super) fn write_files(request: &EnvironmentRequest<'_>, draft: &mut Draft<EnvironmentAction>) {
    for file in &request.rendered.files {
        let Some(name) = request.container_of(file.service) else { continue };
        let step = draft.steps.iter_mut().find(|step| step.subject == Subject::container(name.clone()));
        let wanted = secret_digest(request.engine.masking.key, &digest(&file.content));
        let found = match request.engine.facts.files.get(&file.path) {
            Some(Known::Known(found)) => found.as_ref(),
            Some(Known::Unknown(_)) | None => None,
        };
        let state = match found {
            None => Written::Missing,
            Some(found) if found.digest != wanted => Written::Changed,
            Some(found) => match found.access {
                Some(access) if !is_accessible(file, access) => Written::Access(access),
                _ => Written::Right,
            },
        };
        let is_right = state == Written::Right;
        match step {
            Some(step) if creates(step) || !is_right => step.operations.insert(0, write(request, file)),
            Some(_) => {}
            None if !is_right => rewrite(request, file, &name, state, draft),
            None => {}
        }
    }
}

/// What became of a file that was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Written {
    Right,
    Missing,
    Changed,
    /// Its content is right, and its owner or mode is not.
    Access(FileAccess),
}

/// Whether those can read a file, and nobody else, who are to: as it is written, with and without root.
fn is_accessible(file: &RenderedFile, access: FileAccess) -> bool {
    let Some((user, group)) = file.owner else { return access.mode == file.mode };
    let is_as_wanted = access == FileAccess { user, group, mode: file.mode };
    // Without root it can't be given away: then its closed folder guards it.
    let is_kept = access.mode == READABLE && access.user != 0 && access.user != user;
    is_as_wanted || is_kept
}

/// A file that somebody changed is written again; a server reads its configuration when it starts.
fn rewrite(
    request: &EnvironmentRequest<'_>,
    file: &RenderedFile,
    name: &str,
    state: Written,
    draft: &mut Draft<EnvironmentAction>,
) {
    let owner = request.engine.resource.to_string();
    let own = request.engine.index.owned(&owner);
    let Some(container) = own.iter().find(|container| container.name == name) else { return };
    let subject = Subject::container(name.to_owned());
    if draft.notes.iter().any(|note| note.subject.as_ref() == Some(&subject) && note.class.is_some()) {
        // It is left as it is for a reason of its own.
        return;
    }
    let restarts = file.service == APPLICATION_SERVICE && super::is_up(container);
    let mut operations = vec![write(request, file)];
    if restarts {
        operations.push(EnvironmentAction::Engine(EngineOperation::RestartContainer {
            container: Target::Id(container.id.clone()),
            grace: Duration::from_secs(30),
        }));
        operations.push(wait(name, health_timeout(request.spec)));
    }
    let file_name = file.path.rsplit('/').next().unwrap_or_default();
    let cause = match state {
        Written::Missing => "is missing on the host".to_owned(),
        Written::Right | Written::Changed => "was changed on the host".to_owned(),
        Written::Access(FileAccess { user, group, mode }) => {
            let owner = file.owner.map_or_else(String::new, |(user, group)| format!("{user}:{group} "));
            format!("is {user}:{group} {mode:04o} on the host, not {owner}{:04o}", file.mode)
        }
    };
    draft.steps.push(DraftStep {
        action: if restarts { Action::Restart } else { Action::Update },
        class: Class::Drift(DriftClass::Content),
        cause: format!("`{file_name}` {cause}"),
        risk: if restarts { Risk::Restart } else { Risk::None },
        fingerprint: sha256_hex(format!("{name}\0{}\0{state:?}", file.path).as_bytes()),
        operations,
        ..DraftStep::on(subject)
    });
}

/// The wait for a container that was just started.
pub(super) fn wait(name: &str, timeout: Duration) -> EnvironmentAction {
    EnvironmentAction::Engine(EngineOperation::Wait {
        container: name.to_owned(),
        condition: WaitCondition::Started,
        timeout,
    })
}

/// The container of a service is not brought to run, made or replaced.
pub(super) fn leave(
    request: &EnvironmentRequest<'_>,
    service: &str,
    why: &str,
    draft: &mut Draft<EnvironmentAction>,
) {
    let Some(name) = request.container_of(service) else { return };
    leave_subject(&Subject::container(name), why, draft);
}

/// Nothing is done about a subject.
pub(super) fn leave_subject(subject: &Subject, why: &str, draft: &mut Draft<EnvironmentAction>) {
    let (left, kept): (Vec<_>, Vec<_>) =
        std::mem::take(&mut draft.steps).into_iter().partition(|step| step.subject == *subject);
    draft.steps = kept;
    for step in left {
        let mut note =
            Note::difference(NoteKind::Blocked, step.subject, step.class, format!("{}; {why}", step.cause));
        note.fields = step.fields;
        draft.notes.push(note);
    }
}

/// No server starts without its database, and a start is over when all probes pass.
pub(super) fn prove_starts(request: &EnvironmentRequest<'_>, draft: &mut Draft<EnvironmentAction>) {
    let Some(name) = request.container_of(APPLICATION_SERVICE) else { return };
    let series = request.spec.odoo.version.clone();
    for step in &mut draft.steps {
        let of_application = step.subject == Subject::container(name.clone());
        let of_database = step.subject == super::database_subject(request.database);
        if !(of_application || of_database) || !step.operations.iter().any(is_start) {
            continue;
        }
        if of_application {
            let at = step.operations.iter().position(begins_outage).unwrap_or(0);
            let require = EnvironmentOperation::RequireDatabase {
                database: request.database.clone(),
                series: series.clone(),
                timeout: DATABASE_PATIENCE,
            };
            step.operations.insert(at, EnvironmentAction::Own(require));
        }
        step.operations.push(probe(request, &name));
    }
}

/// The wait for an application until all its probes pass.
pub(super) fn probe(request: &EnvironmentRequest<'_>, name: &str) -> EnvironmentAction {
    EnvironmentAction::Own(EnvironmentOperation::Probe {
        probe: ProbeTarget {
            container: name.to_owned(),
            database: request.database.clone(),
            series: request.spec.odoo.version.clone(),
            is_evented: request.rendered.options.workers() > 0,
        },
        timeout: health_timeout(request.spec),
    })
}

/// Says of the application's step what is other in its odoo.conf, instead of that it mounts another file.
pub(super) fn explain_conf(request: &EnvironmentRequest<'_>, draft: &mut Draft<EnvironmentAction>) {
    let Some(name) = request.container_of(APPLICATION_SERVICE) else { return };
    let subject = Subject::container(name);
    let fields = draft
        .steps
        .iter_mut()
        .filter(|step| step.subject == subject)
        .map(|step| (&mut step.fields, Some(&mut step.cause)));
    let notes = draft
        .notes
        .iter_mut()
        .filter(|note| note.subject.as_ref() == Some(&subject))
        .map(|note| (&mut note.fields, None));
    for (fields, cause) in fields.chain(notes) {
        let is_other = |field: &FieldDiff| match field.field.as_str() {
            "secrets" => true,
            "volumes" => {
                field.before.as_deref().map(without_conf) == field.after.as_deref().map(without_conf)
            }
            _ => false,
        };
        let hidden: Vec<String> =
            fields.iter().filter(|field| is_other(field)).map(|field| field.field.clone()).collect();
        if hidden.is_empty() {
            continue;
        }
        fields.retain(|field| !is_other(field));
        fields.extend(options(request));
        if let Some(cause) = cause {
            let words = cause.split(", ").filter(|word| !hidden.iter().any(|name| name == word));
            let words: Vec<&str> = words.chain([CONF]).collect();
            *cause = words.join(", ");
        }
    }
}

/// A list of mounts without the place of our file on the Host.
fn without_conf(volumes: &str) -> String {
    let is_conf = |item: &&str| item.ends_with(&format!(":{CONF_TARGET}:ro"));
    volumes.split(", ").filter(|item| !is_conf(item)).collect::<Vec<_>>().join(", ")
}

/// The options that differ between the file that is mounted and the one that is wanted.
fn options(request: &EnvironmentRequest<'_>) -> Vec<FieldDiff> {
    let nothing = BTreeMap::new();
    let before = request.facts.map_or(&nothing, |facts| &facts.conf);
    let text = request.rendered.options.text().ok();
    let after =
        text.and_then(|text| shown(text.expose_secret(), request.engine.masking.key)).unwrap_or_default();
    if before.is_empty() {
        let field = |field: &str| FieldDiff {
            field: field.to_owned(),
            before: None,
            after: Some("changed".to_owned()),
            secret: false,
        };
        return vec![field(CONF)];
    }
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let differs = names.into_iter().filter(|name| before.get(*name) != after.get(*name));
    differs
        .map(|name| {
            let side = |options: &BTreeMap<String, String>| options.get(name).cloned();
            let (before, after) = (side(before), side(&after));
            let secret = [&before, &after].into_iter().flatten().any(|value| value.starts_with(FINGERPRINT));
            FieldDiff { field: format!("{CONF} {name}"), before, after, secret }
        })
        .collect()
}
