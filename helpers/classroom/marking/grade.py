"""`classroom grade`: autograde a class, sandboxed, and lose nothing.

Submissions are executed by `classroom.grading`, on this machine or on a cluster. What comes back is
saved here: the executed notebook, then in one transaction the grades and a record of how they came
about. A line is printed only after that, so every result that was shown is on disk.
"""

from __future__ import annotations

import hashlib
import json
import queue
import signal
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from tqdm import tqdm

from classroom.errors import ClassroomError
from classroom.grading import (
    Grader,
    Limits,
    Outcome,
    Release,
    Submission,
    choose_level,
    level_label,
)
from classroom.grading.model import CANNOT_BE_GRADED, GRADED
from classroom.grading.reading import read_release, source_text
from classroom.marking.cluster import cluster_executor
from classroom.marking.exports import write_exports
from classroom.marking.feedback import write_feedback
from classroom.marking.gradebook import (
    CellGrade,
    Gradebook,
    GradebookEntry,
    LatePolicy,
    Layout,
    Record,
    Standing,
    cells_of,
    register,
)
from classroom.marking.marked_notebook import marked_notebook, own_sources
from classroom.marking.people import class_people
from classroom.marking.report import write_report
from classroom.marking.room import (
    EXCHANGE_FILES,
    LONGEST_ID,
    Room,
    exchange_files,
    is_student_id,
    only_grader,
    sweep,
    write_whole,
)
from classroom.project import Chapter, Project
from leverage.lessons.wording import counted

Execute = Callable[[Iterable[Submission]], Iterator[Outcome]]

TOGETHER = 16
"""Results that may share a transaction; each is shown after it."""
READ_ONLY = 0o444
MOST_NAMES = 10


@dataclass(frozen=True)
class Options:
    """What `classroom grade` was asked for."""

    students: tuple[str, ...] = ()
    """Grade only these students; none means everybody."""
    exercises: tuple[str, ...] = ()
    """Grade only these exercises again; the others keep their grades."""
    regrade: bool = False
    """Grade also what is graded."""
    workers: int = 2
    level: str | None = None
    allow_limits_only: bool = False
    cluster: str = ""
    """Address of a Dask scheduler; none means this machine."""


EVERYBODY = Options()


@dataclass(frozen=True)
class Change:
    """One grade that a new grading changed."""

    student: str
    item: str
    before: float | None
    after: float | None


@dataclass
class GradingRun:
    """What one call of `grade` did."""

    total: int = 0
    """Submissions there are."""
    graded: list[str] = field(default_factory=list)
    """Students whose submissions were graded."""
    flagged: int = 0
    """Of those, the ones that the instructor should look at."""
    skipped: int = 0
    """Submissions that were graded before and did not change."""
    outdated: int = 0
    """Of those, graded with other tests than the chapter has now."""
    changes: list[Change] = field(default_factory=list)
    repeated: int = 0
    unusable: list[str] = field(default_factory=list)
    """Folders whose names cannot be a student's id."""
    misplaced: list[tuple[str, str]] = field(default_factory=list)
    """Files and folders that lie where nobody looks, and where they should be."""
    expected: str = ""
    """Where a notebook is to be handed in."""
    level: str = ""
    stopped: bool = False
    again: Regrade | None = None
    pending: int = 0
    """Submissions that a stopped regrade has not come to."""


# ---- the chapter


def exercises_of(release: Release) -> dict[str, tuple[str, ...]]:
    """Return the graded cells of every exercise.

    A test belongs to the answer above it; an answer marked by hand is an exercise of its own.
    """
    found: dict[str, list[str]] = {}
    current = ""
    for cell in release.cells:
        if cell.kind == "answer":
            current = cell.grade_id.removesuffix("_answer")
        elif cell.kind == "manual":
            found.setdefault(cell.grade_id, []).append(cell.grade_id)
        elif cell.kind == "test":
            found.setdefault(current or cell.grade_id, []).append(cell.grade_id)
    return {name: tuple(ids) for name, ids in found.items()}


