//! Why a module is missing: the first of these questions that has an answer.
//!
//! 1. Is it there, but can't be installed? Does it hide a copy that could?  2. Is there a folder without a manifest?
//! 3. Does a repository have it on this series, declared or not, cloned or not?  4. Was it renamed, or part of core?
//! 5. Is it released for this series by what the package index says?  6. Did only older series have it?
//! 7. Does the catalogue at least expect it somewhere?

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use std::collections::BTreeSet;

use serde::Serialize;

use super::catalogue::{Catalogue, Repository};
use super::knowledge::{Entry, Knowledge};
use super::universe::{Universe, Unusable};
use crate::model::problem::nearest;

/// Why a module is missing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Cause {
    /// No declared repository that is cloned has it, and nothing is known of it.
    NoRepository {
        /// How many of the declared repositories are not cloned, and may have it.
        #[serde(skip_serializing_if = "is_zero")]
        not_cloned: usize,
        /// A module that is there and has nearly this name.
        #[serde(skip_serializing_if = "Option::is_none")]
        nearest: Option<String>,
    },
    /// Its repository is declared and not cloned.
    NotCloned {
        /// The repository.
        repository: String,
        /// Where it would be.
        path: String,
        /// The repository under which the manifest lists it, when that is another one.
        #[serde(skip_serializing_if = "Option::is_none")]
        listed: Option<String>,
    },
    /// Its repository is cloned, and that clone does not have it.
    NotInClone {
        /// The repository.
        repository: String,
        /// Where the clone is.
        path: String,
        /// The repository under which the manifest lists it, when that is another one.
        #[serde(skip_serializing_if = "Option::is_none")]
        listed: Option<String>,
    },
    /// It lives in a repository that is not declared.
    OtherRepository {
        /// The repository.
        repository: String,
        /// The repository under which the manifest lists it, when that is another one.
        #[serde(skip_serializing_if = "Option::is_none")]
        listed: Option<String>,
    },
    /// It has another name now.
    Renamed {
        /// The new names.
        to: Vec<String>,
        /// The repository of the first, when it is another one.
        #[serde(skip_serializing_if = "Option::is_none")]
        repository: Option<String>,
    },
    /// It does not exist on this series.
    NotOnSeries {
        /// The last series that has it.
        #[serde(skip_serializing_if = "Option::is_none")]
        last_series: Option<String>,
        /// The repository that has it there.
        #[serde(skip_serializing_if = "Option::is_none")]
        repository: Option<String>,
    },
    /// It was one of Odoo's own modules on another series.
    CoreOfOtherSeries {
        /// The last series that has it.
        until: String,
        /// The module that does its work since.
        #[serde(skip_serializing_if = "Option::is_none")]
        merged_into: Option<String>,
    },
    /// A copy that can't be installed hides one that could.
    Shadowed {
        /// The copy that wins.
        by: String,
        /// Why that one can't be installed.
        because: Unusable,
        /// The hidden copy.
        path: String,
    },
    /// It is there and can't be installed.
    NotInstallable {
        /// Where.
        path: String,
        /// Why.
        because: Unusable,
    },
}

/// What is asked: the modules, the declarations, which of their folders exist.
#[derive(Debug)]
pub struct Question<'a> {
    /// The modules that are there.
    pub universe: &'a Universe<'a>,
    /// What is declared.
    pub catalogue: &'a Catalogue,
    /// The paths of the declared repositories that are cloned.
    pub cloned: &'a BTreeSet<String>,
    /// What is known.
    pub knowledge: &'a Knowledge,
}

