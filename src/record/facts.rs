//! What only the controller itself can know: its heartbeat, its last good revision, stops by hand, schedule runs.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};

use super::store::{Store, StoreError, time_text};
use crate::model::condition::SourceCondition;
use crate::model::id::Revision;

/// The fact that says when `serve` was last alive.
pub const HEARTBEAT: &str = "heartbeat";
/// The fact that holds the last revision without errors, as JSON.
pub const LAST_GOOD_REVISION: &str = "last-good-revision";
/// The fact that holds the state repository's condition, as JSON.
const SOURCE_CONDITION: &str = "source-condition";

/// The heartbeat's text is its controller; this is it once `serve` has ended by itself.
pub const STOPPED: &str = "stopped";
/// A heart beats each minute; without two beats in a row nobody lives.
const HEARTBEAT_AGE_MAX: TimeDelta = TimeDelta::seconds(150);

/// Whether a controller lives, by its heartbeat.
pub fn is_alive(heartbeat: Option<&Fact>, now: DateTime<Utc>) -> bool {
    heartbeat.is_some_and(|fact| fact.text != STOPPED && now - fact.noted <= HEARTBEAT_AGE_MAX)
}

/// A fact and when it was noted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    /// Its text.
    pub text: String,
    /// When it was noted.
    pub noted: DateTime<Utc>,
}

statements! {
    NOTE = "INSERT INTO facts (name, text, noted) VALUES ($1, $2, $3)
            ON CONFLICT (name) DO UPDATE SET text = excluded.text, noted = excluded.noted";
    END = "UPDATE facts SET text = $3, noted = $4 WHERE name = $1 AND text = $2";
    READ = "SELECT text, noted FROM facts WHERE name = $1";
    STOP = "INSERT INTO stops (host, container, name, stopped) VALUES ($1, $2, $3, $4)
            ON CONFLICT (host, container) DO UPDATE SET name = excluded.name, stopped = excluded.stopped";
    UNSTOP = "DELETE FROM stops WHERE host = $1 AND container = $2";
    STOPS = "SELECT container, stopped FROM stops WHERE $1 = '' OR host = $1";
    TRIM_STOPS = "DELETE FROM stops WHERE stopped < $1";
    RAN = "INSERT INTO schedule (name, last_run) VALUES ($1, $2)
           ON CONFLICT (name) DO UPDATE SET last_run = excluded.last_run";
    LAST_RUN = "SELECT last_run FROM schedule WHERE name = $1";
}

impl Store {
    /// Notes a fact by name in place of what it was.
    pub async fn note_fact(&self, name: &str, text: &str, now: DateTime<Utc>) -> Result<(), StoreError> {
        let mut writing = self.writing().await?;
        let insert = sqlx::query(NOTE).bind(name).bind(text).bind(time_text(now));
        self.read(insert.execute(writing.connection()).await)?;
        writing.commit().await
    }

    /// Notes that the controller lives, by who it is.
    pub async fn beat(&self, controller: &str, now: DateTime<Utc>) -> Result<(), StoreError> {
        self.note_fact(HEARTBEAT, controller, now).await
    }

    /// Notes that a controller has ended; one that has taken its place lives on.
    pub async fn end_beat(&self, controller: &str, now: DateTime<Utc>) -> Result<(), StoreError> {
        let mut writing = self.writing().await?;
        let update = sqlx::query(END).bind(HEARTBEAT).bind(controller).bind(STOPPED).bind(time_text(now));
        self.read(update.execute(writing.connection()).await)?;
        writing.commit().await
    }

    /// Reads a fact by name.
    pub async fn fact(&self, name: &str) -> Result<Option<Fact>, StoreError> {
        let mut connection = self.reading().await?;
        let query = sqlx::query_as(READ).bind(name);
        let row: Option<(String, String)> = self.read(query.fetch_optional(&mut *connection).await)?;
        row.map(|(text, noted)| Ok(Fact { text, noted: self.time(&noted)? })).transpose()
    }

    /// Notes the last revision that had no errors.
    pub async fn note_good_revision(
        &self,
        revision: &Revision,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        self.note_fact(LAST_GOOD_REVISION, &super::store::json_text(revision), now).await
    }

