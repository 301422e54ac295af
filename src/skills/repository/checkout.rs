//! A checkout as it is wanted, as it was observed, and as it is moved.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The wanted content of a checkout on a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckoutDesired {
    /// The Host's name.
    pub host: String,
    /// The absolute directory.
    pub path: String,
    /// The wanted commit.
    pub commit: String,
    /// The controller's own copy of the objects, a git directory.
    pub objects: String,
    /// The URL to record as `origin`, without credentials; `None` for the state repository itself.
    pub url: Option<String>,
    /// Where files that others changed are kept when they are put right. `None` at a place that a person named: what
    /// is done there is that person's to decide.
    pub kept: Option<String>,
    /// Whether nothing but the commit belongs there: what else lies in it, a server would see.
    pub is_alone: bool,
}

/// One checkout.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CheckoutFacts {
    /// Whether the directory exists.
    pub exists: bool,
    /// Whether it is a git work tree, and a complete one.
    pub repository: bool,
    /// The commit of HEAD.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// The URL of `origin`, credentials removed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Tracked files whose content differs from HEAD, sorted, at most 20.
    pub dirty: Vec<String>,
    /// Whether all that differs was left by a move of ours that was broken off.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub interrupted: bool,
    /// Files and folders that git neither tracks nor ignores, sorted, at most 20; compiled Python apart.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub untracked: Vec<String>,
    /// Those of the changed files that hold what a layout wrote, with its digest.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub written: BTreeMap<String, String>,
}

/// Where a checkout is and what it should hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CheckoutTarget {
    /// The absolute directory.
    pub path: String,
    /// The commit it should be at.
    pub commit: String,
    /// The controller's own copy of the objects.
    pub objects: String,
    /// The URL to record as `origin`.
    pub url: Option<String>,
    /// Where files that others changed are kept before they are put right; without it they stop the move.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kept: Option<String>,
    /// The commit that was observed; anything else at execution makes the step stale.
    pub from: Option<String>,
    /// Files that a layout wrote into it, with the digest of what it wrote: they are as committed before it moves.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub written: BTreeMap<String, String>,
}

impl CheckoutTarget {
    /// The target of a wanted checkout, from what was observed.
    pub fn new(checkout: &CheckoutDesired, from: Option<String>) -> Self {
        CheckoutTarget {
            path: checkout.path.clone(),
            commit: checkout.commit.clone(),
            objects: checkout.objects.clone(),
            url: checkout.url.clone(),
            kept: checkout.kept.clone(),
            from,
            written: BTreeMap::new(),
        }
    }
}
