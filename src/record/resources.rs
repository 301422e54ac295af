//! What is true of each resource, and what was last applied of it.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::FromRow;

use super::store::{Store, StoreError, Writing, json_text, time_text, word};
use crate::model::condition::{Condition, ConditionType, Reason, Status};
use crate::model::id::{ResourceId, Revision};
use crate::plan::memory::{Applied, Memory};
use crate::plan::report::{ConditionReport, ResourceReport};

/// The last judgement of a resource, as every face shows it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ResourceStatus {
    /// The resource.
    pub id: ResourceId,
    /// Grows by one whenever the digest changes.
    pub generation: i64,
    /// The generation that was last judged to the end: ready or stalled.
    pub observed_generation: i64,
    /// The desired state's digest.
    pub digest: String,
    /// The revision that was last tried.
    pub last_attempted_revision: Option<Revision>,
    /// The revision that was last seen applied.
    pub last_applied_revision: Option<Revision>,
    /// The digest that was last seen applied.
    pub last_applied_digest: Option<String>,
    /// The hash of the plan that last changed it.
    pub last_applied_plan: Option<String>,
    /// The token of the last manual request that was answered.
    pub last_handled_request: Option<String>,
    /// The last run that acted on it.
    pub last_run: Option<String>,
    /// When it was last judged.
    pub updated: DateTime<Utc>,
    /// The answers, in the order of the questions.
    pub conditions: Vec<Condition>,
    /// Its containers at the last judgement.
    pub containers: serde_json::Value,
}

/// A condition that has another answer than before.
#[derive(Debug, Clone)]
pub(super) struct Transition {
    pub(super) resource: ResourceId,
    pub(super) before: Option<Status>,
    pub(super) after: ConditionReport,
}

/// What was seen applied of a resource.
#[derive(Debug, Clone)]
pub(super) struct SeenApplied<'a> {
    pub(super) resource: &'a ResourceId,
    pub(super) revision: &'a Revision,
    pub(super) digest: &'a str,
    /// The plan that changed it; `None` keeps the former one, because nothing had to be changed.
    pub(super) plan: Option<&'a str>,
    pub(super) subjects: &'a BTreeMap<String, String>,
    pub(super) prune: bool,
}

statements! {
    JUDGE = "INSERT INTO resources (id, generation, observed_generation, digest, last_attempted_revision,
               subjects, prune, containers, updated)
             VALUES ($1, 1, CASE WHEN $2 = 1 THEN 1 ELSE 0 END, $3, $4, '{}', 0, $5, $6)
             ON CONFLICT (id) DO UPDATE SET
               generation = resources.generation
                 + CASE WHEN resources.digest = excluded.digest THEN 0 ELSE 1 END,
               observed_generation = CASE
                 WHEN $2 = 1 AND resources.digest = excluded.digest THEN resources.generation
                 WHEN $2 = 1 THEN resources.generation + 1
                 ELSE resources.observed_generation END,
               digest = excluded.digest,
               last_attempted_revision =
                 COALESCE(excluded.last_attempted_revision, resources.last_attempted_revision),
               containers = excluded.containers, updated = excluded.updated";
    APPLIED = "UPDATE resources SET last_applied_revision = $2, last_applied_digest = $3,
                 last_applied_plan = COALESCE($4, last_applied_plan), subjects = $5, prune = $6 WHERE id = $1";
    RAN = "UPDATE resources SET last_run = $2 WHERE id = $1";
    HANDLED = "UPDATE resources SET last_handled_request = $2 WHERE id = $1";
    CONDITION = "SELECT status FROM conditions WHERE resource = $1 AND kind = $2";
    JUDGE_CONDITION = "INSERT INTO conditions (resource, kind, status, reason, message, changed)
                       VALUES ($1, $2, $3, $4, $5, $6)
                       ON CONFLICT (resource, kind) DO UPDATE SET
                         changed = CASE WHEN conditions.status = excluded.status
                           THEN conditions.changed ELSE excluded.changed END,
                         status = excluded.status, reason = excluded.reason, message = excluded.message";
    MEMORY = "SELECT id, last_applied_revision, last_applied_digest, subjects, prune FROM resources
              WHERE last_applied_digest IS NOT NULL ORDER BY id";
    STATUSES = "SELECT id, generation, observed_generation, digest, last_attempted_revision,
                last_applied_revision, last_applied_digest, last_applied_plan, last_handled_request, last_run,
                updated, containers FROM resources ORDER BY id";
    CONDITIONS = "SELECT resource, kind, status, reason, message, changed FROM conditions";
}

