"""Running what was just fetched."""
from matchers.hosts import OsqueryMatcher
from streamalert.shared.rule import rule

_FETCH = ('curl ', 'wget ', 'lwp-download ')
_RUN = ('| sh', '|sh', '| bash', '|bash', '| sudo', 'chmod +x')


@rule(
    logs=['osquery:differential'],
    matchers=[OsqueryMatcher.added, OsqueryMatcher.production],
    outputs=['file:security'])
def osquery_download_into_shell(rec):
    """
    author:       bench
    description:  Something was downloaded and run in one line on a machine in production.
    """
    columns = rec['columns']
    command = columns.get('cmdline') or columns.get('command') or ''
    return any(fetch in command for fetch in _FETCH) and any(run in command for run in _RUN)
