//! The last line of defence: what no finished plan may do, whoever decided it and why.
//!
//! Each rule has a number, which the refusal names. A violation refuses all steps of its resource.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::step::{Action, Operation, Step, SubjectKind};
use crate::engine::labels;
use crate::engine::observe::EngineFacts;
use crate::engine::operation::{EngineOperation, Target};
use crate::model::change::Risk;
use crate::model::id::ResourceId;
use crate::model::known::Known;
use crate::observed::observation::Observation;

/// A rule that a plan breaks.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Violation {
    /// The resource whose steps are refused.
    pub resource: ResourceId,
    /// The rule's number.
    pub rule: u8,
    /// What is wrong.
    pub text: String,
}

/// What checks need beside the steps.
pub struct CheckInput<'a> {
    /// What was observed.
    pub observed: &'a Observation,
    /// Names that begin so are never removed, by Host.
    pub protected_prefixes: &'a BTreeMap<String, Vec<String>>,
    /// Resources of which a person allowed to lose data.
    pub allow_destroy: &'a BTreeSet<ResourceId>,
    /// Whether a person asked.
    pub manual: bool,
}

/// All rules that the steps break.
pub fn check(steps: &[Step], input: &CheckInput<'_>) -> BTreeSet<Violation> {
    let mut owners: BTreeMap<&str, Owners> = BTreeMap::new();
    for (host, facts) in &input.observed.hosts {
        if let Known::Known(facts) = facts {
            owners.insert(host, Owners::new(facts));
        }
    }
    let mut found = BTreeSet::new();
    for step in steps {
        let mut broken = Vec::new();
        broken.extend(volume_is_touched(step));
        broken.extend(protected_is_removed(step, input));
        broken.extend(needs_is_later(step, steps.len()));
        broken.extend(foreign_is_touched(step, owners.get(step.host.as_str())));
        broken.extend(data_is_risked(step, input));
        broken.extend(name_is_reused(step));
        broken.extend(step.operations.is_empty().then(|| (7, "the step does nothing".to_owned())));
        found.extend(broken.into_iter().map(|(rule, text)| Violation {
            resource: step.resource.clone(),
            rule,
            text: format!("{}: {text}", step.subject),
        }));
    }
    found
}

type Broken = Option<(u8, String)>;

/// 1. No step removes, recreates or changes a volume.
fn volume_is_touched(step: &Step) -> Broken {
    let is_bad = step.subject.kind == SubjectKind::Volume && step.action != Action::Create;
    is_bad.then(|| (1, "a volume is never removed or changed".to_owned()))
}

/// 2. Nothing whose name the Host protects is removed for good.
fn protected_is_removed(step: &Step, input: &CheckInput<'_>) -> Broken {
    if step.action != Action::Remove {
        return None;
    }
    let prefixes = input.protected_prefixes.get(&step.host)?;
    let prefix = prefixes.iter().find(|prefix| step.subject.name.starts_with(*prefix))?;
    Some((2, format!("the Host protects names that begin with `{prefix}`")))
}

/// 3. A step needs only earlier steps, so that nothing waits for itself.
fn needs_is_later(step: &Step, count: usize) -> Broken {
    let bad = step
        .needs
        .iter()
        .chain(&step.after)
        .find(|need| **need >= step.id || **need == 0 || **need > count)?;
    Some((3, format!("needs step {bad}, which does not come before it")))
}

/// What each thing on an engine belongs to.
struct Owners<'a> {
    containers: HashSet<(&'a str, &'a str)>,
    networks: HashSet<(&'a str, &'a str)>,
}

impl<'a> Owners<'a> {
    fn new(facts: &'a EngineFacts) -> Self {
        let containers = facts.containers.iter().filter_map(|container| {
            // What a run of its own was made in says so by another name.
            let label = |name: &str| container.labels.get(name);
            Some((container.id.as_str(), label(labels::RESOURCE).or_else(|| label(labels::RUN))?.as_str()))
        });
        let networks = facts.networks.iter().filter_map(|network| {
            Some((network.id.as_str(), network.labels.get(labels::RESOURCE)?.as_str()))
        });
        Owners { containers: containers.collect(), networks: networks.collect() }
    }
}

/// 4. Only containers and networks that the resource itself made are stopped, changed or removed.
fn foreign_is_touched(step: &Step, owners: Option<&Owners<'_>>) -> Broken {
    let resource = step.resource.to_string();
    for operation in &step.operations {
        let Operation::Engine(operation) = operation else { continue };
        let is_own = match (operation, owners) {
            (EngineOperation::RemoveNetwork { id, .. }, owners) => {
                owners.is_some_and(|owners| owners.networks.contains(&(id.as_str(), resource.as_str())))
            }
            (operation, owners) => match target(operation) {
                Some(Target::Id(id)) => {
                    owners.is_some_and(|owners| owners.containers.contains(&(id.as_str(), resource.as_str())))
                }
                Some(Target::Name(_)) | None => true,
            },
        };
        if !is_own {
            return Some((4, "it would touch what the resource did not make".to_owned()));
        }
    }
    None
}

fn target(operation: &EngineOperation) -> Option<&Target> {
    match operation {
        EngineOperation::ConnectNetwork { container, .. }
        | EngineOperation::DisconnectNetwork { container, .. }
        | EngineOperation::CopyFiles { container, .. }
        | EngineOperation::StartContainer { container }
        | EngineOperation::StopContainer { container, .. }
        | EngineOperation::RestartContainer { container, .. }
        | EngineOperation::UnpauseContainer { container }
        | EngineOperation::UpdateContainer { container, .. }
        | EngineOperation::RemoveContainer { container }
        | EngineOperation::RenameContainer { container, .. } => Some(container),
        EngineOperation::PullImage { .. }
        | EngineOperation::BuildImage { .. }
        | EngineOperation::CreateNetwork { .. }
        | EngineOperation::RemoveNetwork { .. }
        | EngineOperation::CreateVolume { .. }
        | EngineOperation::CreateContainer { .. }
        | EngineOperation::Wait { .. } => None,
    }
}

/// 5. What could lose data is done only when a person allowed it for this resource, and never by the daemon.
fn data_is_risked(step: &Step, input: &CheckInput<'_>) -> Broken {
    let is_allowed = input.manual && input.allow_destroy.contains(&step.resource);
    (step.risk == Risk::Data && !is_allowed).then(|| {
        let command = format!("`ipaictl apply --allow-destroy {}@PLANHASH` allows it", step.resource);
        (5, format!("{}; {command}", step.cause))
    })
}

/// 6. A step acts by name only on a container that it makes itself.
fn name_is_reused(step: &Step) -> Broken {
    let mut made: Vec<&str> = Vec::new();
    for operation in &step.operations {
        let Operation::Engine(operation) = operation else { continue };
        match operation {
            EngineOperation::CreateContainer { name, .. } => made.push(name),
            EngineOperation::RenameContainer { name, .. } => made.push(name),
            _ => {}
        }
        if let Some(Target::Name(name)) = target(operation)
            && !made.contains(&name.as_str())
        {
            return Some((6, format!("it would act on `{name}`, whoever has that name")));
        }
    }
    None
}
