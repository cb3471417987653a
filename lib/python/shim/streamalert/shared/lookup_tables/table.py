"""One lookup table."""


class LookupTable:
    """Values by key."""

    def __init__(self, table_name, driver, table_configuration):
        self._table_name = table_name
        self._driver = driver
        self._table_configuration = table_configuration
        self._initialized = False

    @property
    def table_name(self):
        """Its name."""
        return self._table_name

    @property
    def driver_id(self):
        """Which driver it reads through."""
        return self._driver.id

    @property
    def driver_type(self):
        """The kind of driver it reads through."""
        return self._driver.driver_type

    def get(self, key, default=None):
        """The value of a key, or the default."""
        if not self._initialized:
            self._driver.initialize()
            self._initialized = True
        return self._driver.get(key, default)
