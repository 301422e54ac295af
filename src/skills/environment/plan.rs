//! What makes an Environment run as its document says.
//!
//! Containers, networks and volumes are the engine's plan; here it is joined with what only an Odoo needs: its files
//! are written before a container mounts them, modules are installed and updated before the application starts on
//! them, no server starts without its database, and a start is over when all probes pass.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

mod joined;
mod rivals;
mod run;
mod say;

use std::collections::BTreeMap;

use super::facts::{DatabaseFacts, DatabaseState, EnvironmentFacts};
use super::modules::{Judgement, ModulesQuestion, Verdict, judge};
use super::operation::{DatabaseServer, DatabaseTarget, EnvironmentOperation, RunIntent};
use super::render::{APPLICATION_SERVICE, DATABASE_SERVICE, Rendered, owner, root_path};
use super::spec::{EnvironmentSpec, RunState};
use crate::engine::labels;
use crate::engine::observe::{ContainerFacts, ContainerStatus};
use crate::engine::operation::EngineOperation;
use crate::engine::plan::{ProjectRequest, Running, plan_project};
use crate::engine::request::container_name;
use crate::model::change::{Action, Class, DriftClass, FieldDiff, Risk, Subject};
use crate::model::draft::{Draft, DraftStep};
use crate::model::hash::sha256_hex;
use crate::model::known::Known;
use crate::model::note::{Note, NoteKind};
use crate::odoo::updates::{Obstacle, Present};

/// One thing to do for an Environment.
#[derive(Debug, Clone)]
pub enum EnvironmentAction {
    /// Asked of the engine.
    Engine(EngineOperation),
    /// Done by ourselves.
    Own(EnvironmentOperation),
}

/// Everything that planning one Environment reads.
#[derive(Clone, Copy)]
pub struct EnvironmentRequest<'a> {
    /// The document.
    pub spec: &'a EnvironmentSpec,
    /// Its containers, files and options.
    pub rendered: &'a Rendered,
    /// Its database.
    pub database: &'a DatabaseTarget,
    /// What was read beside the engine.
    pub facts: Option<&'a EnvironmentFacts>,
    /// The absolute folder of its code on the Host.
    pub code: &'a str,
    /// Whether the folder of its code is made by this plan: a container that runs mounts the one that is gone.
    pub is_code_new: bool,
    /// Whether files of its addons were changed by others since: a process may have loaded what they wrote.
    pub is_code_edited: bool,
    /// The commit that its code is at, when it is another one than the wanted.
    pub former: Option<&'a str>,
    /// A container of another Environment that was applied on the same database, and that Environment.
    pub claimed: Option<(&'a str, &'a str)>,
    /// Connections that other Environments may open to the same server, and how many of them there are.
    pub neighbours: (u32, usize),
    /// The digest of its desired state.
    pub digest: &'a str,
    /// Whether exactly this was applied before.
    pub is_applied: bool,
    /// The absolute folder of its files on the Host.
    pub files: &'a str,
    /// The project, and what was observed of the engine.
    pub engine: ProjectRequest<'a>,
}

/// What the database and the modules ask for, judged before anything is moved.
#[derive(Debug, Clone)]
pub struct Outlook {
    /// What is to be done.
    pub judgement: Judgement,
    /// Why the code must not be moved now.
    pub hold: Option<String>,
    /// The fingerprint that the step for the modules has, if there is one.
    pub fingerprint: String,
    /// What a run of exactly this was for that ended when nobody waited for it.
    pub ended: Option<RunIntent>,
    /// The commit that the code goes back to when the modules can't be updated.
    pub former: Option<String>,
    /// Why database or modules are not known.
    pub unknown: Option<String>,
}

/// Whether an Environment's containers are to run.
pub fn running(spec: &EnvironmentSpec) -> Running {
    match spec.run {
        RunState::Started => Running::Started,
        RunState::Stopped => Running::Stopped,
        RunState::Absent => Running::Absent,
    }
}

