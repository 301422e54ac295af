"""Decorators of methods; they do nothing here."""


def model(method):
    """Marks a method that needs no record."""
    return method


def depends(*_names):
    """Marks a computation."""
    return lambda method: method


constrains = onchange = depends
model_create_multi = model
