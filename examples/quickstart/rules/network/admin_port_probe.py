"""Somebody on the internet knocks at the administrators' doors."""
from matchers.network import Flow
from rules.helpers.network import ADMIN_PORTS, is_foreign
from streamalert.shared.rule import rule


@rule(
    logs=['cloudwatch:flow_logs'],
    matchers=[Flow.has_data, Flow.inbound],
    outputs=['file:alerts'],
    merge_by_keys=['source'],
    merge_window_mins=1)
def vpc_admin_port_probe(record):
    """
    author:       quickstart
    description:  The firewall rejected a connection from the internet to a port for administrators. One alert for
                  each address, with all that it tried.
    """
    return (
        record['action'] == 'REJECT'
        and int(record['destport']) in ADMIN_PORTS
        and is_foreign(record['source'])
    )
