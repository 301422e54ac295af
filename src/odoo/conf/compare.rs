//! What is different between two odoo.conf.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use std::collections::BTreeSet;

use super::options::{Sort, is_secret, setting};
use super::{OdooConf, SECTION};

/// An option of the section `options` that isn't the same on both sides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Its present name.
    pub name: String,
    /// What the left side says, if it says anything; `(secret)` instead of a secret.
    pub left: Option<String>,
    /// What the right side says.
    pub right: Option<String>,
    /// Whether the server does the same with both: the option is left out on one side and has its default on the other.
    pub is_same_effect: bool,
}

/// The options that differ, by name. `True` and `true`, and lists that differ only in spaces, are the same.
pub fn compare(left: &OdooConf, right: &OdooConf) -> Vec<Difference> {
    let (left, right) = (left.options(), right.options());
    let names: BTreeSet<&str> = left.keys().chain(right.keys()).copied().collect();
    let mut differences = Vec::new();
    for name in names {
        let text = |side: Option<&&super::Written>| side.map(|written| normal(name, &written.value));
        let (one, other) = (text(left.get(name)), text(right.get(name)));
        if one == other {
            continue;
        }
        let effect = |side: &Option<String>| {
            side.clone().or_else(|| setting(name).map(|setting| normal(name, setting.default)))
        };
        let is_same_effect = effect(&one).is_some() && effect(&one) == effect(&other);
        let shown = |side: Option<String>| {
            side.map(|value| if is_secret(SECTION, name) { "(secret)".to_owned() } else { value })
        };
        let difference =
            Difference { name: name.to_owned(), left: shown(one), right: shown(other), is_same_effect };
        differences.push(difference);
    }
    differences
}

/// One text for all that the server takes for the same.
fn normal(name: &str, value: &str) -> String {
    match (setting(name).map(|setting| setting.sort), value) {
        (_, "true") => "True".to_owned(),
        (_, "false") => "False".to_owned(),
        (Some(Sort::Paths | Sort::Names), _) => value.split(',').map(str::trim).collect::<Vec<_>>().join(","),
        _ => value.to_owned(),
    }
}
