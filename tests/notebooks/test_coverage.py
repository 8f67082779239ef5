"""Everything that the course promises is taught in a section, computed by a helper and graded."""

from __future__ import annotations

import importlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from committed import committed_course

from classroom.authoring.bank import read_bank
from classroom.authoring.texts import Lesson

LESSONS: Mapping[str, Lesson] = committed_course().lessons
ROWS: list[dict[str, Any]] = yaml.safe_load(
    Path(__file__).with_name("coverage.yml").read_text(encoding="utf-8")
)
CASES = [pytest.param(row, id=row["item"]) for row in ROWS]
COUNTS = {"G": 25, "C": 28, "X": 10, "M": 22}
MISCONCEPTIONS = [pytest.param(row, id=row["item"]) for row in ROWS if row["item"][0] == "M"]
EXPLORERS = [pytest.param(row, id=row["item"]) for row in ROWS if row["item"][0] == "X"]


def prose(lesson: Lesson) -> str:
    """All text cells of a chapter, mark schemes included."""
    return "\n".join(c.source for c in lesson.notebook.cells if c.cell_type == "markdown")


def parts(lesson: Lesson) -> dict[str, str]:
    """Code of a chapter by the heading it stands under; headings without code are there too."""
    found: dict[str, str] = {}
    heading = ""
    for cell in lesson.notebook.cells:
        if cell.cell_type == "markdown":
            for line in re.findall(r"^#{1,4} (.+)$", cell.source, re.MULTILINE):
                heading = re.sub(r" \([^()]*\bpoints?\b[^()]*\)$", "", line)
                found.setdefault(heading, "")
        else:
            found[heading] = found.get(heading, "") + cell.source + "\n"
    return found


def named(dotted: str) -> object:
    """Import a dotted name: as many of its parts as are modules, the others as attributes."""
    first, *rest = dotted.split(".")
    found: Any = importlib.import_module(first)
    for place, part in enumerate(rest, 1):
        if not hasattr(found, part):
            importlib.import_module(".".join([first, *rest[:place]]))
        found = getattr(found, part)
    return found


def test_every_item_has_one_row() -> None:
    wanted = {f"{kind}{number}" for kind, last in COUNTS.items() for number in range(1, last + 1)}
    items = [row["item"] for row in ROWS]
    assert sorted(items) == sorted(wanted)


@pytest.mark.parametrize("row", CASES)
def test_an_item_is_taught_in_a_section_of_its_chapter(row: dict[str, Any]) -> None:
    assert row["teaches"]
    assert row["section"] in parts(LESSONS[row["chapter"]])


@pytest.mark.parametrize("row", CASES)
def test_an_item_is_computed_by_a_helper(row: dict[str, Any]) -> None:
    assert callable(named(row["helper"]))


@pytest.mark.parametrize("row", CASES)
def test_an_item_is_graded(row: dict[str, Any]) -> None:
    graded = {
        item.id: chapter
        for chapter, lesson in LESSONS.items()
        for item in lesson.items
        if item.points > 0
    }
    assert set(row["graded"]) <= set(graded)
    assert row["chapter"] in {graded[item] for item in row["graded"]}


@pytest.mark.parametrize("row", EXPLORERS)
def test_an_explorer_is_opened_in_its_section(row: dict[str, Any]) -> None:
    code = parts(LESSONS[row["chapter"]])[row["section"]]
    assert re.search(rf"^{row['helper'].rpartition('.')[2]}\(", code, re.MULTILINE)


@pytest.mark.parametrize("row", MISCONCEPTIONS)
def test_a_misconception_is_an_option_that_a_quiz_answers(row: dict[str, Any]) -> None:
    name, _, option = row["option"].partition(".")
    questions = {question.id: question for question in LESSONS[row["chapter"]].questions}
    assert option in questions[name].options
    assert option != questions[name].answer
    assert name in row["graded"]


@pytest.mark.parametrize("row", MISCONCEPTIONS)
def test_a_misconception_is_refused_by_an_exercise(row: dict[str, Any]) -> None:
    """By a check, with the hint that the bank asks for; or by the mark scheme."""
    lesson = LESSONS[row["chapter"]]
    ((exercise, words),) = row["wrong"].items()
    if any(item.kind == "manual" for item in lesson.items_of(exercise)):
        assert words in prose(lesson)
    else:
        bank = read_bank(lesson.chapter)
        assert words in {a.title for a in bank if a.exercise == exercise and not a.right}
    assert exercise in {item.exercise for item in lesson.items if item.id in row["graded"]}
