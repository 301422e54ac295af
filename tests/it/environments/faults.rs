//! Faults: each ends with its reason, and nothing is lost.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};

use super::{DATABASE, Shop, copy};
use crate::lab::odoo::image;
use crate::world::{docker, eventually, root, text_of};

#[test]
fn a_wrong_password_is_said_and_nothing_is_touched() {
    let shop = Shop::new("password", "", "");
    let password = shop.world.path("password");
    fs::write(&password, "first-password").unwrap();
    let reference = format!("name: {DATABASE}, passwordFrom: {{file: {}}}}}", password.display());
    shop.world.edit("desired-state/app.yaml", &format!("name: {DATABASE}}}"), &reference);
    shop.world.commit("feat: a password");
    shop.world.apply();
    let id = shop.world.id("odoo");
    shop.sql("alter role odoo password 'second-password'");
    let said = shop.world.run(&["apply", "--yes"]);
    assert!(said.out.contains("password authentication failed"), "{}", said.out);
    shop.expect("Stalled", "True", "NeedsDecision", "the server refuses the role or its password");
    shop.expect("Healthy", "False", "Unhealthy", "probe `database`");
    assert_eq!(shop.world.id("odoo"), id);
    shop.sql("alter role odoo password 'first-password'");
    shop.world.apply();
    shop.expect("Ready", "True", "InSync", "");
}

#[test]
fn a_database_of_another_series_is_never_touched() {
    let shop = Shop::new("series", "lab_plain", "");
    shop.world.apply();
    shop.sql("update ir_module_module set latest_version = '17.0.1.3' where name = 'base'");
    shop.next(&["lab_plain"]);
    let said = shop.world.run(&["apply", "--yes"]);
    assert!(said.out.contains("is 17.0.1.3, and the server is 18.0: it is not touched"), "{}", said.out);
    assert_eq!(shop.module("lab_plain"), "installed 18.0.1.0.0");
    shop.expect("Stalled", "True", "NeedsDecision", "it is not touched");
    shop.expect("Healthy", "False", "Unhealthy", "");
}

#[test]
fn a_database_that_is_missing_under_its_filestore_is_not_made_anew() {
    let shop = Shop::new("lost-database", "", "");
    // What is left of a database: its attachments.
    let volume = format!("{}-files", shop.name());
    docker(&["volume", "create", "--label", &format!("com.docker.compose.project={}", shop.name()), &volume]);
    let folder = format!("/var/lib/odoo/filestore/{DATABASE}/ab");
    let mount = format!("{volume}:/var/lib/odoo");
    let make = format!("mkdir -p {folder} && echo attachment > {folder}/abcdef");
    docker(&["run", "--rm", "-u", "root", "-v", &mount, "--entrypoint", "sh", &image(), "-c", &make]);
    let said = shop.apply_fails();
    assert!(said.out.contains("holds the attachments of a database that is not there"), "{}", said.out);
    assert_eq!(
        shop.sql_in("postgres", &format!("select count(*) from pg_database where datname = '{DATABASE}'")),
        "0"
    );
    shop.expect("Ready", "False", "ApplyFailed", "restore the database");
    assert!(shop.evidence().contains("holds the attachments"));
    let read = format!("cat {folder}/abcdef");
    let kept =
        docker(&["run", "--rm", "-u", "root", "-v", &mount, "--entrypoint", "sh", &image(), "-c", &read]);
    assert_eq!(kept.trim(), "attachment");
}

#[test]
fn a_database_that_is_gone_is_not_made_anew_either() {
    let shop = Shop::new("gone", "", "");
    shop.world.apply();
    docker(&["stop", &shop.container("odoo")]);
    shop.sql_in("postgres", &format!("alter database {DATABASE} rename to elsewhere"));
    let said = shop.world.run(&["apply", "--yes"]);
    assert!(said.out.contains("was there and is gone"), "{}", said.out);
    assert_eq!(
        shop.sql_in("postgres", "select string_agg(datname, ' ') from pg_database where not datistemplate"),
        "postgres elsewhere"
    );
    shop.expect("Stalled", "True", "NeedsDecision", "restore it");
    assert_eq!(
        shop.world.inspect("odoo", "{{.State.Status}}"),
        "exited",
        "a server that starts would make a database"
    );
}

