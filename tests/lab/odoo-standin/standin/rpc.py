"""JSON-RPC: logging in, and reading and writing the tables that the lab's tests need."""

import base64
import json
import threading

import psycopg2

from . import SERIES, core, database, filestore, log, mail
from .options import options

LOG = log.logger("odoo.addons.base.models.res_users")
VERSION = {"server_version": SERIES, "server_version_info": [18, 0, 0, "final", 0, ""], "server_serie": SERIES, "protocol_version": 1}
COMPARISONS = {"=": "=", "!=": "<>", "<": "<", ">": ">", "<=": "<=", ">=": ">="}
# mail_mail inherits these columns from the message.
MESSAGE = ("subject", "email_from", "message_id", "date", "body")


class Refused(Exception):
    """What the caller is told; `name` is the exception's name in Odoo."""

    def __init__(self, name, text):
        super().__init__(text)
        self.name = name


def call(body, registry):
    """Answers one request; also what is to be noted in the log."""
    request = {}
    try:
        request = json.loads(body)
        parameters = request.get("params", {})
        if parameters.get("service") != "object" and registry:
            # These services have no database of their own, and the log shows it so.
            threading.current_thread().dbname = None
        result = _dispatch(**parameters)
        answer = {"jsonrpc": "2.0", "id": request.get("id"), "result": result}
        if result is None:
            del answer["result"]
        return answer, None
    except Refused as err:
        return _refusal(request, err.name, str(err)), str(err)
    except Exception as err:
        log.logger("odoo.http").error("Exception during request handling.", exc_info=True)
        return _refusal(request, f"{type(err).__module__}.{type(err).__name__}", str(err)), None


def authenticate(cr, login, password, source):
    """The user whose login and password these are, or None."""
    found = cr.rows("SELECT id, password FROM res_users WHERE login = %s AND active", (login,))
    right = bool(found) and core.is_password(password, found[0][1])
    LOG.info("Login %s for db:%s login:%s from %s", "successful" if right else "failed", cr.connection.info.dbname, login, source)
    if right and not found[0][1].startswith("$"):
        core.set_password(cr, found[0][0], password)
    return found[0][0] if right else None


def _dispatch(service, method, args):
    if service == "common":
        if method == "version":
            return VERSION
        if method in ("authenticate", "login"):
            with database.Cursor(args[0]) as cr:
                return authenticate(cr, args[1], args[2], "n/a") or False
    if service == "db":
        if method == "list":
            if not options["list_db"]:
                raise Refused("odoo.exceptions.AccessDenied", "Access Denied")
            return database.listed()
        if method == "db_exist":
            return database.exists(args[0])
        if method == "server_version":
            return SERIES
    if service == "object" and method in ("execute_kw", "execute"):
        name, user, password, model, action, *rest = args
        positional, named = (rest + [[], {}])[:2] if method == "execute_kw" else (rest, {})
        threading.current_thread().dbname = name
        with database.Cursor(name) as cr:
            kept = cr.value("SELECT password FROM res_users WHERE id = %s AND active", (user,))
            if not core.is_password(password, kept):
                raise Refused("odoo.exceptions.AccessDenied", "Access Denied")
            return _execute(cr, name, model, action, positional, named or {})
    raise Refused("builtins.AttributeError", f"the stand-in has no {service}.{method}")


def _execute(cr, name, model, action, args, named):
    table = model.replace(".", "_")
    if not database.has_table(cr, table):
        raise Refused("odoo.exceptions.UserError", f"Object {model} doesn't exist")
    if action in ("search_read", "search", "search_count"):
        return _search(cr, name, table, action, (args + [[]])[0] or named.get("domain", []), named.get("fields") or (args[1] if len(args) > 1 else None))
    if action == "create":
        values = args[0]
        made = [_create(cr, name, model, one) for one in (values if isinstance(values, list) else [values])]
        return made if isinstance(values, list) else made[0]
    if action == "write":
        return _write(cr, name, table, args[0], args[1])
    if action == "unlink":
        cr.execute(f'DELETE FROM "{table}" WHERE id = ANY(%s)', (args[0],))
        return True
    if (model, action) == ("mail.mail", "send"):
        mail.send(cr, args[0])
        log.logger("odoo.service.model").info("The method %s of the object %s can not return `None`!", action, model)
        return None
    if (model, action) == ("ir.mail_server", "test_smtp_connection"):
        try:
            mail.test(cr, args[0][0])
        except mail.DeliveryError as err:
            raise Refused("odoo.exceptions.UserError", str(err)) from err
        return {"type": "ir.actions.client", "tag": "display_notification"}
    if model == "ir.config_parameter" and action == "get_param":
        return cr.value("SELECT value FROM ir_config_parameter WHERE key = %s", (args[0],)) or False
    if model == "ir.config_parameter" and action == "set_param":
        cr.execute("INSERT INTO ir_config_parameter (key, value) VALUES (%s, %s) ON CONFLICT (key) DO UPDATE SET value = excluded.value", tuple(args[:2]))
        return True
    raise Refused("builtins.AttributeError", f"The method '{model}.{action}' does not exist")


