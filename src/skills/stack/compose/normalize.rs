//! What Compose adds to a merged model: implied dependencies, networks, names.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use crate::model::document::{Node, Place};

use super::canonical::for_each_value;
use super::{paths, tree};

/// Completes a merged model.
pub(super) fn complete(model: &mut Node, project: &str) {
    tree::set_default(model, "services", |place| tree::map(Vec::new(), place));
    networks(model);
    for_each_value(model, "services", |_, service| complete_service(service));
    for section in ["networks", "volumes", "configs", "secrets"] {
        for_each_value(model, section, |key, node| name_resource(node, key, project));
    }
    for_each_value(model, "networks", |_, network| {
        tree::set_default(network, "ipam", |place| tree::map(Vec::new(), place));
    });
}

/// Attaches services without networks to `default`, which exists when it is used.
fn networks(model: &mut Node) {
    let mut default_used: Option<Place> = None;
    for_each_value(model, "services", |_, service| {
        if service.entries().is_none() || service.get("network_mode").is_some() {
            return;
        }
        let empty = service.get("networks").is_none_or(|node| node.entries().is_none_or(<[_]>::is_empty));
        if empty {
            let place = service.place.clone();
            let default = tree::entry("default", tree::null(place.clone()));
            tree::set(service, "networks", tree::map(vec![default], place));
        }
        if service.get("networks").is_some_and(|node| node.get("default").is_some()) {
            default_used.get_or_insert(service.place.clone());
        }
    });
    let Some(place) = default_used else { return };
    tree::set_default(model, "networks", |_| tree::map(Vec::new(), place.clone()));
    if let Some(networks) = tree::get_mut(model, "networks") {
        // `networks:` without a value is reported; it describes nothing, not even that `default` is missing.
        if networks.is_null() {
            *networks = tree::map(Vec::new(), networks.place.clone());
        }
        tree::set_default(networks, "default", |_| tree::null(place));
    }
}

fn complete_service(service: &mut Node) {
    if service.entries().is_none() {
        return;
    }
    if tree::text_of(service, "pull_policy") == Some("if_not_present") {
        let place = service.get("pull_policy").map_or(service.place.clone(), |node| node.place.clone());
        tree::set(service, "pull_policy", Node::string("missing", place));
    }
    if let Some(build) =
        tree::get_mut(service, "build").filter(|build| build.get("dockerfile_inline").is_none())
    {
        tree::set_default(build, "dockerfile", |place| Node::string("Dockerfile", place));
    }
    for item in tree::get_mut(service, "volumes").and_then(tree::items_mut).into_iter().flatten() {
        if let Some(target) = tree::text_of(item, "target").filter(|target| !target.is_empty()) {
            let cleaned = paths::clean(target);
            let place = item.get("target").map_or(item.place.clone(), |node| node.place.clone());
            tree::set(item, "target", Node::string(cleaned, place));
        }
    }
    if let Some(deploy) = tree::get_mut(service, "deploy").filter(|deploy| deploy.entries().is_some()) {
        for key in ["resources", "placement"] {
            tree::set_default(deploy, key, |place| tree::map(Vec::new(), place));
        }
    }
    let arguments = tree::get_mut(service, "build").and_then(|build| tree::get_mut(build, "args"));
    if let Some(arguments) = arguments.and_then(tree::entries_mut) {
        arguments.retain(|argument| !argument.value.is_null());
    }
    for_each_value(service, "depends_on", |_, dependency| {
        tree::set_default(dependency, "required", |place| tree::flag(true, place));
    });
    depends_on(service);
}

/// Services that another refers to start before it.
fn depends_on(service: &mut Node) {
    let mut implied: Vec<(String, bool, Place)> = Vec::new();
    for item in service.get("links").and_then(Node::items).unwrap_or_default() {
        let text = item.text().unwrap_or("");
        let name = match text.split(':').collect::<Vec<_>>().as_slice() {
            [name, _] => (*name).to_owned(),
            _ => text.to_owned(),
        };
        implied.push((name, true, item.place.clone()));
    }
    for key in ["network_mode", "ipc", "pid", "uts", "cgroup"] {
        let node = service.get(key);
        if let Some((node, name)) = node.and_then(|node| Some((node, node.text()?.strip_prefix("service:")?)))
        {
            implied.push((name.to_owned(), true, node.place.clone()));
        }
    }
    for item in service.get("volumes_from").and_then(Node::items).unwrap_or_default() {
        let text = item.text().unwrap_or("");
        if !text.starts_with("container:") {
            let name = text.split(':').next().unwrap_or("");
            implied.push((name.to_owned(), false, item.place.clone()));
        }
    }
    if implied.is_empty() {
        return;
    }
    tree::set_default(service, "depends_on", |place| tree::map(Vec::new(), place));
    let Some(depends_on) = tree::get_mut(service, "depends_on") else { return };
    for (name, restart, place) in implied {
        if depends_on.get(&name).is_none() {
            let condition = Node::string("service_started", place.clone());
            let entries = vec![
                tree::entry("condition", condition),
                tree::entry("restart", tree::flag(restart, place.clone())),
                tree::entry("required", tree::flag(true, place.clone())),
            ];
            tree::set(depends_on, &name, tree::map(entries, place));
        }
    }
}

/// A resource without a name is called `<project>_<key>`, an external one by its key.
fn name_resource(node: &mut Node, key: &str, project: &str) {
    if node.is_null() {
        *node = tree::map(Vec::new(), node.place.clone());
    }
    let external = node.get("external").and_then(super::value::truth).unwrap_or(false);
    let name = if external { key.to_owned() } else { format!("{project}_{key}") };
    tree::set_default(node, "name", |place| Node::string(name, place));
}
