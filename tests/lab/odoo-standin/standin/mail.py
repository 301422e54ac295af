"""Mails: rows of mail_mail go out through the first active server, or through the one of the options."""

import email.message
import email.utils
import smtplib
import socket

from . import log
from .options import options

LOG = log.logger("odoo.addons.mail.models.mail_mail")
SERVER_LOG = log.logger("odoo.addons.base.models.ir_mail_server")
# A server that does not answer within that time does not answer.
TIMEOUT_SECONDS = 60


class DeliveryError(Exception):
    """A server that would not take the mail."""


def create(cr, values):
    """Makes a mail that waits to be sent."""
    sender = values.get("email_from") or '"Administrator" <admin@example.com>'
    message = cr.value(
        "INSERT INTO mail_message (subject, date, body, message_type, email_from, message_id, author_id, create_date)"
        " VALUES (%s, now() AT TIME ZONE 'UTC', %s, 'email_outgoing', %s, %s, 3, now() AT TIME ZONE 'UTC') RETURNING id",
        (values.get("subject"), values.get("body_html"), sender, email.utils.make_msgid("openerp-private", socket.gethostname())),
    )
    return cr.value(
        "INSERT INTO mail_mail (mail_message_id, state, body_html, email_to, email_cc, auto_delete, is_notification, create_date, write_date)"
        " VALUES (%s, %s, %s, %s, %s, %s, false, now() AT TIME ZONE 'UTC', now() AT TIME ZONE 'UTC') RETURNING id",
        (message, values.get("state", "outgoing"), values.get("body_html"), values.get("email_to"), values.get("email_cc"), values.get("auto_delete", False)),
    )


def send_queue(cr):
    """Sends what waits."""
    send(cr, [number for (number,) in cr.rows("SELECT id FROM mail_mail WHERE state = 'outgoing' ORDER BY id")])


def send(cr, numbers):
    """Sends mails; a failure is kept with the mail and raises nothing."""
    rows = cr.rows(
        "SELECT m.id, m.email_to, m.body_html, m.auto_delete, g.subject, g.email_from, g.message_id FROM mail_mail m JOIN mail_message g"
        " ON g.id = m.mail_message_id WHERE m.id = ANY(%s) AND m.state = 'outgoing' ORDER BY m.id",
        (list(numbers),),
    )
    if not rows:
        return
    server = _server(cr)
    try:
        session = _connect(server)
    except OSError as err:
        for number, *_rest in rows:
            _fail(cr, number, None, "\n".join(str(one) for one in err.args))
        return
    for number, to, body, auto_delete, subject, sender, message_id in rows:
        try:
            _send_one(session, server, to, body, subject, sender, message_id)
        except Exception as err:
            LOG.error("failed sending mail (id: %s) due to %s", number, err, exc_info=True)
            _fail(cr, number, "unknown", str(err))
            continue
        _note(number, message_id, sender, to)
        if auto_delete:
            cr.execute("DELETE FROM mail_mail WHERE id = %s", (number,))
        else:
            cr.execute("UPDATE mail_mail SET state = 'sent', failure_type = NULL, failure_reason = NULL WHERE id = %s", (number,))
    LOG.info("Sent batch %s emails via mail server ID #%s", len(rows), server.get("id"))
    session.quit()


def test(cr, number):
    """Tries a server; raises the sentence that a user would read."""
    server = _server(cr, number)
    try:
        _connect(server).quit()
    except OSError as err:
        raise DeliveryError(f"Connection Test Failed! Here is what we got instead:\n {err}") from err


def _server(cr, number=None):
    row = cr.rows(
        "SELECT id, smtp_host, smtp_port, smtp_user, smtp_pass, smtp_encryption FROM ir_mail_server WHERE active AND (%s IS NULL OR id = %s)"
        " ORDER BY sequence, id LIMIT 1",
        (number, number),
    )
    if row:
        return dict(zip(("id", "host", "port", "user", "password", "encryption"), row[0], strict=True))
    encryption = "starttls" if options["smtp_ssl"] else "none"
    user, password = options["smtp_user"], options["smtp_password"]
    return {"id": None, "host": options["smtp_server"], "port": options["smtp_port"], "user": user, "password": password, "encryption": encryption}


def _connect(server):
    kind = smtplib.SMTP_SSL if server["encryption"] == "ssl" else smtplib.SMTP
    session = kind(server["host"], server["port"] or 25, timeout=TIMEOUT_SECONDS)
    if server["encryption"] == "starttls":
        session.starttls()
    if server["user"]:
        session.login(server["user"], server["password"] or "")
    return session


def _send_one(session, server, to, body, subject, sender, message_id):
    message = email.message.EmailMessage()
    message["Subject"], message["From"], message["To"], message["Message-Id"] = subject or "", sender, to, message_id
    message["Date"] = email.utils.formatdate()
    message.set_content(body or "", subtype="html")
    try:
        session.send_message(message)
    except (smtplib.SMTPException, OSError) as err:
        why = f"Mail delivery failed via SMTP server '{server['host']}'.\n{type(err).__name__}: {err}"
        SERVER_LOG.info(why)
        raise DeliveryError(why) from err


def _note(number, message_id, sender, to):
    hidden = repr("*@" + email.utils.parseaddr(to)[1].partition("@")[2])
    form = "Mail (mail.mail) with ID %r and Message-Id %r from %r to (redacted) %r successfully sent"
    LOG.info(form, number, message_id, email.utils.parseaddr(sender)[1], hidden)
    LOG.info("Total emails tried by SMTP: %s", 1)


def _fail(cr, number, kind, why):
    cr.execute("UPDATE mail_mail SET state = 'exception', failure_type = %s, failure_reason = %s WHERE id = %s", (kind, why, number))
