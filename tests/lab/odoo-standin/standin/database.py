"""Databases and filestores: connections, creation as Odoo creates, the list that a request may choose from."""

import re
import time

import psycopg2
import psycopg2.extensions

from . import log
from .options import options

SQL_LOG = log.logger("odoo.sql_db")
LOG = log.logger("odoo.service.db")
POOL = "ConnectionPool(read/write;used=0/count=0/max=%d)"
_opened = []


class Cursor:
    """One transaction on one database; counts its queries."""

    def __init__(self, name):
        self.connection = connect(name)
        self.raw = self.connection.cursor()
        self.queries = 0

    def execute(self, query, params=None):
        """Runs one statement; its rows are read with the fetch methods."""
        started = time.time()
        self.queries += 1
        try:
            self.raw.execute(query, params)
        except psycopg2.Error as err:
            SQL_LOG.error("bad query: %s\nERROR: %s", query, err)
            raise
        finally:
            log.count_query(time.time() - started)

    def rows(self, query, params=None):
        """All rows of a query."""
        self.execute(query, params)
        return self.raw.fetchall()

    def value(self, query, params=None):
        """The first column of the first row, or None."""
        self.execute(query, params)
        row = self.raw.fetchone()
        return row[0] if row else None

    def fetchone(self):
        """The next row."""
        return self.raw.fetchone()

    def fetchall(self):
        """The remaining rows."""
        return self.raw.fetchall()

    @property
    def rowcount(self):
        """How many rows the last statement touched."""
        return self.raw.rowcount

    def commit(self):
        """Ends the transaction and begins the next."""
        self.connection.commit()

    def rollback(self):
        """Forgets the transaction."""
        self.connection.rollback()

    def __enter__(self):
        return self

    def __exit__(self, kind, _err, _trace):
        try:
            self.rollback() if kind else self.commit()
        finally:
            self.connection.close()


def connect(name):
    """A connection, counted so that the end of the process can tell how many there were."""
    given = {"dbname": name, "host": options["db_host"], "port": options["db_port"], "user": options["db_user"], "password": options["db_password"]}
    given = {key: value for key, value in given.items() if value}
    try:
        connection = psycopg2.connect(sslmode=options["db_sslmode"], application_name="odoo-standin", **given)
    except psycopg2.Error:
        SQL_LOG.info("Connection to the database failed")
        raise
    _opened.append(name)
    return connection


def close_all():
    """Says how many databases were spoken to, as the pool does when it closes."""
    if _opened:
        SQL_LOG.info("%s: Closed %d connections %s", POOL % options["db_maxconn"], len(set(_opened) - {"postgres"}) or 1, "")
        _opened.clear()


def has_table(cr, table):
    """Whether the database has that table."""
    return bool(cr.value("SELECT 1 FROM pg_class WHERE relname = %s AND relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace", (table,)))


class Exists(Exception):
    """The database is there already."""


def create_empty(name):
    """Creates a database and its extension; raises Exists when there is one of that name."""
    template = options["db_template"]
    connection = connect("postgres")
    connection.autocommit = True
    try:
        cursor = connection.cursor()
        cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,))
        if cursor.fetchone():
            raise Exists(f"database {name!r} already exists!")
        collate = "LC_COLLATE 'C'" if template == "template0" else ""
        cursor.execute(f"CREATE DATABASE {quote(name, cursor)} ENCODING 'unicode' {collate} TEMPLATE {quote(template, cursor)}")
    finally:
        connection.close()
    try:
        with Cursor(name) as cr:
            cr.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
            if options["unaccent"]:
                cr.execute("CREATE EXTENSION IF NOT EXISTS unaccent")
    except psycopg2.Error as err:
        LOG.warning("Unable to create PostgreSQL extensions : %s", err)
    try:
        with Cursor(name) as cr:
            cr.execute("GRANT CREATE ON SCHEMA PUBLIC TO PUBLIC")
    except psycopg2.Error as err:
        LOG.warning("Unable to make public schema public-accessible: %s", err)


def quote(name, cursor):
    """A name as an SQL identifier."""
    return psycopg2.extensions.quote_ident(name, cursor)


def exists(name):
    """Whether the database lets us in."""
    try:
        connect(name).close()
    except psycopg2.Error:
        return False
    return True


def listed():
    """The databases of the server that this role owns, or those that the options name."""
    if options["db_name"] and not options["dbfilter"]:
        return sorted(name.strip() for name in options["db_name"].split(","))
    connection = connect("postgres")
    try:
        cursor = connection.cursor()
        cursor.execute(
            "SELECT datname FROM pg_database WHERE datdba = (SELECT usesysid FROM pg_user WHERE usename = current_user)"
            " AND NOT datistemplate AND datallowconn AND datname NOT IN ('postgres', %s) ORDER BY datname",
            (options["db_template"],),
        )
        return [name for (name,) in cursor.fetchall()]
    finally:
        connection.close()


def choosable(host):
    """The databases that a request to that host may choose from; none while the server is away."""
    try:
        names = listed()
    except psycopg2.OperationalError:
        return []
    return allowed(names, host)


def allowed(names, host):
    """Those names that the filter, or else the named databases, let through."""
    if options["dbfilter"]:
        host = host.partition(":")[0]
        host = host[4:] if host.startswith("www.") else host
        pattern = options["dbfilter"].replace("%h", re.escape(host)).replace("%d", re.escape(host.partition(".")[0]))
        return [name for name in names if re.match(pattern, name)]
    if options["db_name"]:
        exposed = {name.strip() for name in options["db_name"].split(",")}
        return sorted(exposed.intersection(names))
    return list(names)
