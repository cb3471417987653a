"""One user makes a key for another, which is a way to stay."""
from matchers.aws import ApiCall
from streamalert.shared.rule import rule


@rule(
    logs=['cloudtrail:events'],
    matchers=[ApiCall.succeeded, ApiCall.by_a_person],
    outputs=['file:alerts'])
def aws_access_key_for_another_user(record):
    """
    author:       quickstart
    description:  An access key was created for a user other than the caller.
    playbook:     (a) Administrators do this when they set up a user: look for CreateUser just before
                  (b) Otherwise disable the key, and look for what it was used for
    """
    if record['eventSource'] != 'iam.amazonaws.com' or record['eventName'] != 'CreateAccessKey':
        return False
    # Without a user name in the request, the key is the caller's own.
    target = (record['requestParameters'] or {}).get('userName')
    return bool(target) and target != record['userIdentity'].get('userName')
