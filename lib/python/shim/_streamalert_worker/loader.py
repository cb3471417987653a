"""Imports the user's files, each on its own, and describes the rules that came of it."""
import hashlib
import importlib
import json
import os
import sys
import traceback

from streamalert.shared.lookup_tables import core as lookup_tables
from streamalert.shared.importer import _python_file_paths
from streamalert.shared.publisher import AlertPublisherRepository
from streamalert.shared.rule import Rule

from _streamalert_worker import mutation

_TEXT_MAX = 4000


class Loader:
    """One pass over the user's folders."""

    def __init__(self, options, announce):
        self._root = Rule._root = options['repo_root']
        self._options = options
        self._announce = announce
        self._skipped = set(options['skip_files'])
        self._modules = {}
        self._file_hashes = {}
        self.errors = []
        self.warnings = []

    def load(self):
        """Imports everything; answers the report for the host."""
        for group in ('publisher_dirs', 'matcher_dirs', 'rule_dirs'):
            for folder in self._options[group]:
                self._load_folder(folder)
        self._read_lookup_tables()
        rules = self._describe_all()
        for function, message in Rule._invalid:
            file, line = _place(function)
            self._complain(self._shown(file), line, 'rule', message, '')
        return {
            'python': '{}.{}.{}'.format(*sys.version_info[:3]),
            'rules': rules,
            'errors': self.errors,
            'warnings': self.warnings,
            'publishers': sorted(AlertPublisherRepository.all_publishers()),
        }

    def _read_lookup_tables(self):
        """Now, so that the first rule to ask does not pay for it within its time limit."""
        try:
            problems = lookup_tables.LookupTables.get_instance()._read_files()
        except Exception as error:  # pylint: disable=broad-except
            problems = ['lookup tables: {}'.format(_headline(error))]
        for problem in problems:
            self.warnings.append({'file': '', 'line': 0, 'message': problem})

    def _load_folder(self, folder):
        folder = os.path.normpath(os.path.join(self._root, folder))
        if folder.startswith(self._root + os.sep) or folder == self._root:
            base = self._root
        else:
            # Outside of the repository: a package by the folder's own name.
            base = os.path.dirname(folder)
            if base not in sys.path:
                sys.path.append(base)
        if os.path.isfile(folder):
            paths = [folder]
        elif os.path.isdir(folder):
            paths = _python_file_paths(folder)
        else:
            self._complain(self._shown(folder), 0, 'exception', 'no such folder', '')
            return
        for path in paths:
            self._load_file(path, base)

    def _load_file(self, path, base):
        shown = self._shown(path)
        if path in self._skipped:
            return
        self._announce(path)
        name = os.path.splitext(os.path.relpath(path, base))[0]
        before = set(Rule._rules)
        try:
            if '.' in name:
                raise NameError('a file or folder name with "." in it cannot be imported')
            module = name.replace(os.sep, '.')
            self._modules[module] = path
            importlib.import_module(module)
        except MemoryError:
            raise
        except BaseException as error:  # pylint: disable=broad-except
            self._forget(before, path)
            self._complain(shown, _line_of(error, path), 'exception', _headline(error), _traceback(error))

    def _forget(self, before, path):
        """Rules of a file that did not run to its end are no rules: half of it may be missing."""
        for name in list(Rule._rules):
            if name not in before and _place(Rule._rules[name].func)[0] == path:
                del Rule._rules[name]

    def _shown(self, path):
        if path and path.startswith(self._root + os.sep):
            return os.path.relpath(path, self._root)
        return path or ''

    def _complain(self, file, line, kind, message, trace):
        self.errors.append({'file': file, 'line': line, 'kind': kind,
                            'message': message[:_TEXT_MAX], 'traceback': trace[-_TEXT_MAX:]})

    def _describe_all(self):
        described = []
        for item in list(Rule._rules.values()):
            try:
                described.append(self._describe(item))
            except MemoryError:
                raise
            except Exception as error:  # pylint: disable=broad-except
                del Rule._rules[item.name]
                file, line = _place(item.func)
                self._complain(self._shown(file), line, 'rule', 'rule [{}] has unusable options: {}'.format(
                    item.name, _headline(error)), _traceback(error))
        return described

    def _describe(self, item):
        file, line = _place(item.func)
        shown = self._shown(file)
        warn = lambda text: self.warnings.append({'file': shown, 'line': line, 'message': text})
        outputs = []
        for output in self._list(item, 'outputs', warn):
            outputs.append(as_output(output))
        if item.logs is not None and not item.logs:
            warn('rule [{}]: an empty list of logs applies to no log type'.format(item.name))
        functions = list(item.matchers or ()) + list(item.dynamic_outputs or ()) + [item.func]
        try:
            window = min(max(int(item.merge_window_mins), 0), 1 << 31)
        except (TypeError, ValueError, OverflowError):
            warn('rule [{}]: merge_window_mins {!r} is not a number of minutes'.format(
                item.name, item.merge_window_mins))
            window = 0
        for complaint in item._complaints:
            warn('rule [{}]: {}'.format(item.name, complaint))
        keys = [str(key) for key in self._list(item, 'merge_by_keys', warn)]
        if keys and not window:
            warn('rule [{}]: merge_by_keys without merge_window_mins merges nothing'.format(item.name))
        if window and not keys:
            warn('rule [{}]: merge_window_mins without merge_by_keys merges nothing'.format(item.name))
        if item.merge_send_first and not (keys and window):
            warn('rule [{}]: merge_send_first without merge_by_keys and merge_window_mins does nothing'.format(
                item.name))
        return {
            'name': item.name,
            'description': item.description,
            'logs': None if item.logs is None else [log for log in item.logs if isinstance(log, str)],
            'datatypes': [kind for kind in self._list(item, 'datatypes', warn) if isinstance(kind, str)],
            'outputs': list(dict.fromkeys(outputs)),
            'dynamic_outputs': bool(item.dynamic_outputs),
            'publishers': self._publishers(item),
            'merge_by_keys': keys,
            'merge_window_mins': window,
            'merge_send_first': bool(item.merge_send_first),
            'req_subkeys': {str(key): [str(sub) for sub in subs]
                            for key, subs in (item.req_subkeys or {}).items()},
            'matchers': len(item.matchers or ()),
            'context': item.initial_context is not None,
            'disabled': bool(item.disabled),
            'may_mutate': mutation.may_mutate(
                functions, item.func if type(item.initial_context) is dict else None),
            'file': shown,
            'line': line,
            'code_hash': self._code_hash(file),
        }

    @staticmethod
    def _list(item, option, warn):
        value = getattr(item, option)
        if isinstance(value, str):
            warn('rule [{}]: {} is text, taken for a list of one'.format(item.name, option))
            value = [value]
            setattr(item, option, value)
        return value or ()

    @staticmethod
    def _publishers(item):
        """None, {"all": names} or {"by": {output or service: names}}. The host knows more publishers than are
        registered here, and complains of names that nobody has."""
        wanted = item.publishers
        if not wanted:
            return None
        repository = AlertPublisherRepository

        def declared(thing):
            return isinstance(thing, str) or repository.is_valid_publisher(thing)

        def names(things):
            return [thing if isinstance(thing, str) else
                    repository.get_publisher_name(thing) if declared(thing) else repr(thing)
                    for thing in things]

        def listed(thing):
            return list(thing) if isinstance(thing, (list, tuple)) else [thing]

        if isinstance(wanted, dict):
            return {'by': {str(key): names(listed(value) if value else ()) for key, value in wanted.items()}}
        return {'all': names(listed(wanted))}

    def _code_hash(self, rule_file):
        """Hash of the rule's own file and of every user module that is not itself a file of rules: helpers
        and matchers may decide what it does."""
        if not hasattr(self, '_shared_hash'):
            shared = hashlib.blake2b(digest_size=16)
            rule_files = {_place(item.func)[0] for item in Rule._rules.values()}
            for name in sorted(sys.modules):
                file = getattr(sys.modules[name], '__file__', None)
                if file and file.startswith(self._root + os.sep) and file not in rule_files:
                    shared.update(_read(file))
            self._shared_hash = shared.digest()
        known = self._file_hashes.get(rule_file)
        if known is None:
            own = hashlib.blake2b(self._shared_hash, digest_size=16)
            own.update(_read(rule_file))
            known = self._file_hashes[rule_file] = own.hexdigest()
        return known


