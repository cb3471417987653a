"""Names that no human has chosen."""
from collections import Counter
from math import log2

from streamalert.shared.rule import rule

_ENDINGS = ('.top', '.xyz', '.onion.to', '.duckdns.org', '.bit')


def _entropy(text):
    """Bits for each letter."""
    return -sum(count / len(text) * log2(count / len(text)) for count in Counter(text).values())


@rule(
    logs=['carbonblack:ingress.event.netconn'],
    outputs=['file:security'],
    merge_by_keys=['domain'],
    merge_window_mins=60)
def cb_connection_to_odd_domain(rec):
    """
    author:       bench
    description:  A connection to a domain that looks generated, or of a kind that is mostly abused.
    """
    if rec.get('direction') != 'outbound' or not rec['domain']:
        return False
    domain = rec['domain'].lower()
    if domain.endswith(_ENDINGS):
        return True
    label = max(domain.split('.')[:-1] or [''], key=len)
    return len(label) >= 16 and _entropy(label) > 3.8
