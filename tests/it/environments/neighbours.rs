//! Several environments, and databases on servers of somebody else's.

use std::fs;
use std::process::Command;

use super::Shop;
use crate::lab::odoo::postgres_image;
use crate::world::{docker, eventually, text_of};

/// A PostgreSQL of somebody else's with a certificate of its own, gone at the end.
struct Server {
    name: String,
    address: String,
    port: String,
    _folder: tempfile::TempDir,
}

impl Server {
    /// A server that takes connections by TLS alone.
    fn new(name: &str) -> Server {
        let folder = tempfile::tempdir().unwrap();
        let (key, certificate) = (folder.path().join("key.pem"), folder.path().join("cert.pem"));
        text_of(
            Command::new("openssl")
                .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=db"])
                .arg("-keyout")
                .arg(&key)
                .arg("-out")
                .arg(&certificate),
        );
        let name = format!("ipaictl-it-{}-{name}", std::process::id());
        docker(&[
            "create",
            "--name",
            &name,
            "--publish",
            "5432",
            "-e",
            "POSTGRES_USER=admin",
            "-e",
            "POSTGRES_PASSWORD=of-the-admin",
            "-e",
            "POSTGRES_DB=postgres",
            &postgres_image(),
        ]);
        docker(&["start", &name]);
        let server = |statement: &str| {
            let answer = Command::new("docker")
                .args([
                    "exec",
                    &name,
                    "psql",
                    "-h",
                    "127.0.0.1",
                    "-U",
                    "admin",
                    "-d",
                    "postgres",
                    "-Atc",
                    statement,
                ])
                .env("PGPASSWORD", "of-the-admin")
                .output()
                .unwrap();
            answer.status.success().then(|| String::from_utf8(answer.stdout).unwrap().trim().to_owned())
        };
        eventually(60, "the server answers", || server("select 1").is_some());
        let data = server("show data_directory").unwrap();
        for (from, to) in [(&key, "server.key"), (&certificate, "server.crt")] {
            let target = format!("{data}/{to}");
            docker(&["cp", from.to_str().unwrap(), &format!("{name}:{target}")]);
            docker(&["exec", "-u", "root", &name, "chown", "postgres", &target]);
            docker(&["exec", "-u", "root", &name, "chmod", "600", &target]);
        }
        let rule = format!(
            "printf 'local all all trust\\nhost all all 127.0.0.1/32 trust\\nhostssl all all all scram-sha-256\\n' > {data}/pg_hba.conf"
        );
        docker(&["exec", "-u", "root", &name, "sh", "-c", &rule]);
        server("alter system set ssl = on").unwrap();
        server("create role shop login createdb password 'of-the-shop'").unwrap();
        server("select pg_reload_conf()").unwrap();
        eventually(30, "it speaks TLS", || server("show ssl").as_deref() == Some("on"));
        let address =
            docker(&["inspect", "-f", "{{range .NetworkSettings.Networks}}{{.Gateway}}{{end}}", &name])
                .trim()
                .to_owned();
        let published = docker(&["port", &name, "5432"]);
        let port = published.lines().next().unwrap().rsplit(':').next().unwrap().to_owned();
        Server { name, address, port, _folder: folder }
    }

    fn sql(&self, database: &str, statement: &str) -> String {
        docker(&["exec", &self.name, "psql", "-U", "admin", "-d", database, "-Atc", statement])
            .trim()
            .to_owned()
    }

    /// The `database` of an Environment on this server.
    fn database(&self, name: &str, password: &std::path::Path, sslmode: &str) -> String {
        format!(
            "{{external: {{host: {}, port: {}, name: {name}, user: shop, passwordFrom: {{file: {}}}, sslmode: {sslmode}}}}}",
            self.address,
            self.port,
            password.display()
        )
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = Command::new("docker").args(["rm", "-fv", &self.name]).output();
    }
}

#[test]
fn an_external_database_is_reached_through_tls() {
    let server = Server::new("tls-server");
    let shop = Shop::new("tls-database", "", "");
    let password = shop.world.path("password");
    fs::write(&password, "of-the-shop").unwrap();
    // Without TLS the server refuses, and says so.
    shop.describe_on(&server.database("shop_tls", &password, "disable"), "lab_plain", "");
    shop.world.commit("feat: without TLS");
    let said = shop.world.run(&["diff"]);
    assert!(said.out.contains("no encryption") || said.out.contains("pg_hba.conf"), "{}", said.out);
    shop.describe_on(&server.database("shop_tls", &password, "require"), "lab_plain", "");
    shop.world.commit("feat: with TLS");
    shop.world.apply();
    shop.world.assert_in_sync();
    assert_eq!(
        server.sql("shop_tls", "select state from ir_module_module where name = 'lab_plain'"),
        "installed"
    );
    // The server takes no connection from outside without TLS: `disable` was refused above.
    let names = docker(&["ps", "-a", "--format", "{{.Names}}"]);
    assert!(
        !names.contains(&format!("{}-db-1", shop.name())),
        "an external database has no container of ours"
    );
}

#[test]
fn a_renamed_document_is_no_second_application_on_an_external_database() {
    let server = Server::new("renamed-server");
    let shop = Shop::new("external", "", "");
    let password = shop.world.path("password");
    fs::write(&password, "of-the-shop").unwrap();
    shop.describe_on(&server.database("shop_named", &password, "require"), "", "");
    shop.world.commit("feat: an external database");
    shop.world.apply();
    let name = shop.name().to_owned();
    for (from, to) in [
        (format!("metadata: {{name: {name}}}"), format!("metadata: {{name: {name}-b}}")),
        (format!("volume: {name}-files"), format!("volume: {name}-b-files")),
    ] {
        shop.world.edit("desired-state/app.yaml", &from, &to);
    }
    shop.world.commit("feat: another name, and another filestore");
    let said = shop.world.run(&["apply", "--yes"]);
    assert_eq!(said.code, 1, "{}{}", said.out, said.err);
    assert!(said.out.contains("was made for the same database"), "{}", said.out);
    let names = docker(&["ps", "-a", "--format", "{{.Names}}"]);
    assert!(!names.contains(&format!("{name}-b-odoo-1")), "{names}");
}

#[test]
fn two_environments_share_a_host_and_a_database_server_and_nothing_else() {
    let server = Server::new("shared-server");
    let (one, two) = (Shop::new("one", "", ""), Shop::new("two", "", ""));
    for (shop, database) in [(&one, "shop_one"), (&two, "shop_two")] {
        let password = shop.world.path("password");
        fs::write(&password, "of-the-shop").unwrap();
        shop.describe_on(&server.database(database, &password, "require"), "lab_plain", "");
        shop.world.commit("feat: a shared server");
        shop.world.apply();
    }
    one.world.assert_in_sync();
    let state = |database: &str| {
        server.sql(database, "select latest_version from ir_module_module where name = 'lab_plain'")
    };
    two.next(&["lab_plain"]);
    let id = one.world.id("odoo");
    two.world.apply();
    assert_eq!((state("shop_one").as_str(), state("shop_two").as_str()), ("18.0.1.0.0", "18.0.1.1.0"));
    assert_eq!(one.world.id("odoo"), id);
    one.world.assert_in_sync();
    two.world.assert_in_sync();
}
