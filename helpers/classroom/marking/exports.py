"""Grades as CSV: nbgrader's own columns, and the import formats of Canvas and Moodle.

Canvas reads `Student`, `ID`, `SIS User ID`, `SIS Login ID`, `Section` and one column per
assignment, with a row of points possible below the header (Canvas community guides, read
2026-11-22). Moodle maps any column to the user and to the grade item; a feedback column must come
with its grade, or the grade is lost (docs.moodle.org, Grade import, read 2026-11-22).
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from classroom.marking.gradebook import Record, Standing
from classroom.marking.room import write_if_new

NBGRADER = (
    "assignment", "duedate", "timestamp", "student_id", "last_name", "first_name", "email",
    "raw_score", "late_submission_penalty", "score", "max_score",
)  # fmt: skip


def csv_text(rows: Iterable[Sequence[object]]) -> str:
    """Return rows as CSV text, quoted where needed."""
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerows(rows)
    return buffer.getvalue()


def no_formula(text: str) -> str:
    """Return a text that a spreadsheet does not take for a formula.

    >>> no_formula("=1+1"), no_formula("Ada")
    ("'=1+1", 'Ada')
    """
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text


def nbgrader_csv(
    assignment: str, due: datetime | None, maximum: float, standings: Sequence[Standing]
) -> str:
    """Return the grades as `nbgrader export` writes them.

    Students are in nbgrader's order: by last name, then first name.

    >>> print(nbgrader_csv("01", None, 10.0, [Standing("ada", score=9.0, penalty=2.0)]))
    assignment,duedate,timestamp,student_id,last_name,first_name,email,raw_score,late_submission_penalty,score,max_score
    01,,,ada,,,,9.0,2.0,7.0,10.0
    <BLANKLINE>
    """
    rows: list[Sequence[object]] = [NBGRADER]
    for one in sorted(standings, key=lambda s: (s.last_name, s.first_name)):
        points: tuple[object, ...] = (float(one.score or 0.0), float(one.penalty), one.final)
        points = ("", "", "") if one.waiting else points
        rows.append(
            (
                assignment, due or "", one.handed_in or "", one.student, one.last_name,
                one.first_name, one.email, *points, float(maximum),
            )
        )  # fmt: skip
    return csv_text(rows)


def canvas_csv(assignment: str, maximum: float, standings: Sequence[Standing]) -> str:
    """Return the grades for Canvas: Grades → Import.

    The LMS id of the gradebook is Canvas's own `ID`; the student's id is the SIS login.
    Students who handed in nothing have no score, so that Canvas changes nothing for them.

    >>> print(canvas_csv("01_basics", 10, [Standing("ada", "Ada", "Lovelace", score=9.0)]))
    Student,ID,SIS User ID,SIS Login ID,Section,01_basics
    Points Possible,,,,,10
    "Lovelace, Ada",,,ada,,9
    <BLANKLINE>
    """
    rows: list[Sequence[object]] = [
        ("Student", "ID", "SIS User ID", "SIS Login ID", "Section", assignment),
        ("Points Possible", "", "", "", "", f"{maximum:g}"),
    ]
    for one in standings:
        name = ", ".join(part for part in (one.last_name, one.first_name) if part) or one.student
        points = "" if one.score is None or one.waiting else f"{one.final:.10g}"
        rows.append((no_formula(name), one.lms_id, "", one.student, "", points))
    return csv_text(rows)


def moodle_csv(
    assignment: str, standings: Sequence[Standing], records: Mapping[str, Record]
) -> str:
    """Return the grades for Moodle: Grades → Import → CSV file.

    Map `Username` (or `Email address`) to the user, and both other columns to the grade item.

    >>> print(moodle_csv("01_basics", [Standing("ada", score=9.0)], {}))
    Username,Email address,01_basics,01_basics (Feedback)
    ada,,9,
    <BLANKLINE>
    """
    rows: list[Sequence[object]] = [
        ("Username", "Email address", assignment, f"{assignment} (Feedback)")
    ]
    for one in standings:
        if one.score is None:
            continue
        record = records.get(one.student)
        said = no_formula(record.for_student) if record else ""
        points = f"{one.final:.10g}"
        if one.waiting:  # Moodle takes a comment with a grade only
            points = said = ""
        rows.append((one.student, one.email, points, said))
    return csv_text(rows)


def write_exports(
    folder: Path,
    assignment: str,
    due: datetime | None,
    maximum: float,
    standings: Sequence[Standing],
    records: Mapping[str, Record],
) -> list[Path]:
    """Write the three files of a chapter and return their paths."""
    texts = {
        f"grades_{assignment}.csv": nbgrader_csv(assignment, due, maximum, standings),
        f"canvas_{assignment}.csv": canvas_csv(assignment, maximum, standings),
        f"moodle_{assignment}.csv": moodle_csv(assignment, standings, records),
    }
    for name, text in texts.items():
        write_if_new(folder / name, text.encode("utf-8", "replace"))
    return [folder / name for name in texts]
