//! The owned fields of a container, network or volume in one normal form, so that what is wanted and
//! what the engine answers can be compared one by one.
//!
//! Both sides pass through the same functions of engine types (`container`, `host`, `mounts`, `resource`), so a
//! rule can't hold on one side only. What the engine fills in by itself is left out. Attachments to networks
//! and the image's identity are not fields: `ContainerFacts` carries them beside.

mod container;
mod host;
mod image;
mod mounts;
mod resource;
mod text;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use container::{asked, container_observed, container_wanted, limits_asked, share_container};
pub use image::{image_fields, overlay};
pub use mounts::is_anonymous_volume;
pub use resource::{network_observed, network_wanted, volume_observed, volume_wanted};

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

    /// Sets a text unless it is empty.
    fn text(&mut self, name: &str, value: Option<&str>) {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            self.0.insert(name.to_owned(), Value::from(value));
        }
    }

    /// Sets a flag unless it is off.
    fn flag(&mut self, name: &str, value: Option<bool>) {
        if value == Some(true) {
            self.0.insert(name.to_owned(), Value::from(true));
        }
    }

    /// Sets a number unless it is zero.
    fn number(&mut self, name: &str, value: Option<i64>) {
        if let Some(value) = value.filter(|value| *value != 0) {
            self.0.insert(name.to_owned(), Value::from(value));
        }
    }

    /// Sets a size in bytes as text unless it is zero; a negative one means without a limit.
    fn bytes(&mut self, name: &str, value: Option<i64>) {
        match value {
            None | Some(0) => {}
            Some(size) if size < 0 => self.text(name, Some("unlimited")),
            Some(size) => self.text(name, Some(&crate::model::time::render_bytes(size.unsigned_abs()))),
        }
    }

    /// Sets a duration in nanoseconds as text unless it is zero.
    fn nanoseconds(&mut self, name: &str, value: Option<i64>) {
        if let Some(nanos) = value.filter(|nanos| *nanos > 0) {
            let duration = std::time::Duration::from_nanos(nanos.unsigned_abs());
            self.text(name, Some(&crate::model::time::render_duration(duration)));
        }
    }

    /// Sets a list in its own order unless it is empty.
    fn list(&mut self, name: &str, values: Option<&[String]>) {
        if let Some(values) = values.filter(|values| !values.is_empty()) {
            self.0.insert(name.to_owned(), Value::from(values.to_vec()));
        }
    }

    /// Sets a list whose order means nothing: sorted, each value once, unless it is empty.
    fn set(&mut self, name: &str, values: impl IntoIterator<Item = String>) {
        let values: std::collections::BTreeSet<String> = values.into_iter().collect();
        if !values.is_empty() {
            self.0.insert(name.to_owned(), Value::from(values.into_iter().collect::<Vec<_>>()));
        }
    }

    /// Sets one field `<name>.<key>` per entry.
    fn map<'a>(&mut self, name: &str, entries: impl IntoIterator<Item = (&'a String, &'a String)>) {
        for (key, value) in entries {
            self.0.insert(format!("{name}.{key}"), Value::from(value.as_str()));
        }
    }

    /// A field's text.
    fn get_text(&self, name: &str) -> Option<&str> {
        self.0.get(name).and_then(Value::as_str)
    }

    /// A field's texts; none when it is not a list.
    fn get_list(&self, name: &str) -> Vec<String> {
        let items = self.0.get(name).and_then(Value::as_array);
        items.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    }
}
