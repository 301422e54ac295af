"""Exceptions that test modules may raise."""


class UserError(Exception):
    """Something a user can put right."""


class ValidationError(UserError):
    """A value that is not allowed."""
