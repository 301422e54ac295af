//! Databases: made by a typing error, empty, complete, copied.

use super::odoo::{ONE_SHOT, Odoo, lab};

#[test]
fn a_name_that_does_not_exist_makes_a_new_database() {
    let odoo = Odoo::without_database();
    let ran = odoo.once(&[]);
    ran.expect(0, &["odoo.modules.loading: init db", "Modules loaded."]);
    assert!(lab().has(&odoo.database));
    assert_eq!(odoo.state("base").split(' ').next(), Some("installed"));
    assert_eq!(odoo.state("lab_plain"), "uninstalled -");
    let collation = format!(
        "SELECT datcollate || ' ' || pg_encoding_to_char(encoding) FROM pg_database WHERE datname = '{}'",
        odoo.database
    );
    assert_eq!(odoo.sql(&collation), "C UTF8");
    assert_eq!(odoo.sql("SELECT extname FROM pg_extension WHERE extname = 'pg_trgm'"), "pg_trgm");
}

#[test]
fn a_new_database_has_its_own_identity() {
    let odoo = Odoo::new();
    let keys = odoo.sql(
        "SELECT string_agg(key, ' ' ORDER BY key) FROM ir_config_parameter \
         WHERE key LIKE 'database.%' OR key = 'web.base.url'",
    );
    assert_eq!(keys, "database.create_date database.secret database.uuid web.base.url");
    let url = odoo.sql("SELECT value FROM ir_config_parameter WHERE key = 'web.base.url'");
    assert_eq!(url, "http://localhost:8069");
    assert_eq!(odoo.sql("SELECT length(value) FROM ir_config_parameter WHERE key = 'database.secret'"), "36");
}

#[test]
fn a_new_database_has_odoo_s_users_and_jobs() {
    let odoo = Odoo::new();
    let users = odoo.sql("SELECT id || ' ' || login || ' ' || active FROM res_users ORDER BY id");
    assert_eq!(
        users,
        "1 __system__ false\n2 admin true\n3 default false\n4 public false\n5 portaltemplate false"
    );
    let job = "SELECT c.active FROM ir_cron c JOIN ir_model_data d ON d.res_id = c.id \
               WHERE d.module = 'base' AND d.name = 'autovacuum_job' AND d.model = 'ir.cron'";
    assert_eq!(odoo.sql(job), "t");
    assert_eq!(odoo.sql("SELECT count(*) FROM ir_mail_server"), "0");
}

#[test]
fn the_columns_that_a_controller_reads_are_there() {
    let odoo = Odoo::new();
    let wanted = [
        ("ir_module_module", "name state latest_version demo auto_install application shortdesc license"),
        ("ir_module_module_dependency", "name module_id auto_install_required"),
        ("ir_config_parameter", "key value"),
        ("res_users", "login password active partner_id company_id"),
        ("ir_attachment", "name type store_fname checksum file_size mimetype res_model res_id db_datas"),
        (
            "ir_mail_server",
            "name smtp_host smtp_port smtp_user smtp_pass smtp_encryption smtp_authentication active sequence",
        ),
        (
            "ir_cron",
            "cron_name active interval_number interval_type nextcall lastcall failure_count first_failure_date",
        ),
        ("ir_model_data", "module name model res_id noupdate"),
        ("res_users_apikeys", "name user_id scope index key expiration_date"),
        ("res_partner", "name email phone street city active"),
    ];
    for (table, columns) in wanted {
        let have = odoo
            .sql(&format!("SELECT column_name FROM information_schema.columns WHERE table_name = '{table}'"));
        for column in columns.split(' ') {
            assert!(have.lines().any(|other| other == column), "{table} has no {column}");
        }
    }
}

#[test]
fn a_database_without_tables_is_an_error_line_and_exit_code_0() {
    let odoo = Odoo::without_database();
    lab().sql("postgres", &format!("CREATE DATABASE {}", odoo.database));
    let said = format!("Database {} not initialized, you can force it with `-i base`", odoo.database);
    odoo.once(&[]).expect(0, &["ERROR", &said]);
    assert_eq!(odoo.sql("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"), "0");
}

#[test]
fn options_before_the_sub_command_copy_rename_and_drop_with_the_filestore() {
    let odoo = Odoo::new();
    odoo.sql("INSERT INTO ir_config_parameter (key, value) VALUES ('lab.mark', 'kept')");
    let host = lab().server.clone();
    let db = |words: &[&str]| {
        let before = [
            "db",
            "--db_host",
            &host,
            "--db_user",
            "odoo",
            "--db_password",
            "pw",
            "--data-dir",
            "/var/lib/odoo",
        ];
        odoo.run_with(&["--entrypoint", "odoo"], &[&before, words].concat())
    };
    let (copy, other) = (format!("{}_copy", odoo.database), format!("{}_other", odoo.database));
    db(&["duplicate", "-n", &odoo.database, &copy])
        .expect(0, &["Duplicate database", "Neutralization finished"]);
    let value = |database: &str, key: &str| {
        lab().sql(database, &format!("SELECT value FROM ir_config_parameter WHERE key = '{key}'"))
    };
    assert_eq!(value(&copy, "lab.mark"), "kept");
    assert_eq!(value(&copy, "database.is_neutralized"), "true");
    assert_ne!(value(&copy, "database.uuid"), value(&odoo.database, "database.uuid"));
    assert_ne!(value(&copy, "database.secret"), value(&odoo.database, "database.secret"));
    db(&["rename", &copy, &other]).expect(0, &["RENAME DB:"]);
    db(&["duplicate", &odoo.database, &other]).expect(1, &["exists, aborting."]);
    db(&["drop", &other]).expect(0, &["DROP DB:"]);
    db(&["drop", &other]).expect(1, &["does not exist."]);
    assert!(!lab().has(&copy) && !lab().has(&other) && lab().has(&odoo.database));
}

#[test]
fn a_dump_is_a_zip_that_can_be_loaded_under_another_name() {
    let odoo = Odoo::new();
    odoo.sql("INSERT INTO ir_config_parameter (key, value) VALUES ('lab.mark', 'kept')");
    let target = format!("{}_loaded", odoo.database);
    let common = format!(
        "odoo db --db_host {} --db_user odoo --db_password pw --data-dir /var/lib/odoo",
        lab().server
    );
    let script = format!(
        "{common} dump {} /tmp/d.zip && python3 -m zipfile -l /tmp/d.zip && {common} load {target} /tmp/d.zip",
        odoo.database
    );
    let ran = odoo.run_with(&[], &["sh", "-c", &script]);
    ran.expect(0, &["DUMP DB:", "manifest.json", "dump.sql", "RESTORE DB:"]);
    assert_eq!(lab().sql(&target, "SELECT value FROM ir_config_parameter WHERE key = 'lab.mark'"), "kept");
}

#[test]
fn two_odoos_share_one_server_and_see_only_their_own() {
    let (one, two) = (Odoo::new(), Odoo::new());
    one.sql("UPDATE lab_thing SET name = 'changed'");
    let ran = two.run(&[&["-d", &two.database, "-u", "lab_child"], ONE_SHOT].concat());
    ran.expect(0, &["Modules loaded."]);
    assert_eq!(one.sql("SELECT name FROM lab_thing"), "changed");
    assert_eq!(two.sql("SELECT name FROM lab_thing"), "one");
}
