//! What every pass needs, opened once: the state repository, secrets, the key of fingerprints, the store, clients.

use std::path::Path;

use chrono::Utc;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::apply::Progress;
use crate::clients::Clients;
use crate::clients::secrets::{
    KeyError, SecretError, SecretResolver, SecretSettings, StateFiles, ensure_hmac_key,
};
use crate::config::{Environment, Settings};
use crate::desired::source::SourceError;
use crate::desired::{At, LoadOptions, Loaded, Source, SourceSettings, load};
use crate::model::secret::HmacKey;
use crate::observed::endings::Endings;
use crate::record::store::{Store, StoreError, parse_location};

/// The name of the key's file in the state directory.
pub const KEY_FILE: &str = "hmac.key";

/// What every pass needs; made once, shared by all.
pub struct Context {
    /// Our own settings.
    pub settings: Settings,
    /// The state repository.
    pub source: Source,
    /// Finds the values of secrets.
    pub secrets: SecretResolver,
    /// Connections to engines.
    pub clients: Clients,
    /// The key of all fingerprints of secrets.
    pub key: HmacKey,
    /// What we remember of earlier runs; `None` for a reader when there is none, or none that it may read.
    pub store: Option<Store>,
    /// Containers of which it is not known yet whether a person stopped them.
    pub endings: Endings,
    /// Who we are in locks, history and the journal: the settings' holder and this process.
    pub holder: String,
    /// Hears what happens while a plan is executed; logs it unless somebody wants to see it.
    pub progress: fn(&Progress<'_>),
}

/// Whether a command may write into the state directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// It only reads: nothing is made, and what is missing is done without.
    Read,
    /// It acts: the state directory, the key and the store are made when they are missing.
    Write,
}

/// Why there is nothing to work with.
#[derive(Debug, thiserror::Error)]
pub enum ContextError {
    /// The state repository.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The key of fingerprints.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The secret that opens the state repository.
    #[error("the credential of the state repository can't be used")]
    Credential(#[source] SecretError),
    /// The state directory.
    #[error("failed to make the state directory `{path}`")]
    StateDir {
        /// Which.
        path: String,
        /// Why.
        #[source]
        err: std::io::Error,
    },
}

impl Context {
    /// Opens everything that the settings name. Touches no network.
    pub async fn open(
        settings: Settings,
        environment: &Environment,
        access: Access,
    ) -> Result<Context, ContextError> {
        if access == Access::Write {
            make_private(&settings.state_dir).map_err(|err| {
                let path = settings.state_dir.display().to_string();
                ContextError::StateDir { path, err }
            })?;
        }
        crate::desired::validate::prepare();
        let secrets = resolver(&settings, environment);
        let source = Source::open(&source_settings(&settings, &secrets)?)?;
        let key_file = settings.state_dir.join(KEY_FILE);
        say_lost_key(&settings, &key_file)?;
        let key = match access {
            Access::Write => ensure_hmac_key(&key_file)?,
            Access::Read => readable_key(&key_file)?,
        };
        let store = match access {
            Access::Write => Some(Store::open(&parse_location(&settings.store_url())?).await?),
            Access::Read => readable_store(&settings).await?,
        };
        let secrets = secrets.with_key(key.clone());
        let holder = format!("{}/{}", settings.holder, std::process::id());
        let (clients, progress) = (Clients::default(), super::carry_out::say as fn(&Progress<'_>));
        let endings = Endings::default();
        Ok(Context { settings, source, secrets, clients, key, store, endings, holder, progress })
    }

    /// Reads and checks the desired state at a revision, or the working tree.
    ///
    /// `fetch` brings our copies of the Repositories that documents name up to date first.
    pub async fn load_desired(&self, at: &At, fetch: bool) -> Result<Loaded, SourceError> {
        let loaded = load(&self.source, at, &self.secrets, &LoadOptions { now: Utc::now(), fetch }).await?;
        if let Some(state) = &loaded.state {
            self.clients.use_keys(&state.engine_keys).await;
        }
        Ok(loaded)
    }
}

/// The way to the values of secrets.
pub fn resolver(settings: &Settings, environment: &Environment) -> SecretResolver {
    SecretResolver::new(SecretSettings {
        environment: environment.variables(),
        age_identity: settings.age_identity.clone(),
    })
}

/// The state repository as the settings name it.
pub fn source_settings(
    settings: &Settings,
    secrets: &SecretResolver,
) -> Result<SourceSettings, ContextError> {
    let credential = match &settings.credential {
        Some(reference) => Some(secrets.resolve(reference, &NoFiles).map_err(ContextError::Credential)?),
        None => None,
    };
    Ok(SourceSettings {
        repo: settings.repo.clone().unwrap_or_else(|| ".".to_owned()),
        branch: settings.branch.clone(),
        path: settings.path.clone(),
        state_dir: settings.state_dir.clone(),
        allow: settings.git_allow.clone(),
        credential,
    })
}

/// What opens the state repository can't lie within it.
struct NoFiles;

impl StateFiles for NoFiles {
    fn state_file(&self, _path: &str) -> Result<Option<Vec<u8>>, String> {
        Ok(None)
    }
}

fn make_private(folder: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// The store for one who only reads: without one that may be read, labels on what runs tell change from drift.
async fn readable_store(settings: &Settings) -> Result<Option<Store>, StoreError> {
    let path = parse_location(&settings.store_url())?;
    match Store::open_existing(&path).await {
        Err(StoreError::File { .. } | StoreError::Sql { .. }) => {
            tracing::warn!(store = %path.display(), "the store can't be read; planning without its memory");
            Ok(None)
        }
        other => other,
    }
}

/// Says that the key is gone while the store is there: fingerprints and generated passwords are others without it.
fn say_lost_key(settings: &Settings, key: &Path) -> Result<(), StoreError> {
    let is_missing = |path: &Path| {
        let found = std::fs::symlink_metadata(path);
        found.is_err_and(|err| err.kind() == std::io::ErrorKind::NotFound)
    };
    if is_missing(key) && !is_missing(&parse_location(&settings.store_url())?) {
        tracing::warn!(
            key = %key.display(),
            "the key of fingerprints is gone and the store is there: with another key, secrets and files that hold them look changed, \
             and generated passwords are others; put the file back before anything is applied"
        );
    }
    Ok(())
}

/// The key for one who only reads: the real one where it can be read, otherwise one derived from the machine,
/// so that the same world gives the same fingerprints and nobody who sees only them knows the key.
fn readable_key(file: &Path) -> Result<HmacKey, KeyError> {
    match std::fs::symlink_metadata(file) {
        Ok(_) => match ensure_hmac_key(file) {
            Err(KeyError::Io { err, .. }) if err.kind() == std::io::ErrorKind::PermissionDenied => {
                Ok(machine_key())
            }
            other => other,
        },
        Err(_) => Ok(machine_key()),
    }
}

fn machine_key() -> HmacKey {
    let machine = std::fs::read("/etc/machine-id").unwrap_or_default();
    // Without an id of the machine the key is a fresh one: equal fingerprints are worth less than a known key.
    let seed = if machine.len() < 32 { rand::random::<[u8; 32]>().to_vec() } else { machine };
    let mut mac = Hmac::<Sha256>::new_from_slice(&seed).expect("HMAC takes a key of any length");
    mac.update(b"ipaictl: fingerprints for readers without the key");
    HmacKey::new(&hex::encode(mac.finalize().into_bytes()))
}
