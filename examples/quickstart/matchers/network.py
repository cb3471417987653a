"""Conditions on VPC flow records."""
from rules.helpers.network import is_public


class Flow:
    """Matchers for records of cloudwatch:flow_logs."""

    @classmethod
    def has_data(cls, record):
        """The record is about traffic; NODATA and SKIPDATA are about its absence."""
        return record['flowlogstatus'] == 'OK'

    @classmethod
    def inbound(cls, record):
        """From the internet to one of our machines."""
        return is_public(record['source']) and not is_public(record['destination'])

    @classmethod
    def outbound(cls, record):
        """From one of our machines to the internet."""
        return is_public(record['destination']) and not is_public(record['source'])
