"""Data files of test modules: records in XML, access rights in CSV. Anything else is refused by name."""

import csv
import os
import xml.etree.ElementTree as ElementTree

from . import models, modules


class ParseError(Exception):
    """A data file that cannot be loaded."""


ParseError.__module__ = "odoo.tools.convert"


def load(cr, module, file):
    """Loads one file of a module."""
    path = os.path.join(modules.path_of(module), file)
    if not os.path.exists(path):
        raise FileNotFoundError(f"File not found: {module}/{file}")
    if file.endswith(".xml"):
        _load_xml(cr, module, path)
    elif os.path.basename(file) == "ir.model.access.csv":
        _load_access(cr, module, path)
    elif file.endswith(".sql"):
        with open(path, encoding="utf-8") as text:
            cr.execute(text.read())
    else:
        raise ValueError(f"Can't load unknown file type {file}.")


def _load_access(cr, module, path):
    with open(path, encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            model = models.known(cr, module, row["model_id:id"])
            group = models.known(cr, module, row["group_id:id"]) if row["group_id:id"] else None
            values = {"name": row["name"], "model_id": model, "group_id": group, "active": True}
            values.update({key: row[key] == "1" for key in ("perm_read", "perm_write", "perm_create", "perm_unlink")})
            _write(cr, module, "ir.model.access", row["id"], values, False)


def _load_xml(cr, module, path):
    root = ElementTree.parse(path).getroot()
    for parent in [root, *root.findall("data")]:
        quiet = parent.get("noupdate", "0") in ("1", "True", "true")
        for record in parent.findall("record"):
            try:
                values = {field.get("name"): _value(cr, module, field) for field in record.findall("field")}
                _write(cr, module, record.get("model"), record.get("id"), values, quiet)
            except Exception as err:
                text = ElementTree.tostring(record, encoding="unicode").rstrip()
                raise ParseError(f"while parsing {path}:{_line(path, record.get('id'))}, somewhere inside\n{text}") from err


def _line(path, external):
    with open(path, encoding="utf-8") as file:
        return next((number for number, line in enumerate(file, 1) if f'id="{external}"' in line), 1)


def _value(cr, module, field):
    if field.get("ref"):
        number = models.known(cr, module, field.get("ref"))
        if number is None:
            name = field.get("ref") if "." in field.get("ref") else f"{module}.{field.get('ref')}"
            raise ValueError(f"External ID not found in the system: {name}")
        return number
    if field.get("eval"):
        return eval(field.get("eval"), {"__builtins__": {}}, {"True": True, "False": False, "None": None})
    return field.text


def _write(cr, module, model, external, values, quiet):
    table = model.replace(".", "_")
    columns = {name for (name,) in cr.rows("SELECT column_name FROM information_schema.columns WHERE table_name = %s", (table,))}
    if not columns:
        raise KeyError(model)
    for name in values:
        if name not in columns:
            raise ValueError(f"Invalid field {name!r} on model {model!r}")
    number = models.known(cr, module, external)
    for stamp in ("create_uid", "write_uid"):
        if stamp in columns and (number is None or stamp == "write_uid"):
            values.setdefault(stamp, 1)
    for stamp in ("create_date", "write_date"):
        if stamp in columns and (number is None or stamp == "write_date"):
            values.setdefault(stamp, cr.value("SELECT now() AT TIME ZONE 'UTC'"))
    names = ", ".join(f'"{name}"' for name in values)
    marks = ", ".join(["%s"] * len(values))
    if number is None:
        number = cr.value(f'INSERT INTO "{table}" ({names}) VALUES ({marks}) RETURNING id', tuple(values.values()))
        models.remember(cr, module, external, model, number, quiet)
    elif not cr.value("SELECT noupdate FROM ir_model_data WHERE module = %s AND name = %s", (module, external)):
        setting = ", ".join(f'"{name}" = %s' for name in values)
        cr.execute(f'UPDATE "{table}" SET {setting} WHERE id = %s', (*values.values(), number))