/// The database of an Environment as a subject: `odoo_staging@staging-db-1`.
pub fn database_subject(database: &DatabaseTarget) -> Subject {
    Subject::database(format!("{}@{}", database.name, database.server))
}

impl<'a> EnvironmentRequest<'a> {
    fn container_of(&self, service: &str) -> Option<String> {
        let project = self.engine.project;
        let service = project.services.iter().find(|known| known.name == service)?;
        Some(container_name(project, service, 1))
    }

    /// The application's container, ours and under its name.
    fn application(&self) -> Option<&'a ContainerFacts> {
        let name = self.container_of(APPLICATION_SERVICE)?;
        let owner = self.engine.resource.to_string();
        self.engine.index.owned(&owner).iter().copied().find(|container| container.name == name)
    }

    /// The name of a container in which modules are being installed or updated right now.
    fn running_update(&self) -> Option<&'a str> {
        let resource = self.engine.resource.to_string();
        let containers = self.engine.facts.containers.iter();
        let mut runs = containers.filter(|container| container.labels.get(labels::RUN) == Some(&resource));
        runs.find(|container| is_up(container)).map(|container| container.name.as_str())
    }

    /// What a run was for that is over and that nobody saw the end of; whether it ran at all.
    fn cut_off(&self) -> Option<(RunIntent, bool)> {
        let resource = self.engine.resource.to_string();
        let containers = self.engine.facts.containers.iter();
        let mut runs = containers.filter(|it| it.labels.get(labels::RUN) == Some(&resource) && !is_up(it));
        let found = runs.find(|container| container.labels.contains_key(labels::RUN_INTENT))?;
        // What can't be read was written by another version: that run is made again.
        let intent = serde_json::from_str(found.labels.get(labels::RUN_INTENT)?).ok()?;
        Some((intent, found.state.status == ContainerStatus::Exited))
    }

    /// Whether the volume of a managed database is not there yet, so that nothing can be in it.
    fn is_new_server(&self) -> bool {
        let managed = self.spec.database.managed.as_ref();
        managed.is_some_and(|managed| !self.engine.facts.volumes.iter().any(|it| it.name == managed.volume))
    }

    /// Whether the volume of the filestore is not there.
    fn lacks_filestore(&self) -> bool {
        !self.engine.facts.volumes.iter().any(|it| it.name == self.spec.filestore.volume)
    }

    fn was_there(&self) -> bool {
        let subject = database_subject(self.database).to_string();
        self.engine.applied.is_some_and(|subjects| subjects.contains_key(&subject))
    }

    fn image(&self) -> &'a str {
        let services = &self.engine.project.services;
        services.iter().find(|it| it.name == APPLICATION_SERVICE).map_or("", |it| it.image.as_str())
    }
}

