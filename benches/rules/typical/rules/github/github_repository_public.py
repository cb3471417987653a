"""Code that everybody can read."""
from streamalert.shared.rule import rule


@rule(logs=['ghe:general'], outputs=['file:security'])
def github_repository_public(rec):
    """
    author:       bench
    description:  A private repository was made public.
    """
    if rec['action'] != 'repo.access':
        return False
    data = rec.get('data', {})
    return data.get('visibility', 'public') == 'public' and data.get('previous_visibility') != 'public'
