//! Looks at the folders of a checkout; changes nothing and touches no network.

mod clone;
mod tree;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, Read as _};
use std::path::Path;

use super::declared::{Form, Source};
use super::facts::{Facts, Place};
use super::read::{self, FILE_BYTES_MAX};
use crate::model::problem::{Location, Problem};

/// Clones that are looked at side by side; more only wait for the same disk.
const READERS_MAX: usize = 8;

/// What is to be looked at.
#[derive(Debug, Default)]
pub struct Wanted {
    /// The declared repositories: path and wanted commit.
    pub repositories: Vec<(String, Option<String>)>,
    /// Roots of modules.
    pub roots: Vec<String>,
    /// Files that something names.
    pub references: Vec<String>,
    /// The owner that everything should have.
    pub owner: Option<(u32, u32)>,
}

/// Reads and understands a file of the checkout; `None` when it is not there.
pub fn read_source(checkout: &Path, file: &str) -> Option<Source> {
    match read_bounded(&checkout.join(file)) {
        Ok(text) => {
            let mut source = read::read(file, &text);
            if source.form == Form::Gitmodules {
                clone::pin_submodules(checkout, &mut source);
            }
            Some(source)
        }
        Err(err) if err.kind() == io::ErrorKind::NotFound => None,
        Err(err) => {
            let mut source = read::read(file, "");
            source.problems = vec![
                Problem::error("unreadable-file", format!("can't be read: {err}"))
                    .at(Location::of_file(file)),
            ];
            Some(source)
        }
    }
}

/// Reads a text of bounded length.
pub fn read_bounded(path: &Path) -> io::Result<String> {
    // Opening a pipe would wait for whoever writes into it.
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is not a file"));
    }
    let mut text = String::new();
    fs::File::open(path)?.take(FILE_BYTES_MAX as u64 + 1).read_to_string(&mut text)?;
    if text.len() > FILE_BYTES_MAX {
        return Err(io::Error::other("it is longer than 1 MiB"));
    }
    Ok(text)
}

/// Looks at everything.
pub fn observe(checkout: &Path, wanted: &Wanted) -> Facts {
    let mut facts = Facts { places: places(checkout, &wanted.repositories), ..Facts::default() };
    tree::list(checkout, wanted, &mut facts);
    let references: BTreeSet<&String> = wanted.references.iter().collect();
    for file in references {
        if checkout.join(file).exists() {
            facts.present.insert(file.clone());
        }
    }
    facts
}

fn places(checkout: &Path, repositories: &[(String, Option<String>)]) -> BTreeMap<String, Place> {
    let readers = std::thread::available_parallelism().map_or(1, usize::from).min(READERS_MAX);
    let share = repositories.len().div_ceil(readers).max(1);
    std::thread::scope(|scope| {
        let threads: Vec<_> = repositories
            .chunks(share)
            .map(|part| {
                let look = move |(path, pin): &(String, Option<String>)| {
                    (path.clone(), clone::look(&checkout.join(path), pin.as_deref()))
                };
                scope.spawn(move || part.iter().map(look).collect::<Vec<_>>())
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("a reader does not panic")).collect()
    })
}
