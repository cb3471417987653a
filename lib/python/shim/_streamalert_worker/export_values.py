"""Values of the standard library's own classes, as a call that makes an equal value."""
import sys


def _text(thing):
    return [str(thing)]


def _reduced(thing):
    return list(type(thing).__reduce__(thing)[1])


def _datetime(thing):
    if thing.fold:
        return None
    return [thing.year, thing.month, thing.day, thing.hour, thing.minute, thing.second, thing.microsecond,
            thing.tzinfo]


# Their hashes are no code of the user's.
_KEYS = frozenset(id(kind) for kind in (str, bytes, int, bool, float, type(None)))


def _dict(thing):
    """A plain dictionary in the same order; None when making it would ask the user's keys for their hashes."""
    if all(id(type(key)) in _KEYS for key in dict.__iter__(thing)):
        return [dict(thing)]
    return None


def _defaultdict(thing):
    content = _dict(thing)
    return content and [thing.default_factory] + content


def _timezone(thing):
    return [thing.utcoffset(None)]


# (module, class) -> arguments of the class, or None when this value cannot be made so.
_ARGUMENTS = {
    ('builtins', 'bytearray'): lambda thing: [bytes(thing)],
    ('builtins', 'complex'): lambda thing: [thing.real, thing.imag],
    ('builtins', 'range'): lambda thing: [thing.start, thing.stop, thing.step],
    ('collections', 'Counter'): _dict,
    ('collections', 'OrderedDict'): _dict,
    ('collections', 'defaultdict'): _defaultdict,
    ('collections', 'deque'): lambda thing: [list(thing), thing.maxlen],
    ('datetime', 'date'): lambda thing: [thing.year, thing.month, thing.day],
    ('datetime', 'datetime'): _datetime,
    ('datetime', 'timedelta'): lambda thing: [thing.days, thing.seconds, thing.microseconds],
    ('datetime', 'timezone'): _timezone,
    ('decimal', 'Decimal'): _text,
    ('fractions', 'Fraction'): lambda thing: [thing.numerator, thing.denominator],
    ('ipaddress', 'IPv4Address'): _text,
    ('ipaddress', 'IPv4Interface'): _text,
    ('ipaddress', 'IPv4Network'): _text,
    ('ipaddress', 'IPv6Address'): _text,
    ('ipaddress', 'IPv6Interface'): _text,
    ('ipaddress', 'IPv6Network'): _text,
    ('operator', 'attrgetter'): _reduced,
    ('operator', 'itemgetter'): _reduced,
    ('pathlib', 'PosixPath'): _text,
    ('pathlib', 'PurePosixPath'): _text,
    ('uuid', 'UUID'): _text,
}


class Values:
    """Knows the classes that are loaded."""

    def __init__(self):
        # By identity: classes of the user's may compare and hash as they like.
        self._arguments = {}
        for (module, name), arguments in _ARGUMENTS.items():
            kind = sys.modules[module].__dict__.get(name) if module in sys.modules else None
            if kind is not None:
                self._arguments[id(kind)] = (kind, arguments)
        logging = sys.modules['logging'].__dict__
        self._logger, self._get_logger = logging['Logger'], logging['getLogger']

    def call(self, thing):
        """(callable, arguments) for a value of exactly such a class; None for any other."""
        kind, arguments = self._arguments.get(id(type(thing)), (None, None))
        if kind is not None:
            found = arguments(thing)
            return None if found is None else (kind, found)
        if type(thing) is self._logger and thing.name != 'root':
            return self._get_logger, [thing.name]
        return None
