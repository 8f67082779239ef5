"""Who is in the class: a table that a platform exports, or that a teacher keeps, read by its header.

Known are what Moodle (participants, grading worksheet), Canvas (gradebook) and nbgrader export, and
any CSV file with such columns. A person is found by id, e-mail address, login or name.
"""

from __future__ import annotations

import csv
import difflib
import hashlib
import io
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from functools import cached_property
from pathlib import Path

from classroom.errors import ClassroomError
from classroom.marking.room import Room, csv_text, is_student_id, write_if_new

COLUMNS: Mapping[str, tuple[str, ...]] = {
    "id": ("id", "student id", "student_id", "studentid", "folder", "course id"),
    "login": (
        "username", "login", "login id", "sis login id", "user name", "anmeldename", "benutzername",
        "nom d'utilisateur", "nombre de usuario",
    ),
    "email": (
        "email", "e-mail", "email address", "e-mail address", "mail", "e-mail-adresse",
        "adresse de courriel", "correo electrónico", "dirección de correo",
    ),
    "number": (
        "id number", "idnumber", "sis user id", "matriculation number", "matrikelnummer",
        "id-nummer", "numéro d'identification", "número de id",
    ),
    "canvas_id": ("canvas id", "canvas user id", "lms_user_id", "lms user id", "lms id"),
    "participant": ("identifier", "participant", "id.", "identifikation", "teilnehmernummer"),
    "first_name": ("first name", "first_name", "firstname", "given name", "vorname", "prénom", "nombre"),
    "last_name": (
        "last name", "last_name", "lastname", "surname", "family name", "nachname", "nom",
        "nom de famille", "apellido(s)", "apellidos",
    ),
    "name": ("name", "full name", "fullname", "student name", "vollständiger name", "nom complet", "nombre completo"),
    "section": ("section", "group", "groups", "gruppe", "gruppen"),
    "handed_in": ("last modified (submission)", "zuletzt geändert (abgabe)"),
}  # fmt: skip
"""Usual names of columns, in lower case, by what they hold."""


@dataclass(frozen=True)
class RosterEntry:
    """One person of a class; a field that the table does not have is empty."""

    id: str
    """Name of the person's folder in class/submitted/, and id in the gradebook."""
    login: str = ""
    email: str = ""
    number: str = ""
    """Moodle's *ID number*, Canvas's *SIS User ID*."""
    canvas_id: str = ""
    participant: str = ""
    """Moodle's number of a participant of one assignment, from its grading worksheet."""
    first_name: str = ""
    last_name: str = ""
    name: str = ""
    section: str = ""
    handed_in: str = ""
    """Time of hand-in as Moodle's grading worksheet says it."""

    @property
    def full_name(self) -> str:
        """First and last name, however the table has them."""
        if self.first_name or self.last_name:
            return f"{self.first_name} {self.last_name}".strip()
        last, comma, first = self.name.partition(",")
        return f"{first.strip()} {last.strip()}" if comma else self.name

    @property
    def sortable_name(self) -> str:
        """Last name, first name, as Canvas sorts people."""
        if self.first_name or self.last_name:
            return ", ".join(part for part in (self.last_name, self.first_name) if part)
        if "," in self.name:
            return self.name
        first, _, last = self.name.rpartition(" ")
        return f"{last}, {first}" if first else last


