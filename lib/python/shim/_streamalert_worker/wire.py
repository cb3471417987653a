"""Frames between host and worker: length (4 bytes, little endian), kind (1 byte), body. The length counts the
body. The two sides of this layout are `wire.py` and `frame.rs`."""
import fcntl
import os
import struct

INIT, BIND, EVALUATE, PUBLISH = 1, 2, 3, 4
LOADING, LOADED, RESULT, PUBLISHED, EXPORTED = 17, 18, 19, 20, 21

FIRED, EXCEPTION, FALSE, NOT_RUN, UNREADABLE = 1, 2, 3, 4, 5

# From Linux's fcntl.h; Python knows the name from 3.10 on.
_F_SETPIPE_SZ = 1031
_PIPE_BYTES = 512 << 10

_HEAD = struct.Struct('<IB')


class Channel:
    """Reads frames from one descriptor and writes them to another."""

    def __init__(self, read_fd, write_fd):
        self._read_fd = read_fd
        self._write_fd = write_fd
        # For all but unusual frames; fresh memory for each would cost page faults.
        self._buffer = bytearray(_PIPE_BYTES)
        try:
            # A batch then crosses in one piece, instead of in turns of host and worker.
            fcntl.fcntl(read_fd, _F_SETPIPE_SZ, _PIPE_BYTES)
        except OSError:
            pass  # not Linux, or the user's pipes hold too much already

    def receive(self):
        """The next (kind, body); ends the process when the host is gone. The body is good until the next call."""
        length, kind = _HEAD.unpack(self._exactly(_HEAD.size))
        return kind, self._exactly(length)

    def _exactly(self, length):
        if not length:
            return b''
        if length > len(self._buffer):
            buffer = bytearray(length)
        else:
            buffer = self._buffer
        view = memoryview(buffer)[:length]
        at = 0
        while at < length:
            count = os.readv(self._read_fd, [view[at:]])
            if count == 0:
                os._exit(0)
            at += count
        return view

    def send(self, kind, *parts):
        """Sends one frame made of these parts."""
        data = memoryview(b''.join((_HEAD.pack(sum(map(len, parts)), kind),) + parts))
        while data:
            data = data[os.write(self._write_fd, data):]


class Reader:
    """Takes fields off the front of a body."""

    def __init__(self, body):
        self.body = memoryview(body)
        self.at = 0

    def take(self, layout):
        """The numbers of a `struct.Struct`."""
        fields = layout.unpack_from(self.body, self.at)
        self.at += layout.size
        return fields

    def bytes(self, length):
        """A view of this many bytes."""
        begin = self.at
        self.at += length
        return self.body[begin:self.at]

    def numbers(self, kind, count):
        """So many numbers of one kind, as `struct` calls it."""
        return struct.unpack('<{}{}'.format(count, kind), self.bytes(count * struct.calcsize('<' + kind)))

    def text(self, length):
        """UTF-8 text of this many bytes."""
        return str(self.bytes(length), 'utf-8')


U8, U16, U32 = struct.Struct('<B'), struct.Struct('<H'), struct.Struct('<I')
RESULT_HEAD = struct.Struct('<IIII')
ENTRY_HEAD = struct.Struct('<IIBI')


def sized16(text):
    """UTF-8 text after its length in 2 bytes."""
    data = text.encode('utf-8', 'replace')[:0xffff]
    return U16.pack(len(data)) + data


def sized32(data):
    """Bytes after their length in 4 bytes."""
    return U32.pack(len(data)) + data
