"""`classroom giveback`: marks and pages in the files that each platform imports.

The grade files are those of `classroom grade`, with what the roster says of each person. Pages go
back under the names that the platform gave the hand-ins: Moodle (*Upload multiple feedback files in
a zip*: `mod/assign/feedback/file/importziplib.php`, commit 3769c65a) reads the participant out of
the folder's name; Canvas (*Re-upload submissions*: `infer_comment_context_from_filename`) reads the
person and the file that was handed in out of a file's name, and shows a page under the name of that
file. Both were read in copies on 2026-11-30.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import chdir
from dataclasses import dataclass
from pathlib import Path

from nbgrader.apps.api import NbGraderAPI
from nbgrader.apps.baseapp import NbGrader
from traitlets.config import Config

from classroom.desk.archives import packed
from classroom.desk.hand_ins import CANVAS, EXCHANGE, MOODLE
from classroom.errors import ClassroomError
from classroom.grading.reading import read_release
from classroom.marking.exports import moodle_columns
from classroom.marking.grade import outputs, registered, some_names
from classroom.marking.gradebook import Gradebook, Standing
from classroom.marking.people import Collected, class_people, keep_roster, read_collected
from classroom.marking.room import EXCHANGE_FILES, Room, write_if_new
from classroom.project import Chapter
from leverage.lessons.wording import counted


@dataclass(frozen=True)
class GivenBack:
    """What one call of `giveback` made."""

    files: tuple[Path, ...]
    released: tuple[str, ...]
    """Students whose page went into nbgrader's exchange."""
    left_out: tuple[str, ...]
    """Students who handed in and of whom the roster knows nothing."""


def giveback(
    room: Room,
    chapter: Chapter,
    *,
    roster: Path | None = None,
    say: Callable[[str], None] = print,
) -> GivenBack:
    """Make what goes back to the platforms, and return what was made.

    Parameters
    ----------
    room : Room
        The class.
    chapter : Chapter
        What is given back.
    roster : Path, optional
        Who is in the class; it is kept as class/roster.csv.
    say : callable
        Shows a line.

    Raises
    ------
    ClassroomError
        If nothing is graded, or the roster cannot be used.
    """
    keep_roster(room, roster)
    standings, maximum = _standings(room, chapter)
    outputs(room, chapter, say=say)
    people = class_people(room, chapter.name)
    came = read_collected(room, chapter.name)
    ready = {one.student: room.page(one.student, chapter.name) for one in standings}
    ready = {student: page for student, page in ready.items() if page.exists()}
    files = [room.folder / f"{name}_{chapter.name}.csv" for name in ("moodle", "canvas")]
    waiting = {one.student for one in standings if one.waiting}
    for system, name_of in ((MOODLE, moodle_page), (CANVAS, canvas_page)):
        pages = {
            name_of(came[student].key, chapter.name): page.read_bytes()
            for student, page in ready.items()
            if student in came and came[student].system == system
        }
        if pages:
            files.append(room.folder / f"{system.lower()}_feedback_{chapter.name}.zip")
            write_if_new(files[-1], packed(pages))
    released = release_pages(room, chapter.name, ready, came)
    students = [one.student for one in standings]
    unknown = [student for student in students if people and student not in people.by_id]
    known = {student for column in moodle_columns(students, people).values() for student in column}
    nameless = [s for s in students if people and s in people.by_id and s not in known]
    done = GivenBack(tuple(files), tuple(released), tuple(unknown))
    tell_giveback(room, chapter, done, maximum, waiting & ready.keys(), say)
    if nameless:
        say(
            "The roster has no login, e-mail address or id number for "
            f"{some_names(nameless)}: not in Moodle's grade file."
        )
    if people is None:
        say(
            "Without a roster the files name people by their folders, which a platform may not "
            "know: give it with --roster roster.csv."
        )
    return done


def _standings(room: Room, chapter: Chapter) -> tuple[list[Standing], float]:
    """Return everybody who handed in and is graded, and the maximum."""
    with Gradebook.open(room.gradebook, room.course, chapter.name) as book:
        if not book.has_submissions():
            raise ClassroomError(
                f"nobody is graded for {chapter.name}; first run 'classroom grade {chapter.name}'"
            )
        layout = registered(book, room, chapter, read_release(chapter.solution_notebook))
        everybody = book.standings(layout)
    return [one for one in everybody if one.score is not None], layout.maximum


def moodle_page(folder: str, assignment: str) -> str:
    """Return where a page lies in Moodle's archive.

    >>> moodle_page("Ada Lovelace_417_assignsubmission_file", "01_basics")
    'Ada Lovelace_417_assignsubmission_file/01_basics.html'
    """
    return f"{folder}/{assignment}.html"


def canvas_page(key: str, assignment: str) -> str:
    """Return the name of a page in Canvas's archive.

    >>> canvas_page("lovelaceada_LATE_91_5001", "01_basics")
    'lovelaceada_LATE_91_5001_01_basics.html'
    """
    return f"{key}_{assignment}.html"


def release_pages(
    room: Room, assignment: str, pages: Mapping[str, Path], came: Mapping[str, Collected]
) -> list[str]:
    """Put pages into nbgrader's exchange for those who handed in there, and return who they are.

    Hand-ins of `nbgrader collect` count as well; ngshare needs the time of hand-in only.
    """
    config = exchange_config(room)
    needed = EXCHANGE_FILES[:1] if "exchange" in config.ExchangeFactory else EXCHANGE_FILES
    students = [
        student
        for student, page in pages.items()
        if student not in came or came[student].system == EXCHANGE
        if all((page.parent / name).exists() for name in needed)
    ]
    exchange = NbGraderAPI(config=config) if students else None
    for student in students:
        assert exchange is not None
        result = exchange.release_feedback(assignment, student)
        if not result["success"]:
            reason = (result.get("log") or result.get("error") or "").strip().splitlines()
            raise ClassroomError(
                f"nbgrader's exchange did not take the page of {student} "
                f"({reason[-1] if reason else 'no reason given'}); see Exchange in nbgrader_config.py"
            )
    return students


def exchange_config(room: Room) -> Config:
    """Return nbgrader's configuration of this machine with the course's on top."""
    with chdir(room.root):
        application = NbGrader()
        application.load_config_file()
    config = Config(application.config)
    config.merge(room.config)
    config.CourseDirectory.root = str(room.root)
    return config


def tell_giveback(
    room: Room,
    chapter: Chapter,
    done: GivenBack,
    maximum: float,
    waiting: Sequence[str] | set[str],
    say: Callable[[str], None],
) -> None:
    """Say what lies where, and what to look at before it is imported."""
    for path in done.files:
        say(f"{room.shown(path)}  {FOR_WHAT[path.name.partition(chapter.name)[0]]}")
    if done.released:
        say(f"Pages of {counted(len(done.released), 'student')} are in nbgrader's exchange.")
    if done.left_out:
        say(f"Not in the roster, so in no grade file: {some_names(done.left_out)}.")
    if waiting:
        say(f"{len(waiting)} still wait for a mark: their cells are empty.")
    say(f"The maximum is {maximum:g}: give the grade item in Moodle that maximum first.")


FOR_WHAT = {
    "moodle_": "Moodle: Grades, Import, CSV file",
    "canvas_": "Canvas: Grades, Import",
    "moodle_feedback_": "Moodle: Submissions, Upload multiple feedback files in a zip",
    "canvas_feedback_": "Canvas: Grades, the menu of the assignment, Re-Upload Submissions",
}
"""What each file is for, by what its name opens with."""
