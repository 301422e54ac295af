//! Finds the values behind references to secrets, and keeps the key of their fingerprints.
//!
//! A value lives in memory only. A value that is missing (nobody set it) is told from one that could
//! not be read (nobody knows). Nothing here writes a value anywhere, and no error contains one.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use age::armor::ArmoredReader;
use rand::Rng as _;
use secrecy::{ExposeSecret as _, SecretString};

use crate::model::document::{Node, parse_documents};
use crate::model::secret::{HmacKey, SecretRef};

/// The longest secret; certificates with their chain are about 8 KiB.
const SECRET_BYTES_MAX: u64 = 64 << 10;
/// The largest encrypted file.
const AGE_BYTES_MAX: usize = 1 << 20;
/// The HMAC key's length: that of SHA-256's output.
const KEY_BYTES: usize = 32;

/// Where secrets come from.
#[derive(Clone, Default)]
pub struct SecretSettings {
    /// The controller's own environment, for `{env: NAME}`.
    pub environment: BTreeMap<String, SecretString>,
    /// The file of age identities, for `{age: FILE, key: NAME}`.
    pub age_identity: Option<PathBuf>,
}

impl fmt::Debug for SecretSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.environment.keys().collect();
        f.debug_struct("SecretSettings")
            .field("environment", &names.len())
            .field("age_identity", &self.age_identity)
            .finish()
    }
}

/// Why a secret has no value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// Nobody set it: nothing changes until the input does.
    #[error("{0}")]
    Missing(String),
    /// It could not be read; it may be there.
    #[error("{0}")]
    Unreadable(String),
}

/// What an age file of the state repository gives.
pub trait StateFiles {
    /// The bytes of a file of the state repository at the revision; `Ok(None)` when there is no such file.
    fn state_file(&self, path: &str) -> Result<Option<Vec<u8>>, String>;
}

/// Finds the values of secrets. Decrypts each encrypted file once.
#[derive(Debug)]
pub struct SecretResolver {
    settings: SecretSettings,
    key: Option<HmacKey>,
    decrypted: Mutex<HashMap<String, Decrypted>>,
}

/// The content of an encrypted file by key, or why there is none, with the digest of the encrypted bytes.
type Decrypted = (String, Result<BTreeMap<String, SecretString>, SecretError>);

impl SecretResolver {
    /// A resolver over the given sources.
    pub fn new(settings: SecretSettings) -> Self {
        SecretResolver { settings, key: None, decrypted: Mutex::default() }
    }

    /// The same, able to make secrets of its own from the controller's key.
    pub fn with_key(self, key: HmacKey) -> Self {
        SecretResolver { key: Some(key), ..self }
    }

    /// The secret that the controller makes for a purpose: always the same for the same key and the same purpose, 64
    /// hexadecimal digits. `None` for one who has no key.
    pub fn generated(&self, purpose: &str) -> Option<SecretString> {
        let key = self.key.as_ref()?;
        Some(SecretString::from(key.fingerprint(format!("secret for {purpose}").as_bytes())))
    }

    /// The value of a secret; `files` is the state repository at the revision that names it.
    pub fn resolve(
        &self,
        reference: &SecretRef,
        files: &dyn StateFiles,
    ) -> Result<SecretString, SecretError> {
        match reference {
            SecretRef::Env(secret) => match self.settings.environment.get(&secret.env) {
                Some(value) if !value.expose_secret().is_empty() => Ok(value.clone()),
                Some(_) => Err(SecretError::Missing(format!("the variable `{}` is empty", secret.env))),
                None => Err(SecretError::Missing(format!("the variable `{}` is not set", secret.env))),
            },
            SecretRef::File(secret) => read_secret_file(Path::new(&secret.file)),
            SecretRef::Age(secret) => {
                let missing =
                    || SecretError::Missing(format!("the file `{}` has no key `{}`", secret.age, secret.key));
                self.decrypt(&secret.age, files)?.get(&secret.key).cloned().ok_or_else(missing)
            }
        }
    }

    fn decrypt(
        &self,
        path: &str,
        files: &dyn StateFiles,
    ) -> Result<BTreeMap<String, SecretString>, SecretError> {
        let bytes = files
            .state_file(path)
            .map_err(|why| SecretError::Unreadable(format!("the file `{path}` can't be read: {why}")))?
            .ok_or_else(|| SecretError::Missing(format!("there is no file `{path}`")))?;
        let digest = crate::model::hash::sha256_hex(&bytes);
        let mut known = self.decrypted.lock().expect("no thread panics while it holds the lock");
        match known.get(path) {
            Some((known_digest, content)) if *known_digest == digest => content.clone(),
            _ => {
                let content = decrypt_map(path, &bytes, self.settings.age_identity.as_deref());
                known.insert(path.to_owned(), (digest, content.clone()));
                content
            }
        }
    }
}

