"""Publishers: what makes an alert presentable for an output."""
from abc import abstractmethod
from copy import deepcopy
from inspect import isclass

from streamalert.shared.logger import get_logger

LOGGER = get_logger(__name__)


class PublisherError(Exception):
    """Something is wrong with a publisher."""


class PublisherRegistrationError(PublisherError):
    """Not a publisher, or its name is taken."""


class PublisherAssemblyError(PublisherError):
    """Publishers cannot be put together."""


class Register:
    """Decorator that makes a class or function known as a publisher and leaves it as it is."""

    def __new__(cls, class_or_function):
        AlertPublisherRepository.register_publisher(class_or_function)
        return class_or_function


class AlertPublisher:
    """What publisher classes inherit from."""

    @abstractmethod
    def publish(self, alert, publication):
        """The publication that follows from the alert and what earlier publishers made."""


class WrappedFunctionPublisher(AlertPublisher):
    """A publisher that is a function."""

    def __init__(self, function):
        self._function = function

    def publish(self, alert, publication):
        return self._function(alert, publication)


class CompositePublisher(AlertPublisher):
    """Publishers one after the other, each with a copy of what the one before made."""

    def __init__(self, publishers):
        self._publishers = publishers
        for publisher in publishers:
            if not isinstance(publisher, AlertPublisher):
                LOGGER.error('not a publisher: %r', publisher)

    def publish(self, alert, publication):
        for publisher in self._publishers:
            publication = publisher.publish(alert, deepcopy(publication))
        return publication


class AlertPublisherRepository:
    """Publishers by dotted name. The worker imports the publisher folders before anybody asks."""

    _publishers = {}

    @classmethod
    def import_publishers(cls):
        """Nothing to do any more."""

    @staticmethod
    def is_valid_publisher(thing):
        """A subclass of AlertPublisher or a function."""
        return issubclass(thing, AlertPublisher) if isclass(thing) else callable(thing)

    @staticmethod
    def get_publisher_name(class_or_function):
        """`module.name`."""
        return '{}.{}'.format(class_or_function.__module__, class_or_function.__name__)

    @classmethod
    def register_publisher(cls, publisher):
        """Makes it known under its dotted name."""
        if not cls.is_valid_publisher(publisher):
            raise PublisherRegistrationError('neither a function nor an AlertPublisher: {!r}'.format(publisher))
        name = cls.get_publisher_name(publisher)
        if name in cls._publishers:
            raise PublisherRegistrationError('Publisher with name [{}] has already been registered.'.format(name))
        cls._publishers[name] = publisher() if isclass(publisher) else WrappedFunctionPublisher(publisher)

    @classmethod
    def has_publisher(cls, name):
        """Whether there is one of this name."""
        return name in cls._publishers

    @classmethod
    def get_publisher(cls, name):
        """The publisher of this name, or None."""
        publisher = cls._publishers.get(name)
        if publisher is None:
            LOGGER.error('publisher [%s] does not exist', name)
        return publisher

    @classmethod
    def all_publishers(cls):
        """All of them by name."""
        return cls._publishers

    @classmethod
    def create_composite_publisher(cls, publisher_names):
        """One publisher that runs those of these names; the default one when none exists."""
        found = [cls.get_publisher(name) for name in publisher_names or ()]
        found = [publisher for publisher in found if publisher is not None]
        if not found:
            return cls._publishers[cls.get_publisher_name(DefaultPublisher)]
        return CompositePublisher(found)


@Register
class DefaultPublisher(AlertPublisher):
    """The alert's output dictionary as it is."""

    def publish(self, alert, publication):
        return alert.output_dict()


@Register
class BlankPublisher(AlertPublisher):
    """Forgets what earlier publishers made."""

    def publish(self, alert, publication):
        return {}
