//! One PostgreSQL for all tests of the lab, a prepared database to copy, and an Odoo for each test.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use crate::world::{docker, eventually, root};

/// What every run that is to end by itself needs.
pub const ONE_SHOT: &[&str] =
    &["--stop-after-init", "--workers=0", "--max-cron-threads=0", "--no-http", "--without-demo=all"];
/// The modules of the prepared database, besides those that install themselves.
pub const PREPARED: &str = "lab_plain,lab_child,lab_fails,lab_slow";

/// The image under test.
pub fn image() -> String {
    let named = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    named("IPAICTL_TEST_ODOO_IMAGE")
        .or_else(|| named("ODOO_IMAGE"))
        .unwrap_or_else(|| "ipaictl/odoo-standin:18".to_owned())
}

/// The image of PostgreSQL.
pub fn postgres_image() -> String {
    std::env::var("POSTGRES_IMAGE").unwrap_or_else(|_| "ipaictl/postgres:15".to_owned())
}

/// What the tests share: a network and a database server, gone when the test program is.
pub struct Lab {
    pub network: String,
    pub server: String,
    _cleaner: Child,
}

/// What a run left.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub out: String,
    pub log: String,
    pub seconds: f64,
}

/// One Odoo of a test: its database's name, its folder of addons and its volume.
pub struct Odoo {
    pub database: String,
    volume: String,
    folder: tempfile::TempDir,
    config: Option<String>,
}

/// The shared part, made at first use.
pub fn lab() -> &'static Lab {
    static LAB: OnceLock<Lab> = OnceLock::new();
    LAB.get_or_init(|| {
        let name = format!("ipailab-{}", std::process::id());
        let label = format!("ipaictl.lab={}", std::process::id());
        docker(&["network", "create", "--label", &label, &name]);
        let cleaner = cleaner(&label);
        docker(&[
            "run",
            "-d",
            "--name",
            &name,
            "--network",
            &name,
            "--label",
            &label,
            "-e",
            "POSTGRES_USER=odoo",
            "-e",
            "POSTGRES_PASSWORD=pw",
            "-e",
            "POSTGRES_DB=postgres",
            &postgres_image(),
            "-c",
            "fsync=off",
        ]);
        let lab = Lab { network: name.clone(), server: name, _cleaner: cleaner };
        eventually(60, "PostgreSQL answers", || lab.is_up());
        lab
    })
}

/// The database that tests copy, installed once.
fn prepared() -> &'static str {
    static PREPARED_DATABASE: OnceLock<String> = OnceLock::new();
    PREPARED_DATABASE.get_or_init(|| {
        let odoo = Odoo::without_database();
        let ran = odoo.run(&[&["-d", "prepared", "-i", PREPARED], ONE_SHOT].concat());
        assert_eq!(ran.code, 0, "{}", ran.log);
        "prepared".to_owned()
    })
}

impl Lab {
    fn is_up(&self) -> bool {
        let ready = ["exec", &self.server, "pg_isready", "-q", "-h", &self.server, "-U", "odoo"];
        Command::new("docker").args(ready).output().unwrap().status.success()
    }

    /// Rows as psql prints them, unaligned.
    pub fn sql(&self, database: &str, statement: &str) -> String {
        let psql =
            ["exec", &self.server, "psql", "-v", "ON_ERROR_STOP=1", "-qAt", "-U", "odoo", "-d", database];
        docker(&[&psql[..], &["-c", statement]].concat()).trim().to_owned()
    }

    /// Whether there is a database of that name.
    pub fn has(&self, database: &str) -> bool {
        !self.sql("postgres", &format!("SELECT 1 FROM pg_database WHERE datname = '{database}'")).is_empty()
    }
}

impl Odoo {
    /// An Odoo over a copy of the prepared database, with the first revision of the test modules.
    pub fn new() -> Odoo {
        let source = prepared();
        let odoo = Odoo::without_database();
        // Copies exclude each other: the template must have no session.
        static COPY: std::sync::Mutex<()> = std::sync::Mutex::new(());
        let _one = COPY.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        lab().sql("postgres", &format!("CREATE DATABASE {} TEMPLATE {source}", odoo.database));
        odoo
    }

    /// An Odoo whose database does not exist yet.
    pub fn without_database() -> Odoo {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let volume = format!("{}-{number}", lab().network);
        docker(&["volume", "create", "--label", &format!("ipaictl.lab={}", std::process::id()), &volume]);
        let odoo = Odoo { database: format!("db{number}"), volume, folder, config: None };
        fs::create_dir(odoo.addons()).unwrap();
        odoo.take("addons");
        odoo
    }

    /// The folder that the container sees as its addons.
    pub fn addons(&self) -> PathBuf {
        self.folder.path().join("addons")
    }

    /// Copies a revision of the test modules over what is there.
    pub fn take(&self, revision: &str) {
        let from = root().join("tests/lab").join(revision).join(".");
        docker_free(Command::new("cp").arg("-r").arg(from).arg(self.addons()));
    }

