//! Controllers that die while Odoo installs or updates: the next one looks how that ended, and nothing is done twice.

use std::fs;
use std::process::{Command, Stdio};

use super::Shop;
use crate::world::{eventually, text_of};

/// Applies, and kills the controller when the run of Odoo has logged something; waits until the run has ended by itself.
fn die_while(shop: &Shop, logged: &str) -> String {
    let run = start_and_die(shop, logged);
    ended_by_itself(&run);
    run
}

/// Applies, and kills the controller when the run of Odoo has logged something.
fn start_and_die(shop: &Shop, logged: &str) -> String {
    let run = format!("{}-odoo-update", shop.name());
    let mut child =
        shop.world.command(&["apply", "--yes"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    eventually(120, "the run is under way", || {
        let logs = Command::new("docker").args(["logs", &run]).output().unwrap();
        logs.status.success() && String::from_utf8_lossy(&logs.stderr).contains(logged)
    });
    child.kill().unwrap();
    child.wait().unwrap();
    run
}

fn ended_by_itself(run: &str) {
    eventually(120, "the run ends by itself", || {
        let state =
            Command::new("docker").args(["inspect", "-f", "{{.State.Running}}", run]).output().unwrap();
        String::from_utf8_lossy(&state.stdout).trim() == "false"
    });
}

/// Commits an update that fails once a slow module is through.
fn fails_slowly(shop: &Shop, seconds: u32) {
    shop.sql(&format!(
        "insert into ir_config_parameter (key, value) values ('lab.sleep_seconds', '{seconds}')"
    ));
    shop.next(&["lab_slow", "lab_fails"]);
    let manifest = "addons/lab_fails/__manifest__.py";
    shop.world.edit(manifest, "\"depends\": [\"lab_plain\"]", "\"depends\": [\"lab_plain\", \"lab_slow\"]");
    shop.world.commit("feat: it needs the slow one");
}

/// Whether there is a container of a name.
fn is_there(name: &str) -> bool {
    Command::new("docker").args(["inspect", name]).output().unwrap().status.success()
}

/// Logs of runs that are kept and contain a text.
fn kept_logs(shop: &Shop, text: &str) -> usize {
    let logs = fs::read_dir(shop.files().join("logs")).unwrap().map(|entry| entry.unwrap().path());
    logs.filter(|path| fs::read_to_string(path).unwrap().contains(text)).count()
}

fn code_at(shop: &Shop) -> String {
    let code = shop.world.state().join("checkouts").join(format!("_environment-{}", shop.name()));
    text_of(Command::new("git").arg("-C").arg(&code).args(["-c", "safe.directory=*", "rev-parse", "HEAD"]))
}

#[test]
fn a_first_start_goes_on_after_the_controller_died() {
    let shop = Shop::new("dies-first", "lab_plain", "");
    let run = die_while(&shop, "odoo");
    let preview = shop.world.run(&["diff"]).out;
    assert!(
        preview.contains("look how a run ended that nobody waited for: install base, lab_plain"),
        "{preview}"
    );
    shop.world.apply();
    shop.world.assert_in_sync();
    shop.expect("Ready", "True", "InSync", "");
    assert!(!is_there(&run));
    assert_eq!(kept_logs(&shop, "lab_plain"), 1, "it ran once, and its log is kept");
    // Its checksums are remembered: the next revision is an update of what changed.
    shop.next(&["lab_plain"]);
    shop.world.apply();
    assert!(shop.module("lab_plain").starts_with("installed 18.0.1.1"), "{}", shop.module("lab_plain"));
}

#[test]
fn an_update_that_fails_after_the_controller_died_is_taken_back_all_the_same() {
    let shop = Shop::new("dies-fails", "lab_plain, lab_slow, lab_fails", "");
    shop.world.apply();
    let before = code_at(&shop);
    fails_slowly(&shop, 6);
    let run = die_while(&shop, "lab_slow");
    assert_ne!(code_at(&shop), before);
    assert_eq!(
        shop.world.inspect("odoo", "{{.State.Running}}"),
        "false",
        "the dead controller had stopped it"
    );
    let said = shop.apply_fails();
    assert!(said.out.contains("lab_fails cannot be updated"), "{}", said.out);
    assert!(said.out.contains("what was there before was put back"), "{}", said.out);
    assert_eq!(code_at(&shop), before, "the code was not put back");
    assert_eq!(shop.world.inspect("odoo", "{{.State.Running}}"), "true", "the application was not put back");
    assert!(!is_there(&run));
    assert_eq!(kept_logs(&shop, "ValueError: lab_fails"), 1, "the log of the run is kept");
    shop.expect("Stalled", "True", "ApplyFailed", "cannot be updated");
}

#[test]
fn new_code_waits_while_the_environment_is_stopped_and_comes_with_its_update() {
    let shop = Shop::new("code-waits", "lab_plain", "");
    shop.world.apply();
    let before = code_at(&shop);
    shop.world.edit(
        "desired-state/app.yaml",
        "  host: local\n",
        "  host: local\n  run: stopped\n  drift: {mode: warn}\n",
    );
    shop.next(&["lab_plain"]);
    shop.world.apply();
    assert_eq!(code_at(&shop), before, "nobody reads the database now");
    assert_eq!(shop.world.inspect("odoo", "{{.State.Running}}"), "false");
    shop.world.edit("desired-state/app.yaml", "  run: stopped\n", "");
    shop.world.commit("feat: it runs again");
    // The database is read once its server runs: the code waits for that, and is never ahead of the database.
    let said = shop.world.run(&["apply", "--yes"]);
    assert_eq!(said.code, 1, "{}{}", said.out, said.err);
    assert!(said.err.contains("`ipaictl apply` again"), "{}", said.err);
    assert_eq!(shop.world.inspect("odoo", "{{.State.Running}}"), "true");
    assert_eq!((code_at(&shop), shop.module("lab_plain")), (before, "installed 18.0.1.0.0".to_owned()));
    shop.world.apply();
    shop.world.assert_in_sync();
    assert!(shop.module("lab_plain").starts_with("installed 18.0.1.1"), "{}", shop.module("lab_plain"));
}

#[test]
fn nothing_is_taken_from_under_a_run_whose_controller_died() {
    let shop = Shop::new("dies-stopped", "lab_plain, lab_slow, lab_fails", "");
    shop.world.apply();
    let before = code_at(&shop);
    fails_slowly(&shop, 20);
    let run = start_and_die(&shop, "lab_slow");
    for state in ["absent", "stopped"] {
        let text = format!("  host: local\n  run: {state}\n");
        shop.world.edit("desired-state/app.yaml", "  host: local\n", &text);
        shop.world.commit("feat: it does not run");
        let said = shop.world.run(&["apply", "--yes"]);
        assert_eq!(said.code, 1, "{}{}", said.out, said.err);
        assert!(said.out.contains("waits for the update under way"), "{}", said.out);
        assert_eq!(shop.world.inspect("db", "{{.State.Running}}"), "true", "its database was taken away");
        shop.world.edit("desired-state/app.yaml", &text, "  host: local\n");
    }
    shop.world.edit("desired-state/app.yaml", "  host: local\n", "  host: local\n  run: stopped\n");
    shop.world.commit("feat: it is stopped");
    ended_by_itself(&run);
    let said = shop.world.run(&["apply", "--yes"]);
    assert!(said.out.contains("a run of modules ended that nobody waited for"), "{}{}", said.out, said.err);
    assert_eq!(shop.world.inspect("db", "{{.State.Running}}"), "false");
    assert!(is_there(&run), "it is still to be looked at");
    // Started again, no application comes up on the new code before somebody has looked.
    shop.world.edit("desired-state/app.yaml", "  run: stopped\n", "");
    shop.world.commit("feat: it runs again");
    let said = shop.world.run(&["apply", "--yes"]);
    assert_eq!(said.code, 1, "{}{}", said.out, said.err);
    assert_eq!(shop.world.inspect("odoo", "{{.State.Running}}"), "false", "{}", said.out);
    let said = shop.apply_fails();
    assert!(said.out.contains("lab_fails cannot be updated"), "{}", said.out);
    assert_eq!(code_at(&shop), before, "the code was not put back");
}
