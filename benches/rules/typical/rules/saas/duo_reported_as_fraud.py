"""The user says it was somebody else."""
from rules.helpers.network import from_outside
from streamalert.shared.rule import rule


@rule(logs=['duo:authentication'], outputs=['file:oncall'], merge_by_keys=['username'], merge_window_mins=10)
def duo_reported_as_fraud(rec):
    """
    author:       bench
    description:  A push was reported as fraud, or one nobody asked for was approved far from home.
    """
    if rec['result'] == 'FRAUD':
        return True
    country = (rec.get('location') or {}).get('country') or 'NL'
    return rec['result'] == 'SUCCESS' and country not in {'NL', 'BE', 'DE'} and from_outside(rec['ip'])
