"""Where found indicators stand in a record. Finding them is the host's."""


class ThreatIntel:
    """`rec[ThreatIntel.IOC_KEY]` is a dictionary from type to a set of values."""

    IOC_KEY = 'streamalert:ioc'
