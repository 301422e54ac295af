//! Decides what to do: the only place where the kinds of resources meet.
//!
//! Each kind makes its own draft; here drafts are given what other resources provide (checkouts, networks), put under
//! the policy of their documents, ordered, checked and numbered. A resource that can't be planned stops no other.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

mod dependencies;
mod environments;
mod layouts;
mod stacks;
mod world;

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use super::checks::{CheckInput, check};
use super::memory::Memory;
use super::order;
use super::plan::{Note, NoteKind, Plan, ResourcePlan};
use super::policy::{self, Pause, Policy, apply_policy};
use super::step::Operation;
use crate::desired::state::DesiredState;
use crate::model::draft::Draft;
use crate::model::id::{Kind, ResourceId};
use crate::model::resource::CommonSpec;
use crate::model::secret::HmacKey;
use crate::observed::observation::{Observation, checkout_key};
use crate::skills::host::plan::plan_host;
use crate::skills::repository::plan::plan_checkout;
use world::World;

/// Everything that a plan depends on.
#[derive(Debug, Clone, Copy)]
pub struct PlanInput<'a> {
    /// What is wanted.
    pub desired: &'a DesiredState,
    /// What is.
    pub observed: &'a Observation,
    /// What we remember.
    pub memory: &'a Memory,
    /// The time.
    pub now: DateTime<Utc>,
    /// The key of fingerprints of secrets.
    pub key: &'a HmacKey,
    /// These resources alone; `None` for all.
    pub only: Option<&'a BTreeSet<ResourceId>>,
    /// Whether a person asked, so that `apply: manual` is applied.
    pub manual: bool,
    /// Whether drift that waits for a time of day is corrected now: it is that time, or a person asked.
    pub scheduled: bool,
    /// Resources of which a person allowed to remove or to lose data, having seen this plan's hash.
    pub allow_destroy: Option<&'a BTreeSet<ResourceId>>,
}

impl PlanInput<'_> {
    fn is_planned(&self, id: &ResourceId) -> bool {
        self.only.is_none_or(|only| only.contains(id))
    }

    fn may_destroy(&self, id: &ResourceId) -> bool {
        self.manual && self.allow_destroy.is_some_and(|allowed| allowed.contains(id))
    }
}

/// One resource's part of a plan in the making.
pub(super) struct Part {
    /// The resource.
    pub id: ResourceId,
    /// The Host it acts on; empty when it has none.
    pub host: String,
    /// Its digest; empty when its document is gone.
    pub digest: String,
    /// Whether its document is there.
    pub desired: bool,
    /// What it would do.
    pub draft: Draft<Operation>,
    /// Places of the parts whose steps come before its own.
    pub depends_on: Vec<usize>,
}

/// Decides what to do. The same input gives the same plan, byte for byte.
pub fn plan(input: &PlanInput<'_>) -> Plan {
    let world = World::new(input);
    let mut parts = Vec::new();
    for host in input.desired.hosts.values().filter(|host| input.is_planned(&host.id)) {
        let mut draft = Draft::default();
        draft.extend(plan_host(&host.spec, input.observed.hosts.get(&host.id.name)), Operation::Engine);
        parts.push(part(input, &host.id, &host.id.name, draft));
    }
    let mut checkouts = Checkouts::default();
    for id in input.desired.repositories.values().map(|repository| &repository.resource.id) {
        if input.is_planned(id) {
            parts.push(plan_repository(input, &world, id, &mut checkouts));
        }
    }
    for layout in input.desired.layouts.values().filter(|it| input.is_planned(&it.resource.id)) {
        parts.push(layouts::plan_one(input, &world, layout, &checkouts));
    }
    for stack in input.desired.stacks.values().filter(|stack| input.is_planned(&stack.resource.id)) {
        parts.push(stacks::plan_one(input, &world, stack, &mut checkouts));
    }
    for it in input.desired.environments.values().filter(|it| input.is_planned(&it.resource.id)) {
        parts.push(environments::plan_one(input, &world, it, &mut checkouts));
    }
    parts.extend(stacks::plan_deleted(input, &world));
    say_not_enforced(input, &mut parts);
    require_others(&mut parts);
    dependencies::follow(input, &world, &mut parts);
    assemble(input, parts)
}

