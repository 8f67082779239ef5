"""What the instructor guide and the accessibility statement name exists, and their sums are right."""

from __future__ import annotations

import argparse
import re
import shlex
from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from committed import PROJECT, committed_course

from classroom.authoring.texts import Lesson
from classroom.cli import parser

LESSONS: Mapping[str, Lesson] = {name[:2]: one for name, one in committed_course().lessons.items()}
GUIDE, ACCESS = PROJECT.root / "solutions" / "INSTRUCTORS.md", PROJECT.root / "ACCESSIBILITY.md"
PAGES = [pytest.param(path, id=path.stem) for path in (GUIDE, ACCESS)]
LEFT_OUT_MINUTES = 5

Row = tuple[datetime, int, str, frozenset[str], bool]


def exercise_id(name: str, chapter: str) -> str:
    """Return the id of an exercise as the guide names it: "1.C" is ch01_c."""
    number, _, letter = name.partition(".")
    return f"ch{chapter}_decide" if name == "Decide" else f"ch{int(number):02d}_{letter.lower()}"


def plans() -> Iterator[list[Row]]:
    """Give the tables with a column Start, one for each day."""
    for block in re.findall(r"^\| Start .*\n\|[-:| ]+\n((?:\|.*\n)+)", GUIDE.read_text(), re.M):
        rows = []
        for line in block.splitlines():
            start, minutes, chapter, _, left = (cell.strip() for cell in line.split("|")[1:-1])
            names = [name for name in left.split(", ") if name and name != "show"]
            out = frozenset(exercise_id(name, chapter) for name in names)
            moment = datetime.strptime(start, "%H:%M")
            rows.append((moment, int(minutes or 0), chapter, out, left == "show"))
        yield rows


EVENTS = {"half a day": list(plans())[:1], "two days": list(plans())[1:]}
EVENT_CASES = [pytest.param(days, id=name) for name, days in EVENTS.items()]


def test_there_is_a_plan_for_half_a_day_and_for_two() -> None:
    assert [len(days) for days in EVENTS.values()] == [1, 2]


@pytest.mark.parametrize("days", EVENT_CASES)
def test_each_row_of_a_plan_begins_when_the_one_before_ends(days: list[list[Row]]) -> None:
    for rows in days:
        for (start, minutes, *_), (following, *_) in pairwise(rows):
            assert start + timedelta(minutes=minutes) == following
        assert rows[-1][1] == 0


@pytest.mark.parametrize("days", EVENT_CASES)
def test_a_chapter_gets_its_minutes_less_those_of_what_is_left_out(days: list[list[Row]]) -> None:
    planned: dict[str, int] = defaultdict(int)
    left: dict[str, frozenset[str]] = {}
    for _, minutes, chapter, out, shown in (row for rows in days for row in rows):
        if chapter and not shown:
            planned[chapter] += minutes
            left[chapter] = left.get(chapter, out) & out
    assert {"00", "01", "04", "05"} <= set(planned)
    for chapter, minutes in planned.items():
        assert minutes == LESSONS[chapter].minutes - LEFT_OUT_MINUTES * len(left[chapter]), chapter


@pytest.mark.parametrize("days", EVENT_CASES)
def test_a_plan_leaves_out_exercises_that_exist_and_never_a_safety_item(
    days: list[list[Row]],
) -> None:
    for chapter in {row[2] for rows in days for row in rows if row[2]}:
        outs = [row[3] for rows in days for row in rows if row[2] == chapter]
        items = LESSONS[chapter].items
        assert frozenset().union(*outs) <= {item.exercise for item in items}
        safety = {item.exercise for item in items if item.safety}
        assert not frozenset.intersection(*outs) & safety


def test_the_guide_lists_the_safety_items_of_every_chapter() -> None:
    table = GUIDE.read_text().split("| Chapter | Safety items |\n", 1)[1].split("\n\n", 1)[0]
    listed = {
        chapter: {exercise_id(name, chapter) for name in names.split(", ")}
        for chapter, names in re.findall(r"^\| (\d\d) \| (.+) \|$", table, re.M)
    }
    wanted = {
        chapter: {item.exercise for item in lesson.items if item.safety}
        for chapter, lesson in LESSONS.items()
    }
    assert listed == {chapter: names for chapter, names in wanted.items() if names}


@pytest.mark.parametrize("page", PAGES)
def test_every_exercise_that_a_page_names_exists(page: Path) -> None:
    text = page.read_text()
    known = {item.exercise for lesson in LESSONS.values() for item in lesson.items}
    named = {exercise_id(name, "") for name in re.findall(r"\b\d\.[A-N]\b", text)}
    named |= set(re.findall(r"\bch\d\d_[a-z]+\b", text))
    assert named <= known
    assert page is ACCESS or len(named) > 30


@pytest.mark.parametrize("page", PAGES)
def test_every_command_that_a_page_names_exists(page: Path) -> None:
    text = page.read_text()
    targets = set(re.findall(r"^([a-z-]+):", (PROJECT.root / "Makefile").read_text(), re.M))
    assert set(re.findall(r"`make ([a-z-]+)", text)) <= targets
    (choices,) = (a.choices for a in parser()._actions if isinstance(a, argparse._SubParsersAction))
    for command in re.findall(r"`classroom ([^`]+)`", text):
        name, *words = shlex.split(command)
        assert name in choices, command
        options = {word.partition("=")[0] for word in words if word.startswith("--")}
        assert options <= set(choices[name]._option_string_actions), command


@pytest.mark.parametrize("page", PAGES)
def test_every_file_that_a_page_names_exists(page: Path) -> None:
    text = page.read_text()
    for name in re.findall(r"`((?:solutions|course|helpers|tests)/[^`*]*)`", text):
        assert (PROJECT.root / name).exists(), name
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text):
        assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES)
def test_readme_leads_to_the_page(page: Path) -> None:
    name = page.relative_to(PROJECT.root).as_posix()
    assert f"]({name})" in (PROJECT.root / "README.md").read_text()
