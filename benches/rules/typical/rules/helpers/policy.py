"""Reading policy documents."""
import json


def statements(document):
    """The statements of a policy, which comes as text or as an object, with one statement or a list of them."""
    if isinstance(document, str):
        document = json.loads(document)
    found = document.get('Statement', [])
    return found if isinstance(found, list) else [found]


def _as_list(value):
    return value if isinstance(value, list) else [value]


def for_everybody(statement):
    """Whether a statement allows something to whoever asks."""
    if statement.get('Effect') != 'Allow' or statement.get('Condition'):
        return False
    principal = statement.get('Principal', {})
    if isinstance(principal, dict):
        principal = principal.get('AWS', [])
    return '*' in _as_list(principal)


def allows_everything(statement):
    """Whether a statement allows every action on every resource."""
    return (statement.get('Effect') == 'Allow'
            and any(action in ('*', '*:*') for action in _as_list(statement.get('Action', [])))
            and '*' in _as_list(statement.get('Resource', [])))


def account_of(arn):
    """The account in an ARN, or nothing."""
    parts = arn.split(':', 5)
    return parts[4] if len(parts) == 6 else ''