def chosen_cells(release: Release, names: Sequence[str]) -> frozenset[str]:
    """Return the graded cells that exercises or grade_ids ask for.

    Raises
    ------
    ClassroomError
        If a name is no exercise and no graded cell of the chapter.
    """
    exercises = exercises_of(release)
    cells: set[str] = set()
    for name in names:
        ids = exercises.get(name) or tuple(
            cell for group in exercises.values() for cell in group if cell == name
        )
        if not ids:
            raise ClassroomError(
                f"{release.assignment} has no exercise {name!r}; it has {', '.join(exercises)}"
            )
        cells.update(ids)
    return frozenset(cells)


def registered(book: Gradebook, room: Room, chapter: Chapter, release: Release) -> Layout:
    """Return the chapter's cells in the gradebook; put them there if it is new.

    Raises
    ------
    ClassroomError
        If the gradebook holds another version of the chapter.
    """
    if cells_of(release) != book.cells() and not book.has_submissions():
        register(room.gradebook, room.course, chapter.name, chapter.solution_notebook, room.config)
    layout = book.layout()
    differing = cells_of(release) ^ book.cells()
    if differing:
        names = ", ".join(sorted({name for _, name, _ in differing}))
        raise ClassroomError(
            f"the gradebook holds another version of {chapter.name}, and work of students: {names} "
            "differ in name, kind or points. Release the chapter again ('nbgrader "
            f"generate_assignment {chapter.name} --force'), or check out the version that was "
            "released"
        )
    assert layout is not None
    return layout


def late_policy(config: Any) -> LatePolicy:
    """Return nbgrader's rule for late submissions, as configured; by default no penalty."""
    from nbgrader.preprocessors import AssignLatePenalties

    step = AssignLatePenalties(config=config)
    step.init_plugin()
    step.plugin_inst.log.setLevel("ERROR")

    def penalty(student: str, score: float, seconds: float) -> float | None:
        points = step.plugin_inst.late_submission_penalty(student, score, seconds)
        return None if points is None else float(points)

    return penalty


# ---- one result


def handed_in(submission_files: Mapping[str, bytes]) -> tuple[datetime | None, str]:
    """Return the time of submission from `timestamp.txt` in UTC, and what is wrong with it.

    >>> handed_in({"timestamp.txt": b"2026-01-15 18:30:00 UTC"})
    (datetime.datetime(2026, 1, 15, 18, 30), '')
    >>> handed_in({"timestamp.txt": b"soon"})[1]
    "timestamp.txt holds no time ('soon'), so lateness is unknown"
    """
    name = COLLECTED if COLLECTED in submission_files else "timestamp.txt"
    content = submission_files.get(name)
    if content is None:
        return None, ""
    from nbgrader.utils import parse_utc

    text = content.decode("utf-8-sig", "replace").strip()[:80]
    try:
        moment: datetime = parse_utc(text)
    except (ValueError, OverflowError, TypeError):
        return None, f"{name} holds no time ({text!r}), so lateness is unknown"
    return moment, ""


def record_of(outcome: Outcome, seconds_note: str = "") -> Record:
    """Return the record that is kept of an outcome."""
    verdict = outcome.verdict
    answers = {
        cell["metadata"].get("nbgrader", {}).get("grade_id"): fingerprint_of(cell["source"])
        for cell in (outcome.notebook or {"cells": ()})["cells"]
    }
    by_hand = {cell.grade_id for cell in verdict.cells if cell.kind == "manual"}
    answers = {name: answers.get(name, fingerprint_of("")) for name in by_hand}
    cells = {
        cell.grade_id: CellGrade(
            points_of(cell.points, verdict.status), cell.max_points, cell.sentence,
            round(cell.seconds, 4), cell.state, answers.get(cell.grade_id, ""),
        )
        for cell in verdict.cells
    }  # fmt: skip
    notes = (*verdict.notes, *([seconds_note] if seconds_note else []))
    return Record(
        student=outcome.student,
        graded_at=datetime.now(UTC).isoformat(timespec="seconds"),
        verdict=verdict.status,
        level=verdict.level,
        submission=outcome.submission_digest,
        release=outcome.release_digest,
        for_student=verdict.for_student,
        for_instructor=verdict.for_instructor,
        tampering=verdict.tampering,
        repairs=verdict.repairs,
        notes=notes,
        seconds=round(verdict.seconds, 3),
        stages={name: round(seconds, 4) for name, seconds in verdict.stages},
        cells=cells,
    )


