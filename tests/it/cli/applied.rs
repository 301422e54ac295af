//! `apply` on the real engine: consent, saved plans, locks, health, refusals, and that secrets stay secret.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use chrono::Utc;
use ipaictl::model::id::{Kind, ResourceId};
use ipaictl::record::locks::{LockRequest, Locked};
use ipaictl::record::store::Store;

use super::{Program, Ran, assert_schema};

/// A state repository with one stack under a name of its own; what it made is removed at the end.
struct Lab {
    program: Program,
    name: String,
}

const PAUSE: &str = "services:\n  one:\n    image: ipaictl/busybox:1\n    command: [/bin/pause]\n";

impl Lab {
    fn new(compose: &str) -> Lab {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("ipaictl-cli-{}-{number}", std::process::id());
        let lab = Lab { program: Program::with_identity(), name };
        lab.git(&["init", "-q", "-b", "main", "."]);
        lab.host("{}");
        lab.stack("");
        lab.compose(compose);
        lab
    }

    fn write(&self, file: &str, text: &str) {
        let path = self.program.work().join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "--allow-empty", "-m", file]);
    }

    fn host(&self, spec: &str) {
        let text =
            format!("apiVersion: ipai.dev/v1alpha1\nkind: Host\nmetadata: {{name: local}}\nspec: {spec}\n");
        self.write("desired-state/host.yaml", &text);
    }

    fn stack(&self, more: &str) {
        let name = &self.name;
        let text = format!(
            "apiVersion: ipai.dev/v1alpha1\nkind: Stack\nmetadata: {{name: {name}}}\nspec:\n  host: local\n  \
             compose: {{files: [compose.yaml], project: {name}}}\n{more}"
        );
        self.write("desired-state/stack.yaml", &text);
    }

    fn compose(&self, text: &str) {
        self.write("compose.yaml", text);
    }

    fn git(&self, arguments: &[&str]) {
        let mut command = Command::new("git");
        command.env("HOME", self.program.work().parent().unwrap()).current_dir(self.program.work());
        assert!(command.args(arguments).status().unwrap().success(), "git {arguments:?}");
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        self.program.run(arguments)
    }

    fn resource(&self) -> String {
        format!("Stack/{}", self.name)
    }

    fn container(&self) -> String {
        format!("{}-one-1", self.name)
    }

    fn apply(&self) -> Ran {
        self.run(&["apply", "--yes", "--only", &self.resource()])
    }

    /// Nothing is left to do, which only observing can tell.
    fn assert_in_sync(&self) {
        let ran = self.run(&["diff", &self.resource()]);
        assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    }

    fn store(&self) -> PathBuf {
        self.program.work().parent().unwrap().join(".local/state/ipaictl/ipaictl.db")
    }
}

