"""Grades as CSV: nbgrader's own columns, and the import formats of Canvas and Moodle.

Read on 2026-11-30 in copies of their sources; each is the one that is stored of the file:

- Canvas (`lib/gradebook_importer.rb`, commit 00b222d7) wants columns whose names hold `Student`,
  `ID`, (`SIS User ID`, `SIS Login ID`), `Section`, then one per assignment. It finds a person by
  its own ID, then the SIS ids, then the name; an assignment by `Title (id)` or title. `Points
  Possible` becomes the maximum. An empty cell takes an earlier grade away, so who handed in nothing
  has no row.
- Moodle (`grade/import/csv/classes/load_data.php`, commit 0289d8c7) finds a person by the one
  column that the teacher maps: user name, e-mail address or id number. One unknown person stops all
  of it. Where that column is empty the grade goes to the person *before*, so only columns that are
  filled for everybody are written. A new grade item has a maximum of 100.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from classroom.marking.gradebook import Record, Standing
from classroom.marking.people import Roster, match_key
from classroom.marking.room import csv_text, write_if_new

NBGRADER = (
    "assignment", "duedate", "timestamp", "student_id", "last_name", "first_name", "email",
    "raw_score", "late_submission_penalty", "score", "max_score",
)  # fmt: skip


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


def _named(one: Standing, people: Roster | None) -> Standing:
    """Return a standing with the name and address that the roster has of the person."""
    who = people.by_id.get(one.student) if people else None
    if who is None:
        return one
    last, comma, first = who.sortable_name.partition(", ")
    first = first if comma else who.full_name
    return replace(
        one,
        first_name=one.first_name or first,
        last_name=one.last_name or (last if comma else ""),
        email=one.email or who.email,
    )


def canvas_csv(
    assignment: str, maximum: float, standings: Sequence[Standing], people: Roster | None = None
) -> str:
    """Return the grades for Canvas: Grades → Import.

    With a roster there is a row for everybody in it who handed in. Without one, the LMS id of the
    gradebook is Canvas's own `ID`, and the student's id is the SIS login.

    >>> print(canvas_csv("01_basics", 10, [Standing("ada", "Ada", "Lovelace", score=9.0)]))
    Student,ID,SIS User ID,SIS Login ID,Section,01_basics
    Points Possible,,,,,10
    "Lovelace, Ada",,,ada,,9
    <BLANKLINE>
    """
    column = canvas_column(people.header, assignment) if people else assignment
    rows: list[Sequence[object]] = [
        ("Student", "ID", "SIS User ID", "SIS Login ID", "Section", column),
        ("Points Possible", "", "", "", "", f"{maximum:g}"),
    ]
    for one in standings:
        points = "" if one.score is None or one.waiting else f"{one.final:.10g}"
        if people is None:
            name = ", ".join(part for part in (one.last_name, one.first_name) if part)
            rows.append((no_formula(name or one.student), one.lms_id, "", one.student, "", points))
        elif one.student in people.by_id and one.score is not None:
            who = people.by_id[one.student]
            name = no_formula(who.sortable_name or who.id)
            rows.append((name, who.canvas_id, who.number, who.login, who.section, points))
    return csv_text(rows)


def canvas_column(header: Sequence[str], assignment: str) -> str:
    """Return Canvas's own name of an assignment, where its gradebook was given as the roster.

    >>> canvas_column(["Student", "ID", "Section", "1. Basics (4711)"], "01_basics")
    '1. Basics (4711)'
    """
    wanted = match_key(assignment).lstrip("0")
    for column in header:
        title = column.rpartition(" (")[0]
        if title and match_key(title).removeprefix("chapter").lstrip("0") in (
            wanted, wanted.lstrip("0123456789"),
        ):  # fmt: skip
            return column
    return assignment


def moodle_csv(
    assignment: str,
    standings: Sequence[Standing],
    records: Mapping[str, Record],
    people: Roster | None = None,
) -> str:
    """Return the grades for Moodle: Grades → Import → CSV file.

    Map one of the first columns to the user, and the last two to the grade item. With a roster
    there is a row for everybody in it who handed in, and the first columns are those that it has for
    all of them.

    >>> print(moodle_csv("01_basics", [Standing("ada", score=9.0)], {}))
    Username,Email address,01_basics,01_basics (Feedback)
    ada,,9,
    <BLANKLINE>
    """
    known = [one for one in standings if one.score is not None]
    columns = moodle_columns([one.student for one in known], people)
    if people is None:
        columns = {
            "Username": {one.student: one.student for one in known},
            "Email address": {one.student: one.email for one in known},
        }
    rows: list[Sequence[object]] = [(*columns, assignment, f"{assignment} (Feedback)")]
    for one in known:
        if not all(one.student in values for values in columns.values()) or not columns:
            continue
        record = records.get(one.student)
        said = no_formula(record.for_student) if record else ""
        points = f"{one.final:.10g}"
        if one.waiting:  # Moodle takes a comment with a grade only
            points = said = ""
        rows.append((*(values[one.student] for values in columns.values()), points, said))
    return csv_text(rows)


def moodle_columns(students: Sequence[str], people: Roster | None) -> dict[str, dict[str, str]]:
    """Return what Moodle may know students by: each column with its value for each of them.

    These are the columns that the roster has for all of them; if there is none, the fullest one.

    >>> from classroom.marking.people import RosterEntry
    >>> roster = Roster((RosterEntry("1", email="a@x.org"), RosterEntry("2", email="b@x.org", login="b")))
    >>> moodle_columns(["1", "2", "3"], roster)
    {'Email address': {'1': 'a@x.org', '2': 'b@x.org'}}
    """
    who = (
        [people.by_id[student] for student in students if student in people.by_id] if people else []
    )
    fields = {"Username": "login", "Email address": "email", "ID number": "number"}
    columns = {
        name: {person.id: value for person in who if (value := getattr(person, field))}
        for name, field in fields.items()
    }
    whole = {name: values for name, values in columns.items() if len(values) == len(who)}
    name = max(columns, key=lambda name: len(columns[name]))
    return whole or ({name: columns[name]} if columns[name] else {})


def write_exports(
    folder: Path,
    assignment: str,
    due: datetime | None,
    maximum: float,
    standings: Sequence[Standing],
    records: Mapping[str, Record],
    people: Roster | None = None,
) -> list[Path]:
    """Write the three files of a chapter and return their paths."""
    texts = {
        f"grades_{assignment}.csv": nbgrader_csv(
            assignment, due, maximum, [_named(one, people) for one in standings]
        ),
        f"canvas_{assignment}.csv": canvas_csv(assignment, maximum, standings, people),
        f"moodle_{assignment}.csv": moodle_csv(assignment, standings, records, people),
    }
    for name, text in texts.items():
        write_if_new(folder / name, text.encode("utf-8", "replace"))
    return [folder / name for name in texts]
