"""Broken semantics, one at a time: a harness that is worth anything notices each of them.

A mutant is a module in which one kind of expression means something else. It is put on the reference's side, so that
it works whatever the other side is.
"""
import ast

_HELPERS = '''
def _m_truth(value):
    return True if value else False
def _m_fdiv(a, b):
    if type(a) is int and type(b) is int and b:
        q = abs(a) // abs(b)
        return q if (a < 0) == (b < 0) else -q
    return a // b
def _m_mod(a, b):
    if type(a) is int and type(b) is int and b:
        return abs(a) % abs(b) * (-1 if a < 0 else 1)
    return a % b
def _m_strict_eq(a, b):
    return a == b and (type(a) is bool) == (type(b) is bool)
def _m_in(a, b):
    try:
        return a in b
    except TypeError:
        return False
def _m_lt(a, b):
    try:
        return a < b
    except TypeError:
        return False
def _m_item(a, b):
    try:
        return a[b]
    except KeyError:
        return None
def _m_index(a, b):
    if type(b) is int and b < 0 and isinstance(a, (list, tuple, str)):
        raise IndexError('negative')
    return a[b]
def _m_round(value, *digits):
    import math
    if type(value) is float and not digits and abs(value) < 1e15:
        return int(math.floor(value + 0.5))
    return round(value, *digits)
def _m_title(text):
    return text.lower() if text.isascii() else text
def _m_wrap(value):
    if type(value) is int and not -2 ** 63 <= value < 2 ** 63:
        return (value + 2 ** 63) % 2 ** 64 - 2 ** 63
    return value
'''


def _call(name, *arguments):
    return ast.Call(func=ast.Name(id=name, ctx=ast.Load()), args=list(arguments), keywords=[])


class _Mutant(ast.NodeTransformer):
    """Base: a copy of the tree with some nodes replaced."""


class _OrBool(_Mutant):
    def visit_BoolOp(self, node):
        self.generic_visit(node)
        return _call('_m_truth', node) if isinstance(node.op, ast.Or) else node


class _AndBool(_Mutant):
    def visit_BoolOp(self, node):
        self.generic_visit(node)
        return _call('_m_truth', node) if isinstance(node.op, ast.And) else node


def _binary(operator, helper):
    class Binary(_Mutant):
        def visit_BinOp(self, node):
            self.generic_visit(node)
            return _call(helper, node.left, node.right) if isinstance(node.op, operator) else node
    return Binary


def _compare(operator, helper):
    class Compare(_Mutant):
        def visit_Compare(self, node):
            self.generic_visit(node)
            if len(node.ops) == 1 and isinstance(node.ops[0], operator):
                return _call(helper, node.left, node.comparators[0])
            return node
    return Compare


def _subscript(helper):
    class Subscript(_Mutant):
        def visit_Subscript(self, node):
            self.generic_visit(node)
            key = getattr(node.slice, 'value', node.slice) if type(node.slice).__name__ == 'Index' else node.slice
            if isinstance(node.ctx, ast.Load) and not isinstance(key, (ast.Slice, ast.Tuple)) and \
                    type(key).__name__ != 'ExtSlice':
                return _call(helper, node.value, key)
            return node
    return Subscript


class _IsEquals(_Mutant):
    def visit_Compare(self, node):
        self.generic_visit(node)
        node.ops = [ast.Eq() if isinstance(op, ast.Is) else op for op in node.ops]
        return node


class _ChainLast(_Mutant):
    """`a < b < c` means `b < c`."""

    def visit_Compare(self, node):
        self.generic_visit(node)
        if len(node.ops) > 1:
            return ast.Compare(left=node.comparators[-2], ops=node.ops[-1:], comparators=node.comparators[-1:])
        return node


class _NoElse(_Mutant):
    """`else` of a loop always runs."""

    def visit_For(self, node):
        self.generic_visit(node)
        if node.orelse:
            tail, node.orelse = node.orelse, []
            return [node] + tail
        return node


class _FinallySkipped(_Mutant):
    def visit_Try(self, node):
        self.generic_visit(node)
        if node.finalbody and node.handlers:
            node.finalbody = []
        return node


class _ExceptAll(_Mutant):
    def visit_ExceptHandler(self, node):
        self.generic_visit(node)
        if node.type is not None:
            node.type = ast.Name(id='Exception', ctx=ast.Load())
        return node


class _EagerGenerator(_Mutant):
    def visit_GeneratorExp(self, node):
        self.generic_visit(node)
        return _call('iter', ast.ListComp(elt=node.elt, generators=node.generators))


class _Round(_Mutant):
    def visit_Name(self, node):
        return ast.copy_location(ast.Name(id='_m_round', ctx=node.ctx), node) if node.id == 'round' else node


class _SharedDefault(_Mutant):
    """Defaults are evaluated at every call, as far as they are empty displays."""

    def visit_FunctionDef(self, node):
        self.generic_visit(node)
        names = node.args.args[len(node.args.args) - len(node.args.defaults):]
        fresh = [ast.Assign(targets=[ast.Name(id=name.arg, ctx=ast.Store())], value=default)
                 for name, default in zip(names, node.args.defaults) if isinstance(default, (ast.List, ast.Dict))]
        node.body = fresh + node.body
        return node


def _method(name, other):
    class Method(_Mutant):
        def visit_Attribute(self, node):
            self.generic_visit(node)
            if node.attr == name and isinstance(node.ctx, ast.Load):
                node.attr = other
            return node
    return Method


class _Wrap(_Mutant):
    def visit_BinOp(self, node):
        self.generic_visit(node)
        return _call('_m_wrap', node)


class _LastDuplicate(_Mutant):
    """A string constant of the rule differs in case: what a guard that looks for the wrong value does."""

    def visit_Compare(self, node):
        self.generic_visit(node)
        node.comparators = [
            ast.Constant(value=item.value.upper()) if isinstance(item, ast.Constant) and isinstance(item.value, str)
            and isinstance(node.ops[0], ast.Eq) else item for item in node.comparators]
        return node


MUTANTS = {
    'or-is-bool': _OrBool,
    'and-is-bool': _AndBool,
    'floor-division-truncates': _binary(ast.FloorDiv, '_m_fdiv'),
    'modulo-as-in-c': _binary(ast.Mod, '_m_mod'),
    'true-is-not-one': _compare(ast.Eq, '_m_strict_eq'),
    'in-never-raises': _compare(ast.In, '_m_in'),
    'less-never-raises': _compare(ast.Lt, '_m_lt'),
    'missing-key-is-none': _subscript('_m_item'),
    'no-negative-index': _subscript('_m_index'),
    'is-means-equals': _IsEquals,
    'chain-forgets-its-head': _ChainLast,
    'loop-else-always-runs': _NoElse,
    'finally-does-not-run': _FinallySkipped,
    'except-catches-all': _ExceptAll,
    'generators-are-eager': _EagerGenerator,
    'round-half-up': _Round,
    'defaults-are-fresh': _SharedDefault,
    'casefold-is-lower': _method('casefold', 'lower'),
    'strip-is-lstrip': _method('strip', 'lstrip'),
    'search-is-match': _method('search', 'match'),
    'integers-wrap': _Wrap,
    'guard-looks-for-another-value': _LastDuplicate,
}


def named(name):
    """A function from source to a broken tree."""
    mutant = MUTANTS[name]

    def mutate(source):
        tree = ast.parse(source)
        tree = mutant().visit(tree)
        tree.body = ast.parse(_HELPERS).body + tree.body
        return ast.fix_missing_locations(tree)
    return mutate
