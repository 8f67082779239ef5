"""The committed course is what its texts make, and nothing that students must not see is in it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import nbformat
import pytest
from committed import PROJECT, committed_course

from classroom.authoring.build import render, shared_files
from classroom.authoring.check import course_is_in_order, files_are_current, text_is_in_order
from classroom.authoring.student_notebooks import MADE
from classroom.authoring.texts import Lesson, is_folded
from classroom.project import Chapter

CHAPTERS = [pytest.param(chapter, id=chapter.name) for chapter in PROJECT.chapters()]
REVIEWS = [pytest.param(review, id=review.name) for review in PROJECT.reviews()]
PAGES = [pytest.param(page, id=page.name) for page in PROJECT.pages()]
TEXTS = [pytest.param(text, id=text.name) for text in PROJECT.texts()]


@pytest.fixture(scope="module")
def lessons() -> dict[str, Lesson]:
    return dict(committed_course().lessons)


def read(path: Path) -> nbformat.NotebookNode:
    with path.open(encoding="utf-8") as file:
        return nbformat.read(file, as_version=4)


# What `classroom check` asks, without its runs: those of the instructor notebooks are nbval's (see
# tests/executed_by_nbval.py), those of the answers are in tests/grading/test_parity_of_answers_*,
# those of the untouched notebooks in test_nbgrader.py.
@pytest.mark.parametrize("chapter", TEXTS)
def test_a_text_is_in_order(chapter: Chapter) -> None:
    findings = list(text_is_in_order(committed_course().lesson(chapter)))
    assert not findings, "\n".join(map(str, findings))


def test_the_course_as_a_whole_is_in_order() -> None:
    findings = list(course_is_in_order(committed_course()))
    assert not findings, "\n".join(map(str, findings))


@pytest.mark.parametrize("page", PAGES)
def test_a_page_is_what_a_fresh_build_makes(page: Chapter) -> None:
    course = committed_course()
    for path, content in render(course, course.lesson(page)).items():
        assert path.read_bytes() == content, f"{path.relative_to(PROJECT.root)}: run make build"


def test_the_files_that_chapters_share_are_current() -> None:
    for path, content in shared_files(committed_course()).items():
        assert path.read_bytes() == content, f"{path.relative_to(PROJECT.root)}: run make build"


def test_course_holds_notebooks_and_the_flash_cards_only() -> None:
    course = committed_course()
    notebooks = {
        text.student_notebook: text.student_notebook.read_bytes() for text in PROJECT.texts()
    }
    assert list(files_are_current(course, {**notebooks, **shared_files(course)})) == []
    others = {
        path.relative_to(PROJECT.root / "course").as_posix()
        for path in (PROJECT.root / "course").rglob("*")
        if path.is_file() and ".ipynb_checkpoints" not in path.parts and path.suffix != ".ipynb"
    }
    assert others == {"flash_cards.csv"}


@pytest.mark.parametrize("chapter", TEXTS)
def test_nothing_private_reaches_course(chapter: Chapter) -> None:
    """Raw text of the file, so that metadata and outputs count too."""
    text = chapter.student_notebook.read_text(encoding="utf-8")
    for secret in ("BEGIN SOLUTION", "HIDDEN TESTS", "MARK SCHEME", "check.hidden", "Rubric"):
        assert secret not in text
    assert not re.search(r"/(home|root|Users|tmp|work)/", text)
    assert '"execution"' not in text
    metadata = json.loads(text)["metadata"]
    assert set(metadata) - {MADE} == {"kernelspec", "language_info"}


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
    """Count words of text and lines of code, without the titles of folded cells."""
    words = sum(len(c.source.split()) for c in notebook.cells if c.cell_type == "markdown")
    lines = sum(
        len([line for line in c.source.splitlines() if line.strip()]) - is_folded(c)
        for c in notebook.cells
        if c.cell_type == "code"
    )
    return words, lines


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_a_lesson_has_more_words_than_code(chapter: Chapter) -> None:
    words, lines = words_and_lines(read(chapter.student_notebook))
    assert words >= 12 * lines


def all_notebooks() -> list[Path]:
    folder = PROJECT.root / "course"
    return sorted(p for p in folder.rglob("*.ipynb") if ".ipynb_checkpoints" not in p.parts)


@pytest.fixture(scope="module")
def cell_ids() -> dict[Path, set[str]]:
    return {path.resolve(): {cell["id"] for cell in read(path).cells} for path in all_notebooks()}


@pytest.mark.parametrize("path", [pytest.param(path, id=path.stem) for path in all_notebooks()])
def test_links_inside_the_course_lead_somewhere(path: Path, cell_ids: dict[Path, set[str]]) -> None:
    texts = [cell.source for cell in read(path).cells if cell.cell_type == "markdown"]
    for link in re.findall(r"\]\(([^)\s]+)\)", "\n".join(texts)):
        if re.match(r"[a-z]+://|mailto:", link):
            continue
        name, _, anchor = link.partition("#")
        target = (path.parent / name).resolve() if name else path.resolve()
        assert target.exists(), link
        if anchor and target.suffix == ".ipynb":
            assert anchor.removeprefix("cell-id=") in cell_ids[target], link


def test_every_term_leads_from_its_explanation_to_the_glossary_and_back() -> None:
    entries = {cell["id"]: cell.source for cell in read(PROJECT.glossary_notebook).cells}
    bold: dict[str, str] = {}
    for chapter in PROJECT.chapters():
        for cell in read(chapter.student_notebook).cells:
            for term in re.findall(
                r"\[\*\*[^\]]+\*\*\]\(\.\./glossary\.ipynb#cell-id=([^)]+)\)", cell.source
            ):
                assert term not in bold, f"{term} is explained twice"
                bold[term] = f"({chapter.name}/{chapter.name}.ipynb#cell-id={cell['id']})"
    assert set(bold) == set(entries) - {"glossary"}
    for term, back in bold.items():
        assert back in entries[term], term


@pytest.mark.parametrize("review", REVIEWS)
def test_a_review_asks_twelve_questions_about_every_chapter_it_builds_on(review: Chapter) -> None:
    lesson = committed_course().lesson(review)
    assert len({item.exercise for item in lesson.items}) == 12
    asked = {int(item.objectives[0][2:].partition(".")[0]) for item in lesson.items}
    assert asked == {int(name[:2]) for name in lesson.builds_on}


def test_numbers_keep_their_units_on_one_line() -> None:
    for path in all_notebooks():
        for cell in read(path).cells:
            text = re.sub(r"```.*?```|`[^`]*`|\$[^$]*\$|^#.*$", "", cell.source, flags=re.S | re.M)
            if cell.cell_type == "markdown" and not cell.metadata.get("nbgrader"):
                assert not re.search(r"\d (USDT?|BTC|ETH|%)(?!\w)", text), (path.name, cell["id"])
