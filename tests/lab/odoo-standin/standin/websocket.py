"""Websockets: the handshake, and a connection that is kept until one side ends it."""

import base64
import hashlib
import time

from . import sessions

MAGIC = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
# An idle connection is dropped after that many seconds.
IDLE_SECONDS_MAX = 60
CLOSE, PING = 0x8, 0x9


def open(handler, _registry):
    """Answers a handshake; a worker that cannot keep connections says on which port they are kept."""
    headers = handler.headers
    upgrade = headers.get("Upgrade", "").lower() == "websocket" and "upgrade" in headers.get("Connection", "").lower()
    key = headers.get("Sec-WebSocket-Key", "")
    if not upgrade or headers.get("Sec-WebSocket-Version") != "13" or not headers.get("Origin") or not _is_key(key):
        return handler.error(400)
    if not handler.server.with_websocket:
        from .options import options

        raise RuntimeError(f"Couldn't bind the websocket. Is the connection opened on the evented port ({options['gevent_port']})?")
    accept = base64.b64encode(hashlib.sha1((key + MAGIC).encode()).digest()).decode()
    handler.send_response_only(101, "SWITCHING PROTOCOLS")
    if handler.protocol_version == "HTTP/1.1" and type(handler).__name__ == "Werkzeug":
        handler.send_header("Server", handler.version_string())
        handler.send_header("Date", handler.date_time_string())
    for name, value in (("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Accept", accept)):
        handler.send_header(name, value)
    handler.send_header("Set-Cookie", sessions.save(handler.session))
    handler.end_headers()
    handler.note(101, 0)
    _keep(handler)


def _is_key(text):
    try:
        return len(base64.b64decode(text, validate=True)) == 16
    except ValueError:
        return False


def _keep(handler):
    from .web import wait_readable

    until = time.monotonic() + IDLE_SECONDS_MAX
    while time.monotonic() < until:
        if not wait_readable(handler.connection, 1):
            continue
        head = handler.rfile.read(2)
        if len(head) < 2 or head[0] & 0x0F == CLOSE:
            return
        length = head[1] & 0x7F
        if length > 125:
            length = int.from_bytes(handler.rfile.read(2 if length == 126 else 8), "big")
        mask, payload = handler.rfile.read(4), handler.rfile.read(length)
        if head[0] & 0x0F == PING:
            clear = bytes(byte ^ mask[place % 4] for place, byte in enumerate(payload))
            handler.wfile.write(bytes([0x8A, len(clear)]) + clear)
        until = time.monotonic() + IDLE_SECONDS_MAX
