//! What left the desired state, and since when: whole resources, and single objects of resources that stay.
//!
//! Removing waits for a second look. A revision that does not follow the one before counts for nothing and begins the
//! count again. A working tree has no commit, so looking at it twice counts once.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use super::store::{Store, StoreError, Writing, time_text};
use crate::model::id::{ResourceId, Revision};
use crate::plan::memory::{Tombstone, orphan_key};
use crate::plan::plan::Plan;

statements! {
    READ_TOMBSTONES = "SELECT resource, since, revisions, last_revision FROM tombstones ORDER BY resource";
    BURY = "INSERT INTO tombstones (resource, since, revisions, last_revision) VALUES ($1, $2, $4, $3)
            ON CONFLICT (resource) DO UPDATE SET
              revisions = CASE WHEN tombstones.last_revision = excluded.last_revision THEN tombstones.revisions
                WHEN $4 = 1 THEN tombstones.revisions + 1 ELSE 0 END,
              last_revision = excluded.last_revision";
    UNBURY = "DELETE FROM tombstones WHERE resource = $1";
    KNOWN_RESOURCES = "SELECT id AS resource FROM resources UNION SELECT resource FROM inventory";
    HAS_ENTRIES = "SELECT COUNT(*) FROM inventory WHERE resource = $1";
    FORGET_RESOURCE = "DELETE FROM resources WHERE id = $1";
    FORGET_CONDITIONS = "DELETE FROM conditions WHERE resource = $1";
    FORGET_ATTEMPTS = "DELETE FROM attempts WHERE resource = $1";
    READ_ORPHANS = "SELECT name, resource, since, revisions, last_revision FROM orphans ORDER BY name";
    ORPHAN = "INSERT INTO orphans (name, resource, since, revisions, last_revision) VALUES ($1, $2, $3, $5, $4)
              ON CONFLICT (name) DO UPDATE SET
                revisions = CASE WHEN orphans.last_revision = excluded.last_revision THEN orphans.revisions
                  WHEN $5 = 1 THEN orphans.revisions + 1 ELSE 0 END,
                last_revision = excluded.last_revision";
    LAST_APPLIED = "SELECT last_applied_revision FROM resources WHERE id = $1";
    ADOPT = "DELETE FROM orphans WHERE name = $1";
    FORGET_ORPHANS = "DELETE FROM orphans WHERE resource = $1";
}

type Grave = (String, String, i64, String);

impl Store {
    /// Resources that left the desired state, since when.
    pub async fn tombstones(&self) -> Result<BTreeMap<ResourceId, Tombstone>, StoreError> {
        let mut connection = self.reading().await?;
        let rows: Vec<Grave> =
            self.read(sqlx::query_as(READ_TOMBSTONES).fetch_all(&mut *connection).await)?;
        rows.into_iter()
            .map(|(resource, since, revisions, last)| {
                Ok((self.resource_id(&resource)?, self.tombstone(&since, revisions, last)?))
            })
            .collect()
    }

    /// Single objects that left their resource, by [`orphan_key`], since when.
    pub async fn orphans(&self) -> Result<BTreeMap<String, Tombstone>, StoreError> {
        let mut connection = self.reading().await?;
        let rows: Vec<(String, String, String, i64, String)> =
            self.read(sqlx::query_as(READ_ORPHANS).fetch_all(&mut *connection).await)?;
        rows.into_iter()
            .map(|(name, _, since, revisions, last)| Ok((name, self.tombstone(&since, revisions, last)?)))
            .collect()
    }

    fn tombstone(&self, since: &str, revisions: i64, last: String) -> Result<Tombstone, StoreError> {
        let revisions = u32::try_from(revisions).unwrap_or(u32::MAX);
        Ok(Tombstone { since: self.time(since)?, revisions, last_revision: last })
    }
}

/// The revision in which something is absent.
pub(super) struct Seen<'a> {
    pub(super) revision: &'a Revision,
    /// Commits that it does not descend from; see `Memory`.
    pub(super) strayed: &'a BTreeSet<String>,
}

