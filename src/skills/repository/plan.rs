//! What brings a checkout to the wanted commit, and what speaks against it.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use std::collections::BTreeMap;

use super::checkout::{CheckoutDesired, CheckoutFacts, CheckoutTarget};
use crate::model::change::{Action, Class, DriftClass, FieldDiff, Risk, Subject};
use crate::model::draft::{Draft, DraftStep};
use crate::model::hash::sha256_hex;
use crate::model::known::Known;
use crate::model::note::{Note, NoteKind};

/// Digits of a commit that are shown, as many as git shows.
const COMMIT_DIGITS: usize = 7;

/// Decides about one checkout; `applied` are the subjects that were last applied for its
/// resource, `written` files that a layout wrote into it, by digest.
pub fn plan_checkout(
    checkout: &CheckoutDesired,
    facts: Option<&Known<CheckoutFacts>>,
    applied: Option<&BTreeMap<String, String>>,
) -> Draft<CheckoutTarget> {
    let mut draft = Draft::default();
    let subject = Subject::checkout(checkout.path.clone());
    draft.subjects.insert(subject.to_string(), checkout.commit.clone());
    let facts = match facts {
        Some(Known::Known(facts)) => facts,
        Some(Known::Unknown(why)) => {
            draft.unknown(Some(subject), why.clone());
            return draft;
        }
        None => {
            draft.unknown(Some(subject), "it was not observed");
            return draft;
        }
    };
    let is_applied =
        applied.and_then(|subjects| subjects.get(&subject.to_string())) == Some(&checkout.commit);
    let mut facts = facts.clone();
    let written = std::mem::take(&mut facts.written);
    facts.dirty.retain(|file| !written.contains_key(file));
    let facts = &facts;
    let class = if is_applied { Class::Drift(DriftClass::Source) } else { Class::Change };
    match decide(checkout, facts) {
        Decision::Equal => {}
        Decision::Move(action, cause) => draft.steps.push(step(checkout, facts, action, class, cause)),
        Decision::Restore => {
            let class = Class::Drift(DriftClass::Content);
            draft.steps.push(step(checkout, facts, Action::Update, class, "content"));
        }
        Decision::Ask(why) => {
            let note =
                Note::difference(NoteKind::NeedsDecision, subject, Class::Drift(DriftClass::Source), why);
            draft.notes.push(note);
        }
    }
    if checkout.is_alone && !facts.untracked.is_empty() {
        let files = facts.untracked.join("`, `");
        let text =
            format!("no commit has `{files}`, which whoever reads it sees: commit that, or move it away");
        let subject = Subject::checkout(checkout.path.clone());
        let class = Class::Drift(DriftClass::Content);
        draft.notes.push(Note::difference(NoteKind::NeedsDecision, subject, class, text));
    }
    for step in &mut draft.steps {
        step.operations.iter_mut().for_each(|target| target.written = written.clone());
    }
    draft
}

