//! Decides what makes one engine run a project: the difference between what is wanted and what was observed.
//!
//! Containers are matched by labels, never by name alone; what is not ours is never touched. Fields are compared
//! from the engine's own answer, hashes stand only for what it can't return. Whether a difference may be acted on
//! (drift modes, suspension, guards) is decided later, by `plan::planner`; volumes are never removed anywhere.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

mod index;
mod masking;
mod rules;
mod wanted;
mod compare;
mod attachments;
mod slots;
mod conflicts;
mod container;
mod change;
mod state;
mod operations;
mod services;
mod provide;
mod images;
mod networks;
mod volumes;
mod leftovers;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use chrono::{DateTime, Utc};

pub use index::EngineIndex;
pub use leftovers::{Leftover, leftovers};
pub use masking::Masking;
pub use rules::IgnoreRules;

use super::observe::{ContainerFacts, EngineFacts};
use super::operation::EngineOperation;
use super::request::container_name;
use super::spec::{DependencyCondition, ProjectSpec, ServiceSpec};
use crate::model::change::{Class, DriftClass, FieldDiff, Subject};
use crate::model::draft::{Draft, DraftStep};
use crate::model::hash::{canonical_json, sha256_hex};
use crate::model::id::ResourceId;
use crate::model::note::{Note, NoteKind};

/// How long a stop by a person is honoured before it is put right, in minutes: long enough for a repair by hand,
/// short enough that a forgotten stop doesn't last the night.
pub const MANUAL_STOP_MINUTES: i64 = 30;
/// How long a wait lasts when the service it waits for does not say: the default of `healthTimeout`.
const WAIT_DEFAULT: std::time::Duration = std::time::Duration::from_secs(300);

/// Whether the project's containers run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Running {
    /// They run.
    Started,
    /// They exist and don't run.
    Stopped,
    /// They don't exist, nor do the networks.
    Absent,
}

impl Running {
    /// The word in a document.
    pub fn as_str(self) -> &'static str {
        match self {
            Running::Started => "started",
            Running::Stopped => "stopped",
            Running::Absent => "absent",
        }
    }
}

/// Where what is remembered of a project has whether it was to run.
const RUN: &str = "run";

/// The checkout in which the project's relative paths resolve.
#[derive(Debug, Clone, Default)]
pub struct Files {
    /// The step that moves it to the wanted commit, when there is one.
    pub moving: Option<Subject>,
    /// Why it can't be brought to the wanted commit.
    pub blocked: Option<String>,
    /// Absolute paths of files in it that others changed.
    pub dirty: Vec<String>,
    /// Absolute paths of files that the step puts right, because others changed them.
    pub restored: Vec<String>,
}

impl Files {
    /// The first restored file that is one of these paths or lies below one.
    pub fn restored_of(&self, mounted: &str) -> Option<&String> {
        self.restored.iter().find(|file| covers(mounted, file))
    }
}

/// Whether a file is at a path or below it.
pub(crate) fn covers(path: &str, file: &str) -> bool {
    file == path || file.strip_prefix(path).is_some_and(|rest| rest.starts_with('/'))
}

/// Everything that planning one project reads.
#[derive(Clone, Copy)]
pub struct ProjectRequest<'a> {
    /// The resource it belongs to.
    pub resource: &'a ResourceId,
    /// What is wanted.
    pub project: &'a ProjectSpec,
    /// Whether it runs.
    pub running: Running,
    /// What was observed of the engine.
    pub facts: &'a EngineFacts,
    /// The same, by names and labels.
    pub index: &'a EngineIndex<'a>,
    /// Last applied hash per subject; `None` when nothing is remembered.
    pub applied: Option<&'a BTreeMap<String, String>>,
    /// Whether the last applied commit is the desired one.
    pub same_commit: bool,
    /// Field paths that are not compared.
    pub ignore: &'a IgnoreRules,
    /// What other resources make on the same engine: subject → resource.
    pub elsewhere: &'a BTreeMap<Subject, ResourceId>,
    /// The checkout that its files come from.
    pub files: &'a Files,
    /// How values are shown.
    pub masking: &'a Masking<'a>,
    /// The project's services by name.
    pub lookup: &'a ServiceLookup<'a>,
    /// The time.
    pub now: DateTime<Utc>,
}

/// The services of a project by name, so that planning stays linear.
#[derive(Debug, Default)]
pub struct ServiceLookup<'a> {
    services: HashMap<&'a str, &'a ServiceSpec>,
    awaited_ends: HashSet<&'a str>,
    dependents: HashMap<&'a str, Vec<&'a ServiceSpec>>,
}

