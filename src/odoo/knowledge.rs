//! What is known of modules that are not there: where they live, what became of them.
//!
//! The knowledge is data, `knowledge.json`, each entry with its source; a correction is a change of that file alone.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use std::collections::BTreeMap;

use serde::Deserialize;

/// The data, as it was when this program was built.
const DATA: &str = include_str!("knowledge.json");

/// What is known of modules.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Knowledge {
    /// What the data is, for those who read the file.
    pub about: String,
    /// Where the entries come from, by the short names that they use.
    pub sources: BTreeMap<String, String>,
    /// Per series the modules of Odoo itself.
    pub core: BTreeMap<String, Home>,
    /// Per series and repository the modules that live there.
    pub homes: BTreeMap<String, BTreeMap<String, Home>>,
    /// Modules of which more is known than their home.
    pub modules: BTreeMap<String, Entry>,
}

/// The modules of a repository on a series.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Home {
    /// Where this comes from.
    pub source: String,
    /// The modules, sorted.
    pub modules: Vec<String>,
}

/// What is known of one module.
#[derive(Debug, Default, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Entry {
    /// The newest series in whose branches it was seen.
    #[serde(default)]
    pub last_series: Option<String>,
    /// The repository that had it there.
    #[serde(default)]
    pub last_repository: Option<String>,
    /// The newest major version that the package index has.
    #[serde(default)]
    pub index_major: Option<u32>,
    /// What takes its place, on series where it is gone.
    #[serde(default)]
    pub replaced_by: Vec<Replacement>,
    /// It was one of Odoo's own modules.
    #[serde(default)]
    pub core: Option<Core>,
    /// Where this comes from.
    pub source: String,
}

/// What takes a module's place.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Replacement {
    /// The module.
    pub module: String,
    /// Its repository, when it is another one.
    #[serde(default)]
    pub repository: Option<String>,
}

/// A module that once was one of Odoo's own.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Core {
    /// The last series that has it.
    pub until: String,
    /// The module that does its work since.
    #[serde(default)]
    pub merged_into: Option<String>,
}

/// Whether a listed module can be had on a series.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is where the list says.
    Ok,
    /// It is in another repository.
    OtherRepository,
    /// A release for the series exists; in which branch was not seen.
    ByPackageIndexOnly,
    /// It does not exist on the series.
    NotOnSeries,
}

impl Knowledge {
    /// The knowledge that this program was built with.
    pub fn built_in() -> Self {
        serde_json::from_str(DATA).expect("a test reads the same data")
    }

    /// The names of Odoo's own modules of a series, sorted; `None` when nobody listed them.
    pub fn core(&self, series: &str) -> Option<&[String]> {
        self.core.get(series).map(|core| core.modules.as_slice())
    }

    /// Whether a module is one of Odoo's own on a series; `None` when that series' modules are not known.
    pub fn is_core(&self, module: &str, series: &str) -> Option<bool> {
        let core = self.core.get(series)?;
        Some(core.modules.binary_search_by(|name| name.as_str().cmp(module)).is_ok())
    }

    /// The repositories that have a module on a series.
    pub fn homes(&self, module: &str, series: &str) -> Vec<&str> {
        let Some(homes) = self.homes.get(series) else { return Vec::new() };
        let has = |home: &Home| home.modules.binary_search_by(|name| name.as_str().cmp(module)).is_ok();
        homes.iter().filter(|(_, home)| has(home)).map(|(repository, _)| repository.as_str()).collect()
    }

    /// What else is known of a module.
    pub fn entry(&self, module: &str) -> Option<&Entry> {
        self.modules.get(module)
    }

    /// Whether a release for a series exists, as far as the package index tells.
    pub fn is_released(&self, module: &str, series: &str) -> bool {
        let major: Option<u32> = series.split('.').next().and_then(|major| major.parse().ok());
        let newest = self.entry(module).and_then(|entry| entry.index_major);
        newest.zip(major).is_some_and(|(newest, major)| newest >= major)
    }

    /// Whether a module that a list expects in a repository can be had on a series.
    pub fn verdict(&self, module: &str, repository: &str, series: &str) -> Verdict {
        let homes = self.homes(module, series);
        if homes.iter().any(|home| short(home) == short(repository)) {
            Verdict::Ok
        } else if !homes.is_empty() {
            Verdict::OtherRepository
        } else if self.is_released(module, series) {
            Verdict::ByPackageIndexOnly
        } else {
            Verdict::NotOnSeries
        }
    }
}

/// The name of a repository without its owner.
pub fn short(repository: &str) -> &str {
    repository.rsplit('/').next().unwrap_or(repository)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_data_is_sorted_and_every_entry_names_a_source() {
        let knowledge = Knowledge::built_in();
        for homes in knowledge.homes.values() {
            for (repository, home) in homes {
                assert!(home.modules.is_sorted(), "{repository}");
                assert!(knowledge.sources.contains_key(&home.source), "{repository}");
            }
        }
        for (module, entry) in &knowledge.modules {
            assert!(knowledge.sources.contains_key(&entry.source), "{module}");
        }
    }

    #[test]
    fn moved_renamed_and_gone_modules_are_told_apart() {
        let knowledge = Knowledge::built_in();
        let verdict = |module, repository| knowledge.verdict(module, repository, "18.0");
        assert_eq!(verdict("queue_job", "queue"), Verdict::Ok);
        assert_eq!(verdict("auth_admin_passkey", "OCA/server-tools"), Verdict::OtherRepository);
        assert_eq!(verdict("sale_blanket_order", "sale-workflow"), Verdict::ByPackageIndexOnly);
        assert_eq!(verdict("mass_editing", "server-tools"), Verdict::NotOnSeries);
        assert_eq!(knowledge.entry("fetchmail").and_then(|entry| entry.core.clone()).unwrap().until, "16.0");
    }
}
