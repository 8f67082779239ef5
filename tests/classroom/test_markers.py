"""Every reader of an instructor's cell sees the same regions, or the cell is refused."""

from __future__ import annotations

import json
from pathlib import Path

import nbformat
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nbgrader.preprocessors import ClearHiddenTests, ClearMarkScheme, ClearSolutions

from classroom import markers
from classroom.authoring.glossary import read_glossary
from classroom.authoring.texts import read_lesson
from classroom.errors import ClassroomError
from classroom.grading import read_release
from classroom.project import Project

PAIRS = [
    (markers.BEGIN_SOLUTION, markers.END_SOLUTION),
    (markers.BEGIN_HIDDEN, markers.END_HIDDEN),
    (markers.BEGIN_SCHEME, markers.END_SCHEME),
]
BESIDE = [
    "{}: other sizes",
    "{} (two)",
    "x = 1  {}",
    "#{}",
    "{}#",
    "{}.",
    "**{}**",
    "{}S",
]


@pytest.mark.parametrize("form", BESIDE)
@pytest.mark.parametrize("mark", [mark for pair in PAIRS for mark in pair])
def test_a_mark_with_anything_beside_it_is_refused(mark: str, form: str) -> None:
    pair = next(pair for pair in PAIRS if mark in pair)
    lines = ["a", *("  " + form.format(mark) if part == mark else part for part in pair), "b"]
    with pytest.raises(markers.MarkerError) as caught:
        markers.parts("\n".join(lines))
    assert caught.value.line == 2 + pair.index(mark)
    assert mark in str(caught.value)


@pytest.mark.parametrize(
    "line",
    [
        "# BEGIN HIDDEN TESTS",
        "###BEGIN HIDDEN TESTS",
        "### BEGIN HIDDEN TEST",
        "### Begin hidden tests",
        "### BEGIN  HIDDEN  TESTS",
        "### begin solution",
        "### END HIDDEN-TESTS",
        "#### STUDENT STUB",
        "### student stub:",
    ],
)
def test_a_line_that_only_looks_like_a_mark_is_refused(line: str) -> None:
    with pytest.raises(markers.MarkerError, match="stands alone on its line"):
        markers.parts(f"a\n{line}\nb")


@pytest.mark.parametrize(
    "line", ["# the solution begins here", "solution = 1", "hidden_tests = []", "# mark the end"]
)
def test_ordinary_words_are_no_marks(line: str) -> None:
    assert markers.parts(line) == [("visible", line)]


@pytest.mark.parametrize(
    "source",
    [
        "### BEGIN HIDDEN TESTS\na",
        "a\n### END HIDDEN TESTS",
        "### BEGIN SOLUTION\n### BEGIN HIDDEN TESTS\n### END HIDDEN TESTS\n### END SOLUTION",
        "### BEGIN HIDDEN TESTS\n### END SOLUTION",
        "### STUDENT STUB\n# a",
        "### BEGIN SOLUTION\n### STUDENT STUB\na\n### END SOLUTION",
        "### BEGIN SOLUTION\n### STUDENT STUB\n### STUDENT STUB\n### END SOLUTION",
    ],
)
def test_marks_that_do_not_pair_are_refused(source: str) -> None:
    with pytest.raises(markers.MarkerError):
        markers.parts(source)


def test_the_build_names_the_line_of_a_bad_mark(small: Project) -> None:
    (chapter,) = small.chapters()
    text = chapter.text.read_text(encoding="utf-8")
    text = text.replace("### BEGIN HIDDEN TESTS", "### BEGIN HIDDEN TESTS: less")
    chapter.text.write_text(text, encoding="utf-8")
    line = next(number for number, row in enumerate(text.split("\n"), 1) if "TESTS: less" in row)
    with pytest.raises(ClassroomError, match=rf"01_small\.md:{line}: a mark stands alone"):
        read_lesson(small, chapter, read_glossary(small.glossary_text))


def test_the_grader_refuses_a_notebook_with_a_bad_mark(tmp_path: Path) -> None:
    cell = nbformat.v4.new_code_cell("assert x\n### BEGIN HIDDEN TESTS: two\n### END HIDDEN TESTS")
    cell.metadata["nbgrader"] = {
        "grade": True, "grade_id": "t", "locked": True, "solution": False, "task": False,
        "points": 1, "schema_version": 3,
    }  # fmt: skip
    path = tmp_path / "one.ipynb"
    path.write_text(json.dumps(nbformat.v4.new_notebook(cells=[cell])), encoding="utf-8")
    with pytest.raises(ClassroomError, match=r"one\.ipynb, cell 1 \(t\), line 2: a mark"):
        read_release(path)


LINES = ["a = 1", "    b = 2", "# c", "", *(mark for pair in PAIRS for mark in pair)]


@given(st.lists(st.sampled_from([*LINES, *("  " + line for line in LINES)]), max_size=12))
def test_what_is_accepted_nbgrader_reads_in_the_same_way(lines: list[str]) -> None:
    source = "\n".join(lines)
    try:
        markers.parts(source)
    except markers.MarkerError:
        return
    cell = nbformat.v4.new_code_cell(source)
    ClearSolutions()._replace_solution_region(cell, "python")
    assert cell.source == markers.student_source(source)
    cell = nbformat.v4.new_code_cell(source)
    ClearHiddenTests()._remove_hidden_test_region(cell)
    ClearMarkScheme()._remove_mark_scheme_region(cell)
    assert cell.source == markers.visible_source(source)
