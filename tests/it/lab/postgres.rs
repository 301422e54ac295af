//! The PostgreSQL image: the official image's contract, with TLS.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use super::odoo::{Odoo, lab, postgres_image};
use crate::world::{docker, eventually};

/// A container of the image, on the lab's network; removed with the lab.
fn start(name: &str, options: &[&str], arguments: &[&str]) -> String {
    let name = format!("{}-{name}", lab().network);
    let label = format!("ipaictl.lab={}", std::process::id());
    let common = ["run", "-d", "--name", &name, "--network", &lab().network, "--label", &label];
    docker(&[&common, options, &[&postgres_image()], arguments].concat());
    name
}

fn sql(container: &str, user: &str, database: &str, statement: &str) -> Option<String> {
    let words =
        ["exec", container, "psql", "-qAt", "-h", "127.0.0.1", "-U", user, "-d", database, "-c", statement];
    let output = Command::new("docker").args(words).output().unwrap();
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

#[test]
fn it_refuses_to_start_without_a_password() {
    let output = Command::new("docker").args(["run", "--rm", &postgres_image()]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("POSTGRES_PASSWORD"), "{output:?}");
}

#[test]
fn user_database_password_file_arguments_and_scripts_are_as_in_the_official_image() {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(folder.path().join("password"), "from a file\n").unwrap();
    fs::create_dir(folder.path().join("scripts")).unwrap();
    fs::write(
        folder.path().join("scripts/1.sql"),
        "CREATE TABLE made AS SELECT current_user AS by, 1 AS step;",
    )
    .unwrap();
    let script = "psql -U \"$POSTGRES_USER\" -d \"$POSTGRES_DB\" -c 'UPDATE made SET step = 2'\n";
    fs::write(folder.path().join("scripts/2.sh"), script).unwrap();
    let mount = |from: &str, to: &str| format!("{}:{to}:ro", folder.path().join(from).display());
    let options = [
        "-e",
        "POSTGRES_PASSWORD_FILE=/run/password",
        "-e",
        "POSTGRES_USER=lab",
        "-e",
        "POSTGRES_DB=labdb",
        "-e",
        "POSTGRES_INITDB_ARGS=--data-checksums",
        "-e",
        "PGDATA=/var/lib/postgresql/data/inner",
        "-e",
        "PGPASSWORD=from a file",
        "-v",
        &mount("password", "/run/password"),
        "-v",
        &mount("scripts", "/docker-entrypoint-initdb.d"),
    ];
    let name = start("contract", &options, &["-c", "max_connections=7", "-c", "shared_buffers=16MB"]);
    eventually(60, "the database answers", || sql(&name, "lab", "labdb", "SELECT 1").is_some());
    let ask = |statement: &str| sql(&name, "lab", "labdb", statement).unwrap();
    assert_eq!(ask("SELECT by || step FROM made"), "lab2");
    assert_eq!(ask("SHOW data_checksums"), "on");
    assert_eq!(ask("SHOW max_connections"), "7");
    assert_eq!(ask("SHOW data_directory"), "/var/lib/postgresql/data/inner");
    assert_eq!(
        docker(&["exec", &name, "stat", "-c", "%u", "/var/lib/postgresql/data/inner/PG_VERSION"]).trim(),
        "999"
    );
    assert_eq!(docker(&["exec", &name, "stat", "-c", "%u", "/proc/1"]).trim(), "999");
    docker(&["stop", "-t", "20", &name]);
    assert_eq!(docker(&["inspect", "-f", "{{.State.ExitCode}}", &name]).trim(), "0");
}

#[test]
fn tls_with_a_certificate_of_one_s_own_is_enough_for_odoo() {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (key, certificate) = (path("server.key"), path("server.crt"));
    let subject = ["-subj", "/CN=lab", "-days", "1", "-nodes", "-x509", "-newkey", "rsa:2048"];
    let openssl = Command::new("openssl")
        .arg("req")
        .args(subject)
        .args(["-keyout", &key, "-out", &certificate])
        .output()
        .unwrap();
    assert!(openssl.status.success(), "{openssl:?}");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    // The server refuses a key of somebody else's; in the image it is user 999.
    docker(&[
        "run",
        "--rm",
        "-v",
        &format!("{}:/tls", folder.path().display()),
        "ipaictl/busybox:1",
        "chown",
        "999:999",
        "/tls/server.key",
    ]);
    let mounts = format!("{}:/tls:ro", folder.path().display());
    let hba = "local all all trust\nhost all all 127.0.0.1/32 trust\nhostssl all all all scram-sha-256\n";
    fs::write(path("pg_hba.conf"), hba).unwrap();
    let options = ["-e", "POSTGRES_PASSWORD=pw", "-e", "POSTGRES_USER=odoo", "-v", &mounts];
    let arguments = [
        "-c",
        "ssl=on",
        "-c",
        "ssl_cert_file=/tls/server.crt",
        "-c",
        "ssl_key_file=/tls/server.key",
        "-c",
        "hba_file=/tls/pg_hba.conf",
    ];
    let name = start("tls", &options, &arguments);
    eventually(60, "the database answers", || sql(&name, "odoo", "postgres", "SELECT 1").is_some());

    let mut odoo = Odoo::without_database();
    let config = |mode: &str| {
        format!(
            "[options]\ndata_dir = /var/lib/odoo\naddons_path = /mnt/extra-addons\ndb_host = {name}\ndb_sslmode = {mode}\n"
        )
    };
    odoo.configure(&config("require"));
    // An empty database is enough: what counts is that Odoo got in.
    sql(&name, "odoo", "postgres", "CREATE DATABASE secure").unwrap();
    let words =
        ["odoo", "-d", "secure", "--stop-after-init", "--workers=0", "--max-cron-threads=0", "--no-http"];
    odoo.run_with(&[], &words).expect(0, &["Database secure not initialized"]);
    odoo.configure(&config("disable"));
    let refused = odoo.run_with(&[], &words);
    assert_ne!(refused.code, 0, "{}", refused.log);
    assert!(refused.log.contains("no encryption"), "{}", refused.log);
}
