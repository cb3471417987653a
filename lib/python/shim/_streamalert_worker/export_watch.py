"""Watches what importing the user's files depends on, so that the host knows whether, and until when, the result
may be reused without running Python."""
import dis
import os
import sys
import types

from _streamalert_worker.export_code import codes_within, stamp

# Events by which code reaches, or acts on, what the host cannot compare later.
_OUTSIDE = ('ctypes.', 'fcntl.', 'ftplib.', 'glob.', 'http.', 'imaplib.', 'nntplib.', 'os.', 'poplib.', 'pty.',
            'shutil.', 'signal.', 'smtplib.', 'socket.', 'sqlite3.', 'subprocess.', 'syslog.', 'telnetlib.',
            'tempfile.', 'urllib.')

# Of these, the ones that are watched otherwise, or that change nothing outside of the process.
_INSIDE = frozenset(('glob.glob', 'glob.glob/2', 'os.fwalk', 'os.listdir', 'os.putenv', 'os.scandir', 'os.unsetenv',
                     'os.walk', 'os.add_dll_directory', 'signal.signal'))

_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND

# No event tells of these; a module whose own code mentions one is not trusted to be the same next time.
_UNSEEN = frozenset((
    'access', 'choice', 'choices', 'ctime', 'exists', 'getcwd', 'getmtime', 'getpid',
    'getrandbits', 'getsize', 'getuser', 'gmtime', 'is_dir', 'is_file', 'isdir', 'isfile', 'islink', 'lexists',
    'localtime', 'lstat', 'monotonic', 'monotonic_ns', 'node', 'now', 'perf_counter', 'perf_counter_ns',
    'platform', 'randbytes', 'randint', 'random', 'randrange', 'sample', 'shuffle', 'stat', 'time', 'time_ns',
    'today', 'token_bytes', 'token_hex', 'token_urlsafe', 'uname', 'uniform', 'urandom', 'utcnow', 'uuid1',
    'uuid4'))

_COMPREHENSIONS = frozenset(('<listcomp>', '<setcomp>', '<dictcomp>', '<genexpr>'))

_REASONS_MAX = 20


class Watch:
    """Records from `start` to `stop`."""

    def __init__(self, homes):
        self._homes = homes
        self._on = False
        # path -> list of (code, stamp of the file when it ran)
        self.executed = {}
        # (kind, path): kind is 'file' (its bytes), 'names' (what a folder lists) or 'modules' (what in a folder
        # could be imported)
        self._reads = {}
        self._environment = {}
        self._reasons = []

    def start(self):
        """From here on."""
        sys.addaudithook(self._hook)
        for mapping in (os.environ, getattr(os, 'environb', None)):
            if mapping is not None:
                mapping.encodekey = self._environment_name(mapping.encodekey)
                mapping.decodekey = self._environment_whole(mapping.decodekey)
        self._on = True

    def stop(self):
        """Up to here; answers the record for the host."""
        self._on = False
        self._add_modules()
        self._distrust_clocks()
        return {
            'reads': [list(read) for read in self._reads],
            'environment': sorted(self._environment),
            'reasons': self._reasons[:_REASONS_MAX],
        }

    def _refuse(self, reason):
        if reason not in self._reasons and len(self._reasons) <= _REASONS_MAX:
            self._reasons.append(reason)

    def _environment_name(self, encode):
        def encodekey(name):
            encoded = encode(name)
            if self._on:
                self._environment[os.fsdecode(encoded)] = None
            return encoded
        return encodekey

    def _environment_whole(self, decode):
        def decodekey(name):
            if self._on:
                self._refuse('reads the whole environment')
            return decode(name)
        return decodekey

    def _hook(self, event, args):
        if not self._on:
            return
        if event == 'open':
            self._open(args[0], args[2], sys._getframe(1).f_code.co_filename)
        elif event == 'exec':
            self._exec(args[0])
        elif event == 'os.listdir' or event == 'os.scandir':
            kind = 'modules' if 'importlib' in sys._getframe(1).f_code.co_filename else 'names'
            self._read(kind, '.' if args[0] is None else args[0])
        elif event.startswith(_OUTSIDE) and event not in _INSIDE:
            self._refuse('uses {}'.format(event))

    def _exec(self, code):
        if type(code) is types.CodeType and code.co_name == '<module>':
            path = code.co_filename
            if path.startswith('/') and self._homes.of_path(path) in ('user', 'package'):
                self.executed.setdefault(path, []).append((code, stamp(path)))

    def _open(self, path, flags, opener):
        if type(flags) is int and flags & _WRITES and path != os.devnull:
            self._refuse('writes the file {}'.format(path))
        elif 'importlib._bootstrap' not in opener:
            # What is imported is read off the modules, whether they came from the source or from a cache.
            self._read('file', path)

    def _read(self, kind, path):
        if type(path) is int:
            return  # opened before by its path
        if type(path) is bytes:
            path = os.fsdecode(path)
        if type(path) is not str:
            self._refuse('opens a {}'.format(type(path).__name__))
            return
        path = os.path.abspath(path)
        try:
            path.encode('utf-8')
        except UnicodeEncodeError:
            self._refuse('opens a file whose name is not UTF-8')
            return
        if self._homes.of_path(path) in ('user', 'package'):
            self._reads[(kind, path)] = None

    def _add_modules(self):
        """Files that were imported, and folders in which other files would have been found instead."""
        folders = [path for path in sys.path if type(path) is str]
        for module in list(sys.modules.values()):
            if type(module) is not types.ModuleType:
                continue
            file, inside = module.__dict__.get('__file__'), module.__dict__.get('__path__')
            if type(file) is str:
                self._read('file', file)
            if type(inside) is list:
                folders.extend(path for path in inside if type(path) is str)
        for path in self.executed:
            self._read('file', path)
        for path in folders:
            self._read('modules', path)

    def _distrust_clocks(self):
        for path, runs in self.executed.items():
            if self._homes.of_path(path) != 'user':
                continue
            for code, _stat in runs:
                name = _unseen(code)
                if name:
                    self._refuse('{} may depend on `{}`'.format(path, name))


def _unseen(module_code):
    """A name out of `_UNSEEN` that code which runs at import uses, other than by importing it."""
    # Bit 0 is set on functions; comprehensions are functions in older versions.
    for code in codes_within(module_code):
        if code.co_flags & 1 and code.co_name not in _COMPREHENSIONS or _UNSEEN.isdisjoint(code.co_names):
            continue
        for step in dis.get_instructions(code):
            if step.opname in ('LOAD_NAME', 'LOAD_GLOBAL', 'LOAD_ATTR', 'LOAD_METHOD') and step.argval in _UNSEEN:
                return step.argval
    return None
