"""Which rules may change the record they are given. Those get a private copy, so the answer "no" must be
right and the answer "yes" may be wrong: it costs a second parse per record."""
import builtins
import collections
import dis
import functools
import types

from streamalert.shared.rule import Rule

_WRITES = frozenset((
    'STORE_SUBSCR', 'DELETE_SUBSCR', 'STORE_SLICE', 'STORE_ATTR', 'DELETE_ATTR', 'STORE_GLOBAL',
    'IMPORT_STAR'))

# Methods that change what they are called on.
_METHODS = frozenset((
    '__delitem__', '__iadd__', '__ior__', '__setitem__', 'add', 'append', 'appendleft', 'clear',
    'difference_update', 'discard', 'extend', 'extendleft', 'insert', 'intersection_update',
    'move_to_end', 'pop', 'popitem', 'remove', 'reverse', 'rotate', 'setdefault', 'sort', 'subtract',
    'symmetric_difference_update', 'update'))

# Functions that change what they are given, or can do anything.
_FUNCTIONS = frozenset((
    '__import__', 'compile', 'delattr', 'delitem', 'eval', 'exec', 'getattr', 'globals', 'heapify',
    'get_rule', 'heappop', 'heappush', 'heappushpop', 'heapreplace', 'iadd', 'iconcat', 'insort', 'insort_left',
    'insort_right', 'locals', 'methodcaller', 'setattr', 'rules_for_log_type', 'rules_with_datatypes', 'setitem',
    'shuffle', 'vars', '_rules'))

# Modules whose functions leave their arguments alone, but for the names above.
_HARMLESS = frozenset((
    '_streamalert_worker', 'base64', 'binascii', 'bisect', 'builtins', 'calendar', 'collections', 'copy',
    'datetime', 'decimal', 'difflib', 'enum', 'fnmatch', 'fractions', 'functools', 'genericpath', 'hashlib',
    'heapq', 'html', 'ipaddress', 'itertools', 'json', 'logging', 'math', 'netaddr', 'ntpath', 'operator',
    'os', 'pathlib', 'posixpath', 'random', 're', 'socket', 'statistics', 'streamalert', 'string',
    'struct', 'textwrap', 'time', 'unicodedata', 'urllib', 'uuid', 'zlib'))

_DEPTH_MAX = 12


def may_mutate(functions, with_context=None):
    """Whether one of these functions, or what it calls, may change its arguments. `with_context` may be one of
    them: its second argument is a dictionary that is nobody else's, in which it may set items."""
    seen = {}
    return any(_with_context(function, seen) if function is with_context else _thing(function, seen, 0)
               for function in functions)


def _with_context(function, seen):
    """As `_thing`. The answer is not remembered: whoever calls the function with something else as its second
    argument must not be told that it is harmless."""
    code = getattr(function, '__code__', None)
    if not isinstance(function, types.FunctionType) or code.co_argcount < 2:
        return _thing(function, seen, 0)
    return _function(function, seen, 1, code.co_varnames[1])


def _thing(thing, seen, depth):
    """Whether calling this may change its arguments."""
    known = seen.get(id(thing))
    if known:
        return known[1]  # False while it is looked at: recursion adds nothing new
    # The reference keeps the id from being given to something else.
    seen[id(thing)] = (thing, False)
    answer = depth > _DEPTH_MAX or _look(thing, seen, depth + 1)
    seen[id(thing)] = (thing, answer)
    return answer


def _harmless(thing):
    """Whether a function or class comes from a module that leaves its arguments alone."""
    module = (getattr(thing, '__module__', None) or '').split('.')[0]
    return module in _HARMLESS or module.lstrip('_') in _HARMLESS


def _look(thing, seen, depth):
    if isinstance(thing, types.MethodType):
        return _thing(thing.__func__, seen, depth)
    if isinstance(thing, functools.partial):
        return _reached(thing.func, seen, depth) or _reached(thing.args, seen, depth)
    if isinstance(thing, types.BuiltinFunctionType):
        # Either a function of an extension module or a method of a builtin value.
        name = thing.__name__
        return name in _FUNCTIONS or name in _METHODS or not (thing.__module__ is None or _harmless(thing))
    if isinstance(thing, types.FunctionType):
        return thing.__name__ in _FUNCTIONS or not _harmless(thing) and _function(thing, seen, depth)
    if isinstance(thing, type):
        return not _harmless(thing) and _class(thing, seen, depth)
    if isinstance(thing, (types.MethodDescriptorType, types.WrapperDescriptorType,
                          types.MethodWrapperType, types.ClassMethodDescriptorType)):
        return thing.__name__ in _METHODS or thing.__name__ in _FUNCTIONS
    if isinstance(thing, (staticmethod, classmethod)):
        return _thing(thing.__func__, seen, depth)
    if isinstance(thing, property):
        return any(_thing(part, seen, depth) for part in (thing.fget, thing.fset) if part)
    return True


def _class(cls, seen, depth):
    """Whether one of the methods of a class may."""
    for scope in (vars(base) for base in cls.__mro__ if not _harmless(base)):
        for member in scope.values():
            if callable(member) or isinstance(member, (staticmethod, classmethod, property)):
                if _thing(member, seen, depth):
                    return True
    return False