fn read_secret_file(path: &Path) -> Result<SecretString, SecretError> {
    let shown = path.display();
    let unreadable =
        |why: String| SecretError::Unreadable(format!("the file `{shown}` can't be read: {why}"));
    let file = std::fs::File::open(path).map_err(|err| match err.kind() {
        std::io::ErrorKind::NotFound => SecretError::Missing(format!("there is no file `{shown}`")),
        _ => unreadable(err.to_string()),
    })?;
    let regular = file.metadata().map(|metadata| metadata.is_file()).unwrap_or(false);
    if !regular {
        return Err(unreadable("it is not a regular file".to_owned()));
    }
    let mut text = String::new();
    match file.take(SECRET_BYTES_MAX + 1).read_to_string(&mut text) {
        Err(err) if err.kind() == std::io::ErrorKind::InvalidData => {
            return Err(unreadable("it is not UTF-8".to_owned()));
        }
        Err(err) => return Err(unreadable(err.to_string())),
        Ok(_) => {}
    }
    if text.len() as u64 > SECRET_BYTES_MAX {
        return Err(unreadable(format!("it is longer than {SECRET_BYTES_MAX} bytes")));
    }
    let value = text.strip_suffix('\n').map_or(text.as_str(), |line| line.strip_suffix('\r').unwrap_or(line));
    if value.is_empty() {
        return Err(SecretError::Missing(format!("the file `{shown}` is empty")));
    }
    Ok(SecretString::from(value.to_owned()))
}

fn decrypt_map(
    path: &str,
    bytes: &[u8],
    identity: Option<&Path>,
) -> Result<BTreeMap<String, SecretString>, SecretError> {
    let identity = identity.ok_or_else(|| {
        SecretError::Missing(format!(
            "`{path}` is encrypted, and no age identity is configured (`secrets.ageIdentity`)"
        ))
    })?;
    let unreadable = |why: String| SecretError::Unreadable(format!("`{path}` can't be decrypted: {why}"));
    let identities = age::IdentityFile::from_file(identity.display().to_string())
        .map_err(|err| unreadable(format!("the identity file `{}`: {err}", identity.display())))?
        .into_identities()
        .map_err(|err| unreadable(format!("the identity file `{}`: {err}", identity.display())))?;
    let decryptor =
        age::Decryptor::new_buffered(ArmoredReader::new(bytes)).map_err(|err| unreadable(err.to_string()))?;
    let reader = decryptor
        .decrypt(identities.iter().map(|identity| identity.as_ref() as &dyn age::Identity))
        .map_err(|err| unreadable(err.to_string()))?;
    let mut plain = Vec::new();
    reader
        .take(AGE_BYTES_MAX as u64 + 1)
        .read_to_end(&mut plain)
        .map_err(|err| unreadable(err.to_string()))?;
    if plain.len() > AGE_BYTES_MAX {
        return Err(unreadable(format!("it is longer than {AGE_BYTES_MAX} bytes")));
    }
    // The parser's own messages and snippets may quote the text, so only their rule and line are used.
    let (documents, problems) = parse_documents(path, &plain);
    if let Some(problem) = problems.first() {
        let line = problem.location.as_ref().map_or(1, |location| location.line);
        return Err(unreadable(format!("its content is not valid YAML ({}, line {line})", problem.rule)));
    }
    let entries = documents.first().and_then(Node::entries);
    let entries = entries.ok_or_else(|| unreadable("its content is not a YAML map".to_owned()))?;
    Ok(entries
        .iter()
        .filter_map(|entry| Some((entry.key.clone(), SecretString::from(entry.value.text()?.to_owned()))))
        .collect())
}

/// Why the key of the fingerprints can't be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// It could not be read or made.
    #[error("failed to read or make the key file `{}`", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        err: std::io::Error,
    },
    /// Others may read it.
    #[error("the key file `{}` may be read by others (mode {mode:o})", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// It holds something else.
    #[error("the key file `{}` is not {KEY_BYTES} bytes in hexadecimal", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
    },
}

/// Reads the key of all fingerprints, and makes it the first time: a 0600 file beside the store.
///
/// Two callers at once get the same key: the file appears whole, under its name, once.
pub fn ensure_hmac_key(path: &Path) -> Result<HmacKey, KeyError> {
    let io = |err| KeyError::Io { path: path.to_owned(), err };
    if let Some(key) = read_key(path)? {
        return Ok(key);
    }
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(io)?;
    }
    let bytes: [u8; KEY_BYTES] = rand::rng().random();
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or("hmac.key");
    let temporary = path.with_file_name(format!(".{name}.{}", hex::encode(&bytes[..4])));
    let mut file =
        std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary).map_err(io)?;
    let random: [u8; KEY_BYTES] = rand::rng().random();
    let written = file.write_all(hex::encode(random).as_bytes()).and_then(|()| file.sync_all());
    // A hard link fails when the name exists, so whoever comes second reads the first one's key.
    let linked = written.and_then(|()| std::fs::hard_link(&temporary, path));
    let removed = std::fs::remove_file(&temporary);
    match linked {
        Err(err) if err.kind() != std::io::ErrorKind::AlreadyExists => return Err(io(err)),
        _ => removed.map_err(io)?,
    }
    read_key(path)?.ok_or_else(|| KeyError::Invalid { path: path.to_owned() })
}

