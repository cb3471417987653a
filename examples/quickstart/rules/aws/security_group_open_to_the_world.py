"""A firewall rule lets everybody in."""
from matchers.aws import ApiCall
from rules.helpers.network import admin_ports_in, ports_open_to_the_world
from streamalert.shared.rule import rule


def urgent_for_admin_ports(record, context):
    """A web server may be open to the world; a door for administrators may not."""
    return 'file:urgent' if context['admin_ports'] else None


@rule(
    logs=['cloudtrail:events'],
    matchers=[ApiCall.succeeded],
    outputs=['file:alerts'],
    dynamic_outputs=[urgent_for_admin_ports],
    context={'admin_ports': []})
def aws_security_group_open_to_the_world(record, context):
    """
    author:       quickstart
    description:  A security group now accepts connections from every address, on a port that is not 80 or 443.
    playbook:     (a) Find out what listens on the port
                  (b) Narrow the rule to the addresses that need it
    """
    if record['eventName'] != 'AuthorizeSecurityGroupIngress':
        return False
    ranges = ports_open_to_the_world((record['requestParameters'] or {}).get('ipPermissions'))
    context['admin_ports'] = admin_ports_in(ranges)
    return any(ports not in ((80, 80), (443, 443)) for ports in ranges)
