"""Whoever administers the directory administers everything."""
from streamalert.shared.rule import rule

_STRONG = ('Super administrator', 'Organization administrator', 'Application administrator')


@rule(logs=['okta:logevents'], outputs=['file:security', 'file:oncall'])
def okta_admin_granted(rec):
    """
    author:       bench
    description:  A user became an administrator with far-reaching rights.
    """
    if rec['eventType'] != 'user.account.privilege.grant' or rec['outcome']['result'] != 'SUCCESS':
        return False
    granted = rec['debugContext']['debugData'].get('privilegeGranted', '')
    return any(role.strip() in _STRONG for role in granted.split(','))
