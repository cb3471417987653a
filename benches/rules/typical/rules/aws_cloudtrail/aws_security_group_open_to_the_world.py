"""A firewall rule lets everybody in."""
from matchers.aws import CloudTrail
from rules.helpers.network import open_ranges
from streamalert.shared.rule import rule

_WEB = {(80, 80), (443, 443)}
_ADMIN_PORTS = (22, 3389, 5432, 3306, 6379, 27017)


def page_for_admin_ports(_, context):
    """A door for administrators that is open at night should wake somebody."""
    if context['admin_ports']:
        return ['file:oncall']
    return []


@rule(
    logs=['cloudtrail:events'],
    matchers=[CloudTrail.succeeded],
    outputs=['file:security'],
    dynamic_outputs=[page_for_admin_ports],
    context={'admin_ports': []})
def aws_security_group_open_to_the_world(rec, context):
    """
    author:       bench
    description:  A security group now accepts connections from every address on a port that is not the web's.
    """
    if rec['eventName'] != 'AuthorizeSecurityGroupIngress':
        return False
    parameters = rec.get('requestParameters') or {}
    ranges = open_ranges(parameters.get('ipPermissions'))
    if parameters.get('cidrIp') == '0.0.0.0/0':
        ranges.append((parameters.get('fromPort'), parameters.get('toPort')))
    for first, last in ranges:
        for port in _ADMIN_PORTS:
            if first <= port <= last:
                context['admin_ports'].append(port)
    return any(ports not in _WEB for ports in ranges)
