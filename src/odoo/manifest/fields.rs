//! The values of a manifest's keys, with their types checked.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use super::{AutoInstall, External};
use crate::model::problem::{Location, Problem};
use crate::odoo::literal::{Entry, Value};

/// The entries of a manifest, and what was found to be wrong with them.
pub(super) struct Fields<'a> {
    pub file: &'a str,
    pub entries: &'a [(Value, Value)],
    pub places: &'a [Entry],
    pub problems: Vec<Problem>,
}

impl<'a> Fields<'a> {
    pub fn get(&self, key: &str) -> Option<&'a Value> {
        self.entries.iter().find(|(found, _)| found.as_text() == Some(key)).map(|(_, value)| value)
    }

    fn wrong(&mut self, key: &str, message: String) {
        // The last entry of a key is the one that counts.
        let place = self.places.iter().rev().find(|entry| entry.key == key);
        let (line, column) = place.map_or((1, 1), |entry| (entry.line, entry.column));
        let location = Location { file: self.file.to_owned(), line, column };
        self.problems.push(Problem::error("wrong-type", message).at(location));
    }

    /// Text; `None` counts as absent.
    pub fn text(&mut self, key: &str) -> Option<String> {
        match self.get(key)? {
            Value::Text(text) => Some(text.clone()),
            Value::None => None,
            other => {
                self.wrong(key, format!("`{key}` must be text, not {}", other.noun()));
                None
            }
        }
    }

    /// The version; an absent one is the default, but Odoo fails over `None`.
    pub fn version(&mut self) -> Option<String> {
        if let Some(Value::None) = self.get("version") {
            self.wrong("version", "`version` must be text, not None; Odoo refuses the manifest".to_owned());
        }
        self.text("version")
    }

    /// What it depends on; an absent list is empty, but Odoo fails over `None`.
    pub fn depends(&mut self) -> Vec<String> {
        if let Some(Value::None | Value::Bool(false)) = self.get("depends") {
            self.wrong("depends", "`depends` must be a list of names; Odoo refuses the manifest".to_owned());
        }
        self.names("depends")
    }

    /// A list of names, each once. Odoo would take the letters of a text for names; nobody means that.
    pub fn names(&mut self, key: &str) -> Vec<String> {
        let Some(value) = self.get(key) else { return Vec::new() };
        let elements = match value {
            Value::None | Value::Bool(false) => return Vec::new(),
            value => value.as_elements(),
        };
        let Some(elements) = elements else {
            self.wrong(key, format!("`{key}` must be a list of names, not {}", value.noun()));
            return Vec::new();
        };
        let mut names: Vec<String> = Vec::with_capacity(elements.len());
        let mut seen = std::collections::HashSet::with_capacity(elements.len());
        for element in elements {
            match element.as_text() {
                Some(name) if seen.insert(name) => names.push(name.to_owned()),
                Some(_) => {}
                None => self.wrong(key, format!("`{key}` holds {}, not only names", element.noun())),
            }
        }
        names
    }

    pub fn auto_install(&mut self, depends: &[String]) -> AutoInstall {
        let Some(value) = self.get("auto_install") else { return AutoInstall::Never };
        if value.as_elements().is_none() && !matches!(value, Value::Text(_) | Value::Dict(_)) {
            return if value.is_true() { AutoInstall::When(depends.to_vec()) } else { AutoInstall::Never };
        }
        let triggers = self.names("auto_install");
        if let Some(foreign) = triggers.iter().find(|name| !depends.contains(name)) {
            let message = format!(
                "`auto_install` names `{foreign}`, which is not in `depends`; Odoo refuses the manifest"
            );
            self.wrong("auto_install", message);
        }
        AutoInstall::When(triggers)
    }

    pub fn external(&mut self) -> External {
        const KEY: &str = "external_dependencies";
        let entries = match self.get(KEY) {
            None | Some(Value::None | Value::Bool(false)) => return External::new(),
            Some(Value::Dict(entries)) => entries,
            Some(other) => {
                self.wrong(KEY, format!("`{KEY}` must be a dictionary of lists, not {}", other.noun()));
                return External::new();
            }
        };
        let mut external = External::new();
        for (kind, names) in entries {
            let (Some(kind), Some(elements)) = (kind.as_text(), names.as_elements()) else {
                self.wrong(KEY, format!("`{KEY}` must hold lists of names by kind, not {}", names.noun()));
                continue;
            };
            let mut found = Vec::with_capacity(elements.len());
            for element in elements {
                match element.as_text() {
                    Some(name) => found.push(name.to_owned()),
                    None => self.wrong(KEY, format!("`{KEY}` holds {} among its names", element.noun())),
                }
            }
            if !found.is_empty() {
                external.push((kind.to_owned(), found));
            }
        }
        external
    }
}
