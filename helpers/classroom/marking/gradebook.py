"""Write grades into nbgrader's gradebook: SQLite or PostgreSQL, one transaction for a few results.

The rows are those that `nbgrader autograde` writes, so Formgrader, manual grading and
`nbgrader generate_feedback` go on from here. One table of our own, `classroom_record`, stands
beside them in the same database: one row per grading with its verdict, level and sentences. A
grade and its record are saved together or not at all.
"""

from __future__ import annotations

import json
import re
import sqlite3
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import sqlalchemy as sql
from sqlalchemy.exc import DatabaseError, OperationalError, SQLAlchemyError

from classroom.authoring.student_notebooks import QuietLog
from classroom.errors import ClassroomError
from classroom.grading.model import GRADED, Release
from leverage._extras import extra_command

SECONDS_FOR_A_LOCK = 20
LatePolicy = Callable[[str, float, float], float | None]
"""Student, score and seconds late → penalty in points, as nbgrader's plug-in gives it."""

RECORDS = sql.Table(
    "classroom_record",
    sql.MetaData(),
    sql.Column("id", sql.Integer, primary_key=True, autoincrement=True),
    sql.Column("assignment", sql.String(128), nullable=False, index=True),
    sql.Column("student", sql.String(128), nullable=False),
    sql.Column("graded_at", sql.String(40), nullable=False),
    sql.Column("verdict", sql.String(40), nullable=False),
    sql.Column("level", sql.String(80), nullable=False),
    sql.Column("score", sql.Float, nullable=False),
    sql.Column("flagged", sql.Boolean, nullable=False),
    sql.Column("submission", sql.String(64), nullable=False),
    sql.Column("release", sql.String(64), nullable=False),
    sql.Column("details", sql.Text, nullable=False),
)


COPIES, MOST_COPIES = "gradebook_copies", 5
"""Where dated copies of the gradebook are, and how many."""


class GradebookError(ClassroomError):
    """The gradebook cannot be read or written; what was saved before stays saved."""


@dataclass(frozen=True)
class CellGrade:
    """What one graded cell got."""

    points: float | None
    """Points by the tests; None where a person decides."""
    maximum: float
    hint: str = ""
    """The sentence of the failed check, for the student."""
    seconds: float = 0.0
    state: str = ""
    answer: str = ""
    """Fingerprint of an answer that a person marks."""


@dataclass(frozen=True)
class Record:
    """One grading of one submission."""

    student: str
    graded_at: str
    verdict: str
    level: str
    submission: str
    """Fingerprint of what was handed in."""
    release: str
    """Fingerprint of the tests that graded it."""
    for_student: str = ""
    for_instructor: str = ""
    tampering: tuple[str, ...] = ()
    seconds: float = 0.0
    stages: Mapping[str, float] = field(default_factory=dict)
    repairs: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    cells: Mapping[str, CellGrade] = field(default_factory=dict)
    number: int = 0
    """Order of the gradings; 0 before it is saved."""

    @property
    def score(self) -> float:
        """Points that tests gave."""
        return sum(cell.points or 0.0 for cell in self.cells.values())

    @property
    def flagged(self) -> bool:
        """Whether an instructor should look: not graded in full, or tampered with."""
        return self.verdict != GRADED or bool(self.tampering)


DETAILS = (
    "for_student", "for_instructor", "tampering", "seconds", "stages", "repairs", "notes",
)  # fmt: skip
"""Fields of a record that are stored together as JSON, beside its cells."""


@dataclass(frozen=True)
class GradebookEntry:
    """What is written for one submission."""

    record: Record
    scores: Mapping[str, float | None]
    """Points of graded cells, by grade_id; None for a person to decide. Others stay as they are."""
    unanswered: frozenset[str] = frozenset()
    """Answer cells handed in untouched, by grade_id."""
    handed_in: datetime | None = None
    """Time of submission, in UTC."""


@dataclass(frozen=True)
class Standing:
    """What the gradebook says of one student: the numbers that exports and feedback show."""

    student: str
    first_name: str = ""
    last_name: str = ""
    email: str = ""
    lms_id: str = ""
    handed_in: datetime | None = None
    score: float | None = None
    """Points before a late penalty; None without a submission."""
    penalty: float = 0.0
    flagged: bool = False
    waiting: frozenset[str] = frozenset()
    """Graded cells that a person has to mark or look at again, by grade_id."""
    cells: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    """Points and maximum, by grade_id, with manual grades in force."""
    comments: Mapping[str, str] = field(default_factory=dict)

    @property
    def final(self) -> float:
        """Points after the late penalty, never below zero."""
        return max(0.0, (self.score or 0.0) - self.penalty)


