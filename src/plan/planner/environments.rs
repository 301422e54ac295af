//! Environments: their code, their containers, their database.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use super::stacks::{files_of, finish};
use super::world::World;
use super::{Checkouts, Part, PlanInput, part, policy_of};
use crate::desired::state::EnvironmentDesired;
use crate::engine::plan::{Files, IgnoreRules, Masking, ProjectRequest, Running, ServiceLookup};
use crate::model::change::Subject;
use crate::model::draft::Draft;
use crate::model::known::Known;
use crate::model::note::{Note, NoteKind};
use crate::observed::observation::checkout_key;
use crate::plan::policy::FAILED_BEFORE;
use crate::plan::step::Operation;
use crate::skills::environment::plan::{
    EnvironmentAction, EnvironmentRequest, Outlook, database_subject, outlook, plan_environment, running,
};
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
    put_back(input, environment, &files, &mut steps);
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
    let failed = input.memory.no_progress.get(&outlook.fingerprint).is_some_and(|count| *count > 0);
    if failed && !input.manual {
        outlook.hold.get_or_insert_with(|| FAILED_BEFORE.to_owned());
    }
    outlook
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
    if let Some(why) = outlook.hold.as_ref().filter(|_| replaces) {
        let subject = Subject::checkout(checkout.path.clone());
        let text = format!("is not moved to {}: {why}", short_commit(&checkout.commit));
        let kind = if why == FAILED_BEFORE { NoteKind::Stalled } else { NoteKind::Blocked };
        draft.notes.push(Note::new(kind, Some(subject), text.clone()));
        return Files { blocked: Some(format!("the checkout {} {text}", checkout.path)), ..Files::default() };
    }
    draft.extend(checkouts.plan(input, checkout, policy), |operation| operation);
    files_of(input, checkout, checkouts)
}

/// When modules can't be updated to the new code, the code that they are of is put back before the application starts
/// on it again.
fn put_back(
    input: &PlanInput<'_>,
    environment: &EnvironmentDesired,
    files: &Files,
    draft: &mut Draft<Operation>,
) {
    let (Some(checkout), Some(_)) = (&environment.checkout, &files.moving) else { return };
    let observed = input.observed.checkouts.get(&checkout_key(&checkout.host, &checkout.path));
    let Some(former) = observed.and_then(Known::known).and_then(|facts| facts.commit.clone()) else { return };
    if former == checkout.commit {
        return;
    }
    let back =
        CheckoutTarget { commit: former, ..CheckoutTarget::new(checkout, Some(checkout.commit.clone())) };
    let subject = database_subject(&environment.database);
    for step in draft.steps.iter_mut().filter(|step| step.subject == subject) {
        step.undo.insert(0, Operation::Checkout(back.clone()));
    }
}
