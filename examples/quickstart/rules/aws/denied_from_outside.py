"""Somebody with a key tries what it is good for."""
from rules.helpers.network import is_foreign
from streamalert.shared.rule import rule

DENIED = ('AccessDenied', 'AccessDeniedException', 'Client.UnauthorizedOperation')


@rule(
    logs=['cloudtrail:events'],
    req_subkeys={'userIdentity': ['accessKeyId']},
    outputs=['file:alerts'],
    merge_by_keys=['accessKeyId'],
    merge_window_mins=1)
def aws_denied_from_outside(record):
    """
    author:       quickstart
    description:  AWS denied a call that came from outside of office and VPC. One is a typing mistake; many with one
                  key are somebody who found the key and tries doors. They arrive as one alert for each key.
    playbook:     (a) Ask the owner of the key
                  (b) Disable the key
    """
    return record.get('errorCode') in DENIED and is_foreign(record['sourceIPAddress'])
