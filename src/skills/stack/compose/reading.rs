//! How files are asked for, and what comes of it.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

/// Files of one revision: relative paths in its repository, absolute paths on the machine.
pub trait ComposeFiles {
    /// Reads a file by its path relative to the repository's root, or absolute on the machine.
    fn read(&self, path: &str) -> FileRead;

    /// What is at a path in the repository, links followed as far as they stay in it.
    ///
    /// Who can't tell says so, and nothing is judged.
    fn look(&self, path: &str) -> Look {
        let _ = path;
        Look::Unknown
    }

    /// The paths of files in the folder of a path, to find what may be meant.
    fn siblings(&self, path: &str) -> Vec<String> {
        let _ = path;
        Vec::new()
    }
}

/// What came of reading a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileRead {
    /// Its content.
    Bytes(Vec<u8>),
    /// There is no such file.
    Missing,
    /// It may not be read.
    Refused(Refusal),
    /// It could not be found out: why, as a fragment.
    Unknown(String),
}

/// What is at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Look {
    /// A regular file.
    File,
    /// A folder.
    Folder,
    /// Nothing.
    Missing,
    /// Something that may not be used.
    Refused(Refusal),
    /// It could not be found out.
    Unknown,
}

/// Why a file may not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The rule's name, as problems have it.
    pub rule: &'static str,
    /// Why, as a fragment: `is a symbolic link out of the repository`.
    pub why: String,
}

impl Refusal {
    /// It leads out of the repository.
    pub fn outside(why: impl Into<String>) -> Self {
        Refusal { rule: "outside-repository", why: why.into() }
    }

    /// It is something else than a file.
    pub fn not_a_file(why: impl Into<String>) -> Self {
        Refusal { rule: "not-a-file", why: why.into() }
    }

    /// It is larger than what is read.
    pub fn too_large(why: impl Into<String>) -> Self {
        Refusal { rule: "file-too-large", why: why.into() }
    }

    /// It holds what no configuration may show.
    pub fn not_allowed(why: impl Into<String>) -> Self {
        Refusal { rule: "file-not-allowed", why: why.into() }
    }
}
