"""What names mean is compared exactly, whether by the memory of their tables or one by one."""

from __future__ import annotations

import mmap
import types
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from classroom.grading import linux, names
from classroom.grading.names import Names


@pytest.fixture(params=["memory", "asking"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The way in which names are compared."""
    if request.param == "asking":
        monkeypatch.setattr(names, "memory_is_known", lambda: False)
    return request.param


def test_this_python_keeps_its_names_as_expected() -> None:
    assert names.memory_is_known()


def test_a_name_that_means_something_else_is_found_in_modules_and_classes(way: str) -> None:
    module, kind = types.ModuleType("made"), type("Made", (), {"method": print, "other": len})
    module.one, module.two = object(), object()
    rows = [(vars(module), "one"), (vars(module), "two"), (vars(kind), "method")]
    kept = Names(rows)
    assert kept.differing() == []
    module.two = module.one
    assert kept.differing() == [1]
    kind.method = len
    del module.one
    assert sorted(kept.differing()) == [0, 1, 2]


def test_a_new_name_is_no_change_and_does_not_hide_one(way: str) -> None:
    table: dict[str, object] = {f"name_{number}": object() for number in range(10)}
    kept = Names((table, name) for name in tuple(table))
    table |= {f"new_{number}": number for number in range(1_000)}
    assert kept.differing() == []
    table["name_3"] = 3
    assert kept.differing() == [3]


NAME = st.sampled_from("abcdefgh")
STEP = st.one_of(
    st.tuples(st.just("set"), NAME, st.integers(0, 3)),
    st.tuples(st.just("drop"), NAME, st.just(0)),
    st.tuples(st.just("look"), NAME, st.just(0)),
    st.tuples(st.just("clear"), NAME, st.just(0)),
)


@given(first=st.dictionaries(NAME, st.integers(0, 3)), steps=st.lists(STEP, max_size=12))
def test_comparing_memory_says_what_asking_each_name_says(
    first: dict[str, int], steps: list[tuple[str, str, int]]
) -> None:
    values = [object() for _ in range(4)]
    table: dict[str, object] = {name: values[number] for name, number in first.items()}
    before = dict(table)
    kept = Names((table, name) for name in before)
    for step, name, number in steps:
        if step == "set":
            table[name] = values[number]
        elif step == "drop":
            table.pop(name, None)
        elif step == "clear":
            table.clear()
        else:
            found = sorted(kept.differing())
            assert found == [
                place for place, name in enumerate(before) if table.get(name) is not before[name]
            ]


def test_shared_memory_is_found_by_asking_the_kernel_and_by_reading_what_there_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def old(maps: int) -> Iterator[tuple[int, int]]:
        raise OSError("no such question")
        yield

    before = linux.shared_memory()
    with mmap.mmap(-1, 8_192) as first, mmap.mmap(-1, 8_192, flags=mmap.MAP_SHARED) as second:
        found = linux.shared_memory()
        monkeypatch.setattr(linux, "_asked_for_shared", old)
        assert linux.shared_memory() == found
        size = sum(last - start for start, last in found)
        assert size == sum(last - start for start, last in before) + len(first) + len(second)
