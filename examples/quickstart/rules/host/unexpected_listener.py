"""A machine answers on a port that it should not."""
from streamalert.shared.rule import rule

EXPECTED_PORTS = {'22', '80', '443', '9100'}
ALL_INTERFACES = {'0.0.0.0', '::'}


@rule(
    logs=['osquery:snapshot'],
    outputs=['file:alerts'],
    merge_by_keys=['hostIdentifier'],
    merge_window_mins=1)
def host_unexpected_listener(record):
    """
    author:       quickstart
    description:  A process listens on all interfaces, on a port that is not one of ours. One alert for each machine.
    """
    if not record['name'].endswith('listening_ports'):
        return False
    return any(
        row['address'] in ALL_INTERFACES and row['port'] not in EXPECTED_PORTS
        for row in record['snapshot']
    )
