//! From a Stack's Compose files to one canonical model: the pipeline and its result.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::model::document::{Node, Place};
use crate::model::problem::Problem;
use crate::skills::stack::spec::ComposeSpec;

/// What `load` reads and how.
pub struct ComposeRequest<'a> {
    /// The Stack's name: the project's name when nothing else gives one.
    pub stack: &'a str,
    /// The Compose files and what goes into them.
    pub spec: &'a ComposeSpec,
    /// The absolute directory of the repository's checkout on the host.
    pub working_dir: &'a str,
    /// The resolved values of the Stack's variables; they win over env files.
    pub variables: &'a BTreeMap<String, String>,
    /// Names among `variables` whose value came from a secret reference.
    pub secret_variables: &'a BTreeSet<String>,
    /// Where files are read.
    pub files: &'a dyn ComposeFiles,
}

/// Files of one revision: relative paths in its repository, absolute paths on the machine.
pub trait ComposeFiles {
    /// Reads a file by its path relative to the repository's root, or absolute on the machine.
    fn read(&self, path: &str) -> FileRead;
}

/// What came of reading a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileRead {
    /// Its content.
    Bytes(Vec<u8>),
    /// There is no such file.
    Missing,
    /// It may not be read: why, as a fragment (`is a symbolic link out of the repository`).
    Refused(String),
    /// It could not be found out: why, as a fragment.
    Unknown(String),
}

/// What came of loading a Stack's Compose files.
#[derive(Debug, Default)]
pub struct ComposeLoad {
    /// The model; only when there is no error and nothing is unknown.
    pub project: Option<ComposeProject>,
    /// Everything that is wrong, in the order of files and lines.
    pub problems: Vec<Problem>,
    /// Why the content can't be known now (a file that could not be read): neither valid nor invalid.
    pub unknown: Option<String>,
}

/// A project in Compose's canonical form.
#[derive(Debug)]
pub struct ComposeProject {
    /// The project's name.
    pub name: String,
    /// The absolute directory on the host in which relative paths were resolved: that of the first file.
    pub working_dir: String,
    /// The Compose files, absolute on the host, in the order in which they were merged.
    pub config_files: Vec<String>,
    /// The canonical model as `docker compose config --format json` prints it, without `$$` escaping:
    /// `name`, `services` (the enabled ones), `networks`, `volumes`, `configs`, `secrets` (those in use).
    pub json: Value,
    /// Services that the files describe and profiles or `services` leave out.
    pub disabled_services: BTreeSet<String>,
    /// By service: environment variables whose value is a secret or may be one.
    pub secret_environment: BTreeMap<String, BTreeSet<String>>,
    /// The merged document, by which places are found.
    document: Node,
}

impl ComposeProject {
    /// The place of a JSON pointer of `json`, such as `/services/web/ports/0`, or of what is nearest above it.
    pub fn place(&self, pointer: &str) -> &Place {
        self.document.key_place(pointer)
    }
}

/// Reads a Stack's Compose files.
pub fn load(request: &ComposeRequest) -> ComposeLoad {
    let _ = request;
    ComposeLoad::default()
}
