"""Scripts that a module brings for its own update: migrations/<version>/{pre,post,end}-*.py."""

import glob
import importlib.util
import os

from . import SERIES, log, modules

LOG = log.logger("odoo.modules.migration")
MARKS = {"pre": "[>%s]", "post": "[%s>]", "end": "[$%s]"}


def run(cr, node, stage):
    """Runs a stage's scripts between the installed version and the one on disk."""
    state = node.load_state if stage == "end" else node.state
    if state == "to install" or not ("update" in node.flags or state == "to upgrade"):
        return
    installed = (node.load_version if stage == "end" else node.installed_version) or ""
    for version, file in _scripts(node.name, stage):
        if _is_due(version, installed, node.info["version"]):
            _run_script(cr, node.name, stage, version, file, installed)


def _scripts(name, stage):
    path = modules.path_of(name)
    found = []
    for folder in ("migrations", "upgrades"):
        for file in glob.glob(os.path.join(path, folder, "*", f"{stage}-*.py")):
            found.append((os.path.basename(os.path.dirname(file)), file))
    order = lambda item: (modules.parsed(_full(item[0])), os.path.basename(item[1]))  # noqa: E731
    return sorted(found, key=order)


def _full(version):
    return version if version.count(".") > 2 or version == "0.0.0" else f"{SERIES}.{version}"


def _is_due(version, installed, current):
    installed, current = modules.parsed(installed), modules.parsed(current)
    if version == "0.0.0":
        return installed < current
    if version.count(".") <= 2:
        return installed[2:] < modules.parsed(_full(version))[2:] <= current[2:]
    return installed < modules.parsed(version) <= current


def _run_script(cr, name, stage, version, file, installed):
    title = os.path.splitext(os.path.basename(file))[0]
    spec = importlib.util.spec_from_file_location(title, file)
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    LOG.info("module %s: Running migration %s %s", name, MARKS[stage] % version, title)
    script.migrate(cr, installed)
