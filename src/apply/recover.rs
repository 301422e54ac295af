//! After a crash: which operations were asked for and never answered, and what observing says of each.
//!
//! Nothing is asked for again here. An operation that had happened needs nothing, one that had not is planned
//! again if it is still wanted; both follow from the next plan. This only closes the books.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;

use crate::engine::labels;
use crate::engine::observe::{ContainerFacts, ContainerStatus, EngineFacts};
use crate::observed::observation::{Observation, checkout_key};
use crate::record::events::{NewEvent, Severity};
use crate::record::journal::{JournalEntry, OperationEnd, OperationResult};
use crate::record::runs::{Counts, RunEnd, RunRecord, RunResult};
use crate::record::store::{Store, StoreError};

/// How long the engine may go on making a network for a process that died; it takes a fraction of a second.
const NETWORK_PATIENCE: Duration = Duration::from_secs(2);

/// What was found after a crash.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Recovery {
    /// Operations without an answer, with what observing says of them.
    pub operations: Vec<(JournalEntry, OperationResult)>,
    /// Runs that ended with their process, not closed yet; their counts are what the journal knows.
    pub runs: Vec<RunRecord>,
}

/// Lists operations that were asked for by processes that no longer hold their lock, oldest first.
pub async fn unanswered(store: &Store, now: DateTime<Utc>) -> Result<Vec<JournalEntry>, StoreError> {
    let live: BTreeSet<(String, i64)> =
        store.live_locks(now).await?.into_iter().map(|lock| (lock.resource, lock.fencing)).collect();
    let mut open = store.open_operations().await?;
    open.retain(|entry| !live.contains(&(entry.resource.to_string(), entry.fencing)));
    Ok(open)
}

/// Waits until what a process asked for just before it died is certainly finished by the engine.
///
/// Only for networks: the engine goes on making one when nobody waits any more, shows it at the very end, and
/// lets a second one have the same name. Everything else it either refuses or does once.
pub async fn let_finish(store: &Store) -> Result<(), StoreError> {
    let now = Utc::now();
    let open = unanswered(store, now).await?;
    let networks = open.iter().filter(|entry| {
        let operation = entry.operation.get("engine").and_then(Value::as_object);
        operation.is_some_and(|operation| operation.contains_key("createNetwork"))
    });
    if let Some(asked) = networks.map(|entry| entry.started).max() {
        // A clock that was set back must not make this wait longer.
        let passed = (now - asked).to_std().unwrap_or_default();
        tokio::time::sleep(NETWORK_PATIENCE.saturating_sub(passed)).await;
    }
    Ok(())
}

/// Settles the operations of runs whose process died, by what is observed now, and says which runs [`close`] is for.
///
/// An operation whose host could not be read stays open for the next time.
pub async fn recover(
    store: &Store,
    observation: &Observation,
    now: DateTime<Utc>,
) -> Result<Recovery, StoreError> {
    let mut recovery = Recovery::default();
    let open = unanswered(store, now).await?;
    for entry in open {
        let result = classify(&entry, observation);
        if result != entry.result {
            let end = OperationEnd {
                key: entry.key.clone(),
                result,
                detail: "its process ended before the answer".to_owned(),
                inventory: None,
            };
            store.advance(Some(&end), None, now).await?;
        }
        recovery.operations.push((entry, result));
    }
    let live = store.live_locks(now).await?;
    for mut run in store.unfinished_runs().await? {
        let is_live = live.iter().any(|lock| lock.holder == run.holder && lock.plan_hash == run.plan_hash);
        if !is_live {
            run.counts = counts(&store.journal(&run.id).await?);
            recovery.runs.push(run);
        }
    }
    Ok(recovery)
}

/// How many steps ended how, as far as the journal knows: a step that was never begun is not in it.
pub fn counts(journal: &[JournalEntry]) -> Counts {
    let mut steps: BTreeMap<u32, Vec<OperationResult>> = BTreeMap::new();
    for entry in journal {
        steps.entry(entry.key.step).or_default().push(entry.result);
    }
    let mut counts = Counts::default();
    for results in steps.values() {
        let is_done =
            |result: &OperationResult| matches!(result, OperationResult::Done | OperationResult::FoundDone);
        match () {
            () if results.contains(&OperationResult::Failed) => counts.failed += 1,
            () if results.iter().all(is_done) => counts.done += 1,
            () => counts.cancelled += 1,
        }
    }
    counts
}

/// Closes the books of a run whose process died.
pub async fn close(
    store: &Store,
    run: &RunRecord,
    evidence: Option<&str>,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let message = "its process ended before the run did";
    let end = RunEnd { outcome: RunResult::Interrupted, counts: run.counts, evidence, message };
    store.finish_run(&run.id, &end, now).await?;
    let event = NewEvent {
        correlation: &run.correlation,
        resource: None,
        kind: "Run",
        reason: "Interrupted",
        revision: run.revision.commit.as_deref().unwrap_or_default(),
        severity: Severity::Warning,
        message: &format!("run {}: {message}", run.id),
    };
    store.add_event(&event, now).await?;
    Ok(())
}

