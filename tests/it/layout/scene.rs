//! A checkout whose layout is kept: remotes behind `git daemon`, a code repository, a state repository, the real program.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{git, write};
use crate::cli::{Program, Ran};
use crate::git_daemon::Daemon;

/// How long anything may take before a test fails; generous, because the machine is shared.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a bad line between the program and a server does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Line {
    /// Passes everything on, each answer after a while.
    Slow(Duration),
    /// Ends the first connections after so many bytes of the answer.
    Cuts { connections: usize, bytes: usize },
    /// Passes on so many bytes, and then nothing any more.
    Stalls(usize),
}

/// A line to a server that behaves badly.
pub struct Proxy {
    pub port: u16,
    /// Connections so far.
    pub count: Arc<AtomicUsize>,
    /// The most that were open at once.
    pub most: Arc<AtomicUsize>,
}

impl Proxy {
    pub fn before(server: u16, line: Line) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (count, most, open) =
            (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (counted, highest) = (count.clone(), most.clone());
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let number = counted.fetch_add(1, Ordering::SeqCst);
                let (open, highest) = (open.clone(), highest.clone());
                std::thread::spawn(move || {
                    highest.fetch_max(open.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    pass(client, server, line, number);
                    open.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        Proxy { port, count, most }
    }
}

fn pass(client: TcpStream, server: u16, line: Line, number: usize) {
    let Ok(upstream) = TcpStream::connect(("127.0.0.1", server)) else { return };
    let (mut asks, mut forwards) = (client.try_clone().unwrap(), upstream.try_clone().unwrap());
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut asks, &mut forwards);
        let _ = forwards.shutdown(std::net::Shutdown::Write);
    });
    let (mut answers, mut back) = (upstream, client);
    let mut left = match line {
        Line::Slow(pause) => {
            std::thread::sleep(pause);
            usize::MAX
        }
        Line::Cuts { connections, bytes } if number < connections => bytes,
        Line::Cuts { .. } => usize::MAX,
        Line::Stalls(bytes) => bytes,
    };
    let mut buffer = [0; 4096];
    while let Ok(found @ 1..) = answers.read(&mut buffer) {
        let part = found.min(left);
        left -= part;
        if back.write_all(&buffer[..part]).is_err() {
            break;
        }
        if left == 0 {
            if matches!(line, Line::Stalls(_)) {
                std::thread::sleep(PATIENCE);
            }
            break;
        }
    }
    let _ = back.shutdown(std::net::Shutdown::Both);
}

/// The scene of a test.
pub struct Scene {
    pub program: Program,
    pub daemon: Daemon,
    /// The port that the manifest names: the daemon's, or a line's before it.
    pub port: u16,
    pub manifest: Value,
    spec: Value,
    child: Option<Child>,
}

impl Scene {
    /// A scene whose manifest declares repositories of one module each, with branches 17.0 and 18.0.
    pub fn new(names: &[&str]) -> Scene {
        let program = Program::with_identity();
        let work = program.work();
        let remotes = work.join("remotes");
        for name in names {
            make_remote(&remotes.join("OCA").join(name), name);
        }
        fs::create_dir_all(&remotes).unwrap();
        let daemon = Daemon::serve(&remotes);
        let mut scene = Scene {
            port: daemon.port,
            daemon,
            manifest: json!({"version": 1, "roots": {"own": "addons/own"}, "oca_repositories": []}),
            spec: json!({"repository": "code", "series": "18.0", "fix": ["clone", "branch"]}),
            program,
            child: None,
        };
        write(&scene.code().join("addons/own/shop/__manifest__.py"), "{'name': 'Shop', 'license': 'LGPL-3'}");
        git(&scene.code(), &["init", "-q", "-b", "main"]);
        write(&scene.code().join(".gitignore"), "/addons/oca/\n");
        scene.declare(names, json!({}));
        let state = scene.state_repository();
        fs::create_dir_all(&state).unwrap();
        git(&state, &["init", "-q", "-b", "main"]);
        scene.describe(json!({}));
        write(
            &work.join("config.yaml"),
            format!(
                "repo: {}\nstateDir: {}\nlisten: 127.0.0.1:{}\ngit: {{allow: [file, git]}}\nlog: {{filter: debug}}\n",
                state.display(),
                scene.state().display(),
                TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
            ),
        );
        scene
    }

    /// Puts a line before the server; the manifest names it from now on.
    pub fn line(&mut self, names: &[&str], line: Line) -> Proxy {
        let proxy = Proxy::before(self.daemon.port, line);
        self.port = proxy.port;
        self.declare(names, json!({}));
        proxy
    }

    /// Commits a manifest that declares these repositories; `more` is put into each of them.
    pub fn declare(&mut self, names: &[&str], more: Value) {
        let list: Vec<Value> = names
            .iter()
            .map(|name| {
                let url = format!("git://127.0.0.1:{}/OCA/{name}", self.port);
                let mut item = json!({"name": name, "url": url, "path": format!("addons/oca/{name}")});
                let more = more.as_object().unwrap().iter().map(|(key, value)| (key.clone(), value.clone()));
                item.as_object_mut().unwrap().extend(more);
                item
            })
            .collect();
        self.manifest["oca_repositories"] = json!(list);
        let text = format!("{:#}\n", self.manifest);
        self.commit_code("config/addons_manifest.oca_ipai.json", &text);
    }

    /// Commits a file into the code repository.
    pub fn commit_code(&self, file: &str, text: &str) {
        write(&self.code().join(file), text);
        git(&self.code(), &["add", "-A"]);
        git(&self.code(), &["commit", "-q", "--allow-empty", "-m", "change"]);
    }