#[derive(FromRow)]
struct Row {
    id: String,
    generation: i64,
    observed_generation: i64,
    digest: String,
    last_attempted_revision: Option<String>,
    last_applied_revision: Option<String>,
    last_applied_digest: Option<String>,
    last_applied_plan: Option<String>,
    last_handled_request: Option<String>,
    last_run: Option<String>,
    updated: String,
    containers: String,
}

impl Store {
    /// Everything that planning wants to know of earlier runs.
    pub async fn memory(&self, now: DateTime<Utc>) -> Result<Memory, StoreError> {
        Ok(Memory {
            applied: self.applied().await?,
            inventory: self.inventory().await?,
            tombstones: self.tombstones().await?,
            orphans: self.orphans().await?,
            corrections: self.corrections(now).await?,
            no_progress: self.attempts().await?,
            // Only git knows; see `reconcile`.
            strayed: BTreeSet::new(),
        })
    }

    async fn applied(&self) -> Result<BTreeMap<ResourceId, Applied>, StoreError> {
        let mut connection = self.reading().await?;
        let rows: Vec<(String, Option<String>, String, String, i64)> =
            self.read(sqlx::query_as(MEMORY).fetch_all(&mut *connection).await)?;
        rows.into_iter()
            .map(|(id, revision, digest, subjects, prune)| {
                let revision: Option<Revision> =
                    revision.map(|text| self.json("a revision", &text)).transpose()?;
                let applied = Applied {
                    digest,
                    commit: revision.and_then(|revision| revision.commit),
                    subjects: self.json("subjects", &subjects)?,
                    prune: prune != 0,
                };
                Ok((self.resource_id(&id)?, applied))
            })
            .collect()
    }

    /// The last judgement of every resource, sorted by kind and name.
    pub async fn statuses(&self) -> Result<Vec<ResourceStatus>, StoreError> {
        let mut connection = self.reading().await?;
        let rows: Vec<Row> = self.read(sqlx::query_as(STATUSES).fetch_all(&mut *connection).await)?;
        let answers: Vec<(String, String, String, String, String, String)> =
            self.read(sqlx::query_as(CONDITIONS).fetch_all(&mut *connection).await)?;
        let mut conditions: BTreeMap<String, Vec<Condition>> = BTreeMap::new();
        for (resource, kind, status, reason, message, changed) in answers {
            conditions.entry(resource).or_default().push(Condition {
                kind: self.word("a condition", &kind)?,
                status: self.word("a status", &status)?,
                reason: self.word::<Reason>("a reason", &reason)?,
                message,
                last_transition_time: self.time(&changed)?,
            });
        }
        let mut statuses = Vec::with_capacity(rows.len());
        for row in rows {
            let mut own = conditions.remove(&row.id).unwrap_or_default();
            own.sort_by_key(|condition| condition.kind);
            statuses.push(self.status_of(row, own)?);
        }
        statuses.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(statuses)
    }

    /// The last judgement of one resource.
    pub async fn status(&self, id: &ResourceId) -> Result<Option<ResourceStatus>, StoreError> {
        Ok(self.statuses().await?.into_iter().find(|status| status.id == *id))
    }

    fn status_of(&self, row: Row, conditions: Vec<Condition>) -> Result<ResourceStatus, StoreError> {
        let revision =
            |text: Option<String>| text.map(|text| self.json::<Revision>("a revision", &text)).transpose();
        Ok(ResourceStatus {
            id: self.resource_id(&row.id)?,
            generation: row.generation,
            observed_generation: row.observed_generation,
            digest: row.digest,
            last_attempted_revision: revision(row.last_attempted_revision)?,
            last_applied_revision: revision(row.last_applied_revision)?,
            last_applied_digest: row.last_applied_digest,
            last_applied_plan: row.last_applied_plan,
            last_handled_request: row.last_handled_request,
            last_run: row.last_run,
            updated: self.time(&row.updated)?,
            conditions,
            containers: self.json("containers", &row.containers)?,
        })
    }

