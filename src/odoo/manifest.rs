//! A module's manifest: the keys that matter for what it needs, checked.
//!
//! Defaults are Odoo's. A manifest that Odoo could not load is an error with its place; what Odoo takes but nobody means is a
//! warning. Other keys are not looked at.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

mod fields;

use serde::{Deserialize, Serialize};

use super::literal::{self, Entry, LiteralError, Value};
use crate::model::problem::{Location, Problem};

/// What Odoo assumes when a manifest names no licence.
const LICENSE_DEFAULT: &str = "LGPL-3";
/// What Odoo assumes when a manifest names no version.
const VERSION_DEFAULT: &str = "1.0";

/// When Odoo installs a module by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum AutoInstall {
    /// Never.
    Never,
    /// As soon as all of these are installed. With none of them: with each new database.
    When(Vec<String>),
}

/// What must be on the machine, by kind: `python`, `bin`, `deb` and whatever else a manifest says.
pub type External = Vec<(String, Vec<String>)>;

/// What a manifest says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The version as it is written.
    pub version: String,
    /// The modules that it needs, in the order of the manifest, each once.
    pub depends: Vec<String>,
    /// Whether it may be installed at all.
    pub installable: bool,
    /// When Odoo installs it by itself.
    pub auto_install: AutoInstall,
    /// Countries that it is made for; Odoo installs it by itself only for companies there.
    pub countries: Vec<String>,
    /// What must be on the machine.
    pub external: External,
    /// The licence.
    pub license: String,
    /// OCA's word for how finished it is: `Alpha`, `Beta`, `Production/Stable`, `Mature`.
    pub development_status: Option<String>,
}

/// A manifest that was read, with what is odd about it.
#[derive(Debug)]
pub struct Read {
    /// The manifest, unless it has an error.
    pub manifest: Option<Manifest>,
    /// All that is wrong or odd.
    pub problems: Vec<Problem>,
}

/// Reads a manifest. `file` is its path as the person knows it.
pub fn read(file: &str, bytes: &[u8]) -> Read {
    let decoded = match literal::decode(bytes) {
        Ok(decoded) => decoded,
        Err(err) => return failed(not_literal(file, bytes, &err)),
    };
    let parsed = match literal::parse(&decoded.text) {
        Ok(parsed) => parsed,
        Err(err) => return failed(not_literal(file, decoded.text.as_bytes(), &err)),
    };
    let mut problems = Vec::new();
    if let Some(coding) = decoded.foreign {
        let problem = Problem::warning(
            "not-utf-8",
            format!("the manifest is in `{coding}`; Odoo 18 reads UTF-8 alone"),
        );
        problems.push(problem.at(Location::of_file(file)).with_hint("Save it as UTF-8."));
    }
    problems.extend(duplicates(file, &parsed.entries));
    let Value::Dict(entries) = parsed.value else {
        let message = format!("a manifest is a dictionary, this is {}", parsed.value.noun());
        return failed(Problem::error("not-a-manifest", message).at(Location::of_file(file)));
    };
    let mut fields = fields::Fields { file, entries: &entries, places: &parsed.entries, problems };
    let manifest = assemble(&mut fields);
    let problems = fields.problems;
    let sound = !problems.iter().any(Problem::is_error);
    Read { manifest: Some(manifest).filter(|_| sound), problems }
}

fn failed(problem: Problem) -> Read {
    Read { manifest: None, problems: vec![problem] }
}

fn assemble(fields: &mut fields::Fields<'_>) -> Manifest {
    let depends = fields.depends();
    let auto_install = fields.auto_install(&depends);
    Manifest {
        version: fields.version().unwrap_or_else(|| VERSION_DEFAULT.to_owned()),
        installable: fields.get("installable").is_none_or(Value::is_true),
        auto_install,
        countries: fields.names("countries"),
        external: fields.external(),
        license: fields
            .text("license")
            .filter(|text| !text.is_empty())
            .unwrap_or_else(|| LICENSE_DEFAULT.to_owned()),
        development_status: fields.text("development_status"),
        depends,
    }
}

