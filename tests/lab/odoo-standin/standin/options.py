"""What the command line and the configuration file say, with Odoo's rules of precedence.

A file is read raw: no ${} expansion, one section `[options]`, unknown keys are kept. The command line wins.
"""

import configparser
import optparse
import os

from . import SERIES

LOG_LEVELS = ("info", "debug_rpc", "warn", "test", "critical", "runbot", "debug_sql", "error", "debug", "debug_rpc_answer", "notset")
SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
# Spelling of earlier series in the file.
RENAMED = {"xmlrpc_port": "http_port", "xmlrpc_interface": "http_interface", "xmlrpc": "http_enable"}

# flags, destination, kind (text | number | fraction | yes | no), default
TABLE = (
    ("-c --config", "config", "text", None),
    ("-i --init", "init", "text", None),
    ("-u --update", "update", "text", None),
    ("--without-demo", "without_demo", "text", False),
    ("--pidfile", "pidfile", "text", None),
    ("--addons-path", "addons_path", "addons", None),
    ("--upgrade-path", "upgrade_path", "text", None),
    ("--load", "server_wide_modules", "text", "base,web"),
    ("-D --data-dir", "data_dir", "text", os.path.expanduser("~/.local/share/Odoo")),
    ("--http-interface --xmlrpc-interface", "http_interface", "text", ""),
    ("-p --http-port --xmlrpc-port", "http_port", "number", 8069),
    ("--gevent-port", "gevent_port", "number", 8072),
    ("--no-http --no-xmlrpc", "http_enable", "no", True),
    ("--proxy-mode", "proxy_mode", "yes", False),
    ("--x-sendfile", "x_sendfile", "yes", False),
    ("--db-filter", "dbfilter", "text", ""),
    ("--test-file", "test_file", "text", False),
    ("--test-enable", "test_enable", "yes", False),
    ("--test-tags", "test_tags", "text", None),
    ("--screencasts", "screencasts", "text", None),
    ("--screenshots", "screenshots", "text", "/tmp/odoo_tests"),
    ("--logfile", "logfile", "text", None),
    ("--syslog", "syslog", "yes", False),
    ("--log-db", "log_db", "text", False),
    ("--log-db-level", "log_db_level", "text", "warning"),
    ("--log-level", "log_level", "level", "info"),
    ("--email-from", "email_from", "text", False),
    ("--from-filter", "from_filter", "text", False),
    ("--smtp", "smtp_server", "text", "localhost"),
    ("--smtp-port", "smtp_port", "number", 25),
    ("--smtp-ssl", "smtp_ssl", "yes", False),
    ("--smtp-user", "smtp_user", "text", False),
    ("--smtp-password", "smtp_password", "text", False),
    ("-d --database", "db_name", "text", False),
    ("-r --db_user", "db_user", "text", False),
    ("-w --db_password", "db_password", "text", False),
    ("--pg_path", "pg_path", "text", None),
    ("--db_host", "db_host", "text", False),
    ("--db_port", "db_port", "number", False),
    ("--db_replica_host", "db_replica_host", "text", False),
    ("--db_replica_port", "db_replica_port", "number", False),
    ("--db_sslmode", "db_sslmode", "sslmode", "prefer"),
    ("--db_maxconn", "db_maxconn", "number", 64),
    ("--db_maxconn_gevent", "db_maxconn_gevent", "number", False),
    ("--db-template", "db_template", "text", "template0"),
    ("--no-database-list", "list_db", "no", True),
    ("--dev", "dev_mode", "text", None),
    ("--stop-after-init", "stop_after_init", "yes", False),
    ("--transient-age-limit", "transient_age_limit", "fraction", 1.0),
    ("--max-cron-threads", "max_cron_threads", "number", 2),
    ("--limit-time-worker-cron", "limit_time_worker_cron", "number", 0),
    ("--unaccent", "unaccent", "yes", False),
    ("--workers", "workers", "number", 0),
    ("--limit-memory-soft", "limit_memory_soft", "number", 2048 * 1024 * 1024),
    ("--limit-memory-hard", "limit_memory_hard", "number", 2560 * 1024 * 1024),
    ("--limit-time-cpu", "limit_time_cpu", "number", 60),
    ("--limit-time-real", "limit_time_real", "number", 120),
    ("--limit-time-real-cron", "limit_time_real_cron", "number", -1),
    ("--limit-request", "limit_request", "number", 65536),
)
NOT_IMITATED = ("--load-language", "--language", "--i18n-export", "--i18n-import", "--i18n-overwrite", "--shell-interface")
TYPES = {"number": "int", "fraction": "float"}


