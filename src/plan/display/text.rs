//! A plan as text for a terminal; the words carry the meaning, color only helps.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use std::fmt::Write as _;

use similar::{ChangeTag, TextDiff};

use super::lines::{
    field_text, heading, is_long, is_silent, note_symbol, note_text, step_cost, step_text, summary, symbol,
};
use crate::model::change::FieldDiff;
use crate::model::problem::printable;
use crate::plan::plan::{Plan, ResourcePlan};

/// The widest column of names; longer ones push their line only.
const NAME_WIDTH_MAX: usize = 48;
/// The widest column of causes.
const CAUSE_WIDTH_MAX: usize = 44;
/// Lines of one long value that are shown; the rest is counted.
const VALUE_LINES_MAX: usize = 40;
/// Lines around a changed line of a long value.
const CONTEXT_LINES: usize = 2;

const GREEN: &str = "\u{1b}[32m";
const YELLOW: &str = "\u{1b}[33m";
const RED: &str = "\u{1b}[31m";
const BOLD: &str = "\u{1b}[1m";
const DIM: &str = "\u{1b}[2m";
const RESET: &str = "\u{1b}[0m";

/// One line of a resource: symbol, name, what, cost.
struct Line<'a> {
    symbol: &'static str,
    name: String,
    what: String,
    cost: String,
    fields: &'a [FieldDiff],
}

/// The plan as text, with a final line end.
pub fn text(plan: &Plan, color: bool) -> String {
    let paint = Paint { color };
    let mut out = String::new();
    for resource in plan.resources.iter().filter(|resource| !is_silent(resource)) {
        let _ = writeln!(out, "{}", paint.with(BOLD, &heading(plan, resource)));
        write_lines(&mut out, &lines(plan, resource), paint);
    }
    if !out.is_empty() {
        out.push('\n');
    }
    let _ = writeln!(out, "{}", paint.with(BOLD, &summary(plan)));
    out
}

fn lines<'a>(plan: &'a Plan, resource: &'a ResourcePlan) -> Vec<Line<'a>> {
    let steps = resource.steps.iter().filter_map(|id| plan.step(*id)).map(|step| Line {
        symbol: symbol(step.action),
        name: printable(&step.subject.to_string()),
        what: step_text(step),
        cost: step_cost(step),
        fields: &step.fields,
    });
    let notes = resource.notes.iter().map(|note| Line {
        symbol: note_symbol(note),
        name: note.subject.as_ref().map(|subject| printable(&subject.to_string())).unwrap_or_default(),
        what: note_text(note),
        cost: String::new(),
        fields: &note.fields,
    });
    steps.chain(notes).collect()
}

fn width(texts: impl Iterator<Item = usize>, most: usize) -> usize {
    texts.filter(|width| *width <= most).max().unwrap_or(0)
}

fn write_lines(out: &mut String, lines: &[Line<'_>], paint: Paint) {
    let names = width(lines.iter().map(|line| line.name.chars().count()), NAME_WIDTH_MAX);
    let with_cost = lines.iter().filter(|line| !line.cost.is_empty());
    let whats = width(with_cost.map(|line| line.what.chars().count()), CAUSE_WIDTH_MAX);
    for line in lines {
        let symbol = paint.symbol(line.symbol);
        let mut text = match line.name.is_empty() {
            true => line.what.clone(),
            false => format!("{:names$}  {:whats$}", line.name, line.what),
        };
        if !line.cost.is_empty() {
            let _ = write!(text, "  {}", line.cost);
        }
        let padding = " ".repeat(3usize.saturating_sub(line.symbol.chars().count()));
        let _ = writeln!(out, "  {symbol}{padding} {}", text.trim_end());
        write_fields(out, line.fields, paint);
    }
}

fn write_fields(out: &mut String, fields: &[FieldDiff], paint: Paint) {
    let names = width(fields.iter().map(|field| field.field.chars().count()), NAME_WIDTH_MAX);
    for field in fields {
        let name = printable(&field.field);
        if is_long(field) {
            let _ = writeln!(out, "        {name}");
            write_long(out, field, paint);
        } else {
            let _ = writeln!(out, "        {name:names$}  {}", field_text(field));
        }
    }
}

/// A value of several lines as a diff of its lines.
fn write_long(out: &mut String, field: &FieldDiff, paint: Paint) {
    let side = |value: &Option<String>| value.clone().unwrap_or_default();
    let (before, after) = (side(&field.before), side(&field.after));
    let diff = TextDiff::from_lines(&before, &after);
    let mut shown = Vec::new();
    for (at, group) in diff.grouped_ops(CONTEXT_LINES).iter().enumerate() {
        if at > 0 {
            shown.push(paint.with(DIM, "…"));
        }
        for change in group.iter().flat_map(|op| diff.iter_changes(op)) {
            let text = printable(change.value().trim_end_matches('\n'));
            shown.push(match change.tag() {
                ChangeTag::Equal => format!("  {text}"),
                ChangeTag::Delete => paint.with(RED, &format!("- {text}")),
                ChangeTag::Insert => paint.with(GREEN, &format!("+ {text}")),
            });
        }
    }
    for line in shown.iter().take(VALUE_LINES_MAX) {
        let _ = writeln!(out, "          {line}");
    }
    if shown.len() > VALUE_LINES_MAX {
        let _ = writeln!(out, "          … {} more lines", shown.len() - VALUE_LINES_MAX);
    }
}

/// Color or none.
#[derive(Clone, Copy)]
struct Paint {
    color: bool,
}

impl Paint {
    fn with(self, code: &str, text: &str) -> String {
        if self.color { format!("{code}{text}{RESET}") } else { text.to_owned() }
    }

    fn symbol(self, symbol: &str) -> String {
        let code = match symbol {
            "+" => GREEN,
            "~" | "-/+" | "!" | "?" => YELLOW,
            "-" | "✗" => RED,
            _ => DIM,
        };
        self.with(code, symbol)
    }
}
