"""Just enough of models for test modules: classes become tables with the columns that Odoo would give them."""

import sys

from psycopg2.extras import Json

SPECIAL = "id serial PRIMARY KEY, create_uid integer, write_uid integer, create_date timestamp without time zone, write_date timestamp without time zone"
_classes = {}


class Field:
    """One column."""

    def __init__(self, kind, column, required=False, **_rest):
        self.kind, self.column, self.required = kind, column, required


class Environment:
    """What hooks of modules receive; its cursor is all that is imitated."""

    def __init__(self, cr):
        self.cr, self.uid, self.su = cr, 1, True


class Meta(type):
    """Remembers each model class with the module that defines it."""

    def __new__(mcs, name, bases, attributes):
        made = super().__new__(mcs, name, bases, attributes)
        parts = attributes["__module__"].split(".")
        if parts[:2] == ["odoo", "addons"]:
            _classes.setdefault(parts[2], []).append(made)
        return made


def create_tables(cr, module):
    """Makes or widens the tables of a module's models; returns the names of its models."""
    done = []
    for one in _classes.get(module, ()):
        name = one.__dict__.get("_name") or one._inherit
        table = name.replace(".", "_")
        done.append(name)
        cr.execute(f'CREATE TABLE IF NOT EXISTS "{table}" ({SPECIAL})')
        number = cr.value("SELECT id FROM ir_model WHERE model = %s", (name,))
        if number is None:
            number = cr.value(
                "INSERT INTO ir_model (model, name, state, transient) VALUES (%s, %s, 'base', false) RETURNING id",
                (name, Json({"en_US": getattr(one, "_description", name)})),
            )
        remember(cr, module, f"model_{table}", "ir.model", number)
        for column, field in vars(one).items():
            if isinstance(field, Field) and field.column:
                cr.execute(f'ALTER TABLE "{table}" ADD COLUMN IF NOT EXISTS "{column}" {field.column}')
                if field.required:
                    cr.execute(f'ALTER TABLE "{table}" ALTER COLUMN "{column}" SET NOT NULL')
    return done


def has_models(module):
    """Whether a module defines or extends models."""
    return bool(_classes.get(module))


def remember(cr, module, name, model, number, noupdate=False):
    """Keeps the external id of a record."""
    cr.execute(
        "INSERT INTO ir_model_data (module, name, model, res_id, noupdate) VALUES (%s, %s, %s, %s, %s) ON CONFLICT (module, name) DO NOTHING",
        (module, name, model, number, noupdate),
    )


def known(cr, module, external):
    """The record that an external id stands for, or None."""
    module, name = external.split(".", 1) if "." in external else (module, external)
    return cr.value("SELECT res_id FROM ir_model_data WHERE module = %s AND name = %s", (module, name))


def forget(module):
    """Forgets a module's classes, so that changed code can be read again."""
    _classes.pop(module, None)
    for name in [name for name in sys.modules if name == f"odoo.addons.{module}" or name.startswith(f"odoo.addons.{module}.")]:
        del sys.modules[name]
