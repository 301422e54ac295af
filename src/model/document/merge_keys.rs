//! Merge keys: `<<` takes in what other maps say.

use std::collections::HashSet;

use super::{Entry, Node, NodeValue, ScalarKind};
use crate::model::problem::Problem;

/// Applies `<<`: keys written in the map itself win, then earlier merged maps.
pub(super) fn apply(node: &mut Node, problems: &mut Vec<Problem>) {
    let NodeValue::Mapping(entries) = &mut node.value else { return };
    if !entries.iter().any(|entry| entry.key == "<<") {
        return;
    }
    let mut own = Vec::with_capacity(entries.len());
    let mut merged = Vec::new();
    for entry in entries.drain(..) {
        if entry.key != "<<" {
            own.push(entry);
            continue;
        }
        match entry.value.value {
            NodeValue::Mapping(from) => merged.push(from),
            NodeValue::Sequence(items) if items.iter().all(|item| item.entries().is_some()) => {
                merged.extend(items.into_iter().filter_map(|item| match item.value {
                    NodeValue::Mapping(from) => Some(from),
                    _ => None,
                }));
            }
            NodeValue::Scalar { kind: ScalarKind::Null, .. } => {}
            _ => problems.push(
                entry
                    .key_place
                    .error("merge-key", "`<<` takes a map or a list of maps")
                    .with_hint("Use an alias: `<<: *name`."),
            ),
        }
    }
    let inherited: HashSet<String> = merged.iter().flatten().map(|entry| entry.key.clone()).collect();
    // As in Compose, `!reset` takes away what earlier files say, not what is merged in beside it.
    let is_reset = |entry: &Entry| entry.value.tag.as_deref() == Some("reset");
    own.retain(|entry| !(is_reset(entry) && inherited.contains(&entry.key)));
    let mut known: HashSet<String> = own.iter().map(|entry| entry.key.clone()).collect();
    for entry in merged.into_iter().flatten() {
        if known.insert(entry.key.clone()) {
            own.push(entry);
        }
    }
    *entries = own;
}
