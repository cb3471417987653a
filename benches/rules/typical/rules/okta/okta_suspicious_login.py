"""Logins that Okta itself does not like."""
from streamalert.shared.rule import rule


def _parse(behaviors):
    """`{New Device=POSITIVE, Velocity=NEGATIVE}` as a dictionary."""
    pairs = (pair.split('=') for pair in behaviors.strip('{}').split(', ') if '=' in pair)
    return {name: verdict for name, verdict in pairs}


@rule(
    logs=['okta:logevents'],
    req_subkeys={'debugContext': ['debugData']},
    outputs=['file:security'],
    merge_by_keys=['alternateId'],
    merge_window_mins=20)
def okta_suspicious_login(rec):
    """
    author:       bench
    description:  A login from a new country on a new device, or one that moved faster than an aeroplane.
    """
    if not rec['eventType'].startswith('user.session'):
        return False
    data = rec['debugContext']['debugData']
    behaviors = _parse(data.get('behaviors') or '')
    new = [name for name in ('New Country', 'New Device', 'New IP') if behaviors.get(name) == 'POSITIVE']
    return len(new) >= 2 or behaviors.get('Velocity') == 'POSITIVE' or data.get('threatSuspected') == 'true'
