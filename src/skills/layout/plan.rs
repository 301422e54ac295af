//! What is wanted and what is → steps for what may be corrected, notes for all else. Nothing is reset, nothing is deleted.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

mod mounts;

use std::collections::BTreeMap;

use serde_json::json;

use super::checks::clones::{Judged, OUTSIDE, broken, judge};
use super::facts::Place;
use super::observed::{Finding, LayoutFacts};
use super::operation::{CloneTarget, LayoutOperation, SwitchTarget};
use super::report::Verdict;
use super::spec::{Fix, LayoutSpec, Orphans};
use super::wanted::{WantedClone, WantedLayout, overlap};
use crate::model::change::{Action, Class, DriftClass, FieldDiff, Subject};
use crate::model::draft::{Draft, DraftStep};
use crate::model::hash::sha256_hex;
use crate::model::note::{Note, NoteKind};

/// Digits of a commit that are shown, as many as git shows.
const COMMIT_DIGITS: usize = 7;
/// Checks about what the plan itself tells: each clone, each orphan, each mount of the devcontainer.
const TOLD: &[&str] = &["clone", "remote", "branch", "pin", "clean", "orphan"];

/// Everything that a layout's plan depends on.
#[derive(Debug, Clone, Copy)]
pub struct LayoutRequest<'a> {
    /// The document.
    pub spec: &'a LayoutSpec,
    /// What the files of the wanted commit declare.
    pub wanted: &'a WantedLayout,
    /// The absolute folder of the checkout.
    pub checkout: &'a str,
    /// Whether the checkout is the controller's own, which holds what is committed and nothing else.
    pub is_own: bool,
    /// Whether a step of the plan makes or moves the checkout.
    pub is_moving: bool,
    /// The devcontainer of the wanted commit.
    pub committed: Option<&'a str>,
    /// What is there.
    pub facts: &'a LayoutFacts,
    /// The subjects that were applied last.
    pub applied: Option<&'a BTreeMap<String, String>>,
}

/// Decides about one layout.
pub fn plan_layout(request: &LayoutRequest<'_>) -> Draft<LayoutOperation> {
    let mut draft = Draft::default();
    for (path, why) in &request.wanted.refused {
        let subject = Subject::checkout(request.absolute(path));
        draft.notes.push(Note::new(
            NoteKind::NeedsDecision,
            Some(subject),
            format!("can't be cloned: {why}"),
        ));
    }
    for clone in &request.wanted.clones {
        request.clone(clone, &mut draft);
    }
    request.orphans(&mut draft);
    request.devcontainer(&mut draft);
    request.findings(&mut draft);
    draft
}

