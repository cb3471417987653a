"""A shell that talks to somebody far away."""
import re

from matchers.hosts import OsqueryMatcher
from streamalert.shared.rule import rule

_PATTERNS = [re.compile(pattern) for pattern in (
    r'/dev/(tcp|udp)/\d{1,3}(\.\d{1,3}){3}/\d+',
    r'\bnc(at)?\b.*\s-(e|c)\s+/bin/(ba|z|da)?sh',
    r'socat\s.*exec:.*sh',
    r'python[23]?\s+-c\s.*socket.*subprocess',
)]


@rule(
    logs=['osquery:differential'],
    matchers=[OsqueryMatcher.added],
    req_subkeys={'columns': ['cmdline']},
    outputs=['file:oncall'])
def osquery_reverse_shell(rec):
    """
    author:       bench
    description:  A command line that connects a shell to the network.
    """
    cmdline = rec['columns']['cmdline']
    return any(pattern.search(cmdline) for pattern in _PATTERNS)
