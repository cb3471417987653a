"""Evaluates rule modules on records for the differential harness; frames over stdin and stdout.

Request:  u32 length, u32 root length, folder to import from or nothing, u32 source length, source, u32 count, count x (u32 length, record as JSON text).
Response: u32 length, then b'X' u32 length, why the module does not load;
          or b'L' u32 count, count x (u32 length, rule name), and for every record, for every rule, an answer.
Answer:   b'T' b'F' b'Z' the rule answered True, False, None and left nothing else behind; b'N' it was not run;
          b'V' u32 length, T or F US value US context US alert US outputs US record: what it answered and left behind, tagged;
          b'E' u32 length, class US message: what it raised; b'U' the record cannot be read.
Integers are little endian, text is ASCII, US is 0x1f. All rules are evaluated, whatever their log type.
"""
import gc
import json
import marshal
import os
import re
import struct
import sys
from copy import deepcopy

_U32 = struct.Struct('<I')
_ADDRESS = re.compile(r' at 0x[0-9a-fA-F]+')
_QUOTE = json.encoder.encode_basestring_ascii
_DEPTH_MAX = 60


def tagged(value, depth=0):
    """A value as text in which values of different types differ: True, 1, 1.0 and '1' are four things."""
    kind = type(value)
    if kind is str:
        return _QUOTE(value)
    if value is None:
        return 'null'
    if kind is bool:
        return 'true' if value else 'false'
    if kind is int:
        return hex(value) if value.bit_length() > 10000 else str(value)
    if kind is float:
        text = repr(value)
        return text if text[-1].isdigit() and ('.' in text or 'e' in text) else 'float:' + text
    if depth > _DEPTH_MAX:
        return 'deep'
    if kind is list:
        return '[' + ','.join([tagged(item, depth + 1) for item in value]) + ']'
    if kind is dict:
        return '{' + _pairs(value, depth) + '}'
    if kind is tuple:
        return '(' + ','.join([tagged(item, depth + 1) for item in value]) + ')'
    if kind is set or kind is frozenset:
        return kind.__name__ + '<' + ','.join(sorted(tagged(item, depth + 1) for item in value)) + '>'
    if kind is bytes or kind is bytearray:
        return kind.__name__ + ':' + value.hex()
    if isinstance(value, dict):
        return kind.__name__ + '{' + _pairs(value, depth) + '}'
    if isinstance(value, (list, tuple)) or kind.__name__ == 'deque':
        return kind.__name__ + '[' + ','.join([tagged(item, depth + 1) for item in value]) + ']'
    try:
        return kind.__name__ + ':' + _QUOTE(_ADDRESS.sub('', repr(value)))
    except Exception as error:  # pylint: disable=broad-except
        return kind.__name__ + ':raises ' + type(error).__name__


def _pairs(value, depth):
    return ','.join([tagged(key, depth + 1) + ':' + tagged(item, depth + 1) for key, item in value.items()])


def _state(record):
    """The record as bytes that change with it; text where it holds what is no JSON."""
    try:
        return marshal.dumps(record, 2)
    except ValueError:
        return tagged(record)


def _message(error):
    if isinstance(error, (RecursionError, MemoryError)):
        return ''
    try:
        return _ADDRESS.sub('', str(error))[:4000]
    except Exception as second:  # pylint: disable=broad-except
        return 'no text: ' + type(second).__name__


def _plain(value):
    if isinstance(value, (set, frozenset)):
        raise ValueError('in no order')
    try:
        return list(value)
    except TypeError:
        return str(value)


def _alert(context):
    """The context as an alert has it; nothing where it depends on the order of a set."""
    if not context:
        return '{}'
    try:
        return json.dumps(context, default=_plain, skipkeys=True)
    except (TypeError, RecursionError):
        return '{}'
    except ValueError as error:
        return '' if str(error) == 'in no order' else '{}'


def _sized(tag, text):
    data = text.encode('ascii', 'backslashreplace')
    return tag + _U32.pack(len(data)) + data


def _raised(error):
    return _sized(b'E', type(error).__name__ + '\x1f' + _QUOTE(_message(error))[1:-1])


