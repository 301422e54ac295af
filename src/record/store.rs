//! One SQLite file that remembers what was done, what is true and who may act.
//!
//! Every commit is on disk before it is believed (WAL, `synchronous=FULL`). The file can always be thrown
//! away: desired state is in git and ownership is on labels, so an empty store is filled by observing.
//! The SQL is kept to what PostgreSQL also takes; only this file knows that SQLite is underneath.

use std::fs;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::pool::PoolConnection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Sqlite, SqliteConnection, SqlitePool};
use tokio::sync::{Mutex, OwnedMutexGuard};

use super::migrations;

/// How long a statement waits for another process: longer than any transaction of ours, shorter than patience.
const BUSY_WAIT: Duration = Duration::from_secs(10);
/// One connection writes, one reads beside it; more would only wait for the file.
const CONNECTIONS_MAX: u32 = 2;
/// A reader asks one thing after another, and opening a connection takes longer than all its questions.
const READER_CONNECTIONS_MAX: u32 = 1;
/// How long a task waits for one of our own connections: writers wait for the file before, so this is generous.
const POOL_WAIT: Duration = Duration::from_secs(30);
/// SQLite's way to begin a transaction that writes: it waits for the file now, not at the first write.
const BEGIN_WRITING: &str = "BEGIN IMMEDIATE";

/// The memory of the controller and its command line; cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    pool: SqlitePool,
    path: Arc<PathBuf>,
    writer: Arc<Mutex<()>>,
}

/// Why the store could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The address is of a kind that this version can't open.
    #[error("store `{0}` is not supported by this version; use a path or `sqlite:PATH`")]
    Address(String),
    /// The state folder or the file could not be made or read.
    #[error("cannot use store `{path}`")]
    File {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        err: std::io::Error,
    },
    /// The bytes are not a sound database.
    #[error(
        "store `{path}` is damaged ({detail}); move it away with its `-wal` and `-shm` files: \
         what it held is rebuilt from git and the labels on what runs, history is lost"
    )]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What was found.
        detail: String,
    },
    /// A newer program wrote it.
    #[error("store `{path}` has schema {found}, this version knows up to {known}; use the newer ipaictl")]
    Newer {
        /// The file.
        path: PathBuf,
        /// The schema that it has.
        found: i64,
        /// The newest that we know.
        known: i64,
    },
    /// Another process keeps it.
    #[error("store `{path}` stayed locked by another process for {} s", BUSY_WAIT.as_secs())]
    Busy {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        #[source]
        err: sqlx::Error,
    },
    /// The file system is full; nothing was written.
    #[error("no space left for store `{path}`")]
    Full {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        #[source]
        err: sqlx::Error,
    },
    /// A row holds what this version can't read.
    #[error("store `{path}` holds `{text}` as {what}")]
    Value {
        /// The file.
        path: PathBuf,
        /// What it should be.
        what: &'static str,
        /// What is there.
        text: String,
    },
    /// Any other failure of the database.
    #[error("store `{path}` failed")]
    Sql {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        #[source]
        err: sqlx::Error,
    },
}

impl Store {
    /// Opens the store for acting; makes folder and file when they are missing, brings the schema up to date
    /// and refuses a damaged file.
    pub async fn open(path: &Path) -> Result<Store, StoreError> {
        let new = prepare(path)?;
        let store = Store::connect(path, CONNECTIONS_MAX).await?;
        migrations::migrate(&store).await?;
        if !new {
            store.check().await?;
        }
        Ok(store)
    }

    /// Opens the store for reading its memory; `None` when there is none yet.
    ///
    /// Makes nothing, but brings an older schema up to date. Without the full check of [`Store::open`].
    pub async fn open_existing(path: &Path) -> Result<Option<Store>, StoreError> {
        let is_there = path.try_exists().map_err(|err| StoreError::File { path: path.to_owned(), err })?;
        if !is_there {
            return Ok(None);
        }
        let store = Store::connect(path, READER_CONNECTIONS_MAX).await?;
        migrations::migrate(&store).await?;
        Ok(Some(store))
    }

