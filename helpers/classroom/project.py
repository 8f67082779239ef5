"""Where things are: the project's root and its chapters."""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from classroom.errors import ClassroomError

CHAPTER_NAME = re.compile(r"(?P<number>\d\d)_(?P<topic>[a-z0-9_]+)")


@dataclass(frozen=True)
class Chapter:
    """One chapter of the course, known by the name of its folder, for example `01_basics`."""

    root: Path
    name: str

    @property
    def number(self) -> int:
        """The number that opens the folder's name."""
        return int(self.name[:2])

    @property
    def source(self) -> Path:
        """Folder that authors edit."""
        return self.root / "solutions" / self.name

    @property
    def text(self) -> Path:
        """The chapter's text: lesson, solutions and hidden tests."""
        return self.source / f"{self.name}.md"

    @property
    def quiz(self) -> Path:
        """Questions of the chapter's quizzes."""
        return self.source / "quiz.yml"

    @property
    def bank(self) -> Path:
        """Other right answers and typical wrong answers."""
        return self.source / "bank.md"

    @property
    def solution_notebook(self) -> Path:
        """Instructor notebook, executed, generated."""
        return self.source / f"{self.name}.ipynb"

    @property
    def student_notebook(self) -> Path:
        """Student notebook, generated."""
        return self.root / "course" / self.name / f"{self.name}.ipynb"


@dataclass(frozen=True)
class Project:
    """A checkout of the course."""

    root: Path

    @property
    def glossary_text(self) -> Path:
        """Terms and their definitions."""
        return self.root / "solutions" / "glossary.yml"

    @property
    def glossary_notebook(self) -> Path:
        """The glossary that learners read, generated."""
        return self.root / "course" / "glossary.ipynb"

    @property
    def lesson_data(self) -> Path:
        """Data files that the checks read at run time, generated."""
        return self.root / "helpers" / "leverage" / "lessons" / "data"

    @property
    def cache(self) -> Path:
        """Scratch folder, outside version control."""
        return self.root / ".cache"

    @property
    def repository(self) -> str:
        """Owner and name of the repository, from pyproject.toml (`owner/name`)."""
        with (self.root / "pyproject.toml").open("rb") as file:
            urls = tomllib.load(file)["project"]["urls"]
        return "/".join(str(urls["Repository"]).rstrip("/").split("/")[-2:])

    def chapters(self) -> tuple[Chapter, ...]:
        """Return all chapters in reading order."""
        folders = sorted(path for path in (self.root / "solutions").glob("*") if path.is_dir())
        return tuple(
            Chapter(self.root, folder.name)
            for folder in folders
            if CHAPTER_NAME.fullmatch(folder.name)
        )

    def select(self, names: Sequence[str]) -> tuple[Chapter, ...]:
        """Return the chapters that `names` ask for; all of them if there are no names.

        A chapter may be named by its folder (`01_basics`), its number (`1`, `01`), its topic
        (`basics`) or a path to its folder or notebook.
        """
        chapters = self.chapters()
        if not chapters:
            raise ClassroomError(
                f"no chapters were found in {self.root / 'solutions'}; "
                "each chapter is a folder like 01_basics with 01_basics.md in it"
            )
        if not names:
            return chapters
        chosen = {self._one(name, chapters) for name in names}
        return tuple(chapter for chapter in chapters if chapter in chosen)

    def _one(self, name: str, chapters: Iterable[Chapter]) -> Chapter:
        wanted = Path(name).stem if name.endswith((".ipynb", ".md")) else Path(name).name
        known = {}
        for chapter in chapters:
            topic = chapter.name[3:]
            for alias in (chapter.name, topic, str(chapter.number), chapter.name[:2]):
                known[alias] = chapter
        if wanted in known:
            return known[wanted]
        names = [chapter.name for chapter in chapters]
        near = difflib.get_close_matches(wanted, list(known), n=1)
        hint = f"; did you mean {known[near[0]].name}?" if near else ""
        raise ClassroomError(
            f"there is no chapter {name!r}{hint or '.'} The chapters are: {', '.join(names)}"
        )


def find_project(start: Path | None = None) -> Project:
    """Find the checkout that contains `start` (default: the current folder).

    Falls back to the checkout that this package was installed from.
    """
    here = (start or Path.cwd()).resolve()
    installed = Path(__file__).resolve().parents[2]
    for folder in (here, *here.parents, installed):
        if (folder / "solutions").is_dir() and (folder / "nbgrader_config.py").is_file():
            return Project(folder)
    raise ClassroomError(
        f"{here} is not inside a checkout of the course (a folder with solutions/ and "
        "nbgrader_config.py); change into the folder that you cloned"
    )


def relative(path: Path, root: Path) -> str:
    """Return `path` as people type it: relative to `root` where that is possible."""
    try:
        return Path(os.path.relpath(path, root)).as_posix() if path.is_absolute() else str(path)
    except ValueError:  # another drive on Windows
        return str(path)
