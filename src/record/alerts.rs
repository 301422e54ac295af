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
    pub async fn alert_of_drift(
        &self,
        now: DateTime<Utc>,
        is_current: &(dyn Fn(&ResourceId) -> bool + Sync),
    ) -> Result<Vec<Lasting>, StoreError> {
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
            // What an earlier process saw may be over.
            if !is_current(&resource) {
                continue;
            }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::condition::Reason;
    use crate::model::id::Kind;
    use crate::plan::report::{ConditionReport, ResourceReport};
    use crate::record::events::EventFilter;

    #[tokio::test]
    async fn drift_that_lasts_is_told_once_a_day_until_it_ends() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("ipaictl.db")).await.unwrap();
        let id = ResourceId::new(Kind::AddonsLayout, "oca");
        let report = |status| ResourceReport {
            id: id.clone(),
            digest: "v1:d".into(),
            conditions: vec![ConditionReport {
                kind: ConditionType::Drifted,
                status,
                reason: Reason::DriftReported,
                message: "checkout addons/oca/web: missing".into(),
            }],
            containers: Vec::new(),
        };
        let start: DateTime<Utc> = "2026-11-27T02:00:00Z".parse().unwrap();
        let after = |hours| start + TimeDelta::hours(hours);
        store.save_conditions(&[report(Status::True)], None, "", start).await.unwrap();
        assert_eq!(store.alert_of_drift(after(23), &|_| true).await.unwrap(), []);
        let found = store.alert_of_drift(after(25), &|_| true).await.unwrap();
        assert_eq!((found[0].resource.clone(), found[0].since), (id.clone(), start));
        assert_eq!(store.alert_of_drift(after(26), &|_| true).await.unwrap(), [], "told already");
        // Looking at it again is no new drift.
        store.save_conditions(&[report(Status::True)], None, "", after(30)).await.unwrap();
        assert_eq!(store.alert_of_drift(after(50), &|_| true).await.unwrap().len(), 1);
        store.save_conditions(&[report(Status::False)], None, "", after(51)).await.unwrap();
        assert_eq!(store.alert_of_drift(after(90), &|_| true).await.unwrap(), []);
        let filter = EventFilter { resource: Some(id), ..EventFilter::default() };
        let events = store.events(&filter, 10).await.unwrap();
        let told: Vec<&str> =
            events.iter().filter(|event| event.reason == REASON).map(|it| it.message.as_str()).collect();
        assert_eq!(told.len(), 2);
        assert!(told[1].starts_with("has drifted for 25 h: checkout addons/oca/web"), "{told:?}");
    }
}
