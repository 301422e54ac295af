"""Processes and signals: one process with threads, or one with workers beside it, as `workers` says."""

import os
import select
import signal
import socket
import sys
import threading
import time

from . import cron, database, loading, log, web
from .options import options

LOG = log.logger("odoo.service.server")
# How long a stopping process waits for requests that are under way, in seconds.
GRACE_SECONDS_MAX = 1
# How long workers are waited for after they were told to end, in seconds.
WORKERS_SECONDS_MAX = 10


def run(names):
    """Loads the databases and serves; the result is the process's exit code."""
    if options["test_enable"]:
        LOG.warning("the stand-in runs no tests")
    return prefork(names) if options["workers"] else threaded(names)


def preload(names):
    """Loads each database; -1 at the first failure."""
    for name in names:
        threading.current_thread().dbname = name
        try:
            web.registries[name] = loading.load_registry(name, bool(options["init"] or options["update"]))
        except Exception:
            LOG.critical("Failed to initialize database `%s`.", name, exc_info=True)
            return -1
    return 0


def threaded(names):
    """The server without workers: requests and jobs are threads; websockets share the port."""
    signal.signal(signal.SIGINT, _first_signal)
    signal.signal(signal.SIGTERM, _first_signal)
    stop = options["stop_after_init"]
    httpd = None
    # A signal while databases are loaded ends the process at once, with a traceback and 130.
    with web.loading:
        if options["http_enable"] and not stop:
            listener = listen(options["http_port"])
            LOG.info("HTTP service (werkzeug) running on %s:%s", socket.gethostname(), options["http_port"])
            httpd = web.Server(listener, web.Werkzeug, with_websocket=True)
            threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.1}, name="odoo.service.httpd", daemon=True).start()
        code = preload(names)
    if not stop:
        # A server that was told to end has done its work, whatever became of its databases.
        code = 0
        try:
            for number in range(options["max_cron_threads"]):
                threading.Thread(target=cron.run, args=(number,), name=f"odoo.service.cron.cron{number}", daemon=True).start()
            while True:
                time.sleep(60)
        except KeyboardInterrupt:
            pass
    LOG.info("Initiating shutdown")
    LOG.info("Hit CTRL-C again or send a second signal to force the shutdown.")
    if httpd:
        httpd.shutdown()
        httpd.wait(GRACE_SECONDS_MAX)
    database.close_all()
    return code & 0xFF


def prefork(names):
    """The server with workers: processes for requests, one for websockets on its own port, some for jobs."""
    signal.signal(signal.SIGINT, _first_signal)
    signal.signal(signal.SIGTERM, _first_signal)
    listener = None
    if options["http_enable"]:
        LOG.info("HTTP service (werkzeug) running on %s:%s", options["http_interface"] or "0.0.0.0", options["http_port"])
        listener = listen(options["http_port"])
    workers = {}
    code = preload(names)
    if options["stop_after_init"]:
        LOG.info("Stopping gracefully")
        return code & 0xFF
    web.registries.clear()
    try:
        threading.current_thread().__dict__.pop("dbname", None)
        while True:
            _spawn(workers, listener)
            pid, _status = os.waitpid(-1, os.WNOHANG)
            workers.pop(pid, None)
            time.sleep(0 if pid else 0.2)
    except KeyboardInterrupt:
        pass
    LOG.info("Stopping gracefully")
    for pid, kind in workers.items():
        os.kill(pid, signal.SIGKILL if kind == "evented" else signal.SIGINT)
    until = time.monotonic() + WORKERS_SECONDS_MAX
    while workers and time.monotonic() < until:
        try:
            pid, _status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            break
        workers.pop(pid, None)
        time.sleep(0 if pid else 0.05)
    return 0


def listen(port):
    """A socket on that port; a taken port ends the process with a traceback, as in Odoo."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((options["http_interface"] or "0.0.0.0", port))
    listener.listen(128)
    return listener


def _spawn(workers, listener):
    wanted = [("cron", options["max_cron_threads"])]
    if listener:
        wanted = [("http", options["workers"]), ("evented", 1), *wanted]
    for kind, count in wanted:
        while list(workers.values()).count(kind) < count:
            pid = os.fork()
            if not pid:
                _work(kind, listener)
            workers[pid] = kind


def _work(kind, listener):
    """The whole life of a worker process."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, _first_signal)
    if kind == "evented":
        if listener:
            listener.close()
        from . import cli

        cli.report()
        own = listen(options["gevent_port"])
        LOG.info("Evented Service (longpolling) running on %s:%s", options["http_interface"] or "0.0.0.0", options["gevent_port"])
        web.Server(own, web.Evented, with_websocket=True).serve_forever()
    name = {"http": "WorkerHTTP", "cron": "WorkerCron"}[kind]
    LOG.info("Worker %s (%s) alive", name, os.getpid())
    count = 0
    try:
        if kind == "cron":
            cron.run(0)
        server = web.Server(listener, web.Prefork, with_websocket=False)
        listener.setblocking(False)
        while True:
            # Another worker may have taken the connection by now.
            select.select([listener], [], [], 1)
            count += server.handle_one()
    except KeyboardInterrupt:
        pass
    LOG.info("Worker (%s) exiting. request_count: %s, registry count: %s.", os.getpid(), count, len(web.registries))
    sys.stderr.flush()
    os._exit(0)


def _first_signal(_number, _frame):
    signal.signal(signal.SIGINT, _second_signal)
    signal.signal(signal.SIGTERM, _second_signal)
    raise KeyboardInterrupt


def _second_signal(_number, _frame):
    sys.stderr.write("Forced shutdown.\n")
    os._exit(0)
