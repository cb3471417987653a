"""Writes the objects that the loaded rules reach as one JSON document; its format is described in `export.rs`.

Nothing of the user's may run here: types are compared by identity, attributes are read through the descriptors
of Python's own types, and only containers of exactly the builtin types are looked into."""
import base64
import collections
import enum
import functools
import json
import os
import re
import sys
import types
from abc import ABCMeta
from json.encoder import encode_basestring as quote

from streamalert.shared.rule import Rule

from _streamalert_worker.export_code import names_mentioned
from _streamalert_worker.export_named import Named, names_of_class, own_attributes
from _streamalert_worker.export_values import Values

# Beyond this, containers and code are left out, so that one table does not cost the export of all rules.
OBJECTS_MAX = 4000000

# Functions and classes of installed packages that are followed; a rule may reach a whole framework.
_FOREIGN_MAX = 2000

# Converting longer ones takes quadratic time, and newer versions refuse to.
_INT_BITS_MAX = 13000

_METHOD_WRAPPER = type(''.__str__)
_LRU_CACHE = type(functools.lru_cache()(lambda: None))

# What every class has, and what says nothing about how it behaves.
_CLASS_NOISE = frozenset((
    '__abstractmethods__', '__annotate__', '__annotate_func__', '__annotations__', '__annotations_cache__',
    '__dict__', '__doc__', '__firstlineno__', '__module__', '__qualname__', '__static_attributes__',
    '__weakref__'))

# What Python puts into every enum.
_ENUM_NOISE = frozenset(('__new__', '__new_member__', '_generate_next_value_'))


# What `collections.namedtuple` puts into its classes.
_NAMED_TUPLE = frozenset((
    '__doc__', '__firstlineno__', '__getnewargs__', '__match_args__', '__module__', '__new__', '__replace__',
    '__repr__', '__slots__', '__static_attributes__', '_asdict', '_field_defaults', '_fields', '_fields_defaults',
    '_make', '_replace'))


def export(report, sources, homes, repo_root):
    """The document, as bytes, for the rules of a load report."""
    exporter = _Exporter(sources, homes, repo_root)
    rules = []
    for info in report['rules']:
        item = Rule._rules[info['name']]
        context = item.initial_context
        rules.append('{{"name":{},"func":{},"matchers":{},"dynamic_outputs":{},"context":{},"info":{}}}'.format(
            quote(item.name), exporter.ref(item.func), exporter.refs(item.matchers),
            exporter.refs(item.dynamic_outputs), 'null' if context is None else exporter.ref(context),
            json.dumps(info, ensure_ascii=False)))
    exporter.run()
    text = '{{"version":1,"python":[{}],"sources":[{}],"objects":[{}],"rules":[{}]}}'.format(
        ','.join(map(str, sys.version_info[:3])), ',\n'.join(exporter.source_texts),
        ',\n'.join(exporter.texts), ',\n'.join(rules))
    return text.encode('utf-8', 'replace')


def _is_class(thing):
    # `isinstance` would ask the object for its `__class__`.
    return issubclass(type(thing), type)


def _is_text(thing):
    if type(thing) is not str:
        return False
    if thing.isascii():
        return True
    try:
        thing.encode('utf-8')
    except UnicodeEncodeError:
        return False
    return True


def _names(pairs):
    return '{{{}}}'.format(','.join('{}:{}'.format(quote(name), number) for name, number in pairs))


def _ids(numbers):
    return '[{}]'.format(','.join(map(str, numbers)))


