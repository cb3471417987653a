"""Code in the kernel."""
from rules.helpers.base import in_set
from streamalert.shared.rule import disable, rule

_KNOWN = ['nf_*', 'ip*_tables', 'x_tables', 'xt_*', 'overlay', 'br_netfilter', 'veth', 'ena', 'nvme*', 'ext4', 'tls']


@rule(logs=['osquery:differential'], outputs=['file:security'])
def osquery_kernel_module(rec):
    """
    author:       bench
    description:  A kernel module was loaded that no image of ours has.
    """
    if not rec['name'].endswith('kernel_modules') or rec['action'] != 'added':
        return False
    return not in_set(rec['columns']['name'], _KNOWN)


@disable
@rule(logs=['osquery:differential'], outputs=['file:noise'])
def osquery_any_kernel_module(rec):
    """
    author:       bench
    description:  Any kernel module. Off: containers load them all day.
    """
    return rec['name'].endswith('kernel_modules')
