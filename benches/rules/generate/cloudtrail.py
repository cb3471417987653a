# What generated rules about cloudtrail:events are made from: `streamalert bench rules-generate` takes the parts
# between the lines `# ---` in turn, and puts values in the place of names in capitals between underscores.
# --- one_call
@rule(logs=['cloudtrail:events'], outputs=['file:alerts'])
def __NAME__(rec):
    """A call that is seldom made on purpose."""
    return rec['eventName'] == __EVENT__ and rec['eventSource'] == __SERVICE__ and not rec.get('errorCode')
# --- set_of_calls
_CALLS = __EVENTS__


@rule(logs=['cloudtrail:events'], outputs=['file:alerts'], merge_by_keys=['recipientAccountId'], merge_window_mins=5)
def __NAME__(rec):
    """One of a few calls that change who may do what."""
    if rec['awsRegion'] != __REGION__ and rec['eventName'] in _CALLS:
        return rec['userIdentity'].get('type') not in ('IAMUser', 'AssumedRole', 'AWSService')
    return False
# --- user
@rule(logs=['cloudtrail:events'], outputs=['file:alerts'])
def __NAME__(rec):
    """A user who should only look has changed something."""
    user = rec.get('userIdentity', {}).get('userName', '')
    return user in __USERS__ and rec['eventName'].startswith(('Create', 'Put', 'Delete')) and rec['eventName'] in __EVENTS__
# --- network
@rule(logs=['cloudtrail:events'], outputs=['file:alerts'])
def __NAME__(rec):
    """A call from a network that is watched."""
    if rec['eventSource'] != __SERVICE__:
        return False
    return in_network(rec.get('sourceIPAddress', ''), __NETWORKS__)
# --- prefix_of_call
@rule(logs=['cloudtrail:events'], outputs=['file:alerts'])
def __NAME__(rec):
    """Whatever this service can delete."""
    name = rec['eventName']
    return (name.startswith(__PREFIX__) and name.endswith(__SUFFIX__)
            and rec['userIdentity'].get('type') in ('FederatedUser', 'Root'))
# --- error_code
@rule(logs=['cloudtrail:events'], outputs=['file:alerts'], merge_by_keys=['sourceIPAddress'], merge_window_mins=10)
def __NAME__(rec):
    """Refused, and worth knowing."""
    code = rec.get('errorCode')
    if not code:
        return False
    if code in ('ThrottlingException', 'Client.RequestLimitExceeded'):
        return False
    return code == __ERROR__ and any(rec['eventName'].startswith(verb) for verb in __PREFIXES__)
# --- parameter
@rule(logs=['cloudtrail:events'], matchers=[CloudTrail.succeeded], outputs=['file:alerts'])
def __NAME__(rec):
    """A name in the parameters that nobody should touch."""
    parameters = rec.get('requestParameters') or {}
    return (parameters.get('bucketName') or parameters.get('roleName') or '').startswith(__RESOURCE__)
# --- subkeys
@rule(logs=['cloudtrail:events'], req_subkeys={'requestParameters': [__PARAMETER__]}, outputs=['file:alerts'])
def __NAME__(rec):
    """Only where the parameter is there at all."""
    return rec['requestParameters'][__PARAMETER__] in __RESOURCES__
# --- user_agent
@rule(logs=['cloudtrail:events'], outputs=['file:alerts'])
def __NAME__(rec):
    """A tool that is not among ours."""
    agent = (rec.get('userAgent') or '').lower()
    for tool in __TOOLS__:
        if tool in agent:
            return rec['eventSource'] in __SERVICES__
    return False
# --- wildcard
@rule(logs=['cloudtrail:events'], outputs=['file:alerts'])
def __NAME__(rec):
    """A call whose name has this form, by a role of this form."""
    return fnmatch(rec['eventName'], __WILDCARD__) and fnmatch(rec['userIdentity'].get('arn', ''), __ARN__)
# --- expression
_FORM = re.compile(__EXPRESSION__)


@rule(logs=['cloudtrail:events'], outputs=['file:alerts'])
def __NAME__(rec):
    """An ARN of a form that scripts of intruders give."""
    return bool(_FORM.search(rec['userIdentity'].get('arn') or ''))
