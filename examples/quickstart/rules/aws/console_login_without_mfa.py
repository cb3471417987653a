"""A user signs in with nothing but a password."""
from publishers.quickstart import one_line_summary, without_metadata
from streamalert.shared.publisher import DefaultPublisher
from streamalert.shared.rule import rule


@rule(
    logs=['cloudtrail:events'],
    req_subkeys={'userIdentity': ['userName'], 'additionalEventData': ['MFAUsed']},
    outputs=['file:alerts'],
    publishers=[DefaultPublisher, one_line_summary, without_metadata],
    context={'who': None, 'where': None})
def aws_console_login_without_mfa(record, context):
    """
    author:       quickstart
    description:  An IAM user signed in to the console without a second factor. Users who come through single
                  sign-on have no userName, and their second factor is not AWS's to report.
    playbook:     (a) Ask the user
                  (b) Require MFA in the group's policy
    """
    context['who'] = record['userIdentity']['userName']
    context['where'] = record['sourceIPAddress']
    return (
        record['eventName'] == 'ConsoleLogin'
        and (record['responseElements'] or {}).get('ConsoleLogin') == 'Success'
        and record['additionalEventData']['MFAUsed'] == 'No'
    )
