"""Folders with strangers in them."""
from streamalert.shared.rule import rule

_OURS = ('@example.com', '@example.org')
_SHARING = ('COLLABORATION_INVITE', 'COLLABORATION_ACCEPT', 'ITEM_SHARED_UPDATE')


@rule(logs=['box:admin_events'], outputs=['file:noise'], merge_by_keys=['folder_id'], merge_window_mins=60)
def box_shared_outside(rec):
    """
    author:       bench
    description:  Somebody outside of the company can read a folder.
    """
    if rec['event_type'] not in _SHARING:
        return False
    guest = (rec.get('accessible_by') or {}).get('login', '')
    return guest != '' and not guest.endswith(_OURS)
