"""Kinds of fields and the types of their columns."""

from standin.models import Field


def _kind(name, column):
    def make(*_args, **options):
        return Field(name, column, **options)

    make.__name__ = name
    return make


Char = _kind("Char", "character varying")
Text = _kind("Text", "text")
Html = _kind("Html", "text")
Selection = _kind("Selection", "character varying")
Integer = _kind("Integer", "integer")
Float = _kind("Float", "double precision")
Boolean = _kind("Boolean", "boolean")
Date = _kind("Date", "date")
Datetime = _kind("Datetime", "timestamp without time zone")
Binary = _kind("Binary", None)
Many2one = _kind("Many2one", "integer")
One2many = _kind("One2many", None)
Many2many = _kind("Many2many", None)