    /// Removes all modules.
    pub fn remove_modules(&self) {
        fs::remove_dir_all(self.addons()).unwrap();
        fs::create_dir(self.addons()).unwrap();
    }

    /// Writes a file below the addons.
    pub fn write(&self, path: &str, text: &str) {
        let path = self.addons().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Writes a module with this manifest and nothing else.
    pub fn module(&self, name: &str, manifest: &str) {
        self.write(&format!("{name}/__manifest__.py"), manifest);
        self.write(&format!("{name}/__init__.py"), "");
    }

    /// Takes another configuration file than the image's.
    pub fn configure(&mut self, text: &str) {
        self.configure_with_mode(text, 0o644);
    }

    /// The same with a mode of its own.
    pub fn configure_with_mode(&mut self, text: &str, mode: u32) {
        fs::write(self.folder.path().join("odoo.conf"), text).unwrap();
        let mode = fs::Permissions::from_mode(mode);
        fs::set_permissions(self.folder.path().join("odoo.conf"), mode).unwrap();
        self.config =
            Some(format!("{}:/etc/odoo/odoo.conf:ro", self.folder.path().join("odoo.conf").display()));
    }

    /// Rows of this Odoo's database.
    pub fn sql(&self, statement: &str) -> String {
        lab().sql(&self.database, statement)
    }

    /// A test module's state and version, such as `installed 18.0.1.0.0`.
    pub fn state(&self, module: &str) -> String {
        self.sql(&format!(
            "SELECT state || ' ' || coalesce(latest_version, '-') FROM ir_module_module WHERE name = '{module}'"
        ))
    }

    /// `docker run` up to the image; `more` are further options.
    pub fn container(&self, more: &[&str]) -> Vec<String> {
        let label = format!("ipaictl.lab={}", std::process::id());
        let addons = format!("{}:/mnt/extra-addons:ro", self.addons().display());
        let data = format!("{}:/var/lib/odoo", self.volume);
        let host = format!("HOST={}", lab().server);
        let mut words = vec!["run", "--network", &lab().network, "--label", &label];
        words.extend(["-e", &host, "-e", "PASSWORD=pw", "-v", &addons, "-v", &data]);
        if let Some(config) = &self.config {
            words.extend(["-v", config]);
        }
        words.extend(more);
        let mut words: Vec<String> = words.into_iter().map(str::to_owned).collect();
        words.push(image());
        words
    }

    /// Runs `odoo` with these arguments to its end.
    pub fn run(&self, arguments: &[&str]) -> Ran {
        self.run_with(&[], &[&["odoo"], arguments].concat())
    }

    /// Runs a command in the image to its end.
    pub fn run_with(&self, options: &[&str], command: &[&str]) -> Ran {
        let started = Instant::now();
        let options = [&["--rm"], options].concat();
        let output = Command::new("docker").args(self.container(&options)).args(command).output().unwrap();
        Ran {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            log: String::from_utf8_lossy(&output.stderr).into_owned(),
            seconds: started.elapsed().as_secs_f64(),
        }
    }

    /// Runs `odoo` once on this Odoo's database.
    pub fn once(&self, arguments: &[&str]) -> Ran {
        self.run(&[&["-d", self.database.as_str()], arguments, ONE_SHOT].concat())
    }

    /// Whether the volume has this file.
    pub fn keeps(&self, path: &str) -> bool {
        let data = format!("{}:/data", self.volume);
        let words = ["run", "--rm", "-v", &data, "ipaictl/busybox:1", "test", "-f", &format!("/data/{path}")];
        Command::new("docker").args(words).output().unwrap().status.success()
    }
}

impl Ran {
    /// The run ended with this code and said all this.
    pub fn expect(&self, code: i32, says: &[&str]) {
        assert_eq!(self.code, code, "{}\n{}", self.out, self.log);
        for words in says {
            assert!(
                self.log.contains(words) || self.out.contains(words),
                "no `{words}` in\n{}\n{}",
                self.out,
                self.log
            );
        }
    }
}

/// A process that waits for this one's end and then removes what has the label.
fn cleaner(label: &str) -> Child {
    let script = "cat >/dev/null; f=label=$1; \
        docker rm -fv $(docker ps -aq --filter $f); docker volume rm $(docker volume ls -q --filter $f); \
        docker network rm $(docker network ls -q --filter $f)";
    Command::new("sh")
        .args(["-c", script, "cleaner", label])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .unwrap()
}

/// Runs a command that must succeed.
fn docker_free(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Waits a moment; for what has no sign to wait for.
pub fn pause(milliseconds: u64) {
    std::thread::sleep(Duration::from_millis(milliseconds));
}

/// The recorded runs of a real Odoo.
pub fn recordings() -> PathBuf {
    let shared = std::env::var_os("IPAICTL_SHARED").map_or_else(|| root().join("../shared"), PathBuf::from);
    shared.join("fixtures/odoo-logs")
}
