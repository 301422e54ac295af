//! One folder of files that prove a run: what was to be done, what was done, what was before and after.
//!
//! Each pack names the hash of every file and of the pack before it, so that an edit, a loss or an insertion shows.
//! It is written aside and renamed: a half pack is never seen. Nothing in it is a secret: known values and values
//! of variables that hold secrets are masked in every text. What a newer run did is not here, and nothing here is
//! read again to decide.

pub mod chain;
pub mod commit;
mod facts;
mod interrupted;
mod mask;
mod prune;
mod tails;
mod verify;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

pub use interrupted::Interrupted;
pub use mask::Masker;
pub use prune::prune;
pub use tails::tails;
pub use verify::{BadPack, Checked, verify_packs};

use self::chain::{Head, Link};
use crate::apply::outcome::RunOutcome;
use crate::apply::verify::verify;
use crate::model::hash::sha256_hex;
use crate::model::id::Revision;
use crate::observed::observation::Observation;
use crate::plan::plan::Plan;

/// The folder of all packs in the state folder.
pub const FOLDER: &str = "evidence";
/// The file of a pack that names the others.
pub const MANIFEST: &str = "evidence.json";
/// The form of the manifest; another number is another form.
const VERSION: u32 = 1;
/// How many packs can share a minute: far more than runs that one machine can make.
const NUMBER_MAX: u32 = 10_000;
/// The most characters of a part of a path; file systems end at 255 bytes.
const SLUG_MAX: usize = 80;
/// A temporary folder's name begins so; what a crash left is removed by the next writer.
const TEMPORARY: &str = ".new-";

/// Everything that a pack is made of.
#[derive(Clone, Copy)]
pub struct Proof<'a> {
    /// What was to be done.
    pub plan: &'a Plan,
    /// What came of it.
    pub outcome: &'a RunOutcome,
    /// What was still to be done afterwards.
    pub after_plan: &'a Plan,
    /// What was observed before.
    pub before: &'a Observation,
    /// What was observed afterwards.
    pub after: &'a Observation,
    /// The ends of the logs of changed containers, by name; see [`tails`].
    pub logs: &'a BTreeMap<String, String>,
    /// Masks secrets.
    pub masker: &'a Masker,
}

/// The file that names all others of a pack, and the pack before.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// The form of this file.
    pub version: u32,
    /// The program that wrote it.
    pub tool: String,
    /// The run.
    pub run: String,
    /// Ties log lines, events and the run together.
    pub correlation: String,
    /// What the run was about.
    pub scope: String,
    /// The desired revision.
    pub revision: Revision,
    /// The plan's hash.
    pub plan_hash: String,
    /// The hosts that were acted on.
    pub hosts: Vec<String>,
    /// Images of changed containers afterwards: reference → id and repository digests.
    pub images: Value,
    /// When the first step began.
    pub started: DateTime<Utc>,
    /// When the last step ended.
    pub ended: DateTime<Utc>,
    /// SHA-256 of every other file, by its path in the pack.
    pub files: BTreeMap<String, String>,
    /// The pack before this one; `None` for the first.
    pub previous: Option<Link>,
}

/// Why a pack could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum EvidenceError {
    /// A file could not be read or written.
    #[error("failed to {action} `{}`", path.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// Which file.
        path: PathBuf,
        /// What the system said.
        #[source]
        err: io::Error,
    },
    /// A file is not what we write.
    #[error("`{}` can't be read as evidence", path.display())]
    Form {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        err: serde_json::Error,
    },
    /// Too many packs in one minute.
    #[error("more than {NUMBER_MAX} evidence packs in one minute")]
    Crowded,
    /// git could not commit it.
    #[error("failed to commit evidence to `{}`", path.display())]
    Commit {
        /// The repository.
        path: PathBuf,
        /// Why.
        #[source]
        err: git2::Error,
    },
    /// The repository has no such branch.
    #[error("`{}` has no branch `{branch}` to commit evidence to", path.display())]
    Branch {
        /// The repository.
        path: PathBuf,
        /// The branch.
        branch: String,
    },
}

/// The content of a pack, masked, before it has a place in the chain.
#[derive(Debug, Clone)]
pub struct Pack {
    texts: BTreeMap<String, String>,
    manifest: Manifest,
}

