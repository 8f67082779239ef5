"""Submissions of a small made assignment: honest ones, attacks, faults; each with its verdict.

The cases stand in `cases/`, one file for each kind. A case is the solution of the assignment with

- `answers`: other answers, by the answer's name, or the word `wrong` for four wrong ones;
- `first`, `last`: cells of the student's own, before and after the assignment's;
- `change`: one of the functions in CHANGES and what it gets, which spoils the notebook;
- `content`, or `written`: other bytes of the file, as they are or made by a function in WRITINGS;
- `name`: another name of the file (null: it was not handed in), `files`: others beside it;

and with what has to become of it: the fields of `Case`. CLASS_FOLDER and CLASS_PORT stand for the
folder of the class and for a port at which somebody listens.

Run as a program it grades them all and writes the outcomes as JSON, so that a test can do it as
another user: `python corpus.py LEVEL KIND OUTPUT`.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from classroom.grading import Grader, Limits, Outcome, Release, Submission, read_release

HERE = Path(__file__).resolve().parent
NAME = "lab"
SECRET = "hidden-number-4711"
LIMITS = Limits(
    memory_mb=250,
    cpu_seconds=20,
    cell_seconds=2.5,
    total_seconds=20,
    processes=20,
    file_mb=5,
    open_files=128,
    output_bytes=200_000,
)

SETUP = """import numpy as np
import pandas as pd
from numpy.testing import assert_allclose
from leverage.lessons import exercise

prices = pd.read_csv("prices.csv")"""
ANSWERS = {
    "double": "def double(x):\n    return 2 * x",
    "total": "total = 12.5",
    "fee": "def fee(amount, rate):\n    return amount * rate",
    "losers": "losers = prices[prices.pnl < 0]",
}
WRONG = {
    "double": "def double(x):\n    return 3 * x",
    "total": "total = 1.0",
    "fee": "def fee(amount, rate):\n    return amount + rate",
    "losers": "losers = prices",
}
TESTS = {
    "double_test": (
        "assert double(2) == 4, 'double(2) is 4'\n"
        "### BEGIN HIDDEN TESTS\n"
        f"# {SECRET}\n"
        "assert double(4711) == 9422, 'double it'\n"
        "assert double([1]) == [1, 1]\n"
        "### END HIDDEN TESTS"
    ),
    "total_test": "assert_allclose(total, 12.5)",
    "fee_test": (
        'with exercise("fee_test") as check:\n'
        '    check.result("fee", (2_000, 0.0005), 1.0, unit="USD", hint="Multiply the two.")\n'
        "    ### BEGIN HIDDEN TESTS\n"
        "    check.hidden()\n"
        '    check.result("fee", (4711, 0.001), 4.711, hint="Multiply the two.")\n'
        "    ### END HIDDEN TESTS"
    ),
    "losers_test": (
        'with exercise("losers_test") as check:\n'
        '    expected = pd.DataFrame({"coin": ["ETH"], "pnl": [-45]})\n'
        '    check.table("losers", expected, hint="Keep the rows below zero.")'
    ),
}
POINTS = {"double_test": 2, "total_test": 1, "fee_test": 2, "losers_test": 1}
FULL = 6.0
PRICES = b"coin,pnl\nBTC,210\nETH,-45\n"


def meta(grade_id: str, **more: Any) -> dict[str, Any]:
    """nbgrader's metadata of a cell."""
    base = {"grade": False, "solution": False, "locked": False, "task": False}
    return {"nbgrader": {**base, "schema_version": 3, "grade_id": grade_id, **more}}


def code(source: str, metadata: dict[str, Any] | None = None, name: str = "") -> dict[str, Any]:
    """A code cell."""
    return {
        "cell_type": "code",
        "execution_count": None,
        "id": name or f"own-{abs(hash(source)) % 10**9}",
        "metadata": metadata or {},
        "outputs": [],
        "source": source,
    }


def text(source: str, metadata: dict[str, Any] | None = None, name: str = "") -> dict[str, Any]:
    """A text cell."""
    return {"cell_type": "markdown", "id": name, "metadata": metadata or {}, "source": source}


def notebook(cells: list[dict[str, Any]]) -> dict[str, Any]:
    """A notebook."""
    return {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}


def without_hidden(source: str) -> str:
    """What students see of a test."""
    lines, inside = [], False
    for line in source.split("\n"):
        inside = inside or "BEGIN HIDDEN" in line
        if not inside:
            lines.append(line)
        inside = inside and "END HIDDEN" not in line
    return "\n".join(lines)