fn part(input: &PlanInput<'_>, id: &ResourceId, host: &str, draft: Draft<Operation>) -> Part {
    Part {
        digest: input.desired.digest_of(id).unwrap_or_default().to_owned(),
        id: id.clone(),
        host: host.to_owned(),
        desired: true,
        draft,
        depends_on: Vec::new(),
    }
}

/// Checkouts that a step of this plan moves, by their key in the observation.
#[derive(Default)]
pub(super) struct Checkouts {
    moving: BTreeSet<String>,
}

impl Checkouts {
    /// Plans a checkout unless another resource's step moves it already, and puts it under a policy.
    fn plan(
        &mut self,
        input: &PlanInput<'_>,
        checkout: &crate::skills::repository::checkout::CheckoutDesired,
        policy: &Policy<'_>,
    ) -> Draft<Operation> {
        let key = checkout_key(&checkout.host, &checkout.path);
        let mut draft = Draft::default();
        if self.moving.contains(&key) {
            return draft;
        }
        let applied = input.memory.applied.get(policy.id).map(|applied| &applied.subjects);
        draft.extend(
            plan_checkout(checkout, input.observed.checkouts.get(&key), applied),
            Operation::Checkout,
        );
        apply_policy(&mut draft, policy);
        if !draft.steps.is_empty() {
            self.moving.insert(key);
        }
        draft
    }

    fn is_moving(&self, host: &str, path: &str) -> bool {
        self.moving.contains(&checkout_key(host, path))
    }
}

fn plan_repository(
    input: &PlanInput<'_>,
    world: &World<'_>,
    id: &ResourceId,
    checkouts: &mut Checkouts,
) -> Part {
    let repository = &input.desired.repositories[&id.name];
    let mut draft = Draft::default();
    if let Err(why) = &repository.commit {
        draft.unknown(None, format!("the wanted commit is not known: {why}"));
    }
    if let Some(checkout) = &repository.checkout {
        let pause = world.pause(input, &repository.resource.common, Some(&checkout.host));
        let policy = policy_of(input, id, &repository.resource.common, pause.as_ref());
        let checkout = checkouts.plan(input, checkout, &policy);
        draft.extend(checkout, |operation| operation);
    } else if let Some(pause) = policy::pause(&repository.resource.common, input.now) {
        draft.notes.push(Note { until: pause.until, ..Note::new(NoteKind::Held, None, pause.why) });
    }
    let host = repository.resource.spec.host.clone().unwrap_or_default();
    part(input, id, &host, draft)
}

fn policy_of<'a>(
    input: &PlanInput<'a>,
    id: &'a ResourceId,
    common: &'a CommonSpec,
    pause: Option<&'a Pause>,
) -> Policy<'a> {
    Policy { id, common, pause, memory: input.memory, manual: input.manual }
}

/// Fields of every kind that this version accepts without effect.
fn say_not_enforced(input: &PlanInput<'_>, parts: &mut [Part]) {
    for part in parts {
        let Some(common) = input.desired.common(&part.id) else { continue };
        for (field, is_set) in [("moved", common.moved.is_some()), ("windows", common.windows.is_some())] {
            if is_set {
                let text = format!("`{field}` is not enforced by this version");
                part.draft.notes.push(Note::new(NoteKind::NotEnforced, None, text));
            }
        }
    }
}

