//! The checksum of a module's content, the same as that of click-odoo-contrib, so that both tools can share what a database remembers.
//!
//! A SHA-1 over the paths and contents of the files that count. A database remembers them as JSON (module → checksum) in the parameter
//! `module_auto_update.installed_checksums`; it may name other patterns than the usual ones in `module_auto_update.exclude_patterns`.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::{fs, io};

use sha1::{Digest as _, Sha1};

use crate::odoo::patterns::Patterns;

/// Files that don't count, unless the database names others.
pub const EXCLUDED: &str = "*.pyc,*.pyo,i18n/*.pot,i18n_extra/*.pot,static/*,tests/*";
/// Folders below each other; a module has some five.
const DEPTH_MAX: usize = 64;

/// Why a module has no checksum.
#[derive(Debug, thiserror::Error)]
pub enum ChecksumError {
    /// A file or folder can't be read.
    #[error("failed to read `{path}`")]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        err: io::Error,
    },
    /// The name can't be hashed.
    #[error("the name of `{path}` is not UTF-8")]
    Name {
        /// Which, as well as it can be shown.
        path: PathBuf,
    },
    /// Reading it may never end.
    #[error("`{path}` is no regular file")]
    NoFile {
        /// Which.
        path: PathBuf,
    },
    /// There is no end to it.
    #[error("`{path}` is more than {DEPTH_MAX} folders deep")]
    TooDeep {
        /// Which.
        path: PathBuf,
    },
}

/// What is left out of a checksum.
#[derive(Debug, Clone)]
pub struct Counted {
    excluded: Patterns,
    /// Languages without their countries, such as `fr`; none keeps all translations.
    languages: BTreeSet<String>,
}

impl Counted {
    /// `excluded` as the database's parameter has it, or [`EXCLUDED`]; `languages` are the codes of the active ones, such as `fr_BE`.
    pub fn new<'a>(excluded: &str, languages: impl IntoIterator<Item = &'a str>) -> Self {
        let languages = languages.into_iter().map(|code| language(code).to_owned()).collect();
        Counted { excluded: Patterns::parse(excluded), languages }
    }

    /// Whether a file counts; `folder` and `path` are relative to the module.
    fn counts(&self, folder: &str, name: &str, path: &str) -> bool {
        if self.excluded.matches(path) {
            return false;
        }
        let is_translation = matches!(folder, "i18n" | "i18n_extra") && !self.languages.is_empty();
        match name
            .strip_suffix(".po")
            .filter(|stem| is_translation && !stem.trim_start_matches('.').is_empty())
        {
            Some(stem) => self.languages.contains(language(stem)),
            None => true,
        }
    }
}

fn language(code: &str) -> &str {
    code.split('_').next().unwrap_or_default()
}

/// The checksum of the module in a folder, 40 lower-case hexadecimal digits. Links to folders are not followed, links to files are.
pub fn checksum(module: &Path, counted: &Counted) -> Result<String, ChecksumError> {
    let mut hash = Sha1::new();
    add_folder(module, "", counted, &mut hash, 0)?;
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

fn add_folder(
    folder: &Path,
    shown: &str,
    counted: &Counted,
    hash: &mut Sha1,
    depth: usize,
) -> Result<(), ChecksumError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |err| ChecksumError::Read { path, err }
    };
    if depth > DEPTH_MAX {
        return Err(ChecksumError::TooDeep { path: folder.to_owned() });
    }
    let (mut files, mut folders) = (Vec::new(), Vec::new());
    for entry in fs::read_dir(folder).map_err(failed(folder))? {
        let entry = entry.map_err(failed(folder))?;
        let path = entry.path();
        let name = entry
            .file_name()
            .into_string()
            .map_err(|_: OsString| ChecksumError::Name { path: path.clone() })?;
        let sort = entry.file_type().map_err(failed(&path))?;
        if sort.is_dir() {
            folders.push(name);
        } else if !(sort.is_symlink() && path.is_dir()) {
            files.push(name);
        }
    }
    files.sort_unstable();
    folders.sort_unstable();
    let below = |name: &str| if shown.is_empty() { name.to_owned() } else { format!("{shown}/{name}") };
    for name in files {
        let (path, inner) = (folder.join(&name), below(&name));
        if !counted.counts(shown, &name, &inner) {
            continue;
        }
        if !fs::metadata(&path).map_err(failed(&path))?.is_file() {
            return Err(ChecksumError::NoFile { path });
        }
        hash.update(inner.as_bytes());
        let mut file = fs::File::open(&path).map_err(failed(&path))?;
        io::copy(&mut file, &mut Writer(hash)).map_err(failed(&path))?;
    }
    for name in folders {
        add_folder(&folder.join(&name), &below(&name), counted, hash, depth + 1)?;
    }
    Ok(())
}

/// Hashes what is written.
struct Writer<'a>(&'a mut Sha1);

impl io::Write for Writer<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
