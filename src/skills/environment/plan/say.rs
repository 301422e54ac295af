//! What is said of an Environment beside what is done.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use crate::engine::plan::differences;

use super::{EnvironmentAction, EnvironmentRequest, Outlook, is_up, joined};
use crate::model::change::{Class, DriftClass, Subject, SubjectKind};
use crate::model::draft::Draft;
use crate::model::known::Known;
use crate::model::note::{Note, NoteKind};
use crate::odoo::updates::Obstacle;
use crate::skills::environment::facts::DatabaseState;
use crate::skills::environment::modules::Verdict;
use crate::skills::environment::render::{
    APPLICATION_SERVICE, DATABASE_SERVICE, MAX_CONNECTIONS, image_major, network_name,
};
use crate::skills::environment::spec::EnvironmentSpec;

/// Connections that a server keeps for its superusers.
const RESERVED_CONNECTIONS: u32 = 3;

/// Fields that this version accepts without effect.
pub(super) fn not_enforced(spec: &EnvironmentSpec, draft: &mut Draft<EnvironmentAction>) {
    for (field, is_set) in [
        ("data", spec.data.is_some()),
        ("gates", spec.gates.is_some()),
        ("ingress", spec.ingress.is_some()),
        ("lifetime", spec.lifetime.is_some()),
        ("mail", spec.mail.is_some()),
        ("network", spec.network.is_some()),
    ] {
        if is_set {
            let text = format!("`{field}` is not enforced by this version");
            draft.notes.push(Note::new(NoteKind::NotEnforced, None, text));
        }
    }
}

pub(super) fn chosen(request: &EnvironmentRequest<'_>, draft: &mut Draft<EnvironmentAction>) {
    let chosen = &request.rendered.options.chosen;
    if !chosen.is_empty() {
        let text = format!("odoo.conf, where the document says nothing: {}", chosen.join(", "));
        draft.notes.push(Note::new(NoteKind::Reported, None, text));
    }
}

/// What a person has to know of the database and its modules.
pub(super) fn outlook(
    request: &EnvironmentRequest<'_>,
    outlook: &Outlook,
    subject: &Subject,
    draft: &mut Draft<EnvironmentAction>,
) {
    if let Some(why) = &outlook.unknown {
        draft.unknown(Some(subject.clone()), why.clone());
        if matches!(request.facts.map(|facts| &facts.modules), Some(Known::Unknown(_))) {
            joined::leave(request, APPLICATION_SERVICE, "waits until its addons can be read", draft);
        }
    }
    if outlook.judgement.verdict == Verdict::Later && request.lacks_filestore() && outlook.hold.is_some() {
        let volume = Subject::volume(request.spec.filestore.volume.clone());
        joined::leave_subject(
            &volume,
            "waits for the database, which tells whether attachments belong there",
            draft,
        );
        joined::leave(request, APPLICATION_SERVICE, "waits for its database", draft);
    }
    if let Verdict::Refuse(why) = &outlook.judgement.verdict {
        let class = if request.is_applied { Class::Drift(DriftClass::State) } else { Class::Change };
        draft.notes.push(Note::difference(NoteKind::NeedsDecision, subject.clone(), class, why.clone()));
        joined::leave(request, APPLICATION_SERVICE, "waits for its database", draft);
        // A volume that is made is no longer missed.
        let steps = draft.steps.iter().map(|step| step.subject.clone());
        let volumes: Vec<Subject> = steps.filter(|subject| subject.kind == SubjectKind::Volume).collect();
        for volume in volumes {
            joined::leave_subject(&volume, "waits for a decision about its data", draft);
        }
        // A server whose data are in doubt is neither made nor replaced; that of a role that it refuses would keep the old one.
        let is_refused = request.facts.and_then(|facts| facts.database.known());
        let is_refused = is_refused.is_some_and(|facts| matches!(facts.state, DatabaseState::Refused(_)));
        if is_refused || request.rival().is_some() || request.is_new_server() {
            joined::leave(request, DATABASE_SERVICE, "waits for a decision about its data", draft);
        }
    }
    if let Some(container) = request.running_update() {
        under_way(container, subject, draft);
        joined::leave(request, APPLICATION_SERVICE, UNDER_WAY, draft);
    } else if outlook.judgement.verdict == Verdict::Later && request.cut_off().is_some() {
        // The code may be ahead of the database, or be put back.
        let why = "waits until it was looked how a run ended that nobody waited for";
        joined::leave(request, APPLICATION_SERVICE, why, draft);
    }
    let lost = outlook
        .judgement
        .obstacles
        .iter()
        .find(|(_, obstacle)| matches!(obstacle, Obstacle::Gone | Obstacle::NowUnusable { .. }));
    if let Some((name, _)) = lost
        && !request.application().is_some_and(is_up)
    {
        joined::leave(
            request,
            APPLICATION_SERVICE,
            &format!("waits for a decision about module `{name}`"),
            draft,
        );
    }
    for (name, obstacle) in &outlook.judgement.obstacles {
        let text = format!("module `{name}`: {obstacle}; {}", obstacle.way_out());
        draft.notes.push(Note::new(NoteKind::NeedsDecision, Some(subject.clone()), text));
    }
    // What a run that ended did is remembered once it has been looked at.
    if outlook.judgement.is_unremembered && outlook.ended.is_none() {
        let text = "no checksums are remembered, so it can't be told which modules changed since they were last updated: \
                    `odoo.modules.update: all` updates all once and remembers";
        draft.notes.push(Note::new(NoteKind::NeedsDecision, Some(subject.clone()), text));
    }
}

/// Why something waits while modules are installed or updated.
const UNDER_WAY: &str = "waits for the update under way";

