"""Somebody signs in as root."""
from publishers.quickstart import one_line_summary
from rules.helpers.network import is_foreign
from streamalert.shared.publisher import DefaultPublisher
from streamalert.shared.rule import rule


@rule(
    logs=['cloudtrail:events'],
    outputs=['file:alerts', 'file:urgent'],
    publishers=[DefaultPublisher, one_line_summary],
    context={'who': None, 'where': None, 'from_the_office': None})
def aws_root_console_login(record, context):
    """
    author:       quickstart
    description:  The root user of the account signed in to the console. Nothing in daily work needs root.
    reference:    https://docs.aws.amazon.com/IAM/latest/UserGuide/root-user-best-practices.html
    playbook:     (a) Ask the two people who hold the root password
                  (b) Unless one of them did it, reset it and look at what root did since
    """
    if record['eventName'] != 'ConsoleLogin' or record['userIdentity'].get('type') != 'Root':
        return False
    context['who'] = 'root of {}'.format(record['recipientAccountId'])
    context['where'] = record['sourceIPAddress']
    context['from_the_office'] = not is_foreign(record['sourceIPAddress'])
    return True
