//! The images that new containers need: fetched, built, or there.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use std::collections::BTreeMap;

use serde_json::json;

use super::ProjectRequest;
use super::wanted::{ImageWanted, Wanted};
use crate::engine::labels;
use crate::engine::operation::EngineOperation;
use crate::engine::spec::{BuildSpec, PullPolicy, ServiceSpec};
use crate::model::change::{Action, Class, Risk, Subject};
use crate::model::draft::{Draft, DraftStep};
use crate::model::hash::canonical_hash;
use crate::model::known::Known;
use crate::model::secret::is_secret_name;

/// What a new container needs of its image.
#[derive(Debug)]
pub(super) enum ImageNeed {
    /// Nothing: it is there.
    There,
    /// A step that fetches or builds it.
    Made(Subject),
    /// It can't be had.
    Blocked(String),
    /// Nobody knows whether it is there.
    Unknown(String),
}

/// The images that steps of one project need, each made once.
#[derive(Debug, Default)]
pub(super) struct Images<'a> {
    wanted: BTreeMap<String, (&'a ServiceSpec, Action, Class, String)>,
}

impl<'a> Images<'a> {
    /// What a new container of a service needs of its image; remembers what has to be made.
    pub fn need(&mut self, request: &ProjectRequest<'a>, wanted: &Wanted<'a>, class: Class) -> ImageNeed {
        let service = wanted.service;
        let reference = &service.image;
        let is_stale = is_stale_build(request, service);
        let (action, cause) = match (&wanted.image, &service.build, service.pull) {
            (ImageWanted::Unknown(why), _, _) => {
                return ImageNeed::Unknown(format!("image `{reference}`: {why}"));
            }
            (ImageWanted::Present(_), Some(build), _) if is_stale && build.is_own_name => {
                (Action::Build, "what has its name was built from something else")
            }
            (ImageWanted::Present(_), Some(_), _) if is_stale => (Action::Build, "its context changed"),
            (ImageWanted::Present(_), None, PullPolicy::Always) => (Action::Pull, "pull_policy: always"),
            (ImageWanted::Present(_), _, _) => return ImageNeed::There,
            (ImageWanted::Missing, Some(_), PullPolicy::Always) => (Action::Pull, "missing"),
            (ImageWanted::Missing, Some(_), _) => (Action::Build, "missing"),
            (ImageWanted::Missing, None, PullPolicy::Never) => {
                return ImageNeed::Blocked(format!(
                    "image `{reference}` is missing and `pull_policy: never` forbids to fetch it"
                ));
            }
            (ImageWanted::Missing, None, PullPolicy::Build) => {
                return ImageNeed::Blocked(format!(
                    "image `{reference}` is missing and `pull_policy: build` has no `build` to go with it"
                ));
            }
            (ImageWanted::Missing, None, _) => (Action::Pull, "missing"),
        };
        let entry = self
            .wanted
            .entry(reference.clone())
            .or_insert_with(|| (service, action, class, cause.to_owned()));
        entry.2 = entry.2.min(class);
        ImageNeed::Made(Subject::image(reference.clone()))
    }

    /// The steps that make them.
    pub fn finish(self, request: &ProjectRequest<'_>, draft: &mut Draft<EngineOperation>) {
        for (reference, (service, action, class, cause)) in self.wanted {
            let mut needs = Vec::new();
            let operation = match (action, &service.build) {
                (Action::Build, Some(build)) => {
                    needs.extend(request.files.moving.clone());
                    EngineOperation::BuildImage {
                        reference: reference.clone(),
                        build: Box::new(build.clone()),
                        labels: build_labels(request, build),
                    }
                }
                _ => EngineOperation::PullImage {
                    reference: reference.clone(),
                    platform: service.platform.clone(),
                },
            };
            let mut step = DraftStep {
                subject: Subject::image(reference),
                action,
                class,
                cause,
                risk: Risk::None,
                downtime_seconds: None,
                fields: Vec::new(),
                needs,
                after: Vec::new(),
                requires: Vec::new(),
                undo: Vec::new(),
                fingerprint: String::new(),
                operations: vec![operation],
            };
            let digest = service.build.as_ref().and_then(|build| build_hash(request, build));
            step.fingerprint = super::fingerprint(&step, &json!(digest));
            draft.steps.push(step);
        }
    }
}

/// Whether the engine's image was built by us from something else than what is wanted now.
pub(super) fn is_stale_build(request: &ProjectRequest<'_>, service: &ServiceSpec) -> bool {
    let Some(build) = &service.build else { return false };
    let facts = request.facts.images.get(&service.image).and_then(Known::known).and_then(Option::as_ref);
    let label = facts.and_then(|image| image.labels.get(labels::CONTENT_HASH));
    match (label, build_hash(request, build)) {
        (None, Some(_)) if build.is_own_name => facts.is_some(),
        // Built by others, or from a context that could not be read: nothing says that it is another one.
        (None, _) | (_, None) => false,
        (Some(label), Some(hash)) => *label != hash,
    }
}

fn build_labels(request: &ProjectRequest<'_>, build: &BuildSpec) -> BTreeMap<String, String> {
    build_hash(request, build).map(|hash| (labels::CONTENT_HASH.to_owned(), hash)).into_iter().collect()
}

/// The canonical hash of all that goes into a build; `None` when its context could not be read.
fn build_hash(request: &ProjectRequest<'_>, build: &BuildSpec) -> Option<String> {
    let digest = build.digest.known()?;
    let argument = |(name, value): (&String, &Option<String>)| {
        let shown = value.as_ref().map(|value| match is_secret_name(name) {
            true => request.masking.key.fingerprint(value.as_bytes()),
            false => value.clone(),
        });
        (name.clone(), shown)
    };
    let arguments: BTreeMap<String, Option<String>> = build.args.iter().map(argument).collect();
    Some(canonical_hash(&json!({
        "context": digest,
        "dockerfile": build.dockerfile,
        "inline": build.dockerfile_inline,
        "arguments": arguments,
        "target": build.target,
        "labels": build.labels,
        "options": build.options,
    })))
}
