//! Containers of others on the data of an Environment: two servers on one data directory destroy it.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use super::{EnvironmentRequest, is_up};
use crate::engine::labels;
use crate::engine::observe::ContainerFacts;
use crate::skills::environment::conf::DATA_DIR;

impl<'a> EnvironmentRequest<'a> {
    /// Another's container that mounts the volume of the managed database, and whose it is.
    pub(super) fn rival(&self) -> Option<(&'a str, String)> {
        let managed = self.spec.database.managed.as_ref()?;
        let resource = self.engine.resource.to_string();
        let is_others =
            |container: &&ContainerFacts| container.labels.get(labels::RESOURCE) != Some(&resource);
        let mounts = |container: &&ContainerFacts| {
            container.mounts.values().any(|mount| mount.kind == "volume" && mount.source == managed.volume)
        };
        let found = self.engine.facts.containers.iter().filter(is_others).find(mounts)?;
        let whose = found.labels.get(labels::RESOURCE).cloned();
        Some((&found.name, whose.unwrap_or_else(|| "made by others".to_owned())))
    }

    /// Another's container that writes into the volume of the filestore, and whose it is: a second application, on the same
    /// database in all likelihood.
    pub(super) fn second(&self) -> Option<(&'a str, String)> {
        let resource = self.engine.resource.to_string();
        let is_others = |container: &&ContainerFacts| {
            [labels::RESOURCE, labels::RUN]
                .iter()
                .all(|label| container.labels.get(*label) != Some(&resource))
        };
        // What copies the files to a backup mounts them elsewhere, and a container of others that has ended does nothing.
        let writes = |container: &&ContainerFacts| {
            let is_there = is_up(container) || container.labels.contains_key(labels::RESOURCE);
            container.mounts.get(DATA_DIR).is_some_and(|mount| {
                mount.kind == "volume" && mount.source == self.spec.filestore.volume && !mount.read_only
            }) && is_there
        };
        let found = self.engine.facts.containers.iter().filter(is_others).find(writes)?;
        let whose = found.labels.get(labels::RESOURCE).cloned();
        Some((&found.name, whose.unwrap_or_else(|| "made by others".to_owned())))
    }
}
