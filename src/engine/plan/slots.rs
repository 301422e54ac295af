//! Which existing container is which replica of a service, and what a crash in a recreation left behind.
//!
//! A recreation makes `<12 digits of the old id>_<name>`, removes the old container and renames the new one. Whatever
//! of that is found is recognised by labels and name, so that it converges to the final name; the prefix is always put
//! before the final name and so never stacks.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use std::collections::BTreeMap;

use super::ProjectRequest;
use crate::engine::labels;
use crate::engine::observe::ContainerFacts;
use crate::engine::request::container_name;
use crate::engine::spec::ServiceSpec;

/// Digits of the old container's id before a temporary name.
const TEMPORARY_PREFIX_LENGTH: usize = 12;

/// One replica and what exists of it.
#[derive(Debug)]
pub(super) struct Slot<'a> {
    /// Its number, from 1.
    pub number: u32,
    /// Its final name.
    pub name: String,
    /// The container that has the final name, or that a person renamed.
    pub current: Option<&'a ContainerFacts>,
    /// Containers of an unfinished recreation, sorted by name.
    pub unfinished: Vec<&'a ContainerFacts>,
    /// Others with the same labels: copies that somebody made.
    pub copies: Vec<&'a ContainerFacts>,
}

/// The replicas that are wanted, and the containers of replicas that are not, highest number first.
pub(super) fn slots<'a>(
    request: &ProjectRequest<'a>,
    service: &ServiceSpec,
    mine: &[&'a ContainerFacts],
) -> (Vec<Slot<'a>>, Vec<(u32, &'a ContainerFacts)>) {
    let mut by_number: BTreeMap<u32, Vec<&'a ContainerFacts>> = BTreeMap::new();
    for container in mine {
        let number = container.labels.get(labels::COMPOSE_NUMBER).and_then(|number| number.parse().ok());
        by_number.entry(number.unwrap_or(1)).or_default().push(container);
    }
    let slots = (1..=service.replicas)
        .map(|number| {
            let name = container_name(request.project, service, number);
            sort_out(number, name, by_number.remove(&number).unwrap_or_default())
        })
        .collect();
    let surplus =
        by_number.into_iter().rev().flat_map(|(number, all)| all.into_iter().map(move |one| (number, one)));
    (slots, surplus.collect())
}

fn sort_out<'a>(number: u32, name: String, mut containers: Vec<&'a ContainerFacts>) -> Slot<'a> {
    containers.sort_by(|a, b| a.name.cmp(&b.name));
    let mut slot = Slot { number, name, current: None, unfinished: Vec::new(), copies: Vec::new() };
    let mut renamed = Vec::new();
    for container in containers {
        if container.name == slot.name {
            slot.current = Some(container);
        } else if is_temporary_name(&container.name, &slot.name) {
            slot.unfinished.push(container);
        } else {
            renamed.push(container);
        }
    }
    if slot.current.is_none() && slot.unfinished.is_empty() && !renamed.is_empty() {
        slot.current = Some(renamed.remove(0));
    }
    slot.copies = renamed;
    slot
}

/// The name that a new container has until the old one is gone.
pub(super) fn temporary_name(old: &ContainerFacts, name: &str) -> String {
    let digits = old.id.get(..TEMPORARY_PREFIX_LENGTH).unwrap_or(&old.id);
    format!("{digits}_{name}")
}

fn is_temporary_name(candidate: &str, name: &str) -> bool {
    let prefix = candidate.strip_suffix(name).and_then(|rest| rest.strip_suffix('_'));
    prefix.is_some_and(|prefix| {
        prefix.len() == TEMPORARY_PREFIX_LENGTH && prefix.bytes().all(|byte| byte.is_ascii_hexdigit())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn container(name: &str) -> ContainerFacts {
        ContainerFacts { name: name.to_owned(), id: "0123456789abcdef".to_owned(), ..Default::default() }
    }

    #[test]
    fn the_temporary_prefix_is_recognised_and_never_stacks() {
        let (old, temporary) = (container("web-1"), container("0123456789ab_web-1"));
        let slot = sort_out(1, "web-1".to_owned(), vec![&temporary, &old]);
        assert_eq!(slot.current.unwrap().name, "web-1");
        assert_eq!(slot.unfinished[0].name, "0123456789ab_web-1");
        assert_eq!(temporary_name(&temporary, "web-1"), "0123456789ab_web-1");
        assert!(!is_temporary_name("my_web-1", "web-1"));
    }

    #[test]
    fn a_renamed_container_is_still_the_replica_but_a_copy_is_not() {
        let (old, other) = (container("web-1"), container("renamed"));
        assert_eq!(sort_out(1, "web-1".to_owned(), vec![&other]).current.unwrap().name, "renamed");
        let slot = sort_out(1, "web-1".to_owned(), vec![&other, &old]);
        assert_eq!((slot.current.unwrap().name.as_str(), slot.copies.len()), ("web-1", 1));
    }
}
