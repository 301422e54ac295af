//! What was read of the world, and what could not be.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::engine::observe::EngineFacts;
use crate::model::known::Known;
use crate::skills::environment::facts::EnvironmentFacts;
use crate::skills::layout::observed::LayoutFacts;
use crate::skills::repository::checkout::CheckoutFacts;

/// The observed world, as far as the desired state speaks of it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Observation {
    /// Engines by Host name.
    pub hosts: BTreeMap<String, Known<EngineFacts>>,
    /// Checkouts by `<host>:<absolute path>`.
    pub checkouts: BTreeMap<String, Known<CheckoutFacts>>,
    /// Databases, modules and probes by the Environment's name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub environments: BTreeMap<String, EnvironmentFacts>,
    /// Clones, devcontainers and checks by the AddonsLayout's name; of those alone that a pass is about.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub layouts: BTreeMap<String, Known<LayoutFacts>>,
}

/// The key of a checkout in an observation.
pub fn checkout_key(host: &str, path: &str) -> String {
    format!("{host}:{path}")
}
