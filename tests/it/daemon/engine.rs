//! The engine is restarted under the controller: a private one, so that nobody else notices.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::World;

/// A Docker Engine of its own, with its own data and socket.
struct Engine {
    folder: tempfile::TempDir,
    child: Option<Child>,
}

impl Engine {
    fn new() -> Engine {
        // A short path: a socket's is at most 108 bytes, and containerd's are longer than the engine's.
        let folder = tempfile::Builder::new().prefix("dmn").tempdir_in("/tmp").unwrap();
        let mut engine = Engine { folder, child: None };
        engine.start();
        engine
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("s")
    }

    fn endpoint(&self) -> String {
        format!("unix://{}", self.socket().display())
    }

    fn start(&mut self) {
        let folder = self.folder.path();
        // Left by a killed engine, it keeps the next one from starting.
        let _ = std::fs::remove_file(folder.join("e/containerd/containerd.pid"));
        let log = std::fs::File::options().create(true).append(true).open(folder.join("log")).unwrap();
        // In a network namespace of its own: an engine without a bridge takes `docker0` away from whoever has one.
        let child = Command::new("unshare")
            .args(["--net", "dockerd"])
            .arg("--data-root")
            .arg(folder.join("d"))
            .arg("--exec-root")
            .arg(folder.join("e"))
            .arg("--pidfile")
            .arg(folder.join("p"))
            .arg("--host")
            .arg(self.endpoint())
            .args(["--bridge", "none", "--iptables=false", "--storage-driver", "vfs"])
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        self.child = Some(child);
        let begun = Instant::now();
        while !self.docker(&["version"]).0 {
            assert!(begun.elapsed() < Duration::from_secs(30), "{}", self.log());
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    fn stop(&mut self, signal: &str) {
        let mut child = self.child.take().unwrap();
        assert!(
            Command::new("kill").args(["-s", signal, &child.id().to_string()]).status().unwrap().success()
        );
        child.wait().unwrap();
    }

    fn docker(&self, arguments: &[&str]) -> (bool, String) {
        let output = Command::new("docker").arg("-H").arg(self.endpoint()).args(arguments).output().unwrap();
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Takes an image over from the machine's own engine.
    fn load(&self, image: &str) {
        let mut saved = Command::new("docker").args(["save", image]).stdout(Stdio::piped()).spawn().unwrap();
        let loaded = Command::new("docker")
            .arg("-H")
            .arg(self.endpoint())
            .arg("load")
            .stdin(saved.stdout.take().unwrap())
            .output()
            .unwrap();
        assert!(saved.wait().unwrap().success() && loaded.status.success());
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        let ids = Command::new("docker").arg("-H").arg(self.endpoint()).args(["ps", "-aq"]).output();
        for id in
            ids.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default().lines()
        {
            self.docker(&["rm", "-f", id]);
        }
        if let Some(child) = &mut self.child {
            let _ = Command::new("kill").arg(child.id().to_string()).status();
            let _ = child.wait();
        }
        unmount(self.folder.path());
    }
}

/// A killed engine leaves mounts, which keep the folder from being removed.
fn unmount(folder: &Path) {
    let mounts = std::fs::read_to_string("/proc/mounts").unwrap_or_default();
    let ours = folder.display().to_string();
    for target in
        mounts.lines().filter_map(|line| line.split(' ').nth(1)).filter(|target| target.starts_with(&ours))
    {
        let _ = Command::new("umount").args(["-l", target]).status();
    }
}

#[test]
fn an_engine_that_restarts_gets_its_containers_back() {
    if !Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout == b"0\n") {
        println!("skipped: a private engine needs root");
        return;
    }
    let mut engine = Engine::new();
    engine.load("ipaictl/busybox:1");
    let mut world = World::on(
        &engine.endpoint(),
        &(World::service("a", ", network_mode: none") + &World::service("b", ", network_mode: none")),
    );
    world.serve();
    world.wait("both run", |world| world.runs("a") && world.runs("b"));
    let ids = |world: &World| (world.inspect("a", "{{.Id}}"), world.inspect("b", "{{.Id}}"));
    let before = ids(&world);

    for signal in ["TERM", "KILL"] {
        engine.stop(signal);
        world.wait("the stream is closed", |world| world.number("ipaictl_event_streams_connected") == 0.0);
        engine.start();
        world.wait("both run again", |world| world.runs("a") && world.runs("b"));
        world.wait("the stream is open", |world| world.number("ipaictl_event_streams_connected") == 1.0);
        // The new stream is listened to.
        world.docker(&["kill", &world.container("b")]);
        world.wait("what was killed runs again", |world| world.runs("b"));
        assert_eq!(ids(&world), before, "no second container, after {signal}\n{}", world.log());
    }
    world.wait_in_sync();
    assert_eq!(world.names().len(), 2);
}
