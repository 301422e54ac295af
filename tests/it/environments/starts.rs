//! Starts and changes that go well.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

use super::{Shop, walk};
use crate::world::{docker, eventually};

#[test]
fn a_first_start_makes_the_database_and_a_second_does_nothing() {
    let shop = Shop::new("first", "lab_plain", "");
    let preview = shop.world.differences();
    assert!(preview.contains("make the database with base, lab_plain"), "{preview}");
    for said in ["admin_passwd (generated)", "dbfilter = ^shop$", "list_db = False", "proxy_mode = False"] {
        assert!(preview.contains(said), "{said} is not said aloud: {preview}");
    }
    shop.world.apply();
    shop.world.assert_in_sync();
    assert_eq!(shop.module("lab_plain"), "installed 18.0.1.0.0");
    assert_eq!(shop.sql("select count(*) from ir_module_module where state like 'to %'"), "0");
    shop.expect("Ready", "True", "InSync", "");
    shop.expect("Healthy", "True", "InSync", "");
    let evidence = shop.evidence();
    for probe in ["health", "login", "database", "websocket"] {
        assert!(evidence.contains(&format!("\"name\": \"{probe}\"")), "no answer of `{probe}`: {evidence}");
    }
    let ids = || (shop.world.id("odoo"), shop.world.id("db"));
    let before = ids();
    shop.world.apply();
    assert_eq!(ids(), before, "a second apply replaced something");
    let all = docker(&["ps", "-a", "--format", "{{.Names}}"]);
    assert!(!all.contains(&format!("{}-odoo-update", shop.name())), "the container of the run is gone");
}

#[test]
fn the_secrets_of_an_environment_are_nowhere() {
    let shop = Shop::new("secrets", "", "");
    shop.world.edit("desired-state/app.yaml", "db_maxconn: 8", "db_maxconn: 8, smtp_password: {file: /SMTP}");
    let file = shop.world.path("smtp");
    fs::write(&file, "canary-of-smtp\n").unwrap();
    shop.world.edit("desired-state/app.yaml", "/SMTP", file.to_str().unwrap());
    shop.world.commit("feat: mail");
    let preview = shop.world.differences();
    let applied = shop.world.apply();
    let conf = docker(&["exec", &shop.container("odoo"), "cat", "/etc/odoo/odoo.conf"]);
    let value = |name: &str| {
        let line = conf.lines().find(|line| line.starts_with(&format!("{name} = "))).unwrap();
        line.split_once(" = ").unwrap().1.to_owned()
    };
    let mode = docker(&["exec", &shop.container("odoo"), "stat", "-c", "%u:%g %a", "/etc/odoo/odoo.conf"]);
    assert_eq!(mode.trim(), "100:101 400");
    let secrets = [value("db_password"), value("admin_passwd"), value("smtp_password")];
    assert_eq!(secrets[2], "canary-of-smtp");
    let mut written = preview + &applied;
    for service in ["odoo", "db"] {
        written.push_str(&docker(&["inspect", &shop.container(service)]));
        written.push_str(&docker(&["logs", &shop.container(service)]));
        written.push_str(&docker(&["top", &shop.container(service)]));
    }
    written.push_str(&shop.world.run(&["status", "-o", "json"]).out);
    written.push_str(&shop.world.run(&["diff", "-o", "json"]).out);
    // Everything that is kept, apart from the files that the containers mount.
    walk(&shop.world.state(), &mut |path| {
        if !path.starts_with(shop.files()) || path.extension().is_some_and(|it| it == "log") {
            written.push_str(&String::from_utf8_lossy(&fs::read(path).unwrap()));
        }
    });
    for secret in &secrets {
        assert!(secret.len() > 8 && !written.contains(secret.as_str()), "a secret was written: {secret}");
    }
}

#[test]
fn a_new_commit_installs_updates_and_moves_the_code() {
    let shop = Shop::new("commit", "lab_plain", "");
    shop.world.apply();
    shop.sql("insert into lab_thing (name) values ('kept')");
    let rows = shop.sql("select count(*) from lab_thing");
    shop.describe("lab_plain, lab_child", "");
    shop.next(&["lab_plain"]);
    let preview = shop.world.differences();
    assert!(preview.contains("install lab_child: wanted and not installed"), "{preview}");
    assert!(preview.contains("update lab_plain: its content changed since it was last updated"), "{preview}");
    assert!(preview.contains("downtime"), "{preview}");
    let before = shop.world.id("odoo");
    shop.world.apply();
    shop.world.assert_in_sync();
    assert_eq!(shop.world.id("odoo"), before, "the container itself did not change");
    assert_eq!(shop.module("lab_plain"), "installed 18.0.1.1.0");
    assert!(shop.module("lab_child").starts_with("installed"), "{}", shop.module("lab_child"));
    assert_eq!(shop.sql("select count(*) from lab_thing"), rows, "rows were lost");
    // What both tools remember is the same: a map of the modules of the roots.
    let remembered = shop
        .sql("select value from ir_config_parameter where key = 'module_auto_update.installed_checksums'");
    assert!(remembered.contains("\"lab_plain\":") && remembered.contains("\"lab_child\":"), "{remembered}");
}

