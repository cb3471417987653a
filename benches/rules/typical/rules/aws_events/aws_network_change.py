"""Roads that were not there yesterday."""
from streamalert.shared.rule import rule

_NETWORK = frozenset([
    'CreateNetworkAcl', 'CreateNetworkAclEntry', 'DeleteNetworkAcl', 'DeleteNetworkAclEntry', 'ReplaceNetworkAclEntry',
    'CreateVpcPeeringConnection', 'AcceptVpcPeeringConnection', 'CreateVpnGateway', 'AttachInternetGateway',
    'CreateRoute', 'ReplaceRoute', 'DeleteVpc'
])


@rule(
    logs=['cloudwatch:events'],
    outputs=['file:noise'],
    merge_by_keys=['account', 'region'],
    merge_window_mins=30)
def aws_network_change(rec):
    """
    author:       bench
    description:  Access lists, peerings, gateways or routes were changed by hand.
    """
    detail = rec['detail']
    if detail.get('eventName') not in _NETWORK:
        return False
    agent = str(detail.get('userAgent', '')).lower()
    by_a_tool = any(tool in agent for tool in ('terraform', 'cloudformation', 'pulumi', 'autoscaling'))
    return not by_a_tool and not detail.get('errorCode')
