//! Commands that read the store, over a store that this test fills through the library.

use std::path::PathBuf;

use chrono::{DateTime, TimeDelta, Utc};
use ipaictl::model::condition::{ConditionType, Reason, SourceCondition, Status};
use ipaictl::model::id::{Kind, ResourceId, Revision};
use ipaictl::plan::report::{ConditionReport, ContainerReport, ResourceReport};
use ipaictl::record::facts::HEARTBEAT;
use ipaictl::record::runs::{Counts, NewRun, RunEnd, RunResult};
use ipaictl::record::store::Store;

use super::{Program, assert_schema};

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn report(id: &ResourceId, ready: Status, message: &str) -> ResourceReport {
    let condition = |kind, status, reason, message: &str| ConditionReport {
        kind,
        status,
        reason,
        message: message.to_owned(),
    };
    ResourceReport {
        id: id.clone(),
        digest: "v1:aa".to_owned(),
        conditions: vec![
            condition(ConditionType::Ready, ready, Reason::InSync, ""),
            condition(ConditionType::Healthy, ready, Reason::Unhealthy, message),
            condition(ConditionType::Drifted, Status::False, Reason::InSync, ""),
        ],
        containers: vec![ContainerReport {
            name: "web-1".to_owned(),
            service: "web".to_owned(),
            state: "running".to_owned(),
            health: None,
            image: "web:1\u{1b}[2J".to_owned(),
            image_id: "sha256:11".to_owned(),
        }],
    }
}

/// A store with two stacks, one of them unhealthy, and one run.
async fn fill(program: &Program) -> PathBuf {
    let path = program.work().join("ipaictl.db");
    let store = Store::open(&path).await.unwrap();
    let revision = Revision { reference: "main".into(), commit: Some("a".repeat(40)) };
    let (web, db) = (ResourceId::new(Kind::Stack, "web"), ResourceId::new(Kind::Stack, "db"));
    let reports = [report(&web, Status::True, ""), report(&db, Status::False, "db-1 is \u{1b}[31munhealthy")];
    let now = at("2026-01-02T03:04:05Z");
    store.save_conditions(&reports, Some(&revision), "c1", now).await.unwrap();
    let run = NewRun {
        correlation: "c1",
        scope: "Stack/db",
        revision: &revision,
        plan_hash: "v1:bb",
        holder: "here/1",
        reports: &[],
    };
    let run = store.begin_run(&run, now).await.unwrap();
    let end = RunEnd {
        outcome: RunResult::Unhealthy,
        counts: Counts { done: 2, ..Counts::default() },
        evidence: None,
        message: "db-1 is unhealthy",
    };
    store.finish_run(&run.id, &end, now + TimeDelta::seconds(3)).await.unwrap();
    let condition = SourceCondition {
        status: Status::False,
        reason: Reason::InvalidRevision,
        message: "2 errors".into(),
        in_use: Some(revision.clone()),
        newest: None,
        last_transition_time: now,
    };
    store.note_source(&condition, now).await.unwrap();
    store.note_fact(HEARTBEAT, "", now).await.unwrap();
    store.close().await;
    path
}

#[tokio::test]
async fn the_same_store_gives_the_same_bytes_and_no_foreign_escape() {
    let program = Program::new();
    let store = fill(&program).await;
    let store = store.to_str().unwrap();
    for arguments in [
        vec!["status"],
        vec!["status", "-o", "markdown"],
        vec!["status", "-o", "json"],
        vec!["status", "-o", "yaml"],
        vec!["get", "stacks"],
        vec!["describe", "Stack/db"],
        vec!["history"],
    ] {
        let run = || program.run(arguments.iter().copied().chain(["--store", store]));
        let (first, second) = (run(), run());
        assert_eq!(first.code, 0, "{arguments:?}: {}", first.err);
        assert_eq!(first.out, second.out, "{arguments:?}");
        assert!(!first.out.contains('\u{1b}'), "{arguments:?}: {}", first.out);
    }
}