class Unit:
    """One rule."""

    def __init__(self, item):
        self.name = item.name
        self.func = item.func
        self.subkeys = tuple((key, tuple(subs)) for key, subs in (item.req_subkeys or {}).items())
        self.matchers = tuple(item.matchers or ())
        self.dynamic = tuple(item.dynamic_outputs or ())
        self.context = item.initial_context

    def answer(self, record, before):
        """The answer for a record, whose state before is given, and whether the record has changed."""
        for key, subs in self.subkeys:
            value = record.get(key)
            if not isinstance(value, dict) or any(sub not in value for sub in subs):
                return b'N', False
        for matcher in self.matchers:
            try:
                if not matcher(record):
                    return b'N', True
            except Exception:  # pylint: disable=broad-except
                return b'N', True
        context = self.context
        try:
            if context is None:
                value = self.func(record)
            else:
                context = deepcopy(context)
                value = self.func(record, context)
            fired = bool(value)
        except BaseException as error:  # pylint: disable=broad-except
            if isinstance(error, KeyboardInterrupt):
                raise
            return _raised(error), True
        outputs = self._outputs(record, context) if fired and self.dynamic else ''
        changed = _state(record) != before
        if context is None and not outputs and not changed:
            if value is False:
                return b'F', False
            if value is True:
                return b'T', False
            if value is None:
                return b'Z', False
        left = ('' if context is None else tagged(context), _alert(context) if fired else '', outputs, tagged(record) if changed else '')
        return _sized(b'V', '\x1f'.join(('T' if fired else 'F', tagged(value)) + left)), changed

    def _outputs(self, record, context):
        found = []
        for function in self.dynamic:
            try:
                outputs = function(record, context) if context else function(record)
            except Exception:  # pylint: disable=broad-except
                continue
            outputs = [outputs] if isinstance(outputs, str) else outputs if isinstance(outputs, list) else ()
            found += [output for output in outputs if isinstance(output, str) and ':' in output]
        return tagged(list(dict.fromkeys(found))) if found else ''


def load(source, rules, mutate):
    """The rules of a module in order of definition."""
    rules._rules.clear()
    del rules._invalid[:]
    code = compile(mutate(source), 'case.py', 'exec', dont_inherit=True)
    exec(code, {'__name__': 'rules.case', '__builtins__': __builtins__})  # pylint: disable=exec-used
    return [Unit(item) for item in rules._rules.values() if not item.disabled]


def evaluate(units, texts, parts):
    """Appends all answers."""
    for text in texts:
        try:
            record = json.loads(text)
            if not isinstance(record, dict):
                raise TypeError('a record is a dictionary')
        except Exception:  # pylint: disable=broad-except
            parts += [b'U'] * len(units)
            continue
        before = _state(record)
        for unit in units:
            data, doubtful = unit.answer(record, before)
            parts.append(data)
            if doubtful and _state(record) != before:
                record = json.loads(text)


_ROOTS = []


def _enter(root):
    """Imports come from this folder."""
    if _ROOTS != [root]:
        for name in list(sys.modules):
            if name.split('.')[0] in ('matchers', 'rules', 'helpers', 'publishers'):
                del sys.modules[name]
        sys.path[:] = [entry for entry in sys.path if entry not in _ROOTS]
        _ROOTS[:] = [root]
        if root:
            sys.path.insert(1, root)


def respond(request, rules, mutate):
    """The parts of the response to a request."""
    at = 4 + _U32.unpack_from(request, 0)[0]
    _enter(request[4:at].decode('utf-8'))
    start, at = at + 4, at + 4 + _U32.unpack_from(request, at)[0]
    source = request[start:at].decode('utf-8', 'surrogatepass')
    try:
        units = load(source, rules, mutate)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # pylint: disable=broad-except
        return [_sized(b'X', type(error).__name__ + ': ' + _QUOTE(_message(error))[1:-1])]
    parts = [b'L', _U32.pack(len(units))] + [_sized(b'', unit.name) for unit in units]
    texts = []
    count, = _U32.unpack_from(request, at)
    at += 4
    for _ in range(count):
        length, = _U32.unpack_from(request, at)
        texts.append(request[at + 4:at + 4 + length].decode('utf-8', 'surrogatepass'))
        at += 4 + length
    evaluate(units, texts, parts)
    return parts


def main():
    """Serves until stdin ends. Arguments: the folder of the shim, and perhaps the name of a mutant."""
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [sys.argv[1]] + [entry for entry in sys.path if os.path.abspath(entry or '.') != here]
    requests, answers = os.fdopen(os.dup(0), 'rb'), os.fdopen(os.dup(1), 'wb')
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)
    from _streamalert_worker import fallback
    fallback.install(os.path.join(here, 'nowhere'), sys.argv[1])
    from streamalert.shared.rule import Rule
    mutate = lambda source: source
    if len(sys.argv) > 2:
        sys.path.append(here)
        import mutants
        mutate = mutants.named(sys.argv[2])
    import logging
    logging.disable(logging.CRITICAL)
    import resource
    resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))
    gc.collect()
    gc.freeze()
    gc.set_threshold(20000, 20, 20)
    while True:
        head = requests.read(4)
        if len(head) < 4:
            return
        body = b''.join(respond(requests.read(_U32.unpack(head)[0]), Rule, mutate))
        answers.write(_U32.pack(len(body)))
        answers.write(body)
        answers.flush()


if __name__ == '__main__':
    main()
