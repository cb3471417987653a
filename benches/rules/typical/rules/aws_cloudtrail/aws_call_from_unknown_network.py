"""Keys that are used where nobody of ours is."""
from matchers.aws import CloudTrail
from rules.helpers.network import from_outside
from streamalert.shared.rule import rule

_WORTH_KNOWING = {
    'AttachRolePolicy', 'AttachUserPolicy', 'CreateAccessKey', 'CreateLoginProfile', 'CreateUser', 'PutRolePolicy',
    'PutUserPolicy', 'UpdateAssumeRolePolicy', 'UpdateLoginProfile', 'GetSecretValue', 'GetPasswordData',
    'ModifyImageAttribute', 'RunInstances', 'SendCommand', 'StartSession'
}


@rule(
    logs=['cloudtrail:events'],
    matchers=[CloudTrail.by_a_person, CloudTrail.succeeded],
    outputs=['file:security'],
    merge_by_keys=['sourceIPAddress'],
    merge_window_mins=15,
    context={'address': None, 'who': None})
def aws_call_from_unknown_network(rec, context):
    """
    author:       bench
    description:  A call that is worth an attacker's while, from an address outside of our networks.
    """
    context['address'] = rec.get('sourceIPAddress')
    context['who'] = rec['userIdentity'].get('arn', '').rsplit('/', 1)[-1]
    return rec['eventName'] in _WORTH_KNOWING and from_outside(context['address'])
