"""All lookup tables."""
from streamalert.shared.config import load_config
from streamalert.shared.logger import get_logger
from streamalert.shared.lookup_tables.configuration import LookupTablesConfiguration
from streamalert.shared.lookup_tables.drivers import (
    EphemeralDriver, NullDriver, PersistenceDriver, construct_persistence_driver)
from streamalert.shared.lookup_tables.table import LookupTable

LOGGER = get_logger(__name__)

# Set by the worker: table name -> JSON file, which wins over the configuration.
_HOST_FILES = {}


class LookupTablesCore:
    """The tables of one configuration."""

    def __init__(self, config):
        self._configuration = LookupTablesConfiguration(config=config)
        self._tables = {}
        self._null_table = LookupTable('null_table', NullDriver(None), {})

    def setup_tables(self):
        """Makes the tables; their data is read at first use."""
        settings = dict(self._configuration.table_configurations)
        settings.update((name, {'driver': 'file', 'path': path}) for name, path in _HOST_FILES.items())
        for name, setting in settings.items():
            self._tables[name] = LookupTable(name, construct_persistence_driver(setting, name), setting)

    def table(self, table_name):
        """The table of this name; an empty one when there is none."""
        return self.get_table(table_name)

    def get_table(self, table_name):
        """The table of this name; an empty one when there is none."""
        table = self._tables.get(table_name)
        if table is None:
            LOGGER.error('no lookup table %r, there are: %s', table_name, ', '.join(sorted(self._tables)))
            return self._null_table
        return table

    def get(self, table_name, key, default=None):
        """A key's value in a table, or the default."""
        return self.get_table(table_name).get(key, default)

    def _read_files(self):
        """Reads the tables that are files; answers what is wrong with those that cannot be read."""
        problems = []
        for name, table in self._tables.items():
            if table.driver_type == PersistenceDriver.TYPE_FILE:
                try:
                    table.get(None)
                except Exception as error:  # pylint: disable=broad-except
                    problems.append('lookup table {}: {}'.format(name, error))
        return problems


class LookupTables:
    """The tables of this process."""

    _instance = None

    @classmethod
    def get_instance(cls, config=None, reset=False):
        """The one instance, made at first call."""
        if cls._instance is None or reset:
            instance = LookupTablesCore(load_config() if config is None else config)
            instance.setup_tables()
            cls._instance = instance
        return cls._instance

    @classmethod
    def get(cls, table_name, key, default=None):
        """A key's value in a table, or the default."""
        return cls.get_instance().get(table_name, key, default)


def _with_fixtures(tables):
    """Replaces all tables by these dictionaries; None brings the configured ones back. For tests."""
    if tables is None:
        LookupTables._instance = None  # pylint: disable=protected-access
        return
    core = LookupTablesCore({})
    for name, values in tables.items():
        driver = EphemeralDriver(None)
        driver._cache = values  # pylint: disable=protected-access
        core._tables[name] = LookupTable(name, driver, {})  # pylint: disable=protected-access
    LookupTables._instance = core  # pylint: disable=protected-access
