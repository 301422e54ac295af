//! The write-ahead journal: each operation is on disk before it is asked for, and its answer after.
//!
//! An operation without an answer may have happened; only observing says whether it did. Rows go with their run.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sqlx::FromRow;

use super::inventory::{self, InventoryChange};
use super::locks;
use super::store::{Store, StoreError, Writing, json_text, time_text, word};
use crate::model::id::ResourceId;

/// One operation as the journal names it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OperationKey {
    /// The run.
    pub run: String,
    /// The step's number in its plan.
    pub step: u32,
    /// The operation's place in its step, from 0.
    pub position: u32,
}

/// An operation that is about to be asked for.
#[derive(Debug, Clone)]
pub struct OperationStart {
    /// Which.
    pub key: OperationKey,
    /// The resource it serves.
    pub resource: ResourceId,
    /// The host it acts on.
    pub host: String,
    /// What the step acts on, such as `container odoo-1`.
    pub subject: String,
    /// The operation without secrets.
    pub operation: serde_json::Value,
    /// The lock's fencing number; a newer one in the store refuses the operation.
    pub fencing: i64,
    /// What the inventory has to know before.
    pub inventory: Option<InventoryChange>,
}

/// How an operation ended.
#[derive(Debug, Clone)]
pub struct OperationEnd {
    /// Which.
    pub key: OperationKey,
    /// How.
    pub result: OperationResult,
    /// What it answered or why it failed; redacted by the caller.
    pub detail: String,
    /// What the inventory has to know after.
    pub inventory: Option<InventoryChange>,
}

/// How an operation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OperationResult {
    /// Asked for; no answer is known.
    Started,
    /// Done.
    Done,
    /// Refused or failed.
    Failed,
    /// A wait that was stopped.
    Cancelled,
    /// Its process died; observing showed that it had happened.
    FoundDone,
    /// Its process died; observing showed that it had not happened.
    FoundNotDone,
    /// Its process died, and what would tell could not be read.
    Unknown,
}

/// One row of the journal.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct JournalEntry {
    /// Which.
    pub key: OperationKey,
    /// The resource it served.
    pub resource: ResourceId,
    /// The host it acted on.
    pub host: String,
    /// What its step acted on.
    pub subject: String,
    /// The operation without secrets.
    pub operation: serde_json::Value,
    /// The fencing number it was asked under.
    pub fencing: i64,
    /// When it was asked for.
    pub started: DateTime<Utc>,
    /// When it ended.
    pub ended: Option<DateTime<Utc>>,
    /// How it ended.
    pub result: OperationResult,
    /// What it answered or why it failed.
    pub detail: String,
}

statements! {
    START = "INSERT INTO journal (run, step, position, resource, host, subject, operation, fencing, started,
             ended, result, detail) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, NULL, 'started', '')";
    END = "UPDATE journal SET ended = $4, result = $5, detail = $6
           WHERE run = $1 AND step = $2 AND position = $3";
    OF_RUN = "SELECT run, step, position, resource, host, subject, operation, fencing, started, ended, result,
              detail FROM journal WHERE run = $1 ORDER BY step, position";
    DURING = "SELECT subject, operation FROM journal
              WHERE host = $1 AND started <= $3 AND (ended IS NULL OR ended >= $2)";
    OPEN = "SELECT run, step, position, resource, host, subject, operation, fencing, started, ended, result,
            detail FROM journal WHERE result IN ('started', 'unknown') ORDER BY started, run, step, position";
}

#[derive(FromRow)]
struct Row {
    run: String,
    step: i64,
    position: i64,
    resource: String,
    host: String,
    subject: String,
    operation: String,
    fencing: i64,
    started: String,
    ended: Option<String>,
    result: String,
    detail: String,
}

/// Whether an operation may be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permission {
    /// Its row is on disk and the lock is ours.
    Granted,
    /// Somebody else has the lock by now; nothing was written of the new operation.
    LeaseLost,
}

