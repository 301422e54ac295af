"""Attachments: contents as files named by their SHA-1, beside a list for the clean-up."""

import hashlib
import mimetypes
import os

from .options import filestore


def put(name, content):
    """Keeps a content for a database; returns its checksum and its name in the filestore."""
    checksum = hashlib.sha1(content).hexdigest()
    relative = f"{checksum[:2]}/{checksum}"
    path = os.path.join(filestore(name), relative)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    if not os.path.exists(path):
        with open(f"{path}.tmp", "wb") as file:
            file.write(content)
        os.replace(f"{path}.tmp", path)
    spool = os.path.join(filestore(name), "checklist", relative)
    os.makedirs(os.path.dirname(spool), exist_ok=True)
    with open(spool, "ab"):
        pass
    return checksum, relative


def get(name, relative):
    """A kept content; empty when the file is gone, as Odoo answers."""
    try:
        with open(os.path.join(filestore(name), relative), "rb") as file:
            return file.read()
    except OSError:
        return b""


def kind(title):
    """The media type that a file's name tells."""
    return mimetypes.guess_type(title)[0] or "application/octet-stream"
