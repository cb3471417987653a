"""Keys for machines that can push."""
from rules.helpers.base import safe_json_loads
from streamalert.shared.rule import rule


@rule(logs=['ghe:general'], outputs=['file:noise'])
def github_deploy_key_with_write(rec):
    """
    author:       bench
    description:  A deploy key was added that may write.
    """
    if not rec['action'].startswith('public_key.'):
        return False
    data = rec['data']
    if isinstance(data, str):
        data = safe_json_loads(data)
    return rec['action'].endswith('.create') and str(data.get('read_only')).lower() == 'false'
