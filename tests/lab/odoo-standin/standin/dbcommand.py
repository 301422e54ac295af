"""`odoo db`: dumps as zip with the filestore, loading, copying, renaming and dropping."""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile

from . import SERIES, cli, core, database, loading, log
from .options import filestore, options

LOG = log.logger("odoo.service.db")
OPTIONS = ("db_user", "db_password", "pg_path", "db_host", "db_port", "db_sslmode")


def run(args):
    """Runs one of the actions; options stand before its name."""
    parser = argparse.ArgumentParser(prog="odoo db", description="Create, drop, dump, load databases")
    parser.add_argument("-c", "--config")
    parser.add_argument("-D", "--data-dir")
    parser.add_argument("--addons-path")
    parser.add_argument("-r", "--db_user")
    parser.add_argument("-w", "--db_password")
    for name in OPTIONS[2:]:
        parser.add_argument(f"--{name}")
    parser.set_defaults(action=None)
    actions = parser.add_subparsers()
    _action(actions, "load", load, ["database?", "dump_file"], force=True, neutralize=True)
    _action(actions, "dump", dump, ["database", "dump_path?"])
    _action(actions, "duplicate", duplicate, ["source", "target"], force=True, neutralize=True)
    _action(actions, "rename", rename, ["source", "target"], force=True)
    _action(actions, "drop", drop, ["database"])
    given = parser.parse_args(args)
    settings = [("--config", given.config), ("--data-dir", given.data_dir), ("--addons-path", given.addons_path)]
    settings += [(f"--{name}", getattr(given, name)) for name in OPTIONS]
    cli.set_up([word for flag, value in settings if value is not None for word in (flag, value)], "odoo db")
    options["list_db"] = True
    cli.report()
    if not given.action:
        sys.exit(parser.format_help())
    given.action(given)


def dump(given):
    """Writes a zip of the database and its filestore; the filestore is copied first, as Odoo does."""
    LOG.info("DUMP DB: %s format %s", given.database, "zip")
    with tempfile.TemporaryDirectory() as folder:
        kept = filestore(given.database)
        if os.path.exists(kept):
            shutil.copytree(kept, os.path.join(folder, "filestore"))
        with database.Cursor(given.database) as cr:
            version = cr.connection.server_version
            rows = cr.rows("SELECT name, latest_version FROM ir_module_module WHERE state = 'installed'")
        manifest = {"odoo_dump": "1", "db_name": given.database, "version": SERIES, "version_info": [18, 0, 0, "final", 0, ""], "major_version": SERIES}
        manifest.update(pg_version=f"{version // 10000}.{version % 10000}", modules=dict(rows))
        with open(os.path.join(folder, "manifest.json"), "w", encoding="utf-8") as file:
            json.dump(manifest, file, indent=4)
        _program("pg_dump", "--no-owner", f"--file={folder}/dump.sql", given.database, check=True)
        target = sys.stdout.buffer if given.dump_path in (None, "-") else given.dump_path
        with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
            for path, _folders, files in os.walk(folder):
                for name in sorted(files, key=lambda name: name != "dump.sql"):
                    full = os.path.join(path, name)
                    archive.write(full, os.path.relpath(full, folder))


def load(given):
    """Makes a database from a zip; statements that fail are passed over, as Odoo does."""
    name = given.database or os.path.splitext(os.path.basename(given.dump_file))[0]
    _refuse_existing(name, given.force)
    print(f"Restoring {given.dump_file}...", file=sys.stderr)
    if not zipfile.is_zipfile(given.dump_file):
        sys.exit("Not a zipped dump file, use `pg_restore` to restore raw dumps, and `psql` to execute sql dumps or scripts.")
    LOG.info("RESTORING DB: %s", name)
    database.create_empty(name)
    with tempfile.TemporaryDirectory() as folder:
        with zipfile.ZipFile(given.dump_file) as archive:
            wanted = [member for member in archive.namelist() if member == "dump.sql" or member.startswith("filestore/")]
            archive.extractall(folder, wanted)
        if _program("psql", "-q", "-f", f"{folder}/dump.sql", f"--dbname={name}").returncode:
            raise RuntimeError("Couldn't restore database")
        _as_copy(name, given.neutralize)
        if os.path.exists(f"{folder}/filestore"):
            os.makedirs(os.path.dirname(filestore(name)), exist_ok=True)
            shutil.move(f"{folder}/filestore", filestore(name))
    LOG.info("RESTORE DB: %s", name)


def duplicate(given):
    """Copies a database and its filestore; whoever uses the source is thrown out."""
    _refuse_existing(given.target, given.force)
    LOG.info("Duplicate database `%s` to `%s`.", given.source, given.target)
    _alone(given.source, "CREATE DATABASE {1} ENCODING 'unicode' TEMPLATE {0}", given.source, given.target)
    _as_copy(given.target, given.neutralize)
    if os.path.exists(filestore(given.source)) and not os.path.exists(filestore(given.target)):
        shutil.copytree(filestore(given.source), filestore(given.target))


def rename(given):
    """Renames a database and its filestore."""
    _refuse_existing(given.target, given.force)
    _alone(given.source, "ALTER DATABASE {0} RENAME TO {1}", given.source, given.target)
    LOG.info("RENAME DB: %s -> %s", given.source, given.target)
    if os.path.exists(filestore(given.source)) and not os.path.exists(filestore(given.target)):
        shutil.move(filestore(given.source), filestore(given.target))


def drop(given):
    """Removes a database and its filestore."""
    if not _drop(given.database):
        sys.exit(f"Database {given.database} does not exist.")


def _drop(name):
    if name not in database.listed():
        return False
    _alone(name, "DROP DATABASE {0}", name)
    LOG.info("DROP DB: %s", name)
    shutil.rmtree(filestore(name), ignore_errors=True)
    return True


def _refuse_existing(name, force):
    if not database.exists(name):
        return
    if not force:
        sys.exit(f"Target database {name} exists, aborting.\n\n\tuse `--force` to delete the existing database anyway.")
    _drop(name)


def _as_copy(name, neutralize):
    loading.load_registry(name, False)
    with database.Cursor(name) as cr:
        core.set_parameters(cr, again=True)
        if neutralize:
            core.neutralize(cr)


def _alone(name, statement, *names):
    connection = database.connect("postgres")
    connection.autocommit = True
    try:
        cursor = connection.cursor()
        cursor.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()", (name,))
        cursor.execute(statement.format(*[database.quote(one, cursor) for one in names]))
    finally:
        connection.close()


def _program(*words, check=False):
    keys = {"PGHOST": "db_host", "PGPORT": "db_port", "PGUSER": "db_user", "PGPASSWORD": "db_password"}
    environment = {**os.environ, **{key: str(options[name]) for key, name in keys.items() if options[name]}}
    return subprocess.run(words, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT, check=check)


def _action(actions, name, function, positional, force=False, neutralize=False):
    parser = actions.add_parser(name, help=(function.__doc__ or "").strip())
    parser.set_defaults(action=function, force=False, neutralize=False)
    if force:
        parser.add_argument("-f", "--force", action="store_true")
    if neutralize:
        parser.add_argument("-n", "--neutralize", action="store_true")
    for one in positional:
        parser.add_argument(one.rstrip("?"), nargs="?" if one.endswith("?") else None)
