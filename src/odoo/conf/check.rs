//! Whether an Odoo 18.0 server would do what an odoo.conf says.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use super::options::{COMMAND_LINE, IGNORED, OPTIONS, Sort, is_secret, present_name, setting};
use super::{OdooConf, SECTION, Written};
use crate::model::problem::{Location, Problem, nearest};

/// Everything that the server would refuse (errors), ignore or read otherwise than it looks (warnings); in the order of the file.
pub fn check(file: &str, conf: &OdooConf) -> Vec<Problem> {
    let mut problems = Vec::new();
    if !conf.sections().any(|name| name == SECTION) {
        let known =
            nearest(SECTION, conf.sections()).map(|name| format!("Name it `[options]`, not `[{name}]`."));
        let problem =
            Problem::warning("odoo-conf-section", "no section `options`: the server reads nothing of it");
        let hint = known.unwrap_or_else(|| "Begin the file with `[options]`.".to_owned());
        problems.push(problem.at(Location::of_file(file)).with_hint(hint));
    }
    for (name, written) in conf.section(SECTION) {
        let found = if setting(name).is_some() { value(name, &written.value) } else { Some(unknown(name)) };
        problems.extend(found.map(|problem| problem.at(place(file, written))));
    }
    problems.sort_by(|left, right| left.location.cmp(&right.location));
    problems
}

fn place(file: &str, written: &Written) -> Location {
    Location { file: file.to_owned(), line: written.line, column: written.column }
}

fn unknown(name: &str) -> Problem {
    let problem = |why: &str| Problem::warning("odoo-conf-option", format!("option `{name}` {why}"));
    if COMMAND_LINE.contains(&name) {
        return problem("does nothing in a file")
            .with_hint("It is one of the command line only; take it out.");
    }
    if let Some((_, now)) = IGNORED.iter().find(|(old, _)| *old == name) {
        let problem = problem("does nothing any more");
        return match *now {
            "" => problem.with_hint("Take it out."),
            now => problem.with_hint(format!("Odoo 18 calls it `{now}`.")),
        };
    }
    let problem = problem("is none of Odoo 18.0's");
    match nearest(name, OPTIONS.iter().map(|setting| setting.name)) {
        Some(near) => problem.with_hint(format!("Did you mean `{near}`? A module may read it, too.")),
        None => problem.with_hint("Only a module could read it."),
    }
}

/// What is wrong with the value of a known option.
fn value(name: &str, value: &str) -> Option<Problem> {
    let sort = setting(name)?.sort;
    let shown = if is_secret(SECTION, name) { "the value".to_owned() } else { format!("`{value}`") };
    if value.contains("${") {
        let problem =
            Problem::error("odoo-conf-value", format!("option `{name}`: {shown} is taken as it stands"));
        return Some(problem.with_hint("Odoo expands no variables in this file; write the value itself."));
    }
    // Odoo makes truth values of these before it looks at the sort.
    if matches!(value, "True" | "true" | "False" | "false") {
        return None;
    }
    let (expected, is_error) = match sort {
        Sort::Int if !is_int(value) => ("a whole number".to_owned(), true),
        Sort::Float if value.parse::<f64>().is_err() => ("a number".to_owned(), true),
        Sort::Choice(choices) if !choices.contains(&value) => {
            (format!("one of {}", choices.join(", ")), true)
        }
        Sort::Bool => ("`True` or `False`; the server takes it for true".to_owned(), false),
        _ => return None,
    };
    if sort == Sort::Bool && value.is_empty() {
        return None;
    }
    let message = format!("option `{}`: {shown} is not {expected}", present_name(name));
    let problem = if is_error { Problem::error } else { Problem::warning };
    let found = problem("odoo-conf-value", message);
    let near = match sort {
        Sort::Choice(choices) => nearest(value, choices.iter().copied()),
        _ => None,
    };
    Some(match near {
        Some(near) => found.with_hint(format!("Did you mean `{near}`?")),
        None if is_error => found.with_hint("The server doesn't start with it."),
        None => found.with_hint("Write `True` or `False`."),
    })
}

/// What Python's optparse takes for a whole number.
fn is_int(value: &str) -> bool {
    let is = |digits: &str, radix: u32| {
        let digits = digits.strip_prefix(['+', '-']).unwrap_or(digits);
        !digits.is_empty() && digits.chars().all(|c| c.is_digit(radix))
    };
    let lower = value.to_ascii_lowercase();
    if let Some(digits) = lower.strip_prefix("0x") {
        return is(digits, 16);
    }
    if let Some(digits) = lower.strip_prefix("0b") {
        return is(if digits.is_empty() { "0" } else { digits }, 2);
    }
    if lower.starts_with('0') { is(&lower, 8) } else { is(&lower, 10) }
}
