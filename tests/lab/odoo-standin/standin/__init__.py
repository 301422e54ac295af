"""A stand-in for Odoo 18.0: behaves like it from the outside, and is none.

Read in this order: options, log, database, modules, graph, loading, server.
"""

SERIES = "18.0"
