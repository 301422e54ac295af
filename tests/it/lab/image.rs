//! The image's contract: user, ports, volumes, and how its entrypoint finds the database.

use serde_json::Value;

use super::odoo::{ONE_SHOT, Odoo, image, lab};
use super::server::Server;
use crate::world::docker;

#[test]
fn the_image_runs_as_odoo_with_the_official_ports_and_volumes() {
    let config: Value =
        serde_json::from_str(&docker(&["image", "inspect", "-f", "{{json .Config}}", &image()])).unwrap();
    assert_eq!(config["User"], "odoo");
    let ports: Vec<&String> = config["ExposedPorts"].as_object().unwrap().keys().collect();
    for port in ["8069/tcp", "8071/tcp", "8072/tcp"] {
        assert!(ports.iter().any(|other| *other == port), "{ports:?}");
    }
    let volumes = config["Volumes"].as_object().unwrap();
    assert!(
        volumes.contains_key("/var/lib/odoo") && volumes.contains_key("/mnt/extra-addons"),
        "{volumes:?}"
    );
    let environment: Vec<&str> =
        config["Env"].as_array().unwrap().iter().map(|one| one.as_str().unwrap()).collect();
    assert!(environment.contains(&"ODOO_RC=/etc/odoo/odoo.conf"), "{environment:?}");
    assert_eq!(config["Entrypoint"], serde_json::json!(["/entrypoint.sh"]));
    assert_eq!(config["Cmd"], serde_json::json!(["odoo"]));
    let ids = docker(&["run", "--rm", "--entrypoint", "id", &image()]);
    assert!(ids.starts_with("uid=100(odoo) gid=101(odoo)"), "{ids}");
}

#[test]
fn options_of_the_environment_come_after_the_arguments_and_break_sub_commands() {
    let odoo = Odoo::without_database();
    let ran = odoo.run(&["db", "dump", "prepared", "/tmp/dump.zip"]);
    let server = &lab().server;
    let rest =
        format!("unrecognized arguments: --db_host {server} --db_port 5432 --db_user odoo --db_password pw");
    ran.expect(2, &[&rest]);
}

#[test]
fn a_command_that_is_not_odoo_is_run_as_it_is() {
    let ran = Odoo::without_database().run_with(&[], &["cat", "/etc/odoo/odoo.conf"]);
    ran.expect(0, &["[options]", "addons_path = /mnt/extra-addons"]);
}

#[test]
fn a_key_of_the_file_is_preferred_to_the_environment() {
    let mut odoo = Odoo::without_database();
    odoo.configure(&format!(
        "[options]\ndata_dir = /var/lib/odoo\naddons_path = /mnt/extra-addons\ndb_host = {}\n",
        lab().server
    ));
    let ran =
        odoo.run_with(&["-e", "HOST=nowhere.invalid"], &[&["odoo", "-d", "postgres"], ONE_SHOT].concat());
    ran.expect(0, &[&format!("odoo: database: odoo@{}:5432", lab().server)]);
}

#[test]
fn a_key_without_blanks_is_misread_and_a_database_that_does_not_answer_is_waited_for_30_seconds() {
    let mut odoo = Odoo::without_database();
    odoo.configure(&format!("[options]\ndb_host={}\n", lab().server));
    let ran = odoo.run(&["-d", "postgres"]);
    ran.expect(1, &["Database connection failure", &format!("\"db_host={}\"", lab().server)]);
    assert!((29.0..45.0).contains(&ran.seconds), "{} s", ran.seconds);
}

#[test]
fn the_password_is_on_the_command_line_of_the_process_and_not_in_the_container_s_own() {
    let mut odoo = Odoo::new();
    odoo.configure(
        "[options]\ndata_dir = /var/lib/odoo\naddons_path = /mnt/extra-addons\ndb_password = pw\n",
    );
    let server = Server::start(&odoo, &["-d", &odoo.database, "--max-cron-threads=0"]);
    let processes = docker(&["top", &server.container, "-o", "pid,args"]);
    assert!(processes.contains("--db_password pw"), "{processes}");
    let arguments = docker(&["inspect", "-f", "{{json .Args}}", &server.container]);
    assert!(!arguments.contains("db_password"), "{arguments}");
}

#[test]
fn without_the_entrypoint_the_password_of_the_file_is_on_no_command_line_and_sub_commands_work() {
    let mut odoo = Odoo::new();
    let connection = format!("db_host = {}\ndb_user = odoo\ndb_password = pw\n", lab().server);
    odoo.configure(&format!(
        "[options]\ndata_dir = /var/lib/odoo\naddons_path = /mnt/extra-addons\n{connection}"
    ));
    let server =
        Server::start_with(&odoo, &["--entrypoint", "odoo"], &["-d", &odoo.database, "--max-cron-threads=0"]);
    let processes = docker(&["top", &server.container, "-o", "pid,args"]);
    assert!(!processes.contains("--db_password"), "{processes}");
    docker(&["exec", &server.container, "odoo", "db", "dump", &odoo.database, "/tmp/dump.zip"]);
    docker(&["exec", &server.container, "test", "-s", "/tmp/dump.zip"]);
}

#[test]
fn values_of_the_file_are_taken_as_they_stand() {
    let mut odoo = Odoo::new();
    odoo.configure(
        "[options]\ndata_dir = /var/lib/odoo\naddons_path = /mnt/extra-addons\ndbfilter = ^${LAB_FILTER}$\n",
    );
    let server = Server::start(&odoo, &["--max-cron-threads=0"]);
    let answer = server.get(&format!("/web/login?db={}", odoo.database));
    assert_eq!(
        (answer.status, answer.header("Location")),
        (303, Some("/web/database/selector")),
        "{answer:?}"
    );
}
