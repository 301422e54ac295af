"""Modules on disk: where they are looked for, what their manifests say, and whether this series accepts them."""

import ast
import functools
import importlib
import importlib.metadata
import os
import re
import sys
import traceback

import odoo.addons

from . import SERIES, log
from .options import options

LOG = log.logger("odoo.modules.module")
MANIFESTS = ("__manifest__.py", "__openerp__.py")
DEFAULTS = {
    "name": "", "version": "1.0", "summary": "", "description": "", "author": "Odoo S.A.", "website": "", "category": "Uncategorized",
    "license": None, "depends": [], "data": [], "demo": [], "auto_install": False, "installable": True, "application": False, "sequence": 100,
    "pre_init_hook": "", "post_init_hook": "", "uninstall_hook": "", "external_dependencies": {}, "core": False,
}  # fmt: skip


def search_paths():
    """Fills the package `odoo.addons` with the roots, in Odoo's order: core, data folder, options."""
    own = os.path.join(options["data_dir"], "addons", SERIES)
    try:
        os.makedirs(os.path.dirname(own), 0o700, exist_ok=True)
        os.makedirs(own, 0o500, exist_ok=True)
    except OSError:
        log.logger("odoo.tools.config").debug("Failed to create addons data dir %s", own)
    wanted = [own] if os.access(own, os.R_OK) else []
    wanted += [os.path.realpath(os.path.expanduser(path.strip())) for path in (options["addons_path"] or "").split(",") if path.strip()]
    for path in wanted:
        if path not in odoo.addons.__path__:
            odoo.addons.__path__.append(path)


def names():
    """All modules that can be seen, sorted."""
    found = set()
    for root in odoo.addons.__path__:
        if not os.path.exists(root):
            LOG.warning("addons path does not exist: %s", root)
            continue
        found.update(name for name in os.listdir(root) if _manifest_file(os.path.join(root, name)))
    return sorted(found)


def path_of(name):
    """The folder of a module in the first root that has it, or None."""
    for root in odoo.addons.__path__:
        path = os.path.join(root, name)
        if _manifest_file(path):
            return path
    return None


@functools.lru_cache(maxsize=None)
def manifest(name):
    """What a module says of itself, {} when it is not there; raises for a version that this series refuses."""
    path = path_of(name)
    if not path:
        return {}
    with open(_manifest_file(path), encoding="utf-8") as file:
        info = {**DEFAULTS, **ast.literal_eval(file.read())}
    if not info["license"]:
        info["license"] = "LGPL-3"
        LOG.warning("Missing `license` key in manifest for %r, defaulting to LGPL-3", name)
    auto = info["auto_install"]
    info["auto_install"] = set(info["depends"] if auto is True else auto) if auto or auto == [] else False
    try:
        info["version"] = full_version(info["version"])
    except ValueError as err:
        if info["installable"]:
            raise ValueError(f"Module {name}: invalid manifest") from err
    return info


def readable(name):
    """The manifest, or {} when it cannot be read."""
    try:
        return manifest(name)
    except Exception:
        LOG.debug("Error when trying to fetch information for module %s", name, exc_info=True)
        return {}


def full_version(version):
    """The version with the series before it; anything that is not x.y or x.y.z after that is refused."""
    prefix = SERIES + "."
    base = version[len(prefix) :] if version.startswith(prefix) else version
    if not re.fullmatch(r"[0-9]+\.[0-9]+(\.[0-9]+)?", base):
        raise ValueError(
            f"Invalid version {base!r}. Modules should have a version in format `x.y`, `x.y.z`, `{SERIES}.x.y` or `{SERIES}.x.y.z`."
        )
    return prefix + base


def load_code(name):
    """Imports a module's Python code; returns it."""
    full = f"odoo.addons.{name}"
    try:
        return sys.modules.get(full) or importlib.import_module(full)
    except Exception:
        LOG.critical("Couldn't load module %s", name)
        raise


def missing_dependency(info):
    """The first external dependency that this machine lacks, as a sentence, or None."""
    wanted = info["external_dependencies"]
    for package in wanted.get("python", ()):
        bare = re.split(r"[<>=!~;\[ ]", package)[0]
        try:
            importlib.metadata.version(bare)
        except importlib.metadata.PackageNotFoundError:
            try:
                importlib.import_module(bare)
            except ImportError:
                return f"External dependency {package} not installed: No package metadata was found for {bare}"
    for program in wanted.get("bin", ()):
        if not any(os.access(os.path.join(path, program), os.X_OK) for path in os.get_exec_path()):
            return f"Unable to find {program!r} in path"
    return None


def parsed(version):
    """A version as something that can be compared."""
    return tuple(int(part) if part.isdigit() else 0 for part in (version or "0").split("."))


def trace():
    """The traceback of the exception being handled."""
    return traceback.format_exc()


def _manifest_file(path):
    for name in MANIFESTS:
        file = os.path.join(path, name)
        if os.path.isfile(file):
            return file
    return None
