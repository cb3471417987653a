"""A function that everybody may call."""
import re

from streamalert.shared.rule import rule

_CALL = re.compile(r'^AddPermission(20\d{6}(v\d)?)?$')
_SERVICE = re.compile(r'[a-z0-9.-]+\.amazonaws\.com')


@rule(logs=['cloudwatch:events'], outputs=['file:security'])
def aws_lambda_permission_added(rec):
    """
    author:       bench
    description:  Somebody outside, or everybody, may call a function from now on.
    """
    detail = rec['detail']
    if not _CALL.match(detail.get('eventName', '')):
        return False
    principal = (detail.get('requestParameters') or {}).get('principal', '')
    if principal == '*':
        return True
    if _SERVICE.fullmatch(principal):
        return False
    account = re.search(r'\d{12}', principal)
    return account is not None and account.group(0) != rec['account']
