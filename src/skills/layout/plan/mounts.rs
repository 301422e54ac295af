//! The mounts of the devcontainer: written where they can be told, and only over what is nobody's work.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use super::{LayoutRequest, field};
use crate::model::change::{Action, Class, DriftClass, FieldDiff, Subject};
use crate::model::draft::Draft;
use crate::model::hash::sha256_hex;
use crate::model::note::{Note, NoteKind};
use crate::skills::layout::devcontainer::{WantedMounts, with_mounts};
use crate::skills::layout::facts::Place;
use crate::skills::layout::observed::DevcontainerFacts;
use crate::skills::layout::operation::{LayoutOperation, MountsTarget};
use crate::skills::layout::spec::Fix;

impl LayoutRequest<'_> {
    pub(super) fn devcontainer(&self, draft: &mut Draft<LayoutOperation>) {
        let Some(file) = &self.spec.devcontainer else { return };
        if self.facts.undeclared.is_some() && !self.is_moving {
            return;
        }
        let subject = Subject::file(self.absolute(file));
        if let Some(why) = self.facts.unread.as_ref().filter(|_| !self.is_moving) {
            return draft.unknown(Some(subject), why.clone());
        }
        let (text, is_theirs) = match (&self.facts.devcontainer, self.committed) {
            (_, Some(text)) if self.is_moving => (text, false),
            (Some(facts), _) if !self.is_moving => (facts.text.as_str(), self.is_theirs(facts)),
            _ => {
                let class = Class::Drift(DriftClass::Missing);
                let text = format!("`{file}` is not there: nothing says what else it should hold");
                return draft.notes.push(Note::difference(NoteKind::NeedsDecision, subject, class, text));
            }
        };
        let digest = |text: &str| sha256_hex(text.as_bytes());
        draft.subjects.insert(subject.to_string(), digest(&self.wanted.folders().join("\n")));
        let (folders, homes) = (self.wanted.folders(), self.wanted.homes());
        let is_present = |folder: &str| self.facts.present.iter().any(|present| present == folder);
        let made: Vec<Subject> = draft
            .steps
            .iter()
            .filter(|it| it.action == Action::Create)
            .map(|it| it.subject.clone())
            .collect();
        let is_mountable = |folder: &str| match self.facts.places.get(folder) {
            // Roots are the commit's own.
            None => true,
            Some(Place::Missing | Place::NotAFolder | Place::Outside) => {
                made.contains(&Subject::checkout(self.absolute(folder)))
            }
            Some(_) => true,
        };
        let edit = match with_mounts(
            file,
            text,
            &WantedMounts {
                folders: &folders,
                homes: &homes,
                is_present: &is_present,
                is_mountable: &is_mountable,
            },
        ) {
            Ok(None) => return,
            Ok(Some(edit)) => edit,
            Err(why) => {
                let class = Class::Drift(DriftClass::Content);
                let text = format!("its mounts can't be written: {why}");
                return draft.notes.push(Note::difference(NoteKind::NeedsDecision, subject, class, text));
            }
        };
        if !edit.unknown.is_empty() {
            let folders = edit.unknown.join("`, `");
            let text = format!("no mount of it shows where its container sees `{folders}`: write one");
            let class = Class::Drift(DriftClass::Content);
            draft.notes.push(Note::difference(NoteKind::NeedsDecision, subject.clone(), class, text));
        }
        if edit.added.is_empty() && edit.removed.is_empty() {
            return;
        }
        let fields: Vec<FieldDiff> = edit
            .added
            .iter()
            .map(|folder| field("mounts", None, folder))
            .chain(
                edit.removed
                    .iter()
                    .map(|folder| FieldDiff { after: None, ..field("mounts", Some(folder.clone()), "") }),
            )
            .collect();
        let refusal = match () {
            () if self.is_own => Some("the controller's own checkout holds what is committed: commit them"),
            () if is_theirs => Some("it has uncommitted changes: commit or undo them"),
            () => None,
        };
        if let Some(why) = refusal {
            let text = format!("mounts differ from the manifest; {why}");
            let mut note =
                Note::difference(NoteKind::NeedsDecision, subject, Class::Drift(DriftClass::Content), text);
            note.fields = fields;
            return draft.notes.push(note);
        }
        // A move undoes what is not committed: that it is written again is part of the move.
        let class = match self.is_moving {
            true => Class::Change,
            false => self.class(&subject, &digest(&folders.join("\n")), DriftClass::Content),
        };
        let operation = LayoutOperation::WriteFile {
            checkout: self.checkout.to_owned(),
            path: self.absolute(file),
            before: digest(text),
            content: edit.text,
            mounts: MountsTarget { file: file.clone(), added: edit.added, folders, homes },
        };
        let mut step = self.step(subject, class, "mounts", operation);
        step.fields = fields;
        step.after.extend(made);
        self.take(Fix::Devcontainer, step, draft);
    }

    /// Whether somebody changed more of it than mounts, and did not commit it.
    fn is_theirs(&self, facts: &DevcontainerFacts) -> bool {
        facts.is_new || facts.committed.is_some() && !facts.is_ours
    }
}
