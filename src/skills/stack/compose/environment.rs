//! Env files and label files: read, and laid under what a service says itself.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use std::collections::{BTreeMap, BTreeSet};

use crate::model::document::{Node, Place, Size};
use crate::model::problem::{Location, Problem};
use crate::model::secret::is_secret_name;

use super::context::Context;
use super::dotenv::{self, Variable};
use super::interpolate::{Value, Variables};
use super::paths::{self, FilePath};
use super::reading::FileRead;
use super::tree;

/// Reads a file of variables for interpolation; later files win, `outer` fills in what it refers to.
pub(super) fn read_variables(
    context: &mut Context,
    file: &str,
    place: Option<&Place>,
    outer: &Variables,
    into: &mut Variables,
) {
    let path = match file.strip_prefix('/') {
        Some(_) => FilePath::Absolute(file.to_owned()),
        None => FilePath::Inside(file.to_owned()),
    };
    let read = context.read(&path);
    match context.bytes_or_report(file, read, place) {
        Some(bytes) => add_variables(context, file, &bytes, outer, into),
        None => context.variables_lost = true,
    }
}

/// Reads a file of variables if there is one.
pub(super) fn read_optional_variables(
    context: &mut Context,
    file: &str,
    outer: &Variables,
    into: &mut Variables,
) {
    let read = context.read(&FilePath::Inside(file.to_owned()));
    if read == FileRead::Missing {
        return;
    }
    if let Some(bytes) = context.bytes_or_report(file, read, None) {
        add_variables(context, file, &bytes, outer, into);
    }
}

fn add_variables(context: &mut Context, file: &str, bytes: &[u8], outer: &Variables, into: &mut Variables) {
    let found = {
        let text = |value: &Value| value.text.clone();
        parse(context, file, bytes, &|name| outer.get(name).map(text), &|name| into.get(name).map(text))
    };
    for variable in found {
        // A name that begins with a digit can't be referred to.
        if let Some(text) = variable.value {
            into.insert(variable.name, Value { text, secret: true });
        }
    }
}

fn parse(
    context: &mut Context,
    file: &str,
    bytes: &[u8],
    lookup: &dyn Fn(&str) -> Option<String>,
    earlier: &dyn Fn(&str) -> Option<String>,
) -> Vec<Variable> {
    let Some(text) = text_of(context, file, bytes) else { return Vec::new() };
    match dotenv::parse(text, lookup, earlier) {
        Ok(variables) => variables,
        Err(err) => {
            // Without the line's text, which may be a secret.
            let location = Location { file: file.to_owned(), line: err.line, column: 1 };
            context.report(Problem::error("env-file", err.message).at(location));
            Vec::new()
        }
    }
}

/// The text of a file of variables; neither its bytes nor what is wrong with them is repeated.
fn text_of<'b>(context: &mut Context, file: &str, bytes: &'b [u8]) -> Option<&'b str> {
    let at = |offset: usize| {
        let line = bytes[..offset].iter().filter(|byte| **byte == b'\n').count() as u32 + 1;
        Location { file: file.to_owned(), line, column: 1 }
    };
    if let Some(offset) = bytes.iter().position(|byte| *byte == 0) {
        let problem = Problem::error("nul-byte", "a NUL byte is not text").at(at(offset));
        context.report(problem.with_hint("No variable can hold one: write the file as text."));
        return None;
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => Some(text),
        Err(err) => {
            let problem = Problem::error("invalid-utf8", "the file is not UTF-8").at(at(err.valid_up_to()));
            context.report(problem.with_hint("Save the file as UTF-8."));
            None
        }
    }
}

/// Lays env files and label files under what each service says; gives the variables that are masked.
pub(super) fn apply(
    context: &mut Context,
    services: &mut Node,
    variables: &Variables,
) -> BTreeMap<String, BTreeSet<String>> {
    let mut secret = BTreeMap::new();
    for entry in tree::entries_mut(services).into_iter().flatten() {
        let from_files = environment_files(context, &mut entry.value, variables);
        label_files(context, &mut entry.value);
        let names: BTreeSet<String> = entry
            .value
            .get("environment")
            .and_then(Node::entries)
            .unwrap_or_default()
            .iter()
            .filter(|pair| {
                from_files.contains(&pair.key)
                    || is_secret_name(&pair.key)
                    || context.is_secret_place(&pair.value.place)
            })
            .map(|pair| pair.key.clone())
            .collect();
        secret.insert(entry.key.clone(), names);
    }
    secret
}

