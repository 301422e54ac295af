//! The files that a Stack's Compose files may name: those of its repository at the wanted commit, and
//! those of the controller's machine by absolute path.

use std::io::Read as _;
use std::path::Path;

use super::tree::Tree;
use crate::model::document::FILE_BYTES_MAX;
use crate::skills::stack::compose::{ComposeFiles, FileRead};

/// The files of one repository and of the machine.
pub struct StackFiles<'a> {
    /// The repository at the wanted commit.
    pub tree: &'a Tree,
    /// Where the repository's checkout is, or will be: paths below it are those of the tree.
    pub checkout: &'a str,
}

impl StackFiles<'_> {
    /// The path within the repository, when a path on the host lies below the checkout.
    pub fn inner<'p>(&self, path: &'p str) -> Option<&'p str> {
        match path.strip_prefix('/') {
            None => Some(path),
            Some(_) if path == self.checkout => Some(""),
            Some(_) => path.strip_prefix(self.checkout)?.strip_prefix('/'),
        }
    }
}

impl ComposeFiles for StackFiles<'_> {
    fn read(&self, path: &str) -> FileRead {
        let Some(inner) = self.inner(path) else { return read_machine_file(Path::new(path)) };
        match self.tree.read(inner) {
            // What git ignores, such as `.env`, may lie in the checkout itself. Elsewhere it is simply not there.
            FileRead::Missing if path.starts_with('/') && Path::new(path).exists() => {
                read_machine_file(Path::new(path))
            }
            read => read,
        }
    }
}

/// Reads a file of the machine. One that isn't there may be there on another machine or later: it is unknown, not missing.
fn read_machine_file(path: &Path) -> FileRead {
    let file = match std::fs::File::open(path) {
        Ok(file) => file,
        Err(err) if err.kind() == std::io::ErrorKind::NotFound => {
            return FileRead::Unknown("is not there on this machine".to_owned());
        }
        Err(err) => return FileRead::Unknown(format!("can't be read: {err}")),
    };
    if !file.metadata().is_ok_and(|metadata| metadata.is_file()) {
        return FileRead::Refused("is not a regular file".to_owned());
    }
    let mut bytes = Vec::new();
    match file.take(FILE_BYTES_MAX as u64 + 1).read_to_end(&mut bytes) {
        Ok(_) if bytes.len() > FILE_BYTES_MAX => {
            FileRead::Refused(format!("has more than {FILE_BYTES_MAX} bytes"))
        }
        Ok(_) => FileRead::Bytes(bytes),
        Err(err) => FileRead::Unknown(format!("can't be read: {err}")),
    }
}
