"""A way round the second factor."""
import json

from streamalert.shared.rule import rule


@rule(logs=['duo:administrator'], outputs=['file:security'])
def duo_bypass_code(rec):
    """
    author:       bench
    description:  A bypass code was made, or a user may do without a second factor.
    """
    if rec['action'] == 'bypass_create':
        return True
    if rec['action'] == 'user_update' and rec.get('description'):
        try:
            change = json.loads(rec['description'])
        except ValueError:
            return False
        return isinstance(change, dict) and change.get('status') == 'Bypass'
    return False
