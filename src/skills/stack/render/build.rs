//! How a service's image is built with the classic builder.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use std::collections::BTreeMap;

use serde_json::Value;

use super::RenderContext;
use super::value::{Node, entries, plain};
use crate::engine::spec::BuildSpec;
use crate::model::known::Known;

/// The fields that the classic builder knows.
const RENDERED: &[&str] = &[
    "args",
    "cache_from",
    "context",
    "dockerfile",
    "dockerfile_inline",
    "extra_hosts",
    "labels",
    "network",
    "no_cache",
    "platforms",
    "pull",
    "shm_size",
    "target",
];

/// Renders `build`; `None` when there is none.
pub(super) fn build(context: &RenderContext, service: &Node) -> Option<BuildSpec> {
    let pointer = service.at("build");
    let node = Node { value: service.get("build")?, pointer: &pointer, ..*service };
    for (field, value) in node.value.as_object()? {
        let is_empty = match value {
            Value::Array(items) => items.is_empty(),
            Value::Object(map) => map.is_empty(),
            value => value.is_null() || value == &Value::Bool(false),
        };
        if !RENDERED.contains(&field.as_str()) && !field.starts_with("x-") && !is_empty {
            node.problems.unsupported(&node.at(field), &format!("`build.{field}`"));
        }
    }
    let directory = node.text("context").unwrap_or_default();
    if !directory.starts_with('/') {
        node.problems.unsupported(&node.at("context"), "a build context that is no directory");
    }
    let dockerfile = node.text("dockerfile").unwrap_or_else(|| "Dockerfile".to_owned());
    let prefix = format!("{}/", directory.trim_end_matches('/'));
    let dockerfile = dockerfile.strip_prefix(&prefix).unwrap_or(&dockerfile).to_owned();
    if dockerfile.starts_with('/') || dockerfile.split('/').any(|part| part == "..") {
        node.problems.unsupported(&node.at("dockerfile"), "a Dockerfile outside of its context");
    }
    let args = entries(node.value, "args")
        .map(|(name, value)| (name.clone(), (!value.is_null()).then(|| plain(value))));
    Some(BuildSpec {
        dockerfile,
        dockerfile_inline: node.text("dockerfile_inline"),
        args: args.collect(),
        target: node.text("target"),
        labels: node.map("labels").unwrap_or_default().into_iter().collect(),
        options: options(service, &node),
        is_own_name: false,
        digest: match (context.digest)(&directory) {
            Some(digest) => Known::Known(digest),
            None => Known::Unknown(format!("the build context `{directory}` is not part of the repository")),
        },
        context: directory,
    })
}

/// The engine's query parameters.
fn options(service: &Node, node: &Node) -> BTreeMap<String, String> {
    let mut options = BTreeMap::new();
    let mut set = |name: &str, value: Option<String>| {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            options.insert(name.to_owned(), value);
        }
    };
    let hosts = node.list("extra_hosts").unwrap_or_default();
    if hosts.len() > 1 {
        node.problems.unsupported(&node.at("extra_hosts"), "more than one of `extra_hosts` in a build");
    }
    set("extrahosts", hosts.first().map(|host| host.replacen('=', ":", 1)));
    set("networkmode", node.text("network"));
    set("nocache", node.flag("no_cache").filter(|flag| *flag).map(|_| "true".to_owned()));
    set("pull", node.flag("pull").filter(|flag| *flag).map(|_| "true".to_owned()));
    set("shmsize", node.bytes("shm_size").map(|size| size.to_string()));
    let cache = node.list("cache_from").filter(|images| !images.is_empty());
    set("cachefrom", cache.map(|images| Value::from(images).to_string()));
    let platforms = node.list("platforms").unwrap_or_default();
    if platforms.len() > 1 {
        node.problems.unsupported(&node.at("platforms"), "a build for several platforms");
    }
    set("platform", platforms.into_iter().next().or_else(|| service.text("platform")));
    options
}
