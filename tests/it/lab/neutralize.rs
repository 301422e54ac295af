//! `odoo neutralize`: what it makes harmless, and what it passes over.

use super::odoo::Odoo;

fn with_servers_and_jobs() -> Odoo {
    let odoo = Odoo::new();
    odoo.sql(
        "INSERT INTO ir_mail_server (name, smtp_host, smtp_port, smtp_encryption, smtp_authentication, active) \
         VALUES ('real', 'smtp.example.com', 587, 'starttls', 'login', true)",
    );
    odoo.sql("UPDATE ir_cron SET active = true");
    odoo
}

#[test]
fn mail_servers_and_jobs_are_off_and_the_database_says_so() {
    let odoo = with_servers_and_jobs();
    let ran = odoo.run(&["neutralize", "-d", &odoo.database]);
    let started = format!("odoo.cli.neutralize: Starting {} database neutralization", odoo.database);
    ran.expect(0, &[&started, "odoo.modules.neutralize: Neutralization finished"]);
    let servers =
        odoo.sql("SELECT smtp_host || ' ' || smtp_port || ' ' || active FROM ir_mail_server ORDER BY id");
    assert_eq!(servers, "smtp.example.com 587 false\ninvalid 1025 true");
    let active = odoo.sql("SELECT d.name FROM ir_cron c JOIN ir_model_data d ON d.res_id = c.id AND d.model = 'ir.cron' WHERE c.active");
    assert_eq!(active, "autovacuum_job");
    assert_eq!(
        odoo.sql("SELECT value FROM ir_config_parameter WHERE key = 'database.is_neutralized'"),
        "true"
    );
    assert_eq!(odoo.sql("SELECT active FROM ir_ui_view WHERE key = 'web.neutralize_banner'"), "t");
}

#[test]
fn the_statements_can_be_read_before_they_are_run() {
    let odoo = with_servers_and_jobs();
    let ran = odoo.run(&["neutralize", "-d", &odoo.database, "--stdout"]);
    assert_eq!(ran.code, 0, "{}", ran.log);
    assert!(ran.out.starts_with("BEGIN;\n") && ran.out.trim_end().ends_with("COMMIT;"), "{}", ran.out);
    assert!(ran.out.contains("ir_mail_server") && ran.out.contains("web.neutralize_banner"), "{}", ran.out);
    assert_eq!(odoo.sql("SELECT active FROM ir_mail_server"), "t");
}

#[test]
fn a_database_that_is_not_there_is_not_neutralized() {
    let odoo = Odoo::without_database();
    let ran = odoo.run(&["neutralize", "-d", "no_such_database"]);
    ran.expect(
        1,
        &["CRITICAL", "An error occurred during the neutralization. THE DATABASE IS NOT NEUTRALIZED!"],
    );
    odoo.run(&["neutralize"]).expect(1, &["Neutralize command needs a database name. Use \"-d\" argument"]);
}

#[test]
fn statements_of_a_module_gone_from_disk_are_passed_over_in_silence() {
    let odoo = with_servers_and_jobs();
    let update = "UPDATE lab_thing SET name = 'neutral';\n";
    odoo.write("lab_plain/data/neutralize.sql", update);
    odoo.run(&["neutralize", "-d", &odoo.database]).expect(0, &["Neutralization finished"]);
    assert_eq!(odoo.sql("SELECT name FROM lab_thing"), "neutral");
    odoo.sql("UPDATE lab_thing SET name = 'secret'");
    odoo.remove_modules();
    odoo.run(&["neutralize", "-d", &odoo.database]).expect(0, &["Neutralization finished"]);
    assert_eq!(odoo.sql("SELECT name FROM lab_thing"), "secret");
}

#[test]
fn a_statement_that_fails_takes_everything_back() {
    let odoo = with_servers_and_jobs();
    odoo.write("lab_plain/data/neutralize.sql", "UPDATE no_such_table SET x = 1;\n");
    odoo.run(&["neutralize", "-d", &odoo.database]).expect(1, &["THE DATABASE IS NOT NEUTRALIZED!"]);
    assert_eq!(odoo.sql("SELECT active FROM ir_mail_server"), "t");
}
