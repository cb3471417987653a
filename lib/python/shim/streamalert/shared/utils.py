"""Small functions that rules use: addresses and searching records."""
import ipaddress
import socket
from collections import deque
from functools import lru_cache

from streamalert.shared.logger import get_logger
from streamalert.shared.normalize import Normalizer

LOGGER = get_logger(__name__)


def _address(value):
    """An address object for what netaddr, which StreamAlert used, takes for an address."""
    if isinstance(value, str):
        try:
            return ipaddress.ip_address(value)
        except ValueError:
            # netaddr read version 4 as inet_aton does: '10.1' is 10.0.0.1.
            if ':' in value or not value.strip():
                raise
            try:
                return ipaddress.IPv4Address(socket.inet_aton(value))
            except OSError as error:
                raise ValueError(value) from error
    if isinstance(value, int):
        return ipaddress.ip_address(int(value))
    return ipaddress.ip_address(str(value))


@lru_cache(maxsize=4096)
def _network(cidr):
    """A network object, host bits allowed, version 4 octets left out at the end taken for zero."""
    text = str(cidr)
    if ':' not in text:
        address, slash, prefix = text.partition('/')
        octets = address.split('.')
        if slash and len(octets) < 4:
            text = '.'.join(octets + ['0'] * (4 - len(octets))) + slash + prefix
    return ipaddress.ip_network(text, strict=False)


def valid_ip(ip_address):
    """Whether this is an address; `::1` is none by definition."""
    if ip_address == '::1':
        return False
    try:
        _address(ip_address)
    except Exception:  # pylint: disable=broad-except
        return False
    return True


def in_network(ip_address, cidrs):
    """Whether an address lies in one of these networks."""
    if not valid_ip(ip_address):
        return False
    address = _address(ip_address)
    for cidr in cidrs:
        try:
            network = _network(cidr)
        except ValueError:
            LOGGER.error('not a network: %s', cidr)
            continue
        if address.version == network.version and address in network:
            return True
    return False


def get_first_key(data, search_key, default_value=None):
    """The first value under this key, breadth first, or the default."""
    found = get_keys(data, search_key, max_matches=1)
    return found[0] if found else default_value


def get_keys(data, search_key, max_matches=-1):
    """All values under this key anywhere in dictionaries and lists, breadth first; at most `max_matches`
    when that is positive. Normalized values are not searched: they would repeat what the record holds."""
    results = []
    queue = deque((data,))
    skipped = Normalizer.NORMALIZATION_KEY
    while queue:
        container = queue.popleft()
        if isinstance(container, dict):
            if search_key in container:
                results.append(container[search_key])
                if 0 < max_matches == len(results):
                    break
            queue.extend(value for key, value in container.items()
                         if value and isinstance(value, (dict, list)) and key != skipped)
        else:
            queue.extend(value for value in container if value and isinstance(value, (dict, list)))
    return results


def get_data_file_format(config):
    """`parquet` or `json`, as `athena_partitioner_config` of lambda.json says."""
    athena = config.get('lambda', {}).get('athena_partitioner_config', {})
    return athena.get('file_format') or 'parquet'


def get_database_name(config):
    """The Athena database of a deployment."""
    athena = config.get('lambda', {}).get('athena_partitioner_config', {})
    return athena.get('database_name') or '{}_streamalert'.format(config['global']['account']['prefix'])