/// Gives the names whose values come from env files.
fn environment_files(context: &mut Context, service: &mut Node, variables: &Variables) -> BTreeSet<String> {
    let Some(files) = tree::take(service, "env_file") else { return BTreeSet::new() };
    let own: BTreeMap<String, Option<String>> = service
        .get("environment")
        .and_then(Node::entries)
        .unwrap_or_default()
        .iter()
        .map(|pair| (pair.key.clone(), tree::value_text(&pair.value)))
        .collect();
    let mut found: BTreeMap<String, (String, Place)> = BTreeMap::new();
    for item in files.value.items().unwrap_or_default() {
        let Some(node) = item.get("path") else {
            continue;
        };
        let required = item.get("required").and_then(super::value::truth).unwrap_or(true);
        if let Some(format) =
            item.get("format").filter(|node| !matches!(node.text(), Some("raw" | ".env" | "")))
        {
            let message = format!("`{}` is no format of env files", format.text().unwrap_or(""));
            context.report(format.place.error("bad-value", message).with_hint("Compose knows `raw`."));
            continue;
        }
        let raw = tree::text_of(item, "format") == Some("raw");
        let Some((name, bytes)) = file_bytes(context, node, required) else { continue };
        let lookup = |name: &str| {
            let set = || own.get(name).cloned().flatten();
            variables.get(name).map(|value| value.text.clone()).or_else(set)
        };
        let earlier = |name: &str| found.get(name).map(|(text, _)| text.clone());
        let read = match raw {
            true => text_of(context, &name, &bytes).map(raw_lines).unwrap_or_default(),
            false => parse(context, &name, &bytes, &lookup, &earlier),
        };
        for variable in read {
            if let Some(value) = variable.value {
                found.insert(variable.name, (value, node.place.clone()));
            }
        }
    }
    if found.is_empty() {
        return BTreeSet::new();
    }
    if !context.charge_values(size_of(&found), &files.value.place) {
        return BTreeSet::new();
    }
    tree::set_default(service, "environment", |place| tree::map(Vec::new(), place));
    let Some(pairs) = tree::get_mut(service, "environment") else { return BTreeSet::new() };
    let mut names = BTreeSet::new();
    for (name, (value, place)) in found.into_iter().filter(|(name, _)| !own.contains_key(name)) {
        tree::entries_mut(pairs)
            .expect("it is a map")
            .push(tree::entry(name.as_str(), Node::string(value, place)));
        names.insert(name);
    }
    names
}

/// Lines without quotes, escapes and variables.
fn raw_lines(text: &str) -> Vec<Variable> {
    text.lines()
        .map(str::trim_start)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .filter_map(|line| line.split_once('='))
        .map(|(name, value)| Variable { name: name.to_owned(), value: Some(value.to_owned()) })
        .collect()
}

fn label_files(context: &mut Context, service: &mut Node) {
    let Some(files) = tree::take(service, "label_file") else { return };
    let mut found: BTreeMap<String, (String, Place)> = BTreeMap::new();
    for node in files.value.items().unwrap_or_default() {
        let Some((name, bytes)) = file_bytes(context, node, true) else { continue };
        let lookup = |name: &str| found.get(name).map(|(text, _)| text.clone());
        for variable in parse(context, &name, &bytes, &lookup, &|_| None) {
            if let Some(value) = variable.value {
                found.insert(variable.name, (value, node.place.clone()));
            }
        }
    }
    tree::set_default(service, "labels", |place| tree::map(Vec::new(), place));
    let Some(labels) = tree::get_mut(service, "labels").and_then(tree::entries_mut) else { return };
    if !context.charge_values(size_of(&found), &files.value.place) {
        return;
    }
    let own: BTreeSet<String> = labels.iter().map(|label| label.key.clone()).collect();
    let new = found.into_iter().filter(|(name, _)| !own.contains(name));
    labels.extend(new.map(|(name, (value, place))| tree::entry(name, Node::string(value, place))));
}

fn size_of(found: &BTreeMap<String, (String, Place)>) -> Size {
    let bytes = found.iter().map(|(name, (value, _))| name.len() + value.len()).sum();
    Size { nodes: found.len(), bytes }
}

/// A file that a service names by its absolute path on the host, with the name that people know it by.
fn file_bytes(context: &mut Context, node: &Node, required: bool) -> Option<(String, Vec<u8>)> {
    let text = node.text()?;
    let path = match paths::file_path(context.root(), "", text) {
        Ok(path) => path,
        Err(err) => {
            context.report_path(&node.place, text, &err);
            return None;
        }
    };
    let name = path.text().to_owned();
    let read = context.read(&path);
    if read == FileRead::Missing && !required {
        return None;
    }
    if read == FileRead::Missing {
        let hint = "Add the file, or write `required: false` beside its `path`.";
        context.report_missing("file", &name, Some(&node.place), Some(hint));
        return None;
    }
    let bytes = context.bytes_or_report(&name, read, Some(&node.place))?;
    Some((name, bytes))
}
