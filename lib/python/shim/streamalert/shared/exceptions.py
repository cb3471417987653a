"""Exceptions that user code may name."""


class StreamAlertError(Exception):
    """The root of them."""


class ConfigError(StreamAlertError):
    """Something in `conf/` cannot be used."""
