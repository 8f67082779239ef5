"""`classroom score` scores a learner's own notebook and never changes it."""

from __future__ import annotations

from collections.abc import Callable

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
    assert "These answer cells are missing and count as unanswered: 1.A." in text


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
    assert "The kernel died on the way" in text


def test_a_loop_without_end_is_stopped(built: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("classroom.marking.score.CELL_SECONDS", 2)
    answer(built, **RIGHT | {"ch01_a": "while True:\n    pass"})
    points, text = scored(built)
    assert points == 1
    assert "A cell of 1.A ran longer than 2 s and was stopped." in text


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "is not a Jupyter notebook"),
        (b"{ not json", "is not a Jupyter notebook"),
        (b'{"cells": 3}', "is not a Jupyter notebook"),
        (b"[]", "is not a Jupyter notebook"),
        (b"\xff\xfe\x00", "is not a text file"),
        (b"\x89PNG\r\n\x1a\n", "is not a text file"),
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


def test_a_notebook_without_metadata_is_one_sentence(built: Project) -> None:
    def strip(notebook: nbformat.NotebookNode) -> None:
        for cell in notebook.cells:
            cell.metadata = nbformat.NotebookNode()

    change(built, strip)
    with pytest.raises(ClassroomError, match="has lost the metadata that marks its answer cells"):
        scored(built)


def test_a_missing_notebook_is_one_sentence(built: Project) -> None:
    built.chapters()[0].student_notebook.unlink()
    with pytest.raises(
        ClassroomError, match="does not exist; make it with 'classroom build 01_small'"
    ):
        scored(built)
