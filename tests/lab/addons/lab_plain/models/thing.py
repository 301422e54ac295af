from odoo import fields, models


class Thing(models.Model):
    _name = "lab.thing"
    _description = "Lab thing"

    name = fields.Char(required=True)
    number = fields.Integer()
