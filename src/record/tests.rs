//! The store on real files: every statement, every refusal.

mod locking;
mod rewritten;

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use chrono::{DateTime, TimeDelta, Utc};

use super::events::{EventFilter, NewEvent, Severity};
use super::migrations::SCHEMA_VERSION;
use super::runs::{Counts, HistoryFilter, NewRun, RunEnd, RunResult};
use super::store::{Store, StoreError, parse_location};
use super::{
    alerts, events, facts, graves, guards, inventory, journal, locks, migrations, requests, resources, runs,
};
use crate::model::condition::{ConditionType, Reason, Status};
use crate::model::id::{Kind, ResourceId, Revision};
use crate::plan::memory::Attempts;
use crate::plan::report::{ConditionReport, ResourceReport};

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_795_000_000 + seconds, 0).unwrap()
}

fn shop() -> ResourceId {
    ResourceId::new(Kind::Stack, "shop")
}

fn revision(commit: &str) -> Revision {
    Revision { reference: "main".into(), commit: Some(commit.into()) }
}

async fn store() -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("state/ipaictl.db")).await.unwrap();
    (folder, store)
}

fn statements() -> Vec<(&'static str, &'static str, &'static str)> {
    [
        ("migrations", migrations::ALL),
        ("locks", locks::ALL),
        ("journal", journal::ALL),
        ("inventory", inventory::ALL),
        ("graves", graves::ALL),
        ("guards", guards::ALL),
        ("resources", resources::ALL),
        ("runs", runs::ALL),
        ("events", events::ALL),
        ("alerts", alerts::ALL),
        ("requests", requests::ALL),
        ("facts", facts::ALL),
    ]
    .into_iter()
    .flat_map(|(file, all)| all.iter().map(move |(name, sql)| (file, *name, *sql)))
    .collect()
}

#[tokio::test]
async fn every_statement_is_valid_against_the_schema() {
    let (_folder, store) = store().await;
    let mut connection = store.reading().await.unwrap();
    assert!(statements().len() > 50);
    for (file, name, sql) in statements() {
        // EXPLAIN compiles the whole statement; parameters that are not bound are NULL.
        let explained =
            sqlx::query(sqlx::AssertSqlSafe(format!("EXPLAIN {sql}"))).fetch_all(&mut *connection);
        explained.await.unwrap_or_else(|err| panic!("{file}::{name}: {err}"));
    }
}

#[test]
fn no_statement_is_for_sqlite_alone() {
    const ONLY_SQLITE: &[&str] = &[
        "INSERT OR",
        "REPLACE INTO",
        "AUTOINCREMENT",
        "ROWID",
        "PRAGMA",
        "STRFTIME",
        "DATETIME(",
        "IFNULL",
        "GLOB",
        "?",
        "\"",
        "`",
        "LIMIT -1",
        "JSON_",
    ];
    for (file, name, sql) in statements() {
        if (file, name) == ("migrations", "IS_THERE") {
            continue;
        }
        let sql = sql.to_uppercase();
        for word in ONLY_SQLITE {
            assert!(!sql.contains(word), "{file}::{name} has {word}");
        }
    }
}

#[tokio::test]
async fn the_file_is_private_and_opens_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state/ipaictl.db");
    assert!(Store::open_existing(&path).await.unwrap().is_none());
    let store = Store::open(&path).await.unwrap();
    store.note_fact("x", "1", at(0)).await.unwrap();
    let mode = |path: PathBuf| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(path.parent().unwrap().to_owned()), 0o700);
    assert_eq!(mode(path.clone()), 0o600);
    assert_eq!(mode(path.with_extension("db-wal")), 0o600);
    store.close().await;
    let store = Store::open_existing(&path).await.unwrap().unwrap();
    assert_eq!(store.fact("x").await.unwrap().unwrap().text, "1");
    let copy = folder.path().join("copy.db");
    store.backup(&copy).await.unwrap();
    assert_eq!(mode(copy.clone()), 0o600);
    assert_eq!(Store::open(&copy).await.unwrap().fact("x").await.unwrap().unwrap().noted, at(0));
}

