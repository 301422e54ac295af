//! One pass as the loop sees it: what to make of its report.
//!
//! Decides nothing about resources; turns what planning said into when to look again.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use chrono::{DateTime, Utc};

use super::backoff::Ending;
use crate::apply::{StepStatus, Stopped};
use crate::model::change::{Class, DriftClass};
use crate::model::id::ResourceId;
use crate::plan::plan::{Note, NoteKind, Plan};
use crate::reconcile::PassReport;
use crate::telemetry::PassOutcome;

/// What a pass means for the loop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// How it ended.
    pub ending: Ending,
    /// The same, for the counter.
    pub outcome: PassOutcome,
    /// Whether the resource is as it should be.
    pub in_sync: bool,
    /// Whether operations were executed, so that the engine's events are our own.
    pub acted: bool,
    /// Whether it was ended early.
    pub cancelled: bool,
    /// Differences that nobody asked for and that are still there.
    pub drift: Vec<DriftClass>,
    /// When something that is held ends by itself.
    pub until: Option<DateTime<Utc>>,
    /// What is left, for people.
    pub left: Vec<String>,
}

/// Reads a pass's report about one resource.
pub fn judge(id: &ResourceId, report: &PassReport) -> Verdict {
    let run = report.outcome.as_ref();
    let acted = run.is_some_and(|run| run.steps.iter().any(|step| step.started.is_some()));
    let cancelled = run.is_some_and(|run| run.stopped == Some(Stopped::Cancelled));
    let plan = report.after.as_ref().unwrap_or(&report.plan);
    let Some(own) = plan.resources.iter().find(|resource| resource.id == *id) else {
        // Neither wanted nor remembered any more.
        return Verdict {
            ending: Ending::Good,
            outcome: if acted { PassOutcome::Applied } else { PassOutcome::Unchanged },
            in_sync: true,
            acted,
            cancelled,
            drift: Vec::new(),
            until: None,
            left: Vec::new(),
        };
    };
    let has = |kinds: &[NoteKind]| own.notes.iter().any(|note| kinds.contains(&note.kind));
    let steps_left = !own.steps.is_empty();
    let ending = if cancelled || !own.complete || has(&[NoteKind::Unknown]) || (steps_left && acted) {
        Ending::Transient
    } else if has(&[NoteKind::Blocked]) {
        Ending::Blocked
    } else if has(&[NoteKind::Stalled, NoteKind::Contended, NoteKind::Refused, NoteKind::NeedsDecision]) {
        Ending::Terminal
    } else {
        Ending::Good
    };
    let unhealthy = has(&[NoteKind::Unhealthy]);
    let is_only_said = |note: &Note| {
        note.kind == NoteKind::NotEnforced || (note.kind == NoteKind::Reported && note.class.is_none())
    };
    let in_sync = !steps_left && own.complete && own.notes.iter().all(is_only_said);
    let outcome = match () {
        () if cancelled => PassOutcome::Cancelled,
        () if steps_left && acted => PassOutcome::Failed,
        () if unhealthy => PassOutcome::Unhealthy,
        () if acted => PassOutcome::Applied,
        () => PassOutcome::Unchanged,
    };
    Verdict {
        ending,
        outcome,
        in_sync,
        acted,
        cancelled,
        drift: drift(plan, id),
        until: own.notes.iter().filter_map(|note| note.until).min(),
        left: errors(report, id).chain(left(plan, id)).collect(),
    }
}

fn drift(plan: &Plan, id: &ResourceId) -> Vec<DriftClass> {
    let steps = plan.steps.iter().filter(|step| step.resource == *id).map(|step| Some(step.class));
    let own = plan.resources.iter().filter(|resource| resource.id == *id);
    let notes = own.flat_map(|resource| resource.notes.iter().map(|note| note.class));
    steps
        .chain(notes)
        .filter_map(|class| match class {
            Some(Class::Drift(class)) => Some(class),
            _ => None,
        })
        .collect()
}