def as_output(output):
    """The name of an output. What is no `service:descriptor` gets a colon at its end: a name that nobody has, so that
    it is complained of and not lost."""
    text = output if isinstance(output, str) else repr(output)
    return text if ':' in text else text + ':'


def _read(path):
    try:
        with open(path, 'rb') as file:
            return file.read()
    except (OSError, TypeError):
        return b''


def _place(function):
    code = getattr(function, '__code__', None)
    return (os.path.normpath(code.co_filename), code.co_firstlineno) if code else (None, 0)


def _headline(error):
    return '{}: {}'.format(type(error).__name__, safe_text(error))


def safe_text(error):
    """The text of an exception whose own code may raise."""
    try:
        return str(error)
    except BaseException:  # pylint: disable=broad-except
        return '<{} without text>'.format(type(error).__name__)


def _line_of(error, path):
    if isinstance(error, SyntaxError) and error.filename == path:
        return error.lineno or 0
    line = 0
    for frame, number in traceback.walk_tb(error.__traceback__):
        if frame.f_code.co_filename == path:
            line = number
    return line


def _traceback(error):
    try:
        return ''.join(traceback.format_exception(type(error), error, error.__traceback__))
    except BaseException:  # pylint: disable=broad-except
        return ''


def dump(value):
    """JSON as the host reads it."""
    return json.dumps(value, ensure_ascii=False).encode('utf-8', 'replace')
