//! Updating: versions, migrations, failures half-way, and what a killed update leaves.

use std::process::Command;

use super::odoo::{ONE_SHOT, Odoo, lab, pause};
use crate::world::{docker, eventually};

#[test]
fn an_update_raises_the_version_runs_the_migration_and_takes_dependents_along() {
    let odoo = Odoo::new();
    odoo.take("addons-next");
    odoo.write("lab_fails/migrations/18.0.1.1.0/post-fail.py", "def migrate(cr, version):\n    pass\n");
    odoo.sql("INSERT INTO ir_config_parameter (key, value) VALUES ('lab.sleep_seconds', '0')");
    let ran = odoo.once(&["-u", "lab_plain"]);
    let says = [
        "ALLOW access to module.button_upgrade on ['Lab: plain'] to user __system__ #1 via n/a",
        "odoo.modules.migration: module lab_plain: Running migration [18.0.1.1.0>] post-count",
        "Module lab_child loaded in",
        "Registry changed, signaling through the database",
    ];
    ran.expect(0, &says);
    assert_eq!(odoo.state("lab_plain"), "installed 18.0.1.1.0");
    assert_eq!(odoo.state("lab_child"), "installed 18.0.1.0.0");
    assert_eq!(odoo.sql("SELECT colour FROM lab_thing"), "green");
}

#[test]
fn an_update_without_a_new_version_runs_no_migration() {
    let odoo = Odoo::new();
    let ran = odoo.once(&["-u", "lab_slow"]);
    ran.expect(0, &["Module lab_slow loaded in"]);
    assert!(
        !ran.log.contains("Running migration") && !ran.log.contains("Loading module lab_plain"),
        "{}",
        ran.log
    );
}

#[test]
fn updating_a_module_that_is_not_installed_does_nothing() {
    let odoo = Odoo::new();
    odoo.module(
        "lab_new",
        "{'name': 'x', 'version': '18.0.1.0.0', 'license': 'LGPL-3', 'depends': ['base']}",
    );
    odoo.once(&["-u", "lab_new"]).expect(0, &["Modules loaded."]);
    assert_eq!(odoo.state("lab_new"), "uninstalled -");
}

#[test]
fn updating_base_updates_everything() {
    let odoo = Odoo::new();
    let ran = odoo.once(&["-u", "base"]);
    ran.expect(
        0,
        &["Loading module base (1/1)", "Loading module web (3/16)", "Loading module lab_slow (11/16)"],
    );
}

#[test]
fn a_failing_update_keeps_what_was_done_before_it_and_takes_the_marks_back() {
    let odoo = Odoo::new();
    odoo.take("addons-next");
    let ran = odoo.once(&["-u", "lab_plain"]);
    let says = [
        "module lab_fails: Running migration [18.0.1.1.0>] post-fail",
        "WARNING",
        "odoo.modules.loading: Transient module states were reset",
        "odoo.modules.registry: Failed to load registry",
        "ValueError: lab_fails cannot be updated from 18.0.1.0.0",
        "Initiating shutdown",
    ];
    ran.expect(255, &says);
    assert_eq!(odoo.state("lab_plain"), "installed 18.0.1.1.0");
    assert_eq!(odoo.state("lab_fails"), "installed 18.0.1.0.0");
    assert_eq!(odoo.state("lab_slow"), "installed 18.0.1.0.0");
    assert_eq!(odoo.sql("SELECT colour FROM lab_thing"), "green");
}

