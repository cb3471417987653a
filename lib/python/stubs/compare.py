"""Compares the stubs with the shim: `compare.py SHIM STUBS`. Public modules, functions with their parameters,
classes with their methods and attributes, and variables must be the same in both."""
import ast
import os
import sys

STAND_IN = '_streamalert_worker/rule_helpers.py'


def is_public(name):
    """Not `_name`; `__init__` and the like are."""
    return not name.startswith('_') or name.startswith('__') and name.endswith('__')


def parameters(function):
    """Names of the parameters in order."""
    args = function.args
    names = [arg.arg for arg in args.posonlyargs + args.args]
    names += ['*' + args.vararg.arg] if args.vararg else []
    names += sorted(arg.arg for arg in args.kwonlyargs)
    return names + (['**' + args.kwarg.arg] if args.kwarg else [])


def attributes(function):
    """What a method sets on `self`."""
    return {node.attr for node in ast.walk(function)
            if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)
            and isinstance(node.value, ast.Name) and node.value.id == 'self'}


def targets(statement):
    """The names that a statement assigns."""
    if isinstance(statement, ast.AnnAssign):
        return [statement.target.id]
    if isinstance(statement, ast.Assign):
        return [target.id for target in statement.targets if isinstance(target, ast.Name)]
    return []


def names(body, prefix=''):
    """Every public name below some statements, functions with their parameters."""
    found = set()
    for statement in body:
        if isinstance(statement, ast.FunctionDef) and is_public(statement.name):
            found.add('{}{}({})'.format(prefix, statement.name, ', '.join(parameters(statement))))
            if prefix and statement.name == '__init__':
                found.update(prefix + name for name in attributes(statement) if is_public(name))
        elif isinstance(statement, ast.ClassDef) and is_public(statement.name):
            found.add(prefix + statement.name)
            found |= names(statement.body, prefix + statement.name + '.')
        else:
            found.update(prefix + name for name in targets(statement) if is_public(name))
    return found


def read(path):
    """The statements of a file; a stub that Python cannot read fails here."""
    with open(path, encoding='utf-8') as file:
        return ast.parse(file.read(), path).body


def files(root, folder, extension):
    """Module path -> file."""
    found = {}
    for place, _folders, entries in os.walk(os.path.join(root, folder)):
        for entry in entries:
            if entry.endswith(extension):
                path = os.path.join(place, entry)
                found[os.path.relpath(path, os.path.join(root, folder))[:-len(extension)]] = path
    return found


def main(shim, stubs):
    """Prints every difference."""
    theirs, ours = files(shim, 'streamalert', '.py'), files(stubs, 'streamalert-stubs', '.pyi')
    pairs = [(path, theirs[path], ours[path]) for path in sorted(theirs.keys() & ours.keys())]
    pairs.append(('rules.helpers.base', os.path.join(shim, STAND_IN),
                  os.path.join(stubs, 'rules-stubs/helpers/base.pyi')))
    problems = ['only in one: ' + path for path in sorted(theirs.keys() ^ ours.keys())]
    for path, module, stub in pairs:
        defined, named = names(read(module)), names(read(stub))
        # The decorator takes `**opts`, which the stub spells out; aliases of types exist in stubs only.
        spelled = {name for name in named if name.startswith('rule(')}
        defined = {('rule(**opts)' if name.startswith('rule(') else name) for name in defined} - {'LOGGER'}
        named = {('rule(**opts)' if name in spelled else name) for name in named}
        if {'Register', 'Register.__new__(cls, class_or_function)'} <= defined:
            # A decorator written as a class; checkers understand it as a function only.
            defined -= {'Register', 'Register.__new__(cls, class_or_function)'}
            defined.add('Register(class_or_function)')
        aliases = {target for statement in read(stub) if isinstance(statement, ast.Assign)
                   for target in targets(statement)}
        problems += ['{}: the stub lacks {}'.format(path, name) for name in sorted(defined - named)]
        problems += ['{}: the shim lacks {}'.format(path, name) for name in sorted(named - defined - aliases)]
    print('\n'.join(problems) if problems else '{} files agree'.format(len(pairs)))
    return bool(problems)


if __name__ == '__main__':
    sys.exit(main(*sys.argv[1:]))
