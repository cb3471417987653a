"""Who hides what a command does has a reason."""
import base64
import binascii

from streamalert.shared.rule import rule

_FLAGS = (' -enc ', ' -e ', ' -encodedcommand ', ' -ec ')
_CALLS = ('downloadstring', 'invoke-expression', 'iex', 'frombase64string', 'net.webclient')


def _decoded(command):
    """The script behind the flag, or nothing."""
    for flag in _FLAGS:
        if flag in command.lower():
            encoded = command[command.lower().index(flag) + len(flag):].split(' ')[0]
            try:
                return base64.b64decode(encoded).decode('utf-16-le')
            except (binascii.Error, UnicodeDecodeError):
                return ''
    return None


@rule(logs=['carbonblack:ingress.event.procstart'], outputs=['file:security'], context={'script': ''})
def cb_encoded_powershell(rec, context):
    """
    author:       bench
    description:  PowerShell was given an encoded script that fetches or builds more code.
    """
    if not rec['path'].lower().endswith('\\powershell.exe'):
        return False
    script = _decoded(rec['command_line'])
    if script is None:
        return False
    context['script'] = script[:200]
    return script == '' or any(call in script.lower() for call in _CALLS)
