"""Where we have nothing, nothing should happen."""
from matchers.aws import CloudTrail
from streamalert.shared.rule import rule

REGIONS = {'us-east-1', 'us-west-2', 'eu-west-1', 'ap-southeast-2'}
# Their calls are in one region whatever they are about, or ask about all regions in turn.
_GLOBAL = {'iam.amazonaws.com', 'sts.amazonaws.com', 'support.amazonaws.com', 'config.amazonaws.com'}


@rule(logs=['cloudtrail:events'], matchers=[CloudTrail.is_write], outputs=['file:security'])
def aws_unusual_region(rec):
    """
    author:       bench
    description:  Something was changed in a region that we do not use.
    """
    return rec['awsRegion'] not in REGIONS and rec['eventSource'] not in _GLOBAL
