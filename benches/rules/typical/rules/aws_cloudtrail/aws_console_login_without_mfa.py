"""A password alone."""
from streamalert.shared.rule import rule


@rule(
    logs=['cloudtrail:events'],
    req_subkeys={'additionalEventData': ['MFAUsed'], 'responseElements': ['ConsoleLogin']},
    outputs=['file:security'])
def aws_console_login_without_mfa(rec):
    """
    author:       bench
    description:  Somebody signed in to the console with a password and nothing else.
    """
    data = rec['additionalEventData']
    if 'SamlProviderArn' in data:
        # The identity provider has asked for the second factor.
        return False
    return (rec['eventName'] == 'ConsoleLogin'
            and rec['responseElements']['ConsoleLogin'] == 'Success'
            and data['MFAUsed'] == 'No'
            and not rec['userIdentity'].get('arn', '').startswith('arn:aws:sts::'))
