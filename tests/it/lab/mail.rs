//! Mail: through the row of `ir_mail_server`, over SMTP, and where it goes after neutralizing.

use std::process::Command;

use serde_json::{Value, json};

use super::odoo::{Odoo, image, lab};
use super::server::Server;
use crate::world::{docker, eventually};

/// A server that prints every mail it gets; removed with the lab.
fn catcher(name: &str) -> String {
    let name = format!("{}-{name}", lab().network);
    let label = format!("ipaictl.lab={}", std::process::id());
    docker(&[
        "run",
        "-d",
        "--name",
        &name,
        "--network",
        &lab().network,
        "--label",
        &label,
        "--entrypoint",
        "python3",
        &image(),
        "-u",
        "-W",
        "ignore",
        "-m",
        "smtpd",
        "-n",
        "-d",
        "-c",
        "DebuggingServer",
        "0.0.0.0:1025",
    ]);
    name
}

fn send(server: &Server, odoo: &Odoo, subject: &str) -> Value {
    let values = json!([{
        "subject": subject, "body_html": "<p>Hi</p>", "email_to": "a@example.com", "email_from": "from@example.com",
        "auto_delete": false,
    }]);
    let id = server.execute(&odoo.database, "mail.mail", "create", values);
    server.execute(&odoo.database, "mail.mail", "send", json!([[id]]));
    let fields = json!([[["id", "=", id]], ["state", "failure_reason", "subject"]]);
    server.execute(&odoo.database, "mail.mail", "search_read", fields)[0].clone()
}

#[test]
fn a_mail_goes_out_through_the_row_and_is_lost_after_neutralizing_until_the_row_names_a_catcher() {
    let odoo = Odoo::new();
    odoo.once(&["-i", "mail"]).expect(0, &["Loading module mail (", "Modules loaded."]);
    for module in ["mail", "sms", "auth_signup", "partner_autocomplete"] {
        assert!(odoo.state(module).starts_with("installed "), "{module}");
    }
    let catcher = catcher("mail");
    odoo.sql(&format!(
        "INSERT INTO ir_mail_server (name, smtp_host, smtp_port, smtp_encryption, smtp_authentication, active, sequence) \
         VALUES ('lab', '{catcher}', 1025, 'none', 'login', true, 10)"
    ));
    let server = Server::start(&odoo, &["-d", &odoo.database, "--max-cron-threads=0"]);
    assert_eq!(send(&server, &odoo, "Through the row")["state"], "sent");
    let caught = || {
        String::from_utf8_lossy(&Command::new("docker").args(["logs", &catcher]).output().unwrap().stdout)
            .into_owned()
    };
    eventually(20, "the mail is caught", || caught().contains("Subject: Through the row"));
    assert!(caught().contains("To: a@example.com"), "{}", caught());
    assert!(
        server.log().contains("from 'from@example.com' to (redacted) \"'*@example.com'\" successfully sent"),
        "{}",
        server.log()
    );

    odoo.run(&["neutralize", "-d", &odoo.database]).expect(0, &[]);
    let lost = send(&server, &odoo, "Lost");
    assert_eq!(lost["state"], "exception", "{lost}");
    odoo.sql(&format!("UPDATE ir_mail_server SET smtp_host = '{catcher}' WHERE active"));
    assert_eq!(odoo.sql("SELECT count(*) FROM ir_mail_server WHERE active"), "1");
    assert_eq!(send(&server, &odoo, "Caught again")["state"], "sent");
    assert!(!caught().contains("Subject: Lost"), "{}", caught());
}