/// Blocks steps that stand on what a step of another resource would make, when there is no such step.
fn require_others(parts: &mut [Part]) {
    // Each round drops at least one step, or is the last.
    loop {
        let made: BTreeSet<(String, crate::model::change::Subject)> = parts
            .iter()
            .flat_map(|part| part.draft.steps.iter().map(|step| (part.host.clone(), step.subject.clone())))
            .collect();
        let mut dropped = false;
        for part in parts.iter_mut() {
            let mut left = BTreeSet::new();
            let host = part.host.clone();
            let lacks = |step: &crate::model::draft::DraftStep<Operation>| {
                step.requires
                    .iter()
                    .find(|subject| !made.contains(&(host.clone(), (*subject).clone())))
                    .cloned()
            };
            let steps = std::mem::take(&mut part.draft.steps);
            for step in steps {
                match lacks(&step) {
                    None => part.draft.steps.push(step),
                    Some(subject) => {
                        let why = format!("waits for {subject}, which no step of this plan provides");
                        part.draft.notes.push(policy::note(&step, NoteKind::Blocked, &why));
                        left.insert(step.subject.clone());
                        dropped = true;
                    }
                }
            }
            policy::block_dependents(&mut part.draft, left);
        }
        if !dropped {
            return;
        }
    }
}

/// Orders, checks and numbers; a resource that breaks a rule loses its steps, and what stands on them too.
fn assemble(input: &PlanInput<'_>, mut parts: Vec<Part>) -> Plan {
    let protected: BTreeMap<String, Vec<String>> = input
        .desired
        .hosts
        .values()
        .map(|host| (host.id.name.clone(), host.spec.protected_prefixes.clone()))
        .collect();
    let none = BTreeSet::new();
    let checks = CheckInput {
        observed: input.observed,
        protected_prefixes: &protected,
        allow_destroy: input.allow_destroy.unwrap_or(&none),
        manual: input.manual,
    };
    // Each round takes the steps of at least one resource away, or is the last.
    loop {
        match order::number(&parts) {
            Err(circle) => {
                for at in circle {
                    refuse(&mut parts[at], "rule 3: its steps and others wait for one another in a circle");
                }
            }
            Ok((steps, numbers)) => {
                let violations = check(&steps, &checks);
                if violations.is_empty() {
                    return finish(input, parts, steps, numbers);
                }
                for part in &mut parts {
                    let texts: Vec<String> = violations
                        .iter()
                        .filter(|violation| violation.resource == part.id)
                        .map(|violation| format!("rule {}: {}", violation.rule, violation.text))
                        .collect();
                    if !texts.is_empty() {
                        refuse(part, &texts.join("; "));
                    }
                }
            }
        }
        require_others(&mut parts);
    }
}

fn refuse(part: &mut Part, why: &str) {
    part.draft.notes.push(Note::new(NoteKind::Refused, None, why));
    for step in std::mem::take(&mut part.draft.steps) {
        part.draft.notes.push(policy::note(&step, NoteKind::Refused, "not done"));
    }
}

fn finish(
    input: &PlanInput<'_>,
    parts: Vec<Part>,
    steps: Vec<super::step::Step>,
    numbers: Vec<Vec<usize>>,
) -> Plan {
    let commit = input.desired.revision.commit.as_ref();
    let resources: Vec<ResourcePlan> = parts
        .into_iter()
        .zip(numbers)
        .map(|(part, steps)| {
            let applied = input.memory.applied.get(&part.id).and_then(|applied| applied.commit.clone());
            let mut notes = part.draft.notes;
            notes.sort_by(|a, b| (&a.subject, a.kind, &a.text).cmp(&(&b.subject, b.kind, &b.text)));
            notes.dedup();
            let redact = |text: &mut String| *text = input.desired.redactor.redact(text);
            notes.iter_mut().for_each(|note| redact(&mut note.text));
            let mut orphans = part.draft.orphans;
            orphans.sort();
            ResourcePlan {
                from_commit: applied.filter(|applied| Some(applied) != commit),
                digest: part.digest,
                steps,
                notes,
                complete: part.draft.complete,
                desired: part.desired,
                subjects: part.draft.subjects,
                orphans,
                id: part.id,
            }
        })
        .collect();
    let mut plan = Plan {
        revision: input.desired.revision.clone(),
        complete: resources.iter().all(|resource| resource.complete),
        resources,
        steps,
        hash: String::new(),
    };
    plan.hash = super::hash::plan_hash(&plan);
    plan
}

/// The kinds in which resources are planned; a new one is a compile error here.
const _: fn(Kind) = |kind| match kind {
    Kind::Host | Kind::Repository | Kind::AddonsLayout | Kind::Stack | Kind::Environment => {}
};
