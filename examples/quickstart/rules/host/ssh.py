"""SSH logins, from the lines that sshd writes."""
import re

from rules.helpers.network import is_foreign
from streamalert.shared.rule import rule

FAILED = re.compile(r'^Failed password for (?:invalid user )?(\S+) from (\S+) port')
ACCEPTED = re.compile(r'^Accepted password for (\S+) from (\S+) port')


@rule(
    logs=['syslog:linux'],
    outputs=['file:alerts'],
    merge_by_keys=['host', 'application'],
    merge_window_mins=1)
def ssh_failed_passwords(record):
    """
    author:       quickstart
    description:  Passwords are tried from outside. The guesses on one machine arrive as one alert.
    """
    if record['application'] != 'sshd':
        return False
    failed = FAILED.match(record['message'])
    return bool(failed) and is_foreign(failed.group(2))


@rule(
    logs=['syslog:linux'],
    outputs=['file:alerts', 'file:urgent'],
    context={'who': None, 'where': None})
def ssh_password_login_from_outside(record, context):
    """
    author:       quickstart
    description:  A password was right, from an address outside of office and VPC. Our people use keys.
    playbook:     (a) Close the session, lock the user
                  (b) Look at ssh_failed_passwords of the same machine
    """
    if record['application'] != 'sshd':
        return False
    accepted = ACCEPTED.match(record['message'])
    if not accepted:
        return False
    context['who'], context['where'] = accepted.groups()
    return is_foreign(context['where'])