#[tokio::test]
async fn a_newer_schema_is_refused_by_name() {
    let (_folder, store) = store().await;
    let mut writing = store.writing().await.unwrap();
    sqlx::query("INSERT INTO schema_version (version) VALUES (99)")
        .execute(writing.connection())
        .await
        .unwrap();
    writing.commit().await.unwrap();
    let path = store.path().to_owned();
    store.close().await;
    let err = Store::open(&path).await.unwrap_err();
    assert!(matches!(err, StoreError::Newer { found: 99, known: SCHEMA_VERSION, .. }), "{err}");
}

#[tokio::test]
async fn an_older_store_is_brought_to_the_present_schema_and_keeps_what_it_knows() {
    let (_folder, store) = store().await;
    let mut writing = store.writing().await.unwrap();
    for statement in [
        "ALTER TABLE attempts DROP COLUMN error",
        "DELETE FROM schema_version WHERE version > 1",
        "INSERT INTO attempts (fingerprint, resource, digest, times, latest) VALUES ('f', 'Stack/web', 'd', 2, 'x')",
    ] {
        sqlx::query(statement).execute(writing.connection()).await.unwrap();
    }
    writing.commit().await.unwrap();
    let path = store.path().to_owned();
    store.close().await;
    let attempts = Store::open(&path).await.unwrap().attempts().await.unwrap();
    let known = Attempts { times: 2, error: String::new() };
    assert_eq!(attempts, [("f".to_owned(), known)].into());
}

#[tokio::test]
async fn a_damaged_file_is_refused_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ipaictl.db");
    std::fs::write(&path, "this is no database, however long it may be".repeat(200)).unwrap();
    let err = Store::open(&path).await.unwrap_err();
    assert!(matches!(err, StoreError::Corrupt { .. }), "{err}");
    assert!(err.to_string().contains("move it away"), "{err}");

    let path = folder.path().join("flipped.db");
    let store = Store::open(&path).await.unwrap();
    for number in 0..400 {
        store.note_fact(&format!("fact {number}"), &"x".repeat(200), at(0)).await.unwrap();
    }
    store.close().await;
    let mut bytes = std::fs::read(&path).unwrap();
    let pages = bytes.len() / 4096;
    for page in pages / 2..pages {
        for byte in &mut bytes[page * 4096..page * 4096 + 64] {
            *byte ^= 0xff;
        }
    }
    std::fs::write(&path, bytes).unwrap();
    let err = Store::open(&path).await.unwrap_err();
    assert!(matches!(err, StoreError::Corrupt { .. }), "{err}");
}

#[test]
fn an_address_is_a_path_or_a_sqlite_url() {
    for text in ["/var/lib/ipaictl/ipaictl.db", "sqlite:/var/lib/ipaictl/ipaictl.db"] {
        assert_eq!(parse_location(text).unwrap(), PathBuf::from("/var/lib/ipaictl/ipaictl.db"));
    }
    for text in ["postgres://db/ipaictl", "", ":memory:", "sqlite::memory:"] {
        assert!(matches!(parse_location(text), Err(StoreError::Address(_))), "{text}");
    }
}

#[tokio::test]
async fn history_tells_runs_of_a_minute_apart() {
    let (_folder, store) = store().await;
    let (first, _) = locking::begun(&store).await;
    let new = NewRun {
        correlation: "c2",
        scope: "all",
        revision: &revision("def"),
        plan_hash: "v1:y",
        holder: "tester",
        reports: &[],
    };
    let second = store.begin_run(&new, at(5)).await.unwrap();
    assert!(second.id.ends_with("-2"));
    let counts = Counts { done: 3, ..Counts::default() };
    let end = RunEnd { outcome: RunResult::Applied, counts, evidence: Some("x/all"), message: "" };
    store.finish_run(&second.id, &end, at(9)).await.unwrap();
    let all = store.history(&HistoryFilter::default(), 10).await.unwrap();
    assert_eq!(all.iter().map(|run| &run.id).collect::<Vec<_>>(), [&second.id, &first.id]);
    assert_eq!((all[0].outcome, all[0].ended, all[0].counts.done), (RunResult::Applied, Some(at(9)), 3));
    let filter = HistoryFilter { resource: Some(shop()), ..HistoryFilter::default() };
    assert_eq!(store.history(&filter, 10).await.unwrap().len(), 1);
    assert_eq!(store.unfinished_runs().await.unwrap().len(), 1);
}

fn report(digest: &str, ready: Status) -> ResourceReport {
    ResourceReport {
        id: shop(),
        digest: digest.into(),
        conditions: vec![ConditionReport {
            kind: ConditionType::Ready,
            status: ready,
            reason: Reason::InSync,
            message: "fine".into(),
        }],
        containers: Vec::new(),
    }
}

