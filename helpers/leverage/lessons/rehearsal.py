"""Run a test without an answer, only to learn what it compares with the solution.

Whoever grades many answers draws the inputs of a comparison once, and whoever writes one can
measure them. Every other check of the test lets everything pass.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from leverage.lessons.agreement import Drawn, drawn_for


@dataclass(frozen=True)
class Rehearsed:
    """A comparison that a test makes: its function, the inputs drawn for it, what is expected."""

    name: str
    solution: Callable[..., Any]
    drawn: Drawn
    no_effect: tuple[str, ...]


class Rehearsal:
    """Stands in for `Check`; its comparisons are kept in their order."""

    def __init__(self, item_id: str, names: Mapping[str, Any]) -> None:
        self._item_id, self._names = item_id, names
        self.compared: list[Rehearsed] = []

    def __enter__(self) -> "Rehearsal":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def compare(
        self,
        name: str,
        solution: Callable[[], Mapping[str, Any]],
        draw: Any,
        *,
        count: int = 300,
        no_effect: Sequence[str] = (),
        **_: object,
    ) -> None:
        """Draw the inputs of a comparison, and ask the solution."""
        right = solution()[name]
        drawn = drawn_for(self._item_id, draw, right, count)
        self.compared.append(Rehearsed(name, right, drawn, tuple(no_effect)))

    def call(self, name: str, args: Any = (), *_: object, **options: Any) -> Any:
        """Call a function that is there; where there is none, give no number."""
        function = self._names.get(name)
        return function(*args, **(options.get("kwargs") or {})) if function else math.nan

    def __getattr__(self, name: str) -> Callable[..., Any]:
        return lambda *given, **_: self._names.get(given[0]) if given else None


def rehearse(
    item_id: str, names: Mapping[str, Any], run: Callable[[dict[str, Any]], object]
) -> list[Rehearsed]:
    """Return the comparisons of one test, which `run` runs among some names.

    Examples
    --------
    >>> test = '''
    ... with exercise("ch01_a_value") as check:
    ...     check.value("x", 5)
    ...     check.hidden()
    ...     check.compare("f", lambda: {"f": abs}, lambda pick: (pick.number(-1, 1),), count=9)'''
    >>> [found] = rehearse("ch01_a_value", {}, lambda names: exec(test, names))
    >>> found.name, len(found.drawn.samples)
    ('f', 9)
    """
    rehearsal = Rehearsal(item_id, names)
    run({**names, "exercise": lambda _: rehearsal})
    return rehearsal.compared