def fingerprint_of(answer: str) -> str:
    """Return a short fingerprint of an answer's words, whatever stands between them."""
    return hashlib.sha256(" ".join(answer.split()).encode("utf-8", "replace")).hexdigest()[:16]


def points_of(points: float | None, status: str) -> float | None:
    """Return a cell's points; nothing waits for a person where there is nothing to read."""
    return 0.0 if points is None and status == CANNOT_BE_GRADED else points


def unanswered(
    release: Release, notebook: Mapping[str, Any] | None, record: Record
) -> frozenset[str]:
    """Return the answer cells that were handed in as they were given, or not at all."""
    given = {c.grade_id: c.released for c in release.cells if c.kind in ("answer", "manual")}
    if notebook is None:
        return frozenset(given)
    written = {}
    for cell in notebook["cells"]:
        name = cell.get("metadata", {}).get("nbgrader", {}).get("grade_id", "")
        if name in given:
            waits = name in record.cells and record.cells[name].points is None
            written[name] = "an answer" if waits else source_text(cell["source"])
    return frozenset(name for name, stub in given.items() if written.get(name, stub) == stub)


def stand_in(release: Release, sentence: str) -> dict[str, Any]:
    """Return a notebook for Formgrader and feedback where nothing could be executed."""
    cells: list[dict[str, Any]] = [note_cell(sentence)]
    for number, cell in enumerate(release.cells):
        tests = cell.kind == "test"
        made: dict[str, Any] = {
            "id": f"cell-{number}",
            "cell_type": cell.cell_type,
            "metadata": dict(cell.metadata),
            "source": cell.source if tests else cell.released,
        }
        if cell.cell_type == "code":
            error = {"output_type": "error", "ename": "NotGraded", "evalue": sentence}
            made |= {
                "execution_count": None,
                "outputs": [error | {"traceback": [sentence]}] if tests else [],
            }
        cells.append(made)
    return {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}


def note_cell(sentence: str) -> dict[str, Any]:
    """Return the text cell that opens a notebook which was not graded in full."""
    return {
        "id": "grading-note",
        "cell_type": "markdown",
        "metadata": {"deletable": False, "editable": False},
        "source": f"**About the grading of this notebook.** {sentence}",
    }


def graded_notebook_bytes(notebook: Mapping[str, Any]) -> bytes:
    """Return a notebook as its file."""
    return (json.dumps(notebook, ensure_ascii=False) + "\n").encode("utf-8", "replace")


def with_exercises(
    old: Mapping[str, Any], new: Mapping[str, Any], names: Collection[str]
) -> dict[str, Any]:
    """Return the old notebook with the cells of some grade_ids taken from the new one."""

    def name_of(cell: Mapping[str, Any]) -> str:
        return str(cell.get("metadata", {}).get("nbgrader", {}).get("grade_id", ""))

    fresh = {name_of(cell): cell for cell in new["cells"] if name_of(cell) in names}
    return {**old, "cells": [fresh.get(name_of(cell), cell) for cell in old["cells"]]}


# ---- saving


