"""A package whose path is the list of addons roots."""