    pub(super) fn resource_id(&self, text: &str) -> Result<ResourceId, StoreError> {
        ResourceId::parse(text).ok_or_else(|| self.value("a resource", text))
    }

    /// Notes what is true of resources, outside of a run; answers that changed become events.
    ///
    /// `attempted` is the revision that was tried; `None` when it could not be read.
    pub async fn save_conditions(
        &self,
        reports: &[ResourceReport],
        attempted: Option<&Revision>,
        correlation: &str,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let mut writing = self.writing().await?;
        let mut transitions = Vec::new();
        for report in reports {
            transitions.extend(judge(&mut writing, report, attempted, now).await?);
        }
        super::save::tell(&mut writing, &transitions, attempted, correlation, now).await?;
        writing.commit().await
    }

    /// Notes which manual request was the last to be answered for a resource.
    pub async fn note_handled(&self, resource: &ResourceId, token: &str) -> Result<(), StoreError> {
        let mut writing = self.writing().await?;
        let update = sqlx::query(HANDLED).bind(resource.to_string()).bind(token);
        self.read(update.execute(writing.connection()).await)?;
        writing.commit().await
    }
}

/// Writes what is true of a resource; returns the answers that changed.
pub(super) async fn judge(
    writing: &mut Writing,
    report: &ResourceReport,
    attempted: Option<&Revision>,
    now: DateTime<Utc>,
) -> Result<Vec<Transition>, StoreError> {
    let store = writing.store.clone();
    let id = report.id.to_string();
    let is_judged = report.conditions.iter().any(|condition| {
        matches!(condition.kind, ConditionType::Ready | ConditionType::Stalled)
            && condition.status == Status::True
    });
    let judge = sqlx::query(JUDGE)
        .bind(&id)
        .bind(i64::from(is_judged))
        .bind(&report.digest)
        .bind(attempted.map(json_text))
        .bind(json_text(&report.containers))
        .bind(time_text(now));
    store.read(judge.execute(writing.connection()).await)?;
    let mut transitions = Vec::new();
    for condition in &report.conditions {
        let query = sqlx::query_as(CONDITION).bind(&id).bind(word(condition.kind));
        let before: Option<(String,)> = store.read(query.fetch_optional(writing.connection()).await)?;
        let before = before.map(|(text,)| store.word::<Status>("a status", &text)).transpose()?;
        if before != Some(condition.status) {
            let after = condition.clone();
            transitions.push(Transition { resource: report.id.clone(), before, after });
        }
        let judge = sqlx::query(JUDGE_CONDITION)
            .bind(&id)
            .bind(word(condition.kind))
            .bind(word(condition.status))
            .bind(word(condition.reason))
            .bind(&condition.message)
            .bind(time_text(now));
        store.read(judge.execute(writing.connection()).await)?;
    }
    Ok(transitions)
}

/// Writes that a resource was seen as it is wanted.
pub(super) async fn applied(writing: &mut Writing, seen: &SeenApplied<'_>) -> Result<(), StoreError> {
    let store = writing.store.clone();
    let update = sqlx::query(APPLIED)
        .bind(seen.resource.to_string())
        .bind(json_text(seen.revision))
        .bind(seen.digest)
        .bind(seen.plan)
        .bind(json_text(seen.subjects))
        .bind(i64::from(seen.prune));
    store.read(update.execute(writing.connection()).await)?;
    Ok(())
}

/// Writes which run acted on a resource last.
pub(super) async fn ran(writing: &mut Writing, resource: &ResourceId, run: &str) -> Result<(), StoreError> {
    let store = writing.store.clone();
    let update = sqlx::query(RAN).bind(resource.to_string()).bind(run);
    store.read(update.execute(writing.connection()).await)?;
    Ok(())
}

/// Writes which manual request a pass answered for a resource.
pub(super) async fn handled(
    writing: &mut Writing,
    resource: &ResourceId,
    token: &str,
) -> Result<(), StoreError> {
    let store = writing.store.clone();
    let update = sqlx::query(HANDLED).bind(resource.to_string()).bind(token);
    store.read(update.execute(writing.connection()).await)?;
    Ok(())
}
