"""Loads a database: installs, updates, or only loads its modules, and verifies the outcome as Odoo does.

A module's work is committed when it is done, but its new state and version are written after that, within the
transaction of the next module. So a failure leaves the module before it changed but with its old version.
"""

import threading
import time

from . import core, data, log, migration, models, modules, states
from .database import Cursor, has_table
from .graph import Graph
from .options import options

LOG = log.logger("odoo.modules.loading")
REGISTRY_LOG = log.logger("odoo.modules.registry")
VIEW_LOG = log.logger("odoo.models")


class Registry:
    """What is loaded of one database."""

    def __init__(self, name):
        self.name = name
        self.loaded = []
        self.tests = 0
        self.sequence = None


def load_registry(name, update):
    """Loads a database; raises what went wrong after the marks were taken back."""
    started = time.time()
    registry = Registry(name)
    threading.current_thread().dbname = name
    modules.search_paths()
    try:
        try:
            changed = _load(registry, update)
        except Exception:
            with Cursor(name) as cr:
                states.reset(cr)
            raise
    except Exception:
        REGISTRY_LOG.error("Failed to load registry")
        raise
    with Cursor(name) as cr:
        if has_sequence(cr):
            if changed:
                REGISTRY_LOG.info("Registry changed, signaling through the database")
                cr.value("SELECT nextval('base_registry_signaling')")
            registry.sequence = cr.value("SELECT last_value FROM base_registry_signaling")
    REGISTRY_LOG.info("Registry loaded in %.3fs", time.time() - started)
    return registry


def has_sequence(cr):
    """Whether the database has what servers tell each other through."""
    return bool(cr.value("SELECT 1 FROM pg_class WHERE relname = 'base_registry_signaling'"))


def _load(registry, update):
    with Cursor(registry.name) as cr:
        cr.execute("SET SESSION lock_timeout = '15s'")
        if not has_table(cr, "ir_module_module"):
            if not update:
                LOG.error("Database %s not initialized, you can force it with `-i base`", registry.name)
                return False
            LOG.info("init db")
            core.create_first_tables(cr)
            states.fill(cr)
            update = True
            options["init"]["all"] = True
            if not options["without_demo"]:
                options["demo"]["all"] = True
        if {"base", "all"} & set(options["update"]):
            cr.execute("UPDATE ir_module_module SET state = 'to upgrade' WHERE name = 'base' AND state = 'installed'")
        graph = Graph()
        graph.add(cr, ["base"])
        processed = _load_graph(cr, registry, graph, update)
        if update:
            _mark(cr)
        before = -1
        while before < len(processed):
            before = len(processed)
            processed += _load_marked(cr, registry, graph, ("installed", "to upgrade", "to remove"), update)
            if update:
                processed += _load_marked(cr, registry, graph, ("to install",), update)
        _verify(cr, graph, update)
        if processed:
            core.trigger_autovacuum(cr)
        options.update(init={}, update={}, demo={})
        LOG.info("Modules loaded.")
    return update


def _mark(cr):
    LOG.info("updating modules list")
    states.update_list(cr)
    _warn_unknown(cr, [*options["init"], *options["update"]])
    wanted = [name for (name,) in cr.rows("SELECT name FROM ir_module_module WHERE state = 'uninstalled' AND name = ANY(%s)", (list(options["init"]),))]
    if wanted:
        states.button_install(cr, wanted)
    names = list(options["update"])
    wanted = [name for (name,) in cr.rows("SELECT name FROM ir_module_module WHERE state IN ('installed', 'to upgrade') AND name = ANY(%s)", (names,))]
    if wanted:
        states.button_upgrade(cr, wanted)
    cr.execute("UPDATE ir_module_module SET state = 'installed' WHERE name = 'base'")


def _warn_unknown(cr, names):
    names = set(names)
    if "base" in names:
        names.discard("all")
    known = {name for (name,) in cr.rows("SELECT name FROM ir_module_module")}
    if names - known:
        LOG.warning("invalid module names, ignored: %s", ", ".join(names - known))


def _load_marked(cr, registry, graph, wanted, update):
    processed = []
    while True:
        rows = cr.rows("SELECT name FROM ir_module_module WHERE state = ANY(%s)", (list(wanted),))
        names = [name for (name,) in rows if name not in graph]
        if not names:
            return processed
        graph.add(cr, names)
        done = _load_graph(cr, registry, graph, update)
        processed += done
        if not done:
            return processed


