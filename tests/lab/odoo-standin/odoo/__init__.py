"""What test modules import from Odoo, as far as the stand-in has it."""

from . import addons, api, exceptions, fields, models

SUPERUSER_ID = 1
