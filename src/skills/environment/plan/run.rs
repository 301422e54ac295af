//! The step that makes a database, installs modules and updates them.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use std::collections::{BTreeMap, HashMap};

use bollard::models::{ContainerCreateBody, EndpointSettings, HealthConfig, NetworkingConfig};

use super::{EnvironmentAction, EnvironmentRequest, Outlook, database_subject, is_up, joined};
use crate::engine::labels;
use crate::engine::operation::{EngineOperation, Target};
use crate::model::change::{Action, Class, DriftClass, FieldDiff, Risk, Subject};
use crate::model::draft::{Draft, DraftStep};
use crate::model::hash::sha256_hex;
use crate::model::known::Known;
use crate::odoo::updates::{Decision, Reason};
use crate::skills::environment::modules::{Verdict, stamp};
use crate::skills::environment::operation::{EnvironmentOperation, ModulesRun, RunIntent};
use crate::skills::environment::render::{
    APPLICATION_SERVICE, CONF_TARGET, DATABASE_SERVICE, health_timeout, network_name, root_path,
    update_timeout,
};
use crate::skills::environment::spec::UpdateWhich;

/// Modules that a cause names before it counts the rest.
const NAMED_MAX: usize = 2;
/// Digits of an operation's id.
const ID_DIGITS: usize = 16;

/// Adds the step, when there is something to do.
pub(super) fn plan(
    request: &EnvironmentRequest<'_>,
    outlook: &Outlook,
    draft: &mut Draft<EnvironmentAction>,
) {
    let names = |modules: &BTreeMap<String, Reason>| modules.keys().cloned().collect::<Vec<_>>();
    let occasion = outlook.judgement.occasion.as_ref().map(|why| format!(" ({why})")).unwrap_or_default();
    let decided = |decision: &Decision, initialize: bool| Task {
        cause: format!("{}{occasion}", cause(decision, initialize)),
        fields: fields(request, decision),
        initialize,
        install: names(&decision.install),
        update: names(&decision.update),
    };
    let task = match (&outlook.judgement.verdict, &outlook.ended) {
        (Verdict::Later | Verdict::Refuse(_), _) => return,
        // The database may look as if nothing were left to do, or as if nothing had been done.
        (_, Some(intent)) => Task {
            cause: ended_cause(intent),
            fields: Vec::new(),
            initialize: intent.initialize,
            install: intent.install.clone(),
            update: intent.update.clone(),
        },
        (Verdict::Current, None) => return restart(request, &outlook.judgement.stale, draft),
        (Verdict::Initialize(decision), None) => decided(decision, true),
        (Verdict::Change(decision), None) => decided(decision, false),
    };
    // What could not be moved to its commit is not run either.
    if request.engine.files.blocked.is_some() {
        return;
    }
    let Some(run) = modules_run(request, outlook, &task) else { return };
    let Some(name) = request.container_of(APPLICATION_SERVICE) else { return };
    let subject = database_subject(request.database);
    let application = Subject::container(name.clone());
    let current = request.application().filter(|container| is_up(container));
    let stops = current.map(|container| {
        let container = Target::Id(container.id.clone());
        EnvironmentAction::Engine(EngineOperation::StopContainer { container, grace: grace(request) })
    });
    let mut operations: Vec<EnvironmentAction> = joined_files(request);
    operations.extend(stops);
    operations.push(EnvironmentAction::Own(EnvironmentOperation::RunModules(Box::new(run))));
    let start = |container: &crate::engine::observe::ContainerFacts| {
        EnvironmentAction::Engine(EngineOperation::StartContainer {
            container: Target::Id(container.id.clone()),
        })
    };
    // When a controller died in between, the application is what it stopped: it is to run again in any case.
    let is_to_start = draft.steps.iter().any(|step| step.subject == application);
    let former = request.application().filter(|container| is_up(container) || is_to_start);
    let undo: Vec<EnvironmentAction> = match former {
        Some(container) => {
            vec![
                start(container),
                joined::wait(&name, health_timeout(request.spec)),
                joined::probe(request, &name),
            ]
        }
        None => Vec::new(),
    };
    let mut needs = needs(request);
    match draft.steps.iter_mut().find(|step| step.subject == application) {
        Some(step) => {
            // Image, networks and volumes that the new container needs are those of the run.
            needs.extend(step.needs.clone());
            step.needs.push(subject.clone());
        }
        None => {
            if let Some(container) = current {
                operations.push(start(container));
                operations.push(joined::wait(&name, health_timeout(request.spec)));
            }
        }
    }
    draft.steps.push(DraftStep {
        action: if task.initialize { Action::Create } else { Action::Update },
        class: if request.is_applied { Class::Drift(DriftClass::Content) } else { Class::Change },
        cause: task.cause,
        risk: if current.is_some() { Risk::Downtime } else { Risk::None },
        fields: task.fields,
        needs,
        fingerprint: outlook.fingerprint.clone(),
        operations,
        undo,
        ..DraftStep::on(subject)
    });
}