@dataclass
class OutcomeSaver:
    """Saves outcomes: notebook first, then grades and record in one transaction, then the line."""

    room: Room
    book: Gradebook
    layout: Layout
    release: Release
    only: frozenset[str]
    """Graded cells that may change; none means all."""
    before: Mapping[str, Record]
    """Last records, by student."""
    run: GradingRun
    shown: Callable[[Record], None] = lambda record: None

    @cached_property
    def _given(self) -> frozenset[str]:
        return own_sources(self.release)

    @cached_property
    def _names(self) -> frozenset[str]:
        return frozenset(cell.grade_id for cell in self.release.cells if cell.grade_id)

    def save(self, batch: Sequence[tuple[Outcome, Mapping[str, bytes]]]) -> None:
        """Save some outcomes and show each; raise a sentence if that is not possible."""
        entries = [self._entry(outcome, files) for outcome, files in batch]
        self.book.write(self.layout, entries)
        for entry in entries:
            record, old = entry.record, self.before.get(entry.record.student)
            self.run.graded.append(record.student)
            self.run.flagged += record.flagged
            if old is not None:
                self.run.repeated += 1
                self.run.changes += changes(old, record)
            self.shown(record)

    def _entry(self, outcome: Outcome, files: Mapping[str, bytes]) -> GradebookEntry:
        moment, trouble = handed_in(files)
        record = record_of(outcome, trouble)
        notebook: Mapping[str, Any]
        notebook = outcome.notebook or stand_in(self.release, record.for_student)
        if outcome.notebook is not None and record.verdict != GRADED:
            notebook = {**notebook, "cells": [note_cell(record.for_student), *notebook["cells"]]}
        old = self.before.get(record.student)
        scores = {name: cell.points for name, cell in record.cells.items()}
        if self.only and old is not None:
            kept = {n: c for n, c in old.cells.items() if n not in self.only}
            record = replace(record, cells={**record.cells, **kept})
            scores = {name: points for name, points in scores.items() if name in self.only}
            notebook = self._merged(record.student, notebook)
        path = self.room.graded(record.student, self.release.assignment)
        try:
            shown = marked_notebook(notebook, self._given, self._names)
            write_whole(path, graded_notebook_bytes(shown), mode=READ_ONLY)
            for name in EXCHANGE_FILES:  # nbgrader asks for them when it gives feedback back
                if name in files:
                    write_whole(path.parent / name, files[name])
        except OSError as error:
            raise ClassroomError(
                f"cannot write {self.room.shown(path)}: {error.strerror or error}; nothing of this "
                "submission was saved. Mend it and run the same command again"
            ) from None
        return GradebookEntry(
            record, scores, unanswered(self.release, outcome.notebook, record), moment
        )

    def _merged(self, student: str, notebook: Mapping[str, Any]) -> Mapping[str, Any]:
        names = {n for e, ids in exercises_of(self.release).items() if self.only & {*ids} for n in
                 (e, f"{e}_answer", *ids)}  # fmt: skip
        with suppress(OSError, ValueError):
            content = self.room.graded(student, self.release.assignment).read_bytes()
            return with_exercises(json.loads(content), notebook, names)
        return notebook


def changes(old: Record, new: Record) -> list[Change]:
    """Return the graded cells whose points a new grading changed."""
    return [
        Change(
            new.student, name, old.cells[name].points if name in old.cells else None, cell.points
        )
        for name, cell in new.cells.items()
        if name not in old.cells or old.cells[name].points != cell.points
    ]


class Writer:
    """Saves in a thread of its own, so that grading goes on while the disk works."""

    def __init__(self, saver: OutcomeSaver) -> None:
        self._saver = saver
        self._waiting: queue.Queue[tuple[Outcome, Mapping[str, bytes]] | None] = queue.Queue(
            TOGETHER
        )
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._work, name="gradebook", daemon=True)
        self._thread.start()

    def put(self, outcome: Outcome, files: Mapping[str, bytes]) -> None:
        """Hand over one outcome; raise what stopped the saving of an earlier one."""
        while True:
            if self.error is not None:
                raise self.error
            with suppress(queue.Full):
                self._waiting.put((outcome, files), timeout=0.2)
                return

    def close(self) -> None:
        """Wait until everything handed over is saved."""
        while self._thread.is_alive():
            with suppress(queue.Full):
                self._waiting.put(None, timeout=0.2)
                break
        self._thread.join()

    def _work(self) -> None:
        last = False
        while not last:
            batch = [self._waiting.get()]
            while len(batch) < TOGETHER:
                try:
                    batch.append(self._waiting.get_nowait())
                except queue.Empty:
                    break
            last = None in batch
            try:
                self._saver.save([item for item in batch if item is not None])
            except BaseException as error:
                self.error = error
                return


