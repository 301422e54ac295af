//! Environments: their code, their containers, their database.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use super::stacks::{files_of, finish};
use super::world::World;
use super::{Checkouts, Part, PlanInput, part, policy_of};
use crate::desired::state::EnvironmentDesired;
use crate::engine::labels;
use crate::engine::observe::EngineFacts;
use crate::engine::plan::{Files, IgnoreRules, Masking, ProjectRequest, Running, ServiceLookup};
use crate::model::change::{Action, Subject};
use crate::model::draft::{Draft, DraftStep};
use crate::model::id::Kind;
use crate::model::known::Known;
use crate::model::note::{Note, NoteKind};
use crate::observed::observation::checkout_key;
use crate::plan::policy::{block_dependents, failed_before};
use crate::plan::step::Operation;
use crate::skills::environment::operation::{DatabaseServer, EnvironmentOperation};
use crate::skills::environment::plan::{
    EnvironmentAction, EnvironmentRequest, Outlook, database_subject, outlook, plan_environment, running,
};
use crate::skills::environment::render::{owner, root_path};
use crate::skills::environment::spec::{AddonsSpec, RunState};
use crate::skills::repository::checkout::CheckoutTarget;
use crate::skills::repository::plan::short_commit;

/// Plans one Environment of the desired state.
pub(super) fn plan_one(
    input: &PlanInput<'_>,
    world: &World<'_>,
    environment: &EnvironmentDesired,
    checkouts: &mut Checkouts,
) -> Part {
    let resource = &environment.resource;
    let host = resource.spec.host.as_str();
    let pause = world.pause(input, &resource.common, Some(host));
    let policy = policy_of(input, &resource.id, &resource.common, pause.as_ref());
    let mut draft = Draft::default();
    let rendered = match &environment.rendered {
        Ok(rendered) => rendered,
        Err(unknown) => {
            draft.unknown(None, unknown.why.clone());
            return part(input, &resource.id, host, draft);
        }
    };
    let Some((facts, index)) = world.host(host) else {
        let why = input.observed.hosts.get(host).and_then(Known::unknown).unwrap_or("it was not observed");
        draft.unknown(None, format!("the engine of Host/{host} could not be read: {why}"));
        return part(input, &resource.id, host, draft);
    };
    let applied = input.memory.applied.get(&resource.id);
    let (ignore, masking) = (
        IgnoreRules::new(&resource.common.drift.ignore),
        Masking { key: input.key, redactor: &input.desired.redactor },
    );
    let lookup = ServiceLookup::new(&rendered.project);
    let nowhere = Files::default();
    let request = EnvironmentRequest {
        spec: &resource.spec,
        rendered,
        database: &environment.database,
        facts: input.observed.environments.get(&resource.id.name),
        code: &environment.code,
        is_code_new: environment.checkout.as_ref().is_some_and(|checkout| {
            let key = checkout_key(&checkout.host, &checkout.path);
            input.observed.checkouts.get(&key).and_then(Known::known).is_some_and(|facts| !facts.exists)
        }),
        is_code_edited: is_edited(input, environment),
        former: commit_now(input, environment)
            .filter(|now| environment.checkout.as_ref().is_some_and(|checkout| checkout.commit != *now)),
        claimed: claimed(input, environment, facts),
        neighbours: neighbours(input, environment),
        digest: &resource.digest,
        is_applied: applied.is_some_and(|applied| applied.digest == resource.digest),
        files: &environment.files,
        engine: ProjectRequest {
            resource: &resource.id,
            project: &rendered.project,
            running: running(&resource.spec),
            facts,
            index,
            applied: applied.map(|applied| &applied.subjects),
            same_commit: applied.is_some_and(|applied| applied.commit == input.desired.revision.commit),
            ignore: &ignore,
            elsewhere: world.makers(host),
            files: &nowhere,
            masking: &masking,
            lookup: &lookup,
            now: input.now,
        },
    };
    let outlook = with_memory(input, outlook(&request));
    let files = code(input, environment, &outlook, checkouts, &policy, &mut draft);
    let request =
        EnvironmentRequest { engine: ProjectRequest { files: &files, ..request.engine }, ..request };
    let own = plan_environment(&request, &outlook);
    let mut steps = Draft::default();
    steps.extend(own, operation);
    put_back(environment, &outlook, &mut steps);
    // The code could not be put back: an application on it, over a database that was not updated to it, is worse than none.
    let is_there = commit_now(input, environment).is_some() && outlook.former.is_none();
    if is_there && failure(input, &outlook).is_some() {
        block_dependents(&mut steps, [database_subject(&environment.database)].into());
    }
    image_first(&steps, &mut draft);
    finish(steps, &policy, &mut draft);
    part(input, &resource.id, host, draft)
}

