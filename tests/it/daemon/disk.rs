//! A full disk under a running controller.

use super::World;
use crate::disk::SmallDisk;

#[test]
fn a_full_disk_shows_in_health_and_the_controller_goes_on_when_there_is_room() {
    let mut world = World::new(&World::service("web", ""));
    let Some(disk) = SmallDisk::at(&world.state(), "6m") else {
        println!("skipped: a tmpfs can't be mounted here");
        return;
    };
    world.serve();
    world.wait("the first pass", |world| world.runs("web"));
    world.wait_in_sync();

    disk.fill();
    world.docker(&["kill", &world.container("web")]);
    world.wait("its health says it", |world| {
        let (health, ready) = (world.get("/healthz"), world.get("/readyz"));
        health.starts_with("HTTP/1.1 503") && health.contains("store") && ready.starts_with("HTTP/1.1 503")
    });
    // Nothing that could not be written down before is done.
    assert!(!world.runs("web"), "{}", world.log());

    disk.free();
    world.wait("it is well again", |world| world.get("/healthz").starts_with("HTTP/1.1 200"));
    world.wait("the container is started", |world| world.runs("web"));
    world.wait_in_sync();
    world.signal("TERM");
    assert_eq!(world.ended(), Some(0), "{}", world.log());
}