# ---- the batch


def students_to_grade(
    room: Room,
    book: Gradebook,
    release: Release,
    options: Options,
    run: GradingRun,
) -> list[str]:
    """Return the students whose submissions are to be graded, and count the others."""
    found = room.students(release.assignment)
    everybody = [student for student in found if is_student_id(student)]
    run.unusable = [student for student in found if not is_student_id(student)]
    if unknown := sorted(set(options.students) - set(everybody)):
        near = f"; those who did: {', '.join(everybody[:8])}" if everybody else ""
        raise ClassroomError(
            f"{', '.join(unknown)} handed in nothing for {release.assignment} "
            f"({room.shown(room.submitted)}/STUDENT/{release.assignment}/){near}"
        )
    asked = [student for student in everybody if student in (options.students or everybody)]
    run.total = len(asked)
    done = book.progress()
    again = options.regrade or bool(options.exercises)
    if again:
        names = tuple(asked)
        asked_for = Regrade(names, options.exercises, release.digest, book.last_number())
        run.again = asked_for.begun(regrade_file(room, release.assignment))
        rest = run.again.rest(book)
        run.skipped = len(asked) - len(rest)
        return rest
    if (stopped := Regrade.stopped(regrade_file(room, release.assignment))) is not None:
        run.pending = len(stopped.rest(book))
    result = []
    for student in asked:
        if student in done and room.graded(student, release.assignment).exists():
            submission, tests = done[student]
            if room.read(student, release.assignment).digest == submission:
                run.skipped += 1
                run.outdated += tests != release.digest
                continue
        result.append(student)
    return result


def regrade_file(room: Room, chapter: str) -> Path:
    """Return the file that says what a regrade was asked for, until all of it is done."""
    return room.folder / f".regrade_{chapter}.json"


@dataclass(frozen=True)
class Regrade:
    """A new grading of work that was graded before; one that is stopped goes on where it was."""

    students: tuple[str, ...]
    exercises: tuple[str, ...]
    release: str
    since: int
    """Number of the last grading before it began."""

    @classmethod
    def stopped(cls, path: Path) -> Regrade | None:
        """Return the one that was stopped, if there is one."""
        with suppress(OSError, ValueError, KeyError, TypeError):
            data = json.loads(path.read_text(encoding="utf-8"))
            lists = {name: tuple(data[name]) for name in ("students", "exercises")}
            return cls(**{**data, **lists})
        return None

    def begun(self, path: Path) -> Regrade:
        """Return the one that was stopped, if it was asked for in the same way, else this one."""
        stopped = self.stopped(path)
        if stopped is not None and replace(stopped, since=self.since) == self:
            return stopped
        write_whole(path, json.dumps(vars(self)).encode())
        return self

    def rest(self, book: Gradebook) -> list[str]:
        """Return whose work is still to be graded."""
        done = {record.student for record in book.records() if record.number > self.since}
        return [student for student in self.students if student not in done]


COLLECTED = "the list of collected work"
"""Where the time stands that whoever collected the work wrote down."""
Files = dict[str, dict[str, bytes]]


def read_handed_in_files(
    room: Room, chapter: str, small_files: Files, students: Iterable[str]
) -> Iterator[Submission]:
    """Read submissions one by one, as they are needed; keep their time of submission."""
    collected = room.collected(chapter)
    for student in students:
        submission = room.read(student, chapter)
        small_files[student] = exchange_files(submission.files)
        if student in collected:
            small_files[student][COLLECTED] = collected[student].encode("utf-8", "replace")
        yield submission