fn operation(action: EnvironmentAction) -> Operation {
    match action {
        EnvironmentAction::Engine(operation) => Operation::Engine(operation),
        EnvironmentAction::Own(operation) => Operation::Environment(operation),
    }
}

/// Code whose update failed is not moved there again by itself.
fn with_memory(input: &PlanInput<'_>, mut outlook: Outlook) -> Outlook {
    if let Some(failure) = failure(input, &outlook) {
        outlook.hold.get_or_insert(failure);
    }
    outlook
}

/// Why the step for the modules is not taken by itself: how it failed the last time.
fn failure(input: &PlanInput<'_>, outlook: &Outlook) -> Option<String> {
    let attempts = input.memory.no_progress.get(&outlook.fingerprint)?;
    (attempts.times > 0 && !input.manual).then(|| failed_before(attempts))
}

/// Plans the checkout with the code, unless it must not be moved now; answers what its files are then.
fn code(
    input: &PlanInput<'_>,
    environment: &EnvironmentDesired,
    outlook: &Outlook,
    checkouts: &mut Checkouts,
    policy: &crate::plan::policy::Policy<'_>,
    draft: &mut Draft<Operation>,
) -> Files {
    let spec = &environment.resource.spec;
    let is_used = spec.adopt.is_none() && running(spec) != Running::Absent;
    let Some(checkout) = environment.checkout.as_ref().filter(|_| is_used) else { return Files::default() };
    let observed = input.observed.checkouts.get(&checkout_key(&checkout.host, &checkout.path));
    let facts = observed.and_then(Known::known);
    let is_there = facts.is_some_and(|facts| facts.commit.as_deref() == Some(checkout.commit.as_str()));
    // What was never there replaces nothing.
    let replaces = facts.is_some_and(|facts| facts.exists) && !is_there;
    if replaces && running(spec) == Running::Stopped {
        // Its modules go with it, and nobody reads the database now.
        let text = format!(
            "stays at {} until the application is to run: modules are updated with the code",
            short_commit(facts.and_then(|facts| facts.commit.as_deref()).unwrap_or_default())
        );
        let subject = Subject::checkout(checkout.path.clone());
        draft.notes.push(Note::new(NoteKind::Reported, Some(subject), text));
        return Files::default();
    }
    if let Some(why) = outlook.hold.as_ref().filter(|_| replaces) {
        let subject = Subject::checkout(checkout.path.clone());
        let text = format!("is not moved to {}: {why}", short_commit(&checkout.commit));
        let is_failure = failure(input, outlook).is_some_and(|failure| failure == *why);
        let kind = if is_failure { NoteKind::Stalled } else { NoteKind::Blocked };
        draft.notes.push(Note::new(kind, Some(subject), text.clone()));
        return Files { blocked: Some(format!("the checkout {} {text}", checkout.path)), ..Files::default() };
    }
    let mut moved = checkouts.plan(input, checkout, policy);
    for step in &mut moved.steps {
        // What git writes is root's.
        step.operations.extend(owners(environment));
    }
    draft.extend(moved, |operation| operation);
    files_of(input, checkout, checkouts)
}

/// The commit that the code is at.
fn commit_now<'a>(input: &PlanInput<'a>, environment: &EnvironmentDesired) -> Option<&'a str> {
    let checkout = environment.checkout.as_ref()?;
    let observed = input.observed.checkouts.get(&checkout_key(&checkout.host, &checkout.path))?;
    observed.known()?.commit.as_deref()
}

