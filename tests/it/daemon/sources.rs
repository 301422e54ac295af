//! The state repository moves, breaks, disappears and comes back.

use super::super::desired::git;
use super::World;

fn environment(world: &World) -> String {
    world.inspect("a", "{{.Config.Env}}")
}

fn write_step(world: &World, step: &str) {
    world.write_services(&World::service("a", &format!(", environment: {{STEP: \"{step}\"}}")));
}

#[test]
fn a_commit_converges() {
    let mut world = World::new(&World::service("a", ""));
    world.serve();
    world.wait("it runs", |world| world.runs("a"));
    write_step(&world, "2");
    world.write_services(&(World::service("a", ", environment: {STEP: \"2\"}") + &World::service("b", "")));
    world.lab.commit("two");
    world.wait("both are there", |world| environment(world).contains("STEP=2") && world.runs("b"));
    world.wait_in_sync();
}

#[test]
fn a_bad_revision_changes_nothing_and_the_next_good_one_is_taken() {
    let mut world = World::new(&World::service("a", ""));
    world.serve();
    world.wait("it runs", |world| world.runs("a"));
    assert_eq!(world.number("ipaictl_source_ready"), 1.0);

    world
        .lab
        .write("desired-state/bad.yaml", "apiVersion: ipai.dev/v1alpha1\nkind: Stack\nmetadata: {nmae: x}\n");
    world.lab.commit("bad");
    world.wait("it is noticed", |world| world.number("ipaictl_source_ready") == 0.0);
    assert!(world.log().contains("is not valid: desired-state/bad.yaml:"), "{}", world.log());
    // Every reader of the store hears of it: which commit, its first problem, and what is in use instead.
    let bad = world.lab.git(&["rev-parse", "--short=7", "HEAD"]);
    for arguments in [vec!["status"], vec!["status", "-o", "markdown"], vec!["describe", "Host/local"]] {
        let ran = world.run(&arguments);
        assert!(ran.contains("InvalidRevision") && ran.contains(bad.trim()), "{arguments:?}: {ran}");
        assert!(ran.contains("desired-state/bad.yaml:") && ran.contains("goes on with main"), "{ran}");
    }
    let status: serde_json::Value = serde_json::from_str(&world.run(&["status", "-o", "json"])).unwrap();
    assert_eq!(status["source"]["reason"], "InvalidRevision", "{status}");
    assert_ne!(status["source"]["inUse"], status["source"]["newest"], "{status}");
    crate::cli::assert_schema("status", &status.to_string());
    assert!(world.number("ipaictl_errors_total{phase=\"load\"}") >= 1.0);
    // The last good revision is still kept up.
    world.docker(&["kill", &world.container("a")]);
    world.wait("it runs again", |world| world.runs("a"));

    world.lab.git(&["rm", "--quiet", "desired-state/bad.yaml"]);
    write_step(&world, "2");
    world.lab.commit("good");
    world.wait("the good one is in use", |world| environment(world).contains("STEP=2"));
    assert_eq!(world.number("ipaictl_source_ready"), 1.0);
    assert!(!world.run(&["status"]).contains("InvalidRevision"));
}

#[test]
fn rewritten_history_is_followed_and_said() {
    let mut world = World::new(&World::service("a", ""));
    let first = world.lab.git(&["rev-parse", "HEAD"]);
    write_step(&world, "2");
    world.lab.commit("two");
    world.serve();
    world.wait("two is there", |world| environment(world).contains("STEP=2"));
    world.lab.git(&["reset", "--quiet", "--hard", &first]);
    write_step(&world, "3");
    world.lab.commit("three");
    world.wait("three is there", |world| environment(world).contains("STEP=3"));
    assert!(world.log().contains("history of the state repository was rewritten"), "{}", world.log());
}

#[test]
fn a_remote_that_disappears_and_a_branch_that_is_deleted_leave_the_last_revision_in_use() {
    let mut world = World::new(&World::service("a", ""));
    let remote = world.lab.folder.path().canonicalize().unwrap().join("remote.git");
    let remote_text = remote.display().to_string();
    git(
        world.lab.folder.path(),
        &["clone", "--quiet", "--bare", &world.lab.repo().display().to_string(), &remote_text],
    );
    world.repo = format!("file://{remote_text}");
    world = world.with_settings("intervals: {gitPoll: 10s}\ngit: {allow: [file]}\n");
    world.serve();
    world.wait("it runs", |world| world.runs("a"));

    std::fs::rename(&remote, remote.with_extension("away")).unwrap();
    world.wait("it is noticed", |world| world.number("ipaictl_source_ready") == 0.0);
    world.docker(&["kill", &world.container("a")]);
    world.wait("it runs again", |world| world.runs("a"));

    std::fs::rename(remote.with_extension("away"), &remote).unwrap();
    write_step(&world, "2");
    world.lab.commit("two");
    world.lab.git(&["push", "--quiet", &remote_text, "main"]);
    world.wait("the poll finds it", |world| environment(world).contains("STEP=2"));

    world.lab.git(&["push", "--quiet", &remote_text, "main:other"]);
    git(&remote, &["update-ref", "-d", "refs/heads/main"]);
    world.wait("it is noticed", |world| world.number("ipaictl_source_ready") == 0.0);
    assert!(world.runs("a"));
}

#[test]
fn a_request_reads_secrets_again_even_while_the_newest_revision_is_bad() {
    let mut world = World::new(&World::service("a", ", environment: {TOKEN: \"${TOKEN}\"}"));
    let secret = world.lab.folder.path().join("token");
    std::fs::write(&secret, "first-token-value").unwrap();
    world.write_stack(&format!("  variables: {{TOKEN: {{file: \"{}\"}}}}\n", secret.display()));
    world.lab.commit("secret");
    world.serve();
    world.wait("it runs with the first", |world| environment(world).contains("TOKEN=first-token-value"));
    world.wait_in_sync();
    let reconcile = |world: &World| {
        let stack = format!("Stack/{}", world.name);
        let output = world.command().args(["reconcile", "--wait", &stack]).output().unwrap();
        let said =
            String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{said}\n{}", world.log());
        said
    };

    std::fs::write(&secret, "second-token-value").unwrap();
    let said = reconcile(&world);
    assert!(said.contains("applied"), "{said}");
    assert!(environment(&world).contains("TOKEN=second-token-value"), "{}", environment(&world));

    world.lab.write("desired-state/bad.yaml", "kind: Nothing\n");
    world.lab.commit("bad");
    world.wait("it is noticed", |world| world.number("ipaictl_source_ready") == 0.0);
    std::fs::write(&secret, "third-token-value").unwrap();
    let said = reconcile(&world);
    assert!(said.contains("applied: the newest revision is not in use"), "{said}");
    assert!(environment(&world).contains("TOKEN=third-token-value"), "{}", environment(&world));
    assert!(!world.log().contains("-token-value"));
}
