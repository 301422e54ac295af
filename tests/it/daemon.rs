//! `serve` itself: the real program over real git repositories and a real Docker Engine.

mod disk;
mod engine;
mod healing;
mod sources;
mod stopping;

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use super::desired::Lab;

/// How long anything may take before a test fails; generous, because the machine is shared.
pub const PATIENCE: Duration = Duration::from_secs(40);

/// A state repository with one stack, a controller on it, and what it makes on an engine; all of it removed at the end.
pub struct World {
    pub lab: Lab,
    /// The Stack's and the Compose project's name, unique on the engine.
    pub name: String,
    /// The engine's endpoint.
    pub endpoint: String,
    port: u16,
    /// The state repository as the configuration names it.
    pub repo: String,
    settings: String,
    child: Option<Child>,
}

impl World {
    /// A world on the machine's own engine.
    pub fn new(services: &str) -> World {
        World::on("unix:///var/run/docker.sock", services)
    }

    pub fn on(endpoint: &str, services: &str) -> World {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("dmn{}x{number}", std::process::id());
        let lab = Lab::with_repository();
        let world = World {
            repo: lab.repo().display().to_string(),
            lab,
            name,
            endpoint: endpoint.to_owned(),
            port: free_port(),
            settings: String::new(),
            child: None,
        };
        world.write_stack("");
        world.write_services(services);
        world.lab.commit("begin");
        world
    }

    /// Adds lines to the configuration.
    pub fn with_settings(mut self, lines: &str) -> World {
        self.settings.push_str(lines);
        self
    }

    pub fn write_stack(&self, more: &str) {
        let (name, endpoint) = (&self.name, &self.endpoint);
        self.lab.write(
            "desired-state/world.yaml",
            &format!(
                "apiVersion: ipai.dev/v1alpha1\nkind: Host\nmetadata: {{name: local}}\nspec: {{engine: {{endpoint: \"{endpoint}\"}}}}\n\
                 ---\napiVersion: ipai.dev/v1alpha1\nkind: Stack\nmetadata: {{name: {name}}}\n\
                 spec:\n  host: local\n  compose: {{files: [compose.yaml]}}\n{more}"
            ),
        );
    }

    /// Writes the Compose file; each service gets the image and command of a process that only waits.
    pub fn write_services(&self, services: &str) {
        self.lab.write("compose.yaml", &format!("services:\n{services}"));
    }

    /// A service that waits. Its restart policy makes it one that never completes; `more` is flow YAML that begins with a comma.
    pub fn service(name: &str, more: &str) -> String {
        format!(
            "  {name}: {{image: \"ipaictl/busybox:1\", command: [/bin/pause], restart: unless-stopped, stop_grace_period: 1s{more}}}\n"
        )
    }

    pub fn state(&self) -> PathBuf {
        self.lab.folder.path().join("state")
    }

    fn config(&self) -> PathBuf {
        let path = self.lab.folder.path().join("config.yaml");
        let text = format!(
            "repo: {}\nstateDir: {}\nlisten: 127.0.0.1:{}\n{}{}",
            self.repo,
            self.state().display(),
            self.port,
            if self.settings.contains("log:") { "" } else { "log: {filter: debug}\n" },
            self.settings
        );
        std::fs::write(&path, text).unwrap();
        path
    }

