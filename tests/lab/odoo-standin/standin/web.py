"""Requests: which database they concern, and the few routes that tell whether an Odoo is well."""

import http.server
import json
import select
import socket
import socketserver
import threading
import time
import urllib.parse
from http import HTTPStatus

import psycopg2

from . import database, log, pages, rpc, sessions, websocket
from .loading import has_sequence, load_registry
from .options import options

HTTP_LOG = log.logger("odoo.http")
ADMIN = 2
registries = {}
# Requests wait for it while a database is loaded.
loading = threading.RLock()


class Unusable(Exception):
    """The database cannot be spoken to."""


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    """Serves from a socket that is listened on already."""

    daemon_threads = True

    def __init__(self, listener, handler, with_websocket):
        super().__init__(listener.getsockname(), handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listener
        self.with_websocket = with_websocket
        self.busy = set()

    def process_request_thread(self, request, client_address):
        """Serves one connection in its thread."""
        self.busy.add(threading.current_thread())
        try:
            super().process_request_thread(request, client_address)
        finally:
            self.busy.discard(threading.current_thread())

    def handle_error(self, request, client_address):
        """A client that went away is no news."""
        log.logger("odoo.service.server").debug("Exception happened during processing of request from %s", client_address, exc_info=True)

    def handle_one(self):
        """Serves one connection in this thread if there is one; returns how many."""
        try:
            request, address = self.get_request()
        except OSError:
            return 0
        request.setblocking(True)
        self.finish_request(request, address)
        self.shutdown_request(request)
        return 1

    def wait(self, seconds):
        """Waits for requests that are under way."""
        until = time.monotonic() + seconds
        while self.busy and time.monotonic() < until:
            time.sleep(0.05)


class Handler(http.server.BaseHTTPRequestHandler):
    """One request; the subclass says how it is logged."""

    server_version, sys_version = "Werkzeug/2.2.2", "Python/3.11.2"
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        """Answers, whatever happens."""
        log.begin_request()
        self.started = time.time()
        self.close_connection = True
        url = urllib.parse.urlsplit(self.path)
        self.route, self.query = url.path, dict(urllib.parse.parse_qsl(url.query))
        length = int(self.headers.get("Content-Length") or 0)
        self.body = self.rfile.read(length)
        self.host = self.headers.get("Host", "")
        if options["proxy_mode"] and self.headers.get("X-Forwarded-Host"):
            self.host = self.headers["X-Forwarded-Host"]
            client = self.headers.get("X-Forwarded-For", "").split(",")[-1].strip()
            self.client_address = (client or self.client_address[0], self.client_address[1])
        try:
            self._dispatch()
        except (BrokenPipeError, ConnectionResetError):
            pass
        except Exception:
            HTTP_LOG.error("Exception during request handling.", exc_info=True)
            self.error(500)

    do_POST = do_HEAD = do_GET

    def _dispatch(self):
        if self.route.startswith("/web/static/"):
            return self.error(404)
        self.session = sessions.load(self.headers.get("Cookie", ""))
        name = self._choose()
        if name:
            threading.current_thread().dbname = name
            try:
                registry = self._registry(name)
                self._check(registry)
                return self._serve(registry)
            except Unusable as err:
                HTTP_LOG.warning("Database or registry unusable, trying without", exc_info=err.__cause__)
                threading.current_thread().__dict__.pop("dbname", None)
                self.session = sessions.new()
                self.query.pop("db", None)
        return self._serve(None)

    def _choose(self):
        chosen = self.session.get("db")
        if chosen and database.allowed([chosen], self.host):
            return chosen
        names = database.choosable(self.host)
        name = names[0] if len(names) == 1 else None
        if chosen and chosen != name:
            HTTP_LOG.warning("Logged into database %r, but dbfilter rejects it; logging session out.", chosen)
            self.session = sessions.new()
        self.session["db"] = name
        return name

    def _registry(self, name):
        with loading:
            if name not in registries:
                try:
                    registries[name] = load_registry(name, False)
                except (psycopg2.OperationalError, psycopg2.ProgrammingError, AttributeError) as err:
                    raise Unusable(name) from err
        return registries[name]

    def _check(self, registry):
        """Reads what other processes told through the database; a changed one is loaded again, with the old code."""
        try:
            with database.Cursor(registry.name) as cr:
                if not registry.loaded or not has_sequence(cr):
                    return
                now = cr.value("SELECT last_value FROM base_registry_signaling")
        except psycopg2.OperationalError as err:
            raise Unusable(registry.name) from err
        if registry.sequence not in (None, now):
            log.logger("odoo.modules.registry").info("Reloading the model registry after database signaling.")
            registries.pop(registry.name, None)
            registries[registry.name] = self._registry(registry.name)

    def _serve(self, registry):
        # A database without tables has a registry that knows no route.
        if registry and not registry.loaded:
            raise KeyError("ir.http")
        if self.route == "/web/health":
            return self._health()
        if self.route == "/websocket/health":
            return self.json({"status": "pass"}, 200)
        if self.route == "/jsonrpc" and self.command == "POST":
            return self._rpc(registry)
        if self.route.startswith("/web/database/"):
            return self.page(pages.databases(self._listed()))
        if self.route == "/web/login":
            return self._login(registry)
        if not registry:
            return self.redirect("/web/database/selector", 303) if self.route in ("/odoo", "/web") else self.error(404)
        if self.route == "/":
            return self.redirect("/odoo", 303)
        if self.route in ("/odoo", "/web"):
            return self.page(pages.home()) if self.session.get("uid") else self.redirect(f"/web/login?redirect=%2F{self.route[1:]}%3F", 303)
        if self.route == "/websocket":
            return websocket.open(self, registry)
        return self.error(404)

    def _health(self):
        answer, status = {"status": "pass"}, 200
        if self.query.get("db_server_status"):
            try:
                database.connect("postgres").close()
                answer["db_server_status"] = True
            except psycopg2.Error:
                answer, status = {"status": "fail", "db_server_status": False}, 500
        self.json(answer, status)

    def _rpc(self, registry):
        answer, noted = rpc.call(self.body, registry)
        if noted:
            HTTP_LOG.warning(noted)
        self.json(answer, 200)

    def _listed(self):
        return database.choosable(self.host) if options["list_db"] else None

    def _login(self, registry):
        wanted = self.query.get("db", "").strip()
        if wanted and not database.allowed([wanted], self.host):
            wanted = ""
        if not registry:
            if wanted:
                self.session["db"] = wanted
                return self.redirect(self.path, 302)
            names = database.choosable(self.host)
            if len(names) != 1:
                return self.redirect("/web/database/selector", 303)
            # The list knows one database but it could not be used: the request is sent round in a circle.
            self.session["db"] = names[0]
            return self.redirect(self.path.partition("?")[0], 302)
        if wanted and wanted != registry.name and wanted in database.choosable(self.host):
            self.session = sessions.new(db=wanted)
            return self.redirect(self.path, 302)
        with database.Cursor(registry.name) as cr:
            secret = cr.value("SELECT value FROM ir_config_parameter WHERE key = 'database.secret'")
            harmless = cr.value("SELECT 1 FROM ir_ui_view WHERE key = 'web.neutralize_banner' AND active")
            if not secret:
                raise ValueError("CSRF protection requires a configured database secret")
            if self.command == "POST":
                return self._log_in(cr, secret, registry)
        self.page(pages.login(sessions.csrf_token(self.session, secret), harmless, options["list_db"]), login=True)

    def _log_in(self, cr, secret, registry):
        form = dict(urllib.parse.parse_qsl(self.body.decode("utf-8", "replace")))
        if not form.get("csrf_token"):
            HTTP_LOG.warning("No CSRF validation token provided for path %r\n", self.route)
            return self.error(400, "Session expired (invalid CSRF token)")
        if not sessions.is_csrf_token(self.session, secret, form["csrf_token"]):
            HTTP_LOG.warning("CSRF validation failed on path %r", self.route)
            return self.error(400, "Session expired (invalid CSRF token)")
        user = rpc.authenticate(cr, form.get("login", ""), form.get("password", ""), self.client_address[0])
        if not user:
            return self.page(pages.login(sessions.csrf_token(self.session, secret), False, options["list_db"], "Wrong login/password"), login=True)
        self.session = sessions.new(db=registry.name, uid=user, login=form["login"])
        if user == ADMIN and not cr.value("SELECT 1 FROM ir_config_parameter WHERE key = 'web.base.url.freeze'"):
            # The address under which the administrator logs in becomes the address of the server.
            cr.execute("UPDATE ir_config_parameter SET value = %s WHERE key = 'web.base.url'", (f"http://{self.host}",))
        return self.redirect(self.query.get("redirect") or "/odoo", 303)

    def page(self, text, login=False):
        """An HTML page."""
        headers = {}
        if login:
            headers = {"Cache-Control": "no-cache", "X-Frame-Options": "SAMEORIGIN", "Content-Security-Policy": "frame-ancestors 'self'"}
        self.reply(200, "text/html; charset=utf-8", text.encode(), headers, session=True)

    def json(self, value, status):
        """A JSON answer without a session."""
        kind = "application/json; charset=utf-8" if self.route == "/jsonrpc" else "application/json"
        self.reply(status, kind, json.dumps(value).encode(), {} if self.route == "/jsonrpc" else {"Cache-Control": "no-store"})

    def redirect(self, target, status):
        """Sends the browser elsewhere."""
        self.reply(status, "text/html; charset=utf-8", pages.redirect(target).encode(), {"Location": target}, session=True)

    def error(self, status, why=None):
        """An error page as the server makes it."""
        self.reply(status, "text/html; charset=utf-8", pages.error(HTTPStatus(status), why).encode(), {})

    def reply(self, status, kind, body, headers, session=False):
        """Writes the answer and the line about it."""
        self.send_response_only(status, HTTPStatus(status).phrase.upper())
        self.send_header("Server", self.version_string())
        self.send_header("Date", self.date_time_string())
        self.send_header("Content-Type", kind)
        for name, value in headers.items():
            self.send_header(name, value)
        if session:
            self.send_header("Set-Cookie", sessions.save(self.session))
        if status < 400 or headers:
            self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        self.note(status, len(body))

    def note(self, status, _length):
        """The line about a request."""
        stamp = time.strftime("%d/%b/%Y %H:%M:%S", time.gmtime())
        log.logger("werkzeug").info('%s - - [%s] "%s" %s -', self.client_address[0], stamp, self.requestline, status)

    def log_message(self, *_args):
        """The library's own lines are not wanted."""


class Werkzeug(Handler):
    """Requests of the server with threads."""


class Prefork(Handler):
    """Requests of a worker, which speaks the older HTTP."""

    protocol_version = "HTTP/1.0"


class Evented(Handler):
    """Requests of the process for websockets."""

    def note(self, status, length):
        """The line about a request in this process's own form."""
        stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime())
        seconds = time.time() - self.started
        log.logger("longpolling").info('%s - - [%s] "%s" %s %s %.6f', self.client_address[0], stamp, self.requestline, status, length + 166, seconds)


def wait_readable(connection, seconds):
    """Whether there is something to read within that time."""
    return bool(select.select([connection], [], [], seconds)[0])


def shut(connection):
    """Ends a connection, whatever its state."""
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
