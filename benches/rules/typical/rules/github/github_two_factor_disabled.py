"""A company's second factor."""
import json

from streamalert.shared.rule import rule

_PREFIX = 'github_audit: '
_ACTIONS = {'org.disable_two_factor_requirement', 'two_factor_authentication.disabled', 'org.update_saml_provider'}


@rule(logs=['ghe:syslog'], outputs=['file:security'], context={'actor': ''})
def github_two_factor_disabled(rec, context):
    """
    author:       bench
    description:  Second factors are no longer required, or somebody has switched theirs off.
    """
    message = rec['message']
    if not message.startswith(_PREFIX):
        return False
    try:
        entry = json.loads(message[len(_PREFIX):])
    except ValueError:
        return False
    context['actor'] = entry.get('actor')
    return entry.get('action') in _ACTIONS
