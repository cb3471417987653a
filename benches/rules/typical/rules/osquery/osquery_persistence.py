"""What starts by itself tomorrow."""
from streamalert.shared.rule import rule

_TEMPORARY = ('/tmp/', '/var/tmp/', '/private/tmp/', '/Users/Shared/', '/dev/shm/')


@rule(logs=['osquery:differential'], outputs=['file:security'])
def osquery_persistence(rec):
    """
    author:       bench
    description:  A job that starts at boot runs a program in a folder that everybody can write.
    """
    if rec['action'] != 'added' or not rec['name'].rpartition('/')[2] in ('launchd', 'crontab', 'startup_items'):
        return False
    columns = rec['columns']
    program = columns.get('program') or columns.get('command', '')
    arguments = columns.get('program_arguments', '')
    return program.startswith(_TEMPORARY) or any(folder in arguments for folder in _TEMPORARY)
