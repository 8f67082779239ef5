"""Where things are: the project's root, its chapters, its reviews and its pages."""

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
REVIEW_NAME = re.compile(r"review_(?P<number>\d+)")


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
    def prefix(self) -> str:
        """What opens the id of each of its items."""
        return f"ch{self.number:02d}"

    @property
    def up(self) -> str:
        """What leads from the folder of its student notebook to the folder of the course."""
        return "../"

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
class Review(Chapter):
    """Mixed questions from several chapters, known by its folder, for example `review_1`."""

    @property
    def number(self) -> int:
        """The number that ends the folder's name."""
        return int(self.name.rpartition("_")[2])

    @property
    def prefix(self) -> str:
        """What opens the id of each of its items."""
        return f"rv{self.number:02d}"


@dataclass(frozen=True)
class Page(Chapter):
    """A page without exercises, known by the name of its text, for example `faq`."""

    @property
    def number(self) -> int:
        """Pages are not numbered."""
        return 0

    @property
    def prefix(self) -> str:
        """Pages have no items."""
        return "page"

    @property
    def up(self) -> str:
        """Pages lie in the folder of the course itself."""
        return ""

    @property
    def source(self) -> Path:
        """Folder that authors edit."""
        return self.root / "solutions"

    @property
    def solution_notebook(self) -> Path:
        """The page itself: it holds nothing that learners must not see."""
        return self.student_notebook

    @property
    def student_notebook(self) -> Path:
        """The page that learners read, generated."""
        return self.root / "course" / f"{self.name}.ipynb"


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
    def formulas_text(self) -> Path:
        """Names of the functions on the formula sheet, by chapter."""
        return self.root / "solutions" / "formulas.yml"

    @property
    def formula_sheet(self) -> Path:
        """The formula sheet that learners read, generated."""
        return self.root / "course" / "formula_sheet.ipynb"

    @property
    def flash_cards(self) -> Path:
        """Flash cards for import into Anki, generated."""
        return self.root / "course" / "flash_cards.csv"

    @property
    def solved(self) -> Path:
        """The solution of every exercise, generated; what a class gets leaves it out."""
        return self.root / "solutions" / "solutions.json"

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

    def reviews(self) -> tuple[Review, ...]:
        """Return the mixed reviews in their order."""
        folders = sorted(path for path in (self.root / "solutions").glob("*") if path.is_dir())
        reviews = (Review(self.root, f.name) for f in folders if REVIEW_NAME.fullmatch(f.name))
        return tuple(sorted(reviews, key=lambda review: review.number))

    def pages(self) -> tuple[Page, ...]:
        """Return the pages without exercises."""
        texts = sorted((self.root / "solutions").glob("[a-z]*.md"))  # INSTRUCTORS.md is no page
        return tuple(Page(self.root, text.stem) for text in texts)

    def texts(self) -> tuple[Chapter, ...]:
        """Return everything that is written as a text: chapters, then reviews, then pages."""
        return (*self.chapters(), *self.reviews(), *self.pages())

    def released(self) -> tuple[Chapter, ...]:
        """Return every notebook in course/: chapters, reviews, pages; also where no text is."""
        home = self.root / "course"
        folders = sorted(path.parent.name for path in home.glob("*/*.ipynb"))
        pages = sorted(path.stem for path in home.glob("*.ipynb"))
        chapters = [Chapter(self.root, name) for name in folders if CHAPTER_NAME.fullmatch(name)]
        reviews = [Review(self.root, name) for name in folders if REVIEW_NAME.fullmatch(name)]
        return tuple(
            one
            for one in (*chapters, *reviews, *(Page(self.root, name) for name in pages))
            if one.student_notebook.is_file()
        )

    def released_one(self, name: str) -> Chapter:
        """Return the notebook in course/ that a name asks for, as `select` does."""
        return self._one(name, self.released())

    def select(self, names: Sequence[str], *, pages: bool = False) -> tuple[Chapter, ...]:
        """Return the chapters and reviews that `names` ask for.

        Without names these are all chapters; with `pages`, everything that is written as a text.
        A chapter may be named by its folder (`01_basics`), its number (`1`, `01`), its topic
        (`basics`) or a path to its folder or notebook.
        """
        chapters = self.chapters()
        if not chapters and not (self.root / "solutions").is_dir():
            raise ClassroomError(
                "this is a handout: it has the notebooks in course/ and no solutions/, so no hidden "
                "tests. Whoever gave it to you has them"
            )
        if not chapters:
            raise ClassroomError(
                f"no chapters were found in {self.root / 'solutions'}; "
                "each chapter is a folder like 01_basics with 01_basics.md in it"
            )
        if not names:
            return self.texts() if pages else chapters
        known = self.texts() if pages else (*chapters, *self.reviews())
        chosen = {self._one(name, known) for name in names}
        return tuple(chapter for chapter in known if chapter in chosen)

    def _one(self, name: str, chapters: Iterable[Chapter]) -> Chapter:
        wanted = Path(name).stem if name.endswith((".ipynb", ".md")) else Path(name).name
        known = {}
        for chapter in chapters:
            known[chapter.name] = chapter
            if CHAPTER_NAME.fullmatch(chapter.name):
                for alias in (chapter.name[3:], str(chapter.number), chapter.name[:2]):
                    known[alias] = chapter
        if wanted in known:
            return known[wanted]
        names = [chapter.name for chapter in chapters]
        near = difflib.get_close_matches(wanted, list(known), n=1)
        hint = f"; did you mean {known[near[0]].name}?" if near else ""
        raise ClassroomError(
            f"there is no chapter {name!r}{hint or '.'} The chapters are: {', '.join(names)}"
        )


def find_project() -> Project:
    """Find the checkout that contains the current folder.

    Falls back to the checkout that this package was installed from.
    """
    here = Path.cwd().resolve()
    installed = Path(__file__).resolve().parents[2]
    for folder in (here, *here.parents, installed):
        ours = (folder / "solutions").is_dir() or (folder / "course").is_dir()
        if ours and (folder / "nbgrader_config.py").is_file():
            return Project(folder)
    raise ClassroomError(
        f"{here} is not inside a checkout of the course (a folder with nbgrader_config.py and "
        "course/ or solutions/); change into the folder that you cloned or unpacked"
    )


def relative(path: Path, root: Path) -> str:
    """Return `path` as people type it: relative to `root` where that is possible."""
    try:
        return Path(os.path.relpath(path, root)).as_posix() if path.is_absolute() else str(path)
    except ValueError:  # another drive on Windows
        return str(path)
