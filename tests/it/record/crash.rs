//! `kill -9` at every point of an apply: the next pass ends where an undisturbed one does.

use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use ipaictl::apply::Progress;
use ipaictl::record::runs::{HistoryFilter, RunResult};

use super::{World, apply, context, service};

/// Makes this test binary the controller that dies: `POINT REPO STATE`.
const CHILD: &str = "IPAICTL_TEST_CRASH";
/// The most points that are tried; a plan of this test has fewer.
const POINTS_MAX: u32 = 60;

static LEFT: AtomicU32 = AtomicU32::new(0);

/// Makes this test binary the controller that pauses before its second operation: `REPO STATE`.
const PAUSING: &str = "IPAICTL_TEST_PAUSE";

fn pause_at_the_second(progress: &Progress<'_>) {
    if matches!(progress, Progress::Asking(..)) && LEFT.fetch_sub(1, Ordering::SeqCst) == 1 {
        let id = std::process::id().to_string();
        Command::new("kill").args(["-STOP", &id]).status().unwrap();
    }
}

/// Not a test of its own: what the test below starts as another process.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_controller_that_pauses() {
    let Ok(text) = std::env::var(PAUSING) else { return };
    LEFT.store(2, Ordering::SeqCst);
    let (repo, state) = text.split_once(' ').unwrap();
    let mut context = context(repo.as_ref(), state.as_ref()).await;
    context.progress = pause_at_the_second;
    let outcome = apply(&context).await.unwrap().outcome.unwrap();
    assert_eq!(outcome.stopped, Some(ipaictl::apply::Stopped::LeaseLost));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_controller_that_slept_past_its_lease_does_nothing_more() {
    let world = World::new(&compose("one"));
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "record::crash::the_controller_that_pauses", "--nocapture"])
        .env(PAUSING, format!("{} {}", world.lab.repo().display(), world.state().display()))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let stat = format!("/proc/{}/stat", child.id());
    let is_stopped = || std::fs::read_to_string(&stat).is_ok_and(|text| text.contains(") T "));
    for _ in 0..200 {
        if is_stopped() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    assert!(is_stopped(), "the child never paused");
    tokio::time::sleep(ipaictl::record::locks::LEASE + std::time::Duration::from_secs(1)).await;

    // Everybody else may act by now; the one that slept may not.
    let report = apply(&world.context().await).await.unwrap();
    assert!(report.converged(), "{:#?}", report.after);
    let made = docker_ids(&world);
    Command::new("kill").args(["-CONT", &child.id().to_string()]).status().unwrap();
    assert!(child.wait().unwrap().success(), "it found its lock lost");
    assert_eq!(docker_ids(&world), made);
    let again = apply(&world.context().await).await.unwrap();
    assert!(again.plan.steps.is_empty(), "{:#?}", again.plan.steps);
}

fn docker_ids(world: &World) -> String {
    let filter = format!("label=com.docker.compose.project={}", world.name);
    super::docker(&["ps", "--all", "--no-trunc", "--quiet", "--filter", &filter])
}

/// Dies at the n-th point: after an operation was journaled, after it was answered, after a step ended.
fn die_in_time(progress: &Progress<'_>) {
    let is_point = matches!(progress, Progress::Asking(..) | Progress::Answered(..) | Progress::Ended(..));
    if is_point && LEFT.fetch_sub(1, Ordering::SeqCst) == 1 {
        let id = std::process::id().to_string();
        Command::new("kill").args(["-9", &id]).status().unwrap();
        std::thread::sleep(std::time::Duration::from_secs(60));
    }
}

/// Not a test of its own: what the tests below start as another process.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_controller_that_dies() {
    let Ok(text) = std::env::var(CHILD) else { return };
    let mut parts = text.splitn(3, ' ');
    LEFT.store(parts.next().unwrap().parse().unwrap(), Ordering::SeqCst);
    let (repo, state) = (parts.next().unwrap(), parts.next().unwrap());
    let mut context = context(repo.as_ref(), state.as_ref()).await;
    context.progress = die_in_time;
    let report = apply(&context).await.unwrap();
    assert!(report.converged());
}

/// Runs the controller in a process that dies at a point; `false` when it came to its end before.
fn dies(world: &World, point: u32) -> bool {
    let text = format!("{point} {} {}", world.lab.repo().display(), world.state().display());
    let status = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "record::crash::the_controller_that_dies", "--nocapture"])
        .env(CHILD, text)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert!(status.success() || status.code().is_none(), "neither ended nor killed: {status}");
    !status.success()
}

