"""Dictionaries and lists of learners: turned into plain data and compared place by place."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from leverage.lessons import plain
from leverage.lessons.goals import AnswerError, NumberGoal, unequal
from leverage.lessons.plain import NotPlainError
from leverage.lessons.wording import counted, format_number, format_pair, shortened

Plain = float | str | bool | None | list["Plain"] | dict[str, "Plain"]

_DEEPEST = 6


@dataclass(frozen=True)
class Difference:
    """Where an answer differs from the expected one, and how."""

    place: str
    """As a learner could write it behind the name: `[0]["side"]`."""
    key: str
    """Last key of a dictionary on the way there; empty if there is none."""
    text: str
    expected: str = ""
    """What should stand there; empty where `text` says it all."""


def to_plain(value: object, place: str = "", depth: int = 0) -> Plain:
    """Return an answer as plain data: dictionaries, lists, texts, truth values, None and floats.

    Arrays, Series and ranges are lists, a table is a dictionary of its columns, and a missing
    value in them is None.

    Raises
    ------
    AnswerError
        If something else is in it; the message names its place.

    Examples
    --------
    >>> to_plain({"side": "buy", "prices": (1, np.float64(2.5))})
    {'side': 'buy', 'prices': [1.0, 2.5]}
    """
    if plain.is_pandas(value) and hasattr(value, "columns"):
        table = cast(Any, value)
        labelled = table.index.inferred_type == "string" and table.index.name not in table
        table = table.reset_index() if labelled else table
        value = {str(column): table[column].tolist() for column in table}
    elif plain.is_pandas(value) or isinstance(value, np.ndarray):
        value = cast(Any, value).tolist()
    elif isinstance(value, range):
        value = list(value)
    kind = type(value)
    if depth > _DEEPEST:
        raise AnswerError("The answer is nested too deep; use fewer brackets.")
    if kind is bool or issubclass(kind, np.bool_):
        return bool(value)
    if value is None:
        return None
    if issubclass(kind, str):
        return str.__str__(cast(str, value))
    if kind is dict:
        rows = cast("dict[object, object]", value)
        keys = [key for key in rows if not issubclass(type(key), str)]
        if keys:
            raise AnswerError(
                f"A key{_there(place)} is {plain.plain_repr(keys[0])}; write keys as texts in quotes."
            )
        return {
            str.__str__(cast(str, key)): to_plain(part, f'{place}["{key}"]', depth + 1)
            for key, part in rows.items()
        }
    if kind in (list, tuple):
        parts = cast("list[object]", value)
        return [
            None if plain.is_missing(part) else to_plain(part, f"{place}[{i}]", depth + 1)
            for i, part in enumerate(parts)
        ]
    try:
        return plain.to_number(value)
    except NotPlainError as problem:
        raise AnswerError(
            f"What stands{_there(place)} is {problem.shown}; {problem.advice}.",
            unanswered=problem.unanswered,
        ) from None


def first_mismatch(
    mine: Plain, right: Plain, rel: float, place: str = "", key: str = ""
) -> Difference | None:
    """Return the first place in which two plain answers differ, or None.

    >>> first_mismatch([{"side": "buy"}], [{"side": "sell"}], 1e-6)
    Difference(place='[0]["side"]', key='side', text="is 'buy'", expected="'sell'")
    """
    if isinstance(right, dict) and isinstance(mine, dict):
        for name, wanted in right.items():
            if name not in mine:
                have = shortened(", ".join(mine) or "none")
                return Difference(place, name, f"has no key {name!r}; its keys are: {have}")
            found = first_mismatch(mine[name], wanted, rel, f'{place}["{name}"]', name)
            if found is not None:
                return found
        strange = [name for name in mine if name not in right]
        if strange:
            return Difference(place, strange[0], f"has a key {strange[0]!r} that is not asked for")
        return None
    if isinstance(right, list) and isinstance(mine, list):
        if len(mine) != len(right):
            return Difference(
                place, key, f"has {counted(len(mine), 'part')}; expected {len(right)}"
            )
        for number, (given, wanted) in enumerate(zip(mine, right, strict=True)):
            found = first_mismatch(given, wanted, rel, f"{place}[{number}]", key)
            if found is not None:
                return found
        return None
    if _is_number(mine) and _is_number(right):
        goal = NumberGoal(np.asarray(right, dtype=float), "", [], rel, 0.0, 1.0)
        if goal.same(np.asarray(mine, dtype=float), goal.expected):
            return None
        shown = format_pair(cast(float, mine), cast(float, right))
        return Difference(place, key, f"is {shown[0]}", shown[1])
    if plain.same_word(mine, right):
        return None
    if isinstance(right, dict | list):
        return Difference(place, key, f"is {_plain_words(mine)}; expected {_plain_words(right)}")
    return Difference(place, key, f"is {_plain_words(mine)}", _plain_words(right))


def structure_problem(
    shown: str, name: str, mine: Plain, right: Plain, rel: float, hints: Mapping[str, str]
) -> AnswerError | None:
    """Say where an answer differs from the expected one; None if it does not."""
    found = first_mismatch(mine, right, rel)
    if found is None:
        return None
    said = f"{shown}{found.place} {found.text}"
    return unequal(
        said,
        found.expected,
        hidden=f"{name}: {found.key or 'a part'} is not right.",
        hint=hints.get(found.key, ""),
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, float | int) and not isinstance(value, bool)


def _there(place: str) -> str:
    return f" at {place}" if place else " there"


def _plain_words(value: Plain) -> str:
    if isinstance(value, dict):
        return "a dictionary"
    if isinstance(value, list):
        return f"a list with {counted(len(value), 'part')}"
    return format_number(value) if isinstance(value, float) else shortened(repr(value), 60)