/// What went wrong, before what is left because of it.
fn errors<'a>(report: &'a PassReport, id: &'a ResourceId) -> impl Iterator<Item = String> + 'a {
    let steps =
        report.outcome.iter().flat_map(|run| run.steps.iter()).filter(move |step| step.resource == *id);
    steps.filter_map(|step| {
        // A step that waited in vain knows why; one that never began only knows after whom.
        let waited = step.status == StepStatus::Skipped && step.started.is_some();
        let error = step.error.as_ref().filter(|_| waited || step.status == StepStatus::Failed)?;
        Some(format!("{}: {error}", step.subject))
    })
}

fn left(plan: &Plan, id: &ResourceId) -> Vec<String> {
    let steps = plan.steps.iter().filter(|step| step.resource == *id);
    let own = plan.resources.iter().filter(|resource| resource.id == *id);
    let notes = own.flat_map(|resource| resource.notes.iter());
    steps
        .map(|step| format!("{}: {}", step.subject, step.cause))
        .chain(notes.filter(|note| note.kind != NoteKind::NotEnforced).map(|note| note.text.clone()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::id::{Kind, Revision};
    use crate::model::note::Note;
    use crate::observed::observation::Observation;
    use crate::plan::plan::ResourcePlan;

    fn id() -> ResourceId {
        ResourceId::new(Kind::Stack, "web")
    }

    fn report(complete: bool, notes: Vec<Note>) -> PassReport {
        let own = ResourcePlan {
            id: id(),
            from_commit: None,
            digest: "v1:d".into(),
            steps: Vec::new(),
            notes,
            complete,
            desired: true,
            subjects: Default::default(),
            orphans: Vec::new(),
        };
        let plan = Plan {
            revision: Revision { reference: "main".into(), commit: None },
            resources: vec![own],
            steps: Vec::new(),
            complete,
            hash: "v1:h".into(),
        };
        let observed = Observation::default();
        PassReport { observed, plan, outcome: None, after: None, result: None, evidence: None }
    }

    fn judged(complete: bool, kinds: &[NoteKind]) -> Verdict {
        judge(&id(), &report(complete, kinds.iter().map(|kind| Note::new(*kind, None, "why")).collect()))
    }

    #[test]
    fn a_resource_without_steps_and_notes_is_in_sync() {
        let verdict = judged(true, &[NoteKind::NotEnforced]);
        assert!(verdict.in_sync && verdict.left.is_empty());
        assert_eq!((verdict.ending, verdict.outcome), (Ending::Good, PassOutcome::Unchanged));
    }

    #[test]
    fn what_could_not_be_read_is_tried_again_and_never_in_sync() {
        for verdict in [judged(false, &[]), judged(true, &[NoteKind::Unknown])] {
            assert!(!verdict.in_sync);
            assert_eq!(verdict.ending, Ending::Transient);
        }
    }

    #[test]
    fn only_another_input_helps_what_a_person_has_to_decide() {
        for kind in [NoteKind::NeedsDecision, NoteKind::Refused, NoteKind::Stalled, NoteKind::Contended] {
            assert_eq!(judged(true, &[kind]).ending, Ending::Terminal, "{kind:?}");
        }
        assert_eq!(judged(true, &[NoteKind::Blocked]).ending, Ending::Blocked);
        assert_eq!(judged(true, &[NoteKind::Blocked, NoteKind::Unknown]).ending, Ending::Transient);
    }

    #[test]
    fn something_held_is_looked_at_when_its_time_is_over_and_drift_is_counted() {
        let mut note = Note::new(NoteKind::Held, None, "stopped by hand");
        note.until = Some(DateTime::UNIX_EPOCH);
        note.class = Some(Class::Drift(DriftClass::State));
        let verdict = judge(&id(), &report(true, vec![note]));
        assert_eq!(verdict.until, Some(DateTime::UNIX_EPOCH));
        assert_eq!((verdict.ending, verdict.drift), (Ending::Good, vec![DriftClass::State]));
        assert!(!verdict.in_sync);
    }
}
