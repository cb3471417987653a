"""A link is not a password."""
from streamalert.shared.rule import rule

_PUBLIC = ('public_on_the_web', 'people_with_link')


@rule(logs=['gsuite:reports'], outputs=['file:noise'], context={'title': '', 'owner': ''})
def gsuite_document_public(rec, context):
    """
    author:       bench
    description:  A document can be read by everybody who has its address.
    """
    for event in rec.get('events', []):
        if event['type'] != 'acl_change':
            continue
        parameters = {item['name']: item.get('value') for item in event.get('parameters', [])}
        if parameters.get('visibility') in _PUBLIC:
            context.update({'title': parameters.get('doc_title'), 'owner': parameters.get('owner')})
            return True
    return False
