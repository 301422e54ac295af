//! What we made and have not seen removed.
//!
//! The inventory is never smaller than what exists: a thing is added before it is made and removed after its
//! end was confirmed. Only what is in it may ever be pruned.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use sqlx::FromRow;

use super::store::{Store, StoreError, Writing, time_text};
use crate::engine::labels;
use crate::model::id::ResourceId;
use crate::observed::observation::Observation;
use crate::plan::memory::InventoryEntry;

/// One change of the inventory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InventoryChange {
    /// A thing is about to be made, or was made.
    Add(InventoryEntry),
    /// A thing was certainly not made: an entry that never got an engine id goes.
    Withdraw {
        /// The host.
        host: String,
        /// The sort of thing.
        kind: String,
        /// Its name.
        name: String,
    },
    /// A container, whose new name was added before, has that name now: the entry under the former one goes.
    Renamed {
        /// The host.
        host: String,
        /// The former name, or the engine's id.
        from: String,
        /// The name it has.
        to: String,
    },
    /// A thing is gone, known by its engine id, or by name where the inventory has no id yet.
    Remove {
        /// The host.
        host: String,
        /// The sort of thing.
        kind: String,
        /// The engine's id; empty when it has none.
        engine_id: String,
        /// Its name.
        name: String,
    },
}

statements! {
    ADD = "INSERT INTO inventory (resource, host, kind, name, engine_id, protect, added)
           VALUES ($1, $2, $3, $4, $5, $6, $7)
           ON CONFLICT (host, kind, name) DO UPDATE SET resource = excluded.resource,
             engine_id = CASE WHEN excluded.engine_id = '' THEN inventory.engine_id ELSE excluded.engine_id END";
    WITHDRAW = "DELETE FROM inventory WHERE host = $1 AND kind = $2 AND name = $3 AND engine_id = ''";
    RENAMED = "DELETE FROM inventory WHERE host = $1 AND kind = 'container' AND name <> $3
               AND (name = $2 OR engine_id = $2)";
    REMOVE_NAMED = "DELETE FROM inventory WHERE host = $1 AND kind = $2 AND name = $3";
    REMOVE = "DELETE FROM inventory WHERE host = $1 AND kind = $2
              AND ((engine_id <> '' AND engine_id = $3) OR (name = $4 AND (engine_id = '' OR $3 = '')))";
    PROTECT = "UPDATE inventory SET protect = $2 WHERE resource = $1";
    READ = "SELECT resource, host, kind, name, engine_id, protect FROM inventory ORDER BY host, kind, name";
    MET = "SELECT id FROM resources";
}

#[derive(FromRow)]
struct Row {
    resource: String,
    host: String,
    kind: String,
    name: String,
    engine_id: String,
    protect: i64,
}

impl Store {
    /// Everything that we made and have not seen removed.
    pub async fn inventory(&self) -> Result<Vec<InventoryEntry>, StoreError> {
        let mut connection = self.reading().await?;
        let rows: Vec<Row> = self.read(sqlx::query_as(READ).fetch_all(&mut *connection).await)?;
        rows.into_iter().map(|row| entry(self, row)).collect()
    }
}

fn entry(store: &Store, row: Row) -> Result<InventoryEntry, StoreError> {
    Ok(InventoryEntry {
        resource: store.resource_id(&row.resource)?,
        host: row.host,
        kind: row.kind,
        name: row.name,
        engine_id: row.engine_id,
        protect: row.protect != 0,
    })
}

/// Makes one change within a transaction.
pub(super) async fn change(
    writing: &mut Writing,
    change: &InventoryChange,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let store = writing.store.clone();
    match change {
        InventoryChange::Add(entry) => {
            let insert = sqlx::query(ADD)
                .bind(entry.resource.to_string())
                .bind(&entry.host)
                .bind(&entry.kind)
                .bind(&entry.name)
                .bind(&entry.engine_id)
                .bind(i64::from(entry.protect))
                .bind(time_text(now));
            store.read(insert.execute(writing.connection()).await)?;
        }
        InventoryChange::Withdraw { host, kind, name } => {
            let remove = sqlx::query(WITHDRAW).bind(host).bind(kind).bind(name);
            store.read(remove.execute(writing.connection()).await)?;
        }
        InventoryChange::Renamed { host, from, to } => {
            let remove = sqlx::query(RENAMED).bind(host).bind(from).bind(to);
            store.read(remove.execute(writing.connection()).await)?;
        }
        InventoryChange::Remove { host, kind, engine_id, name } => {
            let remove = sqlx::query(REMOVE).bind(host).bind(kind).bind(engine_id).bind(name);
            store.read(remove.execute(writing.connection()).await)?;
        }
    }
    Ok(())
}