#[test]
fn an_update_that_fails_puts_the_code_back_and_is_not_tried_for_ever() {
    let shop = Shop::new("fails", "lab_plain, lab_fails", "");
    shop.world.apply();
    let code = shop.world.state().join("checkouts").join(format!("_environment-{}", shop.name()));
    let commit = || {
        text_of(Command::new("git").arg("-C").arg(&code).args([
            "-c",
            "safe.directory=*",
            "rev-parse",
            "HEAD",
        ]))
    };
    let before = commit();
    shop.sql("insert into lab_thing (name) values ('kept')");
    let rows = shop.sql("select count(*) from lab_thing");
    shop.next(&["lab_plain", "lab_fails"]);
    let said = shop.apply_fails();
    assert!(
        said.out.contains("lab_fails cannot be updated"),
        "the log's own reason is missing: {}",
        said.out
    );
    assert!(said.out.contains("The database:"), "{}", said.out);
    assert_eq!(commit(), before, "the code was not put back");
    assert_eq!(shop.world.inspect("odoo", "{{.State.Running}}"), "true", "the application was not put back");
    assert_eq!(shop.sql("select count(*) from lab_thing"), rows);
    for (condition, status) in [("Ready", "False"), ("Stalled", "True"), ("Reconciling", "False")] {
        shop.expect(condition, status, "ApplyFailed", "cannot be updated");
    }
    let said = shop.world.run(&["diff"]);
    assert!(said.out.contains("the last time it failed: "), "{}", said.out);
    let evidence = shop.evidence();
    assert!(
        evidence.contains("Traceback") && evidence.contains("what was there before was put back"),
        "{evidence}"
    );
    let logs = fs::read_dir(shop.files().join("logs")).unwrap().map(|entry| entry.unwrap().path());
    let kept =
        logs.filter(|path| fs::read_to_string(path).unwrap().contains("ValueError: lab_fails")).count();
    assert_eq!(kept, 1, "the log of the run is kept");
    // The controller leaves it now; a commit that mends it is taken.
    let mut serve =
        shop.world.command(&["serve"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    eventually(60, "the controller says that it stalls, and why", || {
        let (status, reason, message) = shop.condition("Stalled");
        (status.as_str(), reason.as_str()) == ("True", "NoProgress") && message.contains("cannot be updated")
    });
    assert_eq!(commit(), before);
    fs::remove_dir_all(shop.world.repository().join("addons/lab_fails/migrations")).unwrap();
    shop.world.commit("fix: an update that works");
    eventually(90, "the mended commit is taken", || shop.condition("Ready").0 == "True");
    let _ = Command::new("kill").arg(serve.id().to_string()).status();
    let _ = serve.wait();
    assert_eq!(shop.module("lab_fails"), "installed 18.0.1.1.0");
    assert_eq!(shop.sql("select count(*) from lab_thing"), rows);
}

#[test]
fn an_update_that_is_killed_says_what_it_left() {
    let shop = Shop::new("kill-u", "lab_plain, lab_slow", "");
    shop.world.apply();
    shop.next(&["lab_slow"]);
    let run = format!("{}-odoo-update", shop.name());
    let child = shop
        .world
        .command(&["apply", "--yes"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    eventually(60, "the update is under way", || {
        let logs = Command::new("docker").args(["logs", &run]).output().unwrap();
        String::from_utf8_lossy(&logs.stderr).contains("lab_slow")
    });
    docker(&["kill", &run]);
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(!output.status.success(), "{said}");
    assert!(said.contains("Odoo was killed") && said.contains("exit code 137"), "{said}");
    shop.expect("Ready", "False", "ApplyFailed", "Odoo was killed");
    assert_eq!(shop.world.inspect("odoo", "{{.State.Running}}"), "true");
    // A person asks again, and it is finished.
    shop.world.apply();
    shop.world.assert_in_sync();
    assert!(shop.module("lab_slow").starts_with("installed 18.0.1.1"), "{}", shop.module("lab_slow"));
}

#[test]
fn a_controller_that_dies_during_an_update_finds_it_again() {
    let shop = Shop::new("dies", "lab_plain, lab_slow", "");
    shop.world.apply();
    shop.next(&["lab_slow"]);
    let run = format!("{}-odoo-update", shop.name());
    let mut child =
        shop.world.command(&["apply", "--yes"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    eventually(60, "the update is under way", || {
        let logs = Command::new("docker").args(["logs", &run]).output().unwrap();
        String::from_utf8_lossy(&logs.stderr).contains("lab_slow")
    });
    child.kill().unwrap();
    child.wait().unwrap();
    let preview = shop.world.run(&["diff"]).out;
    assert!(preview.contains("modules are being installed or updated in container"), "{preview}");
    eventually(60, "the update ends by itself", || {
        let state =
            Command::new("docker").args(["inspect", "-f", "{{.State.Running}}", &run]).output().unwrap();
        String::from_utf8_lossy(&state.stdout).trim() == "false"
    });
    eventually(60, "the next apply brings all of it to an end", || {
        shop.world.run(&["apply", "--yes"]).code == 0
    });
    shop.world.assert_in_sync();
    assert!(shop.module("lab_slow").starts_with("installed 18.0.1.1"), "{}", shop.module("lab_slow"));
    shop.expect("Ready", "True", "InSync", "");
}

#[test]
fn a_module_that_leaves_the_code_keeps_the_code() {
    let shop = Shop::new("leaves", "lab_plain, lab_child", "");
    shop.world.apply();
    fs::remove_dir_all(shop.world.repository().join("addons/lab_child")).unwrap();
    shop.describe("lab_plain", "");
    shop.world.commit("feat: without the child");
    let said = shop.world.run(&["apply", "--yes"]);
    assert!(
        said.out.contains("module `lab_child`: installed, and in no addons root any more"),
        "{}",
        said.out
    );
    let code = shop.world.state().join("checkouts").join(format!("_environment-{}", shop.name()));
    assert!(code.join("addons/lab_child").is_dir(), "the code was taken away under an installed module");
    shop.expect("Stalled", "True", "NeedsDecision", "lab_child");
    shop.expect("Healthy", "True", "InSync", "");
    assert!(shop.module("lab_child").starts_with("installed"));
}

#[test]
fn exit_code_0_proves_nothing() {
    // The server's user may not look into the folder of one module: to it there is none, and the run ends with 0 and a
    // warning.
    let shop = Shop::new("exit-0", "lab_plain", "");
    let more = shop.world.path("more");
    for name in ["lab_seen", "lab_unseen"] {
        copy(&root().join("tests/lab/addons/lab_plain"), &more.join(name));
    }
    fs::set_permissions(more.join("lab_unseen"), Permissions::from_mode(0o700)).unwrap();
    let roots = format!("source: addons}}, {{mountPath: /mnt/more, source: {}}}", more.display());
    shop.world.edit("desired-state/app.yaml", "source: addons}", &roots);
    shop.world.commit("feat: another root");
    shop.world.apply();
    shop.world.edit("desired-state/app.yaml", "install: [lab_plain]", "install: [lab_plain, lab_unseen]");
    shop.world.commit("feat: a module that the server does not see");
    let said = shop.apply_fails();
    assert!(said.out.contains("Odoo ended well, and has never heard of module `lab_unseen`"), "{}", said.out);
    shop.expect("Ready", "False", "ApplyFailed", "never heard of module `lab_unseen`");
    assert_eq!(shop.world.inspect("odoo", "{{.State.Running}}"), "true");
}

#[test]
fn a_server_over_an_empty_database_is_unhealthy() {
    let shop = Shop::new("empty", "", "");
    shop.world.apply();
    shop.sql("drop schema public cascade");
    shop.sql("create schema public");
    let said = shop.world.run(&["apply", "--yes"]);
    assert!(said.out.contains("has no table"), "{}", said.out);
    shop.expect("Healthy", "False", "Unhealthy", "probe `database`: the database has no table");
    shop.expect("Stalled", "True", "NeedsDecision", "restore it");
}

#[test]
fn a_server_that_leaves_modules_out_is_unhealthy() {
    let shop = Shop::new("half-loaded", "lab_plain", "");
    shop.world.apply();
    shop.world.edit(
        "desired-state/app.yaml",
        "modules: {install: [lab_plain]}",
        "modules: {install: [lab_plain], update: none}",
    );
    let manifest = "addons/lab_plain/__manifest__.py";
    let whole = fs::read_to_string(shop.world.repository().join(manifest)).unwrap();
    fs::write(
        shop.world.repository().join(manifest),
        whole.replace("\"depends\": [", "\"depends\": [\"nowhere\", "),
    )
    .unwrap();
    shop.world.commit("feat: it needs what is nowhere");
    let said = shop.apply_fails();
    assert!(said.out.contains("Some modules are not loaded"), "{}{}", said.out, said.err);
    shop.expect("Healthy", "False", "Unhealthy", "Some modules are not loaded");
    // Going back is new code, too, though the database remembers just this.
    fs::write(shop.world.repository().join(manifest), whole).unwrap();
    shop.world.commit("fix: it needs it not");
    shop.world.apply();
    shop.expect("Healthy", "True", "InSync", "");
}

#[test]
fn a_renamed_document_starts_no_second_application_on_the_same_data() {
    let shop = Shop::new("renamed-app", "", "");
    shop.world.apply();
    let name = shop.name().to_owned();
    shop.world.edit(
        "desired-state/app.yaml",
        &format!("metadata: {{name: {name}}}"),
        &format!("metadata: {{name: {name}-b}}"),
    );
    shop.world.edit(
        "desired-state/app.yaml",
        &format!("volume: {name}-db,"),
        &format!("volume: {name}-b-db,"),
    );
    shop.world.commit("feat: another name");
    let said = shop.world.run(&["apply", "--yes"]);
    assert_eq!(said.code, 1, "{}{}", said.out, said.err);
    assert!(said.out.contains(&format!("is written by container `{name}-odoo-1`")), "{}", said.out);
    assert!(
        !std::process::Command::new("docker")
            .args(["inspect", &format!("{name}-b-odoo-1")])
            .output()
            .unwrap()
            .status
            .success()
    );
}