def gradebook_url(url: str) -> str:
    """Return a database URL that SQLAlchemy opens with the drivers of this course.

    >>> gradebook_url("postgresql://me@localhost/grades")
    'postgresql+psycopg://me@localhost/grades'
    >>> gradebook_url("sqlite:///class/gradebook.db")
    'sqlite:///class/gradebook.db'
    """
    return re.sub(r"^postgres(ql)?://", "postgresql+psycopg://", url)


def without_password(url: str) -> str:
    """Return a database URL for people to read.

    >>> without_password("postgresql+psycopg://me:secret@localhost/grades")
    'postgresql+psycopg://me:***@localhost/grades'
    """
    return sql.make_url(url).render_as_string(hide_password=True)


class Gradebook:
    """A chapter's part of nbgrader's gradebook, open for grading.

    One engine and one connection serve the whole batch. `Gradebook.open` makes it.
    """

    def __init__(self, engine: sql.Engine, url: str, assignment: str) -> None:
        self.engine, self.url, self.assignment = engine, url, assignment
        self._file = self._sqlite_file(url)
        self._inode = self._file.stat().st_ino if self._file is not None else None
        self._tables = _tables()

    @classmethod
    def open(cls, url: str, course: str, assignment: str) -> Gradebook:
        """Open the gradebook, making its tables where there are none.

        Raises
        ------
        GradebookError
            If it cannot be opened; the sentence says why and what to do.
        """
        url = gradebook_url(url)
        with _explained(url):
            try:
                engine = sql.create_engine(url, **_options(url))
            except ModuleNotFoundError as error:
                raise GradebookError(
                    f"a gradebook on PostgreSQL needs {error.name}; install it with "
                    f"{extra_command('postgres')}"
                ) from None
            _make_tables(engine, url, course)
            return cls(engine, url, assignment)

    def keep_copy(self) -> None:
        """Keep a dated copy of the gradebook beside it, and the last few of those before.

        On a server that is the server's business. Marks by hand are nowhere else.
        """
        if self._file is None or not self.has_anything():
            return
        folder = self._file.parent / COPIES
        before = sorted(folder.glob("gradebook_*.db")) if folder.is_dir() else []
        if before and before[-1].stat().st_mtime >= self._file.stat().st_mtime:
            return
        folder.mkdir(exist_ok=True)
        moment = datetime.now(UTC)
        copy = folder / f"gradebook_{moment:%Y-%m-%dT%H-%M-%S}-{moment.microsecond // 1000:03}.db"
        part = copy.with_suffix(".part")
        try:
            with (
                closing(sqlite3.connect(self._file)) as ours,
                closing(sqlite3.connect(part)) as new,
            ):
                ours.backup(new)
            part.replace(copy)
        except (sqlite3.Error, OSError) as error:
            part.unlink(missing_ok=True)
            raise GradebookError(
                f"no copy of the gradebook could be kept in {folder} ({error}); nothing was "
                "changed. Make room and run the same command again"
            ) from None
        for old in before[: max(0, len(before) + 1 - MOST_COPIES)]:
            old.unlink(missing_ok=True)

    def has_anything(self) -> bool:
        """Tell whether anybody's work is in the gradebook."""
        with self._transaction() as db:
            return (
                db.execute(sql.select(self._tables["submitted_assignment"].c.id)).first()
                is not None
            )

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()

    def __enter__(self) -> Gradebook:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @staticmethod
    def _sqlite_file(url: str) -> Path | None:
        parts = sql.make_url(url)
        return (
            Path(parts.database)
            if parts.drivername.startswith("sqlite") and parts.database
            else None
        )

    def _still_there(self) -> None:
        """Refuse to write into a deleted file, which SQLite would do without a word."""
        if self._file is None:
            return
        try:
            same = self._file.stat().st_ino == self._inode
        except OSError:
            same = False
        if not same:
            raise GradebookError(
                f"the gradebook {self._file} was deleted or replaced while grading; put it back "
                "and run the same command again (without it, everything is graded anew, and marks "
                f"by hand are gone; earlier copies are in {self._file.parent / COPIES}/)"
            )

    @contextmanager
    def _transaction(self) -> Iterator[sql.Connection]:
        with _explained(self.url):
            self._still_there()
            with self.engine.begin() as connection:
                yield connection
            self._still_there()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep other graders out of a gradebook on a server; an SQLite file needs no such lock."""
        if self._file is not None:
            yield
            return
        name = sql.func.hashtext("classroom grade")
        with _explained(self.url):
            connection = self.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
            free = connection.execute(sql.select(sql.func.pg_try_advisory_lock(name))).scalar()
        try:
            if not free:
                raise GradebookError(
                    f"another grader is at work on {without_password(self.url)}; wait for it, or "
                    "stop it"
                )
            yield
        finally:
            with suppress(SQLAlchemyError):  # the server may be gone, and its lock with it
                connection.invalidate()  # the lock belongs to the connection, so it goes too
                connection.close()

    # ---- what the gradebook knows about the chapter

    def has_submissions(self) -> bool:
        """Tell whether anybody's work is in the gradebook for this chapter."""
        t = self._tables
        query = sql.select(t["submitted_assignment"].c.id).join(
            t["assignment"], t["assignment"].c.id == t["submitted_assignment"].c.assignment_id
        )
        with self._transaction() as db:
            found = db.execute(query.where(t["assignment"].c.name == self.assignment)).first()
        return found is not None

    def cells(self) -> set[Cell]:
        """Return the cells of the chapter; none where it is not registered."""
        t = self._tables
        base, grades, tasks = t["base_cell"], t["grade_cells"], t["task_cells"]
        query = (
            sql.select(
                base.c.type, base.c.name, grades.c.max_score, tasks.c.max_score.label("task")
            )
            .join(t["notebook"], t["notebook"].c.id == base.c.notebook_id)
            .join(t["assignment"], t["assignment"].c.id == t["notebook"].c.assignment_id)
            .outerjoin(grades, grades.c.id == base.c.id)
            .outerjoin(tasks, tasks.c.id == base.c.id)
            .where(t["assignment"].c.name == self.assignment)
        )
        source = t["source_cell"]
        texts = (
            sql.select(source.c.name)
            .join(t["notebook"], t["notebook"].c.id == source.c.notebook_id)
            .join(t["assignment"], t["assignment"].c.id == t["notebook"].c.assignment_id)
            .where(t["assignment"].c.name == self.assignment)
        )
        with self._transaction() as db:
            rows = db.execute(query).all()
            found: set[Cell] = {("SourceCell", name, None) for name in db.execute(texts).scalars()}
        return found | {
            (row.type, row.name, row.max_score if row.max_score is not None else row.task)
            for row in rows
        }

    def replace_cells(self, rows: Rows) -> None:
        """Write a chapter's cells in place of others that have no submission, in one transaction."""
        t = self._tables
        (assignment,) = rows["assignment"]
        with self._transaction() as db:
            known = db.execute(
                sql.select(t["assignment"].c.id).where(t["assignment"].c.name == self.assignment)
            ).scalar()
            if known is None:
                known = assignment["id"]
                db.execute(sql.insert(t["assignment"]), [assignment])
            old = sql.select(t["notebook"].c.id).where(t["notebook"].c.assignment_id == known)
            cells = sql.select(t["base_cell"].c.id).where(t["base_cell"].c.notebook_id.in_(old))
            ids = list(db.execute(cells).scalars())
            for name in KINDS:
                db.execute(sql.delete(t[name]).where(t[name].c.id.in_(ids)))
            for name in ("base_cell", "source_cell"):
                db.execute(sql.delete(t[name]).where(t[name].c.notebook_id.in_(old)))
            db.execute(sql.delete(t["notebook"]).where(t["notebook"].c.assignment_id == known))
            notebooks = [{**row, "assignment_id": known} for row in rows["notebook"]]
            for name, new in (("notebook", notebooks), *((name, rows[name]) for name in CELLS)):
                if new:
                    db.execute(sql.insert(t[name]), list(new))

    def layout(self) -> Layout | None:
        """Return the chapter's cells, or None if the chapter was never registered."""
        t = self._tables
        with self._transaction() as db:
            assignment = db.execute(
                sql.select(t["assignment"]).where(t["assignment"].c.name == self.assignment)
            ).first()
            if assignment is None:
                return None
            notebooks = db.execute(
                sql.select(t["notebook"].c.id, t["notebook"].c.name).where(
                    t["notebook"].c.assignment_id == assignment.id
                )
            ).all()
            mine = [row.id for row in notebooks if row.name == self.assignment]
            if len(notebooks) != 1 or not mine:
                names = ", ".join(sorted(row.name for row in notebooks)) or "no notebook"
                raise GradebookError(
                    f"the gradebook knows {names} in {self.assignment}; a chapter has the one "
                    f"notebook {self.assignment}. Register it again: "
                    f"'nbgrader generate_assignment {self.assignment} --force'"
                )
            base = t["base_cell"]
            cells = db.execute(
                sql.select(
                    base.c.id, base.c.name, base.c.type, t["grade_cells"].c.max_score,
                    t["task_cells"].c.max_score.label("task_score"),
                )
                .outerjoin(t["grade_cells"], t["grade_cells"].c.id == base.c.id)
                .outerjoin(t["task_cells"], t["task_cells"].c.id == base.c.id)
                .where(base.c.notebook_id == mine[0])
            ).all()  # fmt: skip
        graded = {
            row.name: (row.id, float(row.max_score if row.type == "GradeCell" else row.task_score))
            for row in cells
            if row.type in ("GradeCell", "TaskCell")
        }
        commented = {row.name: row.id for row in cells if row.type in ("SolutionCell", "TaskCell")}
        return Layout(assignment.id, mine[0], assignment.duedate, graded, commented)

    # ---- writing

    def write(self, layout: Layout, entries: Sequence[GradebookEntry]) -> None:
        """Save some results in one transaction: all of them, or none and a `GradebookError`."""
        if not entries:
            return
        with self._transaction() as db:
            _BatchWriter(db, self._tables, layout, self.assignment).write(entries)

    def settle_penalties(self, layout: Layout, late: LatePolicy) -> None:
        """Bring late penalties up to date with marks, due date, extensions and times of hand-in."""
        work, notebook = self._tables["submitted_assignment"], self._tables["submitted_notebook"]
        penalty = notebook.c.late_submission_penalty
        with self._transaction() as db:
            rows = db.execute(
                sql.select(notebook.c.id, work, penalty.label("penalty"))
                .join(work, work.c.id == notebook.c.assignment_id)
                .where(notebook.c.notebook_id == layout.notebook_id)
            ).all()
            grades = self._tables["grade"]
            totals: dict[str, float] = {}
            mine = grades.c.notebook_id.in_([row.id for row in rows])
            for row in db.execute(sql.select(grades).where(mine)):
                totals[row.notebook_id] = totals.get(row.notebook_id, 0.0) + _score(row)
            changed = []
            for row in rows:
                due = layout.due and layout.due + (row.extension or timedelta(0))
                seconds = (row.timestamp - due).total_seconds() if due and row.timestamp else 0.0
                total = totals.get(row.id, 0.0)
                points = late(row.student_id, total, seconds) if seconds > 0 else None
                points = None if points is None else min(max(points, 0.0), total)
                if points != row.penalty:
                    changed.append({"key": row.id, "points": points})
            if changed:
                query = sql.update(notebook).where(notebook.c.id == sql.bindparam("key"))
                value: Any = sql.bindparam("points")
                db.execute(query.values(late_submission_penalty=value), changed)

    # ---- reading

    def records(self, *, history: bool = False) -> list[Record]:
        """Return the last record of every student, or with `history` all of them, oldest first."""
        query = sql.select(RECORDS).where(RECORDS.c.assignment == self.assignment)
        if not history:
            last = sql.select(sql.func.max(RECORDS.c.id)).where(
                RECORDS.c.assignment == self.assignment
            )
            query = query.where(RECORDS.c.id.in_(last.group_by(RECORDS.c.student)))
        with self._transaction() as db:
            rows = db.execute(query.order_by(RECORDS.c.id)).all()
        return [_record(row) for row in rows]

    def last_number(self) -> int:
        """Return the number of the last grading of anything; 0 where there was none."""
        with self._transaction() as db:
            return db.execute(sql.select(sql.func.max(RECORDS.c.id))).scalar() or 0

    def progress(self) -> dict[str, tuple[str, str]]:
        """Return the fingerprints of what was graded last, submission and release, by student."""
        last = (
            sql.select(sql.func.max(RECORDS.c.id))
            .where(RECORDS.c.assignment == self.assignment)
            .group_by(RECORDS.c.student)
        )
        query = sql.select(RECORDS.c.student, RECORDS.c.submission, RECORDS.c.release)
        with self._transaction() as db:
            rows = db.execute(query.where(RECORDS.c.id.in_(last))).all()
        return {row.student: (row.submission, row.release) for row in rows}

    def standings(self, layout: Layout) -> list[Standing]:
        """Return what every student of the gradebook has, in order of their ids."""
        t = self._tables
        names = {cell: name for name, (cell, _) in layout.graded.items()}
        worth = {name: maximum for name, (_, maximum) in layout.graded.items()}
        texts = {cell: name for name, cell in layout.commented.items()}
        with self._transaction() as db:
            students = db.execute(sql.select(t["student"]).order_by(t["student"].c.id)).all()
            handed = db.execute(
                sql.select(
                    t["submitted_assignment"].c.student_id, t["submitted_assignment"].c.timestamp,
                    t["submitted_notebook"].c.id, t["submitted_notebook"].c.late_submission_penalty,
                    t["submitted_notebook"].c.flagged,
                )
                .join(
                    t["submitted_notebook"],
                    t["submitted_notebook"].c.assignment_id == t["submitted_assignment"].c.id,
                )
                .where(t["submitted_assignment"].c.assignment_id == layout.assignment_id)
            ).all()  # fmt: skip
            of_notebook = t["submitted_notebook"].c.notebook_id == layout.notebook_id
            grades = db.execute(
                sql.select(t["grade"])
                .join(
                    t["submitted_notebook"],
                    t["submitted_notebook"].c.id == t["grade"].c.notebook_id,
                )
                .where(of_notebook)
            ).all()
            comments = db.execute(
                sql.select(t["comment"])
                .join(
                    t["submitted_notebook"],
                    t["submitted_notebook"].c.id == t["comment"].c.notebook_id,
                )
                .where(of_notebook)
            ).all()
        points: dict[str, dict[str, tuple[float, float]]] = {}
        waiting: dict[str, set[str]] = {}
        for grade in grades:
            if grade.cell_id in names:
                name = names[grade.cell_id]
                points.setdefault(grade.notebook_id, {})[name] = (_score(grade), worth[name])
                if grade.needs_manual_grade:
                    waiting.setdefault(grade.notebook_id, set()).add(name)
        said: dict[str, dict[str, str]] = {}
        for row in comments:
            text = row.manual_comment if row.manual_comment is not None else row.auto_comment
            if text and row.cell_id in texts:
                said.setdefault(row.notebook_id, {})[texts[row.cell_id]] = text
        by_student = {row.student_id: row for row in handed}
        result = []
        for student in students:
            about = (
                student.id, student.first_name or "", student.last_name or "",
                student.email or "", student.lms_user_id or "",
            )  # fmt: skip
            work = by_student.get(student.id)
            if work is None:
                result.append(Standing(*about))
                continue
            cells = points.get(work.id, {})
            result.append(
                Standing(
                    *about,
                    handed_in=work.timestamp,
                    score=sum(got for got, _ in cells.values()),
                    penalty=work.late_submission_penalty or 0.0,
                    flagged=bool(work.flagged),
                    waiting=frozenset(waiting.get(work.id, ())),
                    cells=cells,
                    comments=said.get(work.id, {}),
                )
            )
        return result