/// What a run is to do, and why.
struct Task {
    cause: String,
    fields: Vec<FieldDiff>,
    initialize: bool,
    install: Vec<String>,
    update: Vec<String>,
}

fn ended_cause(intent: &RunIntent) -> String {
    let named = |word: &str, names: &[String]| match names {
        [] => None,
        [one] => Some(format!("{word} {one}")),
        [one, two] => Some(format!("{word} {one}, {two}")),
        [one, two, rest @ ..] => Some(format!("{word} {one}, {two} and {} more", rest.len())),
    };
    let parts: Vec<String> =
        named("install", &intent.install).into_iter().chain(named("update", &intent.update)).collect();
    format!("look how a run ended that nobody waited for: {}", parts.join(", "))
}

/// Code that is not to be updated is read by a server only when it starts, and a folder that was made anew is mounted then.
fn restart(request: &EnvironmentRequest<'_>, stale: &[String], draft: &mut Draft<EnvironmentAction>) {
    let Some(moving) = request.engine.files.moving.clone() else { return };
    let Some(container) = request.application().filter(|container| is_up(container)) else { return };
    let cause = match (request.is_code_new, request.is_applied || stale.is_empty()) {
        (true, _) => "the folder of its code is made anew".to_owned(),
        (false, true) if request.is_code_edited => "its code was changed by others".to_owned(),
        (false, false) => format!("new code of {}, which is not to be updated", stale.join(", ")),
        // What the database remembers need not be what the server started with.
        (false, true) if is_read_anew(request) => "new code, of which nothing is to be updated".to_owned(),
        (false, true) => return,
    };
    let subject = Subject::container(container.name.clone());
    if draft.steps.iter().any(|step| step.subject == subject) {
        return;
    }
    draft.steps.push(DraftStep {
        action: Action::Restart,
        class: if request.is_applied { Class::Drift(DriftClass::Source) } else { Class::Change },
        risk: Risk::Restart,
        needs: vec![moving],
        fingerprint: sha256_hex(format!("{}\0{cause}", container.id).as_bytes()),
        cause,
        operations: vec![
            EnvironmentAction::Engine(EngineOperation::RestartContainer {
                container: Target::Id(container.id.clone()),
                grace: grace(request),
            }),
            joined::wait(&container.name, health_timeout(request.spec)),
        ],
        ..DraftStep::on(subject)
    });
}

/// Whether a server goes on with other code than there will be, and no update makes it start anew.
fn is_read_anew(request: &EnvironmentRequest<'_>) -> bool {
    request.spec.odoo.modules.update == UpdateWhich::None
        && request.facts.is_some_and(|facts| !facts.moved_roots.is_empty())
}

fn grace(request: &EnvironmentRequest<'_>) -> std::time::Duration {
    let services = &request.engine.project.services;
    let service = services.iter().find(|service| service.name == APPLICATION_SERVICE);
    service.map(|service| service.stop_grace_period).unwrap_or_default()
}

/// The run mounts the application's configuration, which no container of the application may have needed yet.
fn joined_files(request: &EnvironmentRequest<'_>) -> Vec<EnvironmentAction> {
    let files = request.rendered.files.iter().filter(|file| file.service == APPLICATION_SERVICE);
    files.map(|file| joined::write(request, file)).collect()
}

fn needs(request: &EnvironmentRequest<'_>) -> Vec<Subject> {
    let mut needs = vec![
        Subject::network(network_name(&request.engine.project.name)),
        Subject::volume(request.spec.filestore.volume.clone()),
    ];
    needs.extend(request.container_of(DATABASE_SERVICE).map(Subject::container));
    needs.extend(request.engine.files.moving.clone());
    let owned = request.spec.odoo.addons.iter().filter(|root| root.owner.is_some());
    needs.extend(owned.map(|root| Subject::folder(root_path(request.code, root))));
    needs
}

fn cause(decision: &Decision, initialize: bool) -> String {
    if initialize {
        let names: Vec<&str> = decision.install.keys().map(String::as_str).collect();
        return format!("make the database with {}", names.join(", "));
    }
    let lines: Vec<String> = decision.to_string().lines().map(str::to_owned).collect();
    match lines.len() {
        count if count <= NAMED_MAX => lines.join(", "),
        count => format!("{}, and {} more modules", lines[..NAMED_MAX].join(", "), count - NAMED_MAX),
    }
}

