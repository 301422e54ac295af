//! What stands in the way of a container: its name or a port is somebody else's.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use std::collections::BTreeSet;

use super::ProjectRequest;
use super::index::addresses_overlap;
use crate::engine::labels;
use crate::engine::observe::ContainerFacts;
use crate::engine::spec::ServiceSpec;
use crate::model::change::Subject;

/// Who a container belongs to, as a phrase for people.
pub(super) fn owner(container: &ContainerFacts) -> String {
    let label = |name: &str| container.labels.get(name);
    match (label(labels::RESOURCE), label(labels::COMPOSE_PROJECT)) {
        (Some(resource), _) => format!("of {resource}"),
        (None, None) if label(labels::RUN).is_some() => {
            "in which modules are installed or updated".to_owned()
        }
        (None, Some(project)) => format!("of the Compose project `{project}`"),
        (None, None) => format!("made by others from `{}`", container.image),
    }
}

/// A running container, none of `except`, that holds a port which the service publishes.
pub(super) fn port_taken<'a>(
    request: &ProjectRequest<'a>,
    service: &ServiceSpec,
    except: &[&ContainerFacts],
) -> Option<(u16, &'a ContainerFacts)> {
    let host = service.container.host_config.as_ref()?;
    let mut ports = BTreeSet::new();
    for (target, bindings) in host.port_bindings.iter().flatten() {
        let protocol = target.split_once('/').map_or("tcp", |(_, protocol)| protocol);
        for binding in bindings.iter().flatten() {
            // A range, or a port that the engine chooses, finds a free one by itself.
            if let Some(port) = binding.host_port.as_deref().and_then(|port| port.parse::<u16>().ok()) {
                ports.insert((port, protocol.to_owned(), binding.host_ip.clone().unwrap_or_default()));
            }
        }
    }
    for (port, protocol, address) in ports.into_iter().filter(|(port, _, _)| *port != 0) {
        let holders = request.index.holders(&(port, protocol));
        let other = holders.iter().find(|(held, container)| {
            addresses_overlap(held, &address) && !except.iter().any(|own| own.id == container.id)
        });
        if let Some((_, container)) = other {
            return Some((port, container));
        }
    }
    None
}

/// Whether a container is one of this project's own services that are planned together with it.
pub(super) fn is_planned_here(request: &ProjectRequest<'_>, container: &ContainerFacts) -> Option<Subject> {
    let label = |name: &str| container.labels.get(name).map(String::as_str);
    let is_ours = label(labels::RESOURCE) == Some(request.resource.to_string().as_str())
        && label(labels::COMPOSE_PROJECT) == Some(request.project.name.as_str());
    let service = label(labels::COMPOSE_SERVICE)?;
    let is_wanted = request.lookup.service(service).is_some();
    (is_ours && is_wanted).then(|| Subject::container(container.name.clone()))
}