@dataclass(frozen=True)
class Layout:
    """A registered chapter: its ids in the gradebook."""

    assignment_id: str
    notebook_id: str
    due: datetime | None
    graded: Mapping[str, tuple[str, float]]
    """Id and maximum of graded cells, by grade_id."""
    commented: Mapping[str, str]
    """Id of cells that carry a comment, by grade_id."""

    @property
    def maximum(self) -> float:
        """Points of the whole chapter."""
        return sum(points for _, points in self.graded.values())


class _BatchWriter:
    """Writes entries through one connection; queries once per table, not once per cell."""

    def __init__(
        self, db: sql.Connection, tables: Mapping[str, sql.Table], layout: Layout, assignment: str
    ) -> None:
        self.db, self.t, self.layout, self.assignment = db, tables, layout, assignment

    def write(self, entries: Sequence[GradebookEntry]) -> None:
        students = [entry.record.student for entry in entries]
        self._students(students)
        submissions = self._submissions(entries)
        notebooks = self._notebooks(entries, submissions)
        grades = self._existing("grade", notebooks.values())
        comments = self._existing("comment", notebooks.values())
        earlier = self._earlier(students)
        new_grades, old_grades, new_comments, old_comments = [], [], [], []
        flags, records = [], []
        for entry in entries:
            student = entry.record.student
            notebook = notebooks[student]
            before = earlier.get(student)
            same = before is not None and before.submission == entry.record.submission
            answers = _answers(before)
            notes: list[str] = []
            for name, (cell, _) in self.layout.graded.items():
                row = grades.get((notebook, cell))
                if name in entry.scores:
                    score = entry.scores[name]
                    words, mark = entry.record.cells[name].answer, row and row.manual_score
                    kept = same or (bool(words) and words == answers.get(name))
                    waits = _needs_person(row, score, same_work=kept)
                    if mark is not None and not kept:  # it was for other work
                        notes.append(f"{name} had {mark:g} points by hand for an earlier answer")
                        mark, waits = None, score is None or not words
                    values = {"auto_score": score, "needs_manual_grade": waits}
                    if row is None:
                        key = {"id": uuid4().hex, "cell_id": cell, "notebook_id": notebook}
                        new_grades.append(key | values)
                    else:
                        old_grades.append({"key": row.id, "manual_score": mark} | values)
                elif row is None:
                    key = {"id": uuid4().hex, "cell_id": cell, "notebook_id": notebook}
                    new_grades.append(key | {"auto_score": None, "needs_manual_grade": True})
            for name, cell in self.layout.commented.items():
                text = "No response." if name in entry.unanswered else None
                said = comments.get((notebook, cell))
                if said is None:
                    key = {"id": uuid4().hex, "cell_id": cell, "notebook_id": notebook}
                    new_comments.append({**key, "auto_comment": text})
                elif said.auto_comment != text:
                    old_comments.append({"key": said.id, "auto_comment": text})
            records.append(replace(entry.record, notes=(*entry.record.notes, *notes)))
            if entry.record.flagged or (before is not None and before.flagged):
                # A flag that a person set is left alone; one of ours goes when its reason is gone.
                flags.append({"key": notebook, "flagged": entry.record.flagged})
        self._insert("grade", new_grades)
        self._update("grade", old_grades)
        self._insert("comment", new_comments)
        self._update("comment", old_comments)
        self._update("submitted_notebook", flags)
        self.db.execute(
            sql.insert(RECORDS), [_values(record, self.assignment) for record in records]
        )

    def _insert(self, table: str, rows: Sequence[Mapping[str, Any]]) -> None:
        if rows:
            self.db.execute(sql.insert(self.t[table]), rows)

    def _update(self, table: str, rows: Sequence[Mapping[str, Any]]) -> None:
        if rows:
            columns: dict[str, Any] = {
                name: sql.bindparam(name) for name in rows[0] if name != "key"
            }
            query = sql.update(self.t[table]).where(self.t[table].c.id == sql.bindparam("key"))
            self.db.execute(query.values(columns), rows)

    def _students(self, students: Sequence[str]) -> None:
        table = self.t["student"]
        query = sql.select(table.c.id).where(table.c.id.in_(students))
        known = set(self.db.execute(query).scalars())
        self._insert("student", [{"id": student} for student in students if student not in known])

    def _submissions(
        self, entries: Sequence[GradebookEntry]
    ) -> dict[str, tuple[str, datetime | None, timedelta | None]]:
        """Return id, time of submission and extension, by student."""
        table = self.t["submitted_assignment"]
        students = [entry.record.student for entry in entries]
        rows = self.db.execute(
            sql.select(table).where(
                table.c.assignment_id == self.layout.assignment_id, table.c.student_id.in_(students)
            )
        ).all()
        found = {row.student_id: row for row in rows}
        result: dict[str, tuple[str, datetime | None, timedelta | None]] = {}
        fresh: list[dict[str, Any]] = []
        moved: list[dict[str, Any]] = []
        for entry in entries:
            student, moment = entry.record.student, entry.handed_in
            row = found.get(student)
            if row is None:
                key = uuid4().hex
                values = {"assignment_id": self.layout.assignment_id, "student_id": student}
                fresh.append({"id": key, "timestamp": moment} | values)
                result[student] = (key, moment, None)
            else:
                if moment is not None and moment != row.timestamp:
                    moved.append({"key": row.id, "timestamp": moment})
                result[student] = (row.id, moment or row.timestamp, row.extension)
        self._insert("submitted_assignment", fresh)
        self._update("submitted_assignment", moved)
        return result

    def _notebooks(
        self,
        entries: Sequence[GradebookEntry],
        submissions: Mapping[str, tuple[str, datetime | None, timedelta | None]],
    ) -> dict[str, str]:
        table = self.t["submitted_notebook"]
        ids = [submission[0] for submission in submissions.values()]
        rows = self.db.execute(
            sql.select(table.c.id, table.c.assignment_id).where(
                table.c.assignment_id.in_(ids), table.c.notebook_id == self.layout.notebook_id
            )
        ).all()
        found = {row.assignment_id: row.id for row in rows}
        result, fresh = {}, []
        for entry in entries:
            student = entry.record.student
            submission = submissions[student][0]
            if submission not in found:
                found[submission] = uuid4().hex
                values = {"assignment_id": submission, "notebook_id": self.layout.notebook_id}
                fresh.append({"id": found[submission], "flagged": False} | values)
            result[student] = found[submission]
        self._insert("submitted_notebook", fresh)
        return result

    def _existing(self, table: str, notebooks: Iterable[str]) -> dict[tuple[str, str], Any]:
        t = self.t[table]
        rows = self.db.execute(sql.select(t).where(t.c.notebook_id.in_(list(notebooks)))).all()
        return {(row.notebook_id, row.cell_id): row for row in rows}

    def _earlier(self, students: Sequence[str]) -> dict[str, Any]:
        query = (
            sql.select(
                RECORDS.c.student, RECORDS.c.submission, RECORDS.c.flagged, RECORDS.c.details
            )
            .where(RECORDS.c.assignment == self.assignment, RECORDS.c.student.in_(students))
            .order_by(RECORDS.c.id)
        )
        return {row.student: row for row in self.db.execute(query)}


