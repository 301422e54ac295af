//! The checksum of a module's content, the same as that of click-odoo-contrib, so that both tools can share what a database remembers.
//!
//! A SHA-1 over the paths and contents of the files that count. A database remembers them as JSON (module → checksum) in the parameter
//! `module_auto_update.installed_checksums`; it may name other patterns than the usual ones in `module_auto_update.exclude_patterns`.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::{fs, io};

use sha1::{Digest as _, Sha1};

use crate::odoo::patterns::Patterns;

/// Files that don't count, unless the database names others.
pub const EXCLUDED: &str = "*.pyc,*.pyo,i18n/*.pot,i18n_extra/*.pot,static/*,tests/*";
/// Folders below each other; a module has some five.
const DEPTH_MAX: usize = 64;
/// Bytes read at once.
const PIECE_BYTES: usize = 64 << 10;

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

/// A folder whose files count, wherever it is.
pub trait Folder {
    /// The names of its files and of its folders.
    fn names(&self) -> Result<(Vec<String>, Vec<String>), ChecksumError>;
    /// A folder in it.
    fn inner(&self, name: &str) -> Result<Box<dyn Folder + '_>, ChecksumError>;
    /// Hands on the content of a file in it, in as many pieces as it likes.
    fn add(&self, name: &str, add: &mut dyn FnMut(&[u8])) -> Result<(), ChecksumError>;
}

/// The checksum of the module in a folder, 40 lower-case hexadecimal digits. Links to folders are not followed, links to files are.
pub fn checksum(module: &Path, counted: &Counted) -> Result<String, ChecksumError> {
    checksum_of(&OnDisk(module.to_owned()), counted)
}

/// The checksum of a module, wherever it is.
pub fn checksum_of(module: &dyn Folder, counted: &Counted) -> Result<String, ChecksumError> {
    let mut hash = Sha1::new();
    add_folder(module, "", counted, &mut hash, 0)?;
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

fn add_folder(
    folder: &dyn Folder,
    shown: &str,
    counted: &Counted,
    hash: &mut Sha1,
    depth: usize,
) -> Result<(), ChecksumError> {
    if depth > DEPTH_MAX {
        return Err(ChecksumError::TooDeep { path: shown.into() });
    }
    let (mut files, mut folders) = folder.names()?;
    files.sort_unstable();
    folders.sort_unstable();
    let below = |name: &str| if shown.is_empty() { name.to_owned() } else { format!("{shown}/{name}") };
    for name in files {
        let inner = below(&name);
        if counted.counts(shown, &name, &inner) {
            hash.update(inner.as_bytes());
            folder.add(&name, &mut |piece| hash.update(piece))?;
        }
    }
    for name in folders {
        add_folder(&*folder.inner(&name)?, &below(&name), counted, hash, depth + 1)?;
    }
    Ok(())
}

/// A folder of this machine.
struct OnDisk(PathBuf);

impl Folder for OnDisk {
    fn names(&self) -> Result<(Vec<String>, Vec<String>), ChecksumError> {
        let (mut files, mut folders) = (Vec::new(), Vec::new());
        for entry in fs::read_dir(&self.0).map_err(failed(&self.0))? {
            let entry = entry.map_err(failed(&self.0))?;
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
        Ok((files, folders))
    }

    fn inner(&self, name: &str) -> Result<Box<dyn Folder + '_>, ChecksumError> {
        Ok(Box::new(OnDisk(self.0.join(name))))
    }

    fn add(&self, name: &str, add: &mut dyn FnMut(&[u8])) -> Result<(), ChecksumError> {
        let path = self.0.join(name);
        // Looked at before it is opened: opening a pipe would wait for its writer.
        if !fs::metadata(&path).map_err(failed(&path))?.is_file() {
            return Err(ChecksumError::NoFile { path });
        }
        let mut file = fs::File::open(&path).map_err(failed(&path))?;
        let mut piece = vec![0; PIECE_BYTES];
        loop {
            match file.read(&mut piece).map_err(failed(&path))? {
                0 => return Ok(()),
                length => add(&piece[..length]),
            }
        }
    }
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> ChecksumError + use<> {
    let path = path.to_owned();
    move |err| ChecksumError::Read { path, err }
}
