"""The committed course is what its texts make, and nothing that students must not see is in it."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest

from classroom.build import read_course, render, shared_files
from classroom.check import check, without_pictures
from classroom.project import Chapter, Project
from classroom.texts import Lesson

PROJECT = Project(Path(__file__).resolve().parents[2])
CHAPTERS = [pytest.param(chapter, id=chapter.name) for chapter in PROJECT.chapters()]


@pytest.fixture(scope="module")
def lessons() -> dict[str, Lesson]:
    return dict(read_course(PROJECT).lessons)


def read(path: Path) -> nbformat.NotebookNode:
    with path.open(encoding="utf-8") as file:
        return nbformat.read(file, as_version=4)


def test_classroom_check_has_no_findings() -> None:
    """In sync, full marks for right answers, a hint for every wrong one, no leak, every objective graded."""
    findings = check(PROJECT, PROJECT.chapters(), say=lambda _: None)
    assert not findings, "\n".join(map(str, findings))


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_a_fresh_build_equals_the_committed_notebooks_to_the_byte(chapter: Chapter) -> None:
    course = read_course(PROJECT)
    reference = sys.platform == "linux" and sys.version_info[:2] == (3, 11)
    for path, content in render(course, course.lesson(chapter)).items():
        committed = path.read_bytes()
        if not reference:  # elsewhere a pixel may differ; descriptions are compared everywhere
            committed, content = without_pictures(committed), without_pictures(content)
        assert committed == content, f"{path.relative_to(PROJECT.root)}: run make build"


def test_the_files_that_chapters_share_are_current() -> None:
    for path, content in shared_files(read_course(PROJECT)).items():
        assert path.read_bytes() == content, f"{path.relative_to(PROJECT.root)}: run make build"


def test_course_holds_notebooks_only() -> None:
    suffixes = {
        path.suffix
        for path in (PROJECT.root / "course").rglob("*")
        if path.is_file() and ".ipynb_checkpoints" not in path.parts
    }
    assert suffixes == {".ipynb"}


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_nothing_private_reaches_course(chapter: Chapter) -> None:
    """Raw text of the file, so that metadata and outputs count too."""
    text = chapter.student_notebook.read_text(encoding="utf-8")
    for secret in ("BEGIN SOLUTION", "HIDDEN TESTS", "MARK SCHEME", "check.hidden", "Rubric"):
        assert secret not in text
    assert not re.search(r"/(home|root|Users|tmp|work)/", text)
    assert '"execution"' not in text
    metadata = json.loads(text)["metadata"]
    assert set(metadata) == {"kernelspec", "language_info"}


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_a_chapter_has_its_exercises_points_and_safety_items(
    chapter: Chapter, lessons: dict[str, Lesson]
) -> None:
    lesson = lessons[chapter.name]
    exercises = {item.exercise for item in lesson.items if item.points}
    safety = {item.exercise for item in lesson.items if item.safety}
    if chapter.number == 0:
        assert lesson.points == 5
        assert len(exercises) >= 5
        return
    manual = [item for item in lesson.items if item.kind == "manual"]
    assert len(exercises) >= 10
    assert lesson.points >= 22
    assert 2 <= len(safety) <= 3
    assert len(manual) == 1


def words_and_lines(notebook: nbformat.NotebookNode) -> tuple[int, int]:
    words = sum(len(c.source.split()) for c in notebook.cells if c.cell_type == "markdown")
    lines = sum(
        len([line for line in c.source.splitlines() if line.strip()])
        for c in notebook.cells
        if c.cell_type == "code"
    )
    return words, lines


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_a_lesson_has_more_words_than_code(chapter: Chapter) -> None:
    words, lines = words_and_lines(read(chapter.student_notebook))
    assert words >= 12 * lines


def links(chapter: Chapter) -> Iterator[str]:
    for cell in read(chapter.student_notebook).cells:
        if cell.cell_type == "markdown":
            yield from re.findall(r"\]\(([^)\s]+)\)", cell.source)


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_links_inside_the_course_lead_somewhere(chapter: Chapter) -> None:
    for link in links(chapter):
        if re.match(r"[a-z]+://|mailto:", link):
            continue
        name, _, anchor = link.partition("#")
        target = (
            (chapter.student_notebook.parent / name).resolve() if name else chapter.student_notebook
        )
        assert target.exists(), link
        if anchor and target.suffix == ".ipynb":
            assert anchor in {f"cell-id={cell['id']}" for cell in read(target).cells}, link


def test_the_glossary_links_back_to_the_chapter_that_explains_each_term() -> None:
    text = "\n".join(cell.source for cell in read(PROJECT.glossary_notebook).cells)
    for name in re.findall(r"^## (.+)$", text, re.MULTILINE):
        entry = text.split(f"## {name}\n", 1)[1].split("\n## ", 1)[0]
        assert "Explained in [" in entry, name
