"""Sessions as files under the data folder, and the token that ties a form to its session."""

import base64
import hashlib
import hmac
import json
import os
import re
import secrets
import time
from http.cookies import SimpleCookie

from .options import options

# Odoo's own: a week of life, a year for the browser's memory, a year for a token.
SESSION_SECONDS = 7 * 24 * 3600
COOKIE_SECONDS = TOKEN_SECONDS = 365 * 24 * 3600
NAME = re.compile(r"[A-Za-z0-9_-]{84}")


class Session(dict):
    """What is known about one browser."""

    key = ""


def new(**values):
    """An empty session with a new key."""
    session = Session(values)
    session.key = base64.urlsafe_b64encode(secrets.token_bytes(63)).decode()
    return session


def load(cookie):
    """The session of a request's cookie, or a new one."""
    morsel = SimpleCookie(cookie).get("session_id") if cookie else None
    if not morsel or not NAME.fullmatch(morsel.value):
        return new()
    session = Session()
    session.key = morsel.value
    try:
        with open(_path(session.key), encoding="utf-8") as file:
            session.update(json.load(file))
    except (OSError, ValueError):
        pass
    return session


def save(session):
    """Keeps a session; returns the cookie that brings it back."""
    path = _path(session.key)
    os.makedirs(os.path.dirname(path), 0o700, exist_ok=True)
    with open(f"{path}.tmp", "w", encoding="utf-8") as file:
        json.dump(session, file)
    os.replace(f"{path}.tmp", path)
    expires = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() + COOKIE_SECONDS))
    return f"session_id={session.key}; Expires={expires}; Max-Age={SESSION_SECONDS}; HttpOnly; Path=/"


def csrf_token(session, secret):
    """A token that only this session of this database can bring."""
    until = int(time.time() + TOKEN_SECONDS)
    return f"{_digest(session, secret, until)}o{until}"


def is_csrf_token(session, secret, token):
    """Whether a token was made for this session and still holds."""
    digest, _, until = token.rpartition("o")
    if not until.isdigit() or int(until) < time.time():
        return False
    return hmac.compare_digest(digest, _digest(session, secret, int(until)))


def _digest(session, secret, until):
    return hmac.new(secret.encode(), f"{session.key}{until}".encode(), hashlib.sha1).hexdigest()


def _path(key):
    return os.path.join(options["data_dir"], "sessions", key[:2], key)
