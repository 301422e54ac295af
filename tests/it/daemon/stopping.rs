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
