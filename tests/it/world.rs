//! One small world per test: a state repository, a state folder and a project on the real engine, all gone at the end.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

/// A state repository and a controller's state folder of their own, for one project on the local engine.
pub struct World {
    folder: tempfile::TempDir,
    /// The Compose project's name, unique among concurrent tests.
    pub project: String,
}

/// What the tested program said.
pub struct Said {
    /// Its exit code.
    pub code: i32,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl World {
    /// A world with one host and one stack `app` from `compose.yaml`, committed.
    pub fn new(name: &str, compose: &str) -> World {
        let folder = tempfile::tempdir().unwrap();
        let project = format!("ipaictl-it-{}-{name}", std::process::id());
        let world = World { folder, project };
        fs::create_dir_all(world.repository().join("desired-state")).unwrap();
        world.git(&["init", "-q", "-b", "main"]);
        world.write(
            "desired-state/host.yaml",
            "apiVersion: ipai.dev/v1alpha1\nkind: Host\nmetadata: {name: local}\nspec: {engine: {endpoint: \"unix:///var/run/docker.sock\"}}\n",
        );
        world.stack("");
        world.write("compose.yaml", compose);
        let config = format!(
            "repo: {}\nstateDir: {}\nlisten: 127.0.0.1:{}\n",
            world.repository().display(),
            world.state().display(),
            free_port()
        );
        fs::write(world.folder.path().join("config.yaml"), config).unwrap();
        world.commit("feat: start");
        world
    }

    /// Writes the stack's document; `more` are further lines of its spec, indented by two spaces.
    pub fn stack(&self, more: &str) {
        self.write(
            "desired-state/app.yaml",
            &format!(
                "apiVersion: ipai.dev/v1alpha1\nkind: Stack\nmetadata: {{name: app}}\nspec:\n  host: local\n  compose: {{files: [compose.yaml], project: {}}}\n{more}",
                self.project
            ),
        );
    }

    /// The state repository's folder.
    pub fn repository(&self) -> PathBuf {
        self.folder.path().join("repository")
    }

    /// The controller's state folder.
    pub fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    /// The settings file.
    pub fn config(&self) -> PathBuf {
        self.folder.path().join("config.yaml")
    }

    /// A path in the world's folder, outside the repository.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file of the repository.
    pub fn write(&self, path: &str, text: &str) {
        let path = self.repository().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Replaces text in a file of the repository; the text has to be there.
    pub fn edit(&self, path: &str, from: &str, to: &str) {
        let text = fs::read_to_string(self.repository().join(path)).unwrap();
        assert!(text.contains(from), "`{from}` is not in {path}");
        self.write(path, &text.replace(from, to));
    }

    /// Commits all files and returns the commit.
    pub fn commit(&self, message: &str) -> String {
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "--allow-empty", "-m", message]);
        self.git(&["rev-parse", "HEAD"]).trim().to_owned()
    }

    /// Runs git in the repository.
    pub fn git(&self, arguments: &[&str]) -> String {
        let mut command = Command::new("git");
        command.arg("-C").arg(self.repository());
        command.args([
            "-c",
            "user.name=test",
            "-c",
            "user.email=test@localhost",
            "-c",
            "commit.gpgsign=false",
        ]);
        text_of(command.args(arguments))
    }

    /// Runs the program under test.
    pub fn run(&self, arguments: &[&str]) -> Said {
        let output = self.command(arguments).output().unwrap();
        Said {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// The program under test with this world's settings.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ipaictl"));
        command.arg("--config").arg(self.config()).args(arguments);
        command.env("NO_COLOR", "1").env_remove("RUST_LOG").current_dir(self.folder.path());
        command
    }

    /// Applies and expects success.
    pub fn apply(&self) -> String {
        let said = self.run(&["apply", "--yes"]);
        assert_eq!(said.code, 0, "apply failed:\n{}\n{}", said.out, said.err);
        said.out
    }

    /// Expects that nothing differs.
    pub fn assert_in_sync(&self) {
        let said = self.run(&["diff", "--detailed-exitcode"]);
        assert_eq!(said.code, 0, "something differs:\n{}\n{}", said.out, said.err);
    }

    /// Expects differences and returns them as text.
    pub fn differences(&self) -> String {
        let said = self.run(&["diff", "--detailed-exitcode"]);
        assert_eq!(said.code, 2, "nothing differs:\n{}\n{}", said.out, said.err);
        said.out
    }

    /// The name of a service's first container.
    pub fn container(&self, service: &str) -> String {
        format!("{}-{service}-1", self.project)
    }

    /// One value of a container's inspection, by a Go template.
    pub fn inspect(&self, service: &str, template: &str) -> String {
        docker(&["inspect", "-f", template, &self.container(service)]).trim().to_owned()
    }

    /// The engine's id of a service's first container.
    pub fn id(&self, service: &str) -> String {
        self.inspect(service, "{{.Id}}")
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let filter = format!("label=com.docker.compose.project={}", self.project);
        for (list, remove) in [
            (["ps", "-aq"].as_slice(), ["rm", "-fv"].as_slice()),
            (&["network", "ls", "-q"], &["network", "rm"]),
            (&["volume", "ls", "-q"], &["volume", "rm"]),
        ] {
            let found = Command::new("docker").args(list).args(["--filter", &filter]).output().unwrap();
            for id in String::from_utf8_lossy(&found.stdout).split_whitespace() {
                let _ = Command::new("docker").args(remove).arg(id).output();
            }
        }
    }
}

/// Runs docker and returns its standard output; fails the test when docker fails.
pub fn docker(arguments: &[&str]) -> String {
    text_of(Command::new("docker").args(arguments))
}

/// Runs a command and returns its standard output; fails the test when it fails.
pub fn text_of(command: &mut Command) -> String {
    let Output { status, stdout, stderr } = command.output().unwrap();
    assert!(status.success(), "{command:?}: {}", String::from_utf8_lossy(&stderr));
    String::from_utf8(stdout).unwrap()
}

/// Waits until something holds.
pub fn eventually(seconds: u64, what: &str, mut holds: impl FnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(seconds);
    while !holds() {
        assert!(Instant::now() < until, "not within {seconds} s: {what}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// A TCP port of the loopback interface that nothing listens on right now.
pub fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// The package's root.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
