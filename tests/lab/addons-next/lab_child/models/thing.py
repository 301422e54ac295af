from odoo import fields, models


class Thing(models.Model):
    _inherit = "lab.thing"

    note = fields.Char()
