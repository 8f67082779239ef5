"""A page shows the question and one line that says Check: it keeps the answer to itself."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Any

import nbformat
import numpy as np
import pytest
from committed import PROJECT

from classroom.project import Chapter

TEXTS = [pytest.param(text, id=text.name) for text in (*PROJECT.chapters(), *PROJECT.reviews())]
# What the text prints on purpose, because the exercise is to arrive at a published number, or
# because the number is one of the exercise's own inputs.
PRINTED = {
    "ch01_f_effective": "23.5 is a volatility in the text; the check expects 23.5 times",
    "ch02_k_maximum": "95.24x is the venue's published maximum, which the exercise explains",
    "ch02_b_edges": "125x is the venue's headline, and the answer at one of the edges",
    "ch03_i_long": "58 000 is the trigger, which is filled exactly in one case",
    "ch05_c_published": "the published number, which the exercise arrives at",
    "ch05_e_call": "the venue's published margin call, which the exercise arrives at",
    "ch05_h_fee": "the venue's reported price, which the exercise arrives at to the last digit",
    "ch05_h_shown": "the venue's shown price, which the exercise arrives at",
    "ch05_i_kraken": "one of the two published prices that the exercise tells apart",
    "ch05_j_long": "the venue's published example, which the exercise arrives at",
}
WORKED = re.compile(r"<details>.*?</details>", re.DOTALL)
SPACES = dict.fromkeys(map(ord, "\u202f\u00a0\u2009_"), None)


def read(chapter: Chapter) -> nbformat.NotebookNode:
    with chapter.student_notebook.open(encoding="utf-8") as file:
        return nbformat.read(file, as_version=4)


def folded(cell: nbformat.NotebookNode) -> bool:
    return bool(cell.metadata.get("jupyter", {}).get("source_hidden"))


def is_check(cell: nbformat.NotebookNode) -> bool:
    meta = cell.metadata.get("nbgrader", {})
    return cell.cell_type == "code" and bool(meta.get("grade")) and not meta.get("solution")


def numbers_in(text: str) -> set[str]:
    """Give the numbers that a text shows, without grouping and sign."""
    plain = re.sub(r"(?<=\d)[, ](?=\d{3}\b)", "", text.translate(SPACES))
    return set(re.findall(r"(?<![\w.])\d+(?:\.\d+)?", plain))


def expected_in(source: str) -> Iterator[float]:
    """Give the numbers that a check's code expects, as far as they stand in it."""
    place = {"value": 1, "table": 1, "result": 2, "data": 2}
    for call in ast.walk(ast.parse(source)):
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute):
            at = place.get(call.func.attr, 99)
            if at < len(call.args):
                yield from numbers_of(call.args[at])


def numbers_of(node: ast.expr) -> Iterator[float]:
    try:
        value: Any = eval(compile(ast.Expression(node), "", "eval"), {"__builtins__": {}})
    except Exception:
        return
    for number in np.ravel(np.asarray(value, dtype=object)):
        if isinstance(number, int | float) and not isinstance(number, bool):
            yield float(number)


def shown_as(value: float) -> set[str]:
    """Give how a page might show a number so that it gives the answer away."""
    texts = {f"{abs(value):.{decimals}f}" for decimals in range(9)}
    close = {text for text in texts if abs(float(text) - abs(value)) <= 1e-4 * abs(value)}
    return {text for text in close if len(text.replace(".", "").strip("0")) >= 3}


@pytest.mark.parametrize("chapter", TEXTS)
def test_checks_and_figures_show_one_line_and_answers_stay_open(chapter: Chapter) -> None:
    for cell in read(chapter).cells:
        draws = re.search(r"^describe\(", cell.source, re.MULTILINE)
        if is_check(cell):
            assert folded(cell)
            assert re.match(r"# Check (R?\d+)\.\S", cell.source), cell.source[:40]
        elif cell.cell_type == "code" and draws:
            assert folded(cell)
            assert cell.source.startswith("# Figure\n")
        else:
            assert not folded(cell)
        assert folded(cell) == ("hide-input" in cell.metadata.get("tags", []))


@pytest.mark.parametrize("chapter", TEXTS)
def test_no_expected_value_stands_on_the_page_before_the_first_try(chapter: Chapter) -> None:
    cells = read(chapter).cells
    visible = [WORKED.sub("", cell.source) for cell in cells if not folded(cell)]
    shown = numbers_in("\n".join(visible))
    given_away = {
        cell.metadata["nbgrader"]["grade_id"]: value
        for cell in cells
        if is_check(cell)
        for value in expected_in(cell.source)
        if shown_as(value) & shown
    }
    assert not {name: value for name, value in given_away.items() if name not in PRINTED}