def _load_graph(cr, registry, graph, update):
    nodes = graph.in_order()
    LOG.info("loading %d modules...", len(nodes))
    started, queries, processed = time.time(), cr.queries, []
    for place, node in enumerate(nodes, 1):
        if node.name in registry.loaded:
            continue
        if _load_module(cr, graph, node, f"({place}/{len(nodes)})"):
            processed.append(node.name)
        registry.loaded.append(node.name)
    count = cr.queries - queries
    LOG.log(log.RUNBOT, "%s modules loaded in %.2fs, %s queries (+%s extra)", len(nodes), time.time() - started, count, count)
    return processed


def _load_module(cr, graph, node, place):
    """Loads one module; True when it was installed or updated."""
    work = bool(node.flags & {"init", "update"}) or node.state in ("to install", "to upgrade")
    started, queries = time.time(), cr.queries
    fresh = node.state == "to install"
    if work:
        LOG.info("Loading module %s %s", node.name, place)
        if not fresh:
            migration.run(cr, node, "pre")
    code = modules.load_code(node.name)
    if not work:
        return False
    if fresh and node.info["pre_init_hook"]:
        getattr(code, node.info["pre_init_hook"])(models.Environment(cr))
    if node.info["core"] or models.has_models(node.name):
        REGISTRY_LOG.info("module %s: creating or updating database tables", node.name)
    created = core.install(cr, node.name) if node.info["core"] else models.create_tables(cr, node.name)
    if node.state == "to upgrade":
        states.describe(cr, node.id, node.info)
    for file in node.info["data"]:
        LOG.info("loading %s/%s", node.name, file)
        if not node.info["core"]:
            data.load(cr, node.name, file)
    demo = _load_demo(cr, graph, node)
    cr.execute("UPDATE ir_module_module SET demo = %s WHERE id = %s", (demo, node.id))
    migration.run(cr, node, "post")
    if fresh and node.info["post_init_hook"]:
        getattr(code, node.info["post_init_hook"])(models.Environment(cr))
    cr.commit()
    _warn_rights(cr, node.name, created)
    cr.execute("UPDATE ir_module_module SET state = 'installed', latest_version = %s WHERE id = %s", (node.info["version"], node.id))
    node.load_state, node.load_version, node.state = node.state, node.installed_version, "installed"
    node.flags -= {"init", "update"}
    count = cr.queries - queries
    LOG.info("Module %s loaded in %.2fs, %s queries (+%s other)", node.name, time.time() - started, count, count)
    return True


def _load_demo(cr, graph, node):
    wanted = "demo" in node.flags or (node.demo and node.state != "installed")
    if not wanted or not all(graph[name].demo for name in node.info["depends"]):
        node.demo = False
        return False
    if node.info["demo"]:
        LOG.info("Module %s: loading demo", node.name)
        for file in node.info["demo"]:
            LOG.info("loading %s/%s", node.name, file)
            if not node.info["core"]:
                data.load(cr, node.name, file)
    node.demo = True
    return True


def _warn_rights(cr, name, created):
    if not created:
        return
    rows = cr.rows("SELECT model FROM ir_model WHERE id NOT IN (SELECT DISTINCT model_id FROM ir_model_access) AND model = ANY(%s)", (created,))
    bare = [model for (model,) in rows]
    if not bare:
        return
    lines = [
        f"The models {bare} have no access rules in module {name}, consider adding some, like:",
        "id,name,model_id:id,group_id:id,perm_read,perm_write,perm_create,perm_unlink",
    ]
    for model in bare:
        word = model.replace(".", "_")
        lines.append(f"{name}.access_{word},access_{word},{name}.model_{word},base.group_user,1,0,0,0")
    LOG.warning("\n".join(lines))


def _verify(cr, graph, update):
    rows = cr.rows("SELECT name FROM ir_module_module WHERE state = 'installed' ORDER BY name")
    missing = [name for (name,) in rows if name not in graph]
    if missing:
        LOG.error("Some modules are not loaded, some dependencies or manifest may be missing: %s", missing)
    for node in graph.in_order():
        migration.run(cr, node, "end")
    rows = cr.rows("SELECT name FROM ir_module_module WHERE state IN ('to install', 'to upgrade') ORDER BY name")
    if rows:
        names = [name for (name,) in rows]
        LOG.error("Some modules have inconsistent states, some dependencies may be missing: %s", names)
