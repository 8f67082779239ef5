"""Cuts a copy of a student's process off from the original, which must not learn what it is asked.

The student's code has run here and may have replaced what it likes. So everything is called by
references of our own; where one of these is replaced, the instructor is told.
"""

from __future__ import annotations

import fcntl
import os
import resource
import select
import stat
import sys

from classroom.grading import linux
from classroom.grading.sandbox import DEVICES

MOST_DESCRIPTORS = 1 << 16
_close, _closerange, _dup2, _fstat, _lseek, _open = (
    os.close, os.closerange, os.dup2, os.fstat, os.lseek, os.open,
)  # fmt: skip
_ask, _limit, _poll, _is_file = fcntl.fcntl, resource.getrlimit, select.poll, stat.S_ISREG
_own_memory, _landlock_abi = linux.own_memory, linux.landlock_abi
_restrict_files, _refuse_traces = linux.restrict_files, linux.refuse_traces


def forget_the_way_back(kept: int, shared: list[tuple[int, int]]) -> None:
    """Leave no shared file, pipe or memory, and no right to change what others see.

    `kept` is the connection to the judge, `shared` the original's shared memory.
    """
    for descriptor in _descriptors(kept):
        if _is_plain_file(descriptor):
            _open_again(descriptor)
        else:
            _close(descriptor)
    nothing = _open("/dev/null", os.O_RDWR)
    for descriptor in (0, 1, 2):
        _dup2(nothing, descriptor)
    _close(nothing)
    if sys.platform == "linux":
        _own_memory(shared)
        if _landlock_abi():
            _restrict_files(["/"], [f"/dev/{name}" for name in DEVICES])
        _refuse_traces()


def _descriptors(kept: int) -> list[int]:
    """Return what this process has open, from 3 on, but one; what cannot be asked is closed."""
    end = min(_limit(resource.RLIMIT_NOFILE)[0], 4_096)
    if kept >= end:
        raise OSError("the connection to the judge lies beyond the limit of descriptors")
    poll = _poll()
    for number in range(3, end):
        poll.register(number, 0)
    # A descriptor that only names a file (O_PATH) cannot be asked, like one that is not open.
    silent = {number for number, event in poll.poll(0) if event & select.POLLNVAL}
    found = [number for number in range(3, end) if number not in silent]
    # The limit may have been lowered, with descriptors beyond it open.
    for before, after in zip([2, *found], [*found, MOST_DESCRIPTORS], strict=True):
        _closerange(before + 1, after)
    return [number for number in found if number != kept]


def _is_plain_file(descriptor: int) -> bool:
    """Tell whether this is a file with a name that is open for reading only.

    One without a name, such as what catches the output of programs, could be opened for writing.
    """
    found = _fstat(descriptor)
    reads = _ask(descriptor, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY
    return reads and _is_file(found.st_mode) and found.st_nlink > 0


def _open_again(descriptor: int) -> None:
    """Give a descriptor a place in its file of its own; close it where that cannot be had."""
    place = _lseek(descriptor, 0, os.SEEK_CUR)
    try:
        again = _open(f"/proc/self/fd/{descriptor}", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        _close(descriptor)
        return
    _lseek(again, place, os.SEEK_SET)
    _dup2(again, descriptor, inheritable=False)
    _close(again)