def _answers(row: Any) -> dict[str, str]:
    """Return the fingerprints of the answers that a person marks, in an earlier record."""
    cells = json.loads(row.details)["cells"] if row is not None else {}
    return {name: cell.get("answer", "") for name, cell in cells.items()}


def _needs_person(row: Any, score: float | None, *, same_work: bool) -> bool:
    """Tell whether a person must still look at a grade.

    As nbgrader: where tests give no score, and where a person had graded before. A person's grade
    needs no second look when neither the work nor the score of the tests changed.
    """
    if row is None or row.manual_score is None:
        return score is None
    settled = not row.needs_manual_grade and same_work and row.auto_score == score
    return not settled


def _score(row: Any) -> float:
    """Return a grade's points: the person's before the tests', plus extra credit."""
    base = row.manual_score if row.manual_score is not None else row.auto_score
    return 0.0 if base is None else float(base) + float(row.extra_credit or 0.0)


def _values(record: Record, assignment: str) -> dict[str, Any]:
    details = {name: getattr(record, name) for name in DETAILS}
    details["cells"] = {name: vars(cell) for name, cell in record.cells.items()}
    return {
        "assignment": assignment,
        "student": record.student,
        "graded_at": record.graded_at,
        "verdict": record.verdict,
        "level": record.level,
        "score": record.score,
        "flagged": record.flagged,
        "submission": record.submission,
        "release": record.release,
        "details": json.dumps(details, ensure_ascii=True),
    }