class Options(dict):
    """All settings of this process; `rcfile` is the file they came from."""

    rcfile = ""


options = Options({"admin_passwd": "admin", **{row[1]: row[3] for row in TABLE}})


def make_parser(prog):
    """A parser that leaves what was not given at None."""
    parser = optparse.OptionParser(prog=prog, version=f"Odoo Server {SERIES}")
    for flags, dest, kind, _default in TABLE:
        more = {"dest": dest}
        if kind in ("yes", "no"):
            more.update(action="store_true" if kind == "yes" else "store_false", default=None)
        elif kind == "addons":
            more.update(action="callback", callback=_addons_path, nargs=1, type="string")
        elif kind in ("level", "sslmode"):
            more.update(type="choice", choices=LOG_LEVELS if kind == "level" else SSL_MODES)
        else:
            more.update(type=TYPES.get(kind, "string"))
        parser.add_option(*flags.split(), **more)
    parser.add_option("--log-handler", action="append", dest="log_handler")
    for flag in NOT_IMITATED:
        parser.add_option(flag, action="callback", callback=_not_imitated, type="string")
    return parser


def parse(args, prog="odoo", more=None):
    """Reads the file and the arguments into `options`; ends the process as Odoo does when they are wrong."""
    parser = make_parser(prog)
    if more:
        more(parser)
    given, rest = parser.parse_args(args)
    if rest:
        parser.error("unrecognized parameters: '%s'" % " ".join(rest))
    if given.config and not os.access(given.config, os.R_OK):
        parser.error(
            f"The config file '{given.config}' selected with -c/--config doesn't exist or is not readable, "
            "use -s/--save if you want to generate it"
        )
    options.rcfile = os.path.abspath(given.config or os.environ.get("ODOO_RC") or os.path.expanduser("~/.odoorc"))
    _read_file(parser)
    for _flags, dest, *_ in TABLE:
        value = getattr(given, dest)
        if value is not None:
            options[dest] = value
    options["log_handler"] = given.log_handler or []
    if "," in (options["db_name"] or "") and (given.init or given.update):
        parser.error("Cannot use -i/--init or -u/--update with multiple databases in the -d/--database/db_name")
    for dest in ("init", "update"):
        options[dest] = dict.fromkeys((getattr(given, dest) or "").split(","), True) if getattr(given, dest) else {}
    options["demo"] = {} if options["without_demo"] else dict(options["init"])
    options["test_enable"] = bool(options["test_enable"] or options["test_tags"])
    return given


def filestore(database):
    """Where the attachments of a database are."""
    return os.path.join(options["data_dir"], "filestore", database)


def _read_file(parser):
    raw = configparser.RawConfigParser()
    raw.read([options.rcfile])
    if not raw.has_section("options"):
        return
    kinds = {row[1]: row[2] for row in TABLE}
    for key, value in raw.items("options"):
        key = RENAMED.get(key, key)
        value = {"True": True, "true": True, "False": False, "false": False}.get(value, value)
        wanted = TYPES.get(kinds.get(key))
        if wanted and isinstance(value, str):
            value = optparse.Option.TYPE_CHECKER[wanted](optparse.Option("--x", dest=key, type=wanted), key, value)
        if key in ("logfile", "pidfile") and value == "None":
            value = None
        options[key] = value


def _not_imitated(option, opt, _value, _parser):
    raise optparse.OptionValueError(f"option {opt}: the stand-in does not imitate this")


def _addons_path(_option, opt, value, parser):
    paths = []
    for path in value.split(","):
        full = os.path.abspath(os.path.expanduser(path.strip()))
        if not os.path.isdir(full):
            raise optparse.OptionValueError(f"option {opt}: no such directory: {full!r}")
        if not any(_is_module(os.path.join(full, name)) for name in os.listdir(full)):
            raise optparse.OptionValueError(f"option {opt}: the path {path.strip()!r} is not a valid addons directory")
        paths.append(full)
    parser.values.addons_path = ",".join(paths)


def _is_module(path):
    has = lambda name: os.path.isfile(os.path.join(path, name))  # noqa: E731
    return has("__init__.py") and (has("__manifest__.py") or has("__openerp__.py"))