impl Store {
    /// Writes in one transaction how the last operation ended and that the next one begins.
    ///
    /// The end is kept even when the lock is lost; the start is written only under a lock that is still ours.
    pub async fn advance(
        &self,
        end: Option<&OperationEnd>,
        start: Option<&OperationStart>,
        now: DateTime<Utc>,
    ) -> Result<Permission, StoreError> {
        let mut writing = self.writing().await?;
        if let Some(end) = end {
            write_end(&mut writing, end, now).await?;
        }
        let mut permission = Permission::Granted;
        if let Some(start) = start {
            if locks::holds(&mut writing, &start.resource, start.fencing).await? {
                write_start(&mut writing, start, now).await?;
            } else {
                permission = Permission::LeaseLost;
            }
        }
        writing.commit().await?;
        Ok(permission)
    }

    /// The journal of one run in the order of the plan.
    pub async fn journal(&self, run: &str) -> Result<Vec<JournalEntry>, StoreError> {
        let mut connection = self.reading().await?;
        let rows: Vec<Row> = self.read(sqlx::query_as(OF_RUN).bind(run).fetch_all(&mut *connection).await)?;
        rows.into_iter().map(|row| self.entry(row)).collect()
    }

    /// Operations of all runs that have no answer, oldest first.
    pub async fn open_operations(&self) -> Result<Vec<JournalEntry>, StoreError> {
        let mut connection = self.reading().await?;
        let rows: Vec<Row> = self.read(sqlx::query_as(OPEN).fetch_all(&mut *connection).await)?;
        rows.into_iter().map(|row| self.entry(row)).collect()
    }

    /// Whether an operation of ours that ends a container (named by the engine's id or its name) was under way on a
    /// host at some moment of a span of time. Tells our own stops from those of others.
    pub async fn has_stopped(
        &self,
        host: &str,
        names: &[&str],
        from: DateTime<Utc>,
        to: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let mut connection = self.reading().await?;
        let query = sqlx::query_as(DURING).bind(host).bind(time_text(from)).bind(time_text(to));
        let rows: Vec<(String, String)> = self.read(query.fetch_all(&mut *connection).await)?;
        const ENDING: [&str; 3] = ["\"stopContainer\"", "\"restartContainer\"", "\"removeContainer\""];
        let ends = |operation: &str| ENDING.iter().any(|word| operation.contains(word));
        Ok(rows.iter().filter(|(_, operation)| ends(operation)).any(|(subject, operation)| {
            names.iter().any(|name| {
                subject.split_once(' ').is_some_and(|(_, subject)| subject == *name)
                    || operation.contains(&serde_json::Value::from(*name).to_string())
            })
        }))
    }

    fn entry(&self, row: Row) -> Result<JournalEntry, StoreError> {
        let number = |value: i64| u32::try_from(value).map_err(|_| self.value("a step", &value.to_string()));
        Ok(JournalEntry {
            resource: ResourceId::parse(&row.resource)
                .ok_or_else(|| self.value("a resource", &row.resource))?,
            operation: self.json("an operation", &row.operation)?,
            started: self.time(&row.started)?,
            ended: self.time_option(row.ended.as_deref())?,
            result: self.word("an operation's result", &row.result)?,
            key: OperationKey { step: number(row.step)?, position: number(row.position)?, run: row.run },
            host: row.host,
            subject: row.subject,
            fencing: row.fencing,
            detail: row.detail,
        })
    }
}

/// Writes how an operation ended.
pub(super) async fn write_end(
    writing: &mut Writing,
    end: &OperationEnd,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let store = writing.store.clone();
    let update = sqlx::query(END)
        .bind(&end.key.run)
        .bind(i64::from(end.key.step))
        .bind(i64::from(end.key.position))
        .bind(time_text(now))
        .bind(word(end.result))
        .bind(&end.detail);
    store.read(update.execute(writing.connection()).await)?;
    match &end.inventory {
        Some(change) => inventory::change(writing, change, now).await,
        None => Ok(()),
    }
}

async fn write_start(
    writing: &mut Writing,
    start: &OperationStart,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let store = writing.store.clone();
    let insert = sqlx::query(START)
        .bind(&start.key.run)
        .bind(i64::from(start.key.step))
        .bind(i64::from(start.key.position))
        .bind(start.resource.to_string())
        .bind(&start.host)
        .bind(&start.subject)
        .bind(json_text(&start.operation))
        .bind(start.fencing)
        .bind(time_text(now));
    store.read(insert.execute(writing.connection()).await)?;
    match &start.inventory {
        Some(change) => inventory::change(writing, change, now).await,
        None => Ok(()),
    }
}
