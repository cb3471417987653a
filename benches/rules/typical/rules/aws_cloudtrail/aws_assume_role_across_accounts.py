"""Somebody of another account becomes one of ours."""
from rules.helpers.policy import account_of
from streamalert.shared.rule import rule

PARTNERS = frozenset(('464622532012', '754728514883', '338064512934'))


@rule(logs=['cloudtrail:events'], outputs=['file:noise'], merge_by_keys=['recipientAccountId'], merge_window_mins=60)
def aws_assume_role_across_accounts(rec):
    """
    author:       bench
    description:  A role was assumed from an account that is neither the role's own nor a partner's.
    """
    if rec['eventName'] not in ('AssumeRole', 'AssumeRoleWithSAML', 'AssumeRoleWithWebIdentity'):
        return False
    parameters = rec['requestParameters']
    if not parameters or rec.get('errorCode'):
        return False
    target = account_of(parameters.get('roleArn', ''))
    caller = rec['userIdentity'].get('accountId')
    return bool(target and caller and caller != target and caller not in PARTNERS)