/// Judges the database and the modules, before the code is moved.
pub fn outlook(request: &EnvironmentRequest<'_>) -> Outlook {
    let fingerprint =
        sha256_hex(format!("{}\0{}", database_subject(request.database), request.digest).as_bytes());
    let mut outlook = Outlook {
        judgement: Judgement { verdict: Verdict::Later, ..Judgement::default() },
        hold: None,
        fingerprint,
        ended: None,
        former: request.former.map(str::to_owned),
        unknown: None,
    };
    if let Some(container) = request.running_update() {
        outlook.hold = Some(format!("modules are being installed or updated in container `{container}`"));
        return outlook;
    }
    if running(request.spec) != Running::Started {
        outlook.judgement.verdict = Verdict::Current;
        return outlook;
    }
    if let (Some((container, whose)), Some(managed)) = (request.rival(), &request.spec.database.managed) {
        let why = format!(
            "volume `{}` is mounted by container `{container}` ({whose}), and two servers on one data directory destroy it: remove that container, or name another volume",
            managed.volume
        );
        outlook.hold = Some(why.clone());
        outlook.judgement.verdict = Verdict::Refuse(why);
        return outlook;
    }
    if let Some((container, whose)) = request.second() {
        let why = format!(
            "volume `{}` is written by container `{container}` ({whose}), and two applications on one filestore and its database destroy them: remove that container, or name another volume and another database",
            request.spec.filestore.volume
        );
        outlook.hold = Some(why.clone());
        outlook.judgement.verdict = Verdict::Refuse(why);
        return outlook;
    }
    if let Some((container, whose)) = request.claimed {
        let why = format!(
            "container `{container}` ({whose}) was made for the same database, and two applications on one database destroy it: remove that container, or name another database",
        );
        outlook.hold = Some(why.clone());
        outlook.judgement.verdict = Verdict::Refuse(why);
        return outlook;
    }
    if let Some((intent, has_run)) = request.cut_off() {
        outlook.former = intent.former.clone().or(outlook.former);
        outlook.ended = Some(intent).filter(|it| has_run && it.fingerprint == outlook.fingerprint);
    }
    let nowhere = DatabaseFacts { state: DatabaseState::Missing, ..DatabaseFacts::default() };
    let database = match request.facts.map(|facts| &facts.database) {
        Some(Known::Known(database)) if database.state == DatabaseState::NotRunning => {
            if request.is_new_server() { &nowhere } else { database }
        }
        Some(Known::Known(database)) => database,
        Some(Known::Unknown(why)) => {
            return unknown(outlook, format!("the database could not be read: {why}"));
        }
        None => return unknown(outlook, "the database was not observed".to_owned()),
    };
    let present: &BTreeMap<String, Present> = match request.facts.map(|facts| &facts.modules) {
        Some(Known::Known(present)) => present,
        Some(Known::Unknown(why)) => {
            return unknown(outlook, format!("the modules could not be read: {why}"));
        }
        None => return unknown(outlook, "the modules were not observed".to_owned()),
    };
    let question = ModulesQuestion {
        spec: request.spec,
        database,
        present,
        image: request.image(),
        was_there: request.was_there(),
    };
    outlook.judgement = judge(&question);
    if database.state == DatabaseState::Odoo && request.lacks_filestore() {
        let volume = &request.spec.filestore.volume;
        outlook.judgement.verdict = Verdict::Refuse(format!(
            "the attachments of `{}` belong into volume `{volume}`, which is not there: name the right one or restore it; `docker volume create {volume}` says that there are none",
            request.spec.database_name()
        ));
    }
    let lost = outlook
        .judgement
        .obstacles
        .iter()
        .find(|(_, obstacle)| matches!(obstacle, Obstacle::Gone | Obstacle::NowUnusable { .. }));
    outlook.hold = match (&outlook.judgement.verdict, lost) {
        (Verdict::Later, _) => Some("the database is read once its server runs".to_owned()),
        (Verdict::Refuse(why), _) => Some(why.clone()),
        (_, Some((name, obstacle))) => Some(format!("module `{name}`: {obstacle}")),
        // Which modules the new code changes is not known, so none would be updated to it.
        _ if outlook.judgement.is_unremembered && outlook.ended.is_none() => {
            Some("it can't be told which modules would have to be updated to it".to_owned())
        }
        _ => None,
    };
    outlook
}

fn unknown(mut outlook: Outlook, why: String) -> Outlook {
    outlook.hold = Some(why.clone());
    outlook.unknown = Some(why);
    outlook
}

