//! What a plan leaves that is not as wanted: how a command ends for it, and the way out.
//!
//! Decides only, by the same rule as the condition `Ready`; `apply` and `diff` say it.

use std::collections::BTreeSet;

use crate::cli::Session;
use crate::error::Exit;
use crate::model::change::{Class, DriftClass};
use crate::model::id::Kind;
use crate::model::note::{Note, NoteKind};
use crate::model::problem::printable;
use crate::plan::plan::{Plan, ResourcePlan};
use crate::plan::report::obstacle;

/// How many ways out are said: more than a person reads; `ipaictl status` shows every resource.
const WAYS_OUT_MAX: usize = 10;

/// How `apply` ends for a plan that it leaves: with 0 only when everything that was asked for is there.
pub fn exit(plan: &Plan) -> Exit {
    let has = |kind| notes(plan).any(|(_, note)| note.kind == kind);
    if !plan.is_complete() {
        Exit::Unclear
    } else if has(NoteKind::Refused) {
        Exit::Refused
    } else if has(NoteKind::Unhealthy) {
        Exit::Unhealthy
    } else if !plan.steps.is_empty() || notes(plan).any(|(_, note)| obstacle(note).is_some()) {
        // What was asked for is not there: possible only now, held, blocked, only reported, or waiting for a decision.
        Exit::Failed
    } else {
        Exit::Done
    }
}

/// One line for each thing that is not as wanted.
pub fn lines(plan: &Plan) -> Vec<String> {
    notes(plan)
        .filter(|(_, note)| note.kind == NoteKind::Unknown || obstacle(note).is_some())
        .map(|(resource, note)| {
            let subject = note.subject.as_ref().map_or_else(String::new, |subject| format!(" {subject}"));
            let text = if note.text.is_empty() { String::new() } else { format!(": {}", note.text) };
            printable(&format!("{}: {}{subject}{text}", word(note.kind), resource.id))
        })
        .collect()
}

/// Says on stderr how what is left ends. It depends on names alone, so two runs say the same.
pub fn say_ways_out(session: &Session, plan: &Plan) {
    let ways = ways_out(plan);
    for way in ways.iter().take(WAYS_OUT_MAX) {
        session.ui.progress(&format!("Hint: {way}"));
    }
    if let Some(more @ 1..) = ways.len().checked_sub(WAYS_OUT_MAX) {
        session.ui.progress(&format!("Hint: and {more} more; see `ipaictl status`."));
    }
}

fn ways_out(plan: &Plan) -> Vec<String> {
    let mut said = BTreeSet::new();
    let ways = notes(plan).filter_map(|(resource, note)| way_out(resource, note));
    ways.filter(|way| said.insert(way.clone())).collect()
}

/// The way out of one thing that is left, when it isn't in its text already.
fn way_out(resource: &ResourcePlan, note: &Note) -> Option<String> {
    let id = &resource.id;
    match (note.kind, note.class, &note.subject) {
        (NoteKind::Held, Some(Class::Drift(DriftClass::State)), Some(subject)) if note.until.is_some() => {
            let until = note.until.map(|until| until.format("%Y-%m-%dT%H:%MZ").to_string());
            Some(format!(
                "{subject} of {id} was stopped by hand: start it with `docker start {}`, or wait until {}.",
                subject.name,
                until.unwrap_or_default()
            ))
        }
        (NoteKind::Held, None, None) => {
            Some(format!("{id} is suspended: remove `suspend` from its specification, or wait for its end."))
        }
        // What a layout corrects is in its list `fix`, and each note says so.
        (NoteKind::Reported, Some(_), _) if id.kind == Kind::AddonsLayout => None,
        (NoteKind::Reported, Some(_), _) if obstacle(note).is_some() => Some(format!(
            "{id} only reports this drift: `drift: {{mode: correct}}` in its specification lets it be put right."
        )),
        (NoteKind::Blocked, ..) => {
            Some(format!("{id} is blocked: when what it names is over or put right, `ipaictl apply` again."))
        }
        _ => None,
    }
}

fn notes(plan: &Plan) -> impl Iterator<Item = (&ResourcePlan, &Note)> {
    plan.resources.iter().flat_map(|resource| resource.notes.iter().map(move |note| (resource, note)))
}

fn word(kind: NoteKind) -> &'static str {
    match kind {
        NoteKind::Held => "held",
        NoteKind::Blocked => "blocked",
        NoteKind::Unknown => "unknown",
        NoteKind::NeedsDecision => "needs a decision",
        NoteKind::Reported => "reported only",
        NoteKind::Contended => "contended",
        NoteKind::Stalled => "stalled",
        NoteKind::Refused => "refused",
        NoteKind::Unhealthy => "unhealthy",
        NoteKind::NotEnforced => "not enforced",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::id::{ResourceId, Revision};
    use crate::plan::step::{Subject, SubjectKind};

    fn plan(complete: bool, notes: Vec<Note>) -> Plan {
        let own = ResourcePlan {
            id: ResourceId::new(Kind::Stack, "web"),
            from_commit: None,
            digest: "v1:d".into(),
            steps: Vec::new(),
            notes,
            complete,
            desired: true,
            subjects: Default::default(),
            orphans: Vec::new(),
        };
        let revision = Revision { reference: "main".into(), commit: None };
        Plan { revision, resources: vec![own], steps: Vec::new(), complete, hash: "v1:h".into() }
    }

    fn note(kind: NoteKind, class: Option<DriftClass>) -> Note {
        let subject = Subject { kind: SubjectKind::Container, name: "web-1".into() };
        Note { class: class.map(Class::Drift), ..Note::new(kind, Some(subject), "why") }
    }

    #[test]
    fn apply_ends_with_0_only_when_all_that_was_asked_for_is_there() {
        let exit = |complete, kind, class| super::exit(&plan(complete, vec![note(kind, class)]));
        assert_eq!(super::exit(&plan(true, vec![])), Exit::Done);
        assert_eq!(exit(true, NoteKind::NotEnforced, None), Exit::Done);
        // What the files no longer have and others made is no part of what was asked for.
        assert_eq!(exit(true, NoteKind::Held, Some(DriftClass::ExtraOwned)), Exit::Done);
        assert_eq!(exit(true, NoteKind::Reported, Some(DriftClass::OrphanUnowned)), Exit::Done);
        for kind in [NoteKind::Held, NoteKind::Reported, NoteKind::Blocked, NoteKind::NeedsDecision] {
            assert_eq!(exit(true, kind, Some(DriftClass::State)), Exit::Failed, "{kind:?}");
        }
        assert_eq!(exit(true, NoteKind::Refused, None), Exit::Refused);
        assert_eq!(exit(true, NoteKind::Unhealthy, None), Exit::Unhealthy);
        assert_eq!(exit(false, NoteKind::Refused, None), Exit::Unclear);
    }

    #[test]
    fn what_a_person_stopped_is_left_with_the_way_out() {
        let mut held = note(NoteKind::Held, Some(DriftClass::State));
        held.until = Some(chrono::DateTime::UNIX_EPOCH);
        let plan = plan(true, vec![held.clone(), held]);
        assert_eq!(
            ways_out(&plan),
            ["container web-1 of Stack/web was stopped by hand: start it with `docker start web-1`, \
              or wait until 1970-01-01T00:00Z."]
        );
        assert_eq!(lines(&plan)[0], "held: Stack/web container web-1: why");
    }
}
