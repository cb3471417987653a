"""Blinding the cameras first."""
from streamalert.shared.rule import rule

_TRAIL = {'StopLogging', 'DeleteTrail', 'UpdateTrail', 'PutEventSelectors'}
_OTHERS = {
    'guardduty.amazonaws.com': {'DeleteDetector', 'UpdateDetector', 'StopMonitoringMembers', 'DeleteMembers'},
    'config.amazonaws.com': {'StopConfigurationRecorder', 'DeleteConfigurationRecorder', 'DeleteDeliveryChannel'},
    'logs.amazonaws.com': {'DeleteLogGroup', 'DeleteLogStream', 'DeleteSubscriptionFilter'},
    'ec2.amazonaws.com': {'DeleteFlowLogs'},
}


@rule(
    logs=['cloudwatch:events'],
    req_subkeys={'detail': ['eventSource', 'eventName']},
    outputs=['file:oncall', 'file:security'])
def aws_cloudtrail_tampering(rec):
    """
    author:       bench
    description:  A trail, a detector or a log was stopped, deleted or made to see less.
    """
    source, name = rec['detail']['eventSource'], rec['detail']['eventName']
    if source == 'cloudtrail.amazonaws.com':
        return name in _TRAIL
    return name in _OTHERS.get(source, ())