class _Exporter:
    """Gives each object a number when it is first met, and describes it later: depth costs no stack."""

    def __init__(self, sources, homes, repo_root):
        self.texts = []
        self.source_texts = []
        self._sources = sources
        self._homes = homes
        self._named = Named(homes, sources)
        self._values_of_python = Values()
        self._root = repo_root + os.sep
        self._numbers = {}
        self._kept = []  # keeps ids from being given to other objects
        self._todo = []
        self._source_numbers = {}
        self._modules = {}
        self._foreign = 0
        # By identity: a metaclass of the user's may compare and hash as it likes.
        self._kinds = {id(kind): describe for kind, describe in (
            (type(None), lambda _: '{"t":"none"}'),
            (bool, lambda thing: '{"t":"bool","v":true}' if thing else '{"t":"bool","v":false}'),
            (int, self._int),
            (float, lambda thing: '{{"t":"float","v":"{!r}"}}'.format(thing)),
            (str, self._str),
            (bytes, lambda thing: '{{"t":"bytes","v":"{}"}}'.format(base64.b64encode(thing).decode('ascii'))),
            (list, lambda thing: self._items('list', thing)),
            (tuple, lambda thing: self._items('tuple', thing)),
            (set, lambda thing: self._items('set', thing)),
            (frozenset, lambda thing: self._items('frozenset', thing)),
            (dict, self._dict),
            (re.Pattern, self._regex),
            (types.ModuleType, self._module),
            (types.FunctionType, self._function),
            (types.MethodType, lambda thing: self._method(thing.__func__, thing.__self__)),
            (types.BuiltinFunctionType, self._builtin_function),
            (_METHOD_WRAPPER, self._builtin_function),
            (staticmethod, lambda thing: '{{"t":"staticmethod","func":{}}}'.format(self.ref(thing.__func__))),
            (classmethod, lambda thing: '{{"t":"classmethod","func":{}}}'.format(self.ref(thing.__func__))),
            (functools.partial, self._partial),
            (property, lambda thing: _unsupported('a property', self._further('getter', thing.fget))),
            (_LRU_CACHE, self._cached),
        )}

    def ref(self, thing):
        """The number of an object."""
        number = self._numbers.get(id(thing))
        if number is None:
            number = self._numbers[id(thing)] = len(self.texts)
            self._kept.append(thing)
            # What refers to nothing is described at once.
            self.texts.append(self._str(thing) if type(thing) is str else None)
            if type(thing) is not str:
                self._todo.append((number, thing))
        return number

    def refs(self, things):
        """The numbers of the objects of a container, as JSON."""
        if things is None:
            return '[]'
        kind = type(things)
        if kind is list or kind is tuple or kind is set or kind is frozenset or kind is dict:
            return _ids([self.ref(thing) for thing in things])
        return _ids([self._missing('a collection that is none of the builtin ones')])

    def run(self):
        """Describes everything reached."""
        todo = self._todo
        while todo:
            number, thing = todo.pop()
            describe = self._kinds.get(id(type(thing)), self._other)
            try:
                self.texts[number] = describe(thing)
            except (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
                # Something that pretends well, or that a thread of the user's changes right now.
                self.texts[number] = _unsupported('it cannot be described, {}'.format(type(error).__name__))
        for number, attributes in self._modules.values():
            self.texts[number] = '{{"t":"module","name":{},"attrs":{}}}'.format(
                quote(self._module_name(self._kept[number])), _names(attributes.items()))

    def _missing(self, reason):
        """A number of its own for something unsupported."""
        self.texts.append(_unsupported(reason))
        self._kept.append(None)
        return len(self.texts) - 1

    @staticmethod
    def _int(thing):
        if thing.bit_length() > _INT_BITS_MAX:
            return _unsupported('an int of {} bits'.format(thing.bit_length()))
        return '{{"t":"int","v":"{}"}}'.format(thing)

    @staticmethod
    def _str(thing):
        if _is_text(thing):
            return '{{"t":"str","v":{}}}'.format(quote(thing))
        return _unsupported('text with a lone surrogate')

    def _items(self, kind, thing):
        if len(self.texts) + len(thing) > OBJECTS_MAX:
            return _unsupported('too many objects')
        ref = self.ref
        return '{{"t":"{}","v":{}}}'.format(kind, _ids([ref(item) for item in list(thing)]))

    def _dict(self, thing):
        if len(self.texts) + 2 * len(thing) > OBJECTS_MAX:
            return _unsupported('too many objects')
        ref = self.ref
        return '{{"t":"dict","v":[{}]}}'.format(','.join(
            ['[{},{}]'.format(ref(key), ref(value)) for key, value in list(thing.items())]))

    def _regex(self, thing):
        return '{{"t":"regex","pattern":{},"flags":{}}}'.format(self.ref(thing.pattern), thing.flags)

    def _partial(self, thing):
        keywords = thing.keywords
        if type(keywords) is not dict or not all(_is_text(name) for name in keywords):
            return _unsupported('a functools.partial with keywords of other types than str')
        return '{{"t":"partial","func":{},"args":{},"kwargs":{}}}'.format(
            self.ref(thing.func), self.refs(thing.args), self._values(keywords))

    def _values(self, named):
        return _names([(name, self.ref(value)) for name, value in named.items()])

    def _cached(self, thing):
        named = self._named.wrapper(thing)
        if named:
            return named
        return _unsupported(
            'a function under functools.lru_cache', self._further('func', thing.__dict__.get('__wrapped__')))

    def _further(self, name, function):
        return ',"{}":{}'.format(name, self.ref(function)) if type(function) is types.FunctionType else ''

    def _method(self, function, owner):
        return '{{"t":"method","func":{},"self":{}}}'.format(self.ref(function), self.ref(owner))

    def _builtin_function(self, thing):
        owner = thing.__self__
        if owner is None or type(owner) is types.ModuleType or _is_class(owner):
            return self._named.describe(thing) or _unsupported('the compiled function {}'.format(thing.__name__))
        # A method of a value, such as `'abc'.startswith`.
        found = self._named.inherited(type(owner), thing.__name__)
        if found is None:
            return _unsupported('the compiled method {}'.format(thing.__name__))
        return self._method(found, owner)

    def _module(self, thing):
        if self._homes.of_module(thing) in ('std', 'shim'):
            stores = self._sources.stores_into(thing)
            if stores:
                return _unsupported('the module {} is changed by {}'.format(
                    self._module_name(thing), sorted(stores.values())[0]))
            return '{{"t":"module","name":{}}}'.format(quote(self._module_name(thing)))
        self._user_module(thing)
        return None

    def _module_name(self, module):
        name = module.__dict__.get('__name__')
        return self._named.public_module(name) if _is_text(name) else '?'

    def _user_module(self, module):
        number = self.ref(module)
        return self._modules.setdefault(id(module), (number, {}))[1]

    def _mention(self, thing, names):
        """Code that mentions these names knows a module: exports those of its attributes."""
        waiting = [thing]
        seen = set()
        while waiting:
            module = waiting.pop()
            if type(module) is not types.ModuleType or id(module) in seen:
                continue
            seen.add(id(module))
            if self._homes.of_module(module) in ('std', 'shim'):
                continue
            attributes = self._user_module(module)
            scope = module.__dict__
            for name in names:
                if name in scope:
                    if name not in attributes:
                        attributes[name] = self._global(scope, name)
                    waiting.append(scope[name])

    def _global(self, scope, name):
        """The number of a module's global, unless code changes it while running."""
        file = scope.get('__file__')
        source = self._sources.of(file) if type(file) is str else None
        if source is not None and name in source.assigned:
            return self._missing('assigned by `global` in {}'.format(source.assigned[name]))
        module = sys.modules.get(scope.get('__name__')) if type(scope.get('__name__')) is str else None
        if module is not None and type(module) is types.ModuleType and module.__dict__ is scope:
            stores = self._sources.stores_into(module)
            if name in stores:
                return self._missing('assigned by {}'.format(stores[name]))
        return self.ref(scope[name])

    def _function(self, thing):
        code = thing.__code__
        path = code.co_filename
        named = self._named.describe(thing)
        if named:
            return named
        home = self._homes.of_path(path)
        source = self._sources.of(path)
        place = source.functions.get(id(code)) if source else None
        if place is None:
            return _unsupported('{} {} was made at run time or loaded before the rules'.format(
                'a function of Python' if home == 'std' else 'the function', thing.__qualname__))
        number, refusal = self._source(source, home)
        if refusal:
            return _unsupported(refusal)
        scope, kwdefaults = thing.__globals__, thing.__kwdefaults__ or {}
        if type(scope) is not dict or type(kwdefaults) is not dict or not all(map(_is_text, kwdefaults)):
            return _unsupported('a function with globals or defaults of its own kind')
        names = sorted(names_mentioned(code))
        closure = {}
        for name, cell in zip(code.co_freevars, thing.__closure__ or ()):
            try:
                closure[name] = cell.cell_contents
            except ValueError:
                return _unsupported('a function with the empty closure variable {}'.format(name))
        found = [(name, self._global(scope, name)) for name in names if name in scope]
        for module in [scope[name] for name, _number in found] + list(closure.values()):
            self._mention(module, names)
        nth = ',"nth":{},"of":{}'.format(*place) if place[1] > 1 else ''
        return (
            '{{"t":"function","source":{},"line":{},"name":{},"qualname":{},"code_name":{}{},"defaults":{},'
            '"kwdefaults":{},"closure":{},"globals":{}}}').format(
                number, code.co_firstlineno, quote(thing.__name__), quote(thing.__qualname__),
                quote(code.co_name), nth, self.refs(thing.__defaults__), self._values(kwdefaults),
                self._values(closure), _names(found))

    def _source(self, source, home):
        """(number, None) of a source file, or (None, why it cannot be used)."""
        if home == 'package':
            self._foreign += 1
            if self._foreign > _FOREIGN_MAX:
                return None, 'more than {} functions and classes of installed packages, at {}'.format(
                    _FOREIGN_MAX, source.path)
        known = self._source_numbers.get(source.path)
        if known is None:
            text, refusal = source.read()
            if text is None:
                known = None, refusal
            else:
                path = os.path.normpath(source.path)
                shown = path[len(self._root):] if path.startswith(self._root) else path
                known = len(self.source_texts), None
                self.source_texts.append('{{"file":{},"text":{}}}'.format(
                    quote(shown.encode('utf-8', 'replace').decode('utf-8')), quote(text)))
            self._source_numbers[source.path] = known
        return known

    def _class(self, thing):
        named = self._named.describe(thing)
        if named:
            return named
        module, qualname = names_of_class(thing)
        metaclass = type(thing)
        if not (metaclass is type or metaclass is ABCMeta or metaclass is enum.EnumMeta):
            return _unsupported('the class {}.{} with a metaclass'.format(module, qualname))
        attributes = own_attributes(thing)
        scope = sys.modules[module].__dict__ if self._homes.of_name(module) in ('user', 'package') else {}
        file = scope.get('__file__')
        source = self._sources.of(file) if type(file) is str else None
        code = source and source.class_code(qualname, [
            value.__code__ for value in attributes.values() if type(value) is types.FunctionType])
        if not code:
            return _unsupported(
                'the class {}.{}, which has no source of its own'.format(module, qualname),
                self._named_tuple(thing, attributes))
        number, refusal = self._source(source, self._homes.of_path(source.path))
        if refusal:
            return _unsupported(refusal)
        if metaclass is enum.EnumMeta:
            members = attributes.get('_member_map_')
            kept = list(members.items()) if type(members) is dict else []
            kept += [(name, value) for name, value in attributes.items() if type(value) in (
                types.FunctionType, staticmethod, classmethod) and name not in _ENUM_NOISE]
        else:
            kept = [(name, value) for name, value in attributes.items() if name not in _CLASS_NOISE]
        if not all(_is_text(name) for name, _value in kept):
            return _unsupported('the class {}.{} with strange attributes'.format(module, qualname))
        stores = self._sources.stores_into(thing)
        bases = type.__dict__['__bases__'].__get__(thing)
        return '{{"t":"class","name":{},"qualname":{},"source":{},"line":{},"bases":{},"attrs":{}}}'.format(
            quote(qualname.rpartition('.')[2]), quote(qualname), number, code.co_firstlineno, self.refs(bases),
            _names([(name, self._missing('assigned by {}'.format(stores[name])) if name in stores
                     else self.ref(value)) for name, value in kept]))

    def _named_tuple(self, thing, attributes):
        """What makes an equal class, for one that `collections.namedtuple` made."""
        fields, made = attributes.get('_fields'), attributes.get('__new__')
        made = made.__func__ if type(made) is staticmethod else made
        if (type(fields) is not tuple or not all(map(_is_text, fields)) or type(made) is not types.FunctionType
                or made.__defaults__ or made.__module__ != 'namedtuple_' + thing.__name__
                or type.__dict__['__bases__'].__get__(thing) != (tuple,) or self._sources.stores_into(thing)):
            return ''
        for name, value in attributes.items():
            if type(value) is types.FunctionType and value is not made and value.__module__ != 'collections':
                return ''
            if name not in fields and name not in _NAMED_TUPLE:
                return ''
        return ',"call":{},"args":{}'.format(
            self.ref(collections.namedtuple), self.refs((thing.__name__, fields)))

    def _other(self, thing):
        if _is_class(thing):
            return self._class(thing)
        kind = type(thing)
        if type(kind) is enum.EnumMeta:
            scope = self._named.instance_scope(thing)
            if type(scope) is dict and _is_text(scope.get('_name_')) and '_value_' in scope:
                return '{{"t":"enum_member","class":{},"name":{},"value":{}}}'.format(
                    self.ref(kind), quote(scope['_name_']), self.ref(scope['_value_']))
        named = self._named.describe(thing)
        if named:
            return named
        reason = 'an instance of {}.{}'.format(*names_of_class(kind))
        call = self._values_of_python.call(thing)
        if call is None:
            return _unsupported(reason)
        function, arguments = call
        return _unsupported(reason, ',"call":{},"args":{}'.format(self.ref(function), self.refs(arguments)))


def _unsupported(reason, further=''):
    return '{{"t":"unsupported","reason":{}{}}}'.format(
        quote(reason.encode('utf-8', 'replace').decode('utf-8')), further)
