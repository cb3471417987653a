"""Imports that the user's repository or environment does not satisfy but that have a known answer."""
import importlib
import importlib.abc
import importlib.util
import os
import sys

# module -> module of ours that stands in when the user has none.
_STAND_INS = {
    'helpers.base': '_streamalert_worker.rule_helpers',
    'pathlib2': 'pathlib',
    'rules.helpers.base': '_streamalert_worker.rule_helpers',
}

# Packages that exist only to hold the above.
_PACKAGES = frozenset(('helpers', 'rules', 'rules.helpers'))

# Early versions called the package `stream_alert`.
_OLD_NAME, _NEW_NAME = 'stream_alert', 'streamalert'


class _Fallback(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Asked last, when nobody else finds a module."""

    def find_spec(self, fullname, path=None, target=None):
        old = fullname == _OLD_NAME or fullname.startswith(_OLD_NAME + '.')
        if old or fullname in _STAND_INS:
            return importlib.util.spec_from_loader(fullname, self)
        if fullname in _PACKAGES:
            return importlib.util.spec_from_loader(fullname, self, is_package=True)
        return None

    def create_module(self, spec):
        name = spec.name
        if name in _STAND_INS:
            module = importlib.import_module(_STAND_INS[name])
        elif name.split('.')[0] == _OLD_NAME:
            module = importlib.import_module(_NEW_NAME + name[len(_OLD_NAME):])
        else:
            return None
        # The import system is about to put this spec into the module, which has its own.
        spec.loader_state = module.__spec__
        return module

    def exec_module(self, module):
        own = module.__spec__.loader_state
        if own is not None:
            module.__spec__ = own


def install(repo_root, shim_root):
    """Imports go to the repository as if run from there, except for `streamalert` itself; modules of that
    package which we do not have come from the repository's copy, where there is one."""
    kept = [entry for entry in sys.path if entry not in ('', shim_root, repo_root)]
    sys.path[:] = [shim_root, repo_root] + kept
    for folder, folders, _files in os.walk(os.path.join(shim_root, 'streamalert')):
        folders[:] = [name for name in folders if name != '__pycache__']
        relative = os.path.relpath(folder, shim_root)
        theirs = os.path.join(repo_root, relative)
        if os.path.isdir(theirs):
            package = importlib.import_module(relative.replace(os.sep, '.'))
            package.__path__.append(theirs)
    sys.meta_path.append(_Fallback())
