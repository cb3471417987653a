"""`conf/lookup_tables.json`."""
from streamalert.shared.config import load_config


class LookupTablesConfiguration:
    """Which tables there are; none unless enabled."""

    def __init__(self, config=None):
        tables = (load_config() if config is None else config).get('lookup_tables') or {}
        self._configuration = tables if tables.get('enabled') else {}

    @property
    def is_enabled(self):
        """Whether the feature is on."""
        return bool(self._configuration)

    @property
    def table_configurations(self):
        """Configuration by table."""
        return self._configuration.get('tables', {})

    @property
    def table_names(self):
        """Names of the tables."""
        return list(self.table_configurations)