# --- context
@rule(logs=['cloudtrail:events'], outputs=['file:alerts'], context={'user': '', 'call': ''})
def __NAME__(rec, context):
    """Tells in the alert who and what."""
    if rec['eventName'] not in __EVENTS__:
        return False
    context['user'] = rec['userIdentity'].get('userName') or rec['userIdentity'].get('arn', '').split('/')[-1]
    context['call'] = '{}:{}'.format(rec['eventSource'].split('.')[0], rec['eventName'])
    return context['user'] in __USERS__
# --- first_key
@rule(logs=['cloudtrail:events'], outputs=['file:alerts'])
def __NAME__(rec):
    """A value wherever it stands, once the call is the right one."""
    return rec['eventName'] == __EVENT__ and get_first_key(rec, __PARAMETER__, '') in __RESOURCES__
# --- account
@rule(logs=['cloudtrail:events'], outputs=['file:alerts'])
def __NAME__(rec):
    """An account that must not be touched by hand."""
    return (rec['recipientAccountId'] == __ACCOUNT__
            and not rec.get('readOnly', True)
            and 'Terraform' not in (rec.get('userAgent') or '')
            and rec['eventName'] in __EVENTS__)
# --- statements
@rule(logs=['cloudtrail:events'], outputs=['file:alerts'])
def __NAME__(rec):
    """A policy that names an account of a stranger."""
    if rec['eventName'] not in ('PutBucketPolicy', 'PutRolePolicy', 'CreatePolicy', __EVENT__):
        return False
    document = (rec.get('requestParameters') or {}).get('policyDocument')
    if not document:
        return False
    try:
        policy = json.loads(document)
    except ValueError:
        return False
    for statement in policy.get('Statement', []):
        principal = statement.get('Principal', {})
        if statement.get('Effect') == 'Allow' and __ACCOUNT__ in str(principal):
            return True
    return False
# --- resources
@rule(logs=['cloudtrail:events'], outputs=['file:alerts'])
def __NAME__(rec):
    """A resource of this name among those of the call."""
    return any(str(item.get('ARN', '')).endswith(__RESOURCE__) for item in rec.get('resources') or [])
# --- session
@rule(logs=['cloudtrail:events'], matchers=[CloudTrail.by_a_person], outputs=['file:alerts'])
def __NAME__(rec):
    """Without a second factor, a call of this kind."""
    session = rec['userIdentity'].get('sessionContext', {}).get('attributes', {})
    return session.get('mfaAuthenticated') == 'false' and rec['eventName'] in __EVENTS__ and rec['eventSource'] == __SERVICE__
# --- helper
@rule(logs=['cloudtrail:events'], outputs=['file:alerts'])
def __NAME__(rec):
    """A sensitive call from outside."""
    return is_sensitive(rec, __EVENTS__) and outside(rec.get('sourceIPAddress'), __NETWORKS__) and by_user(rec, __USERS__)
# --- from_outside
_OURS = ['10.0.0.0/8', '192.168.0.0/16', '198.51.100.0/24', '203.0.113.0/24']


@rule(logs=['cloudtrail:events'], outputs=['file:alerts'], merge_by_keys=['userName'], merge_window_mins=15)
def __NAME__(rec):
    """A user who is watched, from outside."""
    return by_user(rec, __USERS__) and outside(rec.get('sourceIPAddress'), _OURS)
# --- number
@rule(logs=['cloudtrail:events'], outputs=['file:alerts'])
def __NAME__(rec):
    """Much at once."""
    data = rec.get('additionalEventData') or {}
    sent = data.get('bytesTransferredOut', 0)
    return sent > __NUMBER__ and rec['eventSource'] == 's3.amazonaws.com' and rec['awsRegion'] == __REGION__
# --- try_except
@rule(logs=['cloudtrail:events'], outputs=['file:alerts'], dynamic_outputs=[to_owner])
def __NAME__(rec):
    """An item deep inside, if it is there."""
    try:
        items = rec['requestParameters']['instancesSet']['items']
        return any(item['instanceId'] in __RESOURCES__ for item in items)
    except (KeyError, TypeError):
        return False
