"""`classroom handout`: what learners get, without solutions, hidden tests and git history."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Iterable, Sequence
from pathlib import Path

from classroom.desk.archives import packed
from classroom.desk.autograder import package_files
from classroom.desk.update import RELEASED, cell_hashes
from classroom.errors import ClassroomError
from classroom.grading.reading import read_release, source_text
from classroom.markers import SECRET_WORDS
from classroom.marking.room import write_whole
from classroom.project import Chapter, Page, Project, relative
from leverage.lessons.manifest import Quiz
from leverage.lessons.quizzes import sealed
from leverage.lessons.wording import counted

QUIZZES = "helpers/leverage/lessons/data/quizzes.json"
ALONE = (
    "Makefile",
    "ACCESSIBILITY.md",
    "CHANGELOG.md",
    "CITATION.cff",
    "nbgrader_config.py",
    "binder/runtime.txt",
)
"""What a handout holds beside course/ and the package."""
NOT_FOR_LEARNERS = (
    "For instructors", "The arithmetic on its own", "An exchange on paper", "For contributors",
)  # fmt: skip
"""Sections of the README that a handout leaves out."""


def handout(project: Project, chapters: Sequence[Chapter]) -> bytes:
    """Return the archive that learners get.

    Parameters
    ----------
    project : Project
        The checkout.
    chapters : sequence of Chapter
        Which chapters and reviews; the pages are always in it.

    Raises
    ------
    ClassroomError
        If a notebook in course/ is not as it was released: somebody worked in it.
    """
    files = package_files(project)
    files |= {name: (project.root / name).read_bytes() for name in ALONE}
    files["README.md"] = learners_readme(project, chapters).encode()
    quizzes = json.loads(files[QUIZZES])
    files[QUIZZES] = json.dumps(sealed_quizzes(quizzes), ensure_ascii=False, indent=1).encode()
    folders = [chapter.student_notebook.parent for chapter in chapters]
    for chapter in chapters:
        refuse_changed(chapter)
    for path in (*_files(folders), *sorted((project.root / "course").glob("*.*"))):
        files[relative(path, project.root)] = path.read_bytes()
    for name, content in files.items():
        if name.endswith(".ipynb") and any(word in content.decode() for word in SECRET_WORDS):
            raise ClassroomError(f"{name} holds solutions or hidden tests; run 'classroom check'")
    hashes = {name: cell_hashes(c) for name, c in files.items() if name.endswith(".ipynb")}
    files[RELEASED] = json.dumps(hashes, indent=1).encode()
    return packed({f"leverage-course/{name}": content for name, content in files.items()})


def write_handout(project: Project, chapters: Sequence[Chapter], target: Path) -> None:
    """Write the archive, and say what is in it."""
    write_whole(target, handout(project, chapters))
    print(
        f"{target}: {counted(len(chapters), 'chapter')}, without solutions and hidden tests; "
        "unpacked, 'make lab' opens it."
    )


def _files(folders: Iterable[Path]) -> list[Path]:
    return [
        path
        for folder in folders
        for path in sorted(folder.rglob("*"))
        if path.is_file() and ".ipynb_checkpoints" not in path.parts
    ]


def refuse_changed(chapter: Chapter) -> None:
    """Raise a sentence if a student notebook is not the released one, or was run."""
    released = {cell.id: cell.released for cell in read_release(chapter.solution_notebook).cells}
    cells = json.loads(chapter.student_notebook.read_text(encoding="utf-8"))["cells"]
    given = {str(cell["id"]): source_text(cell["source"]) for cell in cells}
    if given != released or any(cell.get("outputs") for cell in cells):
        raise ClassroomError(
            f"{relative(chapter.student_notebook, chapter.root)} is not as it was released: "
            "somebody worked in it. Keep what you need of it elsewhere, then "
            f"'classroom build {chapter.name} --force'"
        )


def sealed_quizzes(quizzes: dict[str, Quiz]) -> dict[str, Quiz]:
    """Return all questions with their answers as salted hashes and the feedback sealed by them."""
    return {name: sealed(quiz, secrets.token_hex(8)) for name, quiz in quizzes.items()}


def learners_readme(project: Project, chapters: Sequence[Chapter]) -> str:
    """Return the README without what is for others, and with the chapters that are there."""
    text = (project.root / "README.md").read_text(encoding="utf-8")
    first, *sections = re.split(r"(?m)^(?=## )", text)
    kept = [
        section
        for section in sections
        if not section.removeprefix("## ").startswith(NOT_FOR_LEARNERS)
    ]
    names = {chapter.name for chapter in chapters}
    there = {chapter.name for chapter in project.released() if isinstance(chapter, Page)} | names
    lines = []
    for line in "".join([first, *kept]).splitlines():
        linked = re.findall(r"\(course/(?:\w+/)?(\w+)\.ipynb\)", line)
        gone = [name for name in linked if name not in there]
        author = re.search(r"solutions/|make score|make test", line)
        if not gone and not author:
            lines.append(line)
    return "\n".join(lines) + "\n"
