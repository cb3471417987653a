"""What generated rules share."""
from streamalert.shared.utils import in_network, valid_ip


def is_sensitive(rec, calls):
    """One of these calls, and not just a question."""
    return rec['eventName'] in calls and not rec.get('readOnly', False)


def outside(address, networks):
    """An address of none of these networks."""
    return bool(address) and valid_ip(address) and not in_network(address, networks)


def by_user(rec, users):
    """By one of these users."""
    return rec.get('userIdentity', {}).get('userName') in users


def to_owner(rec):
    """Where alerts about an account go beside the usual."""
    return ['file:urgent'] if rec.get('recipientAccountId', '').endswith('17') else []
