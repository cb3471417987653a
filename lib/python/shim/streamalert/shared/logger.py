"""Loggers; the worker routes them into the service's log."""
import logging
import os


class LogFormatter(logging.Formatter):
    """Keeps a traceback on one line."""

    def formatException(self, ei):
        return super().formatException(ei).replace('\n', '\r')


def set_formatter(logger):
    """Nothing to do: there is one handler, at the root."""


def get_logger(name, level=None):
    """The logger of this name, at `level` or `$LOGGER_LEVEL` or INFO."""
    logger = logging.getLogger(name)
    try:
        logger.setLevel((level or os.environ.get('LOGGER_LEVEL') or 'INFO').upper())
    except (AttributeError, TypeError, ValueError) as error:
        logger.setLevel('INFO')
        logger.error('unknown log level, using INFO: %s', error)
    return logger