enum Decision {
    Equal,
    Move(Action, &'static str),
    /// It is at the commit, and files in it are not.
    Restore,
    Ask(String),
}

fn decide(checkout: &CheckoutDesired, facts: &CheckoutFacts) -> Decision {
    if !facts.exists {
        return Decision::Move(Action::Create, "missing");
    }
    if !facts.repository {
        return Decision::Ask("exists and is not a git work tree: move it away".to_owned());
    }
    if let (Some(wanted), Some(is)) = (&checkout.url, &facts.url)
        && wanted != is
    {
        return Decision::Ask(format!("is a checkout of `{is}`, not of `{wanted}`: move it away"));
    }
    let is_there = facts.commit.as_deref() == Some(checkout.commit.as_str());
    if !facts.dirty.is_empty() && checkout.kept.is_none() {
        let files = facts.dirty.join("`, `");
        return Decision::Ask(format!("files were changed by others: `{files}`: commit or undo that"));
    }
    if is_there && facts.interrupted {
        return Decision::Move(Action::Update, "a move that was broken off");
    }
    if is_there {
        return if facts.dirty.is_empty() { Decision::Equal } else { Decision::Restore };
    }
    Decision::Move(Action::Update, "commit")
}

/// The first digits of a commit.
pub fn short_commit(commit: &str) -> &str {
    commit.get(..COMMIT_DIGITS).unwrap_or(commit)
}

fn step(
    checkout: &CheckoutDesired,
    facts: &CheckoutFacts,
    action: Action,
    class: Class,
    cause: &str,
) -> DraftStep<CheckoutTarget> {
    let short = |commit: &String| short_commit(commit).to_owned();
    let wanted = short(&checkout.commit);
    let field = |field: &str, before: Option<String>, after: String| FieldDiff {
        field: field.to_owned(),
        before,
        after: Some(after),
        secret: false,
    };
    let moves = facts.commit.as_ref() != Some(&checkout.commit);
    let commit = moves.then(|| field("commit", facts.commit.as_ref().map(short), wanted.clone()));
    let files = facts
        .dirty
        .iter()
        .map(|file| field(file, Some("changed by others".to_owned()), format!("as in {wanted}")));
    let mut decided_on = format!("{}\0{:?}\0{}", checkout.path, facts.commit, checkout.commit);
    facts.dirty.iter().for_each(|file| decided_on.extend(["\0", file]));
    DraftStep {
        subject: Subject::checkout(checkout.path.clone()),
        action,
        class,
        cause: cause.to_owned(),
        risk: Risk::None,
        downtime_seconds: None,
        fields: commit.into_iter().chain(files).collect(),
        needs: Vec::new(),
        after: Vec::new(),
        requires: Vec::new(),
        undo: Vec::new(),
        fingerprint: sha256_hex(decided_on.as_bytes()),
        operations: vec![CheckoutTarget::new(checkout, facts.commit.clone())],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted() -> CheckoutDesired {
        CheckoutDesired {
            host: "h".into(),
            path: "/srv/code".into(),
            commit: "b".repeat(40),
            objects: "/state/objects".into(),
            url: Some("https://example.com/a.git".into()),
            kept: None,
            is_alone: false,
        }
    }

    fn facts() -> CheckoutFacts {
        CheckoutFacts {
            exists: true,
            repository: true,
            commit: Some("a".repeat(40)),
            url: wanted().url,
            dirty: Vec::new(),
            interrupted: false,
            untracked: Vec::new(),
            written: BTreeMap::new(),
        }
    }

    fn plan(facts: CheckoutFacts) -> Draft<CheckoutTarget> {
        plan_checkout(&wanted(), Some(&Known::Known(facts)), None)
    }

    #[test]
    fn a_clean_checkout_is_moved_and_the_observed_commit_is_kept_as_the_precondition() {
        let draft = plan(facts());
        assert_eq!(draft.steps[0].operations[0].from, facts().commit);
        assert!(plan(CheckoutFacts { commit: Some(wanted().commit), ..facts() }).steps.is_empty());
    }

    #[test]
    fn what_others_changed_is_never_overwritten() {
        for odd in [
            CheckoutFacts { dirty: vec!["a.conf".into()], ..facts() },
            CheckoutFacts { repository: false, ..facts() },
            CheckoutFacts { url: Some("https://example.com/other.git".into()), ..facts() },
        ] {
            let draft = plan(odd);
            assert!(draft.steps.is_empty());
            assert_eq!(draft.notes[0].kind, NoteKind::NeedsDecision);
        }
    }

    #[test]
    fn the_controllers_own_checkout_is_put_right_and_what_was_changed_is_kept() {
        let own = CheckoutDesired { kept: Some("/state/kept/code".into()), ..wanted() };
        let changed = CheckoutFacts { dirty: vec!["a.conf".into()], ..facts() };
        let at = |commit: String| Known::Known(CheckoutFacts { commit: Some(commit), ..changed.clone() });
        let draft = plan_checkout(&own, Some(&at(own.commit.clone())), None);
        assert_eq!(draft.steps[0].class, Class::Drift(DriftClass::Content));
        assert_eq!(draft.steps[0].fields[0].field, "a.conf");
        assert_eq!(draft.steps[0].operations[0].kept, own.kept);
        // A new commit is a change, whatever else it finds.
        let draft = plan_checkout(&own, Some(&at("a".repeat(40))), None);
        assert_eq!((draft.steps[0].class, draft.steps[0].cause.as_str()), (Class::Change, "commit"));
        // Somebody else's checkout at that place is nobody's drift.
        let other = CheckoutFacts { url: Some("https://example.com/other.git".into()), ..changed };
        let draft = plan_checkout(&own, Some(&Known::Known(other)), None);
        assert!(draft.steps.is_empty());
        assert_eq!(draft.notes[0].kind, NoteKind::NeedsDecision);
    }

    #[test]
    fn what_could_not_be_read_is_unknown_and_no_step_follows() {
        let draft = plan_checkout(&wanted(), Some(&Known::Unknown("permission denied".into())), None);
        assert!(draft.steps.is_empty() && !draft.complete);
    }
}