fn not_literal(file: &str, text: &[u8], err: &LiteralError) -> Problem {
    let location = Location { file: file.to_owned(), line: err.line, column: err.column };
    let mut problem = Problem::error("not-a-literal", err.message.clone()).at(location);
    let line = text.split(|byte| *byte == b'\n').nth(err.line as usize - 1).unwrap_or_default();
    problem = problem.with_snippet(String::from_utf8_lossy(line), 1);
    match err.hint {
        "" => problem,
        hint => problem.with_hint(hint),
    }
}

/// A key twice is legal, and the last wins; seldom is that meant.
fn duplicates(file: &str, entries: &[Entry]) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut seen: std::collections::HashMap<&str, &Entry> = std::collections::HashMap::new();
    for entry in entries {
        if let Some(first) = seen.insert(&entry.key, entry) {
            let at =
                |entry: &Entry| Location { file: file.to_owned(), line: entry.line, column: entry.column };
            let problem = Problem::warning(
                "duplicate-key",
                format!("`{}` is there twice; the last one wins", entry.key),
            );
            problems.push(problem.at(at(entry)).with_related(at(first), "the first one"));
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(text: &str) -> Manifest {
        let read = read("m/__manifest__.py", text.as_bytes());
        read.manifest.unwrap_or_else(|| panic!("{text}: {:?}", read.problems))
    }

    fn problem(text: &str) -> String {
        read("m.py", text.as_bytes()).problems.first().expect(text).to_string()
    }

    #[test]
    fn what_a_manifest_leaves_out_is_what_odoo_assumes() {
        let found = manifest("{}");
        assert!(found.installable && found.depends.is_empty());
        assert_eq!((found.version.as_str(), found.license.as_str()), ("1.0", "LGPL-3"));
        assert_eq!(found.auto_install, AutoInstall::Never);
    }

    #[test]
    fn auto_install_is_a_flag_or_a_list_of_dependencies() {
        let when = |names: &[&str]| AutoInstall::When(names.iter().map(|name| (*name).to_owned()).collect());
        assert_eq!(manifest("{'depends': ['a', 'b'], 'auto_install': True}").auto_install, when(&["a", "b"]));
        assert_eq!(manifest("{'depends': ['a', 'b'], 'auto_install': ['a']}").auto_install, when(&["a"]));
        assert_eq!(manifest("{'depends': ['a'], 'auto_install': []}").auto_install, when(&[]));
        assert_eq!(manifest("{'depends': ['a'], 'auto_install': False}").auto_install, AutoInstall::Never);
        assert!(problem("{'depends': ['a'], 'auto_install': ['b']}").contains("`b`"));
    }

    #[test]
    fn external_dependencies_keep_their_specifiers_and_foreign_kinds() {
        let found = manifest(
            "{'external_dependencies': {'python': ['sentry_sdk>=2.0.0,<=2.22.0'], 'deb': ('xmlsec1',)}}",
        );
        let expected = [("python", "sentry_sdk>=2.0.0,<=2.22.0"), ("deb", "xmlsec1")];
        let expected: External =
            expected.iter().map(|(kind, name)| ((*kind).to_owned(), vec![(*name).to_owned()])).collect();
        assert_eq!(found.external, expected);
    }

    #[test]
    fn wrong_types_are_errors_with_their_place() {
        for (text, expected) in [
            ("{'depends': 'base'}", "m.py:1:13: error: `depends` must be a list of names, not text"),
            ("{\n  'depends': ['a', 1]}", "m.py:2:14: error: `depends` holds a number"),
            ("{'version': 18.0}", "m.py:1:13: error: `version` must be text, not a number"),
            (
                "{'external_dependencies': ['x']}",
                "m.py:1:27: error: `external_dependencies` must be a dictionary",
            ),
            (
                "{'external_dependencies': {'python': 'x'}}",
                "m.py:1:27: error: `external_dependencies` must hold lists",
            ),
            ("['base']", "m.py:1:1: error: a manifest is a dictionary, this is a list"),
            ("{'name': x}", "m.py:1:10: error: `x` is a name, not a value"),
        ] {
            assert!(problem(text).starts_with(expected), "{}", problem(text));
        }
    }

    #[test]
    fn a_key_that_is_there_twice_is_a_warning_and_the_last_wins() {
        let read = read("m.py", b"{'installable': False,\n 'installable': True}");
        assert!(read.manifest.is_some_and(|manifest| manifest.installable));
        assert_eq!(read.problems[0].rule, "duplicate-key");
    }
}
