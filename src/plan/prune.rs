//! What happens to what we made and nobody wants any more: reported, held for a while, removed or refused.
//!
//! Removed is only what our own inventory says we made and whose labels agree, after its absence was seen at a second
//! successful revision and ten minutes have passed; never volumes, never much at once, never without `prune: true`.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use chrono::{DateTime, TimeDelta, Utc};

use super::memory::{InventoryEntry, Memory, Tombstone, orphan_key};
use super::policy::note;
use crate::engine::operation::EngineOperation;
use crate::engine::plan::Leftover;
use crate::model::change::{Class, DriftClass, SubjectKind};
use crate::model::draft::{Draft, DraftStep};
use crate::model::id::{Kind, ResourceId};
use crate::model::note::{Note, NoteKind};

/// Successful revisions that something has to be absent from: a file that is gone by mistake comes back in the next.
const REVISIONS_MIN: u32 = 2;
/// How long something has to be absent, in minutes.
const ABSENCE_MINUTES: i64 = 10;
/// How many objects of a resource may go at once.
const OBJECTS_MAX: usize = 3;
/// How many of a hundred objects of a resource may go at once. A single object may always: in a small stack
/// it is a fifth by itself.
const SHARE_MAX_PERCENT: usize = 20;

/// What decides about leftovers.
pub struct PruneRules<'a> {
    /// The resource that made them.
    pub id: &'a ResourceId,
    /// The Host's name.
    pub host: &'a str,
    /// Its Compose project; `None` when its document is gone.
    pub project: Option<&'a str>,
    /// Whether its document allows it, or did when it was deleted.
    pub prune: bool,
    /// Whether its document protects what it made.
    pub protect: bool,
    /// Names that begin so stay.
    pub protected_prefixes: &'a [String],
    /// How many objects the resource has, wanted or not.
    pub objects: usize,
    /// Whether its document is gone.
    pub deleted: bool,
    /// Whether the desired state has no stack at all.
    pub desired_is_empty: bool,
    /// Whether something of the resource could not be read.
    pub incomplete: bool,
    /// Whether a person allowed it for this resource.
    pub allowed: bool,
    /// What is remembered.
    pub memory: &'a Memory,
    /// The time.
    pub now: DateTime<Utc>,
}

/// Decides about leftovers: adds notes and removals to the resource's draft.
pub fn prune(leftovers: Vec<Leftover>, rules: &PruneRules<'_>, draft: &mut Draft<EngineOperation>) {
    let mut going = Vec::new();
    for leftover in leftovers {
        if is_of_others(&leftover, rules) {
            continue;
        }
        draft.orphans.push(leftover.subject.clone());
        match verdict(&leftover, rules) {
            None => going.push(DraftStep { cause: left(&leftover, rules), ..leftover.removal }),
            Some(note) => draft.notes.push(note),
        }
    }
    if going.is_empty() {
        return;
    }
    if let Some(why) = refusal(going.len(), rules).filter(|_| !rules.allowed) {
        draft.notes.extend(going.iter().map(|step| note(step, NoteKind::Refused, &why)));
        return;
    }
    // After everything else is done and healthy: a failed start must not cost what ran before.
    let others: Vec<_> = draft.steps.iter().map(|step| step.subject.clone()).collect();
    for mut step in going {
        step.needs.extend(others.iter().cloned());
        step.after.extend(others.iter().cloned());
        draft.steps.push(step);
    }
}

/// Whether it belongs to a resource of the same name in another state repository: neither our inventory nor
/// the project says that it is ours.
fn is_of_others(leftover: &Leftover, rules: &PruneRules<'_>) -> bool {
    leftover.project.as_deref() != rules.project && entry(leftover, rules).is_none()
}

