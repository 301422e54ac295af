//! The needs of modules as an indented tree; what was shown before is not unfolded again.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use std::collections::{BTreeMap, HashSet};

use super::report::Report;
use crate::model::problem::printable;

/// The deepest indent that is drawn; a deeper chain goes on at the same one.
const INDENT_MAX: usize = 100;

/// The tree of all wanted modules. Each module is unfolded once, so it has at most a line per edge.
pub fn tree(report: &Report) -> String {
    let needs: BTreeMap<&str, &[String]> =
        report.modules.iter().map(|module| (module.name.as_str(), module.depends.as_slice())).collect();
    let missing: HashSet<&str> = report.missing.iter().map(|missing| missing.name.as_str()).collect();
    let mut shown: HashSet<&str> = HashSet::new();
    let mut out = String::new();
    let mut waiting: Vec<(usize, &str)> = report.wanted.iter().rev().map(|name| (0, name.as_str())).collect();
    while let Some((depth, name)) = waiting.pop() {
        let children = needs.get(name).copied().unwrap_or_default();
        let again = !shown.insert(name);
        let note = match (missing.contains(name), again && !children.is_empty()) {
            (true, _) => " (missing)",
            (false, true) => " …",
            (false, false) => "",
        };
        out.push_str(&"  ".repeat(depth.min(INDENT_MAX)));
        out.push_str(&printable(name));
        out.push_str(note);
        out.push('\n');
        if !again {
            let mut children: Vec<&str> = children.iter().map(String::as_str).collect();
            children.sort_unstable();
            waiting.extend(children.into_iter().rev().map(|child| (depth + 1, child)));
        }
    }
    out
}
