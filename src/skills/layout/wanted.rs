//! The clones and mounts that the files of a commit declare.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::checks::clones::misplaced;
use super::checks::pin;
use super::declared::{Form, Source};
use super::spec::{LayoutSpec, Pinning};
use crate::clients::git_url::RemoteUrl;
use crate::model::problem::Problem;
use crate::odoo::catalogue::Catalogue;

/// A clone as it is declared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WantedClone {
    /// Its folder in the checkout.
    pub path: String,
    /// Where it is cloned from.
    pub url: String,
    /// Its branch.
    pub branch: String,
    /// The commit that it is kept at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
}

/// Everything that is declared.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WantedLayout {
    /// Clones in the order of the manifest; no path twice, none inside another.
    pub clones: Vec<WantedClone>,
    /// Further roots.
    pub roots: Vec<String>,
    /// What is declared and can't be: why.
    pub refused: Vec<(String, String)>,
}

impl WantedLayout {
    /// Takes what the sources declare, the manifest first; `allow` are transports and prefixes that the settings permit.
    pub fn new(spec: &LayoutSpec, sources: &[Source], catalogue: &Catalogue, allow: &[String]) -> Self {
        let mut wanted = WantedLayout { roots: catalogue.roots.clone(), ..WantedLayout::default() };
        let manifest = sources.first().filter(|source| source.form == Form::Manifest);
        for declared in manifest.map_or(&[][..], |source| &source.repositories) {
            let (Some(path), Some(url)) = (&declared.path, &declared.url) else { continue };
            let earlier: Vec<&str> = wanted.clones.iter().map(|clone| clone.path.as_str()).collect();
            if let Some(why) = misplaced(path, &earlier) {
                wanted.refused.push((path.clone(), format!("{}: {why}", declared.place)));
                continue;
            }
            if let Err(why) = RemoteUrl::parse(url, allow) {
                wanted.refused.push((path.clone(), format!("{}: {why}", declared.place)));
                continue;
            }
            wanted.clones.push(WantedClone {
                path: path.clone(),
                url: url.clone(),
                branch: declared.branch.clone().unwrap_or_else(|| spec.series.clone()),
                commit: pin(sources, declared).filter(|_| spec.pinning == Pinning::Commit).map(str::to_owned),
            });
        }
        wanted
    }

    /// All folders that a container has to see, in order.
    pub fn folders(&self) -> Vec<String> {
        self.clones.iter().map(|clone| clone.path.clone()).chain(self.roots.iter().cloned()).collect()
    }

    /// The folders that hold clones.
    pub fn homes(&self) -> Vec<String> {
        let homes: BTreeSet<&str> =
            self.clones.iter().filter_map(|clone| Some(clone.path.rsplit_once('/')?.0)).collect();
        homes.into_iter().map(str::to_owned).collect()
    }
}

/// Whether one of two folders is or holds the other.
pub fn overlap(one: &str, other: &str) -> bool {
    use super::declared::is_within;
    is_within(one, other) || is_within(other, one)
}

/// The first error of files, as a sentence with its place.
pub fn first_error(problems: &[Problem]) -> Option<String> {
    let mut errors = problems.iter().filter(|problem| problem.is_error());
    let first = errors.next()?;
    let place = first.location.as_ref().map(|place| format!("{place}: ")).unwrap_or_default();
    Some(match errors.count() {
        0 => format!("{place}{}", first.message),
        more => format!("{place}{}; and {more} more", first.message),
    })
}
