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

# Names of audit events of sockets and of looking up names.
_NETWORK_EVENTS = frozenset((
    'socket.__new__', 'socket.bind', 'socket.connect', 'socket.getaddrinfo', 'socket.gethostbyaddr',
    'socket.gethostbyname', 'socket.getnameinfo', 'socket.sendmsg', 'socket.sendto'))

# From Linux's sched.h, prctl.h and capability.h.
_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000
_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS = 1, 38
_CAPABILITY_VERSION_3, _CAP_SYS_PTRACE, _CAP_SYS_ADMIN = 0x20080522, 19, 21


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


def close_inherited(kept):
    """Closes every descriptor that the host left open, but for these and the standard ones."""
    try:
        descriptors = [int(name) for name in os.listdir('/proc/self/fd')]
    except (OSError, ValueError):
        descriptors = range(min(resource.getrlimit(resource.RLIMIT_NOFILE)[0], 1 << 16))
    for descriptor in descriptors:
        if descriptor > 2 and descriptor not in kept:
            try:
                os.close(descriptor)
            except OSError:
                pass  # not open, as that of the listing is not any more


def limit_resources(memory_bytes, open_files, file_bytes):
    """Address space, core files, descriptors, size of a file."""
    wanted = [(resource.RLIMIT_CORE, 0), (resource.RLIMIT_NOFILE, open_files)]
    if memory_bytes:
        wanted.append((resource.RLIMIT_AS, memory_bytes))
    if file_bytes:
        # Python ignores the signal, so that writing more is an OSError.
        wanted.append((resource.RLIMIT_FSIZE, file_bytes))
    for kind, limit in wanted:
        hard = resource.getrlimit(kind)[1]
        if hard != resource.RLIM_INFINITY:
            limit = min(limit, hard)
        try:
            resource.setrlimit(kind, (limit, limit))
        except (OSError, ValueError):
            pass  # the system refuses this limit; the host's own watch remains


def leave_network():
    """Moves this process into a network namespace of its own, in which there is nothing. Answers None, or why
    that is not possible. Has to come before there is a second thread."""
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        unshare = libc.unshare
    except (OSError, AttributeError):
        return 'this system has no network namespaces'
    user, group = os.geteuid(), os.getegid()
    # Within a user namespace root could no longer read what belongs to others, rule files for one.
    if user == 0 and unshare(_CLONE_NEWNET) == 0:
        _drop_way_back(libc)
        return None
    if unshare(_CLONE_NEWUSER | _CLONE_NEWNET) != 0:
        return os.strerror(ctypes.get_errno())
    # Without a map the process would be nobody to itself; files judge it by who it is outside in any case.
    for file, text in (('setgroups', 'deny'), ('uid_map', '{0} {0} 1'.format(user)),
                       ('gid_map', '{0} {0} 1'.format(group))):
        try:
            with open('/proc/self/' + file, 'w') as out:
                out.write(text)
        except OSError:
            pass
    return None


def _drop_way_back(libc):
    """Gives up root's right to enter the namespaces of other processes, and to trace those."""
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    sets = (ctypes.c_uint32 * 6)()
    dropped = 1 << _CAP_SYS_ADMIN | 1 << _CAP_SYS_PTRACE
    if libc.capget(header, sets) == 0:
        # Effective, permitted, inheritable, of which the first three hold the lower 32 capabilities.
        for place in range(3):
            sets[place] &= ~dropped
        libc.capset(header, sets)


def refuse_network():
    """Makes opening a socket an error, also for what crosses namespaces, as sockets in the file system do."""
    def hook(event, _args):
        if event in _NETWORK_EVENTS:
            raise PermissionError('rules may not use the network ({})'.format(event))

    sys.addaudithook(hook)


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
