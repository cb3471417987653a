"""Much data leaves."""
from matchers.network import Flow
from streamalert.shared.rule import rule

# More than any of our machines sends to one address within one flow record (a minute) on a normal day.
LIMIT_BYTES = 64 * 1024 * 1024

# Where backups go.
EXPECTED = {'192.0.2.200'}


@rule(
    logs=['cloudwatch:flow_logs'],
    matchers=[Flow.has_data, Flow.outbound],
    outputs=['file:alerts', 'file:urgent'],
    merge_by_keys=['source', 'destination'],
    merge_window_mins=2)
def vpc_large_upload(record):
    """
    author:       quickstart
    description:  A machine sent more to one address on the internet than it ever does. One alert for each pair.
    playbook:     (a) Find the process, with osquery
                  (b) Isolate the machine
    """
    return record['destination'] not in EXPECTED and int(record['bytes']) > LIMIT_BYTES
