//! The graph of an answer for eyes: DOT, Mermaid, SVG.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

mod svg;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::report::{Module, Report};
use crate::model::problem::printable;

pub use self::svg::svg;

/// What a box stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It was asked for.
    Wanted,
    /// It is needed, and there.
    Needed,
    /// It can't be loaded.
    Blocked,
    /// It is missing.
    Missing,
}

/// A box of a picture.
#[derive(Debug)]
pub struct Node {
    /// The module.
    pub name: String,
    /// Its depth, or where it is drawn without one.
    pub layer: usize,
    /// What it stands for.
    pub kind: Kind,
}

/// Boxes, and lines from each to those that it needs.
#[derive(Debug)]
pub struct Picture {
    /// The boxes, by layer, then name.
    pub boxes: Vec<Node>,
    /// Pairs of numbers of boxes: who needs, what is needed.
    pub lines: Vec<(usize, usize)>,
}

impl Picture {
    /// What the wanted modules need or, when that was asked, what needs them.
    pub fn of(report: &Report) -> Self {
        let modules: Vec<&Module> = match &report.dependents {
            Some(dependents) => {
                report.modules.iter().filter(|module| module.wanted).chain(dependents).collect()
            }
            None => report.modules.iter().collect(),
        };
        let deepest =
            modules.iter().filter_map(|module| module.depth).max().map_or(0, |depth| depth as usize + 1);
        let mut boxes: Vec<Node> = modules
            .iter()
            .map(|module| Node {
                name: module.name.clone(),
                layer: module.depth.map_or(deepest, |depth| depth as usize),
                kind: match (module.depth, module.wanted) {
                    (None, _) => Kind::Blocked,
                    (Some(_), true) => Kind::Wanted,
                    (Some(_), false) => Kind::Needed,
                },
            })
            .collect();
        if report.dependents.is_none() {
            let missing = report.missing.iter();
            boxes.extend(missing.map(|missing| Node {
                name: missing.name.clone(),
                layer: 0,
                kind: Kind::Missing,
            }));
        }
        boxes.sort_by(|a, b| (a.layer, &a.name).cmp(&(b.layer, &b.name)));
        // A wanted module may be among the dependents of another.
        let mut seen = BTreeSet::new();
        boxes.retain(|found| seen.insert(found.name.clone()));
        let numbers: BTreeMap<&str, usize> =
            boxes.iter().enumerate().map(|(number, found)| (found.name.as_str(), number)).collect();
        let mut lines = BTreeSet::new();
        for module in modules {
            let Some(from) = numbers.get(module.name.as_str()) else { continue };
            lines.extend(
                module.depends.iter().filter_map(|name| numbers.get(name.as_str())).map(|to| (*from, *to)),
            );
        }
        let lines = lines.into_iter().collect();
        Picture { boxes, lines }
    }

    /// The picture for Graphviz.
    pub fn dot(&self) -> String {
        let mut out =
            "digraph modules {\n  rankdir=RL;\n  node [shape=box, fontname=\"sans-serif\"];\n".to_owned();
        let quote = |text: &str| format!("\"{}\"", printable(text).replace('\\', r"\\").replace('"', "\\\""));
        for found in &self.boxes {
            let style = match found.kind {
                Kind::Wanted => " [style=bold]",
                Kind::Needed => "",
                Kind::Blocked => " [style=dotted]",
                Kind::Missing => " [style=dashed, color=red]",
            };
            let _ = writeln!(out, "  {}{style};", quote(&found.name));
        }
        for (from, to) in &self.lines {
            let _ =
                writeln!(out, "  {} -> {};", quote(&self.boxes[*from].name), quote(&self.boxes[*to].name));
        }
        out.push_str("}\n");
        out
    }

    /// The picture for Markdown pages.
    pub fn mermaid(&self) -> String {
        let mut out = "flowchart RL\n".to_owned();
        for (number, found) in self.boxes.iter().enumerate() {
            // Mermaid reads its own entities, not those of HTML, inside of quotes.
            let mut label = String::new();
            for c in printable(&found.name).chars() {
                match c {
                    c if c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | ' ') => label.push(c),
                    c => label.push_str(&format!("#{};", u32::from(c))),
                }
            }
            let class = match found.kind {
                Kind::Wanted => ":::wanted",
                Kind::Needed => "",
                Kind::Blocked => ":::blocked",
                Kind::Missing => ":::missing",
            };
            let _ = writeln!(out, "  m{number}[\"{label}\"]{class}");
        }
        for (from, to) in &self.lines {
            let _ = writeln!(out, "  m{from} --> m{to}");
        }
        out.push_str("  classDef wanted stroke-width:3px\n  classDef blocked stroke-dasharray:2\n");
        out.push_str("  classDef missing stroke:#c00,stroke-dasharray:5\n");
        out
    }
}
