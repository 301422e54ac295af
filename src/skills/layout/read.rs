//! The text of a file → what it declares. One reader a form; all report every problem with its place.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

mod json;
mod plain;
mod yaml;

pub use self::json::{mounted_folder, mounted_folders, mounted_target};
use super::declared::{Form, Source};

/// The most bytes of a file that is read; the longest seen has 11 KiB.
pub const FILE_BYTES_MAX: usize = 1 << 20;

/// Reads a file. `file` is its path relative to the checkout; its name and content tell its form.
pub fn read(file: &str, text: &str) -> Source {
    let name = file.rsplit('/').next().unwrap_or(file);
    match name {
        ".gitmodules" => plain::gitmodules(file, text),
        _ if name.ends_with(".conf") => plain::odoo_conf(file, text),
        _ if name.ends_with(".json") => json::read(file, text),
        _ => yaml::read(file, text),
    }
}

/// The entries of an `addons_path`.
fn entries(text: &str) -> Vec<String> {
    text.split(',').map(str::trim).filter(|entry| !entry.is_empty()).map(str::to_owned).collect()
}

/// A source without anything but a problem.
fn unreadable(file: &str, form: Form, problem: crate::model::problem::Problem) -> Source {
    let mut source = Source::new(file, form);
    source.problems.push(problem);
    source
}