#[tokio::test]
async fn a_condition_keeps_its_time_until_its_answer_changes() {
    let (_folder, store) = store().await;
    let commit = revision("abc");
    for (seconds, digest, ready) in
        [(0, "v1:a", Status::True), (10, "v1:a", Status::True), (20, "v1:b", Status::False)]
    {
        store.save_conditions(&[report(digest, ready)], Some(&commit), "c", at(seconds)).await.unwrap();
        let status = store.status(&shop()).await.unwrap().unwrap();
        let (changed, generation) = (if seconds == 20 { 20 } else { 0 }, if seconds == 20 { 2 } else { 1 });
        assert_eq!(status.conditions[0].last_transition_time, at(changed));
        assert_eq!((status.generation, status.observed_generation), (generation, 1));
        assert_eq!(status.last_attempted_revision, Some(commit.clone()));
        assert_eq!(status.last_applied_digest, None);
    }
    let events = store.events(&EventFilter::default(), 10).await.unwrap();
    assert_eq!(events.len(), 1, "the same reason at the same revision is told once in five minutes");
}

#[tokio::test]
async fn the_same_event_is_told_once_in_five_minutes() {
    let (_folder, store) = store().await;
    let id = shop();
    let event = NewEvent {
        correlation: "c",
        resource: Some(&id),
        kind: "Drifted",
        reason: "ManualStop",
        revision: "abc",
        severity: Severity::Warning,
        message: "stopped",
    };
    let mut told = 0;
    for minute in 0..12 {
        told += i64::from(store.add_event(&event, at(0) + TimeDelta::minutes(minute)).await.unwrap());
    }
    assert_eq!(told, 3);
    let events = store.events(&EventFilter::default(), 10).await.unwrap();
    assert_eq!(events.iter().map(|event| event.number).collect::<Vec<_>>(), [3, 2, 1]);
    let after = EventFilter { after: 2, ..EventFilter::default() };
    assert_eq!(store.events(&after, 10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_request_is_taken_once_and_answered() {
    let (_folder, store) = store().await;
    let token = store.request(Some(&shop()), "alice", at(0)).await.unwrap().unwrap();
    store.request(None, "bob", at(1)).await.unwrap().unwrap();
    assert_eq!(store.pending_requests().await.unwrap()[0].token, token);
    assert!(store.take_request(&token, at(2)).await.unwrap());
    assert!(!store.take_request(&token, at(2)).await.unwrap());
    assert_eq!(store.reopen_requests().await.unwrap(), 1);
    assert!(store.take_request(&token, at(3)).await.unwrap());
    store.answer_request(&token, "applied", at(4)).await.unwrap();
    assert_eq!(store.read_request(&token).await.unwrap().unwrap().answer, "applied");
    assert_eq!(store.pending_requests().await.unwrap().len(), 1);
}

#[tokio::test]
async fn facts_stops_and_schedule_are_remembered() {
    let (_folder, store) = store().await;
    store.note_good_revision(&revision("abc"), at(0)).await.unwrap();
    assert_eq!(store.good_revision().await.unwrap(), Some(revision("abc")));
    store.note_stop("local", "f00", "web", at(1)).await.unwrap();
    store.note_stop("local", "f01", "db", at(9)).await.unwrap();
    store.trim_stops(at(5)).await.unwrap();
    assert_eq!(store.stops("").await.unwrap(), BTreeMap::from([("f01".to_owned(), at(9))]));
    store.forget_stop("local", "f01").await.unwrap();
    assert!(store.stops("local").await.unwrap().is_empty());
    store.note_schedule("full", at(3)).await.unwrap();
    assert_eq!(store.last_schedule("full").await.unwrap(), Some(at(3)));
}

#[tokio::test]
async fn a_lost_write_lock_is_waited_for_and_then_named() {
    let (_folder, store) = store().await;
    let other = Store::open_existing(store.path()).await.unwrap().unwrap();
    let held = other.writing().await.unwrap();
    let err = store.note_fact("x", "1", at(0)).await.unwrap_err();
    assert!(matches!(err, StoreError::Busy { .. }), "{err}");
    drop(held);
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    store.note_fact("x", "1", at(0)).await.unwrap();
}