@dataclass(frozen=True)
class Roster:
    """Everybody in a class."""

    people: tuple[RosterEntry, ...]
    header: tuple[str, ...] = ()
    """The table's own header; Canvas's names its assignments."""

    def find(self, *keys: tuple[str, str], among: str = "") -> tuple[RosterEntry | None, str]:
        """Return the one person that the first telling key means, or None and why not.

        Parameters
        ----------
        *keys : tuple of str
            What a key is (a field of `RosterEntry`, or `any`), and its text.
        among : str
            A platform's number; where several people have one name, it tells them apart.

        Examples
        --------
        >>> class_of_two = Roster((RosterEntry("7", name="Ada Lovelace"), RosterEntry("8", name="Bo Diaz Gil")))
        >>> class_of_two.find(("name", "lovelaceada"))[0].id, class_of_two.find(("any", "8"))[0].id
        ('7', '8')
        >>> class_of_two.find(("name", "Eve"))
        (None, 'nobody in the roster is called Eve')
        """
        for kind, text in keys:
            tables = (kind,) if kind != "any" else ("id", "email", "login", "number", "name")
            for table in tables:
                found = self._index[table].get(match_key(text), ()) if match_key(text) else ()
                alike = [self.people[index] for index in found]
                if len(alike) > 1 and among:
                    alike = [p for p in alike if among in (p.id, p.number, p.canvas_id)] or alike
                if len(alike) == 1:
                    return alike[0], ""
                if alike:
                    ids = ", ".join(person.id for person in alike[:4])
                    return None, f"{len(alike)} people in the roster are called {text}: {ids}"
        return None, self.nobody(*dict.fromkeys(text for _, text in keys if text))

    def nobody(self, *names: str) -> str:
        """Return the sentence that nobody has any of these names, and who is near."""
        near = difflib.get_close_matches(match_key(names[0]), self._index["name"], n=1, cutoff=0.75)
        ids = {self.people[index].id for key in near for index in self._index["name"][key]}
        hint = f"; near is {', '.join(sorted(ids))}" if ids else ""
        return f"nobody in the roster is called {' or '.join(names)}{hint}"

    @cached_property
    def by_id(self) -> Mapping[str, RosterEntry]:
        """Everybody, by id."""
        return {person.id: person for person in self.people}

    @cached_property
    def _index(self) -> Mapping[str, Mapping[str, tuple[int, ...]]]:
        made: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
        for index, person in enumerate(self.people):
            for item in fields(person):
                if item.name != "name" and (key := match_key(getattr(person, item.name))):
                    made[item.name][key].append(index)
            for key in dict.fromkeys(name_keys(person)):
                made["name"][key].append(index)
        return defaultdict(dict, {k: {n: tuple(i) for n, i in t.items()} for k, t in made.items()})


def match_key(text: str) -> str:
    """Return what two spellings of a name or an address have in common.

    >>> match_key("García Márquez, José"), match_key("JO-SE_1")
    ('garcíamárquezjosé', 'jose1')
    """
    composed = unicodedata.normalize("NFKC", text).casefold()
    composed = unicodedata.normalize("NFC", composed)
    return "".join(c for c in composed if unicodedata.category(c)[0] in "LNM")


def name_keys(person: RosterEntry) -> Iterator[str]:
    """Yield the folded names that platforms may give a person: first or last name first."""
    yield match_key(person.full_name)
    yield match_key(person.sortable_name)
    words = person.full_name.split()
    for turn in range(1, len(words)):  # which words are the last name is not always said
        yield match_key("".join(words[turn:] + words[:turn]))