def _function(function, seen, depth, own=None):
    # Not a copy: a file of thousands of rules has as many globals.
    scopes = collections.ChainMap({}, function.__globals__, builtins.__dict__)
    code = function.__code__
    for name, cell in zip(code.co_freevars, function.__closure__ or ()):
        try:
            scopes[name] = cell.cell_contents
        except ValueError:
            return True
    defaults = list(function.__defaults__ or ()) + list((function.__kwdefaults__ or {}).values())
    return _reached(defaults, seen, depth) or any(
        _code(part, scopes, seen, depth, own if part is code else None) for part in _codes(code))


def _codes(code):
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _codes(constant)


def _code(code, scopes, seen, depth, own):
    """`own` names a local variable that holds a dictionary which may be changed."""
    owner = _UNKNOWN  # what the instruction before put on the stack, as far as it is known
    steps = [step for step in dis.get_instructions(code) if step.opname not in _NOTHING]
    if any(own in _stored(step) for step in steps):
        own = None  # the name comes to mean something else
    for place, step in enumerate(steps):
        operation, value = step.opname, step.argval
        if operation in _WRITES and not (own and _sets_item_of(own, steps, place)):
            return True
        if operation.startswith('INPLACE_') or (operation == 'BINARY_OP' and step.argrepr.endswith('=')):
            # `x += [...]` changes a list that `x` may share with the record.
            return True
        if operation in _NAME_LOADS:
            owner = scopes.get(value, _UNKNOWN)
            if owner is not _UNKNOWN and _reached(owner, seen, depth):
                return True
        elif operation in ('LOAD_ATTR', 'LOAD_METHOD', 'LOAD_SUPER_ATTR'):
            if value in _METHODS or value in _FUNCTIONS:
                return True
            owner = _attribute(owner, value)
            if owner is not _UNKNOWN and _reached(owner, seen, depth):
                return True
        elif operation in ('IMPORT_NAME', 'IMPORT_FROM'):
            if operation == 'IMPORT_FROM' or value.split('.')[0] not in _HARMLESS:
                return True
        else:
            owner = _UNKNOWN
    return False


# Instructions that leave the stack's values alone.
_NOTHING = frozenset(('CACHE', 'NOP', 'PUSH_NULL', 'PRECALL', 'EXTENDED_ARG'))


def _stored(step):
    """The local variables that an instruction sets or deletes."""
    operation, value = step.opname, step.argval
    if operation == 'STORE_FAST_LOAD_FAST':
        return value[:1]
    if operation.startswith(('STORE_FAST', 'DELETE_FAST', 'LOAD_FAST_AND_CLEAR')):
        return value if isinstance(value, tuple) else (value,)
    return ()


def _sets_item_of(own, steps, place):
    """Whether this instruction is the end of `own[key] = value` with a plain key: the variable and the key are
    loaded right before it, and no jump leads in between with something else on the stack."""
    store, key = steps[place], steps[place - 1]
    if store.opname != 'STORE_SUBSCR' or place < 2 or store.is_jump_target:
        return False
    if key.opname == 'LOAD_FAST_LOAD_FAST':
        return key.argval[0] == own
    if key.opname not in ('LOAD_CONST', 'LOAD_FAST', 'LOAD_FAST_CHECK') or key.is_jump_target:
        return False
    holder = steps[place - 2]
    if holder.opname in ('LOAD_FAST_LOAD_FAST', 'STORE_FAST_LOAD_FAST'):
        return holder.argval[1] == own
    return holder.opname in ('LOAD_FAST', 'LOAD_FAST_CHECK') and holder.argval == own


def _attribute(owner, name):
    """An attribute of something known; only plain attributes are looked at, no code of the user runs."""
    if owner is _UNKNOWN:
        return _UNKNOWN
    if isinstance(owner, (types.ModuleType, type)):
        return vars(owner).get(name, _UNKNOWN) if isinstance(owner, types.ModuleType) else getattr(
            owner, name, _UNKNOWN)
    try:
        return object.__getattribute__(owner, name)
    except Exception:  # pylint: disable=broad-except
        return _UNKNOWN


def _reached(thing, seen, depth):
    """Whether code that mentions this may change something through it: what can be called, is; of values
    whose class the user wrote, every method."""
    if isinstance(thing, types.ModuleType):
        return False
    if isinstance(thing, Rule):
        # Its `process` would call it.
        return _thing(thing.func, seen, depth)
    if callable(thing):
        return _thing(thing, seen, depth)
    if isinstance(thing, (list, tuple, set, frozenset, dict)):
        items = thing.values() if isinstance(thing, dict) else thing
        if len(thing) > 10000:
            return True
        return any(_reached(item, seen, depth + 1) for item in items
                   if not isinstance(item, _PLAIN)) if depth <= _DEPTH_MAX else True
    return not isinstance(thing, _PLAIN) and not _harmless(type(thing)) and _thing(type(thing), seen, depth)


_PLAIN = (str, bytes, int, float, complex, bool, type(None))

_NAME_LOADS = frozenset((
    'LOAD_GLOBAL', 'LOAD_NAME', 'LOAD_DEREF', 'LOAD_CLASSDEREF', 'LOAD_FROM_DICT_OR_DEREF',
    'LOAD_FROM_DICT_OR_GLOBALS'))

_UNKNOWN = object()
