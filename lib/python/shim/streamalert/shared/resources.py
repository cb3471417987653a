"""Outputs that every alert has."""


def get_required_outputs():
    """The history output."""
    return {'aws-firehose:alerts'}
