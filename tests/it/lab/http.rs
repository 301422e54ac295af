//! What a server answers, and over which databases it seems well.

use serde_json::json;

use super::odoo::{ONE_SHOT, Odoo, lab, pause, postgres_image};
use super::server::Server;
use crate::world::{docker, eventually};

const QUIET: &str = "--max-cron-threads=0";

#[test]
fn health_and_login_page_of_a_healthy_database() {
    let odoo = Odoo::new();
    let server = Server::start(&odoo, &["-d", &odoo.database, QUIET]);
    let health = server.get("/web/health");
    assert_eq!((health.status, health.body.as_str()), (200, "{\"status\": \"pass\"}"));
    assert_eq!(
        server.get("/web/health?db_server_status=1").body,
        "{\"status\": \"pass\", \"db_server_status\": true}"
    );
    let login = server.get("/web/login");
    assert_eq!((login.status, login.header("Content-Type")), (200, Some("text/html; charset=utf-8")));
    assert!(login.csrf_token().len() >= 50, "{}", login.csrf_token());
    assert!(
        login.body.contains("name=\"login\"") && login.body.contains("name=\"password\""),
        "{}",
        login.body
    );
    assert!(login.header("Set-Cookie").unwrap().contains("HttpOnly; Path=/"), "{}", login.head);
    assert_eq!(
        (server.get("/").status, server.get("/").header("Location").unwrap().to_owned()),
        (303, "/odoo".to_owned())
    );
    assert_eq!(server.get("/nothing/1").status, 404);
    assert_eq!(server.stop(), "0");
    let log = server.log();
    for words in [
        "odoo.service.server: HTTP service (werkzeug) running on",
        "\"GET /web/health HTTP/1.1\" 200 -",
        "Initiating shutdown",
    ] {
        assert!(log.contains(words), "no `{words}`:\n{log}");
    }
}

#[test]
fn logging_in_needs_the_form_s_token_and_the_right_password() {
    let odoo = Odoo::new();
    let server = Server::start(&odoo, &["-d", &odoo.database, QUIET]);
    let page = server.get("/web/login");
    let (cookie, token) = (page.cookie(), page.csrf_token());
    let without = server.post("/web/login", &[&cookie], "login=admin&password=admin");
    assert!(
        without.status == 400 && without.body.contains("Session expired (invalid CSRF token)"),
        "{without:?}"
    );
    let wrong = server.post("/web/login", &[&cookie], "csrf_token=wrong&login=admin&password=admin");
    assert_eq!(wrong.status, 400);
    let refused =
        server.post("/web/login", &[&cookie], &format!("csrf_token={token}&login=admin&password=no"));
    assert!(refused.status == 200 && refused.body.contains("Wrong login/password"), "{refused:?}");
    let done =
        server.post("/web/login", &[&cookie], &format!("csrf_token={token}&login=admin&password=admin"));
    assert_eq!((done.status, done.header("Location")), (303, Some("/odoo")));
    let log = server.log();
    let who = format!("db:{} login:admin from", odoo.database);
    assert!(
        log.contains(&format!("Login successful for {who}"))
            && log.contains(&format!("Login failed for {who}")),
        "{log}"
    );
    assert!(odoo.sql("SELECT password FROM res_users WHERE id = 2").starts_with("$pbkdf2-sha512$"));
    // The administrator's login moves the server's own address.
    assert!(
        odoo.sql("SELECT value FROM ir_config_parameter WHERE key = 'web.base.url'")
            .starts_with("http://127.0.0.1:")
    );
}

#[test]
fn a_login_page_is_no_proof_of_the_database_that_was_asked_for() {
    let odoo = Odoo::new();
    let server = Server::start(&odoo, &["-d", &odoo.database, QUIET]);
    assert_eq!(server.get("/web/login?db=no_such_database").status, 200);
}

#[test]
fn a_database_without_secret_has_no_login_page_though_it_seems_well() {
    let odoo = Odoo::new();
    odoo.sql("DELETE FROM ir_config_parameter WHERE key = 'database.secret'");
    let server = Server::start(&odoo, &["-d", &odoo.database, QUIET]);
    assert_eq!((server.get("/web/health").status, server.get("/web/login").status), (200, 500));
}

#[test]
fn a_named_database_without_tables_is_an_error_on_every_page() {
    let odoo = Odoo::without_database();
    lab().sql("postgres", &format!("CREATE DATABASE {}", odoo.database));
    let server = Server::start(&odoo, &["-d", &odoo.database, QUIET]);
    assert_eq!((server.get("/web/health").status, server.get("/web/login").status), (500, 500));
    assert!(server.log().contains("KeyError: 'ir.http'"), "{}", server.log());
}

