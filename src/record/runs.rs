//! What was done and when: one row for each run that changed something or tried to.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sqlx::FromRow;

use super::save;
use super::store::{Store, StoreError, Writing, json_text, time_text, word};
use crate::model::id::{ResourceId, Revision};
use crate::plan::report::ResourceReport;

/// How many runs are kept: at ten a day, more than two years.
const RUNS_MAX: i64 = 10_000;
/// The most runs that one question returns.
pub const HISTORY_MAX: u32 = 1_000;

/// A run that is about to begin.
#[derive(Debug, Clone)]
pub struct NewRun<'a> {
    /// Ties log lines, events and this run together.
    pub correlation: &'a str,
    /// What it is about: `all`, or `Kind/name` joined by commas.
    pub scope: &'a str,
    /// The desired revision.
    pub revision: &'a Revision,
    /// The plan's hash.
    pub plan_hash: &'a str,
    /// Who runs it.
    pub holder: &'a str,
    /// What is true of the resources that it acts on, as it begins.
    pub reports: &'a [ResourceReport],
}

/// One run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RunRecord {
    /// `YYYYMMDD-HHMM-n`, in UTC.
    pub id: String,
    /// Ties log lines, events and this run together.
    pub correlation: String,
    /// What it is about: `all`, or `Kind/name` joined by commas.
    pub scope: String,
    /// The desired revision.
    pub revision: Revision,
    /// The plan's hash.
    pub plan_hash: String,
    /// Who ran it.
    pub holder: String,
    /// When it began.
    pub started: DateTime<Utc>,
    /// When it ended; `None` while it runs.
    pub ended: Option<DateTime<Utc>>,
    /// How it ended.
    pub outcome: RunResult,
    /// How many steps ended how.
    pub counts: Counts,
    /// The folder of its evidence pack, relative to the state folder's `evidence`.
    pub evidence: Option<String>,
    /// The first error, for people; empty when there was none.
    pub message: String,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunResult {
    /// It has not ended.
    Running,
    /// Observed equals desired.
    Applied,
    /// Applied, but something is not healthy.
    Unhealthy,
    /// A step failed, or what was done was not seen afterwards.
    Failed,
    /// Stopped between two operations.
    Cancelled,
    /// Its process ended before it did.
    Interrupted,
}

/// How many steps ended how.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Counts {
    /// All operations done.
    pub done: u32,
    /// One of them failed.
    pub failed: u32,
    /// Not begun, because a step that they need failed.
    pub skipped: u32,
    /// Not begun or not finished, because the run was stopped.
    pub cancelled: u32,
}

/// Which runs a question is about.
#[derive(Debug, Clone, Default)]
pub struct HistoryFilter {
    /// Only those that touched this resource.
    pub resource: Option<ResourceId>,
    /// Only those that began at or after this time.
    pub since: Option<DateTime<Utc>>,
    /// Only this run.
    pub id: Option<String>,
}

/// How a run ends.
#[derive(Debug, Clone)]
pub struct RunEnd<'a> {
    /// How it ended.
    pub outcome: RunResult,
    /// How many steps ended how.
    pub counts: Counts,
    /// The folder of its evidence pack, relative to the state folder's `evidence`.
    pub evidence: Option<&'a str>,
    /// The first error; redacted by the caller.
    pub message: &'a str,
}

statements! {
    NEXT_NUMBER = "SELECT COALESCE(MAX(number), 0) + 1 FROM runs WHERE minute = $1";
    BEGIN = "INSERT INTO runs (id, minute, number, correlation, scope, revision, plan_hash, holder, started,
             ended, outcome, counts, evidence, message)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, NULL, 'running', '{}', NULL, '')";
    FINISH = "UPDATE runs SET ended = $2, outcome = $3, counts = $4, evidence = $5, message = $6 WHERE id = $1";
    TRIM = "DELETE FROM runs WHERE outcome <> 'running' AND started < (
            SELECT MIN(started) FROM (SELECT started FROM runs ORDER BY started DESC LIMIT $1) AS kept)";
    UNFINISHED = "SELECT id, correlation, scope, revision, plan_hash, holder, started, ended, outcome, counts,
                  evidence, message FROM runs WHERE outcome = 'running' ORDER BY started, id";
    HISTORY = "SELECT id, correlation, scope, revision, plan_hash, holder, started, ended, outcome, counts,
               evidence, message FROM runs
               WHERE started >= $1 AND ($2 = '' OR id = $2)
                 AND ($3 = '' OR scope = $3 OR id IN (SELECT run FROM journal WHERE resource = $3))
               ORDER BY started DESC, minute DESC, number DESC LIMIT $4";
}

