"""Publishers that come with StreamAlert. `publishers=[redact]` and `publishers=['redact']` mean the same. They are run
by the dispatcher; code that calls those that shape messages or look at the settings is told so."""
import re

from streamalert.shared.normalize import Normalizer
from streamalert.shared.publisher import AlertPublisher, BlankPublisher, DefaultPublisher, PublisherError, Register
from streamalert.shared.utils import get_keys


@Register
def add_record(alert, publication):
    """The record, whole."""
    publication['record'] = alert.record
    return publication


@Register
def blank(_alert, _publication):
    """Forgets what earlier publishers made."""
    return {}


@Register
def remove_internal_fields(_alert, publication):
    """Without what only StreamAlert itself needs to know."""
    for field in ('staged', 'publishers', 'outputs'):
        publication.pop(field, None)
    return publication


def _without(value, pattern):
    """The value without members whose name the pattern is found in, at any depth."""
    if isinstance(value, dict):
        return {key: _without(inner, pattern) for key, inner in value.items() if not pattern.search(str(key))}
    if isinstance(value, list):
        return [_without(inner, pattern) for inner in value]
    return value


@Register
def remove_fields(alert, publication):
    """Without fields, at any depth, whose name one of the regular expressions `remove_fields` of the context is in."""
    for pattern in alert.context.get('remove_fields', []):
        publication = _without(publication, re.compile(pattern))
    return publication


@Register
def remove_streamalert_normalization(_alert, publication):
    """Without the normalized values."""
    return _without(publication, re.compile(Normalizer.NORMALIZATION_KEY))


@Register
def enumerate_fields(_alert, publication):
    """Flat: every value under its path, such as `record.ips[0]`, sorted by path."""
    flat = {}

    def add(value, path):
        if isinstance(value, dict):
            for key, inner in value.items():
                add(inner, '{}.{}'.format(path, key) if path else str(key))
        elif isinstance(value, list):
            for index, inner in enumerate(value):
                add(inner, '{}[{}]'.format(path, index))
        else:
            flat[path] = value

    add(publication, '')
    return dict(sorted(flat.items()))


@Register
def populate_fields(alert, publication):
    """Only the fields that `populate_fields` of the context names, each with the list of its values at any depth."""
    return {field: get_keys(publication, field) for field in alert.context.get('populate_fields', [])}


@Register
class StringifyArrays(AlertPublisher):
    """Lists of plain values as one text."""
    DELIMITER = '\n'

    def publish(self, alert, publication):
        return {key: self._shown(value) for key, value in publication.items()}

    def _shown(self, value):
        if self.is_scalar_array(value):
            return self.stringify(value)
        if isinstance(value, dict):
            return {key: self._shown(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [inner if self.is_scalar_array(inner) else self._shown(inner) for inner in value]
        return value

    @staticmethod
    def is_scalar_array(item):
        """Whether it is a list without lists and dictionaries in it."""
        return isinstance(item, list) and not any(isinstance(inner, (dict, list)) for inner in item)

    @classmethod
    def stringify(cls, array):
        """The list as text."""
        return cls.DELIMITER.join(str(inner) for inner in array)


@Register
class PrettyPrintArrays(StringifyArrays):
    """Lists of plain values as one text, with lines between them."""
    DELIMITER = '\n\n----------\n\n'


@Register
class ShortenTitle(AlertPublisher):
    """The rule's name as the title of PagerDuty's incidents."""

    def publish(self, alert, publication):
        for field in ('@pagerduty-v2.summary', '@pagerduty-incident.incident_title', '@pagerduty.description'):
            publication[field] = alert.rule_name
        return publication


@Register
def as_custom_details(_alert, publication):
    """All that is published so far as the details of PagerDuty."""
    details = {key: value for key, value in publication.items() if not key.startswith('@pagerduty')}
    publication['@pagerduty.details'] = details
    publication['@pagerduty-v2.custom_details'] = details
    return publication


@Register
def v2_high_urgency(_alert, publication):
    """Urgent, for PagerDuty."""
    publication['@pagerduty-v2.severity'] = 'critical'
    publication['@pagerduty-incident.urgency'] = 'high'
    return publication


@Register
def v2_low_urgency(_alert, publication):
    """Not urgent, for PagerDuty."""
    publication['@pagerduty-v2.severity'] = 'warning'
    publication['@pagerduty-incident.urgency'] = 'low'
    return publication


def _of_the_dispatcher(name):
    raise PublisherError('{} is run by the dispatcher: name it in publishers=[...]'.format(name))


@Register
def redact(_alert, _publication):
    """Without what [redact] of streamalert.toml describes."""
    return _of_the_dispatcher('redact')


@Register
def slack_layout(_alert, _publication):
    """Blocks of Slack."""
    return _of_the_dispatcher('slack_layout')


@Register
def pagerduty_layout(_alert, _publication):
    """Title, severity and details of PagerDuty."""
    return _of_the_dispatcher('pagerduty_layout')


@Register
class Summary(AlertPublisher):
    """StreamAlert's name of the layout for Slack."""

    def publish(self, alert, publication):
        return _of_the_dispatcher('Summary')


@Register
class AttachRuleInfo(AlertPublisher):
    """In the layout already."""

    def publish(self, alert, publication):
        return publication


@Register
class AttachPublication(AlertPublisher):
    """In the layout already."""

    def publish(self, alert, publication):
        return publication


@Register
class AttachFullRecord(AlertPublisher):
    """In the layout already."""

    def publish(self, alert, publication):
        return publication
