//! Digests of files on the engine's machine.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{ErrorKind, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use futures_util::{StreamExt as _, stream};
use sha2::{Digest as _, Sha256};

use super::{FileAccess, FileFacts};
use crate::engine::hash::secret_digest;
use crate::model::known::Known;
use crate::model::secret::HmacKey;

/// Files read at once: two disks' worth, not a thousand open files.
const CONCURRENT_MAX: usize = 4;
/// The largest file whose content is read; configuration is kilobytes, and beyond this the size has to do.
const BYTES_MAX: u64 = 64 << 20;
/// Bytes read at once.
const PIECE_BYTES: usize = 128 << 10;

/// What to read.
pub(super) struct FileRequest<'a> {
    /// Paths, and whether the content is a secret.
    pub paths: &'a BTreeMap<String, bool>,
    /// The key for the digests of secrets.
    pub key: Option<&'a HmacKey>,
    /// Whether the engine's paths are this machine's.
    pub is_local: bool,
}

/// Reads files; what can't be read is unknown.
pub(super) async fn read_files(request: FileRequest<'_>) -> BTreeMap<String, Known<Option<FileFacts>>> {
    if !request.is_local {
        let unknown = || Known::Unknown("files of another machine are not read by this version".to_owned());
        return request.paths.keys().map(|path| (path.clone(), unknown())).collect();
    }
    let asked: Vec<_> = request
        .paths
        .iter()
        .map(|(path, secret)| {
            let (path, secret, key) = (path.clone(), *secret, request.key.cloned());
            async move {
                let reading = path.clone();
                let facts = tokio::task::spawn_blocking(move || read_file(&reading, secret, key.as_ref()))
                    .await
                    .unwrap_or_else(|err| Known::Unknown(err.to_string()));
                (path, facts)
            }
        })
        .collect();
    stream::iter(asked).buffer_unordered(CONCURRENT_MAX).collect().await
}

fn read_file(path: &str, secret: bool, key: Option<&HmacKey>) -> Known<Option<FileFacts>> {
    match digest(Path::new(path)) {
        Ok(digest) if secret && digest.starts_with("sha256:") => match key {
            Some(key) => Known::Known(Some(facts(path, secret_digest(key, &digest)))),
            None => Known::Unknown(format!("there is no key for the digest of `{path}`")),
        },
        Ok(digest) => Known::Known(Some(facts(path, digest))),
        Err(err) if matches!(err.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            Known::Known(None)
        }
        Err(err) => Known::Unknown(format!("`{path}` can't be read: {err}")),
    }
}

fn facts(path: &str, digest: String) -> FileFacts {
    let access = std::fs::metadata(path).ok().map(|found| FileAccess {
        user: found.uid(),
        group: found.gid(),
        mode: found.mode() & 0o7777,
    });
    FileFacts { digest, access }
}

fn digest(path: &Path) -> std::io::Result<String> {
    // Looked at before it is opened: opening a pipe would wait for its writer.
    let kind = std::fs::metadata(path)?;
    if kind.is_dir() {
        return Ok("directory".to_owned());
    }
    if !kind.is_file() {
        return Ok("special".to_owned());
    }
    if kind.len() > BYTES_MAX {
        return Ok(format!("large:{}", kind.len()));
    }
    let mut file = File::open(path)?.take(BYTES_MAX);
    let (mut hash, mut piece) = (Sha256::new(), vec![0; PIECE_BYTES]);
    loop {
        match file.read(&mut piece)? {
            0 => return Ok(format!("sha256:{}", hex::encode(hash.finalize()))),
            length => hash.update(&piece[..length]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn each_kind_of_file_has_its_digest_and_a_secret_one_never_its_plain_hash() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name).display().to_string();
        std::fs::write(at("plain"), "x").unwrap();
        std::fs::write(at("secret"), "x").unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(at("socket")).unwrap();
        File::create(at("large")).unwrap().set_len(BYTES_MAX + 1).unwrap();
        let paths: BTreeMap<String, bool> = [
            (at("plain"), false),
            (at("secret"), true),
            (at("socket"), false),
            (at("large"), false),
            (at("gone"), false),
            (at("."), false),
        ]
        .into();
        let key = HmacKey::new("aa");
        let facts = read_files(FileRequest { paths: &paths, key: Some(&key), is_local: true }).await;
        let digest =
            |name: &str| facts[&at(name)].known().unwrap().as_ref().map(|facts| facts.digest.clone());
        let plain = format!("sha256:{}", crate::model::hash::sha256_hex(b"x"));
        assert_eq!(digest("plain"), Some(plain.clone()));
        assert_eq!(digest("secret"), Some(secret_digest(&key, &plain)));
        assert_eq!(digest("socket").as_deref(), Some("special"));
        assert_eq!(digest("large"), Some(format!("large:{}", BYTES_MAX + 1)));
        assert_eq!(digest("."), Some("directory".to_owned()));
        assert_eq!(digest("gone"), None);
        let keyless = read_files(FileRequest { paths: &paths, key: None, is_local: true }).await;
        assert!(keyless[&at("secret")].unknown().is_some());
        let far = read_files(FileRequest { paths: &paths, key: None, is_local: false }).await;
        assert!(far.values().all(|facts| facts.unknown().is_some()));
    }
}
