"""The table of modules: what is on disk is entered, what shall be installed or updated is marked."""

from psycopg2.extras import Json

from . import log, modules

LOG = log.logger("odoo.addons.base.models.ir_module")


class UserError(Exception):
    """What Odoo tells a user; ends the run."""


UserError.__module__ = "odoo.exceptions"


def fill(cr):
    """Enters every module into a new database and marks those that install themselves."""
    for name in modules.names():
        # Raises for a version of another series: such a module breaks every new database that sees it.
        info = modules.manifest(name)
        if info:
            _insert(cr, name, info)
    while True:
        rows = cr.rows(
            "SELECT m.name FROM ir_module_module m WHERE m.auto_install AND m.state NOT IN ('to install', 'uninstallable') AND NOT EXISTS ("
            " SELECT 1 FROM ir_module_module_dependency d JOIN ir_module_module o ON o.name = d.name"
            " WHERE d.module_id = m.id AND d.auto_install_required AND o.state <> 'to install')"
        )
        wanted = {name for (name,) in rows}
        rows = cr.rows(
            "SELECT d.name FROM ir_module_module_dependency d JOIN ir_module_module m ON d.module_id = m.id JOIN ir_module_module o ON o.name = d.name"
            " WHERE (m.state = 'to install' OR m.name = ANY(%s)) AND o.state <> 'to install'",
            (list(wanted),),
        )
        wanted |= {name for (name,) in rows}
        if not wanted:
            return
        cr.execute("UPDATE ir_module_module SET state = 'to install' WHERE name = ANY(%s)", (list(wanted),))


def update_list(cr, on="[]"):
    """Enters what is new on disk; what is gone from disk stays as it is."""
    _allow("update_list", on)
    known = {name: (number, state) for name, number, state in cr.rows("SELECT name, id, state FROM ir_module_module")}
    for name in modules.names():
        info = modules.readable(name)
        if not info:
            continue
        if name not in known:
            _insert(cr, name, info)
            continue
        number, state = known[name]
        if info["installable"] and state == "uninstallable":
            cr.execute("UPDATE ir_module_module SET state = 'uninstalled' WHERE id = %s", (number,))
        describe(cr, number, info)
        _dependencies(cr, number, info)


def describe(cr, number, info):
    """Writes what the manifest says into the module's row; the version is written by the loader only."""
    cr.execute(
        "UPDATE ir_module_module SET shortdesc = %s, summary = %s, description = %s, author = %s, website = %s, license = %s, sequence = %s,"
        " application = %s, auto_install = %s, write_date = now() AT TIME ZONE 'UTC' WHERE id = %s",
        (*_columns(info), number),
    )


def button_install(cr, names):
    """Marks modules and all they need, and what then installs itself."""
    found = cr.rows("SELECT name FROM ir_module_module WHERE name = ANY(%s) ORDER BY application DESC, sequence, name", (list(names),))
    todo = [name for (name,) in found]
    _allow("button_install", _titles(cr, todo))
    while todo:
        for name in todo:
            _mark_install(cr, name, set())
        rows = cr.rows(
            "SELECT m.name FROM ir_module_module m WHERE m.auto_install AND m.state = 'uninstalled'"
            " AND NOT EXISTS (SELECT 1 FROM ir_module_module_dependency d LEFT JOIN ir_module_module o ON o.name = d.name WHERE d.module_id = m.id"
            "  AND d.auto_install_required AND coalesce(o.state, 'unknown') NOT IN ('installed', 'to install', 'to upgrade'))"
            " AND EXISTS (SELECT 1 FROM ir_module_module_dependency d JOIN ir_module_module o ON o.name = d.name WHERE d.module_id = m.id"
            "  AND d.auto_install_required AND o.state = 'to install')"
        )
        todo = [name for (name,) in rows]


def button_upgrade(cr, names):
    """Marks modules and all installed ones that stand on them."""
    names = [name for (name,) in cr.rows("SELECT name FROM ir_module_module WHERE name = ANY(%s) ORDER BY sequence, name", (list(names),))]
    _allow("button_upgrade", _titles(cr, names))
    update_list(cr, _titles(cr, names))
    todo = list(names)
    if "base" in todo:
        rows = cr.rows("SELECT name FROM ir_module_module WHERE state = 'installed' AND name <> ALL(%s) ORDER BY sequence, name", (todo,))
        todo += [name for (name,) in rows]
    for name in todo:
        _refuse_missing_dependency(name, "upgrade")
        rows = cr.rows(
            "SELECT m.name FROM ir_module_module m JOIN ir_module_module_dependency d ON d.module_id = m.id WHERE d.name = %s AND m.state = 'installed'", (name,)
        )
        todo += [other for (other,) in rows if other not in todo]
    cr.execute("UPDATE ir_module_module SET state = 'to upgrade' WHERE name = ANY(%s)", (todo,))
    missing = []
    for name in todo:
        for other, state in _needed(cr, name):
            if state is None:
                raise UserError(
                    f"You try to upgrade the module {name} that depends on the module: {other}.\nBut this module is not available in your system."
                )
            if state == "uninstalled" and other not in missing:
                missing.append(other)
    button_install(cr, missing)


