"""Which networks are ours."""
from streamalert.shared.utils import in_network, valid_ip

KNOWN_NETWORKS = {
    '10.0.0.0/8',
    '192.168.0.0/16',
    '198.51.100.0/24',
    '203.0.113.0/24',
}

EVERYBODY = frozenset({'0.0.0.0/0', '::/0'})


def from_outside(address):
    """Whether this is an address, and none of ours. Services have names where people have addresses."""
    return valid_ip(address) and not in_network(address, KNOWN_NETWORKS)


def open_ranges(permissions):
    """The port ranges that everybody may reach: pairs of first and last port."""
    found = []
    for item in (permissions or {}).get('items', []):
        ranges = item.get('ipRanges', {}).get('items', [])
        ranges = ranges + item.get('ipv6Ranges', {}).get('items', [])
        for entry in ranges:
            if entry.get('cidrIp') in EVERYBODY or entry.get('cidrIpv6') in EVERYBODY:
                found.append((item.get('fromPort', 0), item.get('toPort', 65535)))
    return found
