//! `include`: whole projects from other files, with a directory and variables of their own.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use std::collections::HashMap;

use crate::model::document::{Entry, Node, NodeValue, Place};

use super::context::Context;
use super::environment;
use super::files::{self, INCLUDE_DEPTH_MAX, NamedFile, Scope};
use super::interpolate::Variables;
use super::{paths, tree};

/// Takes in what a document includes; names that both describe differently are an error.
pub(super) fn apply(context: &mut Context, document: &mut Node, scope: &Scope) {
    let Some(include) = tree::take(document, "include") else { return };
    for item in include.value.items().unwrap_or_default() {
        if context.exhausted() {
            break;
        }
        let Some(path) = item.get("path") else {
            context.report(item.place.error("missing-field", "`include` has no `path`"));
            continue;
        };
        if let Some(imported) = load(context, item, path, scope) {
            import(context, document, imported, &path.place);
        }
    }
}

fn load(context: &mut Context, item: &Node, path: &Node, scope: &Scope) -> Option<Node> {
    let mut files = Vec::new();
    for node in one_or_many(path) {
        files.push(NamedFile {
            path: inside(context, scope.directory, node)?,
            place: Some(node.place.clone()),
        });
    }
    let first = files.first()?.path.clone();
    let chain = scope.included.join(" → ");
    if scope.included.contains(&first) {
        let message = format!("`{first}` includes itself: {chain} → {first}");
        context.report(path.place.error("include-cycle", message).with_hint("Remove one of the `include`s."));
        return None;
    }
    if scope.included.len() >= INCLUDE_DEPTH_MAX {
        let message = format!("files include each other more than {INCLUDE_DEPTH_MAX} deep");
        context.report(path.place.error("include-depth", message));
        return None;
    }
    let directory = match item.get("project_directory").filter(|node| node.text() != Some("")) {
        Some(node) => inside(context, scope.directory, node)?,
        None => files::directory_of(&first),
    };
    let variables = variables(context, item, &directory, scope)?;
    let inner = Scope { directory: &directory, variables: &variables, included: scope.included };
    files::load(context, &files, &inner)
}

/// The project's variables, and below them those of the included project's env files.
fn variables(context: &mut Context, item: &Node, directory: &str, scope: &Scope) -> Option<Variables> {
    let mut variables = Variables::new();
    match item.get("env_file") {
        Some(node) => {
            for node in one_or_many(node) {
                let file = inside(context, scope.directory, node)?;
                environment::read_variables(
                    context,
                    &file,
                    Some(&node.place),
                    scope.variables,
                    &mut variables,
                );
            }
        }
        None => {
            let file = paths::join_inside(directory, ".env").ok()?;
            environment::read_optional_variables(context, &file, scope.variables, &mut variables);
        }
    }
    variables.extend(scope.variables.iter().map(|(name, value)| (name.clone(), value.clone())));
    Some(variables)
}

fn one_or_many(node: &Node) -> &[Node] {
    node.items().unwrap_or(std::slice::from_ref(node))
}

fn inside(context: &mut Context, directory: &str, node: &Node) -> Option<String> {
    let text = node.text().unwrap_or("");
    if text.contains("://") || text.starts_with("git@") {
        let message = format!("`{text}`: files from other places than the repository are not supported");
        context
            .report(node.place.error("not-supported", message).with_hint("Keep a copy in the repository."));
        return None;
    }
    context.file_inside(directory, node)
}

fn import(context: &mut Context, document: &mut Node, mut imported: Node, place: &Place) {
    for section in ["services", "volumes", "networks", "secrets", "configs"] {
        let Some(from) = tree::take(&mut imported, section) else { continue };
        tree::set_default(document, section, |place| tree::map(Vec::new(), place));
        let Some(target) = tree::get_mut(document, section) else { continue };
        if target.is_null() {
            *target = tree::map(Vec::new(), target.place.clone());
        }
        let Some(target) = tree::entries_mut(target) else { continue };
        let NodeValue::Mapping(entries) = from.value.value else { continue };
        let index: HashMap<String, usize> =
            target.iter().enumerate().map(|(at, known)| (known.key.clone(), at)).collect();
        for entry in entries {
            match index.get(&entry.key).map(|at| &target[*at]) {
                Some(known) if tree::same(&known.value, &entry.value) => {}
                Some(known) => conflict(context, section, known, &entry, place),
                None => target.push(entry),
            }
        }
    }
}

fn conflict(context: &mut Context, section: &str, known: &Entry, entry: &Entry, place: &Place) {
    let message = format!("`{section}.{}` is described here and differently in an included file", known.key);
    context.report(
        known
            .key_place
            .error("include-conflict", message)
            .with_related(entry.key_place.location(), "described here, too")
            .with_related(place.location(), "included here")
            .with_hint("Change it in a file that is merged after this one, or rename one."),
    );
}