def read_roster(path: Path) -> Roster:
    """Return the people in a table.

    Raises
    ------
    ClassroomError
        If the file cannot be read as a table, or no column says who somebody is.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise ClassroomError(f"there is no roster {path}") from None
    return roster_of(content, path.name)


def roster_of(content: bytes, name: str) -> Roster:
    """Return the people in the content of a table; `name` is for sentences."""
    if content[:4] == b"PK\x03\x04":
        raise ClassroomError(f"{name} is a workbook; save it as CSV and give that file")
    text = _decoded(content)
    first = text.partition("\n")[0]
    separator = max(",;\t", key=first.count)
    rows = list(csv.reader(io.StringIO(text), delimiter=separator))
    header = tuple(cell.strip() for cell in rows[0]) if rows else ()
    columns = known_columns(header)
    if not set(columns) - {"section", "handed_in"}:
        raise ClassroomError(
            f"{name} has no column that says who somebody is; give its first line names such as "
            "id, name, email, login (found: " + (", ".join(header)[:120] or "nothing") + ")"
        )
    people = []
    for row in rows[1:]:
        values = {
            field: unicodedata.normalize("NFC", row[index].strip()) if index < len(row) else ""
            for field, index in columns.items()
        }
        values = {field: value for field, value in values.items() if value}
        if not set(values) - {"section", "handed_in"} or _is_note(values):
            continue
        values["participant"] = "".join(c for c in values.get("participant", "") if c.isdigit())
        order = ("id", "login", "number", "email", "canvas_id", "name", "first_name")
        key = next((values[field] for field in order if values.get(field)), "")
        if not values.get("id") and key in (values.get("name"), values.get("first_name")):
            key = RosterEntry("", **values).full_name
        people.append(RosterEntry(**{**values, "id": key}))
    _refuse_bad_ids(people, name)
    return Roster(tuple(people), header)


def known_columns(header: Iterable[str]) -> dict[str, int]:
    """Return the place of each known column.

    Canvas calls a name `Student` and its own number `ID`.

    >>> known_columns(["Student", "ID", "SIS Login ID", "Section"])
    {'canvas_id': 1, 'login': 2, 'section': 3, 'name': 0}
    """
    names = [
        unicodedata.normalize("NFC", name).strip().lstrip("\ufeff").casefold() for name in header
    ]
    canvas = "student" in names and "id" in names
    found: dict[str, int] = {}
    for index, name in enumerate(names):
        for field, usual in COLUMNS.items():
            if name in usual and field not in found:
                found["canvas_id" if canvas and name == "id" else field] = index
    if "student" in names:
        found["name" if canvas or "id" in found else "id"] = names.index("student")
    return found


def _decoded(content: bytes) -> str:
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return content.decode("utf-16", "replace")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252", "replace")


def _is_note(values: Mapping[str, str]) -> bool:
    """Tell whether a row of Canvas's gradebook is none of a person."""
    name = values.get("name", "")
    return name.startswith(("Points Possible", "Student, Test")) or (
        "canvas_id" not in values and name.strip() in ("", "Manual Posting", "Muted")
        and not {"id", "login", "email", "number", "first_name", "last_name", "participant"} & set(values)
    )  # fmt: skip


def is_folder_name(student: str) -> bool:
    """Tell whether an id can name a student's folder, on any system."""
    odd = set(student) & set('/\\:*?"<>|')
    return bool(student) and student[0] != "." and not odd and is_student_id(student)


def _refuse_bad_ids(people: Iterable[RosterEntry], name: str) -> None:
    seen: set[str] = set()
    for person in people:
        if not is_folder_name(person.id):
            raise ClassroomError(
                f"{name}: the id {person.id!r} cannot be the name of a folder; ids are letters, "
                "digits and signs such as . - _ @"
            )
        if person.id.casefold() in seen:
            raise ClassroomError(f"{name}: the id {person.id!r} stands twice")
        seen.add(person.id.casefold())


# ---- what a class keeps


def keep_roster(room: Room, given: Path | None) -> Roster | None:
    """Return who is in the class; a table that is given is kept, the one before beside it.

    A table without ids of its own, as platforms export it, adds to the one that is there: the ids
    that people have stay theirs.
    """
    kept = room.folder / "roster.csv"
    before = read_roster(kept) if kept.exists() else None
    if given is None or given.resolve() == kept.resolve():
        return before
    people, content = read_roster(given), given.read_bytes()
    if before is not None and "id" not in known_columns(people.header):
        people = joined_rosters(before, people)
        content = _table(people, before.header)
    if before is not None and kept.read_bytes() != content:
        old = hashlib.sha256(kept.read_bytes()).hexdigest()[:8]
        write_if_new(room.folder / "earlier" / f"roster_{old}.csv", kept.read_bytes())
    write_if_new(kept, content)
    return people