fn docker(arguments: &[&str]) -> String {
    let output = Command::new("docker").args(arguments).stderr(Stdio::null()).output().unwrap();
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

impl Drop for Lab {
    fn drop(&mut self) {
        let filter = format!("label=com.docker.compose.project={}", self.name);
        for (list, remove) in [
            (vec!["ps", "-aq", "--filter", &filter], vec!["rm", "-f", "-v"]),
            (vec!["network", "ls", "-q", "--filter", &filter], vec!["network", "rm"]),
            (vec!["volume", "ls", "-q", "--filter", &filter], vec!["volume", "rm"]),
        ] {
            for id in docker(&list).lines() {
                docker(&remove.iter().copied().chain([id]).collect::<Vec<_>>());
            }
        }
    }
}

#[test]
fn without_consent_nothing_is_applied_and_with_it_a_second_diff_is_empty() {
    let lab = Lab::new(PAUSE);
    let ran = lab.run(&["diff", &lab.resource()]);
    assert_eq!(ran.code, 1, "{}", ran.err);
    assert_eq!(lab.run(&["diff", &lab.resource(), "--detailed-exitcode"]).code, 2);
    let ran = lab.run(&["apply", "--only", &lab.resource()]);
    assert_eq!(ran.code, 2, "{}", ran.err);
    assert!(ran.out.contains("+   container") && ran.err.contains("--yes"), "{}{}", ran.out, ran.err);
    assert_eq!(docker(&["ps", "-aq", "--filter", &format!("name={}", lab.container())]), "");
    let ran = lab.apply();
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    assert!(ran.out.contains("Applied and verified"), "{}", ran.out);
    assert!(ran.err.contains(&format!("  container {}: create (missing)", lab.container())), "{}", ran.err);
    lab.assert_in_sync();
    let ran = lab.run(&["apply", "--only", &lab.resource(), "-o", "json"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_schema("apply", &ran.out);
    let ran = lab.run(&["history", &lab.resource(), "-o", "json"]);
    assert_schema("history", &ran.out);
    assert!(ran.out.contains("\"applied\""), "{}", ran.out);
    for (schema, command) in [("status", "status"), ("description", "describe")] {
        let ran = lab.run(&[command, &lab.resource(), "-o", "json"]);
        assert_eq!(ran.code, 0, "{}", ran.err);
        assert_schema(schema, &ran.out);
    }
}

#[test]
fn a_person_at_a_terminal_is_asked_and_only_yes_is_consent() {
    let lab = Lab::new(PAUSE);
    let ask = |answer: &str| {
        // `script` gives the program a terminal, as a person would.
        let line = format!("{} apply --only {}", env!("CARGO_BIN_EXE_ipaictl"), lab.resource());
        let mut child = Command::new("script")
            .args(["-qec", &line, "/dev/null"])
            .env("HOME", lab.program.work().parent().unwrap())
            .current_dir(lab.program.work())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.as_mut().unwrap().write_all(answer.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        (output.status.code().unwrap(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let (code, text) = ask("y\n");
    assert_eq!(code, 1, "{text}");
    assert!(
        text.contains("Only `yes` is taken as consent") && text.contains("Nothing was applied"),
        "{text}"
    );
    assert_eq!(docker(&["ps", "-aq", "--filter", &format!("name={}", lab.container())]), "");
    let (code, text) = ask("yes\n");
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("\u{1b}["), "a terminal gets colors: {text}");
    lab.assert_in_sync();
}

#[test]
fn a_saved_plan_is_applied_once_and_is_stale_when_anything_moved() {
    let lab = Lab::new(PAUSE);
    let save = || {
        let ran = lab.run(&["plan", "--out", "saved.plan", &lab.resource()]);
        assert_eq!(ran.code, 0, "{}", ran.err);
    };
    let stale = |says: &str| {
        let ran = lab.run(&["apply", "saved.plan", "--yes"]);
        assert_eq!(ran.code, 3, "{}{}", ran.out, ran.err);
        assert!(ran.err.contains(says) && ran.err.contains("nothing was applied"), "{}", ran.err);
    };
    save();
    let file = lab.program.work().join("saved.plan");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let ran = lab.run(&["apply", "saved.plan", "--yes"]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    stale(&format!("no longer needed: {}: create container {}", lab.resource(), lab.container()));
    docker(&["rm", "-f", &lab.container()]);
    save();
    // The file names the steps for people; whoever edits them changes nothing but what is compared.
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("\"hash\": \"v1:", "\"hash\": \"v1:0")).unwrap();
    stale("the specification, this program or the file itself changed");
    std::fs::write(&file, text).unwrap();
    lab.write("README", "another commit");
    stale("it is for main");
    save();
    let created = std::fs::read_to_string(&file).unwrap();
    let value: serde_json::Value = serde_json::from_str(&created).unwrap();
    let yesterday = (Utc::now() - chrono::TimeDelta::hours(25)).to_rfc3339();
    std::fs::write(&file, created.replace(value["created"].as_str().unwrap(), &yesterday)).unwrap();
    stale("more than 24 hours ago");
    let ran = lab.run(&["plan", "--working-tree", "--out", "x.plan"]);
    assert_eq!(ran.code, 2);
    std::fs::write(&file, "{}").unwrap();
    assert_eq!(lab.run(&["apply", "saved.plan", "--yes"]).code, 2);
}

#[tokio::test]
async fn a_held_lock_ends_the_run_and_names_the_holder() {
    let lab = Lab::new(PAUSE);
    assert_eq!(lab.apply().code, 0);
    docker(&["rm", "-f", &lab.container()]);
    let store = Store::open(&lab.store()).await.unwrap();
    let ids = BTreeSet::from([ResourceId::new(Kind::Stack, lab.name.as_str())]);
    let request = LockRequest { holder: "somebody-else/1", why: "a test", plan_hash: "v1:0", seen: None };
    let Locked::Ours(fences) = store.lock(&ids, &request, Utc::now()).await.unwrap() else { panic!() };
    let ran = lab.apply();
    assert_eq!(ran.code, 4, "{}{}", ran.out, ran.err);
    assert!(ran.err.contains("is locked by somebody-else/1"), "{}", ran.err);
    // Reading never waits for a lock.
    assert_eq!(lab.run(&["diff", &lab.resource()]).code, 1);
    store.release(&fences).await.unwrap();
    assert_eq!(lab.apply().code, 0);
    lab.assert_in_sync();
}

#[test]
fn what_is_not_healthy_fails_and_is_refused_each_has_its_exit_code() {
    let lab = Lab::new(&format!(
        "{PAUSE}    healthcheck: {{test: [CMD, 'false'], interval: 1s, retries: 1, timeout: 1s}}\n"
    ));
    lab.stack("  healthTimeout: 5s\n");
    let ran = lab.apply();
    assert_eq!(ran.code, 6, "{}{}", ran.out, ran.err);
    assert!(ran.out.contains("Applied, but not healthy"), "{}", ran.out);
    lab.compose(&PAUSE.replace("busybox:1", "no-such-image:0"));
    let ran = lab.apply();
    assert_eq!(ran.code, 1, "{}{}", ran.out, ran.err);
    assert!(ran.out.contains("failed: ") && ran.out.contains("no-such-image"), "{}", ran.out);
    assert_eq!(
        docker(&["inspect", "-f", "{{.State.Running}}", &lab.container()]),
        "true",
        "the old one stays"
    );
    let ran = lab.run(&["status", &lab.resource()]);
    assert!(ran.out.contains("ApplyFailed: image ") && ran.out.contains("no-such-image"), "{}", ran.out);
    lab.host(&format!("{{protectedPrefixes: [{}]}}", lab.name));
    lab.stack("  prune: true\n");
    lab.compose(&PAUSE.replace("one:", "two:"));
    let ran = lab.apply();
    assert_eq!(ran.code, 5, "{}{}", ran.out, ran.err);
    assert!(ran.out.contains("the Host protects names"), "{}", ran.out);
    assert!(ran.err.contains(&format!("--allow-destroy {}@", lab.resource())), "{}", ran.err);
    let permission = format!("{}@{}", lab.resource(), "0".repeat(12));
    let ran = lab.run(&["apply", "--yes", "--only", &lab.resource(), "--allow-destroy", &permission]);
    assert_eq!(ran.code, 3, "{}{}", ran.out, ran.err);
    assert!(ran.err.contains("is for another plan"), "{}", ran.err);
}

#[test]
fn an_apply_without_steps_is_kept_so_status_says_what_is_true_now() {
    let lab = Lab::new(PAUSE);
    let status = || {
        let ran = lab.run(&["status", &lab.resource()]);
        assert_eq!(ran.code, 0, "{}", ran.err);
        ran.out.lines().nth(1).unwrap().to_owned()
    };
    assert_eq!(lab.apply().code, 0);
    assert!(status().contains("  True  "), "{}", status());
    let until = (Utc::now() + chrono::TimeDelta::days(1)).format("%Y-%m-%dT%H:%M:%SZ");
    lab.stack(&format!("  suspend: {{reason: we look at it, until: '{until}'}}\n"));
    lab.compose(&PAUSE.replace("one:", "one:\n    labels: {a: b}"));
    let ran = lab.apply();
    assert_eq!(ran.code, 1, "a difference is held: {}{}", ran.out, ran.err);
    assert!(ran.err.contains("Hint: ") && ran.err.contains("remove `suspend`"), "{}", ran.err);
    assert!(status().contains("we look at it"), "{}", status());
    let ran = lab.run(&["describe", &lab.resource(), "-o", "json"]);
    let described: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    let conditions = described["status"]["conditions"].as_array().unwrap();
    let suspended = conditions.iter().find(|one| one["type"] == "Suspended").unwrap();
    assert_eq!(suspended["status"], "True", "{described}");
    lab.stack("");
    lab.host("{engine: {endpoint: 'unix:///nope/ipaictl.sock'}}");
    let ran = lab.apply();
    assert_eq!(ran.code, 2, "{}{}", ran.out, ran.err);
    assert!(status().contains("  Unknown  ") && !status().contains("  True  "), "{}", status());
    lab.host("{}");
    assert_eq!(lab.apply().code, 0);
    lab.write("desired-state/stack.yaml", "");
    let ran = lab.run(&["apply", "--yes"]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    assert!(status().contains("LeftDesiredState"), "{}", status());
    let ran = lab.run(&["describe", &lab.resource()]);
    assert!(
        ran.out.contains("LeftDesiredState") && ran.out.contains("left the desired state"),
        "{}",
        ran.out
    );
}

#[tokio::test]
async fn what_is_held_or_blocked_is_no_success_and_is_said_with_the_way_out() {
    let lab = Lab::new(PAUSE);
    assert_eq!(lab.apply().code, 0);
    let id = docker(&["inspect", "-f", "{{.Id}}", &lab.container()]);
    docker(&["stop", "-t", "0", &lab.container()]);
    // What `serve` notes when it hears the engine tell of the stop.
    let store = Store::open(&lab.store()).await.unwrap();
    store.note_stop("local", &id, &lab.container(), Utc::now()).await.unwrap();
    store.close().await;
    let ran = lab.apply();
    assert_eq!(ran.code, 1, "{}{}", ran.out, ran.err);
    assert!(ran.out.contains("1 held"), "{}", ran.out);
    let way = format!("start it with `docker start {}`, or wait until", lab.container());
    assert!(ran.err.contains(&way), "{}", ran.err);
    let ran = lab.run(&["diff", &lab.resource()]);
    assert!(ran.code == 1 && ran.err.contains(&way), "{}", ran.err);
    docker(&["start", &lab.container()]);
    assert_eq!(lab.apply().code, 0);

    lab.compose(&format!(
        "{PAUSE}  two:\n    image: ipaictl/busybox:1\n    command: [/bin/pause]\n    configs: [conf]\n  \
         three:\n    image: ipaictl/busybox:1\n    command: [/bin/pause]\n\
         configs:\n  conf: {{file: /nope/ipaictl.conf}}\n"
    ));
    let ran = lab.apply();
    assert_eq!(ran.code, 1, "{}{}", ran.out, ran.err);
    assert!(!ran.out.contains("Applied and verified"), "{}", ran.out);
    assert!(ran.out.contains("not everything is as wanted"), "{}", ran.out);
    assert!(
        ran.out.contains(&format!("blocked: {} container {}-two-1", lab.resource(), lab.name)),
        "{}",
        ran.out
    );
    let evidence = ran.out.lines().find_map(|line| line.strip_prefix("Evidence: ")).unwrap();
    assert!(std::path::Path::new(evidence).join("evidence.json").is_file(), "{evidence}");
}

#[test]
fn a_secret_is_in_no_output_and_in_no_file() {
    const SECRET: &str = "correct-horse-battery";
    let lab = Lab::new(&format!("{PAUSE}    environment: {{DB_PASSWORD: '${{PASSWORD}}'}}\n"));
    lab.stack("  variables: {PASSWORD: {env: LAB_PASSWORD}}\n");
    let run = |arguments: &[&str]| {
        let output = lab.program.command().env("LAB_PASSWORD", SECRET).args(arguments).output().unwrap();
        let ran = Ran::from(output);
        assert!(
            !ran.out.contains(SECRET) && !ran.err.contains(SECRET),
            "{arguments:?}: {}{}",
            ran.out,
            ran.err
        );
        ran
    };
    let id = lab.resource();
    run(&["diff", &id, "-o", "json"]);
    assert_eq!(run(&["plan", "--out", "p", &id]).code, 0);
    assert_eq!(run(&["apply", "p", "--yes", "-v", "-v", "-o", "json"]).code, 0);
    let ran = run(&["diff", &id]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    for arguments in [["describe", &id], ["history", &id], ["status", &id]] {
        run(&arguments);
    }
    let environment = docker(&["inspect", "-f", "{{.Config.Env}}", &lab.container()]);
    assert!(environment.contains(SECRET), "the container has it: {environment}");
    let found = Command::new("grep")
        .args(["-rlF", SECRET])
        .arg(lab.program.work().parent().unwrap())
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&found.stdout), "");
    // Whoever lacks the secret can't tell, and doesn't say that nothing differs.
    let ran = lab.run(&["diff", &id]);
    assert_eq!(ran.code, 2, "{}{}", ran.out, ran.err);
}

#[test]
fn a_key_that_was_lost_is_said_before_everything_looks_changed() {
    let program = Program::with_identity();
    let lab = Lab { program, name: String::new() };
    lab.git(&["init", "-q", "-b", "main", "."]);
    lab.host("{engine: {endpoint: \"unix:///nonexistent/docker.sock\"}}");
    lab.write("config.yaml", "stateDir: state\n");
    let run = |arguments: &[&str]| lab.program.run([&["--config", "config.yaml"], arguments].concat());
    run(&["apply", "--yes"]);
    let key = lab.program.work().join("state/hmac.key");
    assert!(!run(&["diff"]).err.contains("the key of fingerprints is gone"));
    std::fs::remove_file(&key).unwrap();
    assert!(run(&["diff"]).err.contains("the key of fingerprints is gone"));
}
