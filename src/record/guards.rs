//! What keeps the loop from fighting: corrections of the same field, and operations that change nothing.
//!
//! Counts only; what follows from a count is decided by planning.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};

use super::store::{Store, StoreError, Writing, time_text};
use crate::apply::outcome::StepOutcome;
use crate::model::id::ResourceId;
use crate::plan::memory::Attempts;

/// How long a correction counts: a peer's flap limit, long enough to see a writer that comes every minute.
pub const CORRECTION_WINDOW: TimeDelta = TimeDelta::seconds(300);

statements! {
    CORRECTED = "INSERT INTO corrections (run, name, resource, corrected) VALUES ($1, $2, $3, $4)
                 ON CONFLICT (run, name) DO NOTHING";
    TRIM = "DELETE FROM corrections WHERE corrected <= $1";
    CORRECTIONS = "SELECT name, COUNT(*) FROM corrections WHERE corrected > $1 GROUP BY name ORDER BY name";
    ATTEMPTED = "INSERT INTO attempts (fingerprint, resource, digest, times, latest, error)
                 VALUES ($1, $2, $3, 1, $4, $5)
                 ON CONFLICT (fingerprint) DO UPDATE
                 SET times = attempts.times + 1, latest = excluded.latest, error = excluded.error";
    PROGRESS = "DELETE FROM attempts WHERE fingerprint = $1";
    NEW_INPUT = "DELETE FROM attempts WHERE resource = $1 AND digest <> $2";
    RETRY = "DELETE FROM attempts WHERE resource = $1";
    ATTEMPTS = "SELECT fingerprint, times, error FROM attempts ORDER BY fingerprint";
}

impl Store {
    /// Corrections within the last 300 s, by `Step::correction_keys`.
    pub async fn corrections(&self, now: DateTime<Utc>) -> Result<BTreeMap<String, u32>, StoreError> {
        let mut connection = self.reading().await?;
        let query = sqlx::query_as(CORRECTIONS).bind(time_text(now - CORRECTION_WINDOW));
        let rows: Vec<(String, i64)> = self.read(query.fetch_all(&mut *connection).await)?;
        Ok(rows.into_iter().map(count).collect())
    }

    /// Operations that were applied and then planned again, by `Step::fingerprint`.
    pub async fn attempts(&self) -> Result<BTreeMap<String, Attempts>, StoreError> {
        let mut connection = self.reading().await?;
        let rows: Vec<(String, i64, String)> =
            self.read(sqlx::query_as(ATTEMPTS).fetch_all(&mut *connection).await)?;
        let attempts = rows.into_iter().map(|(fingerprint, times, error)| {
            let (fingerprint, times) = count((fingerprint, times));
            (fingerprint, Attempts { times, error })
        });
        Ok(attempts.collect())
    }

    /// Lets a stalled resource be tried again, because a person asked.
    pub async fn retry(&self, resource: &ResourceId) -> Result<(), StoreError> {
        let mut writing = self.writing().await?;
        let delete = sqlx::query(RETRY).bind(resource.to_string());
        self.read(delete.execute(writing.connection()).await)?;
        writing.commit().await
    }
}

fn count((name, times): (String, i64)) -> (String, u32) {
    (name, u32::try_from(times).unwrap_or(u32::MAX))
}

/// Counts a correction once for each run, and drops those that count no longer.
pub(super) async fn corrected(
    writing: &mut Writing,
    run: &str,
    resource: &ResourceId,
    name: &str,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let store = writing.store.clone();
    let insert = sqlx::query(CORRECTED).bind(run).bind(name).bind(resource.to_string()).bind(time_text(now));
    store.read(insert.execute(writing.connection()).await)?;
    let trim = sqlx::query(TRIM).bind(time_text(now - CORRECTION_WINDOW));
    store.read(trim.execute(writing.connection()).await)?;
    Ok(())
}

/// Counts that an operation failed for good, or was applied and planned again all the same.
pub(super) async fn attempted(
    writing: &mut Writing,
    step: &StepOutcome,
    fingerprint: &str,
    digest: &str,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let store = writing.store.clone();
    let insert = sqlx::query(ATTEMPTED)
        .bind(fingerprint)
        .bind(step.resource.to_string())
        .bind(digest)
        .bind(time_text(now))
        .bind(step.error.as_deref().unwrap_or_default());
    store.read(insert.execute(writing.connection()).await)?;
    Ok(())
}

/// Forgets an operation that did change something.
pub(super) async fn progress(writing: &mut Writing, fingerprint: &str) -> Result<(), StoreError> {
    let store = writing.store.clone();
    store.read(sqlx::query(PROGRESS).bind(fingerprint).execute(writing.connection()).await)?;
    Ok(())
}

/// Forgets what was tried for another desired state of a resource.
pub(super) async fn new_input(
    writing: &mut Writing,
    resource: &ResourceId,
    digest: &str,
) -> Result<(), StoreError> {
    let store = writing.store.clone();
    let delete = sqlx::query(NEW_INPUT).bind(resource.to_string()).bind(digest);
    store.read(delete.execute(writing.connection()).await)?;
    Ok(())
}