fn verdict(leftover: &Leftover, rules: &PruneRules<'_>) -> Option<Note> {
    let class = Class::Drift(DriftClass::ExtraOwned);
    let say =
        |kind: NoteKind, text: String| Some(Note::difference(kind, leftover.subject.clone(), class, text));
    let left = left(leftover, rules);
    let entry = entry(leftover, rules);
    if rules.protect || entry.is_some_and(|entry| entry.protect) {
        return say(NoteKind::Reported, format!("{left}: kept, it is protected"));
    }
    if !rules.prune {
        let why = match rules.id.kind {
            // It has no such field: what holds data goes only when it is asked for by name.
            Kind::Environment => "describe it again with `run: absent` to take its containers away",
            _ => "`prune` is not set",
        };
        return say(NoteKind::Reported, format!("{left}: kept, {why}"));
    }
    if entry.is_none() {
        return say(NoteKind::Reported, format!("{left}: kept, our inventory doesn't say that we made it"));
    }
    if let Some(prefix) =
        rules.protected_prefixes.iter().find(|prefix| leftover.subject.name.starts_with(*prefix))
    {
        return say(
            NoteKind::Refused,
            format!("{left}: kept, the Host protects names that begin with `{prefix}`"),
        );
    }
    if rules.incomplete {
        return say(NoteKind::Held, format!("{left}: kept while something of the resource can't be read"));
    }
    let tombstone = match rules.deleted {
        true => rules.memory.tombstones.get(rules.id),
        false => rules.memory.orphans.get(&orphan_key(rules.id, &leftover.subject)),
    };
    if let Some(why) = strayed(tombstone, rules) {
        return say(NoteKind::Held, format!("{left}: {why}"));
    }
    waiting(tombstone, rules.now).map(|(until, why)| {
        let mut note =
            Note::difference(NoteKind::Held, leftover.subject.clone(), class, format!("{left}: {why}"));
        note.until = until;
        note
    })
}

/// What a leftover was and where it left.
fn left(leftover: &Leftover, rules: &PruneRules<'_>) -> String {
    match rules.deleted {
        true => format!("{} of {}, which left the desired state", leftover.was, rules.id),
        false => format!("{}, which left the files", leftover.was),
    }
}

fn entry<'a>(leftover: &Leftover, rules: &PruneRules<'a>) -> Option<&'a InventoryEntry> {
    let kind = match leftover.subject.kind {
        SubjectKind::Container => "container",
        SubjectKind::Network => "network",
        SubjectKind::Volume
        | SubjectKind::Image
        | SubjectKind::Checkout
        | SubjectKind::Folder
        | SubjectKind::File
        | SubjectKind::Database => return None,
    };
    rules.memory.inventory.iter().find(|entry| {
        entry.resource == *rules.id
            && entry.host == rules.host
            && entry.kind == kind
            && entry.name == leftover.subject.name
            && (entry.engine_id.is_empty() || entry.engine_id == leftover.engine_id)
    })
}

/// Why an absence does not count: the desired revision does not follow the one in which the thing was seen last, or
/// seen missing last.
fn strayed(tombstone: Option<&Tombstone>, rules: &PruneRules<'_>) -> Option<&'static str> {
    let applied = rules.memory.applied.get(rules.id).and_then(|applied| applied.commit.as_ref());
    let commit = tombstone.map_or(applied, |tombstone| Some(&tombstone.last_revision))?;
    let is_strayed = rules.memory.strayed.contains(commit);
    is_strayed.then_some("kept, history was rewritten: removed when two later revisions are without it")
}

/// What is still to be waited for before a removal.
fn waiting(
    tombstone: Option<&Tombstone>,
    now: DateTime<Utc>,
) -> Option<(Option<DateTime<Utc>>, &'static str)> {
    let Some(tombstone) = tombstone else {
        return Some((None, "removed when a second revision is without it, after ten minutes"));
    };
    let until = tombstone.since + TimeDelta::minutes(ABSENCE_MINUTES);
    if tombstone.revisions < REVISIONS_MIN {
        return Some((None, "removed when a second revision is without it"));
    }
    (now < until).then_some((Some(until), "removed when it was absent for ten minutes"))
}

/// Why so many at once are not removed without a person.
fn refusal(going: usize, rules: &PruneRules<'_>) -> Option<String> {
    let command = format!("`ipaictl apply --allow-destroy {}@PLANHASH` allows it", rules.id);
    if rules.desired_is_empty {
        return Some("the desired state has no stack at all: nothing is removed".to_owned());
    }
    let is_large_share = going > 1 && going * 100 > rules.objects * SHARE_MAX_PERCENT;
    let why = format!("{going} of {} objects would go at once", rules.objects);
    (going > OBJECTS_MAX || is_large_share).then(|| format!("{why}; {command}"))
}