    async fn connect(path: &Path, connections: u32) -> Result<Store, StoreError> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(BUSY_WAIT);
        let pool = SqlitePoolOptions::new()
            .max_connections(connections)
            .min_connections(0)
            .acquire_timeout(POOL_WAIT)
            .connect_with(options)
            .await
            .map_err(|err| error(path, err))?;
        Ok(Store { pool, path: Arc::new(path.to_owned()), writer: Arc::new(Mutex::new(())) })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The folder of the file, which holds evidence and keys too.
    pub fn folder(&self) -> &Path {
        self.path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
    }

    /// Reads every page and index; an error names the first that is damaged.
    pub async fn check(&self) -> Result<(), StoreError> {
        let mut connection = self.reading().await?;
        let found: Vec<(String,)> =
            self.read(sqlx::query_as("PRAGMA integrity_check(1)").fetch_all(&mut *connection).await)?;
        match found.first() {
            Some((text,)) if text == "ok" => Ok(()),
            Some((text,)) => Err(self.corrupt(text)),
            None => Err(self.corrupt("no answer to the integrity check")),
        }
    }

    /// Writes a consistent copy to a new file, with the mode of the store.
    pub async fn backup(&self, target: &Path) -> Result<(), StoreError> {
        // VACUUM INTO wants the file absent or empty; made first, it never has another mode.
        create_private(target).map_err(|err| StoreError::File { path: target.to_owned(), err })?;
        let mut connection = self.reading().await?;
        let target = target.to_string_lossy().into_owned();
        self.read(sqlx::query("VACUUM INTO $1").bind(target).execute(&mut *connection).await)?;
        Ok(())
    }

    /// Ends all connections; the write-ahead log is folded into the file.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    pub(super) async fn reading(&self) -> Result<PoolConnection<Sqlite>, StoreError> {
        self.read(self.pool.acquire().await)
    }

    /// Begins a transaction that writes. Only one at a time in this process: the others wait here, not in
    /// SQLite's busy loop.
    pub(super) async fn writing(&self) -> Result<Writing, StoreError> {
        let turn = self.writer.clone().lock_owned().await;
        let connection = self.reading().await?;
        let mut writing = Writing { connection, store: self.clone(), is_committed: false, _turn: turn };
        self.read(sqlx::query(BEGIN_WRITING).execute(writing.connection()).await)?;
        Ok(writing)
    }

    /// Gives a database answer this store's error.
    pub(super) fn read<T>(&self, result: Result<T, sqlx::Error>) -> Result<T, StoreError> {
        result.map_err(|err| error(&self.path, err))
    }

    pub(super) fn corrupt(&self, detail: impl Into<String>) -> StoreError {
        StoreError::Corrupt { path: self.path().to_owned(), detail: detail.into() }
    }

    pub(super) fn newer(&self, found: i64, known: i64) -> StoreError {
        StoreError::Newer { path: self.path().to_owned(), found, known }
    }

    /// Reads a time that [`time_text`] wrote.
    pub(super) fn time(&self, text: &str) -> Result<DateTime<Utc>, StoreError> {
        DateTime::parse_from_rfc3339(text)
            .map(|time| time.with_timezone(&Utc))
            .map_err(|_| self.value("a time", text))
    }

    /// Reads an optional time.
    pub(super) fn time_option(&self, text: Option<&str>) -> Result<Option<DateTime<Utc>>, StoreError> {
        text.map(|text| self.time(text)).transpose()
    }

    /// Reads JSON that [`json_text`] wrote.
    pub(super) fn json<T: DeserializeOwned>(&self, what: &'static str, text: &str) -> Result<T, StoreError> {
        serde_json::from_str(text).map_err(|_| self.value(what, text))
    }

    /// Reads one word of an enum that [`word`] wrote.
    pub(super) fn word<T: DeserializeOwned>(&self, what: &'static str, text: &str) -> Result<T, StoreError> {
        serde_json::from_value(serde_json::Value::String(text.to_owned())).map_err(|_| self.value(what, text))
    }

    pub(super) fn value(&self, what: &'static str, text: &str) -> StoreError {
        let text = text.chars().take(80).collect();
        StoreError::Value { path: self.path().to_owned(), what, text }
    }
}

