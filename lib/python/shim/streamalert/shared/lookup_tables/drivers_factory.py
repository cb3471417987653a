"""Kept for its name."""
from streamalert.shared.lookup_tables.drivers import construct_persistence_driver  # noqa: F401
