"""Somebody finds out what a key is good for."""
from fnmatch import fnmatch

from streamalert.shared.rule import rule

_QUESTIONS = ['List*', 'Describe*Polic*', 'GetAccount*', 'GetCaller*', 'GetUser*', 'Simulate*']
_EXPECTED = ('AWSServiceRoleFor', 'OrganizationAccountAccessRole', 'config-recorder', 'security-audit')


@rule(
    logs=['cloudtrail:events'],
    outputs=['file:security'],
    merge_by_keys=['sourceIPAddress', 'userName'],
    merge_window_mins=10)
def aws_denied_enumeration(rec):
    """
    author:       bench
    description:  Questions about users, policies and accounts that were refused, as tools ask them one by one.
    """
    code = rec.get('errorCode', '')
    if not (code.endswith('UnauthorizedOperation') or code.startswith('AccessDenied')):
        return False
    arn = rec.get('userIdentity', {}).get('arn') or ''
    if any(name in arn for name in _EXPECTED):
        return False
    return any(fnmatch(rec['eventName'], question) for question in _QUESTIONS)