    /// The last revision that had no errors.
    pub async fn good_revision(&self) -> Result<Option<Revision>, StoreError> {
        let fact = self.fact(LAST_GOOD_REVISION).await?;
        fact.map(|fact| self.json("a revision", &fact.text)).transpose()
    }

    /// Notes what is true of the state repository.
    pub async fn note_source(
        &self,
        condition: &SourceCondition,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        self.note_fact(SOURCE_CONDITION, &super::store::json_text(condition), now).await
    }

    /// What is true of the state repository, as the controller last said; `None` before it has said anything.
    pub async fn source(&self) -> Result<Option<SourceCondition>, StoreError> {
        let fact = self.fact(SOURCE_CONDITION).await?;
        fact.map(|fact| self.json("the state repository's condition", &fact.text)).transpose()
    }

    /// Notes that a person stopped a container, by the engine's id.
    pub async fn note_stop(
        &self,
        host: &str,
        container: &str,
        name: &str,
        stopped: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let mut writing = self.writing().await?;
        let insert = sqlx::query(STOP).bind(host).bind(container).bind(name).bind(time_text(stopped));
        self.read(insert.execute(writing.connection()).await)?;
        writing.commit().await
    }

    /// Notes that a container runs again or is gone.
    pub async fn forget_stop(&self, host: &str, container: &str) -> Result<(), StoreError> {
        let mut writing = self.writing().await?;
        let delete = sqlx::query(UNSTOP).bind(host).bind(container);
        self.read(delete.execute(writing.connection()).await)?;
        writing.commit().await
    }

    /// Drops stops that are older than this; nobody holds on to them any more.
    pub async fn trim_stops(&self, before: DateTime<Utc>) -> Result<(), StoreError> {
        let mut writing = self.writing().await?;
        let delete = sqlx::query(TRIM_STOPS).bind(time_text(before));
        self.read(delete.execute(writing.connection()).await)?;
        writing.commit().await
    }

    /// Containers that a person stopped, by the engine's id; of one host, or of all when it is empty.
    pub async fn stops(&self, host: &str) -> Result<BTreeMap<String, DateTime<Utc>>, StoreError> {
        let mut connection = self.reading().await?;
        let query = sqlx::query_as(STOPS).bind(host);
        let rows: Vec<(String, String)> = self.read(query.fetch_all(&mut *connection).await)?;
        rows.into_iter().map(|(container, stopped)| Ok((container, self.time(&stopped)?))).collect()
    }

    /// Notes that a schedule ran for this point in time.
    pub async fn note_schedule(&self, name: &str, last_run: DateTime<Utc>) -> Result<(), StoreError> {
        let mut writing = self.writing().await?;
        let insert = sqlx::query(RAN).bind(name).bind(time_text(last_run));
        self.read(insert.execute(writing.connection()).await)?;
        writing.commit().await
    }

    /// For which point in time a schedule last ran.
    pub async fn last_schedule(&self, name: &str) -> Result<Option<DateTime<Utc>>, StoreError> {
        let mut connection = self.reading().await?;
        let query = sqlx::query_as(LAST_RUN).bind(name);
        let row: Option<(String,)> = self.read(query.fetch_optional(&mut *connection).await)?;
        row.map(|(text,)| self.time(&text)).transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_end_of_one_controller_is_not_the_end_of_another() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("ipaictl.db")).await.unwrap();
        let now = Utc::now();
        let alive = async || is_alive(store.fact(HEARTBEAT).await.unwrap().as_ref(), now);
        store.beat("boot 1 100", now).await.unwrap();
        store.beat("boot 2 200", now).await.unwrap();
        store.end_beat("boot 1 100", now).await.unwrap();
        assert!(alive().await);
        store.end_beat("boot 2 200", now).await.unwrap();
        assert!(!alive().await);
    }

    #[test]
    fn a_controller_lives_while_its_heart_beats_and_until_it_says_that_it_ended() {
        let now = Utc::now();
        let beat =
            |text: &str, seconds| Fact { text: text.to_owned(), noted: now - TimeDelta::seconds(seconds) };
        assert!(is_alive(Some(&beat("", 70)), now));
        assert!(!is_alive(Some(&beat("", 200)), now));
        assert!(!is_alive(Some(&beat(STOPPED, 1)), now));
        assert!(!is_alive(None, now));
    }
}
