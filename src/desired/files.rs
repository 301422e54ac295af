//! The files that a Stack's Compose files may name: those of its repository at the wanted commit, and
//! those of the controller's machine by absolute path.

use std::io::Read as _;
use std::path::Path;

use super::tree::Tree;
use crate::model::document::FILE_BYTES_MAX;
use crate::skills::stack::compose::{ComposeFiles, FileRead, Look, Refusal};

/// Folders of the kernel: its view of processes, of the machine and of devices.
const KERNEL_FOLDERS: &[&str] = &["/proc", "/sys", "/dev"];

/// The files of one repository and of the machine.
pub struct StackFiles<'a> {
    /// The repository at the wanted commit.
    pub tree: &'a Tree,
    /// Where the repository's checkout is, or will be: paths below it are those of the tree.
    pub checkout: &'a str,
    /// The controller's own folder, of which nothing is read.
    pub state_dir: &'a Path,
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
        let Some(inner) = self.inner(path) else { return self.read_machine_file(Path::new(path)) };
        match self.tree.read(inner) {
            // What git ignores, such as `.env`, may lie in the checkout itself. Elsewhere it is simply not there.
            FileRead::Missing if path.starts_with('/') && Path::new(path).exists() => {
                self.read_machine_file(Path::new(path))
            }
            read => read,
        }
    }

    fn look(&self, path: &str) -> Look {
        if !path.starts_with('/') {
            return self.tree.look(path);
        }
        // Only asked about what the revision does not have: git's ignored files in the checkout.
        match std::fs::metadata(path) {
            Ok(metadata) if metadata.is_dir() => Look::Folder,
            Ok(metadata) if metadata.is_file() => Look::File,
            Ok(_) => Look::Refused(Refusal::not_a_file("is a device, pipe or socket")),
            Err(err) if err.kind() == std::io::ErrorKind::NotFound => Look::Missing,
            Err(_) => Look::Unknown,
        }
    }

    fn siblings(&self, path: &str) -> Vec<String> {
        self.tree.siblings(path)
    }
}

impl StackFiles<'_> {
    /// Reads a file of the machine. One that isn't there may be there on another machine or later: it is unknown,
    /// not missing.
    fn read_machine_file(&self, path: &Path) -> FileRead {
        // By its real name, so that no link leads to what may not be read; and before it is opened, which would wait
        // for the other end of a pipe.
        let path = match path.canonicalize() {
            Ok(path) => path,
            Err(err) if err.kind() == std::io::ErrorKind::NotFound => {
                return FileRead::Unknown("is not there on this machine".to_owned());
            }
            Err(err) => return FileRead::Unknown(format!("can't be read: {err}")),
        };
        if let Some(refusal) = self.forbidden(&path) {
            return FileRead::Refused(refusal);
        }
        if !path.metadata().is_ok_and(|metadata| metadata.is_file()) {
            return FileRead::Refused(Refusal::not_a_file("is not a regular file"));
        }
        let mut bytes = Vec::new();
        let read = std::fs::File::open(&path)
            .and_then(|file| file.take(FILE_BYTES_MAX as u64 + 1).read_to_end(&mut bytes));
        match read {
            Ok(_) if bytes.len() > FILE_BYTES_MAX => {
                FileRead::Refused(Refusal::too_large(format!("has more than {FILE_BYTES_MAX} bytes")))
            }
            Ok(_) => FileRead::Bytes(bytes),
            Err(err) => FileRead::Unknown(format!("can't be read: {err}")),
        }
    }

    /// Why a file of the machine holds what no stack may show: the controller's own environment, its key, its store.
    fn forbidden(&self, path: &Path) -> Option<Refusal> {
        if let Some(folder) = KERNEL_FOLDERS.iter().find(|folder| path.starts_with(folder)) {
            return Some(Refusal::not_allowed(format!(
                "lies in `{folder}`, where the kernel shows its own state"
            )));
        }
        let real = |folder: &Path| folder.canonicalize().ok();
        let own_checkout = real(Path::new(self.checkout)).is_some_and(|checkout| path.starts_with(checkout));
        let own_state = real(self.state_dir).is_some_and(|folder| path.starts_with(folder));
        (own_state && !own_checkout).then(|| Refusal::not_allowed("lies in the controller's state folder"))
    }
}
