//! What people ask of the running controller: `reconcile` writes a token, `serve` takes it up and answers.

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use sqlx::FromRow;

use super::store::{Store, StoreError, time_text};
use crate::model::id::ResourceId;

/// How long answered requests are kept, for those who wait for the answer.
const ANSWERS_KEPT: TimeDelta = TimeDelta::days(1);
/// How many requests may wait; more than any hand can write while the controller is away.
const PENDING_MAX: i64 = 1_000;

/// One request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Request {
    /// Its token; a resource's `lastHandledRequest` becomes it.
    pub token: String,
    /// The resource; `None` for all.
    pub resource: Option<ResourceId>,
    /// When it was written.
    pub requested: DateTime<Utc>,
    /// By whom.
    pub requested_by: String,
    /// When the controller took it up.
    pub taken: Option<DateTime<Utc>>,
    /// When it was answered.
    pub answered: Option<DateTime<Utc>>,
    /// The answer, for people.
    pub answer: String,
}

statements! {
    COUNT = "SELECT COUNT(*) FROM requests WHERE taken IS NULL";
    ADD = "INSERT INTO requests (token, resource, requested, requested_by, taken, answered, answer)
           VALUES ($1, $2, $3, $4, NULL, NULL, '')";
    PENDING = "SELECT token, resource, requested, requested_by, taken, answered, answer FROM requests
               WHERE taken IS NULL ORDER BY requested, token";
    TAKE = "UPDATE requests SET taken = $2 WHERE token = $1 AND taken IS NULL";
    ANSWER = "UPDATE requests SET answered = $2, answer = $3 WHERE token = $1";
    ABANDONED = "UPDATE requests SET taken = NULL WHERE taken IS NOT NULL AND answered IS NULL";
    TRIM = "DELETE FROM requests WHERE answered < $1";
    READ = "SELECT token, resource, requested, requested_by, taken, answered, answer FROM requests
            WHERE token = $1";
}

#[derive(FromRow)]
struct Row {
    token: String,
    resource: String,
    requested: String,
    requested_by: String,
    taken: Option<String>,
    answered: Option<String>,
    answer: String,
}

impl Store {
    /// Asks the controller to reconcile a resource, or all; `None` when too many requests wait already.
    pub async fn request(
        &self,
        resource: Option<&ResourceId>,
        requested_by: &str,
        now: DateTime<Utc>,
    ) -> Result<Option<String>, StoreError> {
        let token = format!("{}-{:08x}", now.format("%Y%m%dT%H%M%S"), rand::random::<u32>());
        let mut writing = self.writing().await?;
        let (waiting,): (i64,) = self.read(sqlx::query_as(COUNT).fetch_one(writing.connection()).await)?;
        if waiting >= PENDING_MAX {
            return Ok(None);
        }
        let insert = sqlx::query(ADD)
            .bind(&token)
            .bind(resource.map(ToString::to_string).unwrap_or_default())
            .bind(time_text(now))
            .bind(requested_by);
        self.read(insert.execute(writing.connection()).await)?;
        writing.commit().await?;
        Ok(Some(token))
    }

    /// Requests that nobody took up yet, oldest first.
    pub async fn pending_requests(&self) -> Result<Vec<Request>, StoreError> {
        let mut connection = self.reading().await?;
        let rows: Vec<Row> = self.read(sqlx::query_as(PENDING).fetch_all(&mut *connection).await)?;
        rows.into_iter().map(|row| request(self, row)).collect()
    }

    /// Takes a request up; `false` when another was faster.
    pub async fn take_request(&self, token: &str, now: DateTime<Utc>) -> Result<bool, StoreError> {
        let mut writing = self.writing().await?;
        let update = sqlx::query(TAKE).bind(token).bind(time_text(now));
        let taken = self.read(update.execute(writing.connection()).await)?.rows_affected() > 0;
        writing.commit().await?;
        Ok(taken)
    }

    /// Answers a request, and forgets answers that are older than a day.
    pub async fn answer_request(
        &self,
        token: &str,
        answer: &str,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let mut writing = self.writing().await?;
        let update = sqlx::query(ANSWER).bind(token).bind(time_text(now)).bind(answer);
        self.read(update.execute(writing.connection()).await)?;
        let trim = sqlx::query(TRIM).bind(time_text(now - ANSWERS_KEPT));
        self.read(trim.execute(writing.connection()).await)?;
        writing.commit().await
    }

    /// Puts back requests that an earlier controller took up and never answered; called once when one starts.
    pub async fn reopen_requests(&self) -> Result<u64, StoreError> {
        let mut writing = self.writing().await?;
        let update = sqlx::query(ABANDONED).execute(writing.connection()).await;
        let reopened = self.read(update)?.rows_affected();
        writing.commit().await?;
        Ok(reopened)
    }

    /// One request, for those who wait for its answer.
    pub async fn read_request(&self, token: &str) -> Result<Option<Request>, StoreError> {
        let mut connection = self.reading().await?;
        let query = sqlx::query_as(READ).bind(token);
        let row: Option<Row> = self.read(query.fetch_optional(&mut *connection).await)?;
        row.map(|row| request(self, row)).transpose()
    }
}

fn request(store: &Store, row: Row) -> Result<Request, StoreError> {
    let resource = match row.resource.as_str() {
        "" => None,
        text => Some(ResourceId::parse(text).ok_or_else(|| store.value("a resource", text))?),
    };
    Ok(Request {
        resource,
        requested: store.time(&row.requested)?,
        taken: store.time_option(row.taken.as_deref())?,
        answered: store.time_option(row.answered.as_deref())?,
        token: row.token,
        requested_by: row.requested_by,
        answer: row.answer,
    })
}
