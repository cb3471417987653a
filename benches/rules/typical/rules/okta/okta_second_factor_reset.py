"""Helpdesks get called by attackers, too."""
from streamalert.shared.rule import rule

_EVENTS = {'user.mfa.factor.deactivate', 'user.mfa.factor.reset_all', 'user.account.reset_password'}


@rule(logs=['okta:logevents'], outputs=['file:noise'], context={'target': ''})
def okta_second_factor_reset(rec, context):
    """
    author:       bench
    description:  Somebody's second factor or password was reset by somebody else.
    """
    if rec['eventType'] not in _EVENTS:
        return False
    actor = rec['actor'].get('alternateId')
    users = [target for target in rec.get('target') or [] if target.get('type') == 'User']
    for user in users:
        if user['alternateId'] != actor:
            context['target'] = user['alternateId']
            return True
    return False
