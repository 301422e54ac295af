//! Options → the text of an odoo.conf that the server reads back as exactly these.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::SECTION;
use super::reader::is_space;

/// Writes options in the order of their names. Returns the name of the first whose value the file can't hold: with a line end, or
/// with a space at an end, which the server takes away.
pub fn render(options: &BTreeMap<String, String>) -> Result<String, &str> {
    let mut text = format!("[{SECTION}]\n");
    for (name, value) in options {
        if !is_kept(value) || !is_name(name) {
            return Err(name);
        }
        let line = format!("{name} = {value}");
        let _ = writeln!(text, "{}", line.trim_end());
    }
    Ok(text)
}

/// Whether the server reads a value back as it is written.
pub fn is_kept(value: &str) -> bool {
    value.trim_matches(is_space) == value && !value.contains(['\n', '\r'])
}

/// Whether the server reads a name back as it is written.
fn is_name(name: &str) -> bool {
    let is_plain = |c: char| !c.is_control() && !c.is_uppercase() && !matches!(c, '=' | ':');
    !name.is_empty()
        && name.trim_matches(is_space) == name
        && !name.starts_with(['#', ';', '['])
        && name.chars().all(is_plain)
}
