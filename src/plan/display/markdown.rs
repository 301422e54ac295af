//! A plan as Markdown, for the comment on a pull request: the summary first, a table per resource, values folded.
//!
//! What documents and engines say is escaped, so that no name or value can format the comment, mention people or
//! load images.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use std::fmt::Write as _;

use similar::TextDiff;

use super::lines::{
    field_text, heading, is_long, is_silent, note_symbol, note_text, step_cost, step_text, summary, symbol,
};
use crate::model::change::FieldDiff;
use crate::model::problem::printable;
use crate::plan::plan::{Plan, ResourcePlan};

/// Fields of one resource that are shown: a comment has 65,536 characters, and nobody reads more than this.
const FIELDS_MAX: usize = 100;
/// Rows of one resource that are shown.
const ROWS_MAX: usize = 200;

/// The plan as Markdown, with a final line end.
pub fn markdown(plan: &Plan) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "**{}**", escaped(&summary(plan)));
    for resource in plan.resources.iter().filter(|resource| !is_silent(resource)) {
        let _ = writeln!(out, "\n#### {}\n", escaped(&heading(plan, resource)));
        write_table(&mut out, plan, resource);
        write_details(&mut out, plan, resource);
    }
    let _ = writeln!(out, "\n<sub>Plan <code>{}</code></sub>", html(&plan.hash));
    out
}

fn write_table(out: &mut String, plan: &Plan, resource: &ResourcePlan) {
    out.push_str("| | What | Why | Cost |\n|---|---|---|---|\n");
    let steps = resource.steps.iter().filter_map(|id| plan.step(*id)).map(|step| {
        [
            code(symbol(step.action)),
            code(&step.subject.to_string()),
            escaped(&step_text(step)),
            escaped(&step_cost(step)),
        ]
    });
    let notes = resource.notes.iter().map(|note| {
        let subject = note.subject.as_ref().map(|subject| code(&subject.to_string())).unwrap_or_default();
        [code(note_symbol(note)), subject, escaped(&note_text(note)), String::new()]
    });
    let rows: Vec<[String; 4]> = steps.chain(notes).collect();
    for row in rows.iter().take(ROWS_MAX) {
        let _ = writeln!(out, "| {} |", row.join(" | "));
    }
    if rows.len() > ROWS_MAX {
        let _ = writeln!(out, "| | … {} more | | |", rows.len() - ROWS_MAX);
    }
}

/// The fields of a resource, folded.
fn write_details(out: &mut String, plan: &Plan, resource: &ResourcePlan) {
    let steps = resource.steps.iter().filter_map(|id| plan.step(*id));
    let of_steps = steps.flat_map(|step| step.fields.iter().map(move |field| (Some(&step.subject), field)));
    let notes = resource.notes.iter();
    let of_notes = notes.flat_map(|note| note.fields.iter().map(move |field| (note.subject.as_ref(), field)));
    let fields: Vec<_> = of_steps.chain(of_notes).collect();
    if fields.is_empty() {
        return;
    }
    let count = if fields.len() == 1 { "1 field".to_owned() } else { format!("{} fields", fields.len()) };
    let _ = writeln!(out, "\n<details><summary>{count}</summary>\n\n```diff");
    let mut last = None;
    for (subject, field) in fields.iter().take(FIELDS_MAX) {
        if last != Some(subject) {
            let name = subject.map(ToString::to_string).unwrap_or_default();
            let _ = writeln!(out, "@@ {} @@", fenced(&name));
            last = Some(subject);
        }
        write_field(out, field);
    }
    if fields.len() > FIELDS_MAX {
        let _ = writeln!(out, "# … {} more", fields.len() - FIELDS_MAX);
    }
    out.push_str("```\n\n</details>\n");
}

fn write_field(out: &mut String, field: &FieldDiff) {
    let name = fenced(&field.field);
    if is_long(field) {
        let side = |value: &Option<String>| value.clone().unwrap_or_default();
        let (before, after) = (side(&field.before), side(&field.after));
        let diff = TextDiff::from_lines(&before, &after);
        let _ = writeln!(out, "  {name}:");
        for change in diff.grouped_ops(2).iter().flatten().flat_map(|op| diff.iter_changes(op)) {
            let _ = writeln!(out, "{}   {}", change.tag(), fenced(change.value().trim_end_matches('\n')));
        }
        return;
    }
    if field.secret {
        let _ = writeln!(out, "! {name}: {}", fenced(&field_text(field)));
        return;
    }
    for (sign, value) in [("-", &field.before), ("+", &field.after)] {
        if let Some(value) = value {
            let _ = writeln!(out, "{sign} {name}: {}", fenced(value));
        }
    }
}

/// Text within a fence: no line of it can end the fence.
fn fenced(text: &str) -> String {
    printable(text).replace("```", "'''")
}

/// A word in a code span within a table.
fn code(text: &str) -> String {
    if text.is_empty() {
        return String::new();
    }
    format!("<code>{}</code>", html(text))
}

fn html(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in printable(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            // Neither a cell's end, nor emphasis, nor a mention or a reference to an issue.
            '|' | '@' | '#' | '*' | '_' | '`' | '[' | ']' | '\\' | '~' | '!' => {
                let _ = write!(out, "&#{};", c as u32);
            }
            c => out.push(c),
        }
    }
    out
}

/// Text in which backticks still mark code, and nothing else means anything.
fn escaped(text: &str) -> String {
    text.split('`').enumerate().map(|(at, part)| if at % 2 == 1 { code(part) } else { html(part) }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_cannot_format_the_comment() {
        let text = escaped("a|b <img src=x> @all `co|de` ![x](http://e)");
        assert!(!text.contains('|') && !text.contains("<img") && !text.contains('@') && !text.contains("]("));
        assert!(text.contains("<code>co&#124;de</code>"));
        assert_eq!(fenced("a```b"), "a'''b");
    }
}
