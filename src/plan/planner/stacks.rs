//! Stacks, wanted and deleted: their checkout, their project, and what they left behind.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use std::collections::{BTreeMap, BTreeSet};

use super::world::World;
use super::{Checkouts, Part, PlanInput, part, policy_of};
use crate::desired::state::StackDesired;
use crate::engine::operation::EngineOperation;
use crate::engine::plan::{
    EngineIndex, Files, IgnoreRules, Masking, ProjectRequest, Running, ServiceLookup, leftovers,
};
use crate::engine::spec::ProjectSpec;
use crate::model::change::Subject;
use crate::model::draft::Draft;
use crate::model::id::{Kind, ResourceId};
use crate::model::known::Known;
use crate::observed::observation::checkout_key;
use crate::plan::policy::{Policy, apply_policy};
use crate::plan::prune::{PruneRules, prune};
use crate::plan::step::Operation;
use crate::skills::repository::checkout::CheckoutDesired;
use crate::skills::repository::plan::short_commit;
use crate::skills::stack::plan::{plan_stack, running};

/// Plans one stack of the desired state.
pub(super) fn plan_one(
    input: &PlanInput<'_>,
    world: &World<'_>,
    stack: &StackDesired,
    checkouts: &mut Checkouts,
) -> Part {
    let resource = &stack.resource;
    let host = resource.spec.host.as_str();
    let pause = world.pause(input, &resource.common, Some(host));
    let policy = policy_of(input, &resource.id, &resource.common, pause.as_ref());
    let mut draft = Draft::default();
    if let Some(checkout) = stack.checkout.as_ref().filter(|_| resource.spec.adopt.is_none()) {
        draft.extend(checkouts.plan(input, checkout, &policy), |operation| operation);
    }
    let files = files(input, stack, checkouts);
    let project = match &stack.project {
        Ok(project) => project,
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
    let mut own = plan_stack(
        &resource.spec,
        &ProjectRequest {
            resource: &resource.id,
            project,
            running: running(&resource.spec),
            facts,
            index,
            applied: applied.map(|applied| &applied.subjects),
            same_commit: applied.is_some_and(|applied| applied.commit == input.desired.revision.commit),
            ignore: &IgnoreRules::new(&resource.common.drift.ignore),
            elsewhere: world.makers(host),
            files: &files,
            masking: &Masking { key: input.key, redactor: &input.desired.redactor },
            lookup: &ServiceLookup::new(project),
            now: input.now,
        },
    );
    if resource.spec.adopt.is_none() && running(&resource.spec) != Running::Absent {
        prune_left(input, world, stack, (project, index), &mut own);
    }
    let mut steps = Draft::default();
    steps.extend(own, Operation::Engine);
    finish(steps, &policy, &mut draft);
    part(input, &resource.id, host, draft)
}

/// Puts a resource's own steps under its policy, and beside those of its checkout.
pub(super) fn finish(mut steps: Draft<Operation>, policy: &Policy<'_>, draft: &mut Draft<Operation>) {
    // The pause was said with the checkout when there is one.
    let is_said = draft.notes.iter().any(|note| note.subject.is_none() && policy.pause.is_some());
    apply_policy(&mut steps, policy);
    if is_said {
        steps.notes.retain(|note| !draft.notes.contains(note));
    }
    draft.extend(steps, |operation| operation);
}

/// The state of the checkout that a stack's files come from.
fn files(input: &PlanInput<'_>, stack: &StackDesired, checkouts: &Checkouts) -> Files {
    let repository = stack.resource.spec.repository.as_ref();
    let of_repository = repository.and_then(|name| input.desired.repositories.get(name)?.checkout.as_ref());
    match stack.checkout.as_ref().or(of_repository) {
        Some(checkout) => files_of(input, checkout, checkouts),
        None => Files::default(),
    }
}

/// The state of a checkout, as those that mount its files need it.
pub(super) fn files_of(input: &PlanInput<'_>, checkout: &CheckoutDesired, checkouts: &Checkouts) -> Files {
    let key = checkout_key(&checkout.host, &checkout.path);
    let observed = input.observed.checkouts.get(&key);
    let dirty = observed.and_then(Known::known).map_or(&[][..], |facts| &facts.dirty);
    let dirty = dirty.iter().map(|file| format!("{}/{file}", checkout.path)).collect();
    if checkouts.is_moving(&checkout.host, &checkout.path) {
        let moving = Some(Subject::checkout(checkout.path.clone()));
        return Files { moving, restored: dirty, ..Files::default() };
    }
    match observed {
        Some(Known::Known(facts)) if facts.commit.as_deref() == Some(checkout.commit.as_str()) => {
            Files { dirty, ..Files::default() }
        }
        Some(Known::Known(_)) => blocked(checkout, "is not at commit"),
        Some(Known::Unknown(_)) | None => blocked(checkout, "could not be read and has to be at commit"),
    }
}

fn blocked(checkout: &CheckoutDesired, why: &str) -> Files {
    let text = format!("the checkout {} {why} {}", checkout.path, short_commit(&checkout.commit));
    Files { blocked: Some(text), ..Files::default() }
}

/// What a wanted stack made and no longer wants.
fn prune_left(
    input: &PlanInput<'_>,
    world: &World<'_>,
    stack: &StackDesired,
    (project, index): (&ProjectSpec, &EngineIndex<'_>),
    draft: &mut Draft<EngineOperation>,
) {
    let resource = &stack.resource;
    let id = resource.id.to_string();
    let Some((facts, _)) = world.host(&resource.spec.host) else { return };
    // A container whose name a renamed service takes over is replaced, not left.
    let stepping: BTreeSet<Subject> = draft.steps.iter().map(|step| step.subject.clone()).collect();
    let left = leftovers(facts, index, &id, Some(project));
    let left = left.into_iter().filter(|leftover| !stepping.contains(&leftover.subject)).collect();
    let rules = PruneRules {
        id: &resource.id,
        host: &resource.spec.host,
        project: Some(&project.name),
        prune: resource.spec.prune,
        protect: resource.common.protect,
        protected_prefixes: protected_prefixes(input, &resource.spec.host),
        objects: index.owned(&id).len() + index.owned_networks(&id).len(),
        deleted: false,
        desired_is_empty: false,
        incomplete: !draft.complete,
        allowed: input.may_destroy(&resource.id),
        memory: input.memory,
        now: input.now,
    };
    prune(left, &rules, draft);
}

fn protected_prefixes<'a>(input: &PlanInput<'a>, host: &str) -> &'a [String] {
    input.desired.hosts.get(host).map_or(&[], |host| host.spec.protected_prefixes.as_slice())
}