#[tokio::test]
async fn status_says_what_is_wrong_and_that_nobody_keeps_it_up_to_date() {
    let program = Program::new();
    let store = fill(&program).await;
    let ran = program.run(["status", "--store", store.to_str().unwrap()]);
    let lines: Vec<&str> = ran.out.lines().collect();
    assert!(lines[0].starts_with("RESOURCE"), "{}", ran.out);
    assert!(lines[1].starts_with("Stack/db") && lines[1].contains("Unhealthy: db-1 is"), "{}", ran.out);
    assert!(lines[2].starts_with("Stack/web"), "{}", ran.out);
    let source = "State repository: InvalidRevision: 2 errors\nThe controller goes on with main aaaaaaa.\n";
    assert!(ran.out.ends_with(source), "{}", ran.out);
    let described = program.run(["describe", "Stack/db", "--store", store.to_str().unwrap()]);
    assert!(described.out.ends_with(source), "{}", described.out);
    assert!(ran.err.contains("not running; it was last alive at 2026-01-02T03:04:05Z"), "{}", ran.err);
    let quiet = program.run(["-q", "status", "--store", store.to_str().unwrap()]);
    assert_eq!((quiet.code, quiet.err.as_str()), (0, ""));
}

#[tokio::test]
async fn json_follows_the_published_schemas() {
    let program = Program::new();
    let store = fill(&program).await;
    let store = store.to_str().unwrap();
    for (schema, arguments) in [
        ("status", vec!["status"]),
        ("resource", vec!["get", "stack", "db"]),
        ("resources", vec!["get", "stacks"]),
        ("resources", vec!["get", "hosts"]),
        ("description", vec!["describe", "stack/db"]),
        ("history", vec!["history"]),
        ("request", vec!["reconcile", "Stack/db"]),
    ] {
        let ran = program.run(arguments.iter().copied().chain(["-o", "json", "--store", store]));
        assert_eq!(ran.code, 0, "{arguments:?}: {}", ran.err);
        assert_schema(schema, &ran.out);
    }
}

#[tokio::test]
async fn unknown_names_are_answered_with_the_nearest_one() {
    let program = Program::new();
    let store = fill(&program).await;
    let store = store.to_str().unwrap();
    for arguments in [
        vec!["status", "Stack/wbe"],
        vec!["get", "stack", "wbe"],
        vec!["describe", "Stack/wbe"],
        vec!["history", "Stack/wbe"],
        vec!["reconcile", "Stack/wbe"],
    ] {
        let ran = program.run(arguments.iter().copied().chain(["--store", store]));
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{arguments:?}");
        assert!(ran.err.contains("Did you mean `Stack/web`?"), "{arguments:?}: {}", ran.err);
    }
}

#[tokio::test]
async fn a_request_without_a_controller_stays_and_waiting_for_it_ends() {
    let program = Program::new();
    let path = fill(&program).await;
    let store = path.to_str().unwrap();
    let ran = program.run(["reconcile", "Stack/web", "--wait", "--timeout", "300ms", "--store", store]);
    assert_eq!(ran.code, 2, "{}", ran.err);
    assert!(ran.err.contains("takes it up when it starts"), "{}", ran.err);
    let opened = Store::open(&path).await.unwrap();
    assert_eq!(opened.pending_requests().await.unwrap().len(), 1);
}

#[test]
fn without_a_store_every_reader_says_how_one_comes_to_be() {
    let program = Program::new();
    for arguments in [vec!["status"], vec!["get", "hosts"], vec!["describe", "Stack/a"], vec!["history"]] {
        let ran = program.run(&arguments);
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{arguments:?}");
        assert!(ran.err.contains("there is no store at") && ran.err.contains("ipaictl apply"), "{}", ran.err);
    }
    let file = program.work().join("broken.db");
    std::fs::write(&file, "this is no database, whatever its name says. ".repeat(40)).unwrap();
    let ran = program.run(["status", "--store", "broken.db"]);
    assert_eq!(ran.code, 2, "{}", ran.err);
    let ran = program.run(["status", "--store", "postgres://x/y"]);
    assert!(ran.code == 2 && ran.err.contains("not supported by this version"), "{}", ran.err);
}
