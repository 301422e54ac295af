"""Log lines as Odoo 18.0 writes them: time, process, level, database, logger, message, and times of requests."""

import logging
import logging.handlers
import os
import sys
import threading
import time

from .options import options

FORMAT = "%(asctime)s %(pid)s %(levelname)s %(dbname)s %(name)s: %(message)s %(perf_info)s"
RUNBOT = 25
LEVELS = {"warn": logging.WARNING, "error": logging.ERROR, "critical": logging.CRITICAL, "runbot": RUNBOT}


class Formatter(logging.Formatter):
    """Adds process, database and performance to each record."""

    def format(self, record):
        record.pid = os.getpid()
        record.dbname = getattr(threading.current_thread(), "dbname", "?")
        record.perf_info = _performance(record)
        return super().format(record)


def set_up():
    """Sends all records to standard error, or to the file that the options name."""
    logging.addLevelName(RUNBOT, "INFO")
    handler = logging.StreamHandler(sys.stderr)
    if options["logfile"]:
        os.makedirs(os.path.dirname(os.path.abspath(options["logfile"])), exist_ok=True)
        handler = logging.handlers.WatchedFileHandler(options["logfile"])
    handler.setFormatter(Formatter(FORMAT))
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(LEVELS.get(options["log_level"], logging.INFO))
    if options["log_level"].startswith("debug") or options["log_level"] == "notset":
        logging.getLogger("odoo").setLevel(logging.DEBUG)
    for item in options["log_handler"]:
        name, _, level = item.strip().rpartition(":")
        logging.getLogger(name).setLevel(getattr(logging, level, logging.INFO))


def logger(name):
    """A logger under Odoo's own name for that part."""
    return logging.getLogger(name)


def begin_request():
    """Starts the count of queries and times that the request's line ends with."""
    thread = threading.current_thread()
    thread.query_count, thread.query_time, thread.started = 0, 0.0, time.time()
    thread.__dict__.pop("dbname", None)


def count_query(seconds):
    """Adds one query to the request that this thread serves, if any."""
    thread = threading.current_thread()
    if hasattr(thread, "query_count"):
        thread.query_count += 1
        thread.query_time += seconds


def _performance(record):
    if record.name != "werkzeug":
        return ""
    thread = threading.current_thread()
    if not hasattr(thread, "query_count"):
        return "- - -"
    rest = max(0.0, time.time() - thread.started - thread.query_time)
    text = f"{thread.query_count} {thread.query_time:.3f} {rest:.3f}"
    del thread.query_count
    return text