impl LayoutRequest<'_> {
    fn absolute(&self, path: &str) -> String {
        format!("{}/{path}", self.checkout)
    }

    /// Where something is moved that has to make room: beside the checkout, on the same disk.
    fn aside(&self, path: &str) -> String {
        let (parent, name) = self.checkout.rsplit_once('/').unwrap_or(("", self.checkout));
        format!("{parent}/.{name}.ipaictl-quarantine/{path}")
    }

    fn class(&self, subject: &Subject, hash: &str, drift: DriftClass) -> Class {
        let applied = self.applied.and_then(|subjects| subjects.get(&subject.to_string()));
        if applied.is_some_and(|applied| applied == hash) { Class::Drift(drift) } else { Class::Change }
    }

    fn step(
        &self,
        subject: Subject,
        class: Class,
        cause: &str,
        operation: LayoutOperation,
    ) -> DraftStep<LayoutOperation> {
        let decided = json!([subject, cause, operation]).to_string();
        let moving = if self.is_moving { vec![Subject::checkout(self.checkout)] } else { Vec::new() };
        DraftStep {
            class,
            cause: cause.to_owned(),
            needs: moving.clone(),
            requires: moving,
            fingerprint: sha256_hex(decided.as_bytes()),
            operations: vec![operation],
            ..DraftStep::on(subject)
        }
    }

    /// Takes a step when its sort of correction is allowed; else it is told.
    fn take(&self, fix: Fix, step: DraftStep<LayoutOperation>, draft: &mut Draft<LayoutOperation>) {
        if self.spec.allows(fix) {
            draft.steps.push(step);
            return;
        }
        let text = format!("{}; not corrected: `fix` does not list `{}`", step.cause, fix.as_str());
        let class = match step.class {
            Class::Drift(class) => Class::Drift(class),
            Class::Change => Class::Drift(DriftClass::Source),
        };
        let mut note = Note::difference(NoteKind::Reported, step.subject, class, text);
        note.fields = step.fields;
        draft.notes.push(note);
    }

    fn clone(&self, wanted: &WantedClone, draft: &mut Draft<LayoutOperation>) {
        let path = self.absolute(&wanted.path);
        let subject = Subject::checkout(path.clone());
        let hash = sha256_hex(json!(wanted).to_string().as_bytes());
        draft.subjects.insert(subject.to_string(), hash.clone());
        let place = self.facts.places.get(&wanted.path);
        // Where the checkout itself is not, nothing is in it.
        let missing = Place::Missing;
        let place = if self.facts.exists { place } else { Some(&missing) };
        // A conflict is no change that waits: what else is declared counts as applied beside it.
        let ask = |why: String| {
            let class = Class::Drift(DriftClass::Source);
            Note::difference(NoteKind::NeedsDecision, subject.clone(), class, why)
        };
        let facts = match place {
            None => return draft.unknown(Some(subject), "it was not looked at"),
            Some(Place::Unreadable(why)) => return draft.unknown(Some(subject), why.clone()),
            Some(Place::Broken { why, work }) => return draft.notes.push(ask(broken(why, work))),
            Some(Place::Outside) => return draft.notes.push(ask(OUTSIDE.to_owned())),
            Some(Place::NotAFolder) => return draft.notes.push(ask("not a folder: move it away".to_owned())),
            Some(Place::Plain) => {
                return draft.notes.push(ask("files without a clone: move them away".to_owned()));
            }
            Some(Place::Missing | Place::Empty | Place::Half(_)) => {
                let (cause, aside) = match place {
                    Some(Place::Half(_)) => ("incomplete clone", Some(self.aside(&wanted.path))),
                    Some(Place::Empty) => ("empty folder", None),
                    _ => ("missing", None),
                };
                let class = self.class(&subject, &hash, DriftClass::Missing);
                let (url, branch, commit) =
                    (wanted.url.clone(), wanted.branch.clone(), wanted.commit.clone());
                let checkout = self.checkout.to_owned();
                let operation =
                    LayoutOperation::Clone(CloneTarget { checkout, path, url, branch, commit, aside });
                let mut step = self.step(subject, class, cause, operation);
                step.action = Action::Create;
                step.fields = vec![field("url", None, &wanted.url), field("at", None, &at(wanted))];
                return self.take(Fix::Clone, step, draft);
            }
            Some(Place::Clone(facts)) => facts,
        };
        match judge(&wanted.url, &wanted.branch, wanted.commit.as_deref(), facts) {
            // On its branch or pin there may still be what a person has to know of.
            Judged::Sound => {
                let is_of_it = |finding: &&Finding| {
                    // To the checkout's own files it may be an orphan: they are behind.
                    finding.subject == wanted.path
                        && finding.id != "orphan"
                        && TOLD.contains(&finding.id.as_str())
                };
                for finding in self.facts.findings.iter().filter(is_of_it) {
                    match finding.verdict {
                        Verdict::Conflict => draft.notes.push(ask(finding.cause.clone())),
                        Verdict::Drift => {
                            let class = Class::Drift(DriftClass::Source);
                            let note = Note::difference(
                                NoteKind::Reported,
                                subject.clone(),
                                class,
                                finding.cause.clone(),
                            );
                            draft.notes.push(note);
                        }
                        Verdict::Ok | Verdict::Unknown => {}
                    }
                }
            }
            Judged::Conflict(why) => draft.notes.push(ask(why)),
            Judged::Movable(cause) => {
                let class = self.class(&subject, &hash, DriftClass::Source);
                let target = SwitchTarget {
                    checkout: self.checkout.to_owned(),
                    path,
                    url: wanted.url.clone(),
                    branch: wanted.branch.clone(),
                    commit: wanted.commit.clone(),
                    from: facts.commit.clone(),
                };
                let mut step = self.step(subject, class, cause, LayoutOperation::Switch(target));
                let before = match &facts.branch {
                    Some(branch) => format!("{branch}, {}", short(&facts.commit)),
                    None => short(&facts.commit).to_owned(),
                };
                step.fields = vec![field("at", Some(before), &at(wanted))];
                self.take(Fix::Branch, step, draft);
            }
        }
    }

    fn orphans(&self, draft: &mut Draft<LayoutOperation>) {
        if self.is_moving || self.facts.undeclared.is_some() {
            return;
        }
        // Roots that only the wanted commit declares are nobody's orphans either.
        let folders = self.wanted.folders();
        let is_wanted = |path: &str| folders.iter().any(|folder| overlap(folder, path));
        let orphans = self.facts.findings.iter().filter(|finding| finding.id == "orphan");
        for orphan in orphans.filter(|orphan| !is_wanted(&orphan.subject)) {
            let path = self.absolute(&orphan.subject);
            let subject = Subject::folder(path.clone());
            match self.spec.orphans {
                Orphans::Quarantine if orphan.verdict == Verdict::Conflict => {
                    let class = Class::Drift(DriftClass::OrphanUnowned);
                    let why = format!("is not moved: {}", orphan.cause);
                    draft.notes.push(Note::difference(NoteKind::NeedsDecision, subject, class, why));
                }
                Orphans::Report => {
                    let class = Class::Drift(DriftClass::OrphanUnowned);
                    draft.notes.push(Note::difference(
                        NoteKind::Reported,
                        subject,
                        class,
                        orphan.cause.clone(),
                    ));
                }
                Orphans::Quarantine => {
                    let aside = self.aside(&orphan.subject);
                    let class = Class::Drift(DriftClass::Source);
                    let operation = LayoutOperation::MoveAside {
                        checkout: self.checkout.to_owned(),
                        path: path.clone(),
                        aside: aside.clone(),
                    };
                    let mut step = self.step(subject, class, &orphan.cause, operation);
                    step.fields = vec![field("path", Some(path), &aside)];
                    draft.steps.push(step);
                }
            }
        }
    }

    /// What else was found, one line a check: `layout verify` tells each.
    fn findings(&self, draft: &mut Draft<LayoutOperation>) {
        // With other code, or without clones, most of it is only a consequence.
        let will_clone = draft.steps.iter().any(|step| step.action == Action::Create);
        if self.is_moving || will_clone || !self.facts.exists {
            return;
        }
        if let Some(why) = &self.facts.unchecked {
            return draft.unknown(None, format!("the layout could not be checked: {why}"));
        }
        if let Some(path) = &self.facts.undeclared {
            let text = format!(
                "waits for its checkout, whose commit does not declare `{path}` yet: mounts, orphans and the other checks"
            );
            return draft.notes.push(Note::new(NoteKind::Blocked, None, text));
        }
        let mut by_id: BTreeMap<(&str, Verdict), Vec<&Finding>> = BTreeMap::new();
        for finding in self.facts.findings.iter().filter(|finding| !TOLD.contains(&finding.id.as_str())) {
            by_id.entry((&finding.id, finding.verdict)).or_default().push(finding);
        }
        for ((id, verdict), found) in by_id {
            let kind = match verdict {
                Verdict::Ok | Verdict::Unknown => continue,
                Verdict::Drift => NoteKind::Reported,
                Verdict::Conflict => NoteKind::NeedsDecision,
            };
            let Finding { subject, cause, .. } = found[0];
            let more = match found.len() {
                1 => String::new(),
                count => format!("; {} more: see `ipaictl layout verify`", count - 1),
            };
            let class = Class::Drift(DriftClass::Content);
            let note = Note::new(kind, None, format!("{id}: {subject}: {cause}{more}"));
            draft.notes.push(Note { class: Some(class), ..note });
        }
    }
}

fn field(name: &str, before: Option<String>, after: &str) -> FieldDiff {
    FieldDiff { field: name.to_owned(), before, after: Some(after.to_owned()), secret: false }
}

fn short(commit: &str) -> &str {
    commit.get(..COMMIT_DIGITS).unwrap_or(commit)
}

/// What a clone is kept at, for people.
fn at(wanted: &WantedClone) -> String {
    match &wanted.commit {
        Some(commit) => short(commit).to_owned(),
        None => wanted.branch.clone(),
    }
}
