# What generated rules about other logs are made from; see cloudtrail.py.
# --- cloudwatch:events
@rule(logs=['cloudwatch:events'], req_subkeys={'detail': ['eventName']}, outputs=['file:alerts'])
def __NAME__(rec):
    """A call that is seldom made on purpose."""
    return rec['detail']['eventName'] in __EVENTS__ and rec['detail'].get('errorCode') is None
# --- cloudwatch:events
@rule(logs=['cloudwatch:events'], outputs=['file:alerts'])
def __NAME__(rec):
    """A call from a network that is watched."""
    detail = rec['detail']
    return detail.get('eventSource') == __SERVICE__ and in_network(detail.get('sourceIPAddress', ''), __NETWORKS__)
# --- okta:logevents
@rule(logs=['okta:logevents'], outputs=['file:alerts'])
def __NAME__(rec):
    """An event of a user who is watched."""
    return rec['eventType'].startswith('user.') and rec['actor']['alternateId'].split('@')[0] in __USERS__ and rec['outcome']['result'] == 'DENY'
# --- okta:logevents
@rule(logs=['okta:logevents'], outputs=['file:alerts'])
def __NAME__(rec):
    """Something with this application."""
    return any(target.get('alternateId') == __RESOURCE__ for target in rec.get('target') or [])
# --- osquery:differential
@rule(logs=['osquery:differential'], outputs=['file:alerts'])
def __NAME__(rec):
    """A program of this name."""
    columns = rec['columns']
    return rec['action'] == 'added' and any(tool in columns.get('cmdline', '') for tool in __TOOLS__)
# --- osquery:differential
@rule(logs=['osquery:differential', 'osquery:snapshot'], outputs=['file:alerts'])
def __NAME__(rec):
    """A file of this form."""
    return fnmatch(rec.get('columns', {}).get('path', ''), __PATH__)
# --- gsuite:reports
@rule(logs=['gsuite:reports'], outputs=['file:alerts'])
def __NAME__(rec):
    """A document of this name."""
    for event in rec['events']:
        for parameter in event.get('parameters', []):
            if parameter['name'] == 'doc_title' and parameter.get('value') == __RESOURCE__:
                return True
    return False
# --- duo:authentication
@rule(logs=['duo:authentication'], outputs=['file:alerts'])
def __NAME__(rec):
    """A user who is watched, from somewhere else."""
    return rec['username'] in __USERS__ and (rec.get('location') or {}).get('country') not in ('NL', 'DE')
# --- box:admin_events
@rule(logs=['box:admin_events'], outputs=['file:alerts'])
def __NAME__(rec):
    """A folder that few should read."""
    return rec['event_type'] == 'DOWNLOAD' and (rec.get('source') or {}).get('folder_name') in __RESOURCES__
# --- ghe:general
@rule(logs=['ghe:general'], outputs=['file:alerts'])
def __NAME__(rec):
    """A repository that few should clone."""
    return rec['action'] in ('git.clone', 'git.fetch') and rec.get('repo', '').endswith(__RESOURCE__)
# --- carbonblack:ingress.event.procstart
@rule(logs=['carbonblack:ingress.event.procstart'], outputs=['file:alerts'])
def __NAME__(rec):
    """A command line with one of these words."""
    line = (rec.get('command_line') or '').lower()
    return any(tool in line for tool in __TOOLS__) and not rec['path'].startswith('/usr/')
# --- carbonblack:ingress.event.netconn
@rule(logs=['carbonblack:ingress.event.netconn'], outputs=['file:alerts'])
def __NAME__(rec):
    """A connection to a network that is watched."""
    return rec['direction'] == 'outbound' and in_network(rec['remote_ip'], __NETWORKS__) and rec['port'] == __PORT__
# --- onelogin:events
@rule(logs=['onelogin:events'], outputs=['file:alerts'])
def __NAME__(rec):
    """An application that few should open."""
    return rec['event_type_id'] == 8 and rec['app_name'] == __RESOURCE__
# --- slack:access
@rule(logs=['slack:access'], outputs=['file:alerts'])
def __NAME__(rec):
    """A user who is watched."""
    return rec['username'] in __USERS__ and rec['country'] != 'NL'
