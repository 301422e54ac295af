//! One controller a store: who serves holds a lock on a file beside it.
//!
//! The system's lock, so that it ends with its process however that ends, and no clock or process id is trusted.
//! Commands that act for a moment need none: resources have locks of their own in `locks`.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// What the file's name adds to the store's.
const SUFFIX: &str = ".serve";
/// The longest description of a holder that is read: a host's name and a process.
const HOLDER_BYTES_MAX: u64 = 1 << 10;

/// The right to serve a store; ends when it is dropped.
#[derive(Debug)]
pub struct Serving {
    _file: File,
}

/// Why a store can't be served.
#[derive(Debug, thiserror::Error)]
pub enum ServingError {
    /// Another controller does.
    #[error("another controller serves the store `{}`: {holder}", store.display())]
    Taken {
        /// The store.
        store: PathBuf,
        /// Who, as `host/process`.
        holder: String,
    },
    /// The file can't be used.
    #[error("failed to lock `{}`", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        err: io::Error,
    },
}

/// Takes the right to serve a store, or says who has it.
pub fn claim(store: &Path, holder: &str) -> Result<Serving, ServingError> {
    let mut path = store.as_os_str().to_owned();
    path.push(SUFFIX);
    let path = PathBuf::from(path);
    let failed = |err| ServingError::File { path: path.clone(), err };
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600);
    let mut file = options.open(&path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut text = String::new();
            file.take(HOLDER_BYTES_MAX).read_to_string(&mut text).map_err(failed)?;
            return Err(ServingError::Taken { store: store.to_owned(), holder: text.trim().to_owned() });
        }
        Err(TryLockError::Error(err)) => return Err(failed(err)),
    }
    file.set_len(0).and_then(|()| writeln!(file, "{holder}")).map_err(failed)?;
    Ok(Serving { _file: file })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_is_served_by_one_until_it_ends() {
        let folder = tempfile::tempdir().unwrap();
        let store = folder.path().join("ipaictl.db");
        let first = claim(&store, "here/1").unwrap();
        let refused = claim(&store, "here/2").unwrap_err();
        assert!(matches!(&refused, ServingError::Taken { holder, .. } if holder == "here/1"), "{refused}");
        drop(first);
        claim(&store, "here/2").unwrap();
        assert!(claim(&folder.path().join("other.db"), "here/3").is_ok());
    }
}