#[test]
fn a_new_configuration_replaces_the_application_and_is_read() {
    let shop = Shop::new("config", "", "");
    shop.world.apply();
    let database = shop.world.id("db");
    shop.world.edit("desired-state/app.yaml", "db_maxconn: 8", "db_maxconn: 8, workers: 2");
    shop.world.commit("feat: workers");
    let preview = shop.world.differences();
    assert!(
        preview.contains("recreate: odoo.conf") && preview.contains("odoo.conf workers  (not set) → 2"),
        "{preview}"
    );
    assert!(!preview.contains("unhealthy"), "what runs has the workers of its own file: {preview}");
    shop.world.apply();
    shop.world.assert_in_sync();
    assert_eq!(shop.world.id("db"), database, "the database's server was replaced");
    let conf = docker(&["exec", &shop.container("odoo"), "cat", "/etc/odoo/odoo.conf"]);
    assert!(conf.contains("workers = 2"), "{conf}");
}

#[test]
fn stopped_and_absent_keep_volumes_and_rows() {
    let shop = Shop::new("stopped", "lab_plain", "");
    shop.world.apply();
    shop.sql("insert into lab_thing (name) values ('kept')");
    let rows = shop.sql("select count(*) from lab_thing");
    for (from, to) in [
        ("  tier: dev\n", "  tier: dev\n  run: stopped\n"),
        ("run: stopped", "run: absent"),
        ("run: absent", "run: started"),
    ] {
        shop.world.edit("desired-state/app.yaml", from, to);
        shop.world.commit("feat: another state");
        // Code moves once the database can be asked about it: the pass that starts the server is not the last.
        eventually(60, "it is as wanted", || shop.world.run(&["apply", "--yes"]).code == 0);
        shop.world.assert_in_sync();
    }
    assert_eq!(shop.sql("select count(*) from lab_thing"), rows, "rows were lost");
    shop.expect("Healthy", "True", "InSync", "");
}

#[test]
fn odoo_conf_that_was_edited_on_the_host_is_written_again() {
    let shop = Shop::new("edited", "", "");
    shop.world.apply();
    let mut conf = None;
    walk(&shop.files(), &mut |path| {
        if path.ends_with("odoo.conf") {
            conf = Some(path.to_owned());
        }
    });
    let conf = conf.unwrap();
    let whole = fs::read_to_string(&conf).unwrap();
    fs::write(&conf, whole.replace("list_db = False", "list_db = True")).unwrap();
    let preview = shop.world.differences();
    assert!(
        preview.contains("`odoo.conf` was changed on the host") && preview.contains("drift: content"),
        "{preview}"
    );
    let id = shop.world.id("odoo");
    shop.world.apply();
    shop.world.assert_in_sync();
    assert_eq!(fs::read_to_string(&conf).unwrap(), whole);
    assert_eq!(shop.world.id("odoo"), id);
    let inside = docker(&["exec", &shop.container("odoo"), "cat", "/etc/odoo/odoo.conf"]);
    assert_eq!(inside, whole, "the server has the old file");
    // Who may read it is part of it: a server that can't goes on without, or ends again and again.
    let before = fs::metadata(&conf).unwrap();
    fs::set_permissions(&conf, fs::Permissions::from_mode(0o644)).unwrap();
    let preview = shop.world.differences();
    assert!(preview.contains("`odoo.conf` is 100:101 0644 on the host, not 100:101 0400"), "{preview}");
    std::os::unix::fs::chown(&conf, Some(4321), Some(4321)).unwrap();
    shop.world.apply();
    shop.world.assert_in_sync();
    let after = fs::metadata(&conf).unwrap();
    assert_eq!((after.uid(), after.gid(), after.mode()), (before.uid(), before.gid(), before.mode()));
}

#[test]
fn addons_of_a_wrong_owner_are_given_back() {
    let shop = Shop::new("owner", "lab_plain", "");
    shop.world.edit("desired-state/app.yaml", "source: addons}", "source: addons, owner: \"100:101\"}");
    shop.world.commit("feat: an owner");
    shop.world.apply();
    shop.world.assert_in_sync();
    let addons =
        shop.world.state().join("checkouts").join(format!("_environment-{}", shop.name())).join("addons");
    std::os::unix::fs::chown(addons.join("lab_plain/__manifest__.py"), Some(0), Some(0)).unwrap();
    let preview = shop.world.differences();
    assert!(preview.contains("0:0 (1 files) → 100:101"), "{preview}");
    shop.world.apply();
    shop.world.assert_in_sync();
    shop.expect("Ready", "True", "InSync", "");
}

#[test]
fn an_application_that_was_killed_is_started_again() {
    let shop = Shop::new("killed", "", "");
    shop.world.apply();
    // With the policy `unless-stopped` a stop is what the engine leaves alone.
    docker(&["stop", "-t", "0", &shop.container("odoo")]);
    docker(&["stop", "-t", "5", &shop.container("db")]);
    let preview = shop.world.differences();
    assert!(preview.contains("start: exited"), "{preview}");
    shop.world.apply();
    shop.world.assert_in_sync();
    eventually(5, "it is healthy", || shop.condition("Healthy").0 == "True");
}