def source_notebook() -> dict[str, Any]:
    """The instructor's notebook."""
    cells = [text("# Lab", name="title"), code(SETUP, meta("setup", locked=True), "setup")]
    for name, answer in ANSWERS.items():
        solved = f"### BEGIN SOLUTION\n{answer}\n### END SOLUTION"
        cells.append(code(solved, meta(name, solution=True), name))
        points = POINTS[f"{name}_test"]
        graded = meta(f"{name}_test", grade=True, locked=True, points=points)
        cells.append(code(TESTS[f"{name}_test"], graded, f"{name}-test"))
    written = meta("why", grade=True, solution=True, points=4)
    cells.append(text("Because.", written, "why"))
    return notebook(cells)


def make_release(folder: Path) -> Release:
    """The release, read from files as an instructor's would be."""
    place = folder / NAME
    place.mkdir(parents=True, exist_ok=True)
    (place / f"{NAME}.ipynb").write_text(json.dumps(source_notebook()), encoding="utf-8")
    (place / "prices.csv").write_bytes(PRICES)
    return read_release(place / f"{NAME}.ipynb")


def submitted(
    answers: dict[str, str] | None = None,
    *,
    first: str | Iterable[str] = (),
    last: str | Iterable[str] = (),
) -> dict[str, Any]:
    """A student's notebook with these answers and cells of the student's own."""
    answers = {**ANSWERS, **(answers or {})}
    cells = [text("# Lab", name="title"), code(SETUP, meta("setup", locked=True), "setup")]
    cells += [code(own) for own in ([first] if isinstance(first, str) else first)]
    for name, answer in answers.items():
        cells.append(code(answer, meta(name, solution=True), name))
        graded = meta(f"{name}_test", grade=True, locked=True, points=POINTS[f"{name}_test"])
        cells.append(code(without_hidden(TESTS[f"{name}_test"]), graded, f"{name}-test"))
    cells.append(text("It is so.", meta("why", grade=True, solution=True, points=4), "why"))
    cells += [code(own) for own in ([last] if isinstance(last, str) else last)]
    return notebook(cells)


Change = Callable[..., dict[str, Any] | None]


def cell_of(document: dict[str, Any], name: str) -> dict[str, Any]:
    """The cell with an id."""
    return next(cell for cell in document["cells"] if cell["id"] == name)


def drop(document: dict[str, Any], *names: str) -> None:
    """Delete cells."""
    document["cells"] = [cell for cell in document["cells"] if cell["id"] not in names]


def duplicate(document: dict[str, Any], name: str) -> None:
    """Put a copy of a cell behind it."""
    position = document["cells"].index(cell_of(document, name))
    document["cells"].insert(position + 1, {**document["cells"][position], "id": "copy"})


def lose_metadata(document: dict[str, Any], *names: str) -> None:
    """Take the metadata and the id of some cells away; of all cells when none is named."""
    for number, cell in enumerate(document["cells"]):
        if not names or cell["id"] in names:
            cell["metadata"], cell["id"] = {}, str(number)


def update_cells(document: dict[str, Any], values: dict[str, Any]) -> None:
    """Set values in every cell."""
    for cell in document["cells"]:
        cell.update(values)


def schema(document: dict[str, Any], values: dict[str, Any]) -> None:
    """Set values in the metadata that nbgrader reads, of every cell that has it."""
    for cell in document["cells"]:
        cell["metadata"].get("nbgrader", {}).update(values)


def as_nbformat_3(document: dict[str, Any]) -> dict[str, Any]:
    """The notebook as it would have been written in 2014."""
    cells = [
        {key: value for key, value in cell.items() if key not in ("source", "id")}
        | {"input" if cell["cell_type"] == "code" else "source": cell["source"]}
        for cell in document["cells"]
    ]
    return {"nbformat": 3, "nbformat_minor": 0, "metadata": {}, "worksheets": [{"cells": cells}]}


def nested() -> dict[str, Any]:
    """Metadata as deep as a reader stands."""
    deep: dict[str, Any] = {}
    for _ in range(900):
        deep = {"a": deep}
    return deep


