//! Which steps may be taken now: suspension, `apply: manual`, drift modes, and the guards against endless work.
//!
//! A step that may not be taken becomes a note; what can't go on without it is blocked.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use super::memory::{Attempts, Memory};
use super::step::{Operation, correction_keys};
use crate::model::change::{Action, Class, DriftClass, Subject, SubjectKind};
use crate::model::draft::{Draft, DraftStep};
use crate::model::id::ResourceId;
use crate::model::note::{Note, NoteKind};
use crate::model::resource::{ApplyMode, CommonSpec, DriftMode};

/// Corrections of one field within 300 s after which something else is taken to write it: five, as in doco-cd.
pub const CORRECTIONS_MAX: u32 = 5;

/// The most characters of an error that a plan quotes; the whole text is in the evidence.
const ERROR_MAX: usize = 400;

/// Why a resource is paused.
#[derive(Debug, Clone)]
pub struct Pause {
    /// As a sentence fragment for people.
    pub why: String,
    /// When it ends by itself.
    pub until: Option<DateTime<Utc>>,
}

/// What decides whether a resource's steps may be taken.
pub struct Policy<'a> {
    /// The resource.
    pub id: &'a ResourceId,
    /// What its document says.
    pub common: &'a CommonSpec,
    /// Why it is paused, if it is.
    pub pause: Option<&'a Pause>,
    /// What is remembered.
    pub memory: &'a Memory,
    /// Whether a person asked.
    pub manual: bool,
}

/// The pause that a document asks for, if it has not ended.
pub fn pause(common: &CommonSpec, now: DateTime<Utc>) -> Option<Pause> {
    let suspend = common.suspend.as_ref()?;
    if suspend.until.is_some_and(|until| until <= now) {
        return None;
    }
    Some(Pause { why: format!("suspended: {}", suspend.reason), until: suspend.until })
}

/// What is done about drift of a class, unless the document says otherwise: what can be put right without losing
/// data is put right; names, machines and what others made are reported.
fn default_mode(class: DriftClass) -> DriftMode {
    match class {
        DriftClass::Missing
        | DriftClass::Spec
        | DriftClass::Content
        | DriftClass::Image
        | DriftClass::State
        | DriftClass::Source
        // What left the files goes by `prune` and its own guards.
        | DriftClass::ExtraOwned => DriftMode::Correct,
        DriftClass::OrphanUnowned | DriftClass::Identity | DriftClass::Host => DriftMode::Warn,
    }
}

/// What is said of an update of modules that failed: it costs the time in which nobody can work, so it is not tried for ever.
pub fn failed_before(attempts: &Attempts) -> String {
    let again = "it is tried again when code, image or document change, or by `ipaictl apply`";
    match quoted(&attempts.error) {
        error if error.is_empty() => format!("it was tried and failed; {again}"),
        error => format!("it was tried and failed: {error}; {again}"),
    }
}

