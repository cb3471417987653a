"""The log of everything is switched off."""
from matchers.aws import ApiCall
from streamalert.shared.rule import rule

SILENCING = {'StopLogging', 'DeleteTrail', 'DeleteEventDataStore'}


@rule(
    logs=['cloudtrail:events'],
    matchers=[ApiCall.succeeded],
    outputs=['file:alerts', 'file:urgent'])
def aws_trail_stopped(record):
    """
    author:       quickstart
    description:  A CloudTrail trail was stopped or deleted, after which nobody sees what happens in the account.
    playbook:     (a) Start it again
                  (b) Treat the time without it as an incident
    """
    return record['eventSource'] == 'cloudtrail.amazonaws.com' and record['eventName'] in SILENCING
