"""Objects that are known by name: Python's own functions, classes and instances, and those of our package."""
import sys
import types
from json.encoder import encode_basestring as quote

# Modules under the name by which code imports them.
_PUBLIC = {
    '_streamalert_worker.rule_helpers': 'rules.helpers.base',
    'genericpath': 'os.path',
    'posix': 'os',
    'posixpath': 'os.path',
}

_MODULE = type.__dict__['__module__']
_QUALNAME = type.__dict__['__qualname__']
_SCOPE = type.__dict__['__dict__']
_MRO = type.__dict__['__mro__']

_DESCRIPTORS = frozenset(id(kind) for kind in (
    types.MethodDescriptorType, types.WrapperDescriptorType, types.ClassMethodDescriptorType,
    types.GetSetDescriptorType, types.MemberDescriptorType))


def names_of_class(thing):
    """(module, qualified name) of a class."""
    try:
        module, qualname = _MODULE.__get__(thing), _QUALNAME.__get__(thing)
    except AttributeError:
        module, qualname = None, None
    return module if type(module) is str else '?', qualname if type(qualname) is str else '?'


def own_attributes(thing):
    """A copy of what a class itself defines."""
    return dict(_SCOPE.__get__(thing))


def _is_class(thing):
    return issubclass(type(thing), type)


class Named:
    """Finds names."""

    def __init__(self, homes, sources):
        self._homes = homes
        self._sources = sources
        # module name -> id of object -> (name, object, which keeps the id)
        self._instances = {}

    def describe(self, thing):
        """The JSON of an object by name; None for one that has none or is the user's."""
        kind = type(thing)
        if thing is Ellipsis or thing is NotImplemented:
            return _builtin('builtins', 'Ellipsis' if thing is Ellipsis else 'NotImplemented')
        if _is_class(thing):
            return self._resolved(thing, *names_of_class(thing))
        if kind is types.BuiltinFunctionType:
            owner, name = thing.__self__, thing.__name__
            if _is_class(owner):  # such as `dict.fromkeys`, made anew by each access
                place = self._place(owner, *names_of_class(owner))
                return place and _builtin(place[0], place[1] + '.' + name)
            return self._resolved(thing, thing.__module__, name)
        if id(kind) in _DESCRIPTORS:
            place = self._place(thing.__objclass__, *names_of_class(thing.__objclass__))
            return place and _builtin(place[0], place[1] + '.' + thing.__name__)
        if kind is types.FunctionType:
            return self._resolved(thing, thing.__module__, thing.__qualname__)
        return self._instance(thing)

    def wrapper(self, thing):
        """The JSON of one of Python's or our functions that functools has wrapped; None for the user's."""
        scope = thing.__dict__
        return self._resolved(thing, scope.get('__module__'), scope.get('__qualname__'))

    def inherited(self, kind, name):
        """What a class inherits under a name, when it is of Python's own making."""
        for part in _MRO.__get__(kind):
            found = _SCOPE.__get__(part).get(name)
            if found is not None:
                return found if id(type(found)) in _DESCRIPTORS else None
        return None

    def instance_scope(self, thing):
        """The attributes of an instance, without its classes' having a say."""
        for part in _MRO.__get__(type(thing)):
            found = _SCOPE.__get__(part).get('__dict__')
            if found is not None:
                return found.__get__(thing) if type(found) is types.GetSetDescriptorType else None
        return None

    def public_module(self, name):
        """The name by which code imports a module."""
        return _PUBLIC.get(name, name)

    def _resolved(self, thing, module, name):
        place = self._place(thing, module, name)
        return place and _builtin(*place)

    def _place(self, thing, module, name):
        """(module, name) when that name in a module of Python's or ours is this very object."""
        if self._homes.of_name(module) not in ('std', 'shim') or type(name) is not str:
            return None
        # `json.decoder.JSONDecodeError` is known as `json.JSONDecodeError`, `_operator.contains` as
        # `operator.contains`, whatever the version of Python calls the module behind.
        parts = module.lstrip('_').split('.')
        for count in range(1, len(parts) + 1):
            public = '.'.join(parts[:count])
            if self._homes.of_name(public) == 'std' and self._look_up(public, name) is thing:
                return self.public_module(public), name
        # Static methods and lambdas of classes and modules do not have to be what their name says.
        return (self.public_module(module), name) if self._look_up(module, name) is thing else None

    @staticmethod
    def _look_up(module, qualname):
        scope = sys.modules[module].__dict__
        found = None
        for part in qualname.split('.'):
            found = scope.get(part)
            if type(found) is staticmethod or type(found) is classmethod:
                found = found.__func__
            if found is None:
                return None
            scope = _SCOPE.__get__(found) if _is_class(found) else {}
        return found

    def _instance(self, thing):
        """An instance that a module of Python's or ours keeps under a name: at the top or in a class."""
        kind = type(thing)
        module, _name = names_of_class(kind)
        if self._homes.of_name(module) not in ('std', 'shim'):
            return None
        names = self._instances.get(module)
        if names is None:
            names = self._instances[module] = {}
            for name, value in list(sys.modules[module].__dict__.items()):
                if _is_class(value):
                    for inner, held in list(_SCOPE.__get__(value).items()):
                        names.setdefault(id(held), (name + '.' + inner, held))
                names.setdefault(id(value), (name, value))
        found = names.get(id(thing))
        return _builtin(self.public_module(module), found[0]) if found else None


def _builtin(module, name):
    return '{{"t":"builtin","module":{},"name":{}}}'.format(quote(module), quote(name))
