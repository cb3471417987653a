"""Importing every Python file of folders, in name order so that it is the same everywhere."""
import importlib
import os


def import_folders(*paths):
    """Imports all files below the folders, given relative to the repository."""
    for path in _python_file_paths(*paths):
        importlib.import_module(_path_to_module(path))


def _python_file_paths(*paths):
    for folder in paths:
        for root, folders, files in os.walk(folder):
            folders[:] = sorted(name for name in folders if name != '__pycache__')
            for name in sorted(files):
                if name.endswith('.py') and not name.startswith('__'):
                    yield os.path.join(root, name)


def _path_to_module(path):
    base = os.path.splitext(os.path.normpath(path))[0]
    if '.' in base:
        raise NameError('cannot import "{}": there is a "." in its path'.format(path))
    return base.replace('/', '.')
