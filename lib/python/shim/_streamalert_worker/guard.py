"""What keeps user code from hurting anything but its own process."""
import ctypes
import io
import os
import resource
import signal
import sys
import time

# Exit code that tells the host "over the memory limit"; outside of what shells and signals use.
EXIT_MEMORY = 86

# Names of audit events that start, replace or signal a process.
_PROCESS_EVENTS = frozenset((
    'os.exec', 'os.fork', 'os.forkpty', 'os.kill', 'os.killpg', 'os.posix_spawn', 'os.spawn', 'os.system',
    'pty.spawn', 'signal.pthread_kill', 'subprocess.Popen'))

_PR_SET_PDEATHSIG = 1


def out_of_memory():
    """Ends the process at once. After a MemoryError nothing that it holds can be trusted."""
    os._exit(EXIT_MEMORY)


def die_with_parent(parent):
    """Asks the kernel to kill this process when the host's thread that started it ends."""
    try:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    except (OSError, AttributeError):
        pass  # not Linux: the end of the channel must do
    if parent and os.getppid() != parent:
        os._exit(0)


def limit_resources(memory_bytes, open_files):
    """Address space, core files, descriptors."""
    wanted = [(resource.RLIMIT_CORE, 0), (resource.RLIMIT_NOFILE, open_files)]
    if memory_bytes:
        wanted.append((resource.RLIMIT_AS, memory_bytes))
    for kind, limit in wanted:
        hard = resource.getrlimit(kind)[1]
        if hard != resource.RLIM_INFINITY:
            limit = min(limit, hard)
        try:
            resource.setrlimit(kind, (limit, limit))
        except (OSError, ValueError):
            pass  # the system refuses this limit; the host's own watch remains


def refuse_processes():
    """Makes starting a process an error. The limit on processes does not bind root, so this must."""
    def hook(event, _args):
        if event in _PROCESS_EVENTS:
            raise PermissionError('rules may not start or signal processes ({})'.format(event))

    def refuse(*_args, **_kwargs):
        raise PermissionError('rules may not start processes')

    try:
        import _posixsubprocess
        import subprocess
        # No audit event guards this one.
        _posixsubprocess.fork_exec = refuse
        if hasattr(subprocess, '_fork_exec'):
            subprocess._fork_exec = refuse
    except ImportError:
        pass
    sys.addaudithook(hook)


class _LimitedOutput(io.RawIOBase):
    """Standard output and error of user code: so many lines and bytes a second, the rest is counted."""

    LINE_BYTES = 512

    def __init__(self, descriptor, lines_per_second):
        super().__init__()
        self._descriptor = descriptor
        self._lines_max = lines_per_second
        self._second = 0
        self._lines = 0
        self._bytes = 0
        self.dropped = 0

    def writable(self):
        return True

    def write(self, data):
        size = len(data)
        second = int(time.monotonic())
        if second != self._second:
            self._second, self._lines, self._bytes = second, 0, 0
        lines = bytes(memoryview(data)[:65536]).count(b'\n')
        if self._lines >= self._lines_max or self._bytes >= self._lines_max * self.LINE_BYTES:
            self.dropped += max(lines, 1)
            return size
        room = self._lines_max * self.LINE_BYTES - self._bytes
        kept = bytes(memoryview(data)[:room])
        self._lines += lines
        self._bytes += len(kept)
        if size > room:
            self.dropped += 1
            kept += b'\n'
        try:
            os.write(self._descriptor, kept)
        except OSError:
            pass
        return size


def capture_output(lines_per_second):
    """Replaces `sys.stdout` and `sys.stderr`; answers the object that counts what was dropped."""
    raw = _LimitedOutput(2, lines_per_second)
    stream = io.TextIOWrapper(raw, encoding='utf-8', errors='backslashreplace', write_through=True)
    sys.stdout = sys.stderr = sys.__stdout__ = sys.__stderr__ = stream
    return raw