fn under_way(container: &str, subject: &Subject, draft: &mut Draft<EnvironmentAction>) {
    let text = format!(
        "modules are being installed or updated in container `{container}`: when it has ended, the controller or `ipaictl apply` looks how"
    );
    draft.notes.push(Note::new(NoteKind::Blocked, Some(subject.clone()), text));
}

/// An environment that is not to run: nothing is taken from under a run of modules, and one that nobody saw the end of is told.
pub(super) fn left_runs(
    request: &EnvironmentRequest<'_>,
    subject: &Subject,
    draft: &mut Draft<EnvironmentAction>,
) {
    if let Some(container) = request.running_update() {
        under_way(container, subject, draft);
        joined::leave(request, DATABASE_SERVICE, UNDER_WAY, draft);
        joined::leave_subject(
            &Subject::network(network_name(&request.engine.project.name)),
            UNDER_WAY,
            draft,
        );
    } else if request.cut_off().is_some() {
        let text = "a run of modules ended that nobody waited for: how, is looked at when the environment is started";
        draft.notes.push(Note::new(NoteKind::Reported, Some(subject.clone()), text));
    }
}

/// A server of another major version can't read the data, and destroys nothing but the service when it tries.
pub(super) fn keep_version(
    request: &EnvironmentRequest<'_>,
    subject: &Subject,
    draft: &mut Draft<EnvironmentAction>,
) {
    let Some(managed) = &request.spec.database.managed else { return };
    let server =
        request.facts.and_then(|facts| facts.database.known()).map_or("", |facts| facts.server.as_str());
    // One that doesn't run is known by the image that it ran.
    let name = request.container_of(DATABASE_SERVICE);
    let container =
        request.engine.facts.containers.iter().find(|container| Some(&container.name) == name.as_ref());
    let found = major(server).or_else(|| image_major(&container?.image));
    let wanted = image_major(&managed.image);
    let (Some(found), Some(wanted)) = (found, wanted) else { return };
    if found != wanted {
        let text = format!(
            "volume `{}` holds the data of PostgreSQL {found}, which `{}` can't read: dump the database, name a new volume, and restore it there",
            managed.volume, managed.image
        );
        draft.notes.push(Note::difference(NoteKind::NeedsDecision, subject.clone(), Class::Change, text));
        joined::leave(request, DATABASE_SERVICE, "waits for data that it can read", draft);
    }
}

/// The first number of a version such as `16.4`.
fn major(version: &str) -> Option<u32> {
    version.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// How a container that is to be taken over differs from the one that would be made.
pub(super) fn adopted(request: &EnvironmentRequest<'_>, name: &str, draft: &mut Draft<EnvironmentAction>) {
    let subject = Subject::container(name);
    let found = request.engine.facts.containers.iter().find(|container| container.name == name);
    let services = &request.engine.project.services;
    let service = services.iter().find(|service| service.name == APPLICATION_SERVICE);
    let (Some(container), Some(service)) = (found, service) else {
        let text = "is to be adopted, and there is none of that name";
        draft.notes.push(Note::new(NoteKind::NeedsDecision, Some(subject), text));
        return;
    };
    let mut note = match differences(&request.engine, service, container) {
        Ok(fields) if fields.is_empty() => {
            Note::new(NoteKind::Reported, Some(subject), "is as the document says")
        }
        Ok(fields) => Note {
            fields,
            ..Note::new(NoteKind::Reported, Some(subject), "is not what the document would make")
        },
        Err(why) => {
            draft.unknown(Some(subject), why);
            return;
        }
    };
    // Labels are how we would find it again; what it was made without is no difference of the service.
    note.fields.retain(|field| !field.field.starts_with("labels."));
    draft.notes.push(note);
}

/// A probe that fails says so, whatever the container's state is.
pub(super) fn probes(request: &EnvironmentRequest<'_>, draft: &mut Draft<EnvironmentAction>) {
    let Some(application) = request.application().filter(|container| is_up(container)) else { return };
    let probes = request.facts.map_or(&[][..], |facts| facts.probes.as_slice());
    for probe in probes.iter().filter(|probe| !probe.ok) {
        let text = format!("probe `{}`: {}", probe.name, probe.answer);
        let subject = Subject::container(application.name.clone());
        draft.notes.push(Note::new(NoteKind::Unhealthy, Some(subject), text));
    }
}

/// Whether all processes together may open more connections than the server takes.
pub(super) fn connections(request: &EnvironmentRequest<'_>, draft: &mut Draft<EnvironmentAction>) {
    let observed =
        request.facts.and_then(|facts| facts.database.known()).and_then(|facts| facts.max_connections);
    let said = request.spec.database.managed.as_ref().map(|managed| {
        let setting =
            managed.settings.get("max_connections").and_then(|value| value.to_string().parse().ok());
        setting.unwrap_or(MAX_CONNECTIONS)
    });
    let Some(most) = said.or(observed) else { return };
    let free = most.saturating_sub(RESERVED_CONNECTIONS);
    let asked = request.rendered.options.connections();
    let (others, count) = request.neighbours;
    if asked.most + others > free {
        let beside = match count {
            0 => String::new(),
            1 => format!(" beside {others} of another environment"),
            count => format!(" beside {others} of {count} other environments"),
        };
        let advice = match free.saturating_sub(others) / asked.processes.max(1) {
            0 => "have fewer workers, or let the server take more".to_owned(),
            fits => format!("set `db_maxconn: {fits}`"),
        };
        let text = format!(
            "{} processes with `db_maxconn` {} may open {} connections{beside}, and the database takes {free}: {advice}",
            asked.processes, asked.each, asked.most
        );
        draft.notes.push(Note::new(NoteKind::Reported, None, text));
    }
}