impl Seen<'_> {
    fn commit(&self) -> &str {
        self.revision.commit.as_deref().unwrap_or_default()
    }

    /// 1 when an absence counts, 0 when the revision does not follow the one before: the one in which it was absent
    /// last, or else the one that was applied last.
    async fn counts(
        &self,
        writing: &mut Writing,
        resource: &str,
        before: Option<&String>,
    ) -> Result<i64, StoreError> {
        let store = writing.store.clone();
        let commit = match before {
            Some(commit) => Some(commit.clone()),
            None => {
                let query = sqlx::query_as(LAST_APPLIED).bind(resource);
                let row: Option<(Option<String>,)> =
                    store.read(query.fetch_optional(writing.connection()).await)?;
                let text = row.and_then(|(text,)| text);
                let revision: Option<Revision> =
                    text.map(|text| store.json("a revision", &text)).transpose()?;
                revision.and_then(|revision| revision.commit)
            }
        };
        Ok(i64::from(!commit.is_some_and(|commit| self.strayed.contains(&commit))))
    }
}

/// Notes which resources the desired state has and which left it; forgets those that left nothing behind.
pub(super) async fn bury(
    writing: &mut Writing,
    desired: &BTreeSet<ResourceId>,
    seen: &Seen<'_>,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let store = writing.store.clone();
    let buried: Vec<Grave> =
        store.read(sqlx::query_as(READ_TOMBSTONES).fetch_all(writing.connection()).await)?;
    let mut before = BTreeMap::new();
    for (resource, _, _, last) in buried {
        before.insert(resource.clone(), last);
        if desired.contains(&store.resource_id(&resource)?) {
            store.read(sqlx::query(UNBURY).bind(&resource).execute(writing.connection()).await)?;
        }
    }
    let known: Vec<(String,)> =
        store.read(sqlx::query_as(KNOWN_RESOURCES).fetch_all(writing.connection()).await)?;
    for (resource,) in known {
        if desired.contains(&store.resource_id(&resource)?) {
            continue;
        }
        let (entries,): (i64,) =
            store.read(sqlx::query_as(HAS_ENTRIES).bind(&resource).fetch_one(writing.connection()).await)?;
        if entries == 0 {
            forget(writing, &resource).await?;
            continue;
        }
        let counts = seen.counts(writing, &resource, before.get(&resource)).await?;
        let bury = sqlx::query(BURY).bind(&resource).bind(time_text(now)).bind(seen.commit()).bind(counts);
        store.read(bury.execute(writing.connection()).await)?;
    }
    Ok(())
}

async fn forget(writing: &mut Writing, resource: &str) -> Result<(), StoreError> {
    let store = writing.store.clone();
    for statement in [FORGET_CONDITIONS, FORGET_ATTEMPTS, FORGET_ORPHANS, UNBURY, FORGET_RESOURCE] {
        store.read(sqlx::query(statement).bind(resource).execute(writing.connection()).await)?;
    }
    Ok(())
}

/// Notes which single objects left the resources of a plan, and which are wanted again or gone.
pub(super) async fn orphan(
    writing: &mut Writing,
    plan: &Plan,
    seen: &Seen<'_>,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let store = writing.store.clone();
    let judged: BTreeSet<String> = plan
        .resources
        .iter()
        .filter(|resource| resource.complete)
        .map(|resource| resource.id.to_string())
        .collect();
    let orphans: BTreeMap<String, String> = plan
        .resources
        .iter()
        .flat_map(|resource| resource.orphans.iter().map(move |subject| (&resource.id, subject)))
        .map(|(id, subject)| (orphan_key(id, subject), id.to_string()))
        .collect();
    let rows: Vec<(String, String, String, i64, String)> =
        store.read(sqlx::query_as(READ_ORPHANS).fetch_all(writing.connection()).await)?;
    let mut before = BTreeMap::new();
    for (name, resource, _, _, last) in rows {
        before.insert(name.clone(), last);
        if judged.contains(&resource) && !orphans.contains_key(&name) {
            store.read(sqlx::query(ADOPT).bind(&name).execute(writing.connection()).await)?;
        }
    }
    for (name, resource) in &orphans {
        let counts = seen.counts(writing, resource, before.get(name)).await?;
        let insert = sqlx::query(ORPHAN).bind(name).bind(resource).bind(time_text(now));
        let insert = insert.bind(seen.commit()).bind(counts);
        store.read(insert.execute(writing.connection()).await)?;
    }
    Ok(())
}
