"""Each module, public class and public function of helpers/ has a name of its own."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

HELPERS = Path(__file__).parents[2] / "helpers"
SOURCES = sorted(HELPERS.rglob("*.py"))
KINDS: dict[str, tuple[type[ast.stmt], ...]] = {
    "class": (ast.ClassDef,),
    "function": (ast.FunctionDef, ast.AsyncFunctionDef),
}
# Python and every program ask for these by name; private names are each module's own affair.
MAY_REPEAT = {"main", "__getattr__", "__dir__", "__init__", "__main__"}


def names(kind: str) -> Iterator[tuple[str, str]]:
    """Give each name of a kind with the file where it stands."""
    for path in SOURCES:
        place = path.relative_to(HELPERS).as_posix()
        if kind == "module":
            yield path.stem, place
            continue
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, KINDS[kind]) and not node.name.startswith("_"):
                yield node.name, place


@pytest.mark.parametrize("kind", ["module", *KINDS])
def test_no_name_stands_twice(kind: str) -> None:
    places: dict[str, list[str]] = defaultdict(list)
    for name, place in names(kind):
        places[name].append(place)
    twice = {
        name: found for name, found in places.items() if len(found) > 1 and name not in MAY_REPEAT
    }
    assert not twice, f"give one of each a name that says the difference: {twice}"
