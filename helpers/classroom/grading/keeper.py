"""Keeps one submission: the parent of its processes, which runs no line of its code.

It puts the files back as they were when a copy of the student's process has been asked hidden parts
of tests, passes interrupts on, says how the student's process ended, and leaves nothing behind. The
judge asks it over a connection that no student's process ever has.

A submission's folder holds `live`, where its processes work. For the time of a copy it is moved to
a name that nobody can guess, and a duplicate takes its place.
"""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import signal
import socket
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from classroom.grading import linux, processes
from classroom.grading.channel import Channel, ClosedError, ProtocolError

LIVE = "live"
PATIENCE = 2.0
"""Seconds in which a process that was told to stop stands still."""
_LAST_PID = Path("/proc/sys/kernel/ns_last_pid")


class Keeper:
    """Serves the judge until the student's process has ended or nobody asks any more.

    Parameters
    ----------
    student : int
        The student's process, a child of this one.
    connection : socket
        To the judge.
    folder : Path
        The submission's folder, with `live` in it.
    make_room : callable
        Gives the folder room for so many times the files that a submission may have.
    listeners : list of int
        Where the submission's signals wait for leave, if they have to.
    """

    def __init__(
        self,
        student: int,
        connection: socket.socket,
        folder: Path,
        make_room: Callable[[int], None],
        listeners: list[int],
    ) -> None:
        self._student, self._channel, self._folder = student, Channel(connection), folder
        self._make_room, self._listeners = make_room, listeners
        self._ended: dict[int, tuple[int, float]] = {}
        """Exit code and CPU seconds of the children that have ended."""
        self._known: set[int] = set()
        """The submission's processes that stand still while a copy is asked."""
        self._held = ""
        self._next = ""
        self._copy = 0
        self._last_pid = ""

    def loop(self) -> None:
        """Serve; the signal SIGTERM ends everything."""
        waking, wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        signal.signal(signal.SIGTERM, lambda number, frame: self._leave())
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        with suppress(ClosedError, ProtocolError):
            while True:
                self._reap()
                if self._student in self._ended:
                    code, seconds = self._ended[self._student]
                    self._channel.send({"gone": code, "cpu": seconds})
                    break
                arrived = self._channel.wait_beside(waking, *self._listeners)
                for listener in arrived.intersection(self._listeners):
                    with suppress(OSError):
                        linux.answer_signal(listener, self._problem_of_signal)
                if self._channel.fileno() in arrived:
                    request = self._channel.receive()
                    self._channel.send(getattr(self, "_" + request["op"])())
                with suppress(BlockingIOError):
                    os.read(waking, 1_000)
        self._leave()

    def _leave(self) -> None:
        end_children()
        os._exit(0)

    def _reap(self) -> None:
        with suppress(ChildProcessError):
            while True:
                pid, status, used = os.wait4(-1, os.WNOHANG)
                if pid == 0:
                    return
                seconds = used.ru_utime + used.ru_stime
                self._ended[pid] = os.waitstatus_to_exitcode(status), seconds

    def _others(self) -> set[int]:
        return set(processes.descendants(os.getpid())[1:])

    def _new(self) -> set[int]:
        """Return what has begun since a copy was prepared."""
        return {pid for pid in self._others() - self._known if not processes.has_gone(pid)}

    def _problem_of_signal(self, pid: int) -> int:
        """Say what speaks against a signal: it is for the submission's processes, and for a copy's."""
        if not os.path.exists(f"/proc/{pid}"):
            return errno.ESRCH
        stopped = self._known if self._held else ()
        return 0 if pid in self._others().difference(stopped) else errno.EPERM

    # what the judge asks for

    def _interrupt(self) -> dict[str, Any]:
        """Interrupt the process that is asked, and with a copy all that it started."""
        _signal(self._new() if self._held else [self._student], signal.SIGINT)
        return {}

    def _prepare(self) -> dict[str, Any]:
        """Stop all but the student's process, and duplicate the files for a copy of it."""
        while new := self._others() - self._known:  # what is not stopped yet may start more
            self._known |= new
            _stop(new - {self._student})
        with suppress(OSError):
            self._last_pid = _LAST_PID.read_text(encoding="ascii")
        self._ended.clear()
        self._next = secrets.token_hex(16)
        try:
            self._make_room(2)
            _duplicate(str(self._folder / LIVE), str(self._folder / self._next))
        except (OSError, RecursionError):
            self._drop()
            return {"refused": True}
        return {}

    def _swap(self) -> dict[str, Any]:
        """Stop the student's process and give the copy of it, its orphan, the duplicated files."""
        _stop({self._student})
        new = self._new()
        if not new:
            return {"lost": True}
        if len(new) != 1:  # a copy has no company that could listen to it
            self._drop()
            return {"refused": True}
        (self._copy,) = new
        self._held = secrets.token_hex(16)
        os.rename(self._folder / LIVE, self._folder / self._held)
        os.rename(self._folder / self._next, self._folder / LIVE)
        return {}

    def _miss(self) -> dict[str, Any]:
        """Tell whether a copy that does not answer has ended before it could."""
        self._reap()
        return {"lost": bool(self._ended.keys() - self._known) and not self._new()}

    def _bury(self) -> dict[str, Any]:
        """Do as `_drop` with a copy that has ended, or is about to."""
        processes.wait_state(self._copy, "ZX", PATIENCE)
        return self._drop()

    def _drop(self) -> dict[str, Any]:
        """End the copy and all that it started, and put back the files; returns how it ended."""
        self._reap()
        code = self._ended.get(self._copy, (0, 0.0))[0]
        while new := self._new():
            _signal(new, signal.SIGKILL)
            for pid in new:
                processes.wait_state(pid, "ZX", PATIENCE)
            self._reap()
        for entry in os.listdir(self._folder):
            if entry not in (self._held, LIVE) or (self._held and entry == LIVE):
                self._remove(entry)
        if self._held:
            os.rename(self._folder / self._held, self._folder / LIVE)
        self._restore_folder()
        with suppress(OSError):
            self._make_room(1)
        if self._last_pid:
            with suppress(OSError):
                _LAST_PID.write_text(self._last_pid, encoding="ascii")
        _signal(self._known, signal.SIGCONT)
        self._held = self._next = self._last_pid = ""
        self._known, self._copy = set(), 0
        self._ended = {pid: end for pid, end in self._ended.items() if pid == self._student}
        return {"code": code}

    def _remove(self, entry: str) -> None:
        """Delete an entry of the folder; what cannot be deleted gets a name nobody knows."""
        path = self._folder / secrets.token_hex(16)
        os.rename(self._folder / entry, path)
        shutil.rmtree(path, ignore_errors=True)

    def _restore_folder(self) -> None:
        """Let nothing of the folder itself tell what was done in it."""
        self._folder.chmod(0o700)
        with suppress(OSError):
            for name in os.listxattr(self._folder):
                os.removexattr(self._folder, name)
        os.utime(self._folder, ns=(0, 0))


def _duplicate(source: str, target: str) -> None:
    """Copy a tree; what is neither file nor folder nor link is left out."""
    os.mkdir(target)
    for entry in os.scandir(source):
        copy = f"{target}/{entry.name}"
        if entry.is_symlink():
            os.symlink(os.readlink(entry.path), copy)
        elif entry.is_dir():
            _duplicate(entry.path, copy)
        elif entry.is_file():
            shutil.copy2(entry.path, copy)
    shutil.copystat(source, target)


def _signal(pids: Iterable[int], number: int) -> None:
    for pid in pids:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)


def _stop(pids: set[int]) -> None:
    """Stop processes, and wait until they stand still."""
    _signal(pids, signal.SIGSTOP)
    for pid in pids:
        processes.wait_state(pid, "TtZX", PATIENCE)


def end_children(known: Iterable[int] = ()) -> None:
    """Kill and reap every child of this process, and what these leave to it, but the known ones."""
    kept = set(known)
    for _ in range(10_000):
        children = [pid for pid in processes.children_of(os.getpid()) if pid not in kept]
        if not children:
            return
        for pid in children:
            with suppress(OSError):
                os.kill(pid, signal.SIGKILL)
            with suppress(OSError):
                os.waitpid(pid, 0)
