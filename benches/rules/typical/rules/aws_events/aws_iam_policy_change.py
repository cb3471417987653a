"""More rights than anybody should have."""
from matchers.aws import AwsEvents
from rules.helpers.policy import allows_everything, statements
from streamalert.shared.rule import rule

_ATTACH = ('AttachUserPolicy', 'AttachRolePolicy', 'AttachGroupPolicy')
_PUT = ('PutUserPolicy', 'PutRolePolicy', 'PutGroupPolicy', 'CreatePolicy', 'CreatePolicyVersion')


@rule(
    logs=['cloudwatch:events'],
    matchers=[AwsEvents.succeeded],
    outputs=['file:security'],
    context={'reason': ''})
def aws_iam_policy_change(rec, context):
    """
    author:       bench
    description:  Somebody was given every right: AdministratorAccess, or a policy of one's own that says as much.
    """
    detail = rec['detail']
    if detail.get('eventSource') != 'iam.amazonaws.com':
        return False
    name, parameters = detail['eventName'], detail.get('requestParameters') or {}
    if name in _ATTACH:
        arn = parameters.get('policyArn', '')
        if arn.endswith(('/AdministratorAccess', '/IAMFullAccess', '/PowerUserAccess')):
            context['reason'] = f'{name}: {arn.rpartition("/")[2]}'
            return True
    elif name in _PUT:
        document = parameters.get('policyDocument')
        if not document:
            return False
        try:
            for statement in statements(document):
                if allows_everything(statement):
                    context['reason'] = '{} allows everything'.format(parameters.get('policyName', 'a policy'))
                    return True
        except (ValueError, AttributeError):
            context['reason'] = 'unreadable policy'
    return False
