"""`classroom score` scores a learner's own notebook and never changes it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import nbformat
import pytest

from classroom.errors import ClassroomError
from classroom.marking.score import score
from classroom.project import Project


def change(project: Project, edit: Callable[[nbformat.NotebookNode], None]) -> None:
    path = project.chapters()[0].student_notebook
    with path.open(encoding="utf-8") as file:
        notebook = nbformat.read(file, as_version=4)
    edit(notebook)
    nbformat.write(notebook, path)


def answer(project: Project, **answers: str) -> None:
    def edit(notebook: nbformat.NotebookNode) -> None:
        for cell in notebook.cells:
            if cell["id"].replace("-", "_") in answers:
                cell.source = answers[cell["id"].replace("-", "_")]

    change(project, edit)


def scored(project: Project) -> tuple[float, str]:
    said: list[str] = []
    (result,) = score(project, project.chapters(), say=said.append)
    return result.points, "\n".join(said)


RIGHT = {"ch01_a": "def double(n):\n    return n + n", "ch01_q1_answer": 'ch01_q1 = "b"'}


def test_an_untouched_notebook_scores_nothing_and_says_what_to_revisit(built: Project) -> None:
    points, text = scored(built)
    assert points == 0
    assert "1. Small: 0 of 3 points" in text
    assert "LO1.1 Compute the double of a number. (1.A, 1.Q1)" in text
    assert "Nothing is written yet in 1.B." in text


def test_an_answer_cell_that_stops_is_named_with_its_error(built: Project) -> None:
    answer(built, **RIGHT | {"ch01_a": "def double(n:\n    return n"})
    points, text = scored(built)
    assert points == 1
    assert "The answer cell stopped with SyntaxError: " in text


def test_right_answers_score_full_marks_and_mastery(built: Project) -> None:
    answer(built, **RIGHT)
    points, text = scored(built)
    assert points == 3
    assert "Mastery (80 % of the points and all safety items): yes, 1 of 1 safety items." in text
    assert "Marked by hand, not counted here: 1.B." in text


def test_hidden_tests_count(built: Project) -> None:
    answer(built, ch01_a="def double(n):\n    return 42", ch01_q1_answer='ch01_q1 = "b"')
    points, text = scored(built)
    assert points == 1
    assert "Twice the number, below zero too." in text


def test_edited_and_deleted_tests_do_not_matter(built: Project) -> None:
    answer(built, **RIGHT | {"ch01_a": "def double(n):\n    return 0"}, ch01_a_value="pass")
    assert scored(built)[0] == 1

    def remove_tests(notebook: nbformat.NotebookNode) -> None:
        notebook.cells = [c for c in notebook.cells if c["id"] not in {"ch01-a-value", "ch01-q1"}]

    answer(built, **RIGHT)
    change(built, remove_tests)
    assert scored(built)[0] == 3


def test_a_missing_answer_cell_is_said_and_the_rest_counts(built: Project) -> None:
    def remove(notebook: nbformat.NotebookNode) -> None:
        notebook.cells = [cell for cell in notebook.cells if cell["id"] != "ch01-a"]

    answer(built, **RIGHT)
    change(built, remove)
    points, text = scored(built)
    assert points == 1
    assert "the answer cell ch01_a is missing and counts as unanswered." in text


def test_scoring_leaves_the_notebook_as_it_was(built: Project) -> None:
    answer(built, **RIGHT)
    path = built.chapters()[0].student_notebook
    before = path.read_bytes()
    scored(built)
    assert path.read_bytes() == before


def test_a_kernel_that_dies_keeps_what_ran_before(built: Project) -> None:
    answer(built, **RIGHT | {"ch01_q1_answer": "import os; os._exit(1)"})
    points, text = scored(built)
    assert points == 2
    assert "The kernel ended on the way" in text


def test_a_loop_without_end_is_stopped(built: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("classroom.marking.score.CELL_SECONDS", 2)
    answer(built, **RIGHT | {"ch01_a": "while True:\n    pass"})
    points, text = scored(built)
    assert points == 1
    assert "A cell of 1.A ran longer than 2 s and was stopped." in text


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "is empty"),
        (b"{ not json", "is cut off"),
        (b'{"cells": 3}', "no notebook"),
        (b"[]", "no notebook"),
        (b"\xfe\x00\x81", "is not UTF-8"),
        (b"\x89PNG\r\n\x1a\n", "is not UTF-8"),
    ],
)
def test_a_file_that_is_no_notebook_is_one_sentence_and_stays(
    built: Project, content: bytes, sentence: str
) -> None:
    path = built.chapters()[0].student_notebook
    path.write_bytes(content)
    with pytest.raises(ClassroomError, match=sentence) as caught:
        scored(built)
    assert "Your file is untouched." in str(caught.value)
    assert path.read_bytes() == content


def lost_metadata(document: dict[str, Any]) -> None:
    for number, cell in enumerate(document["cells"]):
        cell["metadata"], cell["id"] = {}, f"c{number}"


def old_format(document: dict[str, Any]) -> None:
    cells = document.pop("cells")
    for cell in cells:
        if cell["cell_type"] == "code":
            cell["input"] = cell.pop("source")
    document.update(nbformat=3, nbformat_minor=0, worksheets=[{"cells": cells}])


def answer_as_text(document: dict[str, Any]) -> None:
    next(cell for cell in document["cells"] if cell["id"] == "ch01-a")["cell_type"] = "markdown"


def half_a_character(document: dict[str, Any]) -> None:
    document["cells"].append({"cell_type": "code", "metadata": {}, "source": "x = '\ud800'"})


def empty_setup(document: dict[str, Any]) -> None:
    cell = next(c for c in document["cells"] if "import exercise" in "".join(c["source"]))
    cell["source"] = ""


@pytest.mark.parametrize(
    "spoil",
    [
        lost_metadata, old_format, answer_as_text, half_a_character, empty_setup,
        lambda document: document["cells"].reverse(), lambda document: None,
    ],
    ids=["metadata", "format 3", "text", "half a character", "set-up", "order", "mark"],
)  # fmt: skip
def test_a_spoilt_notebook_scores_what_it_would_be_graded(
    built: Project, spoil: Callable[[dict[str, Any]], None]
) -> None:
    answer(built, **RIGHT)
    path = built.chapters()[0].student_notebook
    document = json.loads(path.read_text(encoding="utf-8"))
    spoil(document)
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps(document).encode())
    assert scored(built)[0] == 3


def test_what_cannot_be_interrupted_is_ended(
    built: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("classroom.marking.score.CELL_SECONDS", 2)
    monkeypatch.setattr("classroom.authoring.execute.PATIENCE", 2)
    stubborn = "while True:\n    try:\n        while True:\n            pass\n"
    stubborn += "    except BaseException:\n        pass"
    answer(built, **RIGHT | {"ch01_q1_answer": stubborn})
    points, text = scored(built)
    assert points == 2
    assert "The kernel ended on the way" in text


def test_a_missing_notebook_is_one_sentence(built: Project) -> None:
    built.chapters()[0].student_notebook.unlink()
    with pytest.raises(
        ClassroomError, match="does not exist; make it with 'classroom build 01_small'"
    ):
        scored(built)
