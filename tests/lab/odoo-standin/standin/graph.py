"""The order in which modules are loaded: by depth below `base`, then by name."""

from . import log, modules
from .options import options

LOG = log.logger("odoo.modules.graph")


class Node:
    """One module as it is on disk and in the database."""

    def __init__(self, name, info):
        self.name, self.info, self.depth = name, info, 0
        self.children = []
        self.flags = set()
        self.id, self.state, self.demo, self.installed_version = 0, "uninstalled", False, None
        self.load_state, self.load_version = None, None

    def mark(self, flag):
        """Marks this module and all below it, as a load of it concerns them."""
        self.flags.add(flag)
        options[flag][self.name] = True
        for child in self.children:
            child.mark(flag)


class Graph(dict):
    """Modules by name; grows in steps."""

    def add(self, cr, names):
        """Adds what can be added: installable, with all its dependencies in the graph."""
        waiting = {}
        for name in names:
            info = modules.manifest(name)
            if info and info["installable"]:
                waiting[name] = info
            else:
                LOG.warning("module %s: not installable, skipped", name)
        while True:
            ready = [name for name, info in waiting.items() if all(other in self for other in info["depends"])]
            if not ready:
                break
            for name in ready:
                self._add_one(name, waiting.pop(name))
        self._read_states(cr)
        for name, info in waiting.items():
            unmet = [other for other in info["depends"] if other not in self]
            LOG.info("module %s: Unmet dependencies: %s", name, ", ".join(unmet))

    def in_order(self):
        """The modules in the order of loading."""
        return sorted(self.values(), key=lambda node: (node.depth, node.name))

    def _add_one(self, name, info):
        node = self[name] = Node(name, info)
        parents = [self[other] for other in info["depends"]]
        if parents:
            deepest = max(parent.depth for parent in parents)
            # Of several parents at the same depth the last one counts.
            father = [parent for parent in parents if parent.depth == deepest][-1]
            father.children.append(node)
            node.depth = father.depth + 1
            node.flags |= father.flags
        for kind in ("init", "update", "demo"):
            if name in options[kind] or "all" in options[kind]:
                node.mark(kind)

    def _read_states(self, cr):
        rows = cr.rows("SELECT name, id, state, demo, latest_version FROM ir_module_module WHERE name = ANY(%s)", (list(self),))
        for name, number, state, demo, version in rows:
            node = self[name]
            node.id, node.state, node.demo, node.installed_version = number, state, demo, version