impl Pack {
    /// Makes the content of a run's pack.
    pub fn new(proof: &Proof<'_>) -> Pack {
        let texts = texts(proof);
        let run = &proof.outcome.run;
        let changed = facts::Changed::new(proof.plan, proof.before, proof.after);
        let hash = |(name, text): (&String, &String)| (name.clone(), sha256_hex(text.as_bytes()));
        let manifest = Manifest {
            version: VERSION,
            tool: format!("ipaictl {}", env!("CARGO_PKG_VERSION")),
            run: run.id.clone(),
            correlation: run.correlation.clone(),
            scope: run.scope.clone(),
            revision: run.revision.clone(),
            plan_hash: run.plan_hash.clone(),
            hosts: changed.hosts(),
            images: proof.masker.value(changed.images(proof.after)),
            started: proof.outcome.started,
            ended: proof.outcome.ended,
            files: texts.iter().map(hash).collect(),
            previous: None,
        };
        Pack { texts, manifest }
    }

    /// Writes the pack and returns its folder, relative to the folder of all packs.
    ///
    /// Blocking; call it where that is allowed.
    pub fn write(mut self, state_folder: &Path) -> Result<String, EvidenceError> {
        let root = state_folder.join(FOLDER);
        make_folder(&root)?;
        let _turn = chain::turn(&root)?;
        remove_leftovers(&root)?;
        self.manifest.previous = chain::find_head(&root)?;
        let temporary = root.join(format!("{TEMPORARY}{}", std::process::id()));
        let written = self.write_files(&temporary);
        let published = written.and_then(|sha256| Ok((publish(&root, &temporary, &self.manifest)?, sha256)));
        let (pack, sha256) = published.inspect_err(|_| {
            // What can't be removed now is removed by the next writer.
            let _ = fs::remove_dir_all(&temporary);
        })?;
        chain::write_head(&root, &Head { pack: pack.clone(), sha256 })?;
        Ok(pack)
    }

    /// Writes all files; returns the hash of the manifest.
    fn write_files(&self, folder: &Path) -> Result<String, EvidenceError> {
        make_folder(folder)?;
        let mut parents = BTreeSet::new();
        for (name, text) in &self.texts {
            if let Some((parent, _)) = name.rsplit_once('/')
                && parents.insert(folder.join(parent))
            {
                make_folder(&folder.join(parent))?;
            }
            write_new(&folder.join(name), text.as_bytes())?;
        }
        let text = pretty(&self.manifest);
        write_new(&folder.join(MANIFEST), text.as_bytes())?;
        // Not one by one while writing: the first sync takes the rest along, and the others cost next to nothing.
        for name in self.texts.keys().map(String::as_str).chain([MANIFEST]) {
            sync(&folder.join(name))?;
        }
        parents.iter().try_for_each(|parent| sync(parent))?;
        Ok(sha256_hex(text.as_bytes()))
    }
}

/// Every file of a pack but its manifest, by name, with secrets masked.
fn texts(proof: &Proof<'_>) -> BTreeMap<String, String> {
    let masker = proof.masker;
    let changed = facts::Changed::new(proof.plan, proof.before, proof.after);
    let outcomes = json!({
        "run": proof.outcome.run.id,
        "started": proof.outcome.started,
        "ended": proof.outcome.ended,
        "stopped": proof.outcome.stopped,
        "steps": proof.outcome.steps,
        "verification": verify(proof.plan, proof.after_plan),
        "left": proof.after_plan.steps,
    });
    let mut texts = BTreeMap::new();
    texts.insert("plan.txt".to_owned(), masker.text(&crate::plan::display::text(proof.plan, false)));
    let values = [
        ("plan.json", crate::plan::display::json(proof.plan)),
        ("outcomes.json", outcomes),
        ("before.json", changed.facts(proof.before)),
        ("after.json", changed.facts(proof.after)),
        ("health.json", changed.health(proof.after)),
    ];
    for (name, value) in values {
        texts.insert(name.to_owned(), pretty(&masker.value(value)));
    }
    for (container, log) in proof.logs {
        texts.insert(format!("logs/{}.txt", slug(&masker.text(container))), masker.log(log));
    }
    texts
}

