"""Cuts a throw-away copy of a student's process off from the original.

The copy works as the original does: it may write files and use threads and processes. What it does
is thrown away with it, because all that the two had in common is replaced here. The student's code
has run here and may have replaced what it likes, so everything is called by references of our own;
where one of these is replaced, the instructor is told.
"""

from __future__ import annotations

import fcntl
import gc
import inspect
import os
import stat
import sys
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from classroom.grading import linux
from classroom.grading.keeper import LIVE

_chdir, _close, _dup2, _fstat, _listdir, _lseek, _open, _pread, _readlink, _setsid, _write = (
    os.chdir, os.close, os.dup2, os.fstat, os.listdir, os.lseek, os.open, os.pread, os.readlink,
    os.setsid, os.write,
)  # fmt: skip
_ask, _is_file, _is_device, _getcwd = fcntl.fcntl, stat.S_ISREG, stat.S_ISCHR, os.getcwd
_own_memory, _shared_memory, _objects = linux.own_memory, linux.shared_memory, gc.get_objects
_landlock_abi, _restrict_files = linux.landlock_abi, linux.restrict_files
_MODE = os.O_ACCMODE | os.O_APPEND | os.O_NONBLOCK
_UNNAMED = os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC


@dataclass(frozen=True)
class Shared:
    """What a process shares with a copy of it, as it is before the copy is made.

    Attributes
    ----------
    memory : list of tuple
        Where it has memory that both may write.
    files : mapping
        Path of each open file by its descriptor.
    folder : str
        The folder in which it works.
    """

    memory: list[tuple[int, int]]
    files: dict[int, str]
    folder: str


def shared() -> Shared:
    """Return what this process would share with a copy."""
    files = {}
    for name in _listdir("/proc/self/fd"):
        with suppress(OSError):
            files[int(name)] = _readlink(f"/proc/self/fd/{name}")
    folder = "/"
    with suppress(OSError):
        folder = _getcwd()
    return Shared(_shared_memory(), files, folder)


def settle_copy(kept: int, had: Shared, folder: str) -> None:
    """Share nothing any more but the connection `kept`.

    The files of the submission lie in `folder` under the paths that they had; they are a duplicate.
    """
    _chdir(had.folder if had.folder.startswith(folder) else os.path.join(folder, LIVE, "work"))
    nothing = _open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
    for descriptor, path in had.files.items():
        if descriptor > 2 and descriptor not in (kept, nothing):
            _replace(descriptor, path, nothing, os.path.join(folder, LIVE, "tmp"))
    for descriptor in (0, 1, 2):
        _dup2(nothing, descriptor)
    _close(nothing)
    _own_memory(had.memory)
    _setsid()
    if _landlock_abi():
        _restrict_files([], ["/"])  # no new bounds, but the original is beyond reach
    _renew_pools()


def _replace(descriptor: int, path: str, nothing: int, folder: str) -> None:
    """Open a descriptor's file once more, at its place; other things give way to nothing."""
    try:
        info, flags = _fstat(descriptor), _ask(descriptor, fcntl.F_GETFL)
        on_exec = bool(_ask(descriptor, fcntl.F_GETFD) & fcntl.FD_CLOEXEC)
    except OSError:
        return
    again = nothing
    with suppress(OSError):
        if _is_file(info.st_mode) and not flags & os.O_PATH:
            place = _lseek(descriptor, 0, os.SEEK_CUR)
            if info.st_nlink:
                again = _open(path, flags & _MODE | os.O_CLOEXEC)
            else:
                again = _unnamed_copy(descriptor, folder)
            _lseek(again, place, os.SEEK_SET)
        elif _is_device(info.st_mode):
            again = _open(path, flags & _MODE | os.O_CLOEXEC)
    try:
        _dup2(again, descriptor, inheritable=not on_exec)
    except OSError:  # its number lies beyond a limit that was lowered
        _close(descriptor)
    if again != nothing:
        _close(again)


def _unnamed_copy(descriptor: int, folder: str) -> int:
    """Return a file without a name that has the content of another one."""
    made = _open(folder, _UNNAMED, 0o600)
    place = 0
    while part := _pread(descriptor, 1 << 20, place):
        place += _write(made, part)
    return made


def _renew_pools() -> None:
    """Give pools of threads and processes new ones: those of the original are not in a copy."""
    modules = ("concurrent.futures.thread", "concurrent.futures.process", "multiprocessing.pool")
    names = ("ThreadPoolExecutor", "ProcessPoolExecutor", "Pool")
    found = (getattr(sys.modules.get(m), n, None) for m, n in zip(modules, names, strict=True))
    kinds = tuple(kind for kind in found if isinstance(kind, type))
    for pool in _objects() if kinds else ():
        if issubclass(type(pool), kinds):
            with suppress(Exception):
                _renew(pool)


def _renew(pool: Any) -> None:
    """Make a pool anew, with what it keeps of the arguments that it was made with."""
    known = inspect.signature(pool.__init__).parameters
    given = {"context" if name == "_ctx" else name[1:]: value for name, value in vars(pool).items()}
    pool.__init__(**{name: value for name, value in given.items() if name in known})