/// Decides about an Environment whose content is known. One that is to be adopted is only observed.
pub fn plan_environment(request: &EnvironmentRequest<'_>, outlook: &Outlook) -> Draft<EnvironmentAction> {
    let mut draft = Draft::default();
    say::not_enforced(request.spec, &mut draft);
    if let Some(adopt) = &request.spec.adopt {
        let text = "adoption is not supported by this version: observed only";
        draft.notes.push(Note::new(NoteKind::Blocked, None, text));
        say::adopted(request, &adopt.container, &mut draft);
        return draft;
    }
    say::chosen(request, &mut draft);
    draft.extend(plan_project(&request.engine), EnvironmentAction::Engine);
    let subject = database_subject(request.database);
    if running(request.spec) != Running::Started && request.was_there() {
        // It goes on being there: whoever starts again must not get an empty one in its place.
        draft.subjects.insert(subject.to_string(), request.spec.odoo.version.clone());
    }
    if running(request.spec) != Running::Started {
        say::left_runs(request, &subject, &mut draft);
    }
    if running(request.spec) == Running::Absent {
        return draft;
    }
    joined::explain_conf(request, &mut draft);
    joined::write_files(request, &mut draft);
    own_folders(request, &mut draft);
    if running(request.spec) == Running::Started {
        let is_there = !matches!(outlook.judgement.verdict, Verdict::Later | Verdict::Refuse(_))
            && outlook.unknown.is_none();
        if is_there || request.was_there() {
            draft.subjects.insert(subject.to_string(), request.spec.odoo.version.clone());
        }
        say::outlook(request, outlook, &subject, &mut draft);
        say::keep_version(request, &subject, &mut draft);
        run::plan(request, outlook, &mut draft);
        joined::prove_starts(request, &mut draft);
        say::probes(request, &mut draft);
        say::connections(request, &mut draft);
    }
    draft
}

/// The files of addons roots belong to whom the document says.
fn own_folders(request: &EnvironmentRequest<'_>, draft: &mut Draft<EnvironmentAction>) {
    for root in &request.spec.odoo.addons {
        let Some(wanted) = root.owner.as_deref().and_then(owner) else { continue };
        let path = root_path(request.code, root);
        let subject = Subject::folder(path.clone());
        // A checkout that moves gets its owners in the same step.
        if request.engine.files.moving.is_some() && !root.source.starts_with('/') {
            continue;
        }
        let facts = request.facts.and_then(|facts| facts.folders.get(&path));
        let (class, before) = match facts {
            Some(Known::Known(facts)) if !facts.exists => {
                let text = "there is no such folder";
                draft.notes.push(Note::new(NoteKind::Blocked, Some(subject), text));
                continue;
            }
            Some(Known::Known(facts)) => {
                let text = format!("{}:{}", wanted.0, wanted.1);
                let others: Vec<String> = facts
                    .owners
                    .iter()
                    .filter(|(owner, _)| **owner != text)
                    .map(|(owner, count)| format!("{owner} ({count} files)"))
                    .collect();
                if others.is_empty() {
                    continue;
                }
                (Class::Drift(DriftClass::Content), Some(others.join(", ")))
            }
            Some(Known::Unknown(why)) => {
                draft.unknown(Some(subject), why.clone());
                continue;
            }
            None => continue,
        };
        let decided_on = format!("{path}\0{before:?}\0{wanted:?}");
        draft.steps.push(DraftStep {
            action: Action::Update,
            class,
            cause: "owner".to_owned(),
            risk: Risk::None,
            fields: vec![FieldDiff {
                field: "owner".to_owned(),
                before,
                after: Some(format!("{}:{}", wanted.0, wanted.1)),
                secret: false,
            }],
            fingerprint: sha256_hex(decided_on.as_bytes()),
            operations: vec![EnvironmentAction::Own(EnvironmentOperation::SetOwner { path, owner: wanted })],
            ..DraftStep::on(subject.clone())
        });
        for step in draft.steps.iter_mut().filter(|step| step.subject != subject) {
            let starts = step.operations.iter().any(joined::is_start);
            if starts && Some(&step.subject.name) == request.container_of(APPLICATION_SERVICE).as_ref() {
                step.needs.push(subject.clone());
            }
        }
    }
}

/// Whether a container has processes.
fn is_up(container: &ContainerFacts) -> bool {
    matches!(
        container.state.status,
        ContainerStatus::Running | ContainerStatus::Paused | ContainerStatus::Restarting
    )
}

/// The server of an Environment's database.
pub fn database_server(spec: &EnvironmentSpec, name: &str) -> DatabaseServer {
    match &spec.database.external {
        Some(external) => DatabaseServer::Address {
            host: external.host.clone(),
            port: external.port,
            sslmode: external.sslmode,
        },
        None => DatabaseServer::Container(format!("{name}-{DATABASE_SERVICE}-1")),
    }
}