    /// The program with this world's configuration.
    pub fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ipaictl"));
        command.arg("--config").arg(self.config()).stdin(Stdio::null());
        command
    }

    /// What a command prints on standard output.
    pub fn run(&self, arguments: &[&str]) -> String {
        let output = self.command().args(arguments).output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Starts the controller and waits until it is ready.
    pub fn serve(&mut self) {
        let path = self.lab.folder.path().join("serve.log");
        let log = std::fs::File::options().create(true).append(true).open(path).unwrap();
        let child = self.command().arg("serve").stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap();
        self.child = Some(child);
        self.wait("it is ready", |world| world.get("/readyz").starts_with("HTTP/1.1 200"));
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.lab.folder.path().join("serve.log")).unwrap_or_default()
    }

    /// Waits until something is true; fails with the controller's log.
    pub fn wait(&mut self, what: &str, mut holds: impl FnMut(&World) -> bool) -> Duration {
        let begun = Instant::now();
        while !holds(self) {
            if let Some(Ok(Some(status))) = self.child.as_mut().map(Child::try_wait) {
                panic!("waited until {what}, but the controller ended with {status}:\n{}", self.log());
            }
            assert!(begun.elapsed() < PATIENCE, "waited until {what}:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(50));
        }
        begun.elapsed()
    }

    /// Asserts that something stays true for a while.
    pub fn stays(&self, what: &str, seconds: u64, holds: impl Fn(&World) -> bool) {
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(seconds) {
            assert!(holds(self), "{what} did not last:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    /// One answer of the health endpoints, head included.
    pub fn get(&self, path: &str) -> String {
        let Ok(mut stream) = TcpStream::connect(("127.0.0.1", self.port)) else { return String::new() };
        let _ = stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes());
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer);
        answer
    }

    /// The value of a number of `/metrics`.
    pub fn number(&self, name: &str) -> f64 {
        let page = self.get("/metrics");
        let line = page.lines().find(|line| line.rsplit_once(' ').is_some_and(|(start, _)| start == name));
        line.and_then(|line| line.rsplit_once(' ')).map_or(f64::NAN, |(_, value)| value.parse().unwrap())
    }

    pub fn docker(&self, arguments: &[&str]) -> String {
        let output = Command::new("docker").arg("-H").arg(&self.endpoint).args(arguments).output().unwrap();
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// The name of a service's container.
    pub fn container(&self, service: &str) -> String {
        format!("{}-{service}-1", self.name)
    }

    /// What `docker inspect` says of a service's container; empty when there is none.
    pub fn inspect(&self, service: &str, format: &str) -> String {
        self.docker(&["inspect", "--type", "container", "--format", format, &self.container(service)])
    }

    pub fn runs(&self, service: &str) -> bool {
        self.inspect(service, "{{.State.Running}}") == "true"
    }

    pub fn names(&self) -> Vec<String> {
        let filter = format!("label=com.docker.compose.project={}", self.name);
        let text = self.docker(&["ps", "-a", "--filter", &filter, "--format", "{{.Names}}"]);
        let mut names: Vec<String> = text.lines().map(str::to_owned).collect();
        names.sort();
        names
    }

    /// Waits until a preview finds nothing to do.
    pub fn wait_in_sync(&mut self) {
        let mut said = String::new();
        let begun = Instant::now();
        self.wait("all is in sync", |world| {
            let output = world.command().args(["diff"]).output().unwrap();
            said = String::from_utf8_lossy(&output.stdout).into_owned()
                + &String::from_utf8_lossy(&output.stderr);
            assert!(begun.elapsed() < PATIENCE / 2, "a difference stays:\n{said}\n{}", world.log());
            output.status.success() && world.number("ipaictl_oldest_unsynced_seconds") == 0.0
        });
    }

    pub fn signal(&self, signal: &str) {
        let pid = self.child.as_ref().unwrap().id().to_string();
        assert!(Command::new("kill").args(["-s", signal, &pid]).status().unwrap().success());
    }

    /// Waits for the end of the controller and answers its exit code.
    pub fn ended(&mut self) -> Option<i32> {
        let begun = Instant::now();
        let mut child = self.child.take().unwrap();
        loop {
            if let Some(status) = child.try_wait().unwrap() {
                return status.code();
            }
            if begun.elapsed() > PATIENCE {
                let _ = child.kill();
                panic!("it did not end:\n{}", self.log());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
        let filter = format!("label=com.docker.compose.project={}", self.name);
        for (list, remove) in [
            ("container ls --all --quiet --filter", "container rm --force --volumes"),
            ("network ls --quiet --filter", "network rm"),
            ("volume ls --quiet --filter", "volume rm"),
        ] {
            let list: Vec<&str> = list.split(' ').chain([filter.as_str()]).collect();
            for id in self.docker(&list).lines() {
                self.docker(&remove.split(' ').chain([id]).collect::<Vec<_>>());
            }
        }
    }
}

fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port()
}
