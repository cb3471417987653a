"""Conditions that rules about machines share."""

_PRODUCTION = {'production', 'prod', 'live'}


class OsqueryMatcher:
    """Conditions on records of osquery:differential."""

    @staticmethod
    def added(rec):
        """A row appeared; rows that vanish are seldom news."""
        return rec['action'] == 'added'

    @classmethod
    def production(cls, rec):
        """The machine serves customers."""
        return rec.get('decorations', {}).get('environment', '').lower() in _PRODUCTION


def windows(rec):
    """The path is one of Windows."""
    return '\\' in rec.get('path', '')
