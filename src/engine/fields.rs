//! The owned fields of a container, network or volume in one normal form, so that what is wanted and
//! what the engine answers can be compared one by one.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Owned fields under Compose's words (`image`, `command`, `environment.TZ`, `mem_limit`, `ports`), in normal form.
///
/// A field at its default is left out, so that "not set" and "set to the default" are equal.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fields(pub BTreeMap<String, Value>);

impl Fields {
    /// The names of fields that differ between `self` (what is) and `wanted`, in order.
    pub fn differing<'a>(&'a self, wanted: &'a Fields) -> Vec<&'a str> {
        let mut names: Vec<&str> = self
            .0
            .iter()
            .filter(|(name, value)| wanted.0.get(*name) != Some(*value))
            .map(|(name, _)| name.as_str())
            .chain(wanted.0.keys().filter(|name| !self.0.contains_key(*name)).map(String::as_str))
            .collect();
        names.sort_unstable();
        names
    }
}
