"""Disks that leave the house."""
from matchers.aws import AwsEvents
from streamalert.shared.rule import rule
from streamalert.shared.utils import get_keys

OURS = {'210500000017', '210507340050', '210514680083'}
_CALLS = {
    'ModifyImageAttribute': 'launchPermission',
    'ModifySnapshotAttribute': 'createVolumePermission',
    'ModifyDBSnapshotAttribute': 'valuesToAdd',
    'ModifyDBClusterSnapshotAttribute': 'valuesToAdd',
}


@rule(logs=['cloudwatch:events'], matchers=[AwsEvents.api_call], outputs=['file:security', 'file:oncall'])
def aws_image_or_snapshot_shared(rec):
    """
    author:       bench
    description:  An image or a snapshot can be used by everybody, or by an account that is not ours.
    """
    detail = rec['detail']
    key = _CALLS.get(detail.get('eventName'))
    if key is None:
        return False
    parameters = detail.get('requestParameters') or {}
    permission = parameters.get(key)
    if isinstance(permission, list):
        return bool(set(permission) - OURS)
    added = (permission or {}).get('add', {})
    if 'all' in get_keys(added, 'group'):
        return True
    users = set(get_keys(added, 'userId'))
    return len(users - OURS) > 0
