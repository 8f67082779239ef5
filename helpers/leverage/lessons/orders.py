"""Lines put in order: letters or line numbers, compared without regard to case."""

import math
from collections.abc import Sequence
from typing import Any, cast

import numpy as np

from leverage.lessons import plain
from leverage.lessons.goals import AnswerError
from leverage.lessons.plain import NotPlainError
from leverage.lessons.wording import counted, shortened


def several(expected: Any) -> list[Any]:
    """Return the orders that an author gave: one order, or a list of them."""
    if not isinstance(expected, list | tuple):
        return [expected]
    many = bool(expected) and all(isinstance(order, list | tuple) for order in expected)
    return list(expected) if many else [expected]


def labels(order: Any) -> list[str] | None:
    """Return the labels of the lines as they were written, or None when they are no labels.

    >>> labels("bac"), labels("B, A"), labels([2, 1.0]), labels(5)
    (['b', 'a', 'c'], ['B', 'A'], ['2', '1'], None)
    """
    kind = type(order)
    if issubclass(kind, str):
        text = str.__str__(order)
        parts: list[Any] = text.replace(",", " ").split()
        parts = list(parts[0]) if len(parts) == 1 else parts
    elif issubclass(kind, list | tuple | range):
        parts = list(order)
    elif issubclass(kind, np.ndarray) or plain.is_pandas(order):
        parts = np.asarray(order).reshape(-1).tolist()
    else:
        return None
    found = [_label(part) for part in parts]
    return None if None in found else cast(list[str], found)


def folded(order: Any) -> tuple[str, ...]:
    """Return the labels in small letters, for comparing; empty when they are no labels."""
    return tuple(label.lower() for label in labels(order) or ())


def order_problem(name: str, answer: object, rights: Sequence[list[str]]) -> AnswerError | None:
    """Say what is wrong with an order, in the letters of the expected one; None if it is right."""
    right = rights[0]
    written = labels(answer)
    if written is None:
        what = "a function" if plain.is_routine(answer) else plain.plain_repr(answer)
        example = [int(label) if label.isdigit() else label for label in _sorted(right)[:2]]
        return AnswerError(
            f"{name} is {what}; give a list such as {example!r} with {_asked(right)}."
        )
    shown = {label.lower(): label for order in rights for label in order}
    given, goals = list(folded(answer)), [[label.lower() for label in order] for order in rights]
    if given in goals:
        return None
    goal = goals[0]
    strange = [label for label in written if label.lower() not in shown]
    repeated = [shown.get(key, key) for key in given if given.count(key) > goal.count(key)]
    absent = [shown[key] for key in goal if key not in given]
    if strange:
        odd = strange[0] if strange[0].isdigit() else repr(shortened(strange[0], 20))
        return AnswerError(f"{name} has {odd}, which does not belong there; give {_asked(right)}.")
    if repeated and len(given) >= len(goal):
        return AnswerError(f"{name} has {repeated[0]} more often than needed.")
    if absent:
        return AnswerError(f"{name} has {counted(len(given), 'line')}; {absent[0]} is missing.")
    same = max(_same_start(given, order) for order in goals)
    start = f"The first {counted(same, 'line')} fit; line" if same > 1 else "Line"
    start = "The first line fits; line" if same == 1 else start
    return AnswerError(f"{start} {same + 1} of {name} is not in its place yet.")


def _label(part: Any) -> str | None:
    if issubclass(type(part), str):
        return str.__str__(part).strip()
    if type(part) is bool:
        return None
    try:
        number = plain.to_number(part)
    except NotPlainError:
        return None
    return str(int(number)) if math.isfinite(number) and number == int(number) else None


def _sorted(labels: Sequence[str]) -> list[str]:
    return sorted(set(labels), key=lambda label: (len(label), label))


def _asked(right: Sequence[str]) -> str:
    """List what is asked for: "the letters A to E", "the numbers 1 to 4", or all of it."""
    wanted = _sorted(right)
    kind = "numbers" if all(label.isdigit() for label in wanted) else "letters"
    places = [int(label) if kind == "numbers" else ord(label[0]) for label in wanted]
    in_a_row = places == list(range(places[0], places[0] + len(places)))
    if len(wanted) > 2 and in_a_row and (kind == "numbers" or max(map(len, wanted)) == 1):
        return f"the {kind} {wanted[0]} to {wanted[-1]}"
    return ", ".join(wanted)


def _same_start(given: list[str], order: list[str]) -> int:
    for i, (mine, right) in enumerate(zip(given, order, strict=False)):
        if mine != right:
            return i
    return min(len(given), len(order))
