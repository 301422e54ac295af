//! What was observed, sorted once for all resources: engines by name and label, and who makes what.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use std::collections::BTreeMap;

use super::PlanInput;
use crate::engine::observe::EngineFacts;
use crate::engine::plan::{EngineIndex, Running};
use crate::model::change::Subject;
use crate::model::id::ResourceId;
use crate::model::known::Known;
use crate::model::resource::CommonSpec;
use crate::plan::policy::{self, Pause};
use crate::skills::environment::plan::running;
use crate::skills::stack::spec::RunState;

/// What was observed, sorted once for all resources.
pub(super) struct World<'a> {
    hosts: BTreeMap<&'a str, (&'a EngineFacts, EngineIndex<'a>)>,
    makers: BTreeMap<&'a str, BTreeMap<Subject, ResourceId>>,
    nobody: BTreeMap<Subject, ResourceId>,
}

impl<'a> World<'a> {
    /// Sorts what was observed and what is wanted.
    pub fn new(input: &PlanInput<'a>) -> Self {
        let mut hosts = BTreeMap::new();
        for (name, facts) in &input.observed.hosts {
            if let Known::Known(facts) = facts {
                hosts.insert(name.as_str(), (facts, EngineIndex::new(facts)));
            }
        }
        let mut makers: BTreeMap<&str, BTreeMap<Subject, ResourceId>> = BTreeMap::new();
        let of_stacks = input.desired.stacks.values().filter_map(|stack| {
            let spec = &stack.resource.spec;
            let project = stack.project.as_ref().ok().filter(|_| spec.run != RunState::Absent)?;
            Some((&stack.resource.id, spec.host.as_str(), project))
        });
        let of_environments = input.desired.environments.values().filter_map(|it| {
            let spec = &it.resource.spec;
            let project = it.project().filter(|_| running(spec) != Running::Absent)?;
            Some((&it.resource.id, spec.host.as_str(), project))
        });
        for (id, host, project) in of_stacks.chain(of_environments) {
            let made = makers.entry(host).or_default();
            for network in project.networks.iter().filter(|network| !network.external) {
                made.entry(Subject::network(network.name.clone())).or_insert_with(|| id.clone());
            }
            for volume in project.volumes.iter().filter(|volume| !volume.external) {
                made.entry(Subject::volume(volume.name.clone())).or_insert_with(|| id.clone());
            }
        }
        World { hosts, makers, nobody: BTreeMap::new() }
    }

    /// An engine's facts, when they could be read.
    pub fn host(&self, name: &str) -> Option<(&'a EngineFacts, &EngineIndex<'a>)> {
        self.hosts.get(name).map(|(facts, index)| (*facts, index))
    }

    /// What resources make on a Host.
    pub fn makers(&self, host: &str) -> &BTreeMap<Subject, ResourceId> {
        self.makers.get(host).unwrap_or(&self.nobody)
    }

    /// Why a resource is paused: by its own document, or by that of its Host.
    pub fn pause(&self, input: &PlanInput<'_>, common: &CommonSpec, host: Option<&str>) -> Option<Pause> {
        policy::pause(common, input.now).or_else(|| {
            let host = input.desired.hosts.get(host?)?;
            let pause = policy::pause(&host.common, input.now)?;
            Some(Pause { why: format!("{} is {}", host.id, pause.why), ..pause })
        })
    }
}
