"""The account owner should not be needed."""
from streamalert.shared.rule import rule

_BACKGROUND = {'AwsServiceEvent', 'AwsConsoleAction'}


@rule(
    logs=['cloudtrail:events'],
    outputs=['file:oncall', 'file:security'],
    merge_by_keys=['recipientAccountId'],
    merge_window_mins=30)
def aws_root_activity(rec):
    """
    author:       bench
    description:  The root user of an account signed in or called an API.
    playbook:     (a) Ask the holder of the root credentials
                  (b) If nobody did it, rotate them and look at what was called
    """
    identity = rec['userIdentity']
    return (identity.get('type') == 'Root'
            and identity.get('invokedBy') is None
            and rec['eventType'] not in _BACKGROUND)