def _record(row: Any) -> Record:
    details = json.loads(row.details)
    cells = {name: CellGrade(**cell) for name, cell in details.pop("cells").items()}
    lists: dict[str, Any] = {
        name: tuple(details.pop(name)) for name in ("tampering", "repairs", "notes")
    }
    return Record(
        row.student, row.graded_at, row.verdict, row.level, row.submission, row.release,
        cells=cells, number=row.id, **lists, **details,
    )  # fmt: skip


def _tables() -> Mapping[str, sql.Table]:
    from nbgrader.api import Base

    tables: Mapping[str, sql.Table] = Base.metadata.tables
    return tables


def _options(url: str) -> dict[str, Any]:
    if url.startswith("sqlite"):
        return {"connect_args": {"timeout": SECONDS_FOR_A_LOCK}}
    return {"connect_args": {"connect_timeout": SECONDS_FOR_A_LOCK}, "pool_pre_ping": True}


def _make_tables(engine: sql.Engine, url: str, course: str) -> None:
    """Make nbgrader's tables and ours, as nbgrader itself does, and the course's row."""
    if not sql.inspect(engine).has_table("alembic_version"):
        _make_gradebook(engine)
    RECORDS.metadata.create_all(engine)
    if url.startswith("sqlite"):
        # Take the write lock at once: two writers then wait for each other instead of failing.
        sql.event.listen(engine, "connect", _leave_transactions_to_us)
        sql.event.listen(engine, "begin", _begin_immediately)
        engine.dispose()
    table = _tables()["course"]
    with engine.begin() as db:
        if db.execute(sql.select(table.c.id).where(table.c.id == course)).first() is None:
            db.execute(sql.insert(table), [{"id": course}])


