"""Jobs: a due one is only noted as done, except the queue of mails, which is sent."""

import threading
import time

import psycopg2

from . import database, log, loading, mail
from .options import options

LOG = log.logger("odoo.addons.base.models.ir_cron")
# Jobs fall due by the minute; asking more often would only make noise.
SLEEP_SECONDS = 60


def run(number):
    """Looks at all databases in turn, for ever."""
    threading.current_thread().__dict__.pop("dbname", None)
    time.sleep(min(number, 5))
    while True:
        for name in options["db_name"].split(",") if options["db_name"] else database.listed():
            try:
                _run_due(name)
            except psycopg2.Error:
                LOG.warning("Exception in cron:", exc_info=True)
        time.sleep(SLEEP_SECONDS)


def _run_due(name):
    with database.Cursor(name) as cr:
        if not database.has_table(cr, "ir_cron") or not loading.has_sequence(cr):
            return
        if cr.value("SELECT 1 FROM ir_module_module WHERE state LIKE 'to %%'"):
            LOG.warning("Skipping database %s because of modules to install/upgrade/remove.", name)
            return
        due = cr.rows("SELECT id, cron_name FROM ir_cron WHERE active AND nextcall <= now() AT TIME ZONE 'UTC' ORDER BY priority, id FOR UPDATE SKIP LOCKED")
        for number, title in due:
            if title == "Mail: Email Queue Manager":
                mail.send_queue(cr)
            cr.execute(
                "UPDATE ir_cron SET lastcall = now() AT TIME ZONE 'UTC', nextcall = now() AT TIME ZONE 'UTC' + interval_number * ('1 ' || interval_type)::interval"
                " WHERE id = %s",
                (number,),
            )
