"""Documents do not need shells."""
from fnmatch import fnmatch

from matchers.hosts import windows
from streamalert.shared.rule import rule

_OFFICE = ['*\\winword.exe', '*\\excel.exe', '*\\powerpnt.exe', '*\\outlook.exe']
_SHELLS = ['*\\cmd.exe', '*\\powershell.exe', '*\\wscript.exe', '*\\cscript.exe', '*\\mshta.exe', '*\\rundll32.exe']


@rule(logs=['carbonblack:ingress.event.procstart'], matchers=[windows], outputs=['file:oncall'])
def cb_office_starts_shell(rec):
    """
    author:       bench
    description:  A program of an office suite started an interpreter.
    """
    parent, child = rec['parent_path'].lower(), rec['path'].lower()
    return any(fnmatch(parent, item) for item in _OFFICE) and any(fnmatch(child, item) for item in _SHELLS)
