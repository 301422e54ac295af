//! Installing: what is installed, what is passed over in silence, what ends the run.

use super::odoo::{ONE_SHOT, Odoo};

const PLAIN: &str = "{'name': 'x', 'version': '18.0.1.0.0', 'license': 'LGPL-3', 'depends': ['base']}";

#[test]
fn requested_modules_are_installed_with_what_installs_itself() {
    let odoo = Odoo::new();
    for module in ["lab_plain", "lab_child", "lab_fails", "lab_slow"] {
        assert_eq!(odoo.state(module), "installed 18.0.1.0.0");
    }
    for module in ["web", "bus", "base_setup", "web_tour", "auth_totp", "iap", "web_unsplash"] {
        assert!(odoo.state(module).starts_with("installed 18.0."), "{module}: {}", odoo.state(module));
    }
    assert_eq!(odoo.state("lab_uninstallable"), "uninstallable -");
    assert_eq!(odoo.state("mail"), "uninstalled -");
    assert_eq!(odoo.sql("SELECT name || number FROM lab_thing"), "one1");
    assert_eq!(odoo.sql("SELECT count(*) FROM ir_module_module WHERE demo"), "0");
}

#[test]
fn loading_without_a_request_changes_nothing() {
    let odoo = Odoo::new();
    let ran = odoo.once(&[]);
    ran.expect(0, &["loading 1 modules...", "16 modules loaded in", "Modules loaded."]);
    assert!(
        !ran.log.contains("updating modules list") && !ran.log.contains("Registry changed"),
        "{}",
        ran.log
    );
}

#[test]
fn an_unknown_module_is_a_warning_and_exit_code_0() {
    let odoo = Odoo::new();
    for option in ["-i", "-u"] {
        let ran = odoo.once(&[option, "no_such_module"]);
        ran.expect(
            0,
            &[
                "WARNING",
                "odoo.modules.loading: invalid module names, ignored: no_such_module",
                "Modules loaded.",
            ],
        );
    }
}

#[test]
fn a_module_that_is_not_installable_is_passed_over_in_silence() {
    let odoo = Odoo::new();
    let ran = odoo.once(&["-i", "lab_uninstallable"]);
    ran.expect(0, &["Modules loaded."]);
    assert!(!ran.log.contains("WARNING") && !ran.log.contains("ERROR"), "{}", ran.log);
    assert_eq!(odoo.state("lab_uninstallable"), "uninstallable -");
}

#[test]
fn installing_what_is_installed_loads_its_data_again_and_that_of_its_dependents() {
    let odoo = Odoo::new();
    odoo.sql("UPDATE lab_thing SET number = 7");
    let ran = odoo.once(&["-i", "lab_plain"]);
    ran.expect(0, &["Loading module lab_plain (2/16)", "Loading module lab_child (9/16)"]);
    assert!(!ran.log.contains("button_install") && !ran.log.contains("button_upgrade"), "{}", ran.log);
    assert_eq!(odoo.sql("SELECT number FROM lab_thing"), "1");
}

#[test]
fn installing_what_is_installed_runs_no_migration_though_it_records_the_new_version() {
    let odoo = Odoo::new();
    odoo.take("addons-next");
    let ran = odoo.once(&["-i", "lab_fails"]);
    ran.expect(0, &["Module lab_fails loaded in", "Modules loaded."]);
    assert!(!ran.log.contains("Running migration"), "{}", ran.log);
    assert_eq!(odoo.state("lab_fails"), "installed 18.0.1.1.0");
}

#[test]
fn a_new_module_brings_its_dependencies() {
    let odoo = Odoo::new();
    odoo.module("lab_one", PLAIN);
    odoo.module(
        "lab_two",
        "{'name': 'y', 'version': '18.0.1.0.0', 'license': 'LGPL-3', 'depends': ['lab_one']}",
    );
    odoo.once(&["-i", "lab_two"])
        .expect(0, &["ALLOW access to module.button_install on ['y'] to user __system__ #1 via n/a"]);
    assert_eq!(
        (odoo.state("lab_one").as_str(), odoo.state("lab_two").as_str()),
        ("installed 18.0.1.0.0", "installed 18.0.1.0.0")
    );
}

#[test]
fn a_short_version_gets_the_series_before_it() {
    let odoo = Odoo::new();
    odoo.module("lab_short", &PLAIN.replace("18.0.1.0.0", "2.1"));
    odoo.once(&["-i", "lab_short"]).expect(0, &[]);
    assert_eq!(odoo.state("lab_short"), "installed 18.0.2.1");
}

#[test]
fn a_module_of_another_series_is_unknown_to_a_database_that_exists() {
    let odoo = Odoo::new();
    odoo.take("addons-broken");
    odoo.once(&["-i", "lab_series"]).expect(0, &["invalid module names, ignored: lab_series"]);
    assert_eq!(odoo.state("lab_series"), "");
}

#[test]
fn a_module_of_another_series_spoils_every_new_database_that_sees_it() {
    let odoo = Odoo::without_database();
    odoo.take("addons-broken");
    let ran = odoo.once(&["-i", "base"]);
    let says = [
        "ValueError: Module lab_series: invalid manifest",
        "skipping reset_modules_state, ir_module_module table does not exists",
        "ERROR",
        "Failed to load registry",
        &format!(
            "CRITICAL {} odoo.service.server: Failed to initialize database `{}`.",
            odoo.database, odoo.database
        ),
    ];
    ran.expect(255, &says);
    assert_eq!(odoo.sql("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"), "0");
}

