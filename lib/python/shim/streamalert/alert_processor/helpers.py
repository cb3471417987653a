"""Small functions for publishers."""
from streamalert.shared.publisher import AlertPublisherRepository


def elide_string_middle(text, max_length):
    """The text with its middle replaced by an ellipsis when it is too long."""
    if len(text) <= max_length:
        return text
    half = (max_length - 5) // 2
    return '{} ... {}'.format(text[:half], text[-half:])


def publisher_names(alert, service, descriptor):
    """Names of the publishers of an alert for an output: the service's first, then the output's."""
    wanted = alert.publishers
    if isinstance(wanted, dict):
        wanted = [wanted.get(service), wanted.get('{}:{}'.format(service, descriptor))]
    names = []
    for item in wanted if isinstance(wanted, list) else [wanted]:
        names.extend(item if isinstance(item, list) else [item] if item else [])
    return names


def compose_alert(alert, output, descriptor):
    """The publication of an alert for an output, which is a service's name or has `__service__`."""
    service = output if isinstance(output, str) else output.__service__
    names = publisher_names(alert, service, descriptor)
    return AlertPublisherRepository.create_composite_publisher(names).publish(alert, {})
