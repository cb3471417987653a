"""What alerts of the quickstart look like when they arrive."""
from streamalert.shared.publisher import Register


@Register
def one_line_summary(alert, publication):
    """Adds a sentence for people who read alerts on a small screen; works after DefaultPublisher."""
    context = alert.context or {}
    who = context.get('who') or 'somebody'
    where = context.get('where') or 'an unknown address'
    publication['summary'] = '{}: {} from {}'.format(alert.rule_name, who, where)
    return publication


@Register
def without_metadata(alert, publication):
    """Removes what only machines need."""
    for key in ('log_source', 'log_type', 'source_entity', 'source_service', 'staged'):
        publication.pop(key, None)
    return publication