#[test]
fn health_is_well_without_any_database_and_the_login_page_leads_to_the_list() {
    let odoo = Odoo::new();
    let server = Server::start(&odoo, &["--db-filter=^no_such_database$", QUIET]);
    assert_eq!(server.get("/web/health").status, 200);
    let login = server.get("/web/login");
    assert_eq!((login.status, login.header("Location")), (303, Some("/web/database/selector")));
    assert_eq!(server.handshake(false, true).status, 404);
}

#[test]
fn one_database_of_several_is_chosen_by_a_parameter_and_a_redirect() {
    let (odoo, other) = (Odoo::new(), Odoo::new());
    let filter = format!("--db-filter=^({}|{})$", odoo.database, other.database);
    let server = Server::start(&odoo, &[&filter, QUIET]);
    assert_eq!(server.get("/web/login").status, 303);
    let chosen = server.get(&format!("/web/login?db={}", odoo.database));
    assert_eq!(chosen.status, 302);
    assert!(
        chosen.header("Location").unwrap().ends_with(&format!("/web/login?db={}", odoo.database)),
        "{chosen:?}"
    );
    let listed = [odoo.database.as_str(), other.database.as_str()];
    let all = server.call("db", "list", &json!([]));
    let names: Vec<&str> =
        all["result"].as_array().unwrap().iter().map(|one| one.as_str().unwrap()).collect();
    assert!(listed.iter().all(|name| names.contains(name)), "{all}");
}

#[test]
fn the_filter_is_a_prefix_unless_it_ends() {
    let odoo = Odoo::new();
    lab().sql("postgres", &format!("CREATE DATABASE {}_more", odoo.database));
    let open = Server::start(&odoo, &[&format!("--db-filter={}", odoo.database), QUIET]);
    assert_eq!(open.get("/web/login").status, 303);
    drop(open);
    let closed = Server::start(&odoo, &[&format!("--db-filter=^{}$", odoo.database), QUIET]);
    assert_eq!(closed.get("/web/login").status, 200);
}

#[test]
fn a_list_that_is_off_is_refused() {
    let odoo = Odoo::new();
    let server = Server::start(&odoo, &["-d", &odoo.database, "--no-database-list", QUIET]);
    let refused = server.call("db", "list", &json!([]));
    assert_eq!(refused["error"]["data"]["name"], "odoo.exceptions.AccessDenied", "{refused}");
    assert!(!server.get("/web/login").body.contains("/web/database/manager"));
}

#[test]
fn a_database_that_cannot_be_entered_is_a_redirect_in_a_circle() {
    let odoo = Odoo::new();
    let server = Server::start(&odoo, &["-d", &odoo.database, QUIET]);
    let close = format!(
        "ALTER DATABASE {0} ALLOW_CONNECTIONS false; SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{0}'",
        odoo.database
    );
    for statement in close.split(';') {
        lab().sql("postgres", statement);
    }
    eventually(30, "the server notices", || server.get("/web/login").status == 302);
    assert_eq!(server.get("/web/health").status, 200);
    let login = server.get("/web/login");
    assert!(login.header("Location").unwrap().ends_with("/web/login"), "{login:?}");
    assert!(server.log().contains("Database or registry unusable, trying without"), "{}", server.log());
    lab().sql("postgres", &format!("ALTER DATABASE {} ALLOW_CONNECTIONS true", odoo.database));
    eventually(30, "the page is back", || server.get("/web/login").status == 200);
}

#[test]
fn health_asks_the_database_server_only_when_told_to() {
    let odoo = Odoo::without_database();
    let label = format!("ipaictl.lab={}", std::process::id());
    let name = format!("{}-away", lab().network);
    docker(&[
        "run",
        "-d",
        "--name",
        &name,
        "--network",
        &lab().network,
        "--label",
        &label,
        "-e",
        "POSTGRES_USER=odoo",
        "-e",
        "POSTGRES_PASSWORD=pw",
        "-e",
        "POSTGRES_DB=postgres",
        &postgres_image(),
    ]);
    let mut odoo = odoo;
    odoo.configure(&format!(
        "[options]\ndata_dir = /var/lib/odoo\naddons_path = /mnt/extra-addons\ndb_host = {name}\n"
    ));
    let server = Server::start(&odoo, &[QUIET]);
    eventually(60, "the other server is up", || server.get("/web/health?db_server_status=1").status == 200);
    docker(&["stop", &name]);
    assert_eq!(server.get("/web/health").status, 200);
    let asked = server.get("/web/health?db_server_status=1");
    assert_eq!(
        (asked.status, asked.body.as_str()),
        (500, "{\"status\": \"fail\", \"db_server_status\": false}")
    );
    docker(&["rm", "-fv", &name]);
}

