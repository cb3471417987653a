"""Where a lookup table's data comes from."""
import json

from streamalert.shared.lookup_tables.errors import (
    LookupTablesCommitError, LookupTablesConfigurationError, LookupTablesInitializationError)


class PersistenceDriver:
    """What tables read through. Drivers are initialized at first use."""

    TYPE_S3 = 's3'
    TYPE_DYNAMODB = 'dynamodb'
    TYPE_NULL = 'null'
    TYPE_EPHEMERAL = 'ephemeral'
    TYPE_FILE = 'file'

    driver_type = TYPE_NULL

    def __init__(self, configuration):
        self._configuration = configuration

    @property
    def id(self):  # pylint: disable=invalid-name
        """Names the driver."""
        return '{}:1'.format(self.driver_type)

    def initialize(self):
        """Reads the data."""

    def commit(self):
        """Stores changes."""

    def get(self, key, default=None):
        """The value of a key."""
        raise NotImplementedError

    def set(self, key, value):
        """Changes the value of a key."""
        raise NotImplementedError


class NullDriver(PersistenceDriver):
    """Holds nothing."""

    def get(self, key, default=None):
        return default

    def set(self, key, value):
        pass


class EphemeralDriver(PersistenceDriver):
    """A dictionary in memory."""

    driver_type = PersistenceDriver.TYPE_EPHEMERAL

    def __init__(self, configuration):
        super().__init__(configuration)
        self._cache = {}

    def get(self, key, default=None):
        return self._cache.get(key, default)

    def set(self, key, value):
        self._cache[key] = value


class FileDriver(EphemeralDriver):
    """A JSON file with one dictionary: `{"driver": "file", "path": ...}`."""

    driver_type = PersistenceDriver.TYPE_FILE

    @property
    def id(self):
        return 'file:{}'.format(self._configuration['path'])

    def initialize(self):
        path = self._configuration['path']
        try:
            with open(path, encoding='utf-8') as file:
                data = json.load(file)
        except (OSError, ValueError) as error:
            raise LookupTablesInitializationError('cannot read {}: {}'.format(path, error)) from error
        if not isinstance(data, dict):
            raise LookupTablesInitializationError('not a dictionary: {}'.format(path))
        self._cache = data

    def commit(self):
        raise LookupTablesCommitError('tables in files are not written: {}'.format(self._configuration['path']))


class AwsDriver(PersistenceDriver):
    """A table that lives in AWS and was given no local file."""

    def __init__(self, configuration, name):
        super().__init__(configuration)
        self.driver_type = configuration['driver']
        self._name = name

    def initialize(self):
        raise LookupTablesInitializationError(
            'lookup table {!r} is kept in {}, which needs AWS; give it a local file'.format(
                self._name, self.driver_type))

    def get(self, key, default=None):
        self.initialize()

    def set(self, key, value):
        self.initialize()


def construct_persistence_driver(table_configuration, name='?'):
    """The driver that a table's configuration asks for."""
    kind = table_configuration.get('driver')
    if kind == PersistenceDriver.TYPE_FILE:
        return FileDriver(table_configuration)
    if kind in (PersistenceDriver.TYPE_S3, PersistenceDriver.TYPE_DYNAMODB):
        return AwsDriver(table_configuration, name)
    if kind == PersistenceDriver.TYPE_NULL:
        return NullDriver(table_configuration)
    if kind == PersistenceDriver.TYPE_EPHEMERAL:
        return EphemeralDriver(table_configuration)
    raise LookupTablesConfigurationError('lookup table {!r}: unknown driver {!r}'.format(name, kind))
