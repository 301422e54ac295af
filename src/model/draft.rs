//! What one part of the product would do, before parts are put together to a plan: steps that name what they
//! need by subject, notes, and whether all could be read.

use std::collections::BTreeMap;

use super::change::{Action, Class, FieldDiff, Risk, Subject, SubjectKind};
use super::note::{Note, NoteKind};

/// One thing to do, with operations of a kind.
#[derive(Debug, Clone)]
pub struct DraftStep<O> {
    /// What it acts on.
    pub subject: Subject,
    /// What is done.
    pub action: Action,
    /// Change or drift.
    pub class: Class,
    /// Why, as a short fragment.
    pub cause: String,
    /// What it costs.
    pub risk: Risk,
    /// How long the service is away.
    pub downtime_seconds: Option<u64>,
    /// The fields that differ, masked.
    pub fields: Vec<FieldDiff>,
    /// Subjects whose steps, when there are any, have to succeed before.
    pub needs: Vec<Subject>,
    /// Subjects whose steps, when there are any, have to be over before.
    pub after: Vec<Subject>,
    /// Subjects that don't exist and have to be made by a step of another resource.
    pub requires: Vec<Subject>,
    /// Hash over the facts that it was decided on.
    pub fingerprint: String,
    /// What is done, in order.
    pub operations: Vec<O>,
    /// What is done, in order, when one of the operations failed.
    pub undo: Vec<O>,
}

impl<O> DraftStep<O> {
    /// A step on a subject that has nothing to do yet.
    pub fn on(subject: Subject) -> Self {
        DraftStep {
            subject,
            action: Action::Update,
            class: Class::Change,
            cause: String::new(),
            risk: Risk::None,
            downtime_seconds: None,
            fields: Vec::new(),
            needs: Vec::new(),
            after: Vec::new(),
            requires: Vec::new(),
            fingerprint: String::new(),
            operations: Vec::new(),
            undo: Vec::new(),
        }
    }
}

/// What one part would do, and what it would leave and why.
#[derive(Debug, Clone)]
pub struct Draft<O> {
    /// Steps; at most one per subject.
    pub steps: Vec<DraftStep<O>>,
    /// What is left and why.
    pub notes: Vec<Note>,
    /// Whether all that was needed could be read.
    pub complete: bool,
    /// Wanted hash per subject.
    pub subjects: BTreeMap<String, String>,
    /// What we made and is no longer wanted.
    pub orphans: Vec<Subject>,
}

impl<O> Default for Draft<O> {
    fn default() -> Self {
        Draft {
            steps: Vec::new(),
            notes: Vec::new(),
            complete: true,
            subjects: BTreeMap::new(),
            orphans: Vec::new(),
        }
    }
}

impl<O> Draft<O> {
    /// Notes that something could not be read.
    pub fn unknown(&mut self, subject: Option<Subject>, why: impl Into<String>) {
        self.complete = false;
        self.notes.push(Note::new(NoteKind::Unknown, subject, why));
    }

    /// Adds another part's draft, with its operations put into another kind.
    pub fn extend<P>(&mut self, other: Draft<P>, operation: impl Fn(P) -> O) {
        self.steps.extend(other.steps.into_iter().map(|step| DraftStep {
            operations: step.operations.into_iter().map(&operation).collect(),
            undo: step.undo.into_iter().map(&operation).collect(),
            subject: step.subject,
            action: step.action,
            class: step.class,
            cause: step.cause,
            risk: step.risk,
            downtime_seconds: step.downtime_seconds,
            fields: step.fields,
            needs: step.needs,
            after: step.after,
            requires: step.requires,
            fingerprint: step.fingerprint,
        }));
        self.notes.extend(other.notes);
        self.complete &= other.complete;
        self.subjects.extend(other.subjects);
        self.orphans.extend(other.orphans);
    }
}

impl Note {
    /// A note that is no difference.
    pub fn new(kind: NoteKind, subject: Option<Subject>, text: impl Into<String>) -> Self {
        Note { kind, subject, class: None, text: text.into(), until: None, fields: Vec::new() }
    }

    /// A note about a difference.
    pub fn difference(kind: NoteKind, subject: Subject, class: Class, text: impl Into<String>) -> Self {
        Note { class: Some(class), ..Note::new(kind, Some(subject), text) }
    }
}

impl Subject {
    /// A container by its final name.
    pub fn container(name: impl Into<String>) -> Self {
        Subject { kind: SubjectKind::Container, name: name.into() }
    }

    /// A network by its name on the engine.
    pub fn network(name: impl Into<String>) -> Self {
        Subject { kind: SubjectKind::Network, name: name.into() }
    }

    /// A volume by its name on the engine.
    pub fn volume(name: impl Into<String>) -> Self {
        Subject { kind: SubjectKind::Volume, name: name.into() }
    }

    /// An image by its reference.
    pub fn image(reference: impl Into<String>) -> Self {
        Subject { kind: SubjectKind::Image, name: reference.into() }
    }

    /// A folder by its absolute path.
    pub fn folder(path: impl Into<String>) -> Self {
        Subject { kind: SubjectKind::Folder, name: path.into() }
    }

    /// A file by its absolute path.
    pub fn file(path: impl Into<String>) -> Self {
        Subject { kind: SubjectKind::File, name: path.into() }
    }

    /// A database as `name@server`.
    pub fn database(name: impl Into<String>) -> Self {
        Subject { kind: SubjectKind::Database, name: name.into() }
    }

    /// A checkout by its absolute path.
    pub fn checkout(path: impl Into<String>) -> Self {
        Subject { kind: SubjectKind::Checkout, name: path.into() }
    }
}