#[derive(FromRow)]
struct Row {
    id: String,
    correlation: String,
    scope: String,
    revision: String,
    plan_hash: String,
    holder: String,
    started: String,
    ended: Option<String>,
    outcome: String,
    counts: String,
    evidence: Option<String>,
    message: String,
}

impl Store {
    /// Writes that a run begins and what is true of its resources meanwhile, and gives it its id.
    pub async fn begin_run(&self, run: &NewRun<'_>, now: DateTime<Utc>) -> Result<RunRecord, StoreError> {
        let minute = now.format("%Y%m%d-%H%M").to_string();
        let mut writing = self.writing().await?;
        let (number,): (i64,) =
            self.read(sqlx::query_as(NEXT_NUMBER).bind(&minute).fetch_one(writing.connection()).await)?;
        let id = format!("{minute}-{number}");
        let insert = sqlx::query(BEGIN)
            .bind(&id)
            .bind(&minute)
            .bind(number)
            .bind(run.correlation)
            .bind(run.scope)
            .bind(json_text(run.revision))
            .bind(run.plan_hash)
            .bind(run.holder)
            .bind(time_text(now));
        self.read(insert.execute(writing.connection()).await)?;
        save::begin(&mut writing, run, now).await?;
        writing.commit().await?;
        Ok(RunRecord {
            id,
            correlation: run.correlation.to_owned(),
            scope: run.scope.to_owned(),
            revision: run.revision.clone(),
            plan_hash: run.plan_hash.to_owned(),
            holder: run.holder.to_owned(),
            started: now,
            ended: None,
            outcome: RunResult::Running,
            counts: Counts::default(),
            evidence: None,
            message: String::new(),
        })
    }

    /// Writes how a run ended, and drops the oldest runs beyond the limit.
    pub async fn finish_run(&self, id: &str, end: &RunEnd<'_>, now: DateTime<Utc>) -> Result<(), StoreError> {
        let mut writing = self.writing().await?;
        finish(&mut writing, id, end, now).await?;
        writing.commit().await
    }

    /// The runs that have not ended, oldest first: those under way, and those whose process died.
    pub async fn unfinished_runs(&self) -> Result<Vec<RunRecord>, StoreError> {
        let mut connection = self.reading().await?;
        let rows: Vec<Row> = self.read(sqlx::query_as(UNFINISHED).fetch_all(&mut *connection).await)?;
        rows.into_iter().map(|row| self.run(row)).collect()
    }

    /// The latest runs first, at most `limit` and never more than [`HISTORY_MAX`].
    pub async fn history(&self, filter: &HistoryFilter, limit: u32) -> Result<Vec<RunRecord>, StoreError> {
        let mut connection = self.reading().await?;
        let query = sqlx::query_as(HISTORY)
            .bind(filter.since.map(time_text).unwrap_or_default())
            .bind(filter.id.clone().unwrap_or_default())
            .bind(filter.resource.as_ref().map(ToString::to_string).unwrap_or_default())
            .bind(i64::from(limit.min(HISTORY_MAX)));
        let rows: Vec<Row> = self.read(query.fetch_all(&mut *connection).await)?;
        rows.into_iter().map(|row| self.run(row)).collect()
    }

    fn run(&self, row: Row) -> Result<RunRecord, StoreError> {
        Ok(RunRecord {
            revision: self.json("a revision", &row.revision)?,
            started: self.time(&row.started)?,
            ended: self.time_option(row.ended.as_deref())?,
            outcome: self.word("a run's outcome", &row.outcome)?,
            counts: self.json("step counts", &row.counts)?,
            id: row.id,
            correlation: row.correlation,
            scope: row.scope,
            plan_hash: row.plan_hash,
            holder: row.holder,
            evidence: row.evidence,
            message: row.message,
        })
    }
}

/// Writes how a run ended.
pub(super) async fn finish(
    writing: &mut Writing,
    id: &str,
    end: &RunEnd<'_>,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let store = writing.store.clone();
    let update = sqlx::query(FINISH)
        .bind(id)
        .bind(time_text(now))
        .bind(word(end.outcome))
        .bind(json_text(&end.counts))
        .bind(end.evidence)
        .bind(end.message);
    store.read(update.execute(writing.connection()).await)?;
    store.read(sqlx::query(TRIM).bind(RUNS_MAX).execute(writing.connection()).await)?;
    Ok(())
}