#[test]
fn websockets_share_the_port_of_a_server_without_workers() {
    let odoo = Odoo::new();
    let server = Server::start(&odoo, &["-d", &odoo.database, QUIET]);
    let answer = server.handshake(false, true);
    assert_eq!(answer.status, 101, "{answer:?}");
    assert_eq!(answer.header("Sec-WebSocket-Accept"), Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
    assert_eq!(server.get("/websocket").status, 400);
    assert_eq!(server.handshake(false, false).status, 400, "a handshake without origin");
    assert_eq!(server.get("/websocket/health").status, 200);
    assert!(server.get_evented("/websocket/health").is_none());
}

#[test]
fn websockets_of_a_server_with_workers_are_on_their_own_port() {
    let odoo = Odoo::new();
    let server = Server::start(&odoo, &["-d", &odoo.database, "--workers=2", "--max-cron-threads=1"]);
    eventually(60, "the evented port answers", || {
        server.get_evented("/websocket/health").is_some_and(|one| one.status == 200)
    });
    assert_eq!(server.handshake(true, true).status, 101);
    assert_eq!(server.handshake(false, true).status, 500);
    pause(200);
    let log = server.log();
    let says = [
        "RuntimeError: Couldn't bind the websocket. Is the connection opened on the evented port (8072)?",
        "odoo.service.server: Worker WorkerHTTP (",
        "odoo.service.server: Worker WorkerCron (",
        "odoo.service.server: Evented Service (longpolling) running on 0.0.0.0:8072",
        "longpolling: ",
    ];
    for words in says {
        assert!(log.contains(words), "no `{words}`:\n{log}");
    }
    assert_eq!(server.stop(), "0");
    assert!(server.log().contains("odoo.service.server: Stopping gracefully"), "{}", server.log());
}

#[test]
fn a_server_keeps_running_after_its_database_failed_to_load() {
    let odoo = Odoo::new();
    odoo.write("lab_child/__init__.py", "def (\n");
    let server = Server::start(&odoo, &["-d", &odoo.database, QUIET]);
    assert!(server.log().contains("Failed to initialize database"), "{}", server.log());
    assert_eq!((server.get("/web/health").status, server.get("/web/login").status), (500, 500));
    assert_eq!(server.stop(), "0");
}

#[test]
fn a_running_server_loads_again_what_an_update_beside_it_changed() {
    let odoo = Odoo::new();
    let server = Server::start(&odoo, &["-d", &odoo.database, QUIET]);
    assert_eq!(server.get("/web/login").status, 200);
    odoo.run(&[&["-d", &odoo.database, "-u", "lab_child"], ONE_SHOT].concat()).expect(0, &[]);
    assert_eq!(server.get("/web/login").status, 200);
    assert!(
        server.log().contains("Reloading the model registry after database signaling."),
        "{}",
        server.log()
    );
}

#[test]
fn attachments_are_files_named_by_their_sha_1() {
    let odoo = Odoo::new();
    let server = Server::start(&odoo, &["-d", &odoo.database, QUIET]);
    let values = json!([{"name": "a.txt", "datas": "aGVsbG8="}]);
    server.execute(&odoo.database, "ir.attachment", "create", values);
    let sha = "aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d";
    let row = odoo.sql("SELECT store_fname || ' ' || checksum || ' ' || file_size || ' ' || type FROM ir_attachment WHERE name = 'a.txt'");
    assert_eq!(row, format!("aa/{sha} {sha} 5 binary"));
    assert!(odoo.keeps(&format!("filestore/{}/aa/{sha}", odoo.database)));
    assert!(odoo.keeps(&format!("filestore/{}/checklist/aa/{sha}", odoo.database)));
}

#[test]
fn remote_calls_log_in_and_refuse_a_wrong_password() {
    let odoo = Odoo::new();
    let server = Server::start(&odoo, &["-d", &odoo.database, QUIET]);
    let database = odoo.database.as_str();
    assert_eq!(server.call("common", "version", &json!([]))["result"]["server_serie"], "18.0");
    assert_eq!(server.call("common", "authenticate", &json!([database, "admin", "admin", {}]))["result"], 2);
    assert_eq!(server.call("common", "authenticate", &json!([database, "admin", "no", {}]))["result"], false);
    let domain = json!([[["name", "=", "lab_plain"]]]);
    let rows = server.execute(database, "ir.module.module", "search_read", domain);
    assert_eq!((&rows[0]["state"], &rows[0]["latest_version"]), (&json!("installed"), &json!("18.0.1.0.0")));
}
