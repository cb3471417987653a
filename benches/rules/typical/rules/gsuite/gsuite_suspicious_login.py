"""Logins that Google does not like."""
from streamalert.shared.rule import rule

_ALARMS = {'suspicious_login', 'suspicious_login_less_secure_app', 'suspicious_programmatic_login',
           'account_disabled_hijacked', 'gov_attack_warning'}


@rule(logs=['gsuite:reports'], outputs=['file:security'], merge_by_keys=['email'], merge_window_mins=30)
def gsuite_suspicious_login(rec):
    """
    author:       bench
    description:  Google calls a login suspicious, or has locked an account because of one.
    """
    if rec['id'].get('applicationName') != 'login':
        return False
    for event in rec['events']:
        if event['name'] in _ALARMS:
            return True
        for parameter in event.get('parameters', []):
            if parameter['name'] == 'is_suspicious' and parameter.get('boolValue'):
                return True
    return False
