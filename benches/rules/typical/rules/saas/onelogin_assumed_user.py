"""Administrators who become somebody else."""
from streamalert.shared.rule import rule

# 3: an administrator has assumed a user.
_ASSUMED = 3


@rule(logs=['onelogin:events'], outputs=['file:security'])
def onelogin_assumed_user(rec):
    """
    author:       bench
    description:  An administrator works as another user.
    """
    return rec['event_type_id'] == _ASSUMED and rec['assuming_acting_user_id'] is not None
