"""A door that nobody ordered."""
from streamalert.shared.rule import rule

_EXPECTED = {22, 80, 443, 9100}
_ANYWHERE = ['0.0.0.0', '::']


@rule(logs=['osquery:differential', 'osquery:snapshot'], outputs=['file:security'])
def osquery_unexpected_listener(rec):
    """
    author:       bench
    description:  A process accepts connections from everywhere on a port that is not in the list.
    """
    if not rec['name'].endswith('listening_ports'):
        return False
    rows = rec['snapshot'] if 'snapshot' in rec else [rec['columns']]
    for row in rows:
        try:
            port = int(row['port'])
        except (KeyError, ValueError):
            continue
        if row.get('address') in _ANYWHERE and port not in _EXPECTED and 0 < port < 32768:
            return True
    return False
