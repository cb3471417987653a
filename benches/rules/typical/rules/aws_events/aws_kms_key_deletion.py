"""Without its key, data is gone."""
from streamalert.shared.rule import rule

WAIT_DAYS_MIN = 14


@rule(
    logs=['cloudwatch:events'],
    req_subkeys={'detail': ['requestParameters']},
    outputs=['file:oncall'],
    context={'days': 0})
def aws_kms_key_deletion(rec, context):
    """
    author:       bench
    description:  A key is to be deleted soon, or cannot be used from now on.
    """
    detail = rec['detail']
    if detail['eventSource'] == 'kms.amazonaws.com':
        if detail['eventName'] == 'ScheduleKeyDeletion':
            days = int((detail['requestParameters'] or {}).get('pendingWindowInDays', 30))
            context['days'] = days
            return days < WAIT_DAYS_MIN
        return detail['eventName'] == 'DisableKey'
    return False
