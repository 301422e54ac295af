//! Files that containers mount from the controller's own checkout, and who else writes them.

use crate::world::{World, docker};

const COMPOSE: &str = "services:
  app:
    image: ipaictl/busybox:1
    command: [/bin/pause]
    volumes: ['./app.conf:/etc/app.conf:ro']
  other: {image: 'ipaictl/busybox:1', command: [/bin/pause]}
";

#[test]
fn a_mounted_file_that_was_changed_by_hand_is_put_right_and_what_was_written_is_kept() {
    let world = World::new("tampered", COMPOSE);
    world.write("app.conf", "as committed\n");
    world.commit("feat: settings");
    world.apply();
    let file = world.state().join("checkouts/_state/app.conf");
    let seen = || docker(&["exec", &world.container("app"), "cat", "/etc/app.conf"]).trim().to_owned();
    assert_eq!(seen(), "as committed");

    let (app, other) = (world.id("app"), world.id("other"));
    std::fs::write(&file, "changed by hand\n").unwrap();
    assert_eq!(seen(), "changed by hand");
    let said = world.run(&["diff"]);
    assert!(
        said.out.contains("drift: content") && said.out.contains("content of /etc/app.conf"),
        "{}",
        said.out
    );
    world.apply();
    assert_eq!(seen(), "as committed");
    assert_ne!(world.id("app"), app, "its processes may have read what was changed");
    assert_eq!(world.id("other"), other, "who does not mount it is left alone");
    world.assert_in_sync();
    let kept = world.state().join("kept/_state");
    let set = std::fs::read_dir(&kept).unwrap().next().unwrap().unwrap().path();
    assert_eq!(std::fs::read_to_string(set.join("app.conf")).unwrap(), "changed by hand\n");

    // Replaced as editors do, removed, and changed while a new commit is on its way.
    std::fs::remove_file(&file).unwrap();
    world.apply();
    world.assert_in_sync();
    std::fs::write(&file, "changed again\n").unwrap();
    world.write("app.conf", "as committed later\n");
    world.commit("feat: other settings");
    world.apply();
    assert_eq!(seen(), "as committed later");
    world.assert_in_sync();
    assert_eq!(std::fs::read_dir(&kept).unwrap().count(), 2);
}