/// A line for each module, when the cause can't name them all.
fn fields(request: &EnvironmentRequest<'_>, decision: &Decision) -> Vec<FieldDiff> {
    if decision.install.len() + decision.update.len() <= NAMED_MAX {
        return Vec::new();
    }
    let known = request.facts.and_then(|facts| facts.database.known());
    let version = |name: &str| {
        let module = known?.modules.get(name)?;
        Some(format!("{} {}", module.state, module.version).trim().to_owned())
    };
    let lines = |word: &'static str, modules: &BTreeMap<String, Reason>| {
        let line = |(name, reason): (&String, &Reason)| FieldDiff {
            field: name.clone(),
            before: version(name),
            after: Some(format!("{word}: {reason}")),
            secret: false,
        };
        modules.iter().map(line).collect::<Vec<_>>()
    };
    let mut fields = lines("install", &decision.install);
    fields.extend(lines("update", &decision.update));
    fields
}

fn modules_run(request: &EnvironmentRequest<'_>, outlook: &Outlook, task: &Task) -> Option<ModulesRun> {
    let present = match request.facts.map(|facts| &facts.modules) {
        Some(Known::Known(present)) => present,
        Some(Known::Unknown(_)) | None => return None,
    };
    let resource = request.engine.resource.to_string();
    let Task { install, update, initialize, .. } = task;
    let intent = RunIntent {
        fingerprint: outlook.fingerprint.clone(),
        initialize: *initialize,
        install: install.clone(),
        update: update.clone(),
        former: outlook.former.clone(),
    };
    let id = format!("{}\0{}\0{}", outlook.fingerprint, install.join(","), update.join(","));
    let operation_id = sha256_hex(id.as_bytes())[..ID_DIGITS].to_owned();
    let container = format!("{}-{APPLICATION_SERVICE}-update", request.engine.project.name);
    let mut words = vec!["--config".to_owned(), CONF_TARGET.to_owned()];
    words.extend(["--database".to_owned(), request.database.name.clone()]);
    if !install.is_empty() {
        words.extend(["--init".to_owned(), install.join(",")]);
    }
    if !update.is_empty() {
        words.extend(["--update".to_owned(), update.join(",")]);
    }
    let once = ["--stop-after-init", "--workers=0", "--max-cron-threads=0", "--no-http"];
    // How the run ends is read in its log, whatever the server's own goes to and leaves out.
    words.extend(["--logfile=", "--log-level=info"].iter().map(|word| (*word).to_owned()));
    words.extend(["--log-handler=:INFO", "--log-handler=odoo:INFO"].iter().map(|word| (*word).to_owned()));
    words.extend(once.iter().map(|word| (*word).to_owned()));
    Some(ModulesRun {
        body: Box::new(body(request, words, &resource, &operation_id, &intent)?),
        resource,
        container,
        operation_id: operation_id.clone(),
        database: request.database.clone(),
        initialize: *initialize,
        install: install.clone(),
        update: update.clone(),
        checksums: present.iter().map(|(name, module)| (name.clone(), module.checksum.clone())).collect(),
        versions: present
            .iter()
            .filter(|(_, module)| !module.version.is_empty())
            .map(|(name, module)| (name.clone(), module.version.clone()))
            .collect(),
        is_whole: *initialize || request.spec.odoo.modules.update != UpdateWhich::None,
        stamp: stamp(request.image(), present),
        series: request.spec.odoo.version.clone(),
        timeout: update_timeout(request.spec),
        log: format!("{}/logs/{operation_id}.log", request.files),
    })
}

/// The application's container with another command, nothing published, and no life of its own.
fn body(
    request: &EnvironmentRequest<'_>,
    words: Vec<String>,
    resource: &str,
    operation_id: &str,
    intent: &RunIntent,
) -> Option<ContainerCreateBody> {
    let services = &request.engine.project.services;
    let service = services.iter().find(|service| service.name == APPLICATION_SERVICE)?;
    let mut body = (*service.container).clone();
    body.cmd = Some(words);
    body.exposed_ports = None;
    body.healthcheck = Some(HealthConfig { test: Some(vec!["NONE".to_owned()]), ..HealthConfig::default() });
    body.labels = Some(HashMap::from([
        (labels::RUN.to_owned(), resource.to_owned()),
        (labels::OPERATION.to_owned(), operation_id.to_owned()),
        (labels::RUN_INTENT.to_owned(), serde_json::to_string(intent).expect("an intent is JSON")),
    ]));
    let network = network_name(&request.engine.project.name);
    let host = body.host_config.get_or_insert_default();
    host.restart_policy = None;
    host.port_bindings = None;
    host.network_mode = Some(network.clone());
    body.networking_config = Some(NetworkingConfig {
        endpoints_config: Some(HashMap::from([(network, EndpointSettings::default())])),
    });
    Some(body)
}
