"""Something makes sure that it runs again."""
from streamalert.shared.rule import rule

# Queries whose every new row is a way to come back.
WAYS_BACK = ('crontab', 'authorized_keys', 'systemd_units')

# Configuration management writes these.
MANAGED = ('/etc/cron.d/managed-',)


@rule(
    logs=['osquery:differential'],
    outputs=['file:alerts'],
    merge_by_keys=['hostIdentifier'],
    merge_window_mins=1)
def host_persistence(record):
    """
    author:       quickstart
    description:  A scheduled job, an SSH key or a service appeared on a machine. One alert for each machine.
    """
    if record['action'] != 'added' or record['name'].rsplit('/', 1)[-1] not in WAYS_BACK:
        return False
    return not record['columns'].get('path', '').startswith(MANAGED)