impl Question<'_> {
    /// Why a module is missing.
    pub fn explain(&self, module: &str) -> Cause {
        self.here(module).or_else(|| self.home(module)).unwrap_or_else(|| self.elsewhere(module))
    }

    fn here(&self, module: &str) -> Option<Cause> {
        if let Some(copy) = self.universe.winner(module) {
            let because = copy.unusable.clone()?;
            let path = self.universe.path(copy);
            let hidden = self.universe.shadowed(module).iter().find(|copy| copy.unusable.is_none());
            return Some(match hidden {
                Some(hidden) => Cause::Shadowed { by: path, because, path: self.universe.path(hidden) },
                None => Cause::NotInstallable { path, because },
            });
        }
        let path = self.universe.bare(module)?;
        Some(Cause::NotInstallable { path, because: Unusable::NoManifest })
    }

    fn home(&self, module: &str) -> Option<Cause> {
        let homes = self.knowledge.homes(module, self.universe.series);
        if let Some(repository) = homes.iter().find_map(|home| self.catalogue.repository(home)) {
            return Some(self.declared(module, repository));
        }
        homes.first().map(|home| self.undeclared(module, home))
    }

    fn declared(&self, module: &str, repository: &Repository) -> Cause {
        let (slug, path) = (repository.slug.clone(), repository.path.clone());
        let listed = self.listed(module, &slug);
        match self.cloned.contains(&path) {
            true => Cause::NotInClone { repository: slug, path, listed },
            false => Cause::NotCloned { repository: slug, path, listed },
        }
    }

    fn undeclared(&self, module: &str, repository: &str) -> Cause {
        Cause::OtherRepository { repository: repository.to_owned(), listed: self.listed(module, repository) }
    }

    /// Where the manifest wrongly expects it.
    fn listed(&self, module: &str, home: &str) -> Option<String> {
        let listed = self.catalogue.expecting(module)?;
        let is_home = self.catalogue.repository(home).is_some_and(|home| home.slug == listed.slug);
        (!is_home).then(|| listed.slug.clone())
    }

    fn elsewhere(&self, module: &str) -> Cause {
        if let Some(entry) = self.knowledge.entry(module) {
            return self.by_entry(module, entry);
        }
        if let Some(repository) = self.catalogue.expecting(module) {
            return self.declared(module, repository);
        }
        // What is asked for may be a feature whose name is misspelled.
        let names =
            self.universe.names().into_iter().chain(self.catalogue.features.keys().map(String::as_str));
        self.nowhere(nearest(module, names).map(str::to_owned))
    }

    fn nowhere(&self, nearest: Option<String>) -> Cause {
        let repositories = self.catalogue.repositories.iter();
        let not_cloned = repositories.filter(|repository| !self.cloned.contains(&repository.path)).count();
        Cause::NoRepository { not_cloned, nearest }
    }

    fn by_entry(&self, module: &str, entry: &Entry) -> Cause {
        if let Some(core) = &entry.core {
            return Cause::CoreOfOtherSeries {
                until: core.until.clone(),
                merged_into: core.merged_into.clone(),
            };
        }
        if let Some(first) = entry.replaced_by.first() {
            let to = entry.replaced_by.iter().map(|new| new.module.clone()).collect();
            return Cause::Renamed { to, repository: first.repository.clone() };
        }
        if self.knowledge.is_released(module, self.universe.series) {
            let known = entry.last_repository.as_deref();
            if let Some(repository) = known.and_then(|name| self.catalogue.repository(name)) {
                return self.declared(module, repository);
            }
            if let Some(repository) = known {
                return self.undeclared(module, repository);
            }
            return self.nowhere(None);
        }
        Cause::NotOnSeries {
            last_series: entry.last_series.clone(),
            repository: entry.last_repository.clone(),
        }
    }
}

impl Cause {
    /// The cause as a sentence without its full stop.
    pub fn text(&self, series: &str) -> String {
        match self {
            Cause::NoRepository { not_cloned, nearest } => {
                let unseen = match not_cloned {
                    0 => String::new(),
                    1 => " that is cloned (1 is not)".to_owned(),
                    more => format!(" that is cloned ({more} are not)"),
                };
                let meant =
                    nearest.as_ref().map_or_else(String::new, |name| format!("; did you mean `{name}`?"));
                format!("in no repository of the manifest{unseen}{meant}")
            }
            Cause::NotCloned { repository, path, listed } => {
                format!("in {repository}, which is not cloned to `{path}`{}", wrongly(listed))
            }
            Cause::NotInClone { repository, path, listed } => {
                let listed = wrongly(listed);
                format!("expected in {repository}, but the clone at `{path}` does not have it{listed}")
            }
            Cause::OtherRepository { repository, listed } => {
                format!("lives in {repository}, which is not in the manifest{}", wrongly(listed))
            }
            Cause::Renamed { to, repository } => {
                let names: Vec<String> = to.iter().map(|name| format!("`{name}`")).collect();
                let place = repository.as_ref().map_or_else(String::new, |name| format!(" in {name}"));
                format!("now {}{place}", names.join(" and "))
            }
            Cause::NotOnSeries { last_series: Some(last), repository } => {
                let place = repository.as_ref().map_or_else(String::new, |name| format!(" of {name}"));
                format!("not on {series}; last seen on {last}{place}")
            }
            Cause::NotOnSeries { last_series: None, .. } => {
                format!("not on {series}, nor on any series known")
            }
            Cause::CoreOfOtherSeries { until, merged_into } => {
                let now = merged_into
                    .as_ref()
                    .map_or_else(String::new, |name| format!(", merged into `{name}` since"));
                format!("only in core until {until}{now}")
            }
            Cause::Shadowed { by, because, path } => {
                format!("`{path}` is shadowed by `{by}`, and {}", because.text(series))
            }
            Cause::NotInstallable { path, because } => format!("`{path}`: {}", because.text(series)),
        }
    }

    /// What to do next.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Cause::NotCloned { .. } => "`--install` prints the command that clones it.".to_owned(),
            Cause::NotInClone { path, .. } => format!("Look at its branch and commit: git -C {path} status"),
            Cause::OtherRepository { repository, .. } => format!("Add {repository} to the manifest."),
            Cause::Renamed { to, .. } => format!("Ask for {} instead.", to.join(" and ")),
            Cause::Shadowed { by, .. } => format!("Remove `{by}`, or order the roots the other way."),
            _ => return None,
        })
    }
}

fn wrongly(listed: &Option<String>) -> String {
    listed.as_ref().map_or_else(String::new, |listed| format!("; the manifest lists it under {listed}"))
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn is_zero(count: &usize) -> bool {
    *count == 0
}

/// The short name of a declared repository among those that a cause names.
pub fn repository_of(cause: &Cause) -> Option<&str> {
    match cause {
        Cause::NotCloned { repository, .. } | Cause::NotInClone { repository, .. } => Some(repository),
        _ => None,
    }
}
