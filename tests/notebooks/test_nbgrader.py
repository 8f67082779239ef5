"""Stock nbgrader works on this folder: release, validate, and the marks of its own tools.

Its applications run in the process of the tests, which saves ten starts of three seconds; the one
chapter of the quick loop is validated as people do it. What nbgrader's validation reads in an
executed instructor notebook is asked in tests/executed_by_nbval.py.
"""

from __future__ import annotations

import io
import re
import subprocess
import sys
from pathlib import Path

import pytest
from committed import PROJECT, committed_course
from nbformat import NotebookNode
from nbgrader.apps import GenerateAssignmentApp
from nbgrader.validator import Validator

from classroom.authoring.check import untouched_notebook_runs
from classroom.project import Chapter

CHAPTERS = [pytest.param(chapter, id=chapter.name) for chapter in PROJECT.chapters()]
TEXTS = [pytest.param(text, id=text.name) for text in PROJECT.texts()]


def test_nbgrader_validates_an_instructor_notebook_from_the_command_line() -> None:
    command = [sys.executable, "-m", "nbgrader", "validate"]
    notebook = str(PROJECT.select(["01_basics"])[0].solution_notebook)
    done = subprocess.run(
        [*command, notebook], cwd=PROJECT.root, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "Success! Your notebook passes all the tests." in done.stdout


class Remembering(Validator):
    """Stock nbgrader's validation, of which the executed notebook is kept."""

    executed: NotebookNode

    def _preprocess(self, nb: NotebookNode) -> NotebookNode:
        self.executed = super()._preprocess(nb)
        return self.executed


@pytest.mark.parametrize("text", TEXTS)
def test_an_untouched_notebook_runs_to_its_end_and_nbgrader_gives_it_no_points(
    text: Chapter,
) -> None:
    """`validate --invert` complains about cells that pass; only items worth 0 points may."""
    lesson = committed_course().lesson(text)
    validator = Remembering(invert=True)
    validator.stream = io.StringIO()
    validator.validate_and_print(str(text.student_notebook))
    passed = set(re.findall(r'exercise\("(\w+)"\)', validator.stream.getvalue()))
    assert passed <= {item.id for item in lesson.items if item.points == 0}
    findings = list(untouched_notebook_runs(lesson, validator.executed))
    assert not findings, "\n".join(map(str, findings))


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_nbgrader_generates_the_committed_student_notebook(
    chapter: Chapter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(PROJECT.root)
    release = tmp_path / "release"
    app = GenerateAssignmentApp()
    app.initialize([
        chapter.name, "--no-db", "--force", f"--CourseDirectory.release_directory={release}"
    ])  # fmt: skip
    app.start()
    made = (release / chapter.name / f"{chapter.name}.ipynb").read_text(encoding="utf-8")
    assert made.rstrip() == chapter.student_notebook.read_text(encoding="utf-8").rstrip()
    assert [path.name for path in (release / chapter.name).iterdir()] == [f"{chapter.name}.ipynb"]