fn read_key(path: &Path) -> Result<Option<HmacKey>, KeyError> {
    let io = |err| KeyError::Io { path: path.to_owned(), err };
    let file = match std::fs::File::open(path) {
        Ok(file) => file,
        Err(err) if err.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(err) => return Err(io(err)),
    };
    let mode = file.metadata().map_err(io)?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(KeyError::Open { path: path.to_owned(), mode });
    }
    let mut text = String::new();
    file.take(4 * KEY_BYTES as u64).read_to_string(&mut text).map_err(io)?;
    let text = text.trim();
    match hex::decode(text) {
        Ok(bytes) if bytes.len() == KEY_BYTES => Ok(Some(HmacKey::new(text))),
        _ => Err(KeyError::Invalid { path: path.to_owned() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::secret::{AgeSecret, EnvSecret, FileSecret};

    struct OneFile(&'static str, Vec<u8>);

    impl StateFiles for OneFile {
        fn state_file(&self, path: &str) -> Result<Option<Vec<u8>>, String> {
            Ok((path == self.0).then(|| self.1.clone()))
        }
    }

    fn none() -> OneFile {
        OneFile("", Vec::new())
    }

    #[test]
    fn a_variable_that_is_not_set_is_missing() {
        let environment = [("A".to_owned(), SecretString::from("x".to_owned()))].into();
        let resolver = SecretResolver::new(SecretSettings { environment, age_identity: None });
        let reference = |name: &str| SecretRef::Env(EnvSecret { env: name.into() });
        assert_eq!(resolver.resolve(&reference("A"), &none()).unwrap().expose_secret(), "x");
        assert!(matches!(resolver.resolve(&reference("B"), &none()), Err(SecretError::Missing(_))));
    }

    #[test]
    fn one_line_end_of_a_file_is_dropped_and_a_folder_is_unreadable() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        std::fs::write(&path, "a b\n\n").unwrap();
        let resolver = SecretResolver::new(SecretSettings::default());
        let resolve = |path: &Path| {
            resolver.resolve(&SecretRef::File(FileSecret { file: path.display().to_string() }), &none())
        };
        assert_eq!(resolve(&path).unwrap().expose_secret(), "a b\n");
        assert!(matches!(resolve(folder.path()), Err(SecretError::Unreadable(_))));
        assert!(matches!(resolve(&folder.path().join("none")), Err(SecretError::Missing(_))));
    }

    #[test]
    fn an_age_file_gives_its_keys_and_errors_never_quote_it() {
        let folder = tempfile::tempdir().unwrap();
        let identity = age::x25519::Identity::generate();
        let path = folder.path().join("id");
        std::fs::write(&path, identity.to_string().expose_secret()).unwrap();
        let settings = || SecretSettings { age_identity: Some(path.clone()), ..SecretSettings::default() };
        let file = |text: &str| {
            let text = age::encrypt_and_armor(&identity.to_public(), text.as_bytes()).unwrap();
            OneFile("secrets/a.age", text.into_bytes())
        };
        let reference =
            |key: &str| SecretRef::Age(AgeSecret { age: "secrets/a.age".into(), key: key.into() });
        let resolver = SecretResolver::new(settings());
        let good = file("db: hunter2\n");
        assert_eq!(resolver.resolve(&reference("db"), &good).unwrap().expose_secret(), "hunter2");
        assert!(matches!(resolver.resolve(&reference("x"), &good), Err(SecretError::Missing(_))));
        let bad = resolver.resolve(&reference("db"), &file("db: [hunter2\n")).unwrap_err();
        assert!(matches!(&bad, SecretError::Unreadable(why) if !why.contains("hunter2")), "{bad}");
        let other = age::x25519::Identity::generate();
        std::fs::write(&path, other.to_string().expose_secret()).unwrap();
        let wrong = SecretResolver::new(settings()).resolve(&reference("db"), &good).unwrap_err();
        assert!(matches!(wrong, SecretError::Unreadable(_)));
    }

    #[test]
    fn the_key_is_made_once_and_refused_when_others_may_read_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state/hmac.key");
        let first = ensure_hmac_key(&path).unwrap();
        assert_eq!(ensure_hmac_key(&path).unwrap().id(), first.id());
        assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(ensure_hmac_key(&path), Err(KeyError::Open { mode: 0o644, .. })));
    }
}
