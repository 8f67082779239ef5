"""Tells at once whether any of thousands of names means something else than before.

To ask a name is to write to the reference count of what it means, and in a fork each page of memory
that is written to is copied first. So the memory of the tables themselves is compared, where this
Python is known to keep it as expected; only a table that differs is asked name by name.
"""

from __future__ import annotations

import ctypes
import gc
import operator
import sys
import sysconfig
import types
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

# References of our own: they are used while the names may have been replaced.
_all, _map, _is, _zip, _bytes = all, map, operator.is_, zip, bytes
_TESTED = ((3, 11), (3, 14))
"""Versions of Python, the last one not among them, whose dictionaries are known."""
_KEYS, _VALUES = 32, 40
"""Where a dictionary has the address of its keys, and of values that lie apart from them."""
_KIND, _HEAD = (8, 3), 16
"""Where the keys say how many there may be (first byte, and how many), and where they begin."""


@dataclass(frozen=True)
class _Table:
    """The names of one dictionary or class."""

    space: Mapping[str, object]
    names: tuple[str, ...]
    values: tuple[object, ...]
    numbers: tuple[int, ...]

    def differing(self) -> list[int]:
        """Return the numbers of the names that mean something else."""
        get = self.space.get
        if _all(_map(_is, _map(get, self.names), self.values)):
            return []
        return [
            number
            for number, name, value in _zip(self.numbers, self.names, self.values, strict=True)
            if get(name) is not value
        ]


class Names:
    """What names mean now, to be compared with what they mean later.

    Parameters
    ----------
    rows : iterable
        Dictionary or class's `__dict__`, and a name in it.
    """

    def __init__(self, rows: Iterable[tuple[Mapping[str, object], str]]) -> None:
        spaces: dict[int, tuple[Mapping[str, object], list[str], list[int]]] = {}
        for number, (space, name) in enumerate(rows):
            _, names, numbers = spaces.setdefault(id(_dictionary(space)), (space, [], []))
            names.append(name)
            numbers.append(number)
        self._asked: list[_Table] = []
        self._compared: list[tuple[_Table, _Memory]] = []
        for space, names, numbers in spaces.values():
            table = _Table(space, tuple(names), tuple(map(space.get, names)), tuple(numbers))
            memory = _memory(space) if memory_is_known() else None
            if memory is None:
                self._asked.append(table)
            else:
                self._compared.append((table, memory))
        self._join()

    def _join(self) -> None:
        """Put what is compared in line."""
        self._places = tuple(memory.place for _, memory in self._compared)
        self._sizes = tuple(memory.size for _, memory in self._compared)
        self._entries = tuple(memory.entries for _, memory in self._compared)
        self._where, self._large = b"".join(self._places), b"".join(self._sizes)
        self._what = b"".join(self._entries)

    def differing(self) -> list[int]:
        """Return the numbers of the rows that mean something else."""
        found: list[int] = []
        for table in self._asked:
            found += table.differing()
        # Entries are where and as many as they were, or are not looked at.
        if (
            b"".join(self._places) != self._where
            or b"".join(self._sizes) != self._large
            or b"".join(self._entries) != self._what
        ):
            found += self._look_closer()
        return found

    def _look_closer(self) -> list[int]:
        """Ask the tables whose memory differs, now and from now on."""
        found: list[int] = []
        same = []
        for table, memory in self._compared:
            if memory.differs():
                found += table.differing()
                self._asked.append(table)
            else:
                same.append((table, memory))
        self._compared = same
        self._join()
        return found


def _dictionary(space: Mapping[str, object]) -> object:
    """Return the dictionary itself, of which a class shows a view."""
    return gc.get_referents(space)[0] if isinstance(space, types.MappingProxyType) else space


class _Memory:
    """Where a dictionary has its keys, and what is written there."""

    def __init__(self, place: Any, size: Any, entries: Any) -> None:
        self.place, self.size, self.entries = place, size, entries
        self._where, self._large, self._what = bytes(place), bytes(size), bytes(entries)

    def differs(self) -> bool:
        """Tell whether it has changed."""
        return (
            _bytes(self.place) != self._where
            or _bytes(self.size) != self._large
            or _bytes(self.entries) != self._what
        )


def _memory(space: Mapping[str, object]) -> _Memory | None:
    """Return the memory of a dictionary's keys and values; None where they lie apart."""
    table = _dictionary(space)
    size = sys.getsizeof(table) - sys.getsizeof({}) - _HEAD
    if type(table) is not dict or size <= 0:
        return None
    word = ctypes.c_size_t
    if word.from_address(id(table) + _VALUES).value:
        return None
    place = (ctypes.c_char * ctypes.sizeof(word)).from_address(id(table) + _KEYS)
    keys = word.from_address(id(table) + _KEYS).value
    kind = (ctypes.c_char * _KIND[1]).from_address(keys + _KIND[0])
    return _Memory(place, kind, (ctypes.c_char * size).from_address(keys + _HEAD))


@cache
def memory_is_known() -> bool:
    """Tell whether dictionaries are kept as expected here: changes are made, and must be seen.

    Where they are not, each name is asked, which is slower and says the same.
    """
    first, end = _TESTED
    if (
        sys.implementation.name != "cpython"
        or not first <= sys.version_info[:2] < end
        or ctypes.sizeof(ctypes.c_void_p) != 8
        or sysconfig.get_config_var("Py_GIL_DISABLED")
    ):
        return False
    return all(_is_seen(change) for change in _CHANGES)


def _is_seen(change: Callable[[dict[str, object]], object]) -> bool:
    """Tell whether a change of a module's names, and none before it, shows in the memory."""
    names: dict[str, object] = {f"name_{number}": object() for number in range(20)}
    memory = _memory(names)
    if memory is None or memory.differs():
        return False
    eval("name_3", names)  # noqa: S307 - looks a name up as code does, which may leave a mark
    del names["__builtins__"]
    memory = _memory(names)
    if memory is None or list(map(names.get, names)) != list(names.values()) or memory.differs():
        return False
    change(names)
    return memory.differs()


_CHANGES: Sequence[Callable[[dict[str, object]], object]] = (
    lambda names: names.update(name_7=object()),
    lambda names: names.pop("name_7"),
    lambda names: names.update(another=object()),
    lambda names: names.update({f"more_{number}": number for number in range(100)}),
    lambda names: names.clear(),
)
