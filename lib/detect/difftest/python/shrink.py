"""Proposes smaller programs and smaller records; whether they still show the difference, the harness finds out.

Request:  u32 length, b'P' or b'R', u32 where to begin, and a source or a JSON text.
Response: u32 length, u32 how many there are, u32 count, count x (u32 length, candidate), big cuts first.
"""
import ast
import copy
import json
import os
import struct
import sys

_U32 = struct.Struct('<I')
_SUITES = ('body', 'orelse', 'finalbody', 'handlers')
_CANDIDATES_MAX = 600

# Making one takes as long as trying it.
_AT_ONCE = 40


def programs(source, start):
    """How many there are, and some of the sources from a place on, with one statement less, one suite unwrapped, or one expression replaced by a part of it."""
    tree = ast.parse(source)
    seen = {ast.unparse(tree)}
    makers = list(_statements(tree)) + list(_expressions(tree))
    found = []
    for make in makers[start:start + _AT_ONCE]:
        try:
            text = ast.unparse(ast.fix_missing_locations(make()))
            ast.parse(text)
        except Exception:  # pylint: disable=broad-except
            continue
        if text not in seen:
            seen.add(text)
            found.append(text)
    return len(makers), found


def _paths(node, path=()):
    """Every node with the way to it from the root."""
    yield path, node
    for name, value in ast.iter_fields(node):
        if isinstance(value, ast.AST):
            yield from _paths(value, path + ((name, None),))
        elif isinstance(value, list):
            for index, item in enumerate(value):
                if isinstance(item, ast.AST):
                    yield from _paths(item, path + ((name, index),))


def _reach(tree, path):
    for name, index in path:
        tree = getattr(tree, name)
        if index is not None:
            tree = tree[index]
    return tree


def _replace(tree, path, new):
    """A copy of the tree with another node (or a list of nodes) at this place."""
    tree = copy.deepcopy(tree)
    owner = _reach(tree, path[:-1])
    name, index = path[-1]
    if index is None:
        setattr(owner, name, new)
        return tree
    items = getattr(owner, name)
    items[index:index + 1] = new if isinstance(new, list) else [new]
    if name == 'body' and not items and not isinstance(owner, ast.Module):
        items.append(ast.Pass())
    return tree


def _size(node):
    return sum(1 for _ in ast.walk(node))


def _statements(tree):
    found = [(path, node) for path, node in _paths(tree)
             if path and isinstance(node, (ast.stmt, ast.ExceptHandler)) and not isinstance(node, ast.Pass)]
    found.sort(key=lambda entry: -_size(entry[1]))
    for path, node in found:
        yield lambda path=path: _replace(tree, path, [])
    for path, node in found:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and len(path) == 1:
            for index in range(len(node.decorator_list)):
                yield lambda path=path + (('decorator_list', index),): _replace(tree, path, [])
            continue
        for suite in _SUITES:
            inner = getattr(node, suite, None)
            if isinstance(inner, list) and inner and isinstance(inner[0], ast.stmt):
                yield lambda path=path, inner=inner: _replace(tree, path, copy.deepcopy(inner))
                if suite != 'body':
                    yield lambda path=path + ((suite, None),): _replace(tree, path, [])


_PLAIN = ('0', "''", 'None', 'True')


def _expressions(tree):
    found = [(path, node) for path, node in _paths(tree) if path and isinstance(node, ast.expr)
             and not isinstance(getattr(node, 'ctx', None), (ast.Store, ast.Del))]
    found.sort(key=lambda entry: -_size(entry[1]))
    for path, node in found:
        if path[-1][1] is not None and path[-1][0] in ('elts', 'args', 'values', 'comparators'):
            yield lambda path=path: _replace(tree, path, [])
        if _size(node) > 2:
            for below, child in _paths(node):
                if below and isinstance(child, ast.expr) and isinstance(getattr(child, 'ctx', ast.Load()), ast.Load) \
                        and len(below) <= 2:
                    yield lambda path=path, child=child: _replace(tree, path, copy.deepcopy(child))
            for plain in _PLAIN:
                yield lambda path=path, plain=plain: _replace(tree, path, ast.parse(plain, mode='eval').body)
    for path, node in _paths(tree):
        if isinstance(node, (ast.Dict, ast.Call)):
            keywords = node.keywords if isinstance(node, ast.Call) else node.keys
            for index in range(len(keywords)):
                yield lambda path=path, index=index: _without_keyword(tree, path, index)


def _without_keyword(tree, path, index):
    tree = copy.deepcopy(tree)
    node = _reach(tree, path)
    if isinstance(node, ast.Call):
        del node.keywords[index]
    else:
        del node.keys[index], node.values[index]
    return tree


class _Number(str):
    """A number as it was written."""


class _Object(list):
    """Pairs: a key may come twice."""


def _write(value):
    if isinstance(value, _Number):
        return str.__str__(value)
    if isinstance(value, _Object):
        return '{' + ','.join(json.dumps(key) + ':' + _write(item) for key, item in value) + '}'
    if isinstance(value, list):
        return '[' + ','.join(_write(item) for item in value) + ']'
    return json.dumps(value)


def _smaller(value):
    """Values with one thing less."""
    if isinstance(value, _Object):
        for index in range(len(value)):
            yield _Object(value[:index] + value[index + 1:])
        for index, (key, item) in enumerate(value):
            for less in _smaller(item):
                yield _Object(value[:index] + [(key, less)] + value[index + 1:])
    elif isinstance(value, list):
        for index in range(len(value)):
            yield value[:index] + value[index + 1:]
        for index, item in enumerate(value):
            for less in _smaller(item):
                yield value[:index] + [less] + value[index + 1:]
    elif isinstance(value, str) and not isinstance(value, _Number):
        if len(value) > 1:
            half = len(value) // 2
            yield value[:half]
            yield value[half:]
            if len(value) < 24:
                for index in range(len(value)):
                    yield value[:index] + value[index + 1:]
        elif value:
            yield ''


def records(text):
    """JSON texts with one thing less."""
    value = json.loads(text, object_pairs_hook=_Object, parse_int=_Number, parse_float=_Number,
                       parse_constant=_Number)
    seen = {text}
    for less in _smaller(value):
        written = _write(less)
        if written not in seen and len(seen) < _CANDIDATES_MAX:
            seen.add(written)
            yield written


def main():
    """Serves until stdin ends."""
    sys.setrecursionlimit(20000)
    requests, answers = os.fdopen(0, 'rb'), os.fdopen(1, 'wb')
    while True:
        head = requests.read(4)
        if len(head) < 4:
            return
        body = requests.read(_U32.unpack(head)[0])
        start, = _U32.unpack_from(body, 1)
        text = body[5:].decode('utf-8', 'surrogatepass')
        try:
            if body[:1] == b'P':
                total, found = programs(text, start)
            else:
                found = list(records(text))
                total, found = len(found), found[start:start + _AT_ONCE]
        except Exception:  # pylint: disable=broad-except
            total, found = 0, []
        parts = [_U32.pack(total), _U32.pack(len(found))]
        for candidate in found:
            data = candidate.encode('utf-8', 'surrogatepass')
            parts += [_U32.pack(len(data)), data]
        out = b''.join(parts)
        answers.write(_U32.pack(len(out)) + out)
        answers.flush()


if __name__ == '__main__':
    main()