/// What is left of stacks and environments whose documents are gone: known from our inventory, never from labels alone, because
/// another controller may have made what only bears the same labels.
pub(super) fn plan_deleted(input: &PlanInput<'_>, world: &World<'_>) -> Vec<Part> {
    let mut left: BTreeMap<&ResourceId, BTreeSet<&str>> = BTreeMap::new();
    for entry in &input.memory.inventory {
        let runs = matches!(entry.resource.kind, Kind::Stack | Kind::Environment);
        let is_gone = runs && input.desired.common(&entry.resource).is_none();
        if is_gone && input.is_planned(&entry.resource) {
            left.entry(&entry.resource).or_default().insert(&entry.host);
        }
    }
    let mut parts = Vec::new();
    for (id, hosts) in left {
        for host in hosts {
            parts.extend(plan_deleted_on(input, world, id, host));
        }
    }
    parts
}

fn plan_deleted_on(input: &PlanInput<'_>, world: &World<'_>, id: &ResourceId, host: &str) -> Option<Part> {
    let mut draft = Draft::default();
    let text = id.to_string();
    match world.host(host) {
        None => draft.unknown(
            None,
            format!("left the desired state, and the engine of Host/{host} could not be read"),
        ),
        Some((facts, index)) => {
            let left = leftovers(facts, index, &text, None);
            let rules = PruneRules {
                id,
                host,
                project: None,
                prune: input.memory.applied.get(id).is_some_and(|applied| applied.prune),
                protect: false,
                protected_prefixes: protected_prefixes(input, host),
                objects: left.len(),
                deleted: true,
                desired_is_empty: input.desired.stacks.is_empty() && input.desired.environments.is_empty(),
                incomplete: false,
                allowed: input.may_destroy(id),
                memory: input.memory,
                now: input.now,
            };
            prune(left, &rules, &mut draft);
            if draft.steps.is_empty() && draft.notes.is_empty() {
                return None;
            }
        }
    }
    let mut own = Draft::default();
    own.extend(draft, Operation::Engine);
    Some(Part {
        id: id.clone(),
        host: host.to_owned(),
        digest: String::new(),
        desired: false,
        draft: own,
        depends_on: Vec::new(),
    })
}
