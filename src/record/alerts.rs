//! What has been wrong for so long that somebody should be told again.

use chrono::{DateTime, TimeDelta, Utc};

use super::events::{self, NewEvent, Severity};
use super::store::{Store, StoreError, time_text, word};
use crate::model::condition::{ConditionType, Status};
use crate::model::id::ResourceId;

/// How long drift may last in silence: a night's correction has had its chance, and a person a working day.
pub const DRIFT_AGE_MAX: TimeDelta = TimeDelta::hours(24);
/// The kind of event that tells of it.
const KIND: &str = "Drifted";
/// Its reason.
const REASON: &str = "DriftLasts";

statements! {
    LASTING = "SELECT resource, message, changed FROM conditions WHERE kind = $1 AND status = $2 AND changed <= $3
               AND NOT EXISTS (SELECT 1 FROM events WHERE events.resource = conditions.resource
                               AND events.reason = $4 AND events.happened > $3)
               ORDER BY resource";
}

/// Drift that has lasted too long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lasting {
    /// The resource.
    pub resource: ResourceId,
    /// Since when.
    pub since: DateTime<Utc>,
    /// What drifted.
    pub message: String,
}

impl Store {
    /// Adds an event for each resource whose drift has lasted for 24 hours, and again after each further 24.
    pub async fn alert_of_drift(&self, now: DateTime<Utc>) -> Result<Vec<Lasting>, StoreError> {
        let before = now - DRIFT_AGE_MAX;
        let mut connection = self.reading().await?;
        let query = sqlx::query_as(LASTING)
            .bind(word(ConditionType::Drifted))
            .bind(word(Status::True))
            .bind(time_text(before))
            .bind(REASON);
        let rows: Vec<(String, String, String)> = self.read(query.fetch_all(&mut *connection).await)?;
        drop(connection);
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        let mut found = Vec::with_capacity(rows.len());
        let mut writing = self.writing().await?;
        for (resource, message, changed) in rows {
            let (resource, since) = (self.resource_id(&resource)?, self.time(&changed)?);
            let hours = (now - since).num_hours();
            let text = format!("has drifted for {hours} h: {message}");
            let event = NewEvent {
                correlation: "",
                resource: Some(&resource),
                kind: KIND,
                reason: REASON,
                revision: "",
                severity: Severity::Warning,
                message: &text,
            };
            events::add(&mut writing, &event, now).await?;
            found.push(Lasting { resource, since, message });
        }
        writing.commit().await?;
        Ok(found)
    }
}
