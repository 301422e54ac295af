//! What happened, append-only, for people and notifiers.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use sqlx::FromRow;

use super::store::{Store, StoreError, Writing, time_text, word};
use crate::model::id::ResourceId;

/// The same resource, reason and revision are told at most once in this time.
const SILENCE: TimeDelta = TimeDelta::minutes(5);
/// How many events are kept: months of an ordinary installation, and some 10 MB at worst.
const EVENTS_MAX: i64 = 50_000;
/// The most events that one question returns.
pub const EVENTS_SHOWN_MAX: u32 = 1_000;

/// How much an event matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// As it should be.
    Info,
    /// Somebody should look.
    Warning,
}

/// An event that is about to be written.
#[derive(Debug, Clone)]
pub struct NewEvent<'a> {
    /// Ties it to a run and its log lines; empty when there is none.
    pub correlation: &'a str,
    /// The resource; `None` when it is about the controller itself.
    pub resource: Option<&'a ResourceId>,
    /// The sort of event: `Ready`, `Applied`, `SourceUnavailable`, ….
    pub kind: &'a str,
    /// Why, as one word for programs.
    pub reason: &'a str,
    /// The desired revision's commit; empty when there is none.
    pub revision: &'a str,
    /// How much it matters.
    pub severity: Severity,
    /// For people; redacted by the caller.
    pub message: &'a str,
}

/// One event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    /// Its number; grows.
    pub number: i64,
    /// When.
    pub happened: DateTime<Utc>,
    /// Ties it to a run and its log lines.
    pub correlation: String,
    /// `Kind/name`; empty when it is about the controller itself.
    pub resource: String,
    /// The sort of event.
    pub kind: String,
    /// Why.
    pub reason: String,
    /// The desired revision's commit.
    pub revision: String,
    /// How much it matters.
    pub severity: Severity,
    /// For people.
    pub message: String,
}

/// Which events a question is about.
#[derive(Debug, Clone, Default)]
pub struct EventFilter {
    /// Only those of this resource.
    pub resource: Option<ResourceId>,
    /// Only those since this time.
    pub since: Option<DateTime<Utc>>,
    /// Only those after this number, for consumers that remember where they were.
    pub after: i64,
}

statements! {
    SEEN = "SELECT COUNT(*) FROM events
            WHERE resource = $1 AND kind = $2 AND reason = $3 AND revision = $4 AND happened > $5";
    ADD = "INSERT INTO events (number, happened, correlation, resource, kind, reason, revision, severity, message)
           SELECT COALESCE(MAX(number), 0) + 1, $1, $2, $3, $4, $5, $6, $7, $8 FROM events";
    TRIM = "DELETE FROM events WHERE number <= (SELECT MAX(number) FROM events) - $1";
    READ = "SELECT number, happened, correlation, resource, kind, reason, revision, severity, message
            FROM events WHERE number > $1 AND happened >= $2 AND ($3 = '' OR resource = $3)
            ORDER BY number DESC LIMIT $4";
}

#[derive(FromRow)]
struct Row {
    number: i64,
    happened: String,
    correlation: String,
    resource: String,
    kind: String,
    reason: String,
    revision: String,
    severity: String,
    message: String,
}

impl Store {
    /// Adds an event; `false` when the same was told within the last five minutes.
    pub async fn add_event(&self, event: &NewEvent<'_>, now: DateTime<Utc>) -> Result<bool, StoreError> {
        let mut writing = self.writing().await?;
        let added = add(&mut writing, event, now).await?;
        writing.commit().await?;
        Ok(added)
    }

    /// The latest events first, at most `limit` and never more than [`EVENTS_SHOWN_MAX`].
    pub async fn events(&self, filter: &EventFilter, limit: u32) -> Result<Vec<Event>, StoreError> {
        let mut connection = self.reading().await?;
        let query = sqlx::query_as(READ)
            .bind(filter.after)
            .bind(filter.since.map(time_text).unwrap_or_default())
            .bind(filter.resource.as_ref().map(ToString::to_string).unwrap_or_default())
            .bind(i64::from(limit.min(EVENTS_SHOWN_MAX)));
        let rows: Vec<Row> = self.read(query.fetch_all(&mut *connection).await)?;
        rows.into_iter()
            .map(|row| {
                Ok(Event {
                    happened: self.time(&row.happened)?,
                    severity: self.word("a severity", &row.severity)?,
                    number: row.number,
                    correlation: row.correlation,
                    resource: row.resource,
                    kind: row.kind,
                    reason: row.reason,
                    revision: row.revision,
                    message: row.message,
                })
            })
            .collect()
    }
}

/// Adds an event within a transaction; `false` when the same was told within the last five minutes.
pub(super) async fn add(
    writing: &mut Writing,
    event: &NewEvent<'_>,
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let store = writing.store.clone();
    let resource = event.resource.map(ToString::to_string).unwrap_or_default();
    let query = sqlx::query_as(SEEN)
        .bind(&resource)
        .bind(event.kind)
        .bind(event.reason)
        .bind(event.revision)
        .bind(time_text(now - SILENCE));
    let (seen,): (i64,) = store.read(query.fetch_one(writing.connection()).await)?;
    if seen > 0 {
        return Ok(false);
    }
    let insert = sqlx::query(ADD)
        .bind(time_text(now))
        .bind(event.correlation)
        .bind(&resource)
        .bind(event.kind)
        .bind(event.reason)
        .bind(event.revision)
        .bind(word(event.severity))
        .bind(event.message);
    store.read(insert.execute(writing.connection()).await)?;
    store.read(sqlx::query(TRIM).bind(EVENTS_MAX).execute(writing.connection()).await)?;
    Ok(true)
}