/// Brings the inventory in line with what was seen.
///
/// A label alone is not ownership: labelled things are added only for resources that the store meets for the
/// first time (all of them when it was lost, and is filled again), and only in their own Compose project: another
/// state repository on the same engine can have resources of the same name. Drops what is gone, but only
/// of resources in `settled`: another run may be about to make a thing of its own. A host that could not be
/// read keeps its entries. Has to run before the resources of this pass are written.
pub(super) async fn settle(
    writing: &mut Writing,
    observation: &Observation,
    desired: &BTreeMap<ResourceId, Option<String>>,
    settled: &BTreeSet<ResourceId>,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let store = writing.store.clone();
    let met: Vec<(String,)> = store.read(sqlx::query_as(MET).fetch_all(writing.connection()).await)?;
    let met: BTreeSet<String> = met.into_iter().map(|(id,)| id).collect();
    let is_new = |id: &ResourceId| !met.contains(&id.to_string());
    let rows: Vec<Row> = store.read(sqlx::query_as(READ).fetch_all(writing.connection()).await)?;
    let seen = labelled(observation, desired);
    let mut known = BTreeMap::new();
    for row in rows {
        let entry = entry(&store, row)?;
        known.insert((entry.host.clone(), entry.kind.clone(), entry.name.clone()), entry);
    }
    for entry in &seen {
        let key = (entry.host.clone(), entry.kind.clone(), entry.name.clone());
        let old = known.get(&key);
        let is_ours = old.is_some_and(|old| old.resource == entry.resource);
        let is_same = old.is_some_and(|old| old.engine_id == entry.engine_id);
        if is_ours && !is_same || old.is_none() && is_new(&entry.resource) {
            change(writing, &InventoryChange::Add(entry.clone()), now).await?;
        }
    }
    for entry in known.values().filter(|entry| settled.contains(&entry.resource)) {
        if is_gone(entry, observation) {
            let remove = sqlx::query(REMOVE_NAMED).bind(&entry.host).bind(&entry.kind).bind(&entry.name);
            store.read(remove.execute(writing.connection()).await)?;
        }
    }
    Ok(())
}

/// Everything on all hosts that carries the label of a wanted resource in its own project.
fn labelled(
    observation: &Observation,
    desired: &BTreeMap<ResourceId, Option<String>>,
) -> Vec<InventoryEntry> {
    let mut found = Vec::new();
    for (host, facts) in &observation.hosts {
        let Some(facts) = facts.known() else { continue };
        let mut note = |kind: &str, name: &str, id: &str, labels: &BTreeMap<String, String>| {
            let resource = labels.get(labels::RESOURCE).and_then(|text| ResourceId::parse(text));
            let own = |resource: &ResourceId| {
                desired
                    .get(resource)
                    .is_some_and(|project| labels.get(labels::COMPOSE_PROJECT) == project.as_ref())
            };
            if let Some(resource) = resource.filter(own) {
                found.push(InventoryEntry {
                    resource,
                    host: host.clone(),
                    kind: kind.to_owned(),
                    name: name.to_owned(),
                    engine_id: id.to_owned(),
                    protect: false,
                });
            }
        };
        for container in &facts.containers {
            note("container", &container.name, &container.id, &container.labels);
        }
        for network in &facts.networks {
            note("network", &network.name, &network.id, &network.labels);
        }
        for volume in &facts.volumes {
            note("volume", &volume.name, "", &volume.labels);
        }
    }
    found
}

fn is_gone(entry: &InventoryEntry, observation: &Observation) -> bool {
    if entry.kind == "checkout" {
        let key = crate::observed::observation::checkout_key(&entry.host, &entry.name);
        let facts = observation.checkouts.get(&key).and_then(|facts| facts.known());
        return facts.is_some_and(|facts| !facts.exists);
    }
    let Some(facts) = observation.hosts.get(&entry.host).and_then(|facts| facts.known()) else {
        return false;
    };
    // Something of others under our name is not ours: what we had made there is gone.
    let is_ours = |labels: &BTreeMap<String, String>| {
        labels.get(labels::RESOURCE).is_some_and(|text| *text == entry.resource.to_string())
    };
    match entry.kind.as_str() {
        "container" => !facts.containers.iter().any(|it| it.name == entry.name && is_ours(&it.labels)),
        "network" => !facts.networks.iter().any(|it| it.name == entry.name && is_ours(&it.labels)),
        "volume" => !facts.volumes.iter().any(|it| it.name == entry.name && is_ours(&it.labels)),
        _ => false,
    }
}

/// Notes for every entry of a resource whether its document protects it.
pub(super) async fn protect(
    writing: &mut Writing,
    resource: &ResourceId,
    protect: bool,
) -> Result<(), StoreError> {
    let store = writing.store.clone();
    let update = sqlx::query(PROTECT).bind(resource.to_string()).bind(i64::from(protect));
    store.read(update.execute(writing.connection()).await)?;
    Ok(())
}
