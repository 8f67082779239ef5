"""Where a class lies on disk, the lock that lets one grader in, and files that are whole or absent."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
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
            folder.name
            for folder in self.submitted.iterdir()
            if not folder.name.startswith(".")
            and (folder.is_symlink() or os.path.lexists(folder / chapter))
        )

    def submission(self, student: str, chapter: str) -> Path:
        """Return the folder that a student handed in."""
        return self.submitted / student / chapter

    def read(self, student: str, chapter: str) -> Submission:
        """Read what a student handed in; a link is never followed, not even to the folder."""
        if (self.submitted / student).is_symlink():
            return Submission(student, (), ("the student's folder is a link and was not read",))
        return read_submission(student, self.submission(student, chapter))

    def graded(self, student: str, chapter: str) -> Path:
        """Return the path of a student's executed notebook."""
        return self.autograded / student / chapter / f"{chapter}.ipynb"

    def page(self, student: str, chapter: str) -> Path:
        """Return the path of a student's feedback page."""
        return self.feedback / student / chapter / f"{chapter}.html"

    def log(self, chapter: str) -> Path:
        """Return the path of the file with one line per graded submission."""
        return self.folder / f"grading_{chapter}.log"


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
            "classroom grade isolates students' code with means that only Linux has; run it there, "
            "in a virtual machine or in WSL 2"
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


def write_if_new(path: Path, content: bytes) -> bool:
    """Write a file unless it already holds this content; return whether it was written."""
    with suppress(OSError):
        if path.read_bytes() == content:
            return False
    write_whole(path, content, durable=False)
    return True


def sweep(folder: Path) -> None:
    """Remove what a killed grader left half-written."""
    if folder.is_dir():
        for part in folder.glob(f"*/*/.*{PART}"):
            part.unlink(missing_ok=True)