/// Whether somebody changed files of the addons in the checkout.
fn is_edited(input: &PlanInput<'_>, environment: &EnvironmentDesired) -> bool {
    let Some(checkout) = &environment.checkout else { return false };
    let observed = input.observed.checkouts.get(&checkout_key(&checkout.host, &checkout.path));
    let dirty = observed.and_then(Known::known).map_or(&[][..], |facts| facts.dirty.as_slice());
    let roots = &environment.resource.spec.odoo.addons;
    let is_in = |file: &String, root: &AddonsSpec| {
        let folder = root.source.trim_start_matches("./").trim_end_matches('/');
        matches!(folder, "" | ".") || file.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
    };
    dirty.iter().any(|file| roots.iter().any(|root| is_in(file, root)))
}

/// Connections that other Environments may open to the same server.
/// Another Environment's application that was made for the same database, as one under a former name.
fn claimed<'a>(
    input: &PlanInput<'_>,
    environment: &EnvironmentDesired,
    facts: &'a EngineFacts,
) -> Option<(&'a str, &'a str)> {
    let database = &environment.database;
    // A managed server is its Environment's own, and its volume is looked at beside.
    if matches!(database.server, DatabaseServer::Container(_)) {
        return None;
    }
    let subject = database_subject(database).to_string();
    let of_others = input.memory.applied.iter().filter(|(id, applied)| {
        **id != environment.resource.id
            && id.kind == Kind::Environment
            && applied.subjects.contains_key(&subject)
    });
    let mut containers = of_others.flat_map(|(id, _)| {
        let id = id.to_string();
        facts.containers.iter().filter(move |it| it.labels.get(labels::RESOURCE) == Some(&id))
    });
    let found = containers.next()?;
    Some((&found.name, found.labels.get(labels::RESOURCE)?))
}

fn neighbours(input: &PlanInput<'_>, environment: &EnvironmentDesired) -> (u32, usize) {
    let own = &environment.resource.id;
    let others = input.desired.environments.values().filter(|other| {
        other.resource.id != *own
            // By host and port: one server stays one, however its connections are secured.
            && other.database.server.to_string() == environment.database.server.to_string()
            && other.resource.spec.run == RunState::Started
    });
    let asked =
        others.filter_map(|other| other.rendered.as_ref().ok()).map(|other| other.options.connections().most);
    asked.fold((0, 0), |(sum, count), most| (sum.saturating_add(most), count + 1))
}

/// Gives the roots of a checkout to whom the document says.
fn owners(environment: &EnvironmentDesired) -> Vec<Operation> {
    let roots = environment.resource.spec.odoo.addons.iter().filter(|root| !root.source.starts_with('/'));
    roots
        .filter_map(|root| {
            let owner = owner(root.owner.as_deref()?)?;
            let path = root_path(&environment.code, root);
            Some(Operation::Environment(EnvironmentOperation::SetOwner { path, owner }))
        })
        .collect()
}

/// An image that can't be fetched must not leave new code under the application that runs: the code moves behind it.
fn image_first(steps: &Draft<Operation>, draft: &mut Draft<Operation>) {
    let fetched = steps.steps.iter().filter(|step| step.action == Action::Pull);
    let fetched: Vec<Subject> = fetched.map(|step| step.subject.clone()).collect();
    for step in draft.steps.iter_mut().filter(|step| step.action == Action::Update) {
        step.needs.extend(fetched.iter().cloned());
    }
}

/// When modules can't be updated to the new code, or no image can be built of it, the code that was there is put back
/// before the application starts on it again.
///
/// A controller that died may have moved it: then the run that it began says what there was before.
fn put_back(environment: &EnvironmentDesired, outlook: &Outlook, draft: &mut Draft<Operation>) {
    let (Some(checkout), Some(former)) = (&environment.checkout, &outlook.former) else { return };
    if *former == checkout.commit {
        return;
    }
    let from = Some(checkout.commit.clone());
    let back = CheckoutTarget { commit: former.clone(), ..CheckoutTarget::new(checkout, from) };
    let subject = database_subject(&environment.database);
    let back: Vec<Operation> = [Operation::Checkout(back)].into_iter().chain(owners(environment)).collect();
    let moves = |step: &DraftStep<Operation>| step.subject == subject || step.action == Action::Build;
    for step in draft.steps.iter_mut().filter(|step| moves(step)) {
        step.undo.splice(0..0, back.iter().cloned());
    }
}