#[test]
fn a_dependency_that_is_nowhere_ends_the_run_with_255() {
    let odoo = Odoo::new();
    odoo.module("lab_lonely", &PLAIN.replace("'base'", "'base', 'nowhere'"));
    let says = [
        "You try to install module \"lab_lonely\" that depends on module \"nowhere\".",
        "But the latter module is not available in your system.",
        "Transient module states were reset",
        "Failed to load registry",
    ];
    odoo.once(&["-i", "lab_lonely"]).expect(255, &says);
}

#[test]
fn an_external_dependency_that_is_missing_ends_the_run_with_255() {
    let odoo = Odoo::new();
    odoo.module(
        "lab_outside",
        &PLAIN.replace("'depends'", "'external_dependencies': {'python': ['nosuchpackage']}, 'depends'"),
    );
    let says = [
        "Unable to install module \"lab_outside\" because an external dependency is not met: External dependency nosuchpackage not installed",
    ];
    odoo.once(&["-i", "lab_outside"]).expect(255, &says);
    assert_eq!(odoo.state("lab_outside"), "");
}

#[test]
fn code_that_does_not_parse_ends_the_run_with_255() {
    let odoo = Odoo::new();
    odoo.module("lab_typo", PLAIN);
    odoo.write("lab_typo/__init__.py", "def (\n");
    let says = [
        "CRITICAL",
        "odoo.modules.module: Couldn't load module lab_typo",
        "SyntaxError",
        "Transient module states were reset",
    ];
    odoo.once(&["-i", "lab_typo"]).expect(255, &says);
}

#[test]
fn a_record_with_an_unknown_field_ends_the_run_with_255() {
    let odoo = Odoo::new();
    odoo.module("lab_record", &PLAIN.replace("'depends'", "'data': ['bad.xml'], 'depends'"));
    odoo.write("lab_record/bad.xml", "<odoo>\n<record id=\"x\" model=\"res.partner\"><field name=\"nofield\">1</field></record>\n</odoo>\n");
    let says = [
        "odoo.tools.convert.ParseError: while parsing /mnt/extra-addons/lab_record/bad.xml:2, somewhere inside",
        "ValueError: Invalid field 'nofield' on model 'res.partner'",
    ];
    odoo.once(&["-i", "lab_record"]).expect(255, &says);
}

#[test]
fn a_module_gone_from_disk_is_an_error_line_and_exit_code_0() {
    let odoo = Odoo::new();
    odoo.remove_modules();
    let ran = odoo.once(&[]);
    let missing = "ERROR DB odoo.modules.loading: Some modules are not loaded, some dependencies or manifest may be missing: \
                   ['lab_child', 'lab_fails', 'lab_plain', 'lab_slow']";
    let skipped = "odoo.modules.graph: module lab_plain: not installable, skipped";
    ran.expect(0, &[&missing.replace("DB", &odoo.database), skipped, "Modules loaded."]);
    assert_eq!(odoo.state("lab_plain"), "installed 18.0.1.0.0");
}

#[test]
fn updating_a_module_gone_from_disk_leaves_its_mark_and_exit_code_0() {
    let odoo = Odoo::new();
    odoo.remove_modules();
    let ran = odoo.once(&["-u", "lab_plain"]);
    ran.expect(0, &["Some modules have inconsistent states, some dependencies may be missing: ['lab_child', 'lab_fails', 'lab_plain', 'lab_slow']"]);
    assert_eq!(odoo.state("lab_plain"), "to upgrade 18.0.1.0.0");
    odoo.take("addons");
    // The mark is acted on by the next load, though nobody asks for an update.
    odoo.once(&[]).expect(0, &["Loading module lab_plain (2/16)", "Module lab_slow loaded in"]);
    assert_eq!(odoo.state("lab_plain"), "installed 18.0.1.0.0");
}

#[test]
fn installing_into_an_empty_database_that_exists_is_an_initialization() {
    let odoo = Odoo::without_database();
    super::odoo::lab().sql("postgres", &format!("CREATE DATABASE {}", odoo.database));
    let ran = odoo.run(&[&["-d", &odoo.database, "-i", "lab_plain"], ONE_SHOT].concat());
    ran.expect(0, &["init db", "Loading module base (1/1)", "Modules loaded."]);
    assert!(!ran.log.contains("invalid module names"), "{}", ran.log);
    assert_eq!(odoo.state("lab_plain"), "installed 18.0.1.0.0");
}

#[test]
fn the_first_root_that_has_a_module_wins() {
    let mut odoo = Odoo::new();
    odoo.configure(
        "[options]\ndata_dir = /var/lib/odoo\naddons_path = /mnt/extra-addons/second,/mnt/extra-addons\n",
    );
    odoo.module(
        "second/lab_child",
        "{'name': 'shadow', 'version': '18.0.9.0.0', 'license': 'LGPL-3', 'depends': ['lab_plain']}",
    );
    odoo.once(&["-u", "lab_child"]).expect(0, &[]);
    assert_eq!(odoo.state("lab_child"), "installed 18.0.9.0.0");
}
