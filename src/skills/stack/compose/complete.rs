//! What only the merged model can tell of its shape: missing fields and values, repeated items.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use std::collections::BTreeMap;

use crate::model::document::{Node, NodeValue, Place};

use super::context::Context;
use super::kind::{Kind, Record};
use super::{schema, tree};

/// Checks what only the merged model can tell: missing fields and values, repeated items.
pub(super) fn check(context: &mut Context, model: &Node) {
    for entry in model.entries().unwrap_or_default() {
        let Some(field) = schema::FILE.fields.iter().find(|field| field.name == entry.key) else { continue };
        if entry.key == "services" {
            for service in entry.value.entries().unwrap_or_default() {
                if !context.is_broken("services", &service.key) || service.value.is_null() {
                    complete(
                        context,
                        &service.value,
                        &schema::SERVICE_KIND,
                        &format!("services.{}", service.key),
                    );
                }
            }
        }
        if entry.key != "services" || entry.value.is_null() {
            complete(context, &entry.value, &field.kind, &entry.key);
        }
    }
}

fn complete(context: &mut Context, node: &Node, kind: &Kind, path: &str) {
    if node.is_null() {
        if !matches!(kind, Kind::Nullable(_) | Kind::Words | Kind::Any) {
            let problem = node.place.error("no-value", format!("`{path}` has no value"));
            context.report(problem.with_hint("Give it one, or remove the field."));
            context.broken.insert(path.to_owned());
        }
        return;
    }
    match kind {
        Kind::Nullable(inner) => complete(context, node, inner, path),
        Kind::Either(kinds) => {
            let long = kinds.iter().find(|kind| {
                matches!(
                    (&node.value, kind),
                    (NodeValue::Mapping(_), Kind::Fields(_) | Kind::Named(_))
                        | (NodeValue::Sequence(_), Kind::List(_))
                )
            });
            if let Some(kind) = long {
                complete(context, node, kind, path);
            }
        }
        Kind::Fields(record) => complete_record(context, node, record, path),
        Kind::Named(inner) | Kind::Map(inner) => {
            for entry in node.entries().unwrap_or_default() {
                complete(context, &entry.value, inner, &format!("{path}.{}", entry.key));
            }
        }
        Kind::List(inner) => {
            for (index, item) in node.items().unwrap_or_default().iter().enumerate() {
                complete(context, item, inner, &format!("{path}[{index}]"));
            }
        }
        Kind::Texts | Kind::Scalars => repeated(context, node, path),
        _ => {}
    }
}

fn complete_record(context: &mut Context, node: &Node, record: &Record, path: &str) {
    for name in record.required {
        if node.get(name).is_none() {
            let problem = node.place.error("missing-field", format!("`{path}` has no `{name}`"));
            context.report(problem.with_hint(format!("Add `{name}`.")));
        }
    }
    for entry in node.entries().unwrap_or_default() {
        if let Some(field) = record.fields.iter().find(|field| field.name == entry.key) {
            complete(context, &entry.value, &field.kind, &format!("{path}.{}", entry.key));
        }
    }
}

fn repeated(context: &mut Context, node: &Node, path: &str) {
    if ["command", "entrypoint", "test", "constraints", "cache_from"].iter().any(|name| path.ends_with(name))
    {
        return;
    }
    let mut seen: BTreeMap<String, &Place> = BTreeMap::new();
    for item in node.items().unwrap_or_default() {
        let Some(text) = tree::value_text(item) else { continue };
        if let Some(first) = seen.get(&text) {
            let problem = item.place.error("repeated-item", format!("`{path}` holds `{text}` twice"));
            context.report(
                problem
                    .with_related(first.location(), "first written here")
                    .with_hint("Keep one of the two."),
            );
        } else {
            seen.insert(text, &item.place);
        }
    }
}