def _make_gradebook(engine: sql.Engine) -> None:
    """Make nbgrader's tables, marked with the version of their layout.

    `nbgrader.api.Gradebook` does the same, but starts the program `alembic` for it, which takes
    seconds.
    """
    import nbgrader
    from alembic.script import ScriptDirectory
    from nbgrader.api import Base

    versions = ScriptDirectory(str(Path(nbgrader.__file__).parent / "alembic"))
    marks = sql.table("alembic_version", sql.column("version_num"))
    Base.metadata.create_all(engine)
    with engine.begin() as db:
        db.exec_driver_sql("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)")
        db.execute(sql.insert(marks), [{"version_num": versions.get_current_head()}])


def _leave_transactions_to_us(connection: Any, _: Any) -> None:
    connection.isolation_level = None


def _begin_immediately(connection: sql.Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


@contextmanager
def _explained(url: str) -> Iterator[None]:
    """Turn a database's error into a sentence."""
    try:
        yield
    except (SQLAlchemyError, UnicodeEncodeError, OSError) as error:
        raise GradebookError(explanation(error, without_password(url))) from None


def explanation(error: Exception, url: str) -> str:
    """Say what is wrong with a gradebook and what to do.

    >>> explanation(OperationalError("", {}, Exception("database is locked")), "sqlite:///a.db")
    'the gradebook sqlite:///a.db is locked by another program; close it and run the command again'
    """
    cause = getattr(error, "orig", None) or error
    reason = " ".join(str(cause).split())[:200]
    again = "run the command again"
    known = {
        "is locked": f"is locked by another program; close it and {again}",
        "disk is full": f"could not be written: the disk is full; make room and {again}",
        "No space left": f"could not be written: the disk is full; make room and {again}",
        "disk I/O error": f"could not be written ({reason}); check the disk and {again}",
        "not a database": "is not a database; restore it from a backup, or move it aside to start "
        "a new one",
        "malformed": "is damaged; restore it from a backup, or move it aside to start a new one",
        "unable to open": "cannot be opened; check that its folder exists and may be written",
        "readonly": f"may not be written; check its permissions and {again}",
        "no such table": "is not a gradebook of nbgrader; move it aside to start a new one",
        "no such column": "was made by another version of nbgrader; back it up and run "
        "'nbgrader db upgrade'",
    }
    for part, text in known.items():
        if part in reason:
            return f"the gradebook {url} {text}"
    if isinstance(error, OperationalError):
        return f"the gradebook {url} cannot be reached ({reason}); check it and {again}"
    kind = "refused a result" if isinstance(error, DatabaseError) else "failed"
    return f"the gradebook {url} {kind} ({reason}); {again}"


KINDS = ("grade_cells", "solution_cells", "task_cells")
CELLS = ("base_cell", *KINDS, "source_cell")
"""nbgrader's tables of a notebook's cells; each of the kinds has its row of the first, too."""
Rows = Mapping[str, Sequence[dict[str, Any]]]


def register(url: str, course: str, chapter: str, source: Path, config: Any) -> None:
    """Put a chapter's cells into the gradebook, in place of those without any submission.

    `source` is the instructor notebook. Nothing is released; only the gradebook is written, by one
    transaction.
    """
    rows = chapter_rows(course, chapter, source, config)
    with Gradebook.open(url, course, chapter) as book:
        book.replace_cells(rows)


Cell = tuple[str, str, float | None]
"""Kind, name and points: what makes two versions of a chapter the same."""


def cells_of(release: Release) -> set[Cell]:
    """Return the cells that nbgrader keeps of a chapter: grades, answers, tasks and their texts."""
    found: set[Cell] = set()
    for cell in release.cells:
        meta = cell.metadata.get("nbgrader", {})
        kinds = {
            "GradeCell": meta.get("grade"), "TaskCell": meta.get("task"),
            "SolutionCell": meta.get("solution"),
            "SourceCell": any(map(meta.get, ("grade", "solution", "task", "locked"))),
        }  # fmt: skip
        for kind, has in kinds.items():
            if has:
                points = float(cell.points) if kind in ("GradeCell", "TaskCell") else None
                found.add((kind, cell.grade_id, points))
    return found


def chapter_rows(course: str, chapter: str, source: Path, config: Any) -> Rows:
    """Return the rows that `nbgrader generate_assignment` would write of a chapter, by table.

    It saves cell by cell, so it does that in a gradebook of its own.
    """
    import nbformat
    from nbgrader import preprocessors as steps
    from nbgrader.api import Gradebook as NbgraderGradebook

    from classroom.authoring.release_steps import ClearSolutionsKeepStub

    notebook = nbformat.read(source, as_version=4)
    with tempfile.TemporaryDirectory(prefix="classroom-chapter-") as folder:
        url = f"sqlite:///{folder}/gradebook.db"
        Gradebook.open(url, course, chapter).close()
        with NbgraderGradebook(url, course) as book:
            book.update_or_create_assignment(chapter, course_id=course)
        resources = {
            "unique_key": chapter,
            "nbgrader": {
                "notebook": chapter, "assignment": chapter, "student": ".", "db_url": url,
                "course_id": course,
            },
        }  # fmt: skip
        log = QuietLog()
        for kind in (
            steps.LockCells, ClearSolutionsKeepStub, steps.ClearOutput, steps.CheckCellMetadata,
            steps.ComputeChecksums, steps.SaveCells,
        ):  # fmt: skip
            step = kind(parent=None, config=config)
            step.log = log.logger
            notebook, resources = step.preprocess(notebook, resources)
        engine = sql.create_engine(url)
        with engine.connect() as db:
            rows = {
                name: [dict(row) for row in db.execute(sql.select(_tables()[name])).mappings()]
                for name in ("assignment", "notebook", *CELLS)
            }
        engine.dispose()
    return rows