def reset(cr):
    """Takes back all marks after a failure."""
    if not cr.value("SELECT 1 FROM information_schema.tables WHERE table_name = 'ir_module_module'"):
        log.logger("odoo.modules.loading").info("skipping reset_modules_state, ir_module_module table does not exists")
        return
    cr.execute("UPDATE ir_module_module SET state = 'installed' WHERE state IN ('to remove', 'to upgrade')")
    cr.execute("UPDATE ir_module_module SET state = 'uninstalled' WHERE state = 'to install'")
    log.logger("odoo.modules.loading").warning("Transient module states were reset")


def _mark_install(cr, name, seen):
    if name in seen or cr.value("SELECT state FROM ir_module_module WHERE name = %s", (name,)) != "uninstalled":
        return
    seen.add(name)
    for other, state in _needed(cr, name):
        if state is None:
            raise UserError(
                f'You try to install module "{name}" that depends on module "{other}".\nBut the latter module is not available in your system.'
            )
        _mark_install(cr, other, seen)
    _refuse_missing_dependency(name, "install")
    cr.execute("UPDATE ir_module_module SET state = 'to install' WHERE name = %s", (name,))


def _refuse_missing_dependency(name, verb):
    info = modules.readable(name)
    missing = modules.missing_dependency(info) if info else None
    if missing:
        raise UserError(f'Unable to {verb} module "{name}" because an external dependency is not met: {missing}')


def _needed(cr, name):
    return cr.rows(
        "SELECT d.name, o.state FROM ir_module_module m JOIN ir_module_module_dependency d ON d.module_id = m.id"
        " LEFT JOIN ir_module_module o ON o.name = d.name WHERE m.name = %s ORDER BY d.id",
        (name,),
    )


def _insert(cr, name, info):
    state = "uninstalled" if info["installable"] else "uninstallable"
    number = cr.value(
        "INSERT INTO ir_module_module (shortdesc, summary, description, author, website, license, sequence, application, auto_install, name, state,"
        " create_date, write_date) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, now() AT TIME ZONE 'UTC', now() AT TIME ZONE 'UTC') RETURNING id",
        (*_columns(info), name, state),
    )
    cr.execute(
        "INSERT INTO ir_model_data (name, model, module, res_id, noupdate) VALUES (%s, 'ir.module.module', 'base', %s, true)", (f"module_{name}", number)
    )
    _dependencies(cr, number, info)


def _dependencies(cr, number, info):
    known = {name for (name,) in cr.rows("SELECT name FROM ir_module_module_dependency WHERE module_id = %s", (number,))}
    for name in info["depends"]:
        if name not in known:
            cr.execute("INSERT INTO ir_module_module_dependency (module_id, name) VALUES (%s, %s)", (number, name))
    gone = [name for name in known if name not in info["depends"]]
    cr.execute("DELETE FROM ir_module_module_dependency WHERE module_id = %s AND name = ANY(%s)", (number, gone))
    cr.execute(
        "UPDATE ir_module_module_dependency SET auto_install_required = name = ANY(%s) WHERE module_id = %s", (list(info["auto_install"] or ()), number)
    )


def _columns(info):
    text = lambda key: Json({"en_US": info[key]})  # noqa: E731
    author, website = info["author"], info["website"]
    flags = (info["sequence"], info["application"], info["auto_install"] is not False)
    return (text("name"), text("summary"), text("description"), author, website, info["license"], *flags)


def _titles(cr, names):
    rows = cr.rows("SELECT name, shortdesc->>'en_US' FROM ir_module_module WHERE name = ANY(%s)", (list(names),))
    titles = dict(rows)
    return str([titles[name] for name in names if name in titles])


def _allow(action, on):
    LOG.info("ALLOW access to module.%s on %s to user __system__ #1 via n/a", action, on)
