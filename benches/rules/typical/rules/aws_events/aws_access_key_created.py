"""Keys outlive passwords."""
from streamalert.shared.rule import rule
from streamalert.shared.utils import get_first_key

_PIPELINES = ('/deploy', '/provisioning', ':assumed-role/key-rotation/')


@rule(logs=['cloudwatch:events'], outputs=['file:security'], merge_by_keys=['account'], merge_window_mins=5)
def aws_access_key_created(rec):
    """
    author:       bench
    description:  An access key was made for the root user, or for somebody else than who made it.
    """
    if rec['detail'].get('eventName') != 'CreateAccessKey':
        return False
    if get_first_key(rec, 'type') == 'Root':
        return True
    caller = get_first_key(rec, 'userName', '')
    arn = get_first_key(rec, 'arn', '')
    if any(part in arn for part in _PIPELINES):
        return False
    wanted = (rec['detail'].get('requestParameters') or {}).get('userName', caller)
    return wanted != caller and not wanted.startswith('svc-')