impl<'a> ServiceLookup<'a> {
    /// Sorts the services of a project.
    pub fn new(project: &'a ProjectSpec) -> Self {
        let dependencies = project.services.iter().flat_map(|service| &service.depends_on);
        let mut dependents: HashMap<&str, Vec<&ServiceSpec>> = HashMap::new();
        for service in &project.services {
            for dependency in &service.depends_on {
                dependents.entry(&dependency.service).or_default().push(service);
            }
        }
        ServiceLookup {
            services: project.services.iter().map(|service| (service.name.as_str(), service)).collect(),
            awaited_ends: dependencies
                .filter(|dependency| dependency.condition == DependencyCondition::CompletedSuccessfully)
                .map(|dependency| dependency.service.as_str())
                .collect(),
            dependents,
        }
    }

    fn service(&self, name: &str) -> Option<&'a ServiceSpec> {
        self.services.get(name).copied()
    }

    /// The containers of the services that depend on this one.
    fn dependents(&self, project: &ProjectSpec, name: &str) -> Vec<Subject> {
        let all = self.dependents.get(name).into_iter().flatten();
        all.flat_map(|service| {
            (1..=service.replicas).map(|number| Subject::container(container_name(project, service, number)))
        })
        .collect()
    }

    /// Whether another service waits for this one's end.
    fn has_to_end(&self, name: &str) -> bool {
        self.awaited_ends.contains(name)
    }
}

/// What the services of a project stand on, as far as it is not there.
#[derive(Debug, Default)]
struct Surroundings {
    /// External things that nobody makes, and the hint what to do.
    unavailable: BTreeMap<Subject, String>,
    /// External things that another resource makes.
    made_elsewhere: BTreeSet<Subject>,
    /// Volumes that are made by this plan.
    new_volumes: BTreeSet<String>,
}

impl Surroundings {
    /// Takes down something external that doesn't exist.
    fn missing_external(
        &mut self,
        request: &ProjectRequest<'_>,
        subject: Subject,
        hint: &str,
        draft: &mut Draft<EngineOperation>,
    ) {
        if request.elsewhere.get(&subject).is_some_and(|resource| resource != request.resource) {
            self.made_elsewhere.insert(subject);
            return;
        }
        let text = format!("is external and doesn't exist: {hint}");
        draft.notes.push(Note::new(NoteKind::Blocked, Some(subject.clone()), text));
        self.unavailable.insert(subject, hint.to_owned());
    }
}

impl ProjectRequest<'_> {
    /// Drift when exactly this was applied before, otherwise a change.
    fn class_if_applied(&self, subject: &Subject, hash: &str, drift: DriftClass) -> Class {
        let known = self.applied.and_then(|subjects| subjects.get(&subject.to_string()));
        if known.is_some_and(|known| known == hash) { Class::Drift(drift) } else { Class::Change }
    }

    /// Whether the containers were last not wanted to run: starting them is a change then, and no drift.
    fn was_not_to_run(&self) -> bool {
        let last = self.applied.and_then(|subjects| subjects.get(RUN));
        last.is_some_and(|last| last != Running::Started.as_str())
    }
}

/// Decides what makes the engine run the project.
pub fn plan_project(request: &ProjectRequest<'_>) -> Draft<EngineOperation> {
    let mut draft = Draft::default();
    draft.subjects.insert(RUN.to_owned(), request.running.as_str().to_owned());
    if request.running == Running::Absent {
        leftovers::remove_all(request, &mut draft);
        return draft;
    }
    let mut surroundings = Surroundings::default();
    volumes::plan(request, &mut surroundings, &mut draft);
    networks::plan(request, &mut surroundings, &mut draft);
    services::plan(request, &surroundings, &mut draft);
    draft
}

/// In which fields a container of somebody else's differs from what a service asks for; why that can't be told.
pub fn differences(
    request: &ProjectRequest<'_>,
    service: &ServiceSpec,
    container: &ContainerFacts,
) -> Result<Vec<FieldDiff>, String> {
    let wanted = wanted::Wanted::new(request, service);
    let mut found = compare::compare(request, &wanted, container);
    match found.unknown.pop() {
        Some(why) => Err(why),
        None => Ok(found.fields),
    }
}

/// The fingerprint of a step: what it was decided on, ids and times left out so that it can be recognised again.
fn fingerprint(step: &DraftStep<EngineOperation>, facts: &serde_json::Value) -> String {
    let fields: Vec<_> = step.fields.iter().map(|field| serde_json::json!(field)).collect();
    let text = canonical_json(&serde_json::json!({
        "subject": step.subject, "action": step.action, "cause": step.cause, "fields": fields, "facts": facts,
    }));
    sha256_hex(text.as_bytes())
}