#[test]
fn the_module_just_before_the_failure_is_changed_but_keeps_its_old_version() {
    let odoo = Odoo::new();
    odoo.take("addons-next");
    let manifest = std::fs::read_to_string(odoo.addons().join("lab_child/__manifest__.py")).unwrap();
    odoo.write("lab_child/__manifest__.py", &manifest.replace("18.0.1.0.0", "18.0.1.1.0"));
    odoo.write(
        "lab_child/migrations/18.0.1.1.0/post-note.py",
        "def migrate(cr, version):\n    cr.execute(\"UPDATE lab_thing SET note = 'migrated'\")\n",
    );
    odoo.once(&["-u", "lab_child,lab_fails"]).expect(255, &[]);
    assert_eq!(odoo.sql("SELECT note FROM lab_thing"), "migrated");
    assert_eq!(odoo.state("lab_child"), "installed 18.0.1.0.0");
    // So the same migration runs again.
    odoo.write("lab_fails/migrations/18.0.1.1.0/post-fail.py", "def migrate(cr, version):\n    pass\n");
    odoo.once(&["-u", "lab_child"])
        .expect(0, &["module lab_child: Running migration [18.0.1.1.0>] post-note"]);
    assert_eq!(odoo.state("lab_child"), "installed 18.0.1.1.0");
}

/// Starts an update that sleeps in the last module, and waits until it does.
fn sleeping_update(odoo: &Odoo, module: &str) -> String {
    odoo.take("addons-next");
    odoo.write("lab_fails/migrations/18.0.1.1.0/post-fail.py", "def migrate(cr, version):\n    pass\n");
    odoo.sql("INSERT INTO ir_config_parameter (key, value) VALUES ('lab.sleep_seconds', '120')");
    let mut words = odoo.container(&["-d"]);
    let arguments = [&["odoo", "-d", odoo.database.as_str(), "-u", module], ONE_SHOT].concat();
    words.extend(arguments.iter().map(|word| (*word).to_owned()));
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let container = docker(&words).trim().to_owned();
    eventually(60, "the migration sleeps", || {
        log_of(&container).contains("Running migration [18.0.1.1.0>] post-sleep")
    });
    pause(500);
    container
}

fn log_of(container: &str) -> String {
    String::from_utf8_lossy(&Command::new("docker").args(["logs", container]).output().unwrap().stderr)
        .into_owned()
}

fn exit_code(container: &str) -> String {
    docker(&["inspect", "-f", "{{.State.ExitCode}}", container]).trim().to_owned()
}

#[test]
fn an_update_that_is_asked_to_end_ends_at_once_with_130_and_leaves_the_database_as_it_was() {
    let odoo = Odoo::new();
    let container = sleeping_update(&odoo, "lab_slow");
    docker(&["stop", "-t", "20", &container]);
    assert_eq!(exit_code(&container), "130");
    let log = log_of(&container);
    assert!(log.contains("Traceback") && log.contains("KeyboardInterrupt"), "{log}");
    assert!(!log.contains("Transient module states were reset"), "{log}");
    assert_eq!(odoo.state("lab_slow"), "installed 18.0.1.0.0");
    docker(&["rm", "-fv", &container]);
}

#[test]
fn a_killed_update_leaves_marks_that_the_next_start_acts_on() {
    let odoo = Odoo::new();
    let container = sleeping_update(&odoo, "lab_plain");
    docker(&["kill", &container]);
    assert_eq!(exit_code(&container), "137");
    docker(&["rm", "-fv", &container]);
    let gone = "SELECT count(*) FROM pg_stat_activity WHERE state = 'idle in transaction'";
    eventually(30, "the killed session is gone", || {
        lab().sql(&odoo.database, &format!("{gone} AND datname = '{}'", odoo.database)) == "0"
    });
    assert_eq!(odoo.state("lab_plain"), "installed 18.0.1.1.0");
    assert_eq!(odoo.state("lab_slow"), "to upgrade 18.0.1.0.0");
    odoo.sql("UPDATE ir_config_parameter SET value = '0' WHERE key = 'lab.sleep_seconds'");
    odoo.once(&[]).expect(0, &["Running migration [18.0.1.1.0>] post-sleep", "Modules loaded."]);
    assert_eq!(odoo.state("lab_slow"), "installed 18.0.1.1.0");
}
