"""Stock nbgrader works on this folder: release, validate, and the marks of its own tools."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from classroom.authoring.build import read_course
from classroom.project import Chapter, Project

PROJECT = Project(Path(__file__).resolve().parents[2])
CHAPTERS = [pytest.param(chapter, id=chapter.name) for chapter in PROJECT.chapters()]


def nbgrader(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "nbgrader", *arguments]
    return subprocess.run(command, cwd=PROJECT.root, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_nbgrader_validates_the_instructor_notebook(chapter: Chapter) -> None:
    done = nbgrader("validate", str(chapter.solution_notebook))
    assert done.returncode == 0, done.stderr
    assert "Success! Your notebook passes all the tests." in done.stdout


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_nbgrader_gives_an_untouched_notebook_no_points(chapter: Chapter) -> None:
    """`validate --invert` complains about cells that pass; only items worth 0 points may."""
    done = nbgrader("validate", "--invert", str(chapter.student_notebook))
    passed = set(re.findall(r'exercise\("(\w+)"\)', done.stdout))
    lesson = read_course(PROJECT).lesson(chapter)
    worthless = {item.id for item in lesson.items if item.points == 0}
    assert passed <= worthless


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_nbgrader_generates_the_committed_student_notebook(
    chapter: Chapter, tmp_path: Path
) -> None:
    release = tmp_path / "release"
    done = nbgrader(
        "generate_assignment", chapter.name, "--no-db", "--force",
        f"--CourseDirectory.release_directory={release}",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    made = (release / chapter.name / f"{chapter.name}.ipynb").read_text(encoding="utf-8")
    assert made.rstrip() == chapter.student_notebook.read_text(encoding="utf-8").rstrip()
    assert [path.name for path in (release / chapter.name).iterdir()] == [f"{chapter.name}.ipynb"]
