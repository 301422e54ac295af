//! What every form of a plan says in the same words: symbols, verbs, risks, values, the summary.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use crate::model::change::{Action, Class, FieldDiff, Risk};
use crate::model::note::NoteKind;
use crate::model::problem::printable;
use crate::plan::plan::{Note, Plan, ResourcePlan};
use crate::plan::policy::verb;
use crate::plan::step::Step;

/// Digits of a commit that are shown.
const COMMIT_DIGITS: usize = 7;

/// The symbol of an action, as Terraform has them.
pub fn symbol(action: Action) -> &'static str {
    match action {
        Action::Create | Action::Pull | Action::Build => "+",
        Action::Update | Action::Start | Action::Stop | Action::Restart => "~",
        Action::Recreate => "-/+",
        Action::Remove => "-",
    }
}

/// The symbol of a note: what needs a person, what waits or drifted, what is only said.
pub fn note_symbol(note: &Note) -> &'static str {
    match note.kind {
        NoteKind::NeedsDecision | NoteKind::Refused | NoteKind::Contended | NoteKind::Stalled => "✗",
        NoteKind::Held | NoteKind::Blocked | NoteKind::Unhealthy => "!",
        NoteKind::Unknown => "?",
        NoteKind::Reported if note.class.is_some() => "!",
        NoteKind::Reported | NoteKind::NotEnforced => "·",
    }
}

/// What a note is, in words.
pub fn note_word(note: &Note) -> &'static str {
    match (note.kind, note.class) {
        (NoteKind::Held, _) => "held",
        (NoteKind::Blocked, _) => "blocked",
        (NoteKind::Unknown, _) => "unknown",
        (NoteKind::NeedsDecision, _) => "needs a decision",
        (NoteKind::Reported, Some(Class::Drift(_))) => "drift",
        (NoteKind::Reported, Some(Class::Change)) => "change",
        (NoteKind::Reported, None) => "note",
        (NoteKind::Contended, _) => "contended",
        (NoteKind::Stalled, _) => "stalled",
        (NoteKind::Refused, _) => "refused",
        (NoteKind::Unhealthy, _) => "unhealthy",
        (NoteKind::NotEnforced, _) => "note",
    }
}

/// What a note says, with its end.
pub fn note_text(note: &Note) -> String {
    let until = note.until.map(|until| format!(", until {}", until.format("%Y-%m-%dT%H:%MZ")));
    format!("{}: {}{}", note_word(note), printable(&note.text), until.unwrap_or_default())
}

/// What a step does and why.
pub fn step_text(step: &Step) -> String {
    format!("{}: {}", verb(step.action), printable(&step.cause))
}

/// What a step costs and whether someone asked for it; empty when it is a change that nobody notices.
pub fn step_cost(step: &Step) -> String {
    let mut parts = Vec::new();
    if let Class::Drift(class) = step.class {
        parts.push(format!("drift: {class}"));
    }
    match (step.risk, step.downtime_seconds) {
        (Risk::None, _) => {}
        (Risk::Downtime, Some(seconds)) => parts.push(format!("downtime ≈ {seconds}s")),
        (Risk::Data, _) => parts.push("risk: data".to_owned()),
        (risk, _) => parts.push(risk.to_string()),
    }
    parts.join(", ")
}

/// Both sides of a field on one line.
pub fn field_text(field: &FieldDiff) -> String {
    let side = |value: &Option<String>| match value {
        Some(value) if value.is_empty() => "(empty)".to_owned(),
        Some(value) => printable(value),
        None => "(not set)".to_owned(),
    };
    match field.secret {
        true => format!("(changed, {})", secret_sides(field)),
        false => format!("{} → {}", side(&field.before), side(&field.after)),
    }
}

/// `hmac 5e1d → 90fa`
fn secret_sides(field: &FieldDiff) -> String {
    let digits = |value: &Option<String>| {
        value.as_ref().map_or("(not set)".to_owned(), |value| value.trim_start_matches("hmac ").to_owned())
    };
    format!("hmac {} → {}", digits(&field.before), digits(&field.after))
}