CHANGES: Mapping[str, Change] = {
    "append": lambda document, cell: document["cells"].append(cell),
    "append_graded": lambda document, name, points: document["cells"].append(
        code("1", meta(name, grade=True, points=points, locked=True))
    ),
    "append_nested_metadata": lambda document: document["cells"].append(
        code("1", {"deep": nested(), "nan": float("nan")})
    ),
    "append_texts": lambda document, number: document["cells"].extend(
        [text("more", name="more")] * number
    ),
    "as_nbformat_3": as_nbformat_3,
    "drop": drop,
    "duplicate": duplicate,
    "edit": lambda document, name, source: cell_of(document, name).update(source=source),
    "lose_metadata": lose_metadata,
    "nest_metadata": lambda document, name: cell_of(document, name)["metadata"].update(
        deep=nested()
    ),
    "only_code": lambda document, source: notebook([code(source)]),
    "put": lambda document, values: document.update(values),
    "repeat_output": lambda document, position, number: document["cells"][position].update(
        outputs=[{"output_type": "stream", "name": "stdout", "text": "x"}] * number
    ),
    "retype": lambda document, name, kind: cell_of(document, name).update(cell_type=kind),
    "reverse": lambda document: document["cells"].reverse(),
    "schema": schema,
    "set_points": lambda document, name, points: cell_of(document, name)["metadata"][
        "nbgrader"
    ].update(points=points),
    "sources_as_lines": lambda document: (
        [cell.update(source=cell["source"].splitlines(keepends=True)) for cell in document["cells"]]
        and None
    ),
    "take_out": lambda document, key: document.pop(key) and None,
    "tests_first": lambda document: document["cells"].sort(
        key=lambda cell: not cell["id"].endswith("-test")
    ),
    "update_cells": update_cells,
}
WRITINGS: Mapping[str, Callable[..., bytes]] = {
    "encoded": lambda whole, encoding: whole.decode().encode(encoding),
    "ending_in": lambda whole, end: whole[:-1] + end.encode(),
    "half": lambda whole: whole[: len(whole) // 2],
    "repeated": lambda whole, before, part, number, after: (
        f"{before}{part * number}{after}".encode()
    ),
}


@dataclass(frozen=True)
class Case:
    """One submission and what has to become of it.

    `points` are those of the tests, and `status` the verdict's: none means any. `says` must stand
    in the verdict's texts, `tampering` in its tampering; `shows` in the executed notebook as
    students see it, `never` nowhere in it. `problems` are those of handing it in.
    """

    name: str
    files: tuple[tuple[str, bytes], ...]
    points: float | None = FULL
    status: str = "graded"
    says: str = ""
    tampering: str | None = None
    never: str = ""
    shows: str = ""
    problems: tuple[str, ...] = ()
    levels: tuple[str, ...] = ("namespaces", "landlock", "limits")

    def submission(self) -> Submission:
        """The submission of a student named like the case."""
        return Submission(self.name, self.files, self.problems)


def files_of(document: Any, name: str = f"{NAME}.ipynb") -> tuple[tuple[str, bytes], ...]:
    """A notebook as files."""
    return ((name, json.dumps(document).encode()),)


def as_bytes(content: str | bytes) -> bytes:
    """What a file holds."""
    return content if isinstance(content, bytes) else content.encode()


def case_of(name: str, row: dict[str, Any]) -> Case:
    """A case from its row in a file of `cases/`."""
    answers = row.pop("answers", {})
    document = submitted(
        WRONG if answers == "wrong" else answers,
        first=row.pop("first", ()),
        last=row.pop("last", ()),
    )
    change, *values = row.pop("change", [None])
    if change:
        document = CHANGES[change](document, *values) or document
    content = as_bytes(row.pop("content", json.dumps(document)))
    writing, *values = row.pop("written", [None])
    if writing:
        content = WRITINGS[writing](content, *values)
    own = row.pop("name", f"{NAME}.ipynb")
    files = [(own, content)] if own else []
    files += [(other, as_bytes(held)) for other, held in row.pop("files", {}).items()]
    lists = {key: tuple(row.pop(key)) for key in ("levels", "problems") if key in row}
    return Case(name, tuple(files), **row, **lists)


def read_cases(kind: str) -> list[Case]:
    """The cases of a kind: honest submissions, attacks or faults."""
    text = (HERE / "cases" / f"{kind}.yml").read_text(encoding="utf-8")
    places = {
        "CLASS_FOLDER": os.environ.get("GRADING_TEST_SECRETS", "/nonexistent"),
        "CLASS_PORT": os.environ.get("GRADING_TEST_PORT", "9"),
    }
    for word, value in places.items():
        text = text.replace(word, value)
    return [case_of(name, row) for name, row in yaml.safe_load(text).items()]


def grade_all(
    release: Release, cases: Iterable[Case], level: str, workers: int = 4
) -> dict[str, Outcome]:
    """Grade cases at a level; the outcomes by name."""
    with Grader(release, LIMITS, level=level, workers=workers, allow_limits_only=True) as grader:
        submissions = (case.submission() for case in cases)
        return {outcome.student: outcome for outcome in grader.run(submissions)}


def main(level: str, kinds: str, folder: str) -> None:
    """Grade kinds of cases at a level and write the outcomes."""
    place = Path(folder)
    cases = [case for kind in kinds.split(",") for case in read_cases(kind)]
    cases = [case for case in cases if level in case.levels]
    outcomes = grade_all(make_release(place), cases, level)
    data = {name: outcome.to_json() for name, outcome in outcomes.items()}
    (place / "outcomes.json").write_text(json.dumps([os.getuid(), data]), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