    /// Commits the documents, with a patch of the layout's specification.
    pub fn describe(&mut self, patch: Value) {
        for (key, value) in patch.as_object().unwrap() {
            self.spec[key] = value.clone();
        }
        let document = |kind: &str, name: &str, spec: &Value| {
            format!(
                "{:#}\n---\n",
                json!({"apiVersion": "ipai.dev/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec})
            )
        };
        let repository = json!({
            "url": format!("file://{}", self.code().display()), "host": "local", "checkout": self.checkout(),
        });
        // No engine is needed to keep a layout.
        let host = json!({"engine": {"endpoint": "unix:///nonexistent/docker.sock"}});
        let text = document("Host", "local", &host)
            + &document("Repository", "code", &repository)
            + &document("AddonsLayout", "oca", &self.spec);
        write(&self.state_repository().join("desired-state/all.yaml"), text.trim_end_matches("---\n"));
        git(&self.state_repository(), &["add", "-A"]);
        git(&self.state_repository(), &["commit", "-q", "--allow-empty", "-m", "describe"]);
    }

    pub fn code(&self) -> PathBuf {
        self.program.work().join("code")
    }

    pub fn state(&self) -> PathBuf {
        self.program.work().join("state")
    }

    fn state_repository(&self) -> PathBuf {
        self.program.work().join("desired")
    }

    pub fn remote(&self, name: &str) -> PathBuf {
        self.program.work().join("remotes/OCA").join(name)
    }

    pub fn checkout(&self) -> PathBuf {
        self.program.work().join("srv/odoo")
    }

    pub fn clone(&self, name: &str) -> PathBuf {
        self.checkout().join("addons/oca").join(name)
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.program.command();
        command.args(["--config", "config.yaml"]).args(arguments);
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Ran {
        Ran::from(self.command(arguments).output().unwrap())
    }

    /// Applies the checkout and its layout.
    pub fn apply(&self) -> Ran {
        self.run(&["apply", "--yes", "--only", "Repository/code,AddonsLayout/oca"])
    }

    /// Applies, and requires that all of it worked.
    pub fn applied(&self) -> Ran {
        let ran = self.apply();
        assert_eq!(ran.code, 0, "{}\n{}", ran.out, ran.err);
        ran
    }

    /// Applies what is possible beside what a person must decide.
    pub fn applied_with_decisions(&self) -> Ran {
        let ran = self.apply();
        assert!(ran.code == 1 && ran.out.contains("needs a decision"), "{}\n{}", ran.out, ran.err);
        ran
    }

    pub fn diff(&self) -> String {
        self.run(&["diff", "Repository/code", "AddonsLayout/oca"]).out
    }

    /// The commit and the branch of a clone; `HEAD` when it is detached.
    pub fn head(&self, name: &str) -> (String, String) {
        let folder = self.clone(name);
        (git(&folder, &["rev-parse", "HEAD"]), git(&folder, &["rev-parse", "--abbrev-ref", "HEAD"]))
    }

    /// Starts `serve`; killed at the end.
    pub fn serve(&mut self) {
        let log = fs::File::create(self.program.work().join("serve.log")).unwrap();
        let child = self.command(&["serve"]).stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap();
        self.child = Some(child);
    }

    /// Ends `serve`.
    pub fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// What `serve` logged.
    pub fn log(&self) -> String {
        fs::read_to_string(self.program.work().join("serve.log")).unwrap_or_default()
    }

    /// Waits until something holds.
    pub fn wait_for(&self, what: &str, holds: impl Fn() -> bool) {
        let start = Instant::now();
        while !holds() {
            assert!(start.elapsed() < PATIENCE, "waited in vain for {what}: {}", self.log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Makes an incomplete clone one that nobody has worked on for an hour.
pub fn age(clone: &Path) {
    let long_ago = std::time::SystemTime::now() - Duration::from_secs(3600);
    let git = clone.join(".git");
    let entries =
        |folder: &Path| fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    for path in entries(&git).chain(entries(&git.join("objects/pack"))).chain([git.clone()]) {
        fs::File::open(path).unwrap().set_modified(long_ago).unwrap();
    }
}

/// A remote with a commit on 17.0 and another on 18.0, which may be cloned partially.
pub fn make_remote(remote: &Path, name: &str) {
    let module = name.replace('-', "_");
    write(
        &remote.join(format!("{module}/__manifest__.py")),
        format!("{{'name': '{name}', 'version': '17.0.1.0.0', 'license': 'AGPL-3'}}"),
    );
    git(remote, &["init", "-q", "-b", "17.0"]);
    git(remote, &["config", "uploadpack.allowFilter", "true"]);
    git(remote, &["config", "uploadpack.allowAnySHA1InWant", "true"]);
    git(remote, &["add", "-A"]);
    git(remote, &["commit", "-qm", "17.0"]);
    git(remote, &["checkout", "-q", "-b", "18.0"]);
    next_commit(remote, name);
}

/// Adds a commit to 18.0 and answers it.
pub fn next_commit(remote: &Path, name: &str) -> String {
    let module = name.replace('-', "_");
    let number = git(remote, &["rev-list", "--count", "HEAD"]);
    write(
        &remote.join(format!("{module}/__manifest__.py")),
        format!("{{'name': '{name}', 'version': '18.0.1.0.{number}', 'license': 'AGPL-3'}}"),
    );
    git(remote, &["add", "-A"]);
    git(remote, &["commit", "-qm", "18.0"]);
    git(remote, &["rev-parse", "HEAD"])
}
