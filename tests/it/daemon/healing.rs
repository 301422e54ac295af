//! What happens to containers behind the controller's back.

use super::World;

#[test]
fn a_killed_or_removed_container_is_put_right_at_once() {
    let mut world = World::new(&(World::service("a", "") + &World::service("b", "")));
    world.serve();
    world.wait("both run", |world| world.runs("a") && world.runs("b"));

    let id = world.inspect("a", "{{.Id}}");
    world.docker(&["kill", &world.container("a")]);
    world.wait("it runs again", |world| world.runs("a"));
    assert_eq!(world.inspect("a", "{{.Id}}"), id, "a container that ended is started, not replaced");

    world.docker(&["rm", "-f", &world.container("b")]);
    world.wait("it is there again", |world| world.runs("b"));
    world.docker(&["pause", &world.container("b")]);
    world.wait("it goes on", |world| world.inspect("b", "{{.State.Paused}}") == "false");
    world.wait_in_sync();
}

#[test]
fn a_stop_by_hand_is_left_alone_until_the_container_is_started() {
    let mut world = World::new(&(World::service("a", "") + &World::service("b", "")));
    world.serve();
    world.wait("both run", |world| world.runs("a") && world.runs("b"));

    world.docker(&["stop", &world.container("a")]);
    world.stays("the stop", 4, |world| !world.runs("a"));
    // Other containers of the same stack are put right nevertheless.
    world.docker(&["kill", &world.container("b")]);
    world.wait("the other runs again", |world| world.runs("b"));
    assert!(!world.runs("a"));
    // A restart of the controller does not forget it.
    world.signal("TERM");
    assert_eq!(world.ended(), Some(0));
    world.serve();
    world.stays("the stop over a restart", 3, |world| !world.runs("a"));
    // A start by hand ends it, and the next kill is put right.
    world.docker(&["start", &world.container("a")]);
    world.stays("the start", 3, |world| world.runs("a"));
    world.docker(&["kill", &world.container("a")]);
    world.wait("it runs again", |world| world.runs("a"));
}

#[test]
fn own_operations_neither_wake_without_end_nor_count_as_stops_by_hand() {
    let mut world = World::new(&World::service("a", ", environment: {STEP: \"1\"}"));
    world.serve();
    world.wait("it runs", |world| world.runs("a"));
    // Stopping is part of this recreation.
    world.write_services(&World::service("a", ", environment: {STEP: \"2\"}"));
    world.lab.commit("two");
    world.wait("it was replaced", |world| world.inspect("a", "{{.Config.Env}}").contains("STEP=2"));
    world.wait("it runs", |world| world.runs("a"));
    world.write_stack("  run: stopped\n");
    world.lab.commit("stopped");
    world.wait("it is stopped", |world| !world.runs("a"));
    world.write_stack("");
    world.lab.commit("started");
    world.wait("our own stop does not hold it back", |world| world.runs("a"));
    // After the dust has settled nothing runs any more by itself. Images of others wake the host and the stack alike, so
    // only what the stack has beyond the host is our own doing.
    std::thread::sleep(std::time::Duration::from_secs(8));
    let passes = |world: &World, id: &str| {
        world.log().lines().filter(|line| line.contains(&format!("in sync resource={id}"))).count()
    };
    let stack = format!("Stack/{}", world.name);
    let surplus = |world: &World| passes(world, &stack) as i64 - passes(world, "Host/local") as i64;
    let before = surplus(&world);
    std::thread::sleep(std::time::Duration::from_secs(5));
    assert!(surplus(&world) - before <= 1, "{}", world.log());
    world.wait_in_sync();
}

#[test]
fn a_request_is_answered_and_settings_are_read_again() {
    let mut world = World::new(&World::service("a", ""));
    world.serve();
    world.wait("the pass is kept", |world| {
        let output = world.command().args(["status", "-o", "json"]).output().unwrap();
        String::from_utf8_lossy(&output.stdout).contains(&format!("Stack/{}", world.name))
    });
    let asked = world.number("ipaictl_wakes_total{trigger=\"manual\"}");
    let output = world.command().args(["reconcile", &format!("Stack/{}", world.name)]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    world.wait("it was taken up", |world| world.number("ipaictl_wakes_total{trigger=\"manual\"}") > asked);
    let answer =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    println!("{answer}");

    world.wait("the resource says so", |world| {
        let stack = format!("Stack/{}", world.name);
        let output = world.command().args(["status", &stack, "-o", "json"]).output().unwrap();
        String::from_utf8_lossy(&output.stdout).contains("\"lastHandledRequest\": \"2")
    });

    world = world.with_settings("intervals: {driftScan: 20s}\nholder: another\n");
    let _ = world.command();
    world.signal("HUP");
    world.wait("settings are read", |world| world.log().contains("settings read again"));
    assert!(world.log().contains("take effect at the next start: holder"), "{}", world.log());
}
