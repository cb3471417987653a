"""Data that leaves in a pocket."""
from streamalert.shared.rule import rule

_ISSUED = {('0781', '5583'), ('0951', '1666')}


@rule(logs=['osquery:differential'], req_subkeys={'columns': ['vendor_id', 'model_id']}, outputs=['file:noise'])
def osquery_usb_storage(rec):
    """
    author:       bench
    description:  A removable disk that we did not hand out.
    """
    columns = rec['columns']
    return (rec['action'] == 'added'
            and columns.get('removable') == '1'
            and (columns['vendor_id'], columns['model_id']) not in _ISSUED)
