//! The answer as text.

use std::fmt::Write as _;

use crate::cli::ui::table;
use crate::model::problem::printable;
use crate::odoo::universe::RootKind;
use crate::skills::deps::report::{CycleReport, Module, Report};

/// Modules in load order, or what needs the wanted ones; then what is missing, and cycles.
pub fn modules(report: &Report) -> String {
    if let Some(dependents) = &report.dependents {
        return list(dependents, "needs it");
    }
    let mut out = list(&report.modules, "needed");
    if !report.missing.is_empty() {
        out.push_str("\nMissing\n");
    }
    for missing in &report.missing {
        let _ = write!(out, "  {}: {}", printable(&missing.name), printable(&missing.message));
        if !missing.required_by.is_empty() {
            let _ = write!(out, " (needed by {})", printable(&missing.required_by.join(", ")));
        }
        out.push('\n');
        if let Some(hint) = &missing.hint {
            let _ = writeln!(out, "    Hint: {}", printable(hint));
        }
    }
    for cycle in &report.cycles {
        let _ = writeln!(out, "\nCycle: {}", way(cycle));
        for member in &cycle.members {
            let _ = writeln!(out, "  {}", printable(&member.manifest));
        }
    }
    out
}

/// A table; `other` says what a module is that was not asked for.
fn list(modules: &[Module], other: &str) -> String {
    let rows: Vec<Vec<String>> = modules
        .iter()
        .map(|module| {
            vec![
                module.depth.map_or_else(|| "-".to_owned(), |depth| depth.to_string()),
                module.name.clone(),
                module.version.clone(),
                match (&module.repository, module.root) {
                    (Some(repository), _) => repository.clone(),
                    (None, RootKind::Core) => "core".to_owned(),
                    (None, RootKind::Addons) => "-".to_owned(),
                },
                module.path.clone(),
                state(module, other),
            ]
        })
        .collect();
    table(&["DEPTH", "MODULE", "VERSION", "REPOSITORY", "PATH", "STATE"], &rows)
}

fn state(module: &Module, other: &str) -> String {
    let mut words = Vec::new();
    match &module.state {
        Some(state) => words.push(state.clone()),
        None if module.wanted => words.push("wanted".to_owned()),
        None => words.push(other.to_owned()),
    }
    if module.pseudo {
        words.push("a folder of modules itself".to_owned());
    }
    if !module.shadows.is_empty() {
        words.push(format!("hides {}", module.shadows.join(", ")));
    }
    if !module.blocked_by.is_empty() {
        words.push(format!("blocked by {}", module.blocked_by.join(", ")));
    }
    words.join("; ")
}

/// The way round a cycle.
pub fn way(cycle: &CycleReport) -> String {
    let mut names: Vec<&str> = cycle.way.iter().map(String::as_str).collect();
    names.extend(cycle.way.first().map(String::as_str));
    printable(&names.join(" → "))
}

/// What must be on the machine.
pub fn external(report: &Report) -> String {
    let mut rows = Vec::new();
    for (kind, names) in &report.external {
        for (name, modules) in names {
            rows.push(vec![kind.clone(), name.clone(), modules.join(", ")]);
        }
    }
    table(&["KIND", "NAME", "NEEDED BY"], &rows)
}

/// The licences.
pub fn licenses(report: &Report) -> String {
    let rows: Vec<Vec<String>> = report
        .licenses
        .iter()
        .map(|(license, modules)| vec![license.clone(), modules.len().to_string(), modules.join(", ")])
        .collect();
    table(&["LICENSE", "MODULES", "NAMES"], &rows)
}

/// One sentence about all of it.
pub fn summary(report: &Report) -> String {
    let count = |number: usize, noun: &str| match number {
        1 => format!("1 {noun}"),
        _ => format!("{number} {noun}s"),
    };
    let mut text = match &report.dependents {
        Some(dependents) => {
            let verb = if dependents.len() == 1 { "needs" } else { "need" };
            format!("{} {verb} {}", count(dependents.len(), "module"), report.wanted.join(", "))
        }
        None => format!("{}, {} missing", count(report.modules.len(), "module"), report.missing.len()),
    };
    if !report.cycles.is_empty() {
        let _ = write!(text, ", {}", count(report.cycles.len(), "cycle"));
    }
    text.push('.');
    if report.dependents.is_none() && !report.auto_installed.is_empty() {
        let names: Vec<&str> = report.auto_installed.keys().map(String::as_str).collect();
        let _ = write!(text, " Odoo installs by itself too: {}.", names.join(", "));
    }
    text
}
