//! The schema, one version after another; each is applied in a transaction of its own.
//!
//! A version is never edited once it was released: what it lacks is a further one.

use super::store::{Store, StoreError};

/// What makes schema version `n` of version `n - 1`, at index `n - 1`.
const VERSIONS: &[&[&str]] = &[
    &[
        "CREATE TABLE resources (
        id TEXT NOT NULL PRIMARY KEY,
        generation BIGINT NOT NULL,
        observed_generation BIGINT NOT NULL,
        digest TEXT NOT NULL,
        last_attempted_revision TEXT,
        last_applied_revision TEXT,
        last_applied_digest TEXT,
        last_applied_plan TEXT,
        last_handled_request TEXT,
        last_run TEXT,
        subjects TEXT NOT NULL,
        prune BIGINT NOT NULL,
        containers TEXT NOT NULL,
        updated TEXT NOT NULL)",
        "CREATE TABLE conditions (
        resource TEXT NOT NULL REFERENCES resources (id) ON DELETE CASCADE,
        kind TEXT NOT NULL,
        status TEXT NOT NULL,
        reason TEXT NOT NULL,
        message TEXT NOT NULL,
        changed TEXT NOT NULL,
        PRIMARY KEY (resource, kind))",
        "CREATE TABLE runs (
        id TEXT NOT NULL PRIMARY KEY,
        minute TEXT NOT NULL,
        number BIGINT NOT NULL,
        correlation TEXT NOT NULL,
        scope TEXT NOT NULL,
        revision TEXT NOT NULL,
        plan_hash TEXT NOT NULL,
        holder TEXT NOT NULL,
        started TEXT NOT NULL,
        ended TEXT,
        outcome TEXT NOT NULL,
        counts TEXT NOT NULL,
        evidence TEXT,
        message TEXT NOT NULL,
        UNIQUE (minute, number))",
        "CREATE INDEX runs_by_start ON runs (started)",
        "CREATE TABLE journal (
        run TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
        step BIGINT NOT NULL,
        position BIGINT NOT NULL,
        resource TEXT NOT NULL,
        host TEXT NOT NULL,
        subject TEXT NOT NULL,
        operation TEXT NOT NULL,
        fencing BIGINT NOT NULL,
        started TEXT NOT NULL,
        ended TEXT,
        result TEXT NOT NULL,
        detail TEXT NOT NULL,
        PRIMARY KEY (run, step, position))",
        "CREATE INDEX journal_by_result ON journal (result)",
        "CREATE TABLE inventory (
        resource TEXT NOT NULL,
        host TEXT NOT NULL,
        kind TEXT NOT NULL,
        name TEXT NOT NULL,
        engine_id TEXT NOT NULL,
        protect BIGINT NOT NULL,
        added TEXT NOT NULL,
        PRIMARY KEY (host, kind, name))",
        "CREATE TABLE tombstones (
        resource TEXT NOT NULL PRIMARY KEY,
        since TEXT NOT NULL,
        revisions BIGINT NOT NULL,
        last_revision TEXT NOT NULL)",
        "CREATE TABLE orphans (
        name TEXT NOT NULL PRIMARY KEY,
        resource TEXT NOT NULL,
        since TEXT NOT NULL,
        revisions BIGINT NOT NULL,
        last_revision TEXT NOT NULL)",
        "CREATE TABLE corrections (
        run TEXT NOT NULL,
        name TEXT NOT NULL,
        resource TEXT NOT NULL,
        corrected TEXT NOT NULL,
        PRIMARY KEY (run, name))",
        "CREATE INDEX corrections_by_time ON corrections (corrected)",
        "CREATE TABLE attempts (
        fingerprint TEXT NOT NULL PRIMARY KEY,
        resource TEXT NOT NULL,
        digest TEXT NOT NULL,
        times BIGINT NOT NULL,
        latest TEXT NOT NULL)",
        "CREATE TABLE locks (
        resource TEXT NOT NULL PRIMARY KEY,
        id TEXT NOT NULL,
        holder TEXT NOT NULL,
        process TEXT NOT NULL,
        fencing BIGINT NOT NULL,
        acquired TEXT NOT NULL,
        expires TEXT NOT NULL,
        boot TEXT NOT NULL,
        expires_uptime BIGINT NOT NULL,
        why TEXT NOT NULL,
        plan_hash TEXT NOT NULL)",
        "CREATE TABLE events (
        number BIGINT NOT NULL PRIMARY KEY,
        happened TEXT NOT NULL,
        correlation TEXT NOT NULL,
        resource TEXT NOT NULL,
        kind TEXT NOT NULL,
        reason TEXT NOT NULL,
        revision TEXT NOT NULL,
        severity TEXT NOT NULL,
        message TEXT NOT NULL)",
        "CREATE INDEX events_by_reason ON events (resource, reason, revision, happened)",
        "CREATE TABLE requests (
        token TEXT NOT NULL PRIMARY KEY,
        resource TEXT NOT NULL,
        requested TEXT NOT NULL,
        requested_by TEXT NOT NULL,
        taken TEXT,
        answered TEXT,
        answer TEXT NOT NULL)",
        "CREATE TABLE stops (
        host TEXT NOT NULL,
        container TEXT NOT NULL,
        name TEXT NOT NULL,
        stopped TEXT NOT NULL,
        PRIMARY KEY (host, container))",
        "CREATE TABLE facts (
        name TEXT NOT NULL PRIMARY KEY,
        text TEXT NOT NULL,
        noted TEXT NOT NULL)",
        "CREATE TABLE schedule (
        name TEXT NOT NULL PRIMARY KEY,
        last_run TEXT NOT NULL)",
    ],
    &["ALTER TABLE attempts ADD COLUMN error TEXT NOT NULL DEFAULT ''"],
];

