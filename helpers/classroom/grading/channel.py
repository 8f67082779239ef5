"""Messages over a socket: a length, then JSON; and the calls that two processes make on each other.

Both ends treat what arrives as data to be checked. A message that is none ends the conversation
with `ProtocolError`.
"""

from __future__ import annotations

import array
import json
import os
import select
import socket
import struct
import threading
import time
from collections.abc import Sequence
from typing import Any

_LENGTH = struct.Struct("!Q")
LARGEST_MESSAGE = 128_000_000
_READ = 1 << 18


class ProtocolError(Exception):
    """A message that is none, or one that nobody asked for."""


class ClosedError(Exception):
    """The other side has gone."""


class DeadlineError(Exception):
    """The other side did not answer in time."""


class Channel:
    """One end of a socket that carries messages.

    It keeps private references to what it needs, so that code which replaces `json.dumps` or
    `time.monotonic` afterwards does not reach it by name.
    """

    def __init__(self, connection: socket.socket, *, takes_sockets: bool = False) -> None:
        self._socket = connection
        self._takes = takes_sockets
        self._taken: list[int] = []
        self._fd = connection.fileno()
        self._buffer = bytearray()
        self._read, self._write, self._send = os.read, os.write, socket.socket.sendmsg
        self._dumps, self._loads = json.JSONEncoder(separators=(",", ":")).encode, json.loads
        self._clock = time.monotonic
        self._poll = select.poll
        self._lock = threading.RLock()

    def fileno(self) -> int:
        """Return the file descriptor, for `select`."""
        return self._fd

    def send(self, message: Any) -> None:
        """Send one message; blocks until it is gone."""
        text = self._dumps(message).encode("utf-8", "surrogatepass")
        data = memoryview(_LENGTH.pack(len(text)) + text)
        try:
            with self._lock:
                while data:
                    data = data[self._write(self._fd, data) :]
        except OSError:
            raise ClosedError from None

    def send_socket(self, message: Any, connection: socket.socket) -> None:
        """Send a short message together with a socket."""
        text = self._dumps(message).encode()
        rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, struct.pack("i", connection.fileno()))
        try:
            self._send(self._socket, [_LENGTH.pack(len(text)) + text], [rights])
        except OSError:
            raise ClosedError from None

    def taken_socket(self) -> socket.socket:
        """Return the socket that came with a message; raises `ProtocolError` where none did."""
        if len(self._taken) != 1:
            raise ProtocolError(f"{len(self._taken)} sockets where one was to come")
        try:
            return socket.socket(fileno=self._taken.pop())
        except OSError as error:
            raise ProtocolError(f"a descriptor that is no socket ({error})"[:200]) from None

    def receive(self, deadline: float | None = None) -> Any:
        """Return the next message; `deadline` is a time of `time.monotonic`."""
        while (found := self._complete()) is None:
            self._fill(deadline)
        return found[0]

    def drain(self) -> list[Any]:
        """Read what has arrived, and return the messages that are complete."""
        self._fill(None)
        messages = []
        while (found := self._complete()) is not None:
            messages.append(found[0])
        return messages

    def _complete(self) -> tuple[Any] | None:
        if len(self._buffer) < _LENGTH.size:
            return None
        (size,) = _LENGTH.unpack_from(self._buffer)
        if size > LARGEST_MESSAGE:
            raise ProtocolError(f"a message of {size} bytes")
        if len(self._buffer) < _LENGTH.size + size:
            return None
        text = bytes(self._buffer[_LENGTH.size : _LENGTH.size + size])
        del self._buffer[: _LENGTH.size + size]
        try:
            return (self._loads(text.decode("utf-8", "surrogatepass")),)
        except (ValueError, RecursionError, MemoryError) as error:
            raise ProtocolError(f"a message that is no JSON ({error})"[:200]) from None

    def _fill(self, deadline: float | None) -> None:
        poll = self._poll()
        poll.register(self._fd, select.POLLIN)
        if deadline is not None:
            wait = deadline - self._clock()
            if wait <= 0 or not poll.poll(wait * 1000):
                raise DeadlineError
        try:
            chunk = self._take() if self._takes else self._read(self._fd, _READ)
        except OSError:
            raise ClosedError from None
        if not chunk:
            raise ClosedError
        self._buffer += chunk

    def _take(self) -> bytes:
        """Read, and keep what descriptors come along: one at most, others are closed."""
        chunk, ancillary, _, _ = self._socket.recvmsg(_READ, socket.CMSG_SPACE(4))
        for level, kind, data in ancillary:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                for number in array.array("i", data[: len(data) - len(data) % 4]):
                    if self._taken:
                        os.close(number)
                    else:
                        self._taken.append(number)
        return chunk

    def wait_beside(self, *others: int) -> set[int]:
        """Wait until something arrives here or at other descriptors; returns where."""
        if self._buffer:
            return {self._fd}
        poll = self._poll()
        for number in (self._fd, *others):
            poll.register(number, select.POLLIN)
        return {number for number, _ in poll.poll()}

    def close(self) -> None:
        """Close this end."""
        self._socket.close()


def send_with_descriptors(
    connection: socket.socket, message: Any, descriptors: Sequence[int] = ()
) -> None:
    """Send a short message together with open files."""
    text = json.dumps(message).encode()
    header = _LENGTH.pack(len(text))
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))]
    connection.sendmsg([header], rights if descriptors else [])
    connection.sendall(text)


def receive_with_descriptors(connection: socket.socket) -> tuple[Any, list[int]]:
    """Return a short message and the open files that came with it; raises `ClosedError` at the end."""
    room = socket.CMSG_SPACE(16 * array.array("i").itemsize)
    header, ancillary, _, _ = connection.recvmsg(_LENGTH.size, room)
    descriptors = array.array("i")
    for level, kind, data in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            descriptors.frombytes(data[: len(data) - len(data) % descriptors.itemsize])
    if len(header) < _LENGTH.size:
        raise ClosedError
    (size,) = _LENGTH.unpack(header)
    text = bytearray()
    while len(text) < size:
        chunk = connection.recv(size - len(text))
        if not chunk:
            raise ClosedError
        text += chunk
    return json.loads(text), list(descriptors)