def _search(cr, name, table, action, domain, fields):
    source = "mail_mail t JOIN mail_message g ON g.id = t.mail_message_id" if table == "mail_mail" else f'"{table}" t'
    column = lambda field: f'g."{field}"' if table == "mail_mail" and field in MESSAGE else f't."{field}"'  # noqa: E731
    clauses, values = ["true"], []
    for field, operator, value in domain:
        if operator in ("in", "not in"):
            clauses.append(f"{'NOT ' if operator == 'not in' else ''}{column(field)} = ANY(%s)")
        elif operator in ("like", "ilike"):
            clauses.append(f"{column(field)} {operator} %s")
            value = f"%{value}%"
        else:
            clauses.append(f"{column(field)} {COMPARISONS[operator]} %s")
        values.append(value)
    where = " AND ".join(clauses)
    if table == "ir_mail_server" and not any(field == "active" for field, *_ in domain):
        where += " AND t.active"
    if action == "search_count":
        return cr.value(f"SELECT count(*) FROM {source} WHERE {where}", values)
    order = "t.id DESC" if table in ("mail_mail", "ir_attachment") else "t.id"
    if action == "search":
        return [number for (number,) in cr.rows(f"SELECT t.id FROM {source} WHERE {where} ORDER BY {order}", values)]
    fields = [field for field in fields or _columns(cr, table) if field not in ("id", "datas")] if fields != ["datas"] else []
    chosen = ", ".join([column("id"), *map(column, fields)])
    found = [dict(zip(["id", *fields], row, strict=True)) for row in cr.rows(f"SELECT {chosen} FROM {source} WHERE {where} ORDER BY {order}", values)]
    for row in found:
        row.update({key: _plain(value) for key, value in row.items()})
        if table == "ir_attachment" and row.get("store_fname"):
            row["datas"] = base64.b64encode(filestore.get(name, row["store_fname"])).decode()
    return found


def _plain(value):
    if value is None:
        return False
    if isinstance(value, dict):
        return value.get("en_US", False)
    return value if isinstance(value, (bool, int, float, str)) else str(value)


def _columns(cr, table):
    return [name for (name,) in cr.rows("SELECT column_name FROM information_schema.columns WHERE table_name = %s ORDER BY ordinal_position", (table,))]


def _create(cr, name, model, values):
    if model == "mail.mail":
        return mail.create(cr, values)
    table = model.replace(".", "_")
    values = _stored(name, table, values)
    if table == "ir_mail_server":
        values = {"active": True, "sequence": 10, "smtp_port": 25, "smtp_encryption": "none", "smtp_authentication": "login", **values}
    names, marks = ", ".join(f'"{key}"' for key in values), ", ".join(["%s"] * len(values))
    return cr.value(f'INSERT INTO "{table}" ({names}) VALUES ({marks}) RETURNING id', tuple(values.values()))


def _write(cr, name, table, numbers, values):
    values = _stored(name, table, values)
    setting = ", ".join(f'"{key}" = %s' for key in values)
    try:
        cr.execute(f'UPDATE "{table}" SET {setting} WHERE id = ANY(%s)', (*values.values(), numbers))
    except psycopg2.errors.UndefinedColumn as err:
        raise Refused("builtins.ValueError", f"Invalid field on model {table!r}: {err}") from err
    return True


def _stored(name, table, values):
    if table != "ir_attachment":
        return values
    values = {"type": "binary", **values}
    content = base64.b64decode(values.pop("datas", "") or "")
    checksum, relative = filestore.put(name, content)
    kind = values.get("mimetype") or filestore.kind(values.get("name", ""))
    return {**values, "checksum": checksum, "store_fname": relative, "file_size": len(content), "mimetype": kind}


def _refusal(request, name, text):
    data = {"name": name, "debug": text, "message": text, "arguments": [text], "context": {}}
    return {"jsonrpc": "2.0", "id": request.get("id"), "error": {"code": 200, "message": "Odoo Server Error", "data": data}}
