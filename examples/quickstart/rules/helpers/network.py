"""What belongs to us, and what does not."""
import ipaddress

# The VPC and the office. The office's addresses are its way out, so they are seen as public by AWS.
VPC = ipaddress.ip_network('10.0.0.0/8')
OFFICE = ipaddress.ip_network('198.51.100.0/28')

# Ports that administrators use, and nobody else has a reason to.
ADMIN_PORTS = {22: 'ssh', 3389: 'rdp', 5432: 'postgres', 6379: 'redis', 9200: 'elasticsearch'}


def address(text):
    """The address that the text is, or None: flow records have '-', CloudTrail has host names of services."""
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def is_public(text):
    """An address outside of the VPC."""
    found = address(text)
    return found is not None and found not in VPC


def is_foreign(text):
    """An address outside of both VPC and office."""
    return is_public(text) and address(text) not in OFFICE


def ports_open_to_the_world(permissions):
    """The (from, to) port ranges that CloudTrail's ipPermissions open to every address; None stands for all ports."""
    ranges = []
    for permission in (permissions or {}).get('items', []):
        v4 = [item.get('cidrIp') for item in permission.get('ipRanges', {}).get('items', [])]
        v6 = [item.get('cidrIpv6') for item in permission.get('ipv6Ranges', {}).get('items', [])]
        if '0.0.0.0/0' in v4 or '::/0' in v6:
            ranges.append((permission.get('fromPort'), permission.get('toPort')))
    return ranges


def admin_ports_in(ranges):
    """The names of the administrators' ports within the ranges, sorted."""
    names = set()
    for low, high in ranges:
        for port, name in ADMIN_PORTS.items():
            if low is None or low <= port <= high:
                names.add(name)
    return sorted(names)