@contextmanager
def open_executor(
    release: Release, options: Options, limits: Limits | None
) -> Iterator[tuple[str, Execute]]:
    """Yield the level in force and the function that executes submissions, here or on a cluster."""
    limits = limits or Limits()
    if options.cluster:
        with cluster_executor(
            options.cluster, release, limits,
            level=options.level, allow_limits_only=options.allow_limits_only,
        ) as made:  # fmt: skip
            yield made
        return
    with Grader(
        release, limits=limits, level=options.level, workers=options.workers,
        allow_limits_only=options.allow_limits_only,
    ) as grader:  # fmt: skip
        yield grader.level, grader.run


@contextmanager
def stopped_by_signals() -> Iterator[threading.Event]:
    """Let Ctrl-C and SIGTERM stop the batch: what is done stays done.

    The event is set as well, because Python swallows an exception that comes at the wrong moment,
    while it tidies up; and a shell starts what runs in the background with Ctrl-C ignored.
    """
    stopped = threading.Event()

    def stop(*_: object) -> None:
        stopped.set()
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield stopped
        return
    numbers = (signal.SIGINT, signal.SIGTERM)
    earlier = {number: signal.signal(number, stop) for number in numbers}
    try:
        yield stopped
    finally:
        for number in numbers:
            signal.signal(number, earlier[number])


def printable(text: str) -> str:
    r"""Return a text without control characters: names and messages come from students.

    >>> printable("a\x1b[31mb\nc")
    'a?[31mb c'
    """
    return "".join(c if c.isprintable() else " " if c in "\n\t" else "?" for c in text)


def record_line(record: Record, maximum: float) -> str:
    """Return the log line of a graded submission.

    >>> record_line(Record("ada", "", "graded", "namespaces", "", "", seconds=0.214), 10)
    'ada                     0 of 10  graded  0.2 s'
    """
    text = f"{record.student:<20} {record.score:>4g} of {maximum:g}  {record.verdict}"
    text += f"  {record.seconds:.1f} s"
    if record.verdict != GRADED:
        text += f"  {record.for_instructor}"
    else:
        text += "".join(f"  {note}" for note in record.notes if "notebooks were handed in" in note)
    if record.tampering:
        text += f"  TAMPERING: {'; '.join(record.tampering)}"
    return printable(text)


