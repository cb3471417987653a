"""Tools that can do more than they are for."""
import re

from streamalert.shared.rule import rule

_TOOLS = re.compile(r'(?i)\b(certutil|bitsadmin|regsvr32|mshta|msiexec)(\.exe)?\b[^|]*\bhttps?://(?P<host>[^/\s:"]+)')


@rule(logs=['carbonblack:ingress.event.procstart'], outputs=['file:security'], context={'host': None})
def cb_download_with_system_tool(rec, context):
    """
    author:       bench
    description:  A tool of the system fetched something from outside.
    """
    found = _TOOLS.search(rec.get('command_line') or '')
    if not found:
        return False
    context['host'] = found.group('host').lower()
    return not context['host'].endswith(('.example.com', '.microsoft.com'))