/// An error as part of a line.
fn quoted(error: &str) -> String {
    let line = error.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(ERROR_MAX) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

enum Verdict {
    Take,
    Forget,
    Leave(Note),
}

/// Keeps the steps that may be taken.
pub fn apply_policy(draft: &mut Draft<Operation>, policy: &Policy<'_>) {
    if let Some(pause) = policy.pause {
        draft.notes.push(Note { until: pause.until, ..Note::new(NoteKind::Held, None, pause.why.clone()) });
    }
    if policy.common.drift.mode == Some(DriftMode::Ignore) {
        draft
            .notes
            .retain(|note| !matches!(note.class, Some(Class::Drift(_))) || note.kind != NoteKind::Reported);
    }
    let mut left = BTreeSet::new();
    let mut kept = Vec::with_capacity(draft.steps.len());
    for step in std::mem::take(&mut draft.steps) {
        match judge(&step, policy) {
            Verdict::Take => kept.push(warned(step, policy.memory)),
            Verdict::Forget => leave(&step, &mut left),
            Verdict::Leave(note) => {
                leave(&step, &mut left);
                draft.notes.push(note);
            }
        }
    }
    draft.steps = kept;
    block_dependents(draft, left);
    drop_unneeded_images(draft);
}

/// Whoever tries again what failed is told how it failed.
fn warned(mut step: DraftStep<Operation>, memory: &Memory) -> DraftStep<Operation> {
    if let Some(attempts) = memory.no_progress.get(&step.fingerprint).filter(|found| !found.error.is_empty())
    {
        step.cause.push_str(&format!("; the last time it failed: {}", quoted(&attempts.error)));
    }
    step
}

/// Remembers what others can't do without: a network that is merely not changed is still there.
fn leave(step: &DraftStep<Operation>, left: &mut BTreeSet<Subject>) {
    if matches!(step.action, Action::Create | Action::Pull | Action::Build | Action::Start) {
        left.insert(step.subject.clone());
    }
}

fn judge(step: &DraftStep<Operation>, policy: &Policy<'_>) -> Verdict {
    if policy.pause.is_some() {
        return Verdict::Leave(note(step, NoteKind::Held, ""));
    }
    match step.class {
        Class::Change if policy.common.apply == ApplyMode::Manual && !policy.manual => {
            Verdict::Leave(note(step, NoteKind::Held, "waits for a person: `ipaictl apply`"))
        }
        Class::Change => guard(step, policy),
        Class::Drift(class) => match policy.common.drift.mode.unwrap_or(default_mode(class)) {
            DriftMode::Correct => guard(step, policy),
            DriftMode::Warn => Verdict::Leave(note(step, NoteKind::Reported, "not corrected")),
            DriftMode::Ignore => Verdict::Forget,
        },
    }
}

/// Against endless work: a field that something else writes, and a step that changed nothing the last time.
fn guard(step: &DraftStep<Operation>, policy: &Policy<'_>) -> Verdict {
    let keys = correction_keys(policy.id, &step.subject, step.class, &step.fields);
    let contended = keys
        .iter()
        .find(|key| policy.memory.corrections.get(*key).is_some_and(|count| *count > CORRECTIONS_MAX));
    if let Some(key) = contended {
        let field = key.rsplit(' ').next().unwrap_or(key);
        let why = match step.class {
            Class::Drift(DriftClass::State) => {
                format!("it was brought to run more than {CORRECTIONS_MAX} times in 300 s and stopped again")
            }
            _ => format!(
                "`{field}` was corrected more than {CORRECTIONS_MAX} times in 300 s: something else writes it"
            ),
        };
        return Verdict::Leave(note(step, NoteKind::Contended, &why));
    }
    let attempts = policy.memory.no_progress.get(&step.fingerprint).filter(|attempts| attempts.times > 0);
    if let Some(attempts) = attempts.filter(|_| !policy.manual) {
        let why = match step.subject.kind {
            SubjectKind::Database => failed_before(attempts),
            _ => "the same step was applied before and nothing changed".to_owned(),
        };
        return Verdict::Leave(note(step, NoteKind::Stalled, &why));
    }
    Verdict::Take
}

/// What a step would have done, as a note.
pub fn note<O>(step: &DraftStep<O>, kind: NoteKind, why: &str) -> Note {
    let what = format!("{}: {}", verb(step.action), step.cause);
    let text = if why.is_empty() { what } else { format!("{what}; {why}") };
    let mut note = Note::difference(kind, step.subject.clone(), step.class, text);
    note.fields = step.fields.clone();
    note
}

/// What an action does, as a word.
pub fn verb(action: Action) -> &'static str {
    match action {
        Action::Create => "create",
        Action::Update => "update",
        Action::Recreate => "recreate",
        Action::Start => "start",
        Action::Stop => "stop",
        Action::Restart => "restart",
        Action::Remove => "remove",
        Action::Pull => "pull",
        Action::Build => "build",
    }
}

/// Drops what can't go on without subjects that are left.
pub fn block_dependents(draft: &mut Draft<Operation>, mut left: BTreeSet<Subject>) {
    // Each round drops at least one step, or is the last.
    while !left.is_empty() {
        let mut next = BTreeSet::new();
        let mut kept = Vec::with_capacity(draft.steps.len());
        for step in std::mem::take(&mut draft.steps) {
            match step.needs.iter().find(|need| left.contains(need)) {
                None => kept.push(step),
                Some(need) => {
                    draft.notes.push(note(&step, NoteKind::Blocked, &format!("waits for {need}")));
                    leave(&step, &mut next);
                }
            }
        }
        draft.steps = kept;
        left = next;
    }
}

/// An image is fetched for the sake of a container.
fn drop_unneeded_images(draft: &mut Draft<Operation>) {
    let needed: BTreeSet<Subject> = draft.steps.iter().flat_map(|step| step.needs.iter().cloned()).collect();
    let is_image = |step: &DraftStep<Operation>| matches!(step.action, Action::Pull | Action::Build);
    draft.steps.retain(|step| !is_image(step) || needed.contains(&step.subject));
}
