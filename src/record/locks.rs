//! Who may change a resource: one row each, with a lease that ends and a fencing number that only grows.
//!
//! A row stays when its lock is released, so that its number is never given twice. Every mutating operation
//! reads the number in the transaction that journals it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::FromRow;

use super::process::{ProcessId, boot_id, uptime_milliseconds};
use super::store::{Store, StoreError, Writing, time_text};
use crate::model::id::ResourceId;

/// How long a lock lasts without renewal: a crash on another machine blocks no longer than this.
pub const LEASE: Duration = Duration::from_secs(15);

/// The fencing number of each resource's last lock.
pub type Fences = BTreeMap<ResourceId, i64>;

/// A lock that somebody holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LockInfo {
    /// Its exact id, for `force-unlock`.
    pub id: String,
    /// The resource.
    pub resource: String,
    /// Who.
    pub holder: String,
    /// Which process.
    pub process: String,
    /// Its fencing number.
    pub fencing: i64,
    /// Since when.
    pub acquired: DateTime<Utc>,
    /// When it ends without renewal.
    pub expires: DateTime<Utc>,
    /// Why, for people.
    pub why: String,
    /// The plan that is being applied.
    pub plan_hash: String,
}

/// What locking several resources came to; all or none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Locked {
    /// All are ours, with these fencing numbers.
    Ours(Fences),
    /// Somebody holds one of them.
    Held(Box<LockInfo>),
    /// Somebody had one of them since `seen` was read: what was planned may be stale.
    Moved(ResourceId),
}

/// Who wants a lock, and why.
#[derive(Debug, Clone)]
pub struct LockRequest<'a> {
    /// Who.
    pub holder: &'a str,
    /// Why, for people.
    pub why: &'a str,
    /// The plan.
    pub plan_hash: &'a str,
    /// The fencing numbers that were read before observing; `None` plans nothing on what was read before.
    pub seen: Option<&'a Fences>,
}

statements! {
    READ_ONE = "SELECT resource, id, holder, process, fencing, acquired, expires, boot, expires_uptime, why,
                plan_hash FROM locks WHERE resource = $1";
    READ_HELD = "SELECT resource, id, holder, process, fencing, acquired, expires, boot, expires_uptime, why,
                 plan_hash FROM locks WHERE id <> '' ORDER BY resource";
    TAKE = "INSERT INTO locks (resource, id, holder, process, fencing, acquired, expires, boot, expires_uptime,
            why, plan_hash) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
            ON CONFLICT (resource) DO UPDATE SET id = excluded.id, holder = excluded.holder,
              process = excluded.process, fencing = excluded.fencing, acquired = excluded.acquired,
              expires = excluded.expires, boot = excluded.boot, expires_uptime = excluded.expires_uptime,
              why = excluded.why, plan_hash = excluded.plan_hash";
    RENEW = "UPDATE locks SET expires = $3, boot = $4, expires_uptime = $5
             WHERE resource = $1 AND fencing = $2 AND id <> ''";
    RELEASE = "UPDATE locks SET id = '', holder = '', why = '', plan_hash = ''
               WHERE resource = $1 AND fencing = $2";
    HOLDS = "SELECT COUNT(*) FROM locks WHERE resource = $1 AND fencing = $2 AND id <> ''";
    FORCE = "UPDATE locks SET id = '', holder = '', why = '', plan_hash = '', fencing = fencing + 1
             WHERE id = $1 AND id <> ''";
    FENCES = "SELECT resource, fencing FROM locks ORDER BY resource";
}

#[derive(FromRow)]
struct Row {
    resource: String,
    id: String,
    holder: String,
    process: String,
    fencing: i64,
    acquired: String,
    expires: String,
    boot: String,
    expires_uptime: i64,
    why: String,
    plan_hash: String,
}

impl Row {
    fn is_free(&self, now: DateTime<Utc>) -> bool {
        if self.id.is_empty() || ProcessId::parse(&self.process).is_some_and(|process| process.is_dead()) {
            return true;
        }
        match uptime_milliseconds() {
            Some(uptime) if !self.boot.is_empty() && self.boot == boot_id() => uptime >= self.expires_uptime,
            _ => time_text(now) >= self.expires,
        }
    }
}

impl Store {
    /// The fencing numbers so far; read before observing, so that a change by others in between is noticed.
    pub async fn fences(&self) -> Result<Fences, StoreError> {
        let mut connection = self.reading().await?;
        let rows: Vec<(String, i64)> = self.read(sqlx::query_as(FENCES).fetch_all(&mut *connection).await)?;
        rows.into_iter()
            .map(|(resource, fencing)| {
                let id = ResourceId::parse(&resource).ok_or_else(|| self.value("a resource", &resource))?;
                Ok((id, fencing))
            })
            .collect()
    }

