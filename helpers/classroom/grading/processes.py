"""What the system says of processes: their children, memory, time and files."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

MOST_FILES = 20_000


def children_of(pid: int) -> list[int]:
    """Return the children of a process."""
    found: list[int] = []
    with suppress(OSError):
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/children", encoding="ascii") as file:
                found += [int(child) for child in file.read().split()]
    return found


def descendants(root: int) -> list[int]:
    """Return a process and everything it started that still runs."""
    found, new = [root], [root]
    while new:
        new = [child for pid in new for child in children_of(pid) if child not in found]
        found += new
    return found


def resident_mb(pid: int) -> float:
    """Return the memory of a process in megabytes, what it shares included; 0 when it has gone."""
    with suppress(OSError, IndexError, ValueError):
        pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1_000_000
    return 0.0


def own_mb(pid: int) -> float:
    """Return the memory of a process in megabytes, what it shares counted in parts."""
    with suppress(OSError, IndexError, ValueError):
        text = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii", errors="replace")
        row = next(line for line in text.splitlines() if line.startswith("Pss:"))
        return int(row.split()[1]) * 1_024 / 1_000_000
    return resident_mb(pid)


def private_mb(first: int, folder: str) -> float:
    """Return what a submission's files take of memory, in megabytes; 0 where that is not known."""
    with suppress(OSError):
        found = os.statvfs(f"/proc/{first}/root{folder}")
        return (found.f_blocks - found.f_bfree) * found.f_frsize / 1_000_000
    return 0.0


def folder_mb(folder: str, pids: Iterable[int]) -> float:
    """Return what the files in a folder take, and deleted ones that processes still hold open.

    What cannot be looked into counts as endless, and so does more than `MOST_FILES`.
    """
    size, count, folders = 0, 0, [folder]
    while folders:
        try:
            entries = list(os.scandir(folders.pop()))
        except FileNotFoundError:
            continue
        except OSError:
            return float("inf")
        count += len(entries)
        if count > MOST_FILES:
            return float("inf")
        for entry in entries:
            with suppress(OSError):
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
                size += entry.stat(follow_symlinks=False).st_blocks * 512
    for pid in pids:
        with suppress(OSError):
            for name in os.listdir(f"/proc/{pid}/fd"):
                with suppress(OSError):
                    info = os.stat(f"/proc/{pid}/fd/{name}")
                    size += info.st_blocks * 512 if info.st_nlink == 0 else 0
    return size / 1_000_000


def cpu_of(pids: Iterable[int]) -> float:
    """Return the CPU time of processes and of the children that they waited for, in seconds."""
    ticks = 0
    for pid in pids:
        with suppress(OSError, IndexError, ValueError):
            text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
            ticks += sum(map(int, text.rpartition(")")[2].split()[11:15]))
    return float(ticks / os.sysconf("SC_CLK_TCK"))


def hold_back(pids: Iterable[int]) -> None:
    """Let processes run only when others need nothing."""
    for pid in pids:
        with suppress(OSError):
            for task in os.listdir(f"/proc/{pid}/task"):
                os.setpriority(os.PRIO_PROCESS, int(task), 19)
        with suppress(OSError):  # where sessions share the processor, not processes
            Path(f"/proc/{pid}/autogroup").write_text("19", encoding="ascii")


def wait_state(pid: int, states: str, seconds: float) -> bool:
    """Wait until a process is in one of some states (as in /proc) or has gone; False if it is not."""
    end = time.monotonic() + seconds
    while (state := _state_of(pid)) and state not in states:
        if time.monotonic() > end:
            return False
        time.sleep(0.0005)
    return True


def has_gone(pid: int) -> bool:
    """Tell whether a process has ended, also where nobody has taken note of it yet."""
    return _state_of(pid) in ("", "Z", "X")


def _state_of(pid: int) -> str:
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    return state.rpartition(")")[2].split()[0]
