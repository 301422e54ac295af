"""Base classes of models; the stand-in makes their tables and nothing else."""

from standin.models import Meta


class Model(metaclass=Meta):
    """A model with a table."""

    _name = None
    _inherit = None


class AbstractModel:
    """A model without a table."""


class TransientModel(Model):
    """A model whose rows do not last."""