    /// Takes the locks of all these resources, or none and says who is in the way.
    pub async fn lock(
        &self,
        resources: &BTreeSet<ResourceId>,
        request: &LockRequest<'_>,
        now: DateTime<Utc>,
    ) -> Result<Locked, StoreError> {
        let mut writing = self.writing().await?;
        let mut fences = Fences::new();
        for resource in resources {
            let query = sqlx::query_as(READ_ONE).bind(resource.to_string());
            let row: Option<Row> = self.read(query.fetch_optional(writing.connection()).await)?;
            let last = row.as_ref().map_or(0, |row| row.fencing);
            if let Some(row) = row.filter(|row| !row.is_free(now)) {
                return Ok(Locked::Held(Box::new(info(self, row)?)));
            }
            if request.seen.is_some_and(|seen| seen.get(resource).copied().unwrap_or(0) != last) {
                return Ok(Locked::Moved(resource.clone()));
            }
            take(&mut writing, resource, last + 1, request, now).await?;
            fences.insert(resource.clone(), last + 1);
        }
        writing.commit().await?;
        Ok(Locked::Ours(fences))
    }

    /// Prolongs the leases; `false` when one of them is no longer ours.
    pub async fn renew(&self, fences: &Fences, now: DateTime<Utc>) -> Result<bool, StoreError> {
        let mut writing = self.writing().await?;
        for (resource, fencing) in fences {
            let update = sqlx::query(RENEW)
                .bind(resource.to_string())
                .bind(fencing)
                .bind(time_text(now + LEASE))
                .bind(boot_id())
                .bind(lease_end());
            if self.read(update.execute(writing.connection()).await)?.rows_affected() == 0 {
                return Ok(false);
            }
        }
        writing.commit().await?;
        Ok(true)
    }

    /// Gives the locks back, those that are still ours.
    pub async fn release(&self, fences: &Fences) -> Result<(), StoreError> {
        let mut writing = self.writing().await?;
        for (resource, fencing) in fences {
            let update = sqlx::query(RELEASE).bind(resource.to_string()).bind(fencing);
            self.read(update.execute(writing.connection()).await)?;
        }
        writing.commit().await
    }

    /// The locks that are held, expired ones too.
    pub async fn locks(&self) -> Result<Vec<LockInfo>, StoreError> {
        let mut connection = self.reading().await?;
        let rows: Vec<Row> = self.read(sqlx::query_as(READ_HELD).fetch_all(&mut *connection).await)?;
        rows.into_iter().map(|row| info(self, row)).collect()
    }

    /// The locks that are held and have not ended: their holders may be at work.
    pub async fn live_locks(&self, now: DateTime<Utc>) -> Result<Vec<LockInfo>, StoreError> {
        let mut connection = self.reading().await?;
        let rows: Vec<Row> = self.read(sqlx::query_as(READ_HELD).fetch_all(&mut *connection).await)?;
        rows.into_iter().filter(|row| !row.is_free(now)).map(|row| info(self, row)).collect()
    }

    /// Takes a lock away by its exact id; `false` when nobody holds one of that id.
    ///
    /// The fencing number moves on, so whoever had it is refused before the next operation.
    pub async fn force_unlock(&self, id: &str) -> Result<bool, StoreError> {
        let mut writing = self.writing().await?;
        let update = sqlx::query(FORCE).bind(id);
        let taken = self.read(update.execute(writing.connection()).await)?.rows_affected() > 0;
        writing.commit().await?;
        Ok(taken)
    }
}

/// Whether the lock of a resource still has this fencing number.
pub(super) async fn holds(
    writing: &mut Writing,
    resource: &ResourceId,
    fencing: i64,
) -> Result<bool, StoreError> {
    let store = writing.store.clone();
    let query = sqlx::query_as(HOLDS).bind(resource.to_string()).bind(fencing);
    let (count,): (i64,) = store.read(query.fetch_one(writing.connection()).await)?;
    Ok(count > 0)
}

async fn take(
    writing: &mut Writing,
    resource: &ResourceId,
    fencing: i64,
    request: &LockRequest<'_>,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let store = writing.store.clone();
    let insert = sqlx::query(TAKE)
        .bind(resource.to_string())
        .bind(format!("{fencing}-{:08x}", rand::random::<u32>()))
        .bind(request.holder)
        .bind(ProcessId::current().text())
        .bind(fencing)
        .bind(time_text(now))
        .bind(time_text(now + LEASE))
        .bind(boot_id())
        .bind(lease_end())
        .bind(request.why)
        .bind(request.plan_hash);
    store.read(insert.execute(writing.connection()).await)?;
    Ok(())
}

fn lease_end() -> i64 {
    let lease = i64::try_from(LEASE.as_millis()).expect("a lease is seconds");
    uptime_milliseconds().map_or(0, |uptime| uptime + lease)
}

fn info(store: &Store, row: Row) -> Result<LockInfo, StoreError> {
    Ok(LockInfo {
        acquired: store.time(&row.acquired)?,
        expires: store.time(&row.expires)?,
        id: row.id,
        resource: row.resource,
        holder: row.holder,
        process: row.process,
        fencing: row.fencing,
        why: row.why,
        plan_hash: row.plan_hash,
    })
}