/// Gives a finished pack its name; another writer's pack of the same name moves the number on.
fn publish(root: &Path, temporary: &Path, manifest: &Manifest) -> Result<String, EvidenceError> {
    let (minute, number) = manifest.run.rsplit_once('-').unwrap_or((manifest.run.as_str(), "1"));
    let mut number: u32 = number.parse().unwrap_or(1);
    let scope = slug(&manifest.scope);
    let folder = loop {
        let name = if number <= 1 { slug(minute) } else { format!("{}-{number}", slug(minute)) };
        // One run a folder: a name that is there belongs to a store that was lost.
        if !root.join(&name).exists() {
            break name;
        }
        number += 1;
        if number > NUMBER_MAX {
            return Err(EvidenceError::Crowded);
        }
    };
    let target = root.join(&folder);
    make_folder(&target)?;
    sync(temporary)?;
    let pack = target.join(&scope);
    fs::rename(temporary, &pack).map_err(file("name", &pack))?;
    sync(&target)?;
    sync(root)?;
    Ok(format!("{folder}/{scope}"))
}

fn remove_leftovers(root: &Path) -> Result<(), EvidenceError> {
    for entry in fs::read_dir(root).map_err(file("read", root))? {
        let entry = entry.map_err(file("read", root))?;
        let path = entry.path();
        if entry.file_name().to_string_lossy().starts_with(TEMPORARY) {
            fs::remove_dir_all(&path).map_err(file("remove", &path))?;
            continue;
        }
        // A minute's folder without a pack: its writer ended between making and renaming.
        if path.is_dir() && fs::read_dir(&path).is_ok_and(|mut entries| entries.next().is_none()) {
            fs::remove_dir(&path).map_err(file("remove", &path))?;
        }
    }
    Ok(())
}

/// A text as one part of a path: nothing in it leads elsewhere, and it is never empty.
pub(crate) fn slug(text: &str) -> String {
    let mut slug = String::new();
    for c in text.chars() {
        match c {
            c if c.is_ascii_alphanumeric() || matches!(c, '-' | '_') => slug.push(c.to_ascii_lowercase()),
            '.' if !slug.is_empty() && !slug.ends_with('.') => slug.push('.'),
            _ if !slug.ends_with('-') => slug.push('-'),
            _ => {}
        }
    }
    let slug = slug.trim_matches(['-', '.']).to_owned();
    match slug.len() {
        0 => "unnamed".to_owned(),
        // Long scopes stay apart by their hash.
        length if length > SLUG_MAX => {
            format!("{}-{}", &slug[..SLUG_MAX - 9], &sha256_hex(text.as_bytes())[..8])
        }
        _ => slug,
    }
}

fn pretty<T: Serialize>(value: &T) -> String {
    let mut text = serde_json::to_string_pretty(value).expect("evidence has text keys only");
    text.push('\n');
    text
}

fn file(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> EvidenceError {
    let path = path.to_owned();
    move |err| EvidenceError::File { action, path, err }
}

fn make_folder(path: &Path) -> Result<(), EvidenceError> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(file("make", path))
}

fn write_private(path: &Path, bytes: &[u8]) -> Result<(), EvidenceError> {
    write_new(path, bytes)?;
    sync(path)
}

/// Writes a file that nobody else may read; it may be lost with the power until it is synced.
fn write_new(path: &Path, bytes: &[u8]) -> Result<(), EvidenceError> {
    let made = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    made.and_then(|mut file| file.write_all(bytes)).map_err(file("write", path))
}

/// Brings a file or a folder to the disk.
fn sync(path: &Path) -> Result<(), EvidenceError> {
    fs::File::open(path).and_then(|opened| opened.sync_all()).map_err(file("write", path))
}

#[cfg(test)]
mod tests {
    use super::slug;

    #[test]
    fn a_slug_is_one_harmless_part_of_a_path() {
        for (text, expected) in [
            ("Stack/shop,Stack/wiki", "stack-shop-stack-wiki"),
            ("../../etc/passwd", "etc-passwd"),
            ("..", "unnamed"),
            ("", "unnamed"),
            ("a..b\u{202e}\u{0}c", "a.-b-c"),
        ] {
            let slug = slug(text);
            assert!(!slug.contains("..") && !slug.contains('/'), "{slug}");
            if expected != "a.-b-c" {
                assert_eq!(slug, expected);
            }
        }
        let long = "x".repeat(300);
        assert!(slug(&long).len() <= super::SLUG_MAX);
        assert_ne!(slug(&long), slug(&"x".repeat(301)));
    }
}