/// One more pass, and everything is as if nothing had happened.
async fn converges(world: &World, point: u32, expected: &[&str]) {
    let context = world.context().await;
    let report = apply(&context).await.unwrap();
    let errors = report
        .outcome
        .as_ref()
        .map(|outcome| outcome.steps.iter().filter_map(|step| step.error.clone()).collect::<Vec<_>>());
    assert!(report.converged(), "point {point}: {errors:?}: {:#?}", report.after);
    assert_eq!(world.containers(), expected, "point {point}");
    let again = apply(&context).await.unwrap();
    assert!(again.plan.steps.is_empty() && again.plan.complete, "point {point}: {:#?}", again.plan.steps);

    let store = world.store().await;
    assert!(store.open_operations().await.unwrap().is_empty(), "point {point}");
    assert!(store.unfinished_runs().await.unwrap().is_empty(), "point {point}");
    let inventory = store.inventory().await.unwrap();
    let names = |kind: &str| inventory.iter().filter(|entry| entry.kind == kind).count();
    assert_eq!((names("container"), names("network"), names("volume")), (2, 1, 1), "point {point}");
    assert!(inventory.iter().all(|entry| entry.kind == "volume" || !entry.engine_id.is_empty()));
    let history = store.history(&HistoryFilter::default(), 10).await.unwrap();
    let dead = history.iter().find(|run| run.outcome == RunResult::Interrupted);
    let dead = dead.unwrap_or_else(|| panic!("point {point}: {history:#?}"));
    // What is known of it is what was journaled.
    let journal = store.journal(&dead.id).await.unwrap();
    let steps: std::collections::BTreeSet<u32> = journal.iter().map(|entry| entry.key.step).collect();
    let counted = dead.counts.done + dead.counts.failed + dead.counts.cancelled;
    assert_eq!(counted as usize, steps.len(), "point {point}: {dead:#?}");
    let pack = world.state().join("evidence").join(dead.evidence.as_ref().expect("a dead run has a pack"));
    let text = std::fs::read_to_string(pack.join("outcomes.json")).unwrap();
    let outcomes: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(outcomes["operations"].as_array().unwrap().len(), journal.len(), "point {point}");
    assert!(
        ipaictl::record::evidence::verify_packs(&world.state().join("evidence"))
            .is_ok_and(|checked| { checked.first_bad.is_none() })
    );
}

fn compose(greeting: &str) -> String {
    let db = service("db", ", volumes: [data:/data]");
    let web = service("web", &format!(", depends_on: [db], environment: {{GREETING: {greeting}}}"));
    format!("services:\n{db}{web}volumes: {{data: {{}}}}\n")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_creation_that_was_killed_anywhere_converges() {
    let expected = ["db-1 running", "web-1 running"];
    let mut points = 0;
    for point in 1..POINTS_MAX {
        let world = World::new(&compose("one"));
        if !dies(&world, point) {
            break;
        }
        points = point;
        converges(&world, point, &expected).await;
    }
    // Network, volume and two containers with two operations each: asked, answered and steps ended.
    assert!((12..POINTS_MAX - 1).contains(&points), "{points} points");
    println!("{points} points of a creation");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recreation_that_was_killed_anywhere_converges_with_its_name() {
    let mut points = 0;
    for point in 1..POINTS_MAX {
        let world = World::new(&compose("one"));
        apply(&world.context().await).await.unwrap();
        world.change(&compose("two"));
        if !dies(&world, point) {
            break;
        }
        points = point;
        converges(&world, point, &["db-1 running", "web-1 running"]).await;
        let web = format!("{}-web-1", world.name);
        let environment = super::docker(&["inspect", "--format", "{{.Config.Env}}", &web]);
        assert!(environment.contains("GREETING=two"), "point {point}: {environment}");
    }
    // Made aside, the old one stopped and removed, renamed, started.
    assert!((10..POINTS_MAX - 1).contains(&points), "{points} points");
    println!("{points} points of a recreation");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_network_that_the_engine_made_twice_is_one_again_and_containers_start() {
    let world = World::new(&compose("one"));
    apply(&world.context().await).await.unwrap();
    let name = format!("{}_default", world.name);
    let labels = super::docker(&["network", "inspect", "--format", "{{json .Labels}}", &name]);
    // As the request of a process that died would: the program `docker` looks the name up before.
    let twin = bollard::models::NetworkCreateRequest {
        name: name.clone(),
        labels: Some(serde_json::from_str(&labels).unwrap()),
        ..Default::default()
    };
    let engine =
        ipaictl::clients::docker::Docker::connect("unix:///var/run/docker.sock", None).await.unwrap();
    engine.create_network(twin).await.unwrap();
    super::docker(&["stop", "--time", "0", &format!("{}-db-1", world.name)]);
    world.change(&compose("two"));

    let report = apply(&world.context().await).await.unwrap();
    assert!(report.converged(), "{:#?}", report.after);
    assert!(world.containers().contains(&"web-1 running".to_owned()), "{:?}", world.containers());
    let filter = format!("name=^{name}$");
    assert_eq!(super::docker(&["network", "ls", "--quiet", "--filter", &filter]).lines().count(), 1);
    let inventory = world.store().await.inventory().await.unwrap();
    assert_eq!(inventory.iter().filter(|entry| entry.kind == "network").count(), 1, "{inventory:?}");
}
