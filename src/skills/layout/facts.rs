//! What is on disk, as values.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

/// A folder where a clone belongs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Place {
    /// Nothing is there.
    Missing,
    /// An empty folder, as a submodule leaves that was never fetched.
    Empty,
    /// A file, or a link that leads nowhere.
    NotAFolder,
    /// A link on the way leads out of the checkout.
    Outside,
    /// Files, and no clone.
    Plain,
    /// A clone that was never completed, and why it is not.
    Half(String),
    /// One that is not complete and holds what somebody would miss.
    Broken {
        /// Why it is not complete.
        why: String,
        /// What would be missed.
        work: String,
    },
    /// A clone.
    Clone(Box<CloneFacts>),
    /// It can't be told.
    Unreadable(String),
}

/// A complete clone.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct CloneFacts {
    /// The URL of `origin`, as it is written there.
    pub url: Option<String>,
    /// The branch; `None` when HEAD is detached.
    pub branch: Option<String>,
    /// The commit of HEAD.
    pub commit: String,
    /// Whether its history was cut.
    pub shallow: bool,
    /// Files with uncommitted work, the first of them, sorted.
    pub dirty: Vec<String>,
    /// How many there are.
    pub dirty_count: usize,
    /// What somebody is in the middle of, such as a merge.
    pub operation: Option<String>,
    /// What a git process left that was killed in it, and another one completes.
    pub interrupted: Option<String>,
    /// Whether the wanted commit is among its objects.
    pub has_pin: bool,
    /// Commits of its own that the remote's branch lacks, as of the last fetch; detached ones that no branch or tag has.
    pub ahead: usize,
}

/// What kind of thing lies in a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A folder.
    Folder {
        /// Whether it has a manifest.
        is_module: bool,
        /// Whether it is a clone or a submodule.
        is_clone: bool,
        /// Whether nothing is in it.
        is_empty: bool,
        /// Why nobody else may move it, when it lies among the repositories and is none of them.
        kept: Option<String>,
    },
    /// A symbolic link.
    Link {
        /// What it says.
        target: String,
        /// Whether something is there.
        leads: bool,
        /// Whether that is inside the checkout.
        inside: bool,
    },
    /// Anything else.
    File,
}

/// Owner, group and permissions that are not as they should be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Modes {
    /// Folders and files that were looked at.
    pub seen: usize,
    /// Those of another owner than wanted: path and owner, the first of them.
    pub owners: Vec<String>,
    /// How many.
    pub owners_count: usize,
    /// Those that others can't read.
    pub closed: Vec<String>,
    /// Those that everybody can write.
    pub open: Vec<String>,
}

/// Everything that was seen.
#[derive(Debug, Default)]
pub struct Facts {
    /// By the path of each declared repository.
    pub places: BTreeMap<String, Place>,
    /// What lies in the folders that lead to declared ones, by path.
    pub listings: BTreeMap<String, BTreeMap<String, Kind>>,
    /// Names that no text can hold, per folder, made printable.
    pub odd_names: Vec<String>,
    /// Files of the checkout that are named somewhere and are there.
    pub present: BTreeSet<String>,
    /// Per root.
    pub modes: BTreeMap<String, Modes>,
    /// Folders that can't be read, and why.
    pub unreadable: BTreeMap<String, String>,
}

impl Facts {
    /// Whether a declared repository is a complete clone.
    pub fn is_cloned(&self, path: &str) -> bool {
        matches!(self.places.get(path), Some(Place::Clone(_)))
    }

    /// Names side by side that differ by case alone: one on some machines, two on others.
    pub fn twins(&self) -> Vec<(String, String)> {
        let mut found = Vec::new();
        for (folder, entries) in &self.listings {
            let mut by_lower: BTreeMap<String, &str> = BTreeMap::new();
            for name in entries.keys() {
                if let Some(first) = by_lower.insert(name.to_lowercase(), name) {
                    found.push((join(folder, first), join(folder, name)));
                }
            }
        }
        found
    }
}

/// A name in a folder of the checkout.
pub fn join(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}