/// Whether a field is easier to read as lines than as one line.
pub fn is_long(field: &FieldDiff) -> bool {
    !field.secret && [&field.before, &field.after].into_iter().flatten().any(|value| value.contains('\n'))
}

/// The resource and the revisions: `Stack/n8n  (main 3f2a91c → 8b04d7e)`.
pub fn heading(plan: &Plan, resource: &ResourcePlan) -> String {
    if !resource.desired {
        return format!("{}  (not in {})", resource.id, plan.revision);
    }
    match &resource.from_commit {
        None => format!("{}  ({})", resource.id, plan.revision),
        Some(from) => {
            let from = from.get(..COMMIT_DIGITS).unwrap_or(from);
            match &plan.revision.commit {
                Some(_) => format!(
                    "{}  ({} {from} → {})",
                    resource.id,
                    plan.revision.reference,
                    plan.revision.short()
                ),
                None => format!("{}  ({from} → {})", resource.id, plan.revision),
            }
        }
    }
}

/// Whether a resource has anything to say.
pub fn is_silent(resource: &ResourcePlan) -> bool {
    resource.steps.is_empty() && resource.notes.is_empty()
}

/// The last line: what would be done, what is left, or that nothing differs.
pub fn summary(plan: &Plan) -> String {
    let count = |wanted: &[Action]| plan.steps.iter().filter(|step| wanted.contains(&step.action)).count();
    let notes = |wanted: &[NoteKind]| {
        plan.resources
            .iter()
            .flat_map(|resource| &resource.notes)
            .filter(|note| wanted.contains(&note.kind))
            .count()
    };
    let differs = |resource: &&ResourcePlan| resource.notes.iter().any(|note| note.class.is_some());
    let mut left = Vec::new();
    for (kinds, one, many) in [
        (&[NoteKind::Held][..], "held", "held"),
        (&[NoteKind::Blocked], "blocked", "blocked"),
        (&[NoteKind::NeedsDecision], "needs a decision", "need a decision"),
        (&[NoteKind::Refused], "refused", "refused"),
        (&[NoteKind::Contended, NoteKind::Stalled], "stalled", "stalled"),
        (&[NoteKind::Unhealthy], "unhealthy", "unhealthy"),
        (&[NoteKind::Unknown], "unknown", "unknown"),
    ] {
        match notes(kinds) {
            0 => {}
            1 => left.push(format!("1 {one}")),
            number => left.push(format!("{number} {many}")),
        }
    }
    let reported = plan.resources.iter().flat_map(|resource| &resource.notes);
    let reported = reported.filter(|note| note.kind == NoteKind::Reported && note.class.is_some()).count();
    if reported > 0 {
        left.push(format!("{reported} reported only"));
    }
    let is_settled = left.is_empty();
    let left = if is_settled { String::new() } else { format!(" {}.", left.join(", ")) };
    let nothing = plan.steps.is_empty() && plan.resources.iter().filter(differs).count() == 0;
    if nothing && plan.complete && !is_settled {
        return format!("Nothing to do.{left}");
    }
    if nothing && plan.complete {
        return format!("No differences: {} as wanted.{left}", resources(plan));
    }
    if nothing {
        return format!("No differences in what could be read.{left}");
    }
    let add = count(&[Action::Create, Action::Pull, Action::Build]);
    let change = count(&[Action::Update, Action::Start, Action::Stop, Action::Restart]);
    let (recreate, destroy) = (count(&[Action::Recreate]), count(&[Action::Remove]));
    format!("Plan: {add} to add, {change} to change, {recreate} to recreate, {destroy} to destroy.{left}")
}

fn resources(plan: &Plan) -> String {
    match plan.resources.len() {
        1 => "1 resource is".to_owned(),
        count => format!("{count} resources are"),
    }
}
