//! How the controller ends, and what it leaves.

use std::time::{Duration, Instant};

use super::World;

#[test]
fn sigterm_in_a_health_wait_ends_soon_and_the_next_start_goes_on() {
    let never = ", healthcheck: {test: [CMD, /bin/false], interval: 1s, start_period: 60s}";
    let services =
        World::service("a", never) + &World::service("b", ", depends_on: {a: {condition: service_healthy}}");
    let mut world = World::new(&services);
    world.serve();
    world.wait("the first runs", |world| world.runs("a"));
    assert!(!world.runs("b"));
    let begun = Instant::now();
    world.signal("TERM");
    assert_eq!(world.ended(), Some(0), "{}", world.log());
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}\n{}", begun.elapsed(), world.log());

    world.write_services(&(World::service("a", "") + &World::service("b", "")));
    world.lab.commit("without the check");
    world.serve();
    world.wait("both run", |world| world.runs("a") && world.runs("b"));
    world.wait_in_sync();
    assert_eq!(world.names(), [world.container("a"), world.container("b")]);
    world.wait_in_sync();
}

#[test]
fn a_new_revision_ends_a_health_wait() {
    let never = ", healthcheck: {test: [CMD, /bin/false], interval: 1s, start_period: 300s}";
    let mut world = World::new(&World::service("a", never));
    world.serve();
    world.wait("it runs", |world| world.runs("a"));
    world.write_services(&World::service("a", ", environment: {STEP: \"2\"}"));
    world.lab.commit("fixed");
    let took =
        world.wait("the fix is there", |world| world.inspect("a", "{{.Config.Env}}").contains("STEP=2"));
    assert!(took < Duration::from_secs(20), "{took:?}\n{}", world.log());
    world.wait_in_sync();
}

#[test]
fn a_killed_controller_leaves_nothing_that_the_next_one_cannot_put_right() {
    let services: String = ["a", "b", "c", "d"].iter().map(|name| World::service(name, "")).collect();
    let mut world = World::new(&services);
    world.serve();
    // Somewhere in the middle of creating four containers.
    world.wait("something is there", |world| !world.names().is_empty());
    world.signal("KILL");
    assert_eq!(world.ended(), None);
    world.serve();
    world.wait("all run", |world| ["a", "b", "c", "d"].iter().all(|name| world.runs(name)));
    world.wait_in_sync();
    assert_eq!(world.names().len(), 4, "{:?}", world.names());
    world.wait_in_sync();
}

#[test]
fn a_second_controller_on_the_same_store_is_refused_and_the_first_is_still_known_to_run() {
    let mut world = World::new(&World::service("a", ""));
    world.serve();
    world.wait("it runs", |world| world.runs("a"));
    let output = world.command().args(["serve", "--listen", "127.0.0.1:0"]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(4), "{text}");
    assert!(text.contains("another controller serves the store") && text.contains("Hint: "), "{text}");
    let output = world.command().arg("status").output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(!text.contains("not running"), "{text}");
    // Its end is its own: the next one may begin at once, and is known to run.
    world.signal("TERM");
    assert_eq!(world.ended(), Some(0), "{}", world.log());
    let output = world.command().arg("status").output().unwrap();
    assert!(String::from_utf8_lossy(&output.stderr).contains("not running"));
    world.serve();
    let output = world.command().arg("status").output().unwrap();
    assert!(!String::from_utf8_lossy(&output.stderr).contains("not running"));
}

#[test]
fn the_lines_of_a_run_carry_the_id_that_history_shows() {
    let mut world = World::new(&World::service("a", "")).with_settings("log: {format: json, filter: info}\n");
    world.serve();
    world.wait("it runs", |world| world.runs("a"));
    world.wait_in_sync();
    let history: serde_json::Value = serde_json::from_str(&world.run(&["history", "-o", "json"])).unwrap();
    let run = &history[0];
    let lines: Vec<serde_json::Value> =
        world.log().lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let begun = lines.iter().find(|line| line["message"] == "begun").unwrap();
    let span = &begun["span"];
    let known = history.as_array().unwrap().iter().any(|run| run["id"] == span["run"]);
    assert!(known && run["id"].is_string(), "{begun}\n{history}");
    assert!(
        history.as_array().unwrap().iter().any(|run| run["correlation"] == span["correlation"]),
        "{begun}"
    );
}
