"""What the source files of the user's modules say: where each function and class stands, and which names code
stores into modules and classes while it runs. Read off the code objects that ran, so it is what CPython runs."""
import opcode
import os
import sys
import types

_OPCODES = opcode.opmap
_STORE_ATTR = _OPCODES['STORE_ATTR']
_EXTENDED = _OPCODES['EXTENDED_ARG']
_CACHE = _OPCODES.get('CACHE')
_GLOBAL_STORES = (_OPCODES['STORE_GLOBAL'], _OPCODES['DELETE_GLOBAL'])
_ATTR_STORES = (_STORE_ATTR, _OPCODES['DELETE_ATTR'])
_NAME_LOADS = {_OPCODES['LOAD_NAME']: 0, _OPCODES['LOAD_GLOBAL']: 1 if sys.version_info >= (3, 11) else 0}

# Set on the code of functions, not on that of class bodies.
_CO_OPTIMIZED = 1


def codes_within(code):
    """The code and all code nested in it, outer before inner."""
    waiting = [code]
    while waiting:
        code = waiting.pop()
        yield code
        waiting.extend(constant for constant in reversed(code.co_consts) if type(constant) is types.CodeType)


def names_mentioned(code):
    """Every global, attribute or module name that the code or code nested in it mentions."""
    names = set()
    for part in codes_within(code):
        names.update(part.co_names)
    return names


def _stores(code):
    """(None, name) for each global that the code assigns, (owner, name) for each attribute it assigns on
    something it knows by a global name."""
    raw = code.co_code
    if not any(operation in raw for operation in _GLOBAL_STORES + _ATTR_STORES):
        return
    owner = None
    extended = 0
    for at in range(0, len(raw), 2):
        operation = raw[at]
        if operation == _CACHE:
            continue
        argument = extended | raw[at + 1]
        extended = argument << 8 if operation == _EXTENDED else 0
        if operation in _GLOBAL_STORES:
            yield None, code.co_names[argument]
        elif operation in _ATTR_STORES and owner is not None:
            yield owner, code.co_names[argument]
        if operation != _EXTENDED:
            shift = _NAME_LOADS.get(operation)
            owner = None if shift is None else code.co_names[argument >> shift]


class SourceFile:
    """One file whose module code ran."""

    def __init__(self, path, runs):
        self.path = path
        self._stat = runs[0][1]
        # id of a function's code -> (its place among those of the same line and name, how many there are)
        self.functions = {}
        # qualified name -> codes of class bodies
        self.classes = {}
        # global name -> name of the function that assigns it
        self.assigned = {}
        # (global name, attribute, function or None for the module's own code)
        self.attribute_stores = []
        self._codes = [code for code, _stat in runs]
        for code in self._codes:
            self._index(code)

    def _index(self, module_code):
        places = {}
        waiting = [(module_code, '')]
        while waiting:
            code, prefix = waiting.pop()
            inside = prefix
            if code is not module_code:
                name = prefix + code.co_name
                if code.co_flags & _CO_OPTIMIZED:
                    inside = name + '.<locals>.'
                    same = places.setdefault((code.co_firstlineno, code.co_name), [])
                    if not any(code is other for other in same):
                        same.append(code)
                else:
                    inside = name + '.'
                    self.classes.setdefault(name, []).append(code)
            for owner, stored in _stores(code):
                if owner is not None:
                    where = None if code is module_code else code.co_name
                    self.attribute_stores.append((owner, stored, where))
                elif code is not module_code:
                    self.assigned.setdefault(stored, code.co_name)
            waiting.extend((constant, inside) for constant in reversed(code.co_consts)
                           if type(constant) is types.CodeType)
        for same in places.values():
            for place, code in enumerate(same):
                self.functions[id(code)] = (place, len(same))

    def class_code(self, qualname, functions):
        """The code of the body of a class that has these functions' codes; None when there is no telling."""
        bodies = self.classes.get(qualname, ())
        if len(bodies) == 1:
            return bodies[0]
        wanted = {id(code) for code in functions}
        found = [body for body in bodies if any(id(constant) in wanted for constant in body.co_consts)]
        return found[0] if len(found) == 1 else None

    def read(self):
        """(text, None), or (None, why there is none). Newlines are as CPython's parser sees them."""
        try:
            with open(self.path, 'rb') as file:
                data = file.read()
            if stamp(self.path) != self._stat:
                return None, 'the file {} changed while it was loaded'.format(self.path)
            if b'coding' in data[:400] or data.startswith(b'\xef\xbb\xbf'):
                from importlib.util import decode_source
                return decode_source(data), None
            text = data.decode('utf-8')
        except (OSError, SyntaxError, UnicodeError, LookupError) as error:
            return None, 'the source cannot be read: {}'.format(error)
        if '\r' in text:
            text = text.replace('\r\n', '\n').replace('\r', '\n')
        return text, None


def stamp(path):
    """What tells one version of a file from the next."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


class Sources:
    """All files whose module code ran, and what their code stores elsewhere."""

    def __init__(self, executed, homes):
        self._files = {path: SourceFile(path, runs) for path, runs in executed.items()
                       if homes.of_path(path) in ('user', 'package')}
        # id of a module or class -> attribute -> who stores it
        self._stored = {}
        namespaces = {}
        for module in list(sys.modules.values()):
            if type(module) is types.ModuleType:
                file = module.__dict__.get('__file__')
                if type(file) is str and file in self._files:
                    namespaces.setdefault(file, []).append(module.__dict__)
        for path, file in self._files.items():
            for owner, name, where in file.attribute_stores:
                for namespace in namespaces.get(path, ()):
                    target = namespace.get(owner)
                    if type(target) is types.ModuleType or issubclass(type(target), type):
                        self._store(target, name, path, where, homes)

    def _store(self, target, name, path, where, homes):
        if where is None:
            # A user module's value at the end of loading is what counts; ours and Python's own are known by
            # name, so a change to them must show.
            if type(target) is not types.ModuleType or homes.of_module(target) not in ('std', 'shim'):
                return
            where = 'the module'
        self._stored.setdefault(id(target), {}).setdefault(name, '{} of {}'.format(where, path))

    def of(self, path):
        """The file of this path, if its module code was seen."""
        return self._files.get(path)

    def stores_into(self, thing):
        """Attribute -> who stores it while running, for a module or class."""
        return self._stored.get(id(thing), {})


class Homes:
    """Which modules are Python's own ('std'), of our package ('shim'), installed ('package') or the user's."""

    def __init__(self, shim_root):
        self._shim = shim_root + os.sep
        self._std = os.path.dirname(os.path.abspath(os.__file__)) + os.sep

    def of_path(self, path):
        """Where a file belongs."""
        if path.startswith('<frozen '):
            return 'std'
        path += os.sep  # a folder itself belongs to what is in it
        if path.startswith(self._shim):
            return 'shim'
        if '/site-packages/' in path or '/dist-packages/' in path:
            return 'package'
        return 'std' if path.startswith(self._std) else 'user'

    def of_module(self, module):
        """Where a module object belongs."""
        scope = module.__dict__
        file = scope.get('__file__')
        if type(file) is str:
            return self.of_path(file)
        if scope.get('__name__') in sys.builtin_module_names:
            return 'std'
        origin = getattr(scope.get('__spec__'), 'origin', None)
        return 'std' if origin in ('built-in', 'frozen') else 'user'

    def of_name(self, name):
        """Where the module of this name belongs; None when none of the name is loaded."""
        module = sys.modules.get(name) if type(name) is str else None
        return self.of_module(module) if type(module) is types.ModuleType else None
