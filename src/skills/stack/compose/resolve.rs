//! What depends on where a file stands and with what it is read: defaults, paths, names without a value.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use crate::model::document::{Node, Place, Size};

use super::canonical::for_each_value;
use super::context::Context;
use super::interpolate::Variables;
use super::{paths as path_rules, tree};

/// Adds the defaults of a model's own files and makes its paths absolute.
pub(super) fn fill(context: &mut Context, model: &mut Node, directory: &str) {
    for_each_value(model, "services", |_, service| {
        if let Some(build) = tree::get_mut(service, "build").filter(|build| build.entries().is_some()) {
            tree::set_default(build, "context", |place| Node::string(".", place));
        }
        for item in tree::get_mut(service, "secrets").and_then(tree::items_mut).into_iter().flatten() {
            let source = tree::text_of(item, "source").unwrap_or("").to_owned();
            tree::set_default(item, "target", |place| Node::string(format!("/run/secrets/{source}"), place));
        }
        for item in tree::get_mut(service, "ports").and_then(tree::items_mut).into_iter().flatten() {
            tree::set_default(item, "protocol", |place| Node::string("tcp", place));
            tree::set_default(item, "mode", |place| Node::string("ingress", place));
        }
        device_counts(tree::get_mut(service, "gpus"));
        let reserved = tree::get_mut(service, "deploy")
            .and_then(|node| tree::get_mut(node, "resources"))
            .and_then(|node| tree::get_mut(node, "reservations"))
            .and_then(|node| tree::get_mut(node, "devices"));
        device_counts(reserved);
    });
    paths(context, model, directory);
}

fn device_counts(devices: Option<&mut Node>) {
    for item in devices.and_then(tree::items_mut).into_iter().flatten() {
        if item.get("device_ids").is_none() {
            tree::set_default(item, "count", |place| Node::string("all", place));
        }
    }
}

/// Makes the relative paths of a model absolute on the host.
pub(super) fn paths(context: &mut Context, model: &mut Node, directory: &str) {
    for_each_value(model, "services", |name, service| service_paths(context, name, service, directory));
    for section in ["secrets", "configs"] {
        for_each_value(model, section, |_, node| absolute_field(context, node, "file", directory));
    }
    for_each_value(model, "volumes", |_, volume| {
        let bound = tree::text_of(volume, "driver") == Some("local")
            && volume.get("driver_opts").is_some_and(|options| tree::text_of(options, "o") == Some("bind"));
        if bound && let Some(options) = tree::get_mut(volume, "driver_opts") {
            absolute_field(context, options, "device", directory);
        }
    });
}

fn service_paths(context: &mut Context, name: &str, service: &mut Node, directory: &str) {
    if let Some(build) = tree::get_mut(service, "build") {
        let remote = tree::text_of(build, "context").is_some_and(is_remote);
        if !remote {
            absolute_field(context, build, "context", directory);
        }
    }
    if let Some(items) = tree::get_mut(service, "env_file").and_then(tree::items_mut) {
        items.retain_mut(|item| {
            tree::get_mut(item, "path").is_none_or(|path| readable(context, path, directory))
        });
    }
    if let Some(items) = tree::get_mut(service, "label_file").and_then(tree::items_mut) {
        items.retain_mut(|item| readable(context, item, directory));
    }
    for (index, item) in
        tree::get_mut(service, "volumes").and_then(tree::items_mut).into_iter().flatten().enumerate()
    {
        if tree::text_of(item, "type") != Some("bind") {
            continue;
        }
        if tree::text_of(item, "source").is_none() {
            let message = format!("`services.{name}.volumes[{index}]` is a bind without a `source`");
            context.report(item.place.error("missing-field", message));
            context.mark_broken("services", name);
        }
        absolute_field(context, item, "source", directory);
    }
}

fn is_remote(text: &str) -> bool {
    const PREFIXES: &[&str] = &["http://", "https://", "git://", "ssh://", "github.com/", "git@"];
    text.contains("://") || PREFIXES.iter().any(|prefix| text.starts_with(prefix))
}

fn absolute_field(context: &mut Context, node: &mut Node, key: &str, directory: &str) {
    if let Some(value) = tree::get_mut(node, key) {
        absolute(context, value, directory);
    }
}

/// A path of a file that is read: a relative one stays in the repository. False when it is reported instead.
fn readable(context: &mut Context, node: &mut Node, directory: &str) -> bool {
    let text = node.text().unwrap_or("").to_owned();
    if !text.starts_with(['/', '~'])
        && let Err(err) = path_rules::join_inside(directory, &text)
    {
        context.report_path(&node.place, &text, &err);
        return false;
    }
    absolute(context, node, directory);
    true
}

fn absolute(context: &mut Context, node: &mut Node, directory: &str) {
    let Some(text) = node.text().filter(|text| !text.is_empty()) else { return };
    let place: Place = node.place.clone();
    if !text.starts_with(['/', '~']) && path_rules::join_inside(directory, text).is_err() {
        // Judged when it is known whether the service runs.
        context.mark_outside(&place);
    }
    match path_rules::host_path(context.root(), directory, text) {
        Ok(path) => {
            let tag = node.tag.take();
            *node = Node::string(path, place);
            node.tag = tag;
        }
        Err(err) => {
            let text = text.to_owned();
            context.report_path(&place, &text, &err);
        }
    }
}

/// Gives environment variables without a value that of the variable of the same name, where there is one.
pub(super) fn environment(context: &mut Context, model: &mut Node, variables: &Variables) {
    for_each_value(model, "services", |_, service| {
        for pairs in [tree::get_mut(service, "environment")].into_iter().flatten() {
            fill_pairs(context, pairs, variables);
        }
        if let Some(args) = tree::get_mut(service, "build").and_then(|build| tree::get_mut(build, "args")) {
            fill_pairs(context, args, variables);
        }
    });
}

fn fill_pairs(context: &mut Context, pairs: &mut Node, variables: &Variables) {
    for entry in tree::entries_mut(pairs).into_iter().flatten() {
        let value = variables.get(&entry.key).filter(|_| entry.value.is_null());
        if let Some(value) = value {
            if value.secret {
                context.mark_secret(&entry.value.place);
            }
            let size = Size { nodes: 0, bytes: value.text.len() };
            if !context.charge_values(size, &entry.value.place) {
                return;
            }
            entry.value = Node::string(value.text.clone(), entry.value.place.clone());
        }
    }
}