/// Whether an operation had happened, by what is observed now.
pub fn classify(entry: &JournalEntry, observation: &Observation) -> OperationResult {
    let happened = match (entry.operation.get("engine"), entry.operation.get("checkout")) {
        (Some(operation), _) => {
            let facts = observation.hosts.get(&entry.host).and_then(|facts| facts.known());
            facts.and_then(|facts| happened_on_engine(entry, operation, facts))
        }
        (None, Some(target)) => {
            let path = text(target, "path").unwrap_or_default();
            let facts = observation.checkouts.get(&checkout_key(&entry.host, path));
            facts
                .and_then(|facts| facts.known())
                .map(|facts| facts.commit.as_deref() == text(target, "commit") && facts.dirty.is_empty())
        }
        (None, None) => None,
    };
    match happened {
        Some(true) => OperationResult::FoundDone,
        Some(false) => OperationResult::FoundNotDone,
        None => OperationResult::Unknown,
    }
}

fn text<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    value.get(key)?.as_str()
}

fn happened_on_engine(entry: &JournalEntry, operation: &Value, facts: &EngineFacts) -> Option<bool> {
    let (verb, arguments) = operation.as_object()?.iter().next()?;
    let name = text(arguments, "name");
    let container = target(arguments).map(|target| find(facts, target));
    let running = |found: &ContainerFacts| found.state.status == ContainerStatus::Running;
    match verb.as_str() {
        "pullImage" | "buildImage" => {
            Some(facts.images.get(text(arguments, "reference")?)?.known()?.is_some())
        }
        "createNetwork" => Some(facts.networks.iter().any(|network| Some(network.name.as_str()) == name)),
        "removeNetwork" => {
            let id = text(arguments, "id")?;
            Some(!facts.networks.iter().any(|network| network.id == id))
        }
        "createVolume" => Some(facts.volumes.iter().any(|volume| Some(volume.name.as_str()) == name)),
        "createContainer" => {
            let id = text(arguments, "operationId")?;
            Some(
                facts.containers.iter().any(|found| {
                    found.labels.get(labels::OPERATION).is_some_and(|operation| operation == id)
                }),
            )
        }
        "connectNetwork" => {
            let network = text(arguments, "network")?;
            Some(container?.is_some_and(|found| found.networks.contains_key(network)))
        }
        "disconnectNetwork" => {
            let network = text(arguments, "network")?;
            Some(!container?.is_some_and(|found| found.networks.contains_key(network)))
        }
        "startContainer" | "restartContainer" => {
            Some(container?.is_some_and(|found| started_after(found, entry.started)))
        }
        "stopContainer" => Some(!container?.is_some_and(running)),
        "unpauseContainer" => {
            Some(container?.is_some_and(|found| found.state.status != ContainerStatus::Paused))
        }
        "removeContainer" => Some(container?.is_none()),
        "renameContainer" => match container? {
            Some(found) => Some(Some(found.name.as_str()) == name),
            // Known by its former name only: it is gone from there, so whoever has the new name has to be it.
            None => Some(facts.containers.iter().any(|found| Some(found.name.as_str()) == name)),
        },
        // Nothing that is observed tells whether files were copied or limits were changed by this operation.
        _ => None,
    }
}

/// The container that an operation means, by id or name.
fn target(arguments: &Value) -> Option<&str> {
    let target = arguments.get("container")?;
    text(target, "id").or_else(|| text(target, "name"))
}

fn find<'a>(facts: &'a EngineFacts, target: &str) -> Option<&'a ContainerFacts> {
    facts.containers.iter().find(|found| found.id == target || found.name == target)
}

fn started_after(found: &ContainerFacts, asked: DateTime<Utc>) -> bool {
    DateTime::parse_from_rfc3339(&found.state.started_at).is_ok_and(|started| started >= asked)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::id::{Kind, ResourceId};
    use crate::record::journal::OperationKey;

    #[test]
    fn a_step_is_done_when_all_that_the_journal_knows_of_it_is() {
        let entry = |step, position, result| JournalEntry {
            key: OperationKey { run: "r".into(), step, position },
            resource: ResourceId::new(Kind::Stack, "web"),
            host: "h".into(),
            subject: "container web-1".into(),
            operation: Value::Null,
            fencing: 1,
            started: Utc::now(),
            ended: None,
            result,
            detail: String::new(),
        };
        let journal = [
            entry(1, 0, OperationResult::Done),
            entry(1, 1, OperationResult::FoundDone),
            entry(2, 0, OperationResult::Done),
            entry(2, 1, OperationResult::FoundNotDone),
            entry(3, 0, OperationResult::Failed),
            entry(4, 0, OperationResult::Unknown),
        ];
        let expected = Counts { done: 1, failed: 1, skipped: 0, cancelled: 2 };
        assert_eq!(counts(&journal), expected);
    }
}
