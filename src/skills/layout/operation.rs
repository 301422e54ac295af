//! What can be done to a layout: one thing each, and doing it twice is doing it once.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use serde::Serialize;

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum LayoutOperation {
    /// Clones a repository that is not there.
    Clone(CloneTarget),
    /// Brings a clean clone to its branch or pin.
    Switch(SwitchTarget),
    /// Writes a file whose content was looked at before.
    #[serde(rename_all = "camelCase")]
    WriteFile {
        /// The absolute folder of the checkout.
        checkout: String,
        /// The absolute path.
        path: String,
        /// The digest that it had; anything else at execution makes the step stale.
        before: String,
        /// The whole new content.
        content: String,
        /// The mounts that it has more, and all that are wanted.
        mounts: MountsTarget,
    },
    /// Moves a folder out of the checkout, whole.
    MoveAside {
        /// The absolute folder of the checkout.
        checkout: String,
        /// The absolute path.
        path: String,
        /// Where it belongs then; a free name is made of it.
        aside: String,
    },
}

/// A clone to make.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CloneTarget {
    /// The absolute folder of the checkout, which a clone never leaves.
    pub checkout: String,
    /// The absolute folder.
    pub path: String,
    /// Where it is cloned from.
    pub url: String,
    /// Its branch.
    pub branch: String,
    /// The commit that it is kept at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// Where a clone that was never completed is moved first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub aside: Option<String>,
}

/// A clone to bring to another commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SwitchTarget {
    /// The absolute folder of the checkout.
    pub checkout: String,
    /// The absolute folder.
    pub path: String,
    /// Where the commit is fetched from.
    pub url: String,
    /// The branch that is wanted.
    pub branch: String,
    /// The commit that is wanted; without it the branch's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// The commit that it was at; anything else at execution makes the step stale.
    pub from: String,
}

/// The mounts of a devcontainer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MountsTarget {
    /// Its file, relative to the checkout.
    pub file: String,
    /// Folders that it mounts more.
    pub added: Vec<String>,
    /// All folders that should be mounted.
    pub folders: Vec<String>,
    /// Folders that hold clones.
    pub homes: Vec<String>,
}
