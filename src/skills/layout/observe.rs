//! Looks at the folders of a checkout; changes nothing and touches no network.

mod clone;
mod half;
mod tree;
pub mod verify;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, Read as _};
use std::path::Path;

use git2::Repository;

pub use self::clone::{is_half_moved, look};
pub use self::tree::kept;
use self::verify::{VerifyError, VerifyRequest, verify_checkout};
use super::declared::{Form, Source};
use super::facts::{Facts, Place};
use super::observed::{DevcontainerFacts, Finding, LayoutFacts};
use super::read::{self, FILE_BYTES_MAX};
use super::report::Verdict;
use super::wanted::{WantedLayout, first_error};
use crate::clients::git_written::is_written;
use crate::model::problem::{Location, Problem, error_chain};

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
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(FILE_BYTES_MAX as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > FILE_BYTES_MAX {
        return Err(io::Error::other("it is longer than 1 MiB"));
    }
    String::from_utf8(bytes).map_err(|err| {
        let good = &err.as_bytes()[..err.utf8_error().valid_up_to()];
        let line = good.iter().filter(|byte| **byte == b'\n').count() + 1;
        let last = good.rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
        let column = String::from_utf8_lossy(last).chars().count() + 1;
        let why = format!("line {line}, column {column} is not UTF-8");
        io::Error::new(io::ErrorKind::InvalidData, why)
    })
}

/// Looks at what planning needs of a checkout: its clones, its devcontainer, all checks. Blocks.
pub fn observe_layout(
    request: &VerifyRequest,
    wanted: &WantedLayout,
    devcontainer: Option<&str>,
) -> LayoutFacts {
    let checkout = &request.checkout;
    if !checkout.is_dir() {
        return LayoutFacts::default();
    }
    let mut facts = LayoutFacts { exists: true, ..LayoutFacts::default() };
    let mut seen = BTreeMap::new();
    match verify_checkout(request) {
        Ok((report, found)) => {
            facts.count = Some(report.count);
            let checks = report.checks.into_iter().filter(|check| check.verdict != Verdict::Ok);
            facts.findings = checks
                .map(|check| Finding {
                    id: check.id.to_owned(),
                    subject: check.subject,
                    verdict: check.verdict,
                    cause: check.cause,
                })
                .collect();
            seen = found.places;
            let paths = wanted.clones.iter().map(|clone| &clone.path);
            facts.undeclared = paths.into_iter().find(|path| !seen.contains_key(*path)).cloned();
        }
        Err(err) => facts.unchecked = Some(verify_problem(&err)),
    }
    // The files of the checkout may declare other repositories than those of the wanted commit.
    let unseen: Vec<(String, Option<String>)> = wanted
        .clones
        .iter()
        .filter(|clone| clone.commit.is_some() || !seen.contains_key(&clone.path))
        .map(|clone| (clone.path.clone(), clone.commit.clone()))
        .collect();
    seen.extend(places(checkout, &unseen));
    seen.retain(|path, _| wanted.clones.iter().any(|clone| clone.path == *path));
    facts.places = seen;
    if let Some(file) = devcontainer {
        match observe_devcontainer(checkout, file) {
            Ok(found) => facts.devcontainer = found,
            Err(why) => facts.unread = Some(why),
        }
        let text = facts.devcontainer.as_ref().map_or("", |found| &found.text);
        let folders = read::mounted_folders(file, text);
        facts.present = folders.into_iter().filter(|folder| checkout.join(folder).exists()).collect();
    }
    facts
}

/// Reads a devcontainer, and what is committed of it when that is something else. `None` when it is not there.
/// `Err` says why it can't be told.
pub fn observe_devcontainer(checkout: &Path, file: &str) -> Result<Option<DevcontainerFacts>, String> {
    let text = match read_bounded(&checkout.join(file)) {
        Ok(text) => text,
        Err(err) if err.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(err) => return Err(format!("it can't be read: {err}")),
    };
    let committed = committed(checkout, file)
        .map_err(|err| format!("what is committed of it can't be read: {}", err.message()))?;
    let is_new = committed.is_none();
    let committed = committed.filter(|committed| committed != text.as_bytes());
    // What is no text differs in more than mounts, whatever it is.
    let committed = committed.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    let is_ours = Repository::open(checkout)
        .and_then(|repository| is_written(&repository, file))
        .map_err(|err| format!("whether it was written here can't be read: {}", err.message()))?;
    Ok(Some(DevcontainerFacts { text, committed, is_ours, is_new }))
}

/// The committed content; `None` when it was never committed.
fn committed(checkout: &Path, file: &str) -> Result<Option<Vec<u8>>, git2::Error> {
    let repository = Repository::open(checkout)?;
    match repository.head()?.peel_to_tree()?.get_path(Path::new(file)) {
        Ok(entry) => Ok(entry.to_object(&repository)?.as_blob().map(|blob| blob.content().to_vec())),
        Err(err) if err.code() == git2::ErrorCode::NotFound => Ok(None),
        Err(err) => Err(err),
    }
}

fn verify_problem(err: &VerifyError) -> String {
    match err {
        VerifyError::Manifest { file, problems } => first_error(problems).unwrap_or_else(|| file.clone()),
        other => error_chain(other),
    }
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

/// Whether a path, as far as it is there, leads to a place in the checkout.
fn is_inside(checkout: &Path, path: &str) -> bool {
    let full = checkout.join(path);
    // The folder itself may be a link to nowhere, which is told as such.
    let there =
        full.parent().into_iter().flat_map(Path::ancestors).find(|it| fs::symlink_metadata(it).is_ok());
    let there = if full.exists() { Some(full.as_path()) } else { there };
    let real = |path: &Path| fs::canonicalize(path).ok();
    match (there, real(checkout)) {
        (Some(there), Some(checkout)) => real(there).is_some_and(|there| there.starts_with(checkout)),
        _ => true,
    }
}

fn places(checkout: &Path, repositories: &[(String, Option<String>)]) -> BTreeMap<String, Place> {
    let readers = std::thread::available_parallelism().map_or(1, usize::from).min(READERS_MAX);
    let share = repositories.len().div_ceil(readers).max(1);
    std::thread::scope(|scope| {
        let threads: Vec<_> = repositories
            .chunks(share)
            .map(|part| {
                let look = move |(path, pin): &(String, Option<String>)| {
                    let place = match is_inside(checkout, path) {
                        true => clone::look(&checkout.join(path), pin.as_deref()),
                        false => Place::Outside,
                    };
                    (path.clone(), place)
                };
                scope.spawn(move || part.iter().map(look).collect::<Vec<_>>())
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("a reader does not panic")).collect()
    })
}
