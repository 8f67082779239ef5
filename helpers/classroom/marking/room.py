"""Where a class lies on disk, the lock that lets one grader in, and files that are whole or absent."""

from __future__ import annotations

import csv
import io
import os
import socket
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from classroom.authoring.student_notebooks import course_config
from classroom.errors import ClassroomError
from classroom.grading import Submission, read_submission
from classroom.project import Project, relative

PART = ".part"
LOCK = ".grading.lock"
LEFT = ("Thumbs.db", "desktop.ini", "__MACOSX")
"""What Windows and macOS leave in folders."""
LONGEST_ID = 128
"""Characters that nbgrader's gradebook has room for."""
LAYOUT = "{nbgrader_step}/{student_id}/{assignment_id}"


@dataclass(frozen=True)
class Room:
    """The folders and the gradebook of one class, in nbgrader's layout."""

    root: Path
    submitted: Path
    autograded: Path
    feedback: Path
    gradebook: str
    """URL of the gradebook."""
    course: str
    """nbgrader's id of the course."""
    config: Any
    """nbgrader's configuration."""

    @property
    def folder(self) -> Path:
        """The folder that holds submissions, results and exports."""
        return self.submitted.parent

    def shown(self, path: Path) -> str:
        """Return a path as people type it."""
        return relative(path, self.root)

    def students(self, chapter: str) -> list[str]:
        """Return the ids of everybody who handed in something for a chapter, in order.

        A folder counts even when it is empty or is a link: it gets a verdict too. Into a linked
        student's folder nobody looks, so it counts for every chapter.
        """
        if not self.submitted.is_dir():
            return []
        return sorted(
            {
                unicodedata.normalize("NFC", folder.name)
                for folder in self.submitted.iterdir()
                if not folder.name.startswith(".")
                and (folder.is_symlink() or os.path.lexists(folder / chapter))
            }
        )

    def misplaced(self, chapter: str, known: Collection[str]) -> list[tuple[str, str]]:
        """Return what lies where no grading of a `known` chapter looks, and where it should be."""
        found: list[tuple[Path, Path]] = []
        for student in _entries(self.submitted):
            if not student.is_dir():
                found.append((student, self.submitted / "STUDENT" / chapter / f"{chapter}.ipynb"))
                continue
            for part in _entries(student):
                if part.name in known:
                    continue
                files = [part] if part.is_file() else [p for p in part.rglob("*") if p.is_file()]
                names = [path.stem for path in files if path.suffix == ".ipynb"]
                name = next((stem for stem in names if stem in known), chapter)
                file = f"{name}.ipynb" if len(names) == 1 else part.name
                if files:
                    found.append((part, student / name / (file if part.is_file() else "")))
        return [(self.shown(path), self.shown(target)) for path, target in found]

    def folders(self, student: str) -> list[Path]:
        """Return the folders of a student: a name with accents can be spelt in two ways."""
        forms = dict.fromkeys([student, unicodedata.normalize("NFD", student)])
        return [self.submitted / form for form in forms if os.path.lexists(self.submitted / form)]

    def read(self, student: str, chapter: str) -> Submission:
        """Read what a student handed in; a link is never followed, not even to the folder."""
        files: dict[str, bytes] = {}
        problems: list[str] = []
        for folder in self.folders(student):
            if folder.is_symlink():
                problems.append("the student's folder is a link and was not read")
                continue
            found = read_submission(student, folder / chapter)
            files |= {name if name not in files else f"2/{name}": c for name, c in found.files}
            problems += found.problems
        return Submission(student, tuple(files.items()), tuple(problems))

    def collected(self, chapter: str) -> dict[str, str]:
        """Return when work was handed in, by student, as whoever collected it wrote it down.

        `collected_CHAPTER.csv` has the columns student and time. It counts before a `timestamp.txt`
        in a folder that students fill themselves.
        """
        path = self.folder / f"collected_{chapter}.csv"
        if not path.exists():
            return {}
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
        try:
            times = {unicodedata.normalize("NFC", row["student"]): row["time"] for row in rows}
        except (KeyError, TypeError):
            raise ClassroomError(
                f"{self.shown(path)} needs the columns student and time in its first line"
            ) from None
        return {student: time for student, time in times.items() if time}

    def graded(self, student: str, chapter: str) -> Path:
        """Return the path of a student's executed notebook."""
        return self.autograded / student / chapter / f"{chapter}.ipynb"

    def page(self, student: str, chapter: str) -> Path:
        """Return the path of a student's feedback page."""
        return self.feedback / student / chapter / f"{chapter}.html"

    def log(self, chapter: str) -> Path:
        """Return the path of the file with one line per graded submission."""
        return self.folder / f"grading_{chapter}.log"


