//! What the command line accepts, and how it says no.

use super::odoo::{ONE_SHOT, Odoo, image};
use crate::world::docker;

#[test]
fn the_version_is_18() {
    let odoo = Odoo::without_database();
    odoo.run_with(&["--entrypoint", "odoo"], &["--version"]).expect(0, &["Odoo Server 18.0"]);
}

#[test]
fn an_unknown_option_ends_with_2_and_an_unknown_command_with_1() {
    let odoo = Odoo::without_database();
    odoo.run(&["--no-such-option"]).expect(2, &["odoo server: error: no such option: --no-such-option"]);
    odoo.run(&["nonsense"]).expect(1, &["Unknown command 'nonsense'"]);
    odoo.run(&["server", "nonsense"]).expect(2, &["unrecognized parameters: 'nonsense'"]);
}

#[test]
fn every_root_on_the_command_line_must_exist_and_hold_a_module() {
    let odoo = Odoo::without_database();
    odoo.run(&["--addons-path=/nowhere"]).expect(2, &["option --addons-path: no such directory: '/nowhere'"]);
    let empty = odoo.run(&["--addons-path=/mnt/extra-addons,/mnt"]);
    empty.expect(2, &["option --addons-path: the path '/mnt' is not a valid addons directory"]);
}

#[test]
fn a_root_of_the_file_that_is_not_there_is_only_a_warning() {
    let mut odoo = Odoo::new();
    odoo.configure("[options]\ndata_dir = /var/lib/odoo\naddons_path = /mnt/extra-addons,/nowhere\n");
    let ran = odoo.once(&["-u", "lab_child"]);
    ran.expect(
        0,
        &["WARNING", "odoo.modules.module: addons path does not exist: /nowhere", "Modules loaded."],
    );
    assert!(ran.log.contains("'/var/lib/odoo/addons/18.0', '/mnt/extra-addons', '/nowhere']"), "{}", ran.log);
}

#[test]
fn a_file_that_names_no_data_folder_moves_the_data_within_the_volume() {
    let mut odoo = Odoo::new();
    odoo.configure("[options]\naddons_path = /mnt/extra-addons\n");
    odoo.once(&[]).expect(0, &["'/var/lib/odoo/.local/share/Odoo/addons/18.0'"]);
}

#[test]
fn a_file_that_may_not_be_read_is_ignored_in_silence() {
    let mut odoo = Odoo::new();
    odoo.configure_with_mode("[options]\ndata_dir = /var/lib/odoo\naddons_path = /mnt/extra-addons\n", 0);
    let ran = odoo.once(&[]);
    let roots = "addons paths: ['/usr/lib/python3/dist-packages/odoo/addons', '/var/lib/odoo/.local/share/Odoo/addons/18.0']";
    ran.expect(0, &["Using configuration file at /etc/odoo/odoo.conf", roots, "Some modules are not loaded"]);
}

#[test]
fn several_databases_cannot_be_installed_at_once() {
    let odoo = Odoo::without_database();
    let ran = odoo.run(&[&["-d", "one,two", "-i", "base"], ONE_SHOT].concat());
    ran.expect(
        2,
        &["Cannot use -i/--init or -u/--update with multiple databases in the -d/--database/db_name"],
    );
}

#[test]
fn the_database_s_superuser_is_refused() {
    let odoo = Odoo::without_database();
    let ran = odoo.run_with(&["--entrypoint", "odoo"], &["-d", "any", "--db_user", "postgres"]);
    ran.expect(1, &["Using the database user 'postgres' is a security risk, aborting."]);
}

#[test]
fn root_is_warned() {
    let odoo = Odoo::without_database();
    let ran = odoo.run_with(&["--user", "root"], &[&["odoo", "-d", "postgres"], ONE_SHOT].concat());
    ran.expect(0, &["Running as user 'root' is a security risk."]);
}

#[test]
fn a_configuration_file_that_cannot_be_read_ends_with_2() {
    let odoo = Odoo::without_database();
    odoo.run(&["-c", "/nowhere.conf"])
        .expect(2, &["The config file '/nowhere.conf' selected with -c/--config"]);
}

#[test]
fn the_stand_in_says_what_it_does_not_imitate() {
    if image() != "ipaictl/odoo-standin:18" {
        return;
    }
    let said = std::process::Command::new("docker")
        .args(["run", "--rm", "--entrypoint", "odoo", &image(), "shell", "-d", "x"])
        .output()
        .unwrap();
    assert_eq!(said.status.code(), Some(1));
    assert!(
        String::from_utf8_lossy(&said.stderr).contains("the stand-in for Odoo does not imitate `odoo shell`")
    );
    let named = docker(&[
        "run",
        "--rm",
        "--entrypoint",
        "python3",
        &image(),
        "-c",
        "import standin; print(standin.__doc__)",
    ]);
    assert!(named.contains("A stand-in for Odoo 18.0"), "{named}");
}
