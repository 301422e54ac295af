"""The command `odoo`: a server by default, or a sub-command."""

import getpass
import os
import sys

import odoo.addons
import psycopg2

from . import SERIES, database, log, modules, options as settings
from .options import options

LOG = log.logger("odoo")
REFUSED = ("cloc", "deploy", "genproxytoken", "obfuscate", "populate", "scaffold", "shell", "start", "tsconfig", "upgrade_code")


def main():
    """Runs what the arguments say; ends the process."""
    args = sys.argv[1:]
    if len(args) > 1 and args[0].startswith("--addons-path=") and not args[1].startswith("-"):
        args = args[1:]
    if not args or args[0].startswith("-"):
        return serve(args)
    command, rest = args[0], args[1:]
    if command in ("server", "gevent"):
        return serve(rest)
    if command == "neutralize":
        return neutralize(rest)
    if command == "db":
        from . import dbcommand

        return dbcommand.run(rest)
    if command in REFUSED:
        sys.exit(f"the stand-in for Odoo does not imitate `odoo {command}`")
    sys.exit(f"Unknown command {command!r}")


def set_up(args, prog, more=None):
    """Reads the settings and starts the log."""
    given = settings.parse(args, prog, more)
    log.set_up()
    modules.search_paths()
    return given


def report():
    """Says what this process works with."""
    LOG.info("Odoo version %s", SERIES)
    if os.path.isfile(options.rcfile):
        LOG.info("Using configuration file at %s", options.rcfile)
    LOG.info("addons paths: %s", list(odoo.addons.__path__))
    host, port, user = (options[key] or "default" for key in ("db_host", "db_port", "db_user"))
    LOG.info("database: %s@%s:%s", user, host, port)


def serve(args):
    """Loads the named databases and serves them, or stops after that."""
    if getpass.getuser() == "root":
        sys.stderr.write("Running as user 'root' is a security risk.\n")
    set_up(args, "odoo server")
    if options["db_user"] == "postgres":
        sys.stderr.write("Using the database user 'postgres' is a security risk, aborting.")
        sys.exit(1)
    report()
    names = options["db_name"].split(",") if options["db_name"] else []
    for name in names:
        try:
            database.create_empty(name)
            options["init"]["base"] = True
        except database.Exists:
            pass
        except psycopg2.errors.InsufficientPrivilege as err:
            LOG.info("Could not determine if database %s exists, skipping auto-creation: %s", name, err)
    reports = log.logger("odoo.addons.base.models.ir_actions_report")
    reports.info("You need Wkhtmltopdf to print a pdf version of the reports.")
    reports.info("You need Wkhtmltoimage to generate images from html.")
    from . import server

    sys.exit(server.run(names))


def neutralize(args):
    """Makes the named database harmless, or prints how."""
    more = lambda parser: parser.add_option("--stdout", action="store_true", dest="to_stdout")  # noqa: E731
    given = set_up(args, "odoo neutralize", more)
    from . import core

    logger = log.logger("odoo.cli.neutralize")
    name = options["db_name"]
    if not name:
        logger.error('Neutralize command needs a database name. Use "-d" argument')
        sys.exit(1)
    if not given.to_stdout:
        logger.info("Starting %s database neutralization", name)
    try:
        with database.Cursor(name) as cr:
            if given.to_stdout:
                statements = [statement.rstrip(";") + ";" for statement in core.neutralizing_statements(cr)]
                print("\n".join(["BEGIN;", *statements, "COMMIT;"]))
            else:
                core.neutralize(cr)
    except Exception:
        logger.critical("An error occurred during the neutralization. THE DATABASE IS NOT NEUTRALIZED!")
        sys.exit(1)
