"""One more administrator."""
from streamalert.shared.rule import rule


@rule(logs=['gsuite:reports'], outputs=['file:security'])
def gsuite_admin_role_assigned(rec):
    """
    author:       bench
    description:  Somebody was given an administrator's role.
    """
    return (rec['id']['applicationName'] == 'admin'
            and any(event['name'] in {'ASSIGN_ROLE', 'GRANT_ADMIN_PRIVILEGE'} for event in rec['events']))