def changes_table(found: Sequence[Change]) -> str:
    """Return old against new points as a text table."""

    def shown(points: float | None) -> str:
        return "by hand" if points is None else f"{points:g}"

    rows = [("student", "item", "before", "after")]
    rows += [(c.student, c.item, shown(c.before), shown(c.after)) for c in found]
    widths = [max(len(row[i]) for row in rows) for i in range(4)]
    return "\n".join(
        printable("  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip())
        for row in rows
    )


def grade(
    chapter: Chapter,
    options: Options = EVERYBODY,
    *,
    find: Callable[[], Room],
    limits: Limits | None = None,
    say: Callable[[str], None] = print,
) -> GradingRun:
    """Grade the submissions of a chapter and save every result as it comes.

    Parameters
    ----------
    chapter : Chapter
        What is graded.
    options : Options
        Whose submissions, and where they are executed.
    find : callable
        Returns the class. Reading nbgrader's configuration takes as long as starting the executor,
        so both happen at the same time.
    limits : Limits, optional
        What each submission may use.
    say : callable
        Shows a line.

    Raises
    ------
    ClassroomError
        If grading cannot start or cannot go on; what was saved until then stays saved.
    """
    if options.workers < 1:
        raise ClassroomError(f"--jobs must be at least 1, was {options.workers}")
    release = read_release(chapter.solution_notebook)
    only = chosen_cells(release, options.exercises)
    run = GradingRun()
    with ExitStack() as stack, ThreadPoolExecutor(1) as pool:
        ready = pool.submit(get_ready, stack, find, chapter, release, options, only, run)
        waited = wait([ready], 0 if likely_work(chapter) else None)
        started = (
            None if waited.done else stack.enter_context(open_executor(release, options, limits))
        )
        saver, students = ready.result()
        tell_start(run, students, say)
        if not students and started is None and options.cluster:
            stack.enter_context(open_executor(release, options, limits))
        elif not students:
            choose_level(options.level, allow_limits_only=True)
        if students:
            started = started or stack.enter_context(open_executor(release, options, limits))
            with stopped_by_signals() as stopped:
                grade_batch(saver, students, started, stopped, say)
        saver.book.settle_penalties(saver.layout, late_policy(saver.room.config))
        if run.again is not None and not run.stopped:
            regrade_file(saver.room, chapter.name).unlink(missing_ok=True)
    tell_end(run, len(students), say)
    return run


def likely_work(chapter: Chapter) -> bool:
    """Tell whether the usual folders hold a submission without an executed notebook."""
    graded = chapter.root / "class" / "autograded"
    return any(
        not (graded / folder.parent.name / chapter.name).exists()
        for folder in (chapter.root / "class" / "submitted").glob(f"*/{chapter.name}")
    )


def get_ready(
    stack: ExitStack,
    find: Callable[[], Room],
    chapter: Chapter,
    release: Release,
    options: Options,
    only: frozenset[str],
    run: GradingRun,
) -> tuple[OutcomeSaver, list[str]]:
    """Lock the class, open its gradebook, and return who saves results and whose there will be."""
    room = find()
    stack.enter_context(only_grader(room))
    book = stack.enter_context(Gradebook.open(room.gradebook, room.course, chapter.name))
    stack.enter_context(book.held())
    book.keep_copy()
    sweep(room.autograded)
    layout = registered(book, room, chapter, release)
    students = students_to_grade(room, book, release, options, run)
    project = Project(chapter.root)
    known = {chapter.name, *(one.name for one in (*project.chapters(), *project.reviews()))}
    run.misplaced = room.misplaced(chapter.name, known)
    run.expected = f"{room.shown(room.submitted)}/STUDENT/{chapter.name}/{chapter.name}.ipynb"
    before = {record.student: record for record in book.records()} if students else {}
    return OutcomeSaver(room, book, layout, release, only, before, run), students


def outputs(room: Room, chapter: Chapter, *, say: Callable[[str], None] = print) -> None:
    """Write feedback pages, CSV files and the report from what the gradebook holds now."""
    release = read_release(chapter.solution_notebook)
    with Gradebook.open(room.gradebook, room.course, chapter.name) as book:
        layout = registered(book, room, chapter, release)
        book.settle_penalties(layout, late_policy(room.config))
        standings, records = book.standings(layout), book.records()
    by_student = {record.student: record for record in records}
    pages = write_feedback(room, release, standings, by_student)
    files = write_exports(
        room.folder, chapter.name, layout.due, layout.maximum, standings, by_student,
        class_people(room, chapter.name),
    )  # fmt: skip
    files.append(write_report(room, release, standings, records, exercises_of(release)))
    names = ", ".join(file.name for file in files)
    tell_waiting(standings, say)
    say(
        f"Feedback: {pages} pages new or changed in {room.shown(room.feedback)}/. "
        f"In {room.shown(room.folder)}/: {names}."
    )


def some_names(names: Sequence[str]) -> str:
    """Return the first names, and how many more there are.

    >>> some_names(["ada", "bo"]), some_names(["x"] * 12)[-10:]
    ('ada, bo', 'and 2 more')
    """
    more = len(names) - MOST_NAMES
    return ", ".join(map(printable, names[:MOST_NAMES])) + f" and {more} more" * (more > 0)


def tell_waiting(standings: Sequence[Standing], say: Callable[[str], None]) -> None:
    """Say whose answers wait for a mark, and what that means for the files."""
    waiting = [standing for standing in standings if standing.waiting]
    if not waiting:
        return
    number = sum(len(standing.waiting) for standing in waiting)
    names = some_names([f"{one.student} {len(one.waiting)}" for one in waiting])
    say(
        f"{counted(number, 'answer')} of {counted(len(waiting), 'student')} to be marked by hand: "
        f"{names}. Until then their total is left empty in the files."
    )


def tell_start(run: GradingRun, students: Sequence[str], say: Callable[[str], None]) -> None:
    """Say what there is to do."""
    done = f", {run.skipped} graded before" if run.skipped else ""
    say(f"{run.total} submissions{done}; {len(students)} to grade.")
    for name in run.unusable:
        say(
            f"Left out: the folder {printable(name)[:60]!r} cannot be a student's id (longer than "
            f"{LONGEST_ID} characters, begins with one of = + - @, or not plain UTF-8). Rename it."
        )
    if run.pending:
        say(
            f"A '--regrade' was stopped: {run.pending} submissions still have their earlier grades. "
            "Run it again to finish it."
        )
    for path, target in run.misplaced:
        say(f"Not graded: {printable(path)}; it should be {printable(target)}")
    if run.total == 0:
        say(f"Nothing was handed in for this chapter; a notebook is expected at {run.expected}")
    if run.outdated:
        say(
            f"{run.outdated} of those were graded with other tests than the chapter has now; "
            "'--regrade' grades them again."
        )


def tell_end(run: GradingRun, asked: int, say: Callable[[str], None]) -> None:
    """Say what was done, and what a new grading changed."""
    if run.repeated:
        say(f"{run.repeated} were graded before; {len(run.changes)} grades changed.")
        if run.changes:
            say(changes_table(run.changes))
    if run.stopped:
        say(
            f"Stopped. {len(run.graded)} of {asked} are graded and saved; run the same command "
            "again for the others."
        )


def grade_batch(
    saver: OutcomeSaver,
    students: Sequence[str],
    started: tuple[str, Execute],
    stopped: threading.Event,
    say: Callable[[str], None],
) -> None:
    """Execute submissions and save them as they come back."""
    room, release, run = saver.room, saver.release, saver.run
    run.level, execute = started
    small_files: Files = {}
    chapter = release.assignment
    read = partial(read_handed_in_files, room, chapter, small_files)
    log = room.log(chapter)
    say(f"Isolation in force: {level_label(run.level)}.")
    with tqdm(
        total=len(students), desc="grading", unit="submission", smoothing=0.1,
        disable=None, dynamic_ncols=True,
    ) as bar:  # fmt: skip

        def shown(record: Record) -> None:
            text = record_line(record, release.auto_points)
            with tqdm.external_write_mode():
                say(text)
            bar.update()
            try:
                append_line(log, f"{record.graded_at}  {text}  [{record.level}]")
            except OSError as error:
                raise ClassroomError(
                    f"cannot write {room.shown(log)}: {error.strerror}; what was shown is saved. "
                    "Mend it and run the same command again"
                ) from None

        saver.shown = shown
        writer = Writer(saver)
        try:
            for outcome in whatever_comes(execute, read(students)):
                writer.put(outcome, small_files.pop(outcome.student, {}))
                if stopped.is_set():
                    break
        except KeyboardInterrupt:
            stopped.set()
        finally:
            writer.close()
        run.stopped = stopped.is_set()
        if writer.error is not None:
            raise writer.error


def whatever_comes(execute: Execute, submissions: Iterable[Submission]) -> Iterator[Outcome]:
    """Yield outcomes; turn the end of the executor itself into a sentence."""
    try:
        yield from execute(submissions)
    except (ClassroomError, GeneratorExit):
        raise
    except Exception as error:
        reason = f"{type(error).__name__}: {error}".strip(": ")
        raise ClassroomError(
            f"the process that executes submissions ended ({reason}); what was shown is saved. "
            "Run the same command again for the others"
        ) from error


def append_line(path: Path, text: str) -> None:
    """Add a line to a log."""
    with path.open("a", encoding="utf-8", errors="replace") as file:
        file.write(text + "\n")
