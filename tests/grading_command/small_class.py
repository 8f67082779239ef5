"""A class of a very small chapter, made without building the course."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from classroom.marking.room import Room, find_room
from classroom.project import Chapter, Project

CHAPTER = "01_small"
RIGHT = {"double": "def double(number):\n    return 2 * number", "why": "Two halves make a whole."}
WRONG = {"double": "def double(number):\n    return number + 2", "why": "It is so."}
SLOW = {**RIGHT, "double": "import time\ntime.sleep(20)\n" + RIGHT["double"]}
"""Keeps a run from ending before a test can stop it."""


def graded(kind: str, name: str, points: float = 0) -> dict[str, Any]:
    meta: dict[str, Any] = {"grade_id": name, "schema_version": 3, "task": False}
    meta |= {"solution": kind != "test", "grade": kind != "answer", "locked": kind == "test"}
    return {"nbgrader": meta | ({"points": points} if kind != "answer" else {})}


def source_notebook() -> nbformat.NotebookNode:
    """The instructor's notebook: one answer with two tests, one answer marked by hand."""
    cells = [
        new_markdown_cell("# 1. Small", id="title"),
        new_code_cell(
            "def double(number):\n    ### BEGIN SOLUTION\n    return 2 * number\n    ### END SOLUTION",
            id="a", metadata=graded("answer", "ch01_a"),
        ),
        new_code_cell("assert double(1) == 2, 'Twice the number.'", id="t1",
                      metadata=graded("test", "ch01_a_value", 2)),
        new_code_cell(
            "assert double(2) == 4\n### BEGIN HIDDEN TESTS\n"
            "assert double(4711) == 9422, 'Other numbers too.'\n### END HIDDEN TESTS",
            id="t2", metadata=graded("test", "ch01_a_hidden", 3),
        ),
        new_markdown_cell("The model answer.", id="b", metadata=graded("manual", "ch01_b", 4)),
    ]  # fmt: skip
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return new_notebook(cells=cells, metadata={"kernelspec": kernel})


def handed_in(answers: Mapping[str, str]) -> nbformat.NotebookNode:
    """What a student hands in: the release with their answers."""
    notebook = source_notebook()
    stub = "def double(number):\n    # YOUR CODE HERE\n    raise NotImplementedError()"
    notebook.cells[1].source = answers.get("double", stub)
    notebook.cells[3].source = "assert double(2) == 4"
    notebook.cells[4].source = answers.get("why", "YOUR ANSWER HERE")
    return notebook


class SmallClass:
    """A checkout with one chapter and a class."""

    def __init__(self, root: Path, repository: Path) -> None:
        source = root / "solutions" / CHAPTER
        source.mkdir(parents=True)
        nbformat.write(source_notebook(), source / f"{CHAPTER}.ipynb")
        shutil.copy(repository / "nbgrader_config.py", root)
        self.project = Project(root)
        self.chapter = Chapter(root, CHAPTER)

    @property
    def room(self) -> Room:
        return find_room(self.project)

    def hand_in(self, student: str, answers: Mapping[str, str] | bytes, when: str = "") -> None:
        folder = self.project.root / "class" / "submitted" / student / CHAPTER
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{CHAPTER}.ipynb"
        if isinstance(answers, bytes):
            path.write_bytes(answers)
        else:
            path.write_text(json.dumps(handed_in(answers)), encoding="utf-8")
        if when:
            (folder / "timestamp.txt").write_text(when, encoding="utf-8")


def command(*arguments: str) -> list[str]:
    """The command line of `classroom`."""
    return [sys.executable, "-m", "classroom", *arguments]
