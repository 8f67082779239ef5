"""Semaphores for pools of processes where the system's own, which are files, cannot be had.

They take the part of CPython's `_multiprocessing.SemLock`, which `multiprocessing` wraps.
"""

from __future__ import annotations

import importlib
import os
import select
import threading
from contextlib import suppress
from typing import Any

RECURSIVE = 0


class EventSemLock:
    """A semaphore, or a lock that its holder may take again, kept by the kernel as an event."""

    SEM_VALUE_MAX = 2**31 - 1

    def __init__(
        self, kind: int, value: int, maxvalue: int, name: str | None = None, unlink: bool = True
    ) -> None:
        self.kind, self.maxvalue, self.name, self.handle = kind, maxvalue, None, 0
        self._event = os.eventfd(value, os.EFD_SEMAPHORE | os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._held, self._holder = 0, (0, 0)

    def __del__(self) -> None:
        with suppress(OSError):
            os.close(self._event)

    def acquire(self, block: bool = True, timeout: float | None = None) -> bool:
        """Take a place; wait for one, for so many seconds at most."""
        if self.kind == RECURSIVE and self._is_mine():
            self._held += 1
            return True
        poll = select.poll()
        poll.register(self._event, select.POLLIN)
        wait = None if timeout is None else max(timeout, 0.0) * 1_000
        while poll.poll(wait if block else 0):
            with suppress(BlockingIOError):  # somebody was faster
                os.eventfd_read(self._event)
                self._held, self._holder = self._held + 1, _me()
                return True
        return False

    def release(self) -> None:
        """Give a place back."""
        if self.kind == RECURSIVE and not self._is_mine():
            raise AssertionError("attempt to release recursive lock not owned by thread")
        self._held -= 1
        if self.kind != RECURSIVE or self._held == 0:
            os.eventfd_write(self._event, 1)

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *error: object) -> None:
        self.release()

    def _is_mine(self) -> bool:
        return self._held > 0 and self._holder == _me()

    def _count(self) -> int:
        return self._held

    def _is_zero(self) -> bool:
        poll = select.poll()
        poll.register(self._event, select.POLLIN)
        return not poll.poll(0)

    def _get_value(self) -> int:
        raise NotImplementedError("not known here, as on macOS")

    def _after_fork(self) -> None:
        self._held = 0


def _me() -> tuple[int, int]:
    return os.getpid(), threading.get_ident()


def use_events() -> None:
    """Let `multiprocessing` make its semaphores of events from now on."""
    system: Any = importlib.import_module("_multiprocessing")
    system.SemLock = EventSemLock
