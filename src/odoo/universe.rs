//! Which modules exist for a server: its roots in order, the first copy of a name wins.
//!
//! A root is not searched below its own folders. In the official image the root of core comes first, whatever `addons_path` says.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use std::collections::HashMap;
use std::sync::Arc;

use serde::Serialize;

use super::manifest::Manifest;
use super::version;
use crate::model::problem::Problem;

/// What a root is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RootKind {
    /// Odoo's own modules.
    Core,
    /// Any other folder of modules.
    Addons,
}

/// A root as it was read.
#[derive(Debug)]
pub struct Root {
    /// Its path as the person knows it.
    pub path: String,
    /// What it is.
    pub kind: RootKind,
    /// The repository that it belongs to, such as `OCA/queue`.
    pub repository: Option<String>,
    /// The modules in it, by name.
    pub modules: Vec<Found>,
    /// Folders without a manifest, by name.
    pub bare: Vec<String>,
}

/// A folder with a manifest.
#[derive(Debug)]
pub struct Found {
    /// The module's name: its folder's.
    pub name: String,
    /// Name of the manifest's file.
    pub file: &'static str,
    /// The manifest, when it could be read.
    pub manifest: Option<Arc<Manifest>>,
    /// What is wrong or odd.
    pub problems: Vec<Problem>,
}

/// Why a copy that is there can't be installed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Unusable {
    /// `installable` is false.
    NotInstallable,
    /// A server of this series refuses the version.
    Version {
        /// The version as it is written.
        version: String,
    },
    /// The manifest can't be read.
    Manifest {
        /// The first error, on one line.
        error: String,
    },
    /// The folder is there and has no manifest.
    NoManifest,
}

impl Unusable {
    /// The reason as a fragment.
    pub fn text(&self, series: &str) -> String {
        match self {
            Unusable::NotInstallable => "its manifest says it is not installable".to_owned(),
            Unusable::Version { version } => match version::series_of(version) {
                Some(other) if other != series => format!("its version `{version}` is for series {other}"),
                _ => format!("a server of series {series} refuses its version `{version}`"),
            },
            Unusable::Manifest { error } => format!("its manifest can't be read: {error}"),
            Unusable::NoManifest => "the folder has no manifest".to_owned(),
        }
    }
}

/// One copy of a module.
#[derive(Debug)]
pub struct Copy<'a> {
    /// The root that it lies in, by its number.
    pub root: usize,
    /// What was found there.
    pub found: &'a Found,
    /// Why it can't be installed, if so.
    pub unusable: Option<Unusable>,
}

/// All modules that a server sees.
#[derive(Debug)]
pub struct Universe<'a> {
    /// The roots, in order.
    pub roots: &'a [Root],
    /// The series of the server.
    pub series: &'a str,
    modules: HashMap<&'a str, Vec<Copy<'a>>>,
}

impl<'a> Universe<'a> {
    /// Lets the first copy of each name win.
    pub fn new(roots: &'a [Root], series: &'a str) -> Self {
        let count = roots.iter().map(|root| root.modules.len()).sum();
        let mut modules: HashMap<&str, Vec<Copy<'_>>> = HashMap::with_capacity(count);
        for (root, content) in roots.iter().enumerate() {
            for found in &content.modules {
                let unusable = judge(found, series);
                modules.entry(&found.name).or_default().push(Copy { root, found, unusable });
            }
        }
        Universe { roots, series, modules }
    }

    /// The copy of a module that the server sees.
    pub fn winner(&self, name: &str) -> Option<&Copy<'a>> {
        self.modules.get(name).and_then(|copies| copies.first())
    }

    /// The copies that the server does not see.
    pub fn shadowed(&self, name: &str) -> &[Copy<'a>] {
        self.modules.get(name).map_or(&[], |copies| copies.get(1..).unwrap_or_default())
    }

    /// The manifest of a module that can be installed.
    pub fn usable(&self, name: &str) -> Option<(&Copy<'a>, &'a Manifest)> {
        let copy = self.winner(name).filter(|copy| copy.unusable.is_none())?;
        Some((copy, copy.found.manifest.as_deref()?))
    }

    /// The names of all modules that the server sees, sorted.
    pub fn names(&self) -> Vec<&'a str> {
        let mut names: Vec<&str> = self.modules.keys().copied().collect();
        names.sort_unstable();
        names
    }

    /// Where a copy lies.
    pub fn path(&self, copy: &Copy<'_>) -> String {
        format!("{}/{}", self.roots[copy.root].path.trim_end_matches('/'), copy.found.name)
    }

    /// The path of a folder of that name without a manifest, in the first root that has one.
    pub fn bare(&self, name: &str) -> Option<String> {
        let root = self
            .roots
            .iter()
            .find(|root| root.bare.binary_search_by(|bare| bare.as_str().cmp(name)).is_ok())?;
        Some(format!("{}/{name}", root.path.trim_end_matches('/')))
    }
}

fn judge(found: &Found, series: &str) -> Option<Unusable> {
    let Some(manifest) = &found.manifest else {
        let error = found.problems.iter().find(|problem| problem.is_error());
        return Some(Unusable::Manifest { error: error.map_or_else(String::new, one_line) });
    };
    if !manifest.installable {
        return Some(Unusable::NotInstallable);
    }
    match version::adapt(&manifest.version, series) {
        Some(_) => None,
        None => Some(Unusable::Version { version: manifest.version.clone() }),
    }
}

fn one_line(problem: &Problem) -> String {
    match &problem.location {
        Some(location) => format!("{location}: {}", problem.message),
        None => problem.message.clone(),
    }
}
