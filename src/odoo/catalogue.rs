//! What is declared: repositories with branch, pin and path, further roots, features.
//!
//! Values only; the layout fills the same values from its own catalogues. Reads one form of file by itself:
//! `oca_repositories`, `roots`, `oca_must_have_modules` and `features` of an addons manifest in JSON.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

mod json;

use std::collections::BTreeMap;

pub use self::json::{from_json, is_reference};

/// The most bytes of a catalogue; the longest seen has 7 KiB.
pub const CATALOGUE_BYTES_MAX: usize = 1 << 20;

/// The feature of all modules that a file expects in its repositories, unless it has a feature of that name.
pub const MUST_HAVE: &str = "must-have";

/// A repository of modules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repository {
    /// Owner and name, such as `OCA/queue`.
    pub slug: String,
    /// Where it is cloned from; without credentials.
    pub url: String,
    /// The branch.
    pub branch: String,
    /// The commit that it is kept at.
    pub pin: Option<String>,
    /// Its folder, relative to the checkout.
    pub path: String,
    /// Modules that the catalogue expects in it.
    pub expected: Vec<String>,
}

/// Everything that is declared.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Catalogue {
    /// The repositories, in the order of their roots.
    pub repositories: Vec<Repository>,
    /// Further roots, relative to the checkout, after those of the repositories.
    pub roots: Vec<String>,
    /// Named lists of modules.
    pub features: BTreeMap<String, Vec<String>>,
}

impl Catalogue {
    /// The repository of that name, with or without its owner.
    pub fn repository(&self, name: &str) -> Option<&Repository> {
        let short = |text: &'_ str| text.rsplit('/').next().unwrap_or_default().to_owned();
        self.repositories
            .iter()
            .find(|repository| repository.slug == name)
            .or_else(|| self.repositories.iter().find(|repository| short(&repository.slug) == short(name)))
    }

    /// The repository that is expected to have a module.
    pub fn expecting(&self, module: &str) -> Option<&Repository> {
        self.repositories.iter().find(|repository| repository.expected.iter().any(|name| name == module))
    }
}

/// Whether a text can be the name of a module or feature: what a path, a shell and Odoo's own lists take for one word.
pub fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 200
        && !text.starts_with(['-', '.'])
        && text.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.'))
}

/// Owner and name in the URL of a repository.
fn slug(url: &str) -> String {
    let path = url.trim_end_matches('/').trim_end_matches(".git");
    let mut parts = path.rsplit(['/', ':']);
    let name = parts.next().unwrap_or_default();
    match parts.next().filter(|owner| !owner.is_empty()) {
        Some(owner) => format!("{owner}/{name}"),
        None => name.to_owned(),
    }
}
