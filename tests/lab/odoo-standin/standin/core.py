"""The core modules of the stand-in: their tables hold what Odoo's hold, with its column names, and little else."""

import glob
import os
import secrets
import time
import uuid

from . import log, modules
from .options import options

FOLDER = os.path.join(os.path.dirname(__file__), "core")


def create_first_tables(cr):
    """What is there before any module is loaded."""
    _run(cr, "first.sql")


def install(cr, name):
    """Makes or completes the tables and rows of a core module; returns the models it brings (each has its rights)."""
    path = os.path.join(FOLDER, f"{name}.sql")
    if os.path.exists(path):
        _run(cr, f"{name}.sql")
    if name == "base":
        set_parameters(cr)
    return []


def set_parameters(cr, again=False):
    """Gives the database its identity; a copy gets a new one."""
    values = {
        "database.secret": str(uuid.uuid4()),
        "database.uuid": str(uuid.uuid1()),
        "database.create_date": time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime()),
        "web.base.url": f"http://localhost:{options['http_port']}",
        "base.login_cooldown_after": "10",
        "base.login_cooldown_duration": "60",
        "base.default_max_email_size": "10",
    }
    for key, value in values.items():
        action = "UPDATE SET value = excluded.value" if again else "NOTHING"
        cr.execute(f"INSERT INTO ir_config_parameter (key, value) VALUES (%s, %s) ON CONFLICT (key) DO {action}", (key, value))


def trigger_autovacuum(cr):
    """Asks for a clean-up in a minute."""
    cr.execute(
        "INSERT INTO ir_cron_trigger (cron_id, call_at) SELECT res_id, now() AT TIME ZONE 'UTC' + interval '1 minute' FROM ir_model_data"
        " WHERE module = 'base' AND name = 'autovacuum_job'"
    )


def set_password(cr, user, password):
    """Keeps a password's hash."""
    cr.execute("UPDATE res_users SET password = %s WHERE id = %s", (hash_password(password), user))


def hash_password(password):
    """A hash in the form that Odoo keeps."""
    import base64
    import hashlib

    salt = secrets.token_bytes(16)
    encode = lambda raw: base64.b64encode(raw, b"./").decode().rstrip("=")  # noqa: E731
    return f"$pbkdf2-sha512$600000${encode(salt)}${encode(hashlib.pbkdf2_hmac('sha512', password.encode(), salt, 600_000))}"


def is_password(password, stored):
    """Whether a password fits the kept hash or plain text."""
    import base64
    import hashlib

    if not (stored or "").startswith("$pbkdf2-sha512$"):
        return bool(stored) and secrets.compare_digest(stored, password)
    _, _, rounds, salt, digest = stored.split("$")
    decode = lambda text: base64.b64decode(text + "=" * (-len(text) % 4), b"./")  # noqa: E731
    made = hashlib.pbkdf2_hmac("sha512", password.encode(), decode(salt), int(rounds))
    return secrets.compare_digest(made, decode(digest))


def neutralizing_statements(cr):
    """The statements of all installed modules that have some; a missing file or module is passed over in silence."""
    rows = cr.rows("SELECT name FROM ir_module_module WHERE state IN ('installed', 'to upgrade', 'to remove')")
    for (name,) in rows:
        path = modules.path_of(name)
        for file in glob.glob(os.path.join(path, "data", "neutralize.sql")) if path else ():
            with open(file, encoding="utf-8") as text:
                yield text.read().strip()


def neutralize(cr):
    """Makes a copy of a production database harmless, as far as its modules know how."""
    for statement in list(neutralizing_statements(cr)):
        cr.execute(statement)
    log.logger("odoo.modules.neutralize").info("Neutralization finished")


def _run(cr, file):
    with open(os.path.join(FOLDER, file), encoding="utf-8") as text:
        cr.execute(text.read())
