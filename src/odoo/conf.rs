//! An odoo.conf: what it says, whether an Odoo 18 server understands it, how it is written, how two differ.
//!
//! The server reads the file with Python's `configparser.RawConfigParser`: no `${…}` and no `%(…)s` is expanded, names are folded to
//! lower case, deeper lines go on with a value, and a name that is there twice is an error. The reader here does the same to the letter.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

mod check;
mod compare;
mod options;
mod reader;
mod render;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

pub use self::check::check;
pub use self::compare::{Difference, compare};
pub use self::options::{OPTIONS, Setting, Sort, is_secret, present_name, setting};
pub use self::reader::parse;
pub use self::render::{is_kept, render};

/// The section that the server reads its own options from; modules read others.
pub const SECTION: &str = "options";
/// The section whose options all others inherit.
pub const DEFAULT: &str = "DEFAULT";

/// A value and where it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The text; the lines of a value over several lines are joined by line ends.
    pub value: String,
    /// The line of the name, from 1.
    pub line: u32,
    /// The column of the name, from 1, in characters.
    pub column: u32,
    /// The name's length in characters, as it is written.
    pub length: u32,
}

/// The options of a section by their names in lower case.
pub type Options = BTreeMap<String, Written>;

/// What an odoo.conf says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OdooConf {
    sections: BTreeMap<String, Options>,
    defaults: Options,
}

impl OdooConf {
    /// The names of its sections, without the one that all others inherit.
    pub fn sections(&self) -> impl Iterator<Item = &str> {
        self.sections.keys().map(String::as_str)
    }

    /// What a section says, what it inherits included; empty if there is none of that name.
    pub fn section(&self, name: &str) -> BTreeMap<&str, &Written> {
        let Some(own) = self.sections.get(name) else { return BTreeMap::new() };
        self.defaults.iter().chain(own).map(|(name, written)| (name.as_str(), written)).collect()
    }

    /// The server's own options under their present names; `xmlrpc_port` is `http_port`, as for the server.
    pub fn options(&self) -> BTreeMap<&str, &Written> {
        let written = self.section(SECTION);
        written.into_iter().map(|(name, value)| (options::present_name(name), value)).collect()
    }

    /// One of the server's options; an old name counts as its present one.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.options().get(name).map(|written| written.value.as_str())
    }

    /// The folders of `addons_path` in their order, or none if it isn't set.
    pub fn addons_path(&self) -> Vec<&str> {
        let value =
            self.get("addons_path").filter(|value| !matches!(*value, "" | "None" | "False" | "false"));
        value.into_iter().flat_map(|value| value.split(',')).map(str::trim).collect()
    }
}
