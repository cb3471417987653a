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
    'publishers.community.generic': 'streamalert.publishers',
    'publishers.community.pagerduty.pagerduty_layout': 'streamalert.publishers',
    'publishers.community.slack.slack_layout': 'streamalert.publishers',
    'rules.helpers.base': '_streamalert_worker.rule_helpers',
}

# Packages that exist only to hold the above.
_PACKAGES = frozenset((
    'helpers', 'publishers', 'publishers.community', 'publishers.community.pagerduty', 'publishers.community.slack',
    'rules', 'rules.helpers'))

# Early versions called the package `stream_alert`.
_OLD_NAME, _NEW_NAME = 'stream_alert', 'streamalert'


class _Alias(importlib.abc.Loader):
    """Makes a module known under a second name."""

    def __init__(self, target):
        self._target = target
        self._spec = None

    def create_module(self, spec):
        module = importlib.import_module(self._target)
        # The import system is about to put its spec into the module, which has its own.
        self._spec = module.__spec__
        return module

    def exec_module(self, module):
        module.__spec__ = self._spec


class _OldName(importlib.abc.MetaPathFinder):
    """Asked first, or the old name's submodules would be loaded a second time from the same files."""

    def find_spec(self, fullname, path=None, target=None):
        if fullname == _OLD_NAME or fullname.startswith(_OLD_NAME + '.'):
            loader = _Alias(_NEW_NAME + fullname[len(_OLD_NAME):])
            return importlib.util.spec_from_loader(fullname, loader)
        return None


class _Fallback(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Asked last, when nobody else finds a module."""

    def find_spec(self, fullname, path=None, target=None):
        if fullname in _STAND_INS:
            return importlib.util.spec_from_loader(fullname, _Alias(_STAND_INS[fullname]))
        if fullname in _PACKAGES:
            return importlib.util.spec_from_loader(fullname, self, is_package=True)
        return None

    def create_module(self, spec):
        return None

    def exec_module(self, module):
        pass


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
    sys.meta_path.insert(0, _OldName())
    sys.meta_path.append(_Fallback())
