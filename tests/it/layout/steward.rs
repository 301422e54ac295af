//! The nightly steward: the real `serve`, which corrects drift at its time of day and not before.

use std::fs;

use chrono::{DateTime, TimeDelta, Utc};
use ipaictl::record::store::Store;
use serde_json::json;

use super::scene::Scene;

/// Makes the store believe that the night's pass ran for the last time days ago.
fn miss_nights(scene: &Scene) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let store = Store::open(&scene.state().join("ipaictl.db")).await.unwrap();
        let last: DateTime<Utc> = Utc::now() - TimeDelta::days(3);
        store.note_schedule("AddonsLayout/oca", last).await.unwrap();
    });
}

/// How many evidence packs there are.
fn packs(scene: &Scene) -> usize {
    let days = fs::read_dir(scene.state().join("evidence")).unwrap().flatten();
    days.filter(|day| day.path().is_dir()).map(|day| fs::read_dir(day.path()).unwrap().count()).sum()
}

#[test]
fn drift_waits_for_its_time_of_day_and_missed_nights_are_made_up_for_once() {
    let mut scene = Scene::new(&["web", "queue"]);
    scene.serve();
    // What is asked for is made at once.
    scene.wait_for("the first clones", || scene.clone("web").exists() && scene.clone("queue").exists());
    scene.wait_for("rest", || scene.run(&["status", "AddonsLayout/oca"]).out.contains("True"));
    fs::remove_dir_all(scene.clone("web")).unwrap();
    scene.stop();
    scene.serve();
    let says = |scene: &Scene, what: &str| scene.run(&["describe", "AddonsLayout/oca"]).out.contains(what);
    scene.wait_for("the drift", || says(&scene, "corrected at `0 2 * * *` Asia/Singapore"));
    assert!(!scene.clone("web").exists());
    scene.stop();
    miss_nights(&scene);
    scene.serve();
    scene.wait_for("the night's correction", || scene.clone("web").join("web/__manifest__.py").exists());
    scene.wait_for("its end", || scene.log().contains("pass ended"));
    assert_eq!(scene.log().matches("nightly pass").count(), 1, "{}", scene.log());
    let before = packs(&scene);
    scene.stop();
    // A night with nothing to do is proven as well.
    miss_nights(&scene);
    scene.serve();
    scene.wait_for("the proof of a quiet night", || packs(&scene) > before);
}

#[test]
fn reconcile_does_not_wait_for_the_night() {
    let mut scene = Scene::new(&["web"]);
    scene.serve();
    scene.wait_for("the first clone", || scene.clone("web").exists());
    scene.wait_for("rest", || scene.run(&["status", "AddonsLayout/oca"]).out.contains("True"));
    fs::remove_dir_all(scene.clone("web")).unwrap();
    let ran = scene.run(&["reconcile", "AddonsLayout/oca", "--wait"]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    assert!(scene.clone("web").join("web/__manifest__.py").exists());
    let events = scene.run(&["describe", "AddonsLayout/oca", "-o", "json"]).out;
    assert!(events.contains("Drifted") || events.contains("Run"), "{events}");
}

#[test]
fn a_schedule_that_is_none_is_refused_with_the_nearest_zone() {
    let mut scene = Scene::new(&[]);
    scene.describe(json!({"schedule": {"cron": "0 25 * * *", "timeZone": "Asia/Singapur"}}));
    let ran = scene.run(&["validate"]);
    assert_ne!(ran.code, 0);
    for said in ["Did you mean `Asia/Singapore`?", "is not a schedule of five cron fields"] {
        assert!(ran.err.contains(said) || ran.out.contains(said), "{said}: {}{}", ran.out, ran.err);
    }
}
