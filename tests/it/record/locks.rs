//! One acts, the others don't: locks that are held, lost, moved; and stopping in the middle.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};

use chrono::Utc;
use ipaictl::apply::lock::LockError;
use ipaictl::apply::{ApplyError, Progress, StepStatus, Stopped};
use ipaictl::model::condition::{ConditionType, Status};
use ipaictl::reconcile::{Mode, PassError, Scope, reconcile};
use ipaictl::record::locks::{LockRequest, Locked};
use ipaictl::record::runs::{HistoryFilter, RunResult};
use tokio_util::sync::CancellationToken;

use super::{World, apply, desired, service};

fn two() -> String {
    format!("services:\n{}{}", service("a", ""), service("b", ", depends_on: [a]"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lock_that_somebody_holds_is_an_error_that_names_the_holder() {
    let world = World::new(&two());
    let context = world.context().await;
    let store = world.store().await;
    let request = LockRequest { holder: "alice/7", why: "maintenance", plan_hash: "", seen: None };
    let locked = store.lock(&BTreeSet::from([world.stack()]), &request, Utc::now()).await.unwrap();
    assert!(matches!(locked, Locked::Ours(_)));
    // Longer than one waits for a lock, shorter than its lease.
    let err = apply(&context).await.unwrap_err();
    let PassError::Apply(ApplyError::Lock(LockError::Held(info))) = &err else { panic!("{err:?}") };
    assert_eq!(info.holder, "alice/7");
    assert!(err.to_string().contains("alice/7") && err.to_string().contains("maintenance"), "{err}");
    assert!(world.containers().is_empty());
    assert!(store.history(&HistoryFilter::default(), 9).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_controllers_one_acts_and_the_other_finds_its_plan_stale() {
    let world = World::new(&two());
    let (one, other) = (world.context().await, world.context().await);
    let (left, right) = tokio::join!(apply(&one), apply(&other));
    let mut acted = 0;
    for pass in [left, right] {
        match pass {
            Ok(report) => acted += usize::from(!report.plan.steps.is_empty()),
            Err(PassError::Apply(ApplyError::Lock(LockError::Held(_) | LockError::Moved(_)))) => {}
            Err(err) => panic!("{err:?}"),
        }
    }
    assert_eq!(acted, 1);
    assert_eq!(world.containers(), ["a-1 running", "b-1 running"]);
    assert_eq!(world.store().await.history(&HistoryFilter::default(), 9).await.unwrap().len(), 1);
    assert!(apply(&other).await.unwrap().plan.steps.is_empty());
}

static TAKEN: AtomicBool = AtomicBool::new(false);

/// Takes the lock away as `force-unlock` would, once, while the first operation is under way.
fn take_the_lock(progress: &Progress<'_>) {
    if matches!(progress, Progress::Answered(..)) && !TAKEN.swap(true, Ordering::SeqCst) {
        let path = std::env::temp_dir().join(format!("ipaictl-lost-{}", std::process::id()));
        let store = std::fs::read_to_string(path).unwrap();
        // Another thread with a runtime of its own: the hook itself must not wait for this one.
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let store =
                    ipaictl::record::store::Store::open_existing(store.as_ref()).await.unwrap().unwrap();
                for lock in store.locks().await.unwrap() {
                    assert!(store.force_unlock(&lock.id).await.unwrap());
                }
            });
        })
        .join()
        .unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_lock_stops_before_the_next_operation() {
    let world = World::new(&two());
    let mut context = world.context().await;
    let path = std::env::temp_dir().join(format!("ipaictl-lost-{}", std::process::id()));
    std::fs::write(&path, world.state().join("ipaictl.db").display().to_string()).unwrap();
    context.progress = take_the_lock;
    let report = apply(&context).await.unwrap();
    std::fs::remove_file(path).unwrap();
    let outcome = report.outcome.unwrap();
    assert_eq!(outcome.stopped, Some(Stopped::LeaseLost));
    let journal = world.store().await.journal(&outcome.run.id).await.unwrap();
    // What was under way at that moment, in parallel, and nothing after it.
    assert!(!journal.is_empty() && journal.len() <= 4, "{journal:#?}");
    assert!(!world.containers().iter().any(|line| line.contains("running")));
    context.progress = super::quiet;
    assert!(apply(&context).await.unwrap().converged());
}

static CANCEL: std::sync::OnceLock<CancellationToken> = std::sync::OnceLock::new();

fn cancel_at_the_first_start(progress: &Progress<'_>) {
    if matches!(progress, Progress::Asking(step, position)
        if format!("{:?}", step.operations[*position]).contains("StartContainer"))
    {
        CANCEL.get().unwrap().cancel();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stopping_finishes_the_operation_and_not_the_plan() {
    let health = ", healthcheck: {test: [CMD, \"false\"], interval: 1s, retries: 100}";
    let waits = ", depends_on: {slow: {condition: service_healthy}}";
    let world = World::new(&format!("services:\n{}{}", service("slow", health), service("late", waits)));
    let mut context = world.context().await;
    let cancel = CANCEL.get_or_init(CancellationToken::new);
    context.progress = cancel_at_the_first_start;
    let desired = desired(&context).await;
    let begun = std::time::Instant::now();
    let report = reconcile(&context, &desired, &Scope::All, Mode::Manual, cancel).await.unwrap();
    // A health wait of minutes ends at once.
    assert!(begun.elapsed() < std::time::Duration::from_secs(20));
    let outcome = report.outcome.unwrap();
    assert_eq!(outcome.stopped, Some(Stopped::Cancelled));
    assert!(outcome.steps.iter().any(|step| step.status == StepStatus::Cancelled));
    assert_eq!(report.result, Some(RunResult::Cancelled));
    // The start under way was finished; the one that waits for its health never began.
    assert!(world.containers().contains(&"slow-1 running".to_owned()), "{:?}", world.containers());
    assert!(!world.containers().contains(&"late-1 running".to_owned()));
    let store = world.store().await;
    assert!(store.open_operations().await.unwrap().is_empty());
    assert!(store.locks().await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_a_pass_waits_for_health_its_resource_says_what_is_tried() {
    let health = ", healthcheck: {test: [CMD, \"false\"], interval: 1s, retries: 100}";
    let world = World::new(&format!("services:\n{}", service("web", health)));
    let context = world.context().await;
    let store = world.store().await;
    for generation in [1, 2] {
        let desired = desired(&context).await;
        let cancel = CancellationToken::new();
        let pass = reconcile(&context, &desired, &Scope::All, Mode::Manual, &cancel);
        let look = async {
            for _ in 0..200 {
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                let Some(status) = store.status(&world.stack()).await.unwrap() else { continue };
                let answer = |kind| status.conditions.iter().find(|one| one.kind == kind).unwrap().status;
                if status.generation == generation && !world.containers().is_empty() {
                    assert_eq!(status.observed_generation, 0);
                    assert_eq!(status.last_attempted_revision, Some(desired.revision.clone()));
                    assert_eq!(answer(ConditionType::Reconciling), Status::True);
                    assert_eq!(answer(ConditionType::Ready), Status::False);
                    cancel.cancel();
                    return;
                }
            }
            panic!("nothing was said of generation {generation} while it was waited for");
        };
        let (report, ()) = tokio::join!(pass, look);
        assert_eq!(report.unwrap().result, Some(RunResult::Cancelled));
        world.change(&format!("services:\n{}", service("web", &format!("{health}, init: true"))));
    }
}