/// A transaction that writes, and this process's turn to do so. Dropped without a commit, it did nothing.
///
/// Its connection is used again only after a commit: a full disk or a failing one makes SQLite roll back by itself,
/// so that nobody could tell whether the next user would find a transaction in it. Closing settles that.
pub struct Writing {
    connection: PoolConnection<Sqlite>,
    pub(super) store: Store,
    is_committed: bool,
    _turn: OwnedMutexGuard<()>,
}

impl Writing {
    pub(super) fn connection(&mut self) -> &mut SqliteConnection {
        &mut self.connection
    }

    /// Makes everything in it durable, or says why nothing was kept.
    pub(super) async fn commit(mut self) -> Result<(), StoreError> {
        let store = self.store.clone();
        store.read(sqlx::query("COMMIT").execute(self.connection()).await)?;
        self.is_committed = true;
        Ok(())
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        if !self.is_committed {
            self.connection.close_on_drop();
        }
    }
}

/// Reads `PATH` or `sqlite:PATH` as the path of a store.
pub fn parse_location(text: &str) -> Result<PathBuf, StoreError> {
    let path = text.strip_prefix("sqlite://").or_else(|| text.strip_prefix("sqlite:")).unwrap_or(text);
    if path.is_empty() || path.contains("://") || path == ":memory:" {
        return Err(StoreError::Address(text.to_owned()));
    }
    Ok(PathBuf::from(path))
}

/// A time as it is stored and shown: UTC with milliseconds, so that text order is time order.
pub(super) fn time_text(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// A value as JSON text.
pub(super) fn json_text<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("our types are plain JSON")
}

/// The word of a fieldless enum variant.
pub(super) fn word<T: Serialize>(value: T) -> String {
    match serde_json::to_value(value).expect("our enums are plain JSON") {
        serde_json::Value::String(text) => text,
        other => other.to_string(),
    }
}

/// Makes the folder (0700) and the file (0600) when they are missing; says whether the file is new.
fn prepare(path: &Path) -> Result<bool, StoreError> {
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(|err| StoreError::File { path: folder.to_owned(), err })?;
    let failed = |err| StoreError::File { path: path.to_owned(), err };
    match create_private(path) {
        Ok(()) => Ok(true),
        Err(err) if err.kind() == std::io::ErrorKind::AlreadyExists => {
            let metadata = fs::metadata(path).map_err(failed)?;
            if metadata.permissions().mode() & 0o077 != 0 {
                fs::set_permissions(path, fs::Permissions::from_mode(0o600)).map_err(failed)?;
            }
            Ok(metadata.len() == 0)
        }
        Err(err) => Err(failed(err)),
    }
}

fn create_private(path: &Path) -> std::io::Result<()> {
    fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map(drop)
}

/// Sorts a failure by SQLite's primary result code, the low byte of the extended one.
fn error(path: &Path, err: sqlx::Error) -> StoreError {
    let path = path.to_owned();
    let code = err.as_database_error().and_then(|err| err.code()).and_then(|code| code.parse::<i32>().ok());
    match code.map(|code| code & 0xff) {
        // SQLITE_BUSY, SQLITE_LOCKED
        Some(5 | 6) => StoreError::Busy { path, err },
        // SQLITE_FULL
        Some(13) => StoreError::Full { path, err },
        // SQLITE_CORRUPT, SQLITE_NOTADB
        Some(11 | 26) => StoreError::Corrupt { path, detail: err.to_string() },
        _ => StoreError::Sql { path, err },
    }
}
