//! What planning knows of a checkout's layout.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::facts::Place;
use super::report::{Count, Verdict};

/// A checkout, as far as its layout goes.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LayoutFacts {
    /// Whether the checkout is there.
    pub exists: bool,
    /// What is in the folders where clones belong, by path.
    pub places: BTreeMap<String, Place>,
    /// The devcontainer's text, when it is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub devcontainer: Option<DevcontainerFacts>,
    /// Why the devcontainer could not be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unread: Option<String>,
    /// Folders that are mounted by the devcontainer, in no manifest, and there.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub present: Vec<String>,
    /// How many checks have which verdict; `None` when they could not be made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<Count>,
    /// Checks that are not sound.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Finding>,
    /// A folder that the wanted commit declares and the files of the checkout do not: it is at another commit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub undeclared: Option<String>,
    /// Why the checks could not be made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unchecked: Option<String>,
}

/// A devcontainer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DevcontainerFacts {
    /// Its text.
    pub text: String,
    /// What is committed, when that is something else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub committed: Option<String>,
    /// Whether it holds just what was written into it here.
    #[serde(default)]
    pub is_ours: bool,
    /// Whether it was never committed, or what is committed can't be read.
    #[serde(default)]
    pub is_new: bool,
}

/// A check that is not sound.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The check's name.
    pub id: String,
    /// What was looked at.
    pub subject: String,
    /// What came of it.
    pub verdict: Verdict,
    /// Why, as a fragment.
    pub cause: String,
}
