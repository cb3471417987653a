"""Why a lookup table cannot be used."""


class LookupTablesError(RuntimeError):
    """The root of them."""


class LookupTablesInitializationError(LookupTablesError):
    """The table's data cannot be read."""


class LookupTablesConfigurationError(LookupTablesError):
    """The table's configuration makes no sense."""


class LookupTablesCommitError(LookupTablesError):
    """A change cannot be stored."""
