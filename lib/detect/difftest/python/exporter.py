"""Exports rule modules for the native engine, as a loader's worker does with files.

Request:  u32 length, u32 root length, folder to import from or nothing, u32 source length, source.
Response: u32 length, then b'X' and why the module does not load, or b'L' and the export document.
"""
import os
import struct
import sys
import tempfile
import types

_U32 = struct.Struct('<I')


# Modules of the folder to import from: path -> what ran, as `export_watch.py` tells it.
_EXECUTED = {}


def watch(homes):
    """Notes from now on which files' code runs."""
    from _streamalert_worker.export_code import stamp

    def hook(event, args):
        if event == 'exec' and type(args[0]) is types.CodeType and args[0].co_name == '<module>':
            path = args[0].co_filename
            if path.startswith('/') and homes.of_path(path) in ('user', 'package'):
                _EXECUTED.setdefault(path, []).append((args[0], stamp(path)))
    sys.addaudithook(hook)


def enter(root, roots):
    """Imports come from this folder."""
    if roots == [root]:
        return
    for name in list(sys.modules):
        if name.split('.')[0] in ('matchers', 'rules', 'helpers', 'publishers'):
            del sys.modules[name]
    sys.path[:] = [entry for entry in sys.path if entry not in roots]
    roots[:] = [root]
    _EXECUTED.clear()
    if root:
        sys.path.insert(1, root)


def document(folder, number, root, source, homes):
    """The export of a module."""
    from _streamalert_worker.export import export
    from _streamalert_worker.export_code import Sources, stamp
    from streamalert.shared.rule import Rule
    Rule._rules.clear()
    del Rule._invalid[:]
    path = os.path.join(folder, 'case{}.py'.format(number))
    with open(path, 'wb') as file:
        file.write(source)
    try:
        code = compile(source.decode('utf-8', 'surrogatepass'), path, 'exec', dont_inherit=True)
        module = types.ModuleType('rules.case')
        module.__file__ = path
        sys.modules['rules.case'] = module
        exec(code, module.__dict__)  # pylint: disable=exec-used
        _EXECUTED[path] = [(code, stamp(path))]
        sources = Sources(_EXECUTED, homes)
        items = [item for item in Rule._rules.values() if not item.disabled]
        rules = [{'name': item.name, 'req_subkeys': {str(key): [str(sub) for sub in subs] for key, subs in (
            item.req_subkeys or {}).items()}} for item in items]
        return export({'rules': rules}, sources, homes, root or folder)
    finally:
        os.unlink(path)
        _EXECUTED.pop(path, None)


def main():
    """Serves until stdin ends. Argument: the folder of the shim."""
    here = os.path.dirname(os.path.abspath(__file__))
    shim = os.path.abspath(sys.argv[1])
    sys.path[:] = [shim] + [entry for entry in sys.path if os.path.abspath(entry or '.') != here]
    requests, answers = os.fdopen(os.dup(0), 'rb'), os.fdopen(os.dup(1), 'wb')
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)
    from _streamalert_worker import fallback
    fallback.install(os.path.join(here, 'nowhere'), shim)
    from _streamalert_worker.export_code import Homes
    homes = Homes(shim)
    watch(homes)
    number, roots = 0, ['']
    with tempfile.TemporaryDirectory() as folder:
        while True:
            head = requests.read(4)
            if len(head) < 4:
                return
            request = requests.read(_U32.unpack(head)[0])
            at = 4 + _U32.unpack_from(request, 0)[0]
            root = request[4:at].decode('utf-8')
            enter(root, roots)
            source = request[at + 4:at + 4 + _U32.unpack_from(request, at)[0]]
            number += 1
            try:
                body = b'L' + document(folder, number, root, source, homes)
            except Exception as error:  # pylint: disable=broad-except
                body = b'X' + '{}: {}'.format(type(error).__name__, error).encode('ascii', 'backslashreplace')
            answers.write(_U32.pack(len(body)) + body)
            answers.flush()


if __name__ == '__main__':
    main()
