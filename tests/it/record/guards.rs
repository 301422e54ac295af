//! Failures that stay where they are, a full disk, and what an empty store is filled with.

use std::process::Command;

use ipaictl::apply::StepStatus;
use ipaictl::model::condition::{ConditionType, Status};
use ipaictl::record::runs::{HistoryFilter, RunResult};
use ipaictl::record::store::{Store, StoreError};

use super::{World, apply, docker, service};
use crate::disk::SmallDisk;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_step_takes_along_what_needs_it_and_nothing_else() {
    let bad = ", entrypoint: [/no/such/program]";
    let needs = ", depends_on: [bad]";
    let text = format!("services:\n{}{}{}", service("bad", bad), service("late", needs), service("fine", ""));
    let world = World::new(&text);
    let context = world.context().await;
    let report = apply(&context).await.unwrap();
    let outcome = report.outcome.as_ref().unwrap();
    let status = |name: &str| {
        let name = format!("{}-{name}-1", world.name);
        outcome
            .steps
            .iter()
            .filter(|step| step.subject.name == name)
            .map(|step| step.status)
            .collect::<Vec<_>>()
    };
    assert!(status("bad").contains(&StepStatus::Failed), "{:#?}", outcome.steps);
    assert!(status("late").contains(&StepStatus::Skipped), "{:#?}", outcome.steps);
    assert_eq!(status("fine"), [StepStatus::Done]);
    assert_eq!(report.result, Some(RunResult::Failed));
    let run = world.store().await.history(&HistoryFilter::default(), 1).await.unwrap().remove(0);
    assert!(run.message.contains("bad-1"), "{}", run.message);
    assert!(run.counts.failed == 1 && run.counts.skipped == 1, "{:?}", run.counts);
    let status = world.store().await.status(&world.stack()).await.unwrap().unwrap();
    assert_eq!(status.last_applied_digest, None, "what failed is not applied");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_seen_applied_is_remembered_and_an_empty_store_is_filled_from_labels() {
    let world = World::new(&format!("services:\n{}", service("web", "")));
    let context = world.context().await;
    apply(&context).await.unwrap();
    let store = world.store().await;
    let status = store.status(&world.stack()).await.unwrap().unwrap();
    assert_eq!(status.last_applied_digest.as_ref(), Some(&status.digest));
    assert_eq!((status.generation, status.observed_generation), (1, 1));
    let ready = status.conditions.iter().find(|condition| condition.kind == ConditionType::Ready).unwrap();
    assert_eq!(ready.status, Status::True);
    let inventory = store.inventory().await.unwrap();
    assert_eq!(inventory.len(), 2, "a container and its network: {inventory:?}");

    std::fs::remove_dir_all(world.state()).unwrap();
    let context = world.context().await;
    let report = apply(&context).await.unwrap();
    assert!(report.plan.steps.is_empty() && report.plan.complete, "{:#?}", report.plan.steps);
    let store = world.store().await;
    assert_eq!(store.inventory().await.unwrap(), inventory);
    let status = store.status(&world.stack()).await.unwrap().unwrap();
    assert_eq!(status.last_applied_digest.as_ref(), Some(&status.digest));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_label_alone_is_no_ownership() {
    let world = World::new(&format!("services:\n{}", service("web", "")));
    let context = world.context().await;
    apply(&context).await.unwrap();
    let known = world.store().await.inventory().await.unwrap();
    let project = format!("com.docker.compose.project={}", world.name);
    let label = format!("dev.ipai.resource=Stack/{}", world.name);
    docker(&["run", "--detach", "--label", &project, "--label", &label, "ipaictl/busybox:1", "/bin/pause"]);
    apply(&context).await.unwrap();
    assert_eq!(world.store().await.inventory().await.unwrap(), known);
}

#[tokio::test]
async fn a_full_disk_loses_nothing_that_was_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let Some(disk) = SmallDisk::at(folder.path(), "1m") else {
        println!("skipped: a tmpfs can't be mounted here");
        return;
    };
    let path = disk.0.join("ipaictl.db");
    let store = Store::open(&path).await.unwrap();
    let text = "x".repeat(3_000);
    let mut kept = 0;
    let err = loop {
        match store.note_fact(&format!("fact {kept}"), &text, chrono::Utc::now()).await {
            Ok(()) => kept += 1,
            Err(err) => break err,
        }
        assert!(kept < 10_000, "a disk of 1 MiB never fills");
    };
    assert!(matches!(err, StoreError::Full { .. }), "{err:?}");
    assert!(kept > 10);
    store.check().await.unwrap();
    drop(store);

    // Room again, and everything that was acknowledged is there.
    let remounted = Command::new("mount").args(["-o", "remount,size=8m"]).arg(&disk.0).status().unwrap();
    assert!(remounted.success());
    let store = Store::open(&path).await.unwrap();
    for number in 0..kept {
        let fact = store.fact(&format!("fact {number}")).await.unwrap();
        assert_eq!(fact.unwrap().text, text, "fact {number}");
    }
    store.note_fact("after", "1", chrono::Utc::now()).await.unwrap();
    store.close().await;
}

#[tokio::test]
async fn a_store_that_met_a_full_disk_goes_on_when_there_is_room() {
    let folder = tempfile::tempdir().unwrap();
    let Some(disk) = SmallDisk::at(folder.path(), "1m") else {
        println!("skipped: a tmpfs can't be mounted here");
        return;
    };
    let store = Store::open(&disk.0.join("ipaictl.db")).await.unwrap();
    let text = "x".repeat(3_000);
    let now = chrono::Utc::now();
    for round in 0..3 {
        disk.fill();
        let mut failures = 0;
        for number in 0..200 {
            // What the log has room for is written all the same.
            match store.note_fact(&format!("round {round} fact {number}"), &text, now).await {
                Ok(()) => {}
                Err(StoreError::Full { .. }) => failures += 1,
                Err(err) => panic!("not said as what it is: {err:?}"),
            }
            if failures == 5 {
                break;
            }
        }
        assert_eq!(failures, 5, "the disk never was full");
        disk.free();
        store.note_fact("after", &round.to_string(), now).await.unwrap();
        assert_eq!(store.fact("after").await.unwrap().unwrap().text, round.to_string());
    }
    store.check().await.unwrap();
    store.close().await;
}