def joined_rosters(before: Roster, new: Roster) -> Roster:
    """Return the people of two tables, with the ids of the one before.

    >>> old = Roster((RosterEntry("007", email="ada@x.org"),))
    >>> new = Roster((RosterEntry("ada", login="ada", email="ada@x.org"), RosterEntry("bo", login="bo")))
    >>> [(person.id, person.login) for person in joined_rosters(old, new).people]
    [('007', 'ada'), ('bo', 'bo')]
    """
    people = {person.id: person for person in before.people}
    for person in new.people:
        keys = [(item.name, getattr(person, item.name)) for item in fields(person)]
        keys = [(kind, text) for kind, text in keys if text and kind in TELLING]
        found, _ = before.find(*keys, ("name", person.full_name))
        known = found or person
        said = {k: v for k, v in vars(person).items() if v and k in known.__dataclass_fields__}
        people[known.id] = replace(known, **{**said, "id": known.id})
    return Roster(tuple(people.values()), new.header)


TELLING = ("email", "login", "number", "canvas_id")
"""Fields that are one person's alone."""


def _table(people: Roster, before: Iterable[str]) -> bytes:
    """Return people as a table; what holds for one assignment only is left out."""
    kept = [
        item.name for item in fields(RosterEntry) if item.name not in ("participant", "handed_in")
    ]
    extra = [name for name in (*people.header, *before) if re.search(r" \(\d+\)$", name)]
    head = [COLUMNS[name][0] if name != "number" else "id number" for name in kept]
    rows = [[getattr(person, name) for name in kept] for person in people.people]
    return csv_text([[*head, *dict.fromkeys(extra)], *rows]).encode()


COLLECTED_COLUMNS = ("student", "time", "system", "name", "key", "late", "digest")


@dataclass(frozen=True)
class Collected:
    """What is remembered of a hand-in: one row of collected_CHAPTER.csv."""

    student: str
    time: str
    """In UTC; empty where nobody knows."""
    system: str
    name: str
    """What the system calls the person."""
    key: str
    """What names the files that go back to the system."""
    late: str
    """`late` where the system says so."""
    digest: str
    """Fingerprint of what came."""


def read_collected(room: Room, assignment: str) -> dict[str, Collected]:
    """Return what was collected for an assignment before, by student."""
    path = room.folder / f"collected_{assignment}.csv"
    if not path.exists():
        return {}
    room.collected(assignment)  # refuses a table without its columns
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    return {
        row["student"]: Collected(*(row.get(name) or "" for name in COLLECTED_COLUMNS))
        for row in rows
    }


def write_collected(room: Room, assignment: str, rows: Mapping[str, Collected]) -> None:
    """Write collected_CHAPTER.csv."""
    lines = [[getattr(row, name) for name in COLLECTED_COLUMNS] for _, row in sorted(rows.items())]
    path = room.folder / f"collected_{assignment}.csv"
    write_if_new(path, csv_text([COLLECTED_COLUMNS, *lines]).encode())


def class_people(room: Room, assignment: str) -> Roster | None:
    """Return who is in the class, as files that go back to a platform need it; None if unknown.

    What a platform's own names say is added: Canvas writes its number of a person into them.
    """
    kept = room.folder / "roster.csv"
    roster = read_roster(kept) if kept.exists() else None
    numbers = {
        row.student: match[1]
        for row in read_collected(room, assignment).values()
        if row.system == "Canvas" and (match := re.search(r"_(\d+)(?:_\d+)?$", row.key))
    }
    if roster is None:
        people = tuple(RosterEntry(id, canvas_id=number) for id, number in numbers.items())
        return Roster(people) if people else None
    people = tuple(
        replace(person, canvas_id=person.canvas_id or numbers.get(person.id, ""))
        for person in roster.people
    )
    return Roster(people, roster.header)