/// The newest schema that this program knows.
pub(super) const SCHEMA_VERSION: i64 = VERSIONS.len() as i64;

statements! {
    MAKE_VERSION = "CREATE TABLE IF NOT EXISTS schema_version (version BIGINT NOT NULL PRIMARY KEY)";
    READ_VERSION = "SELECT COALESCE(MAX(version), 0) FROM schema_version";
    WRITE_VERSION = "INSERT INTO schema_version (version) VALUES ($1)";
    IS_THERE = "SELECT name FROM sqlite_master WHERE type = 'table' AND name = 'schema_version'";
}

/// Brings the schema to the newest version; refuses one that a newer program made.
pub(super) async fn migrate(store: &Store) -> Result<(), StoreError> {
    let mut found = version(store).await?;
    while found < SCHEMA_VERSION {
        let mut writing = store.writing().await?;
        store.read(sqlx::query(MAKE_VERSION).execute(writing.connection()).await)?;
        // Read again within the transaction: another process may have been faster.
        let (now,): (i64,) =
            store.read(sqlx::query_as(READ_VERSION).fetch_one(writing.connection()).await)?;
        if let Some(statements) = usize::try_from(now).ok().and_then(|now| VERSIONS.get(now)) {
            for statement in *statements {
                store.read(sqlx::query(*statement).execute(writing.connection()).await)?;
            }
            store.read(sqlx::query(WRITE_VERSION).bind(now + 1).execute(writing.connection()).await)?;
        }
        writing.commit().await?;
        found = version(store).await?;
    }
    if found > SCHEMA_VERSION { Err(store.newer(found, SCHEMA_VERSION)) } else { Ok(()) }
}

/// The schema version of the file; 0 for an empty one.
async fn version(store: &Store) -> Result<i64, StoreError> {
    let mut connection = store.reading().await?;
    let table: Option<(String,)> =
        store.read(sqlx::query_as(IS_THERE).fetch_optional(&mut *connection).await)?;
    if table.is_none() {
        return Ok(0);
    }
    let (version,): (i64,) = store.read(sqlx::query_as(READ_VERSION).fetch_one(&mut *connection).await)?;
    Ok(version)
}