def is_student_id(student: str) -> bool:
    r"""Tell whether the name of a folder can be a student's id in a gradebook.

    >>> is_student_id("ada"), is_student_id("a" * 200), is_student_id("bob\udcff"), is_student_id("=1+1")
    (True, False, False, False)
    """
    try:
        student.encode("utf-8")
    except UnicodeEncodeError:
        return False
    # A spreadsheet takes what begins with one of these for a formula.
    return len(student) <= LONGEST_ID and student.isprintable() and student[0] not in "=+-@"


def _entries(folder: Path) -> list[Path]:
    """Return what people put into a folder: no links, and nothing that a system leaves there."""
    if not folder.is_dir():
        return []
    return sorted(
        path
        for path in folder.iterdir()
        if not path.is_symlink() and not path.name.startswith(".") and path.name not in LEFT
    )


def find_room(project: Project, *, gradebook: str = "") -> Room:
    """Return the class that `nbgrader_config.py` describes."""
    return room_of(course_config(project), project.root, gradebook=gradebook)


def room_of(config: Any, root: Path, *, gradebook: str = "") -> Room:
    """Return the class that a configuration of nbgrader describes."""
    given = config.CourseDirectory
    layout = given.get("directory_structure", LAYOUT)
    if layout != LAYOUT:
        raise ClassroomError(
            f"CourseDirectory.directory_structure in nbgrader_config.py is {layout!r}; "
            f"classroom grade knows {LAYOUT!r} only"
        )
    root = Path(given.get("root", root))

    def folder(step: str) -> Path:
        return root / str(given.get(f"{step}_directory", step))

    url = gradebook or str(given.get("db_url", f"sqlite:///{root / 'gradebook.db'}"))
    return Room(
        root, folder("submitted"), folder("autograded"), folder("feedback"), url,
        str(given.get("course_id", "")), config,
    )  # fmt: skip


@contextmanager
def only_grader(room: Room) -> Iterator[None]:
    """Let one grader at a time into a class; a second one gets a sentence.

    The system drops the lock when its process ends in any way, so none is ever left behind.
    """
    try:
        import fcntl
    except ModuleNotFoundError:
        raise ClassroomError(
            "classroom grade isolates students' code with means that only Linux has; run it in Docker "
            "(the Dockerfile of the course has a stage for it), in WSL 2 or in a virtual machine"
        ) from None

    room.folder.mkdir(parents=True, exist_ok=True)
    # A record lock, not flock: processes that the grader forks must not keep it.
    with (room.folder / LOCK).open("a+", encoding="utf-8") as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.seek(0)
            who = file.read().strip() or "another process"
            raise ClassroomError(
                f"{who} is grading this class ({room.shown(room.folder)}); wait for it, or stop it"
            ) from None
        file.truncate(0)
        file.write(f"process {os.getpid()} on {socket.gethostname()}, since {datetime.now():%H:%M}")
        file.flush()
        try:
            yield
        finally:
            file.truncate(0)


def write_whole(path: Path, content: bytes, *, mode: int = 0o644, durable: bool = True) -> None:
    """Write a file so that it is there in full or not at all, also after a crash or on a full disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}{PART}")
    try:
        with part.open("wb") as file:
            file.write(content)
            file.flush()
            if durable:
                os.fsync(file.fileno())
        part.chmod(mode)
        part.replace(path)
    except BaseException:
        with suppress(OSError):
            part.unlink()
        raise


EXCHANGE_FILES = ("timestamp.txt", "submission_secret.txt")
"""What nbgrader's exchange puts beside a notebook, and asks for to give feedback back."""


def exchange_files(files: Iterable[tuple[str, bytes]]) -> dict[str, bytes]:
    """Return those of a submission's files that nbgrader's exchange needs again."""
    return {n: c for n, c in files if n in EXCHANGE_FILES and len(c) <= 10_000}


def write_if_new(path: Path, content: bytes) -> bool:
    """Write a file unless it already holds this content; return whether it was written."""
    with suppress(OSError):
        if path.read_bytes() == content:
            return False
    write_whole(path, content, durable=False)
    return True


def csv_text(rows: Iterable[Sequence[object]]) -> str:
    """Return rows as CSV text, quoted where needed."""
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerows(rows)
    return buffer.getvalue()


def sweep(folder: Path) -> None:
    """Remove what a killed grader left half-written."""
    if folder.is_dir():
        for part in folder.glob(f"*/*/.*{PART}"):
            part.unlink(missing_ok=True)
