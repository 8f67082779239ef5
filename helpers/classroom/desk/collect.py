"""`classroom collect`: hand-ins of a platform, sorted into class/submitted/, and nothing lost.

The newest attempt of each person counts; what it replaces, and earlier attempts, lie in
class/earlier/. `class/collected_CHAPTER.csv` says what came from where and when. nbgrader's own
`zip_collect` reads names in the same way, by the two plug-ins at the end.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from nbgrader.plugins.zipcollect import ExtractorPlugin, FileNameCollectorPlugin
from nbgrader.utils import parse_utc

from classroom.desk.archives import LARGEST_FILE, ArchivedFile, inside, open_archive
from classroom.desk.hand_ins import (
    CANVAS,
    EXCHANGE,
    MOODLE,
    HandIn,
    Origin,
    as_notebook,
    grouped,
    of_download,
    origins,
)
from classroom.errors import ClassroomError
from classroom.grading.repair import is_safe_name
from classroom.marking.grade import printable, some_names
from classroom.marking.people import (
    Collected,
    Roster,
    RosterEntry,
    is_folder_name,
    keep_roster,
    match_key,
    name_keys,
    read_collected,
    read_roster,
    write_collected,
)
from classroom.marking.room import Room, write_if_new, write_whole
from classroom.project import Chapter

TAKEN, REPLACED, UNCHANGED = "taken", "replaced", "unchanged"
KEPT, NOT_MATCHED = "kept aside", "not matched"
TIMESTAMP = "timestamp.txt"


@dataclass(frozen=True)
class CollectedRow:
    """One line of the table that `collect` prints."""

    result: str
    student: str
    name: str
    time: str = ""
    note: str = ""


def collect(
    room: Room,
    chapter: Chapter,
    source: Path,
    *,
    roster: Path | None = None,
    say: Callable[[str], None] = print,
) -> list[CollectedRow]:
    """Sort hand-ins into the class and return what became of each.

    Parameters
    ----------
    room : Room
        The class.
    chapter : Chapter
        What was handed in.
    source : Path
        A zip archive, or a folder of files, of hand-ins or of nbgrader's exchange.
    roster : Path, optional
        Who is in the class; it is kept as class/roster.csv and used from then on.
    say : callable
        Shows a line.

    Raises
    ------
    ClassroomError
        If the archive or the roster cannot be used; then nothing was taken.
    """
    people = keep_roster(room, roster)
    with open_archive(source) as files:
        found = origins(files, chapter.name)
        elsewhere = {o.key for _, o in found if o and o.system == EXCHANGE and o.others}
        usable = [(f, o) for f, o in found if o and not (o.system == EXCHANGE and o.others)]
        rows = [
            CollectedRow(NOT_MATCHED, "", file.name, note="its name does not say whose it is")
            for file, origin in found
            if origin is None
        ]
        if not usable:
            raise ClassroomError(
                f"{source.name} holds no hand-in for {chapter.name}; expected are the archive of "
                "all submissions of Moodle or Canvas, nbgrader's exchange, or a folder with one "
                "file or folder for each person, named by them"
            )
        hand_ins = grouped(usable)
        undated = of_download(hand_ins, _changed(source))
        matched, unmatched = by_student(hand_ins, people)
        rows += unmatched
        before = read_collected(room, chapter.name)
        kept = dict(before)
        for student, (person, attempts) in sorted(matched.items()):
            row, remembered = _take(room, chapter, student, person, attempts, before, undated)
            rows.append(row)
            if remembered is not None:
                kept[student] = remembered
    write_collected(room, chapter.name, kept)
    tell_collected(rows, say)
    if people is not None:
        missing = [person.id for person in people.people if person.id not in kept]
        if missing:
            say(f"Nothing came from {len(missing)} of the roster: {some_names(missing)}.")
    if elsewhere:
        say(f"{len(elsewhere)} hand-ins of other chapters were left alone.")
    if undated and any(row.result in (TAKEN, REPLACED) and not row.time for row in rows):
        hint = " Moodle's grading worksheet of this assignment has them: give it as --roster."
        say(
            "The archive holds the time of its download, not those of hand-in, so none was kept."
            + hint * (hand_ins[0].origin.system == MOODLE)
        )
    return rows


Matched = dict[str, tuple[RosterEntry | None, list[HandIn]]]


def by_student(
    hand_ins: Iterable[HandIn], roster: Roster | None
) -> tuple[Matched, list[CollectedRow]]:
    """Return hand-ins by the id of who handed them in, and the ones that are nobody's."""
    matched: Matched = {}
    rows = []
    for one in hand_ins:
        person, reason = student_of(one.origin, roster)
        student = person.id if person is not None else ""
        if person is not None and not is_folder_name(student):
            reason = "what the system calls them cannot name a folder; a roster gives them an id"
            student = ""
        if not student:
            rows.append(CollectedRow(NOT_MATCHED, "", one.origin.person, note=reason))
            continue
        entry = matched.setdefault(student, (person, []))
        entry[1].append(one)
    for student, (_, attempts) in list(matched.items()):
        if len({one.origin.number for one in attempts}) > 1:
            del matched[student]
            rows += [
                CollectedRow(
                    NOT_MATCHED, "", one.origin.person,
                    note=f"several people are {student}; a roster with their numbers tells them apart",
                )
                for one in attempts
            ]  # fmt: skip
    return matched, rows


def student_of(origin: Origin, roster: Roster | None) -> tuple[RosterEntry | None, str]:
    """Return who a hand-in is of, and why nobody is."""
    if roster is None:
        return RosterEntry(origin.person), ""
    person, name = origin.person, ("name", origin.person)
    if origin.system == EXCHANGE:
        return roster.find(("login", person), ("id", person), ("any", person))
    if origin.system not in (MOODLE, CANVAS):
        return roster.find(*(("any", text) for text in (person, *origin.others)))
    number = ("participant" if origin.system == MOODLE else "canvas_id", origin.number)
    keys = [number, name, ("any", person)]
    if origin.system == CANVAS and not any(one.full_name for one in roster.people):
        keys.append(("id", origin.number))  # a roster of numbers can hold Canvas's own only
    found, reason = roster.find(*keys, among=origin.number)
    if found is not None and origin.system == MOODLE and _is_other(person, found):
        return None, (
            f"the number {origin.number} is that of {found.full_name} in the roster: "
            "is its worksheet the one of this assignment?"
        )
    login, _, rest = person.partition(" ")
    one = roster.find(("login", login))[0] if found is None and rest else None
    if one is not None and match_key(rest) in name_keys(one):  # some sites: login, then name
        return one, ""
    return found, reason if "people" in reason else roster.nobody(person)


def _is_other(called: str, person: RosterEntry) -> bool:
    """Tell whether a full name is another person's; the login may stand before it."""
    keys = [key for key in name_keys(person) if key]
    return " " in called and bool(keys) and not match_key(called).endswith(tuple(keys))


# ---- one person


def _take(
    room: Room,
    chapter: Chapter,
    student: str,
    person: RosterEntry | None,
    attempts: list[HandIn],
    before: Mapping[str, Collected],
    undated: bool,
) -> tuple[CollectedRow, Collected | None]:
    """Put one person's newest attempt where the grader looks, and all others aside."""
    *older, newest = sorted(attempts, key=_age)
    origin = newest.origin
    moment = _moment(newest, person, undated)
    time = f"{moment:%Y-%m-%d %H:%M:%S} UTC" if moment else ""
    row = CollectedRow(TAKEN, student, origin.person, time, "late" * origin.late)
    if any(folder.is_symlink() for folder in room.folders(student)):
        return replace(row, result=NOT_MATCHED, note="the student's folder is a link"), None
    files, notes = contents(newest, chapter.name)
    if not files:
        return replace(row, result=NOT_MATCHED, note="; ".join(notes)), None
    if other := _of_another_chapter(files, chapter):
        return replace(row, result=NOT_MATCHED, note=other), None
    if not any(name.lower().endswith(".ipynb") for name in files):
        notes.append(f"no notebook: {', '.join(sorted(files))[:60]}")
    if origin.system != EXCHANGE:
        files.pop(TIMESTAMP, None)
    came = digest_of(files, origin.system)
    if time:
        files.setdefault(TIMESTAMP, time.encode())
    for one in older:
        _set_aside(room, chapter.name, student, contents(one, chapter.name)[0], one.time)
    for name, file in newest.earlier:
        alone, _ = contents(HandIn(origin, {name: file}), chapter.name)
        _set_aside(room, chapter.name, student, alone, None if undated else file.time)
    count = 1 + len(older) + len(newest.earlier)
    notes += [f"newest of {count} attempts"] * (count > 1)
    row = _noted(row, *notes)
    remembered = Collected(
        student, time, origin.system, origin.person, origin.key, "late" * origin.late, came
    )
    folder = next(iter(room.folders(student)), room.submitted / student) / chapter.name
    there, old = _present(folder), before.get(student)
    if there and came in (digest_of(there, origin.system), old and old.digest):
        by_hand = digest_of(there, origin.system) != came
        row = _noted(row, "changed by hand since, left as it is" * by_hand)
        kept = replace(remembered, time=old.time) if old and not time else remembered
        return replace(row, result=UNCHANGED), kept
    if there and old is not None and _is_older(room, chapter.name, remembered, old):
        place = _set_aside(room, chapter.name, student, files, moment)
        row = _noted(row, f"older than what is there; lies in {room.shown(place)}")
        return replace(row, result=KEPT), None
    if there:
        place = _set_aside(room, chapter.name, student, there, _stamp(there))
        row = _noted(replace(row, result=REPLACED), f"the one before: {room.shown(place)}")
    _write(folder, files, moment, there)
    return row, remembered


def _of_another_chapter(files: Mapping[str, bytes], chapter: Chapter) -> str:
    """Return what is wrong where no notebook has a graded cell of the chapter and one has others'."""
    found = [_graded_ids(content) for name, content in files.items() if name.endswith(".ipynb")]
    ours = (
        _graded_ids(chapter.solution_notebook.read_bytes())
        if chapter.solution_notebook.exists()
        else frozenset()
    )
    if not ours or not any(found) or any(ids & ours for ids in found):
        return ""
    return f"no cell of {chapter.name} is in it: is it of another chapter?"


def _graded_ids(content: bytes) -> frozenset[str]:
    """Return the ids that nbgrader gave a notebook's cells; none where it cannot be read."""
    try:
        cells = json.loads(content.decode("utf-8-sig"))["cells"]
        found = [cell["metadata"].get("nbgrader", {}).get("grade_id") for cell in cells]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return frozenset()
    return frozenset(one for one in found if isinstance(one, str))


def _age(one: HandIn) -> tuple[str, datetime, int]:
    return one.origin.time, one.time or datetime.min, one.origin.attempt


def _moment(one: HandIn, person: RosterEntry | None, undated: bool) -> datetime | None:
    """Return the time of hand-in in UTC, from whoever knows it best."""
    if one.origin.time:
        return _read_time(one.origin.time)
    said = None  # a worksheet is of one assignment, and so are its numbers
    if person is not None and person.participant == one.origin.number:
        said = _read_time(person.handed_in)
    return said or (None if undated else one.time)


def _read_time(text: str) -> datetime | None:
    """Return a time in UTC; one without a zone is local, as in a table for people."""
    try:
        moment: datetime = parse_utc(text)
    except (ValueError, OverflowError, TypeError):
        return None
    if re.search(r"UTC|GMT|Z$|[+-]\d\d:?\d\d$", text.strip()):
        return moment
    return moment.astimezone(UTC).replace(tzinfo=None)


def _changed(path: Path) -> datetime:
    return datetime.fromtimestamp(path.stat().st_mtime, UTC).replace(tzinfo=None)


def contents(one: HandIn, assignment: str) -> tuple[dict[str, bytes], list[str]]:
    """Return the files of a hand-in, zip archives in it opened, and what is to be said of them."""
    files: dict[str, bytes] = {}
    notes: list[str] = []
    for name, file in sorted(one.files.items()):
        try:
            content = file.read()
        except ClassroomError as error:
            notes.append(f"{name}: {error}")
            continue
        if not is_safe_name(name):
            notes.append(f"{name[:60]!r}: not a name that can be used")
        elif name.lower().endswith(".zip"):
            try:
                for inner, packed in inside(content, name):
                    files.setdefault(inner, packed)
                notes.append(f"out of {name}")
            except ClassroomError as error:
                files[name] = content
                notes.append(str(error).split("; nothing was taken")[0])
        else:
            files[name] = content
    if sum(map(len, files.values())) > 2 * LARGEST_FILE:
        return {}, [*notes, f"more than {2 * LARGEST_FILE // 1_000_000} MB in all"]
    new = as_notebook(files, assignment)
    notes += [f"was {name}" for name in new]
    return {new.get(name, name): content for name, content in files.items()}, notes


def digest_of(files: Mapping[str, bytes], system: str) -> str:
    """Return a fingerprint of names and contents; the time counts in nbgrader's exchange only."""
    made = hashlib.sha256()
    for name, content in sorted(files.items()):
        if name != TIMESTAMP or system == EXCHANGE:
            made.update(f"{len(name.encode())} {name} {len(content)} ".encode())
            made.update(content)
    return made.hexdigest()[:16]


def _is_older(room: Room, assignment: str, new: Collected, old: Collected) -> bool:
    """Tell whether a hand-in came before the one that was collected already."""
    numbers = [key.rpartition("_")[2] for key in (new.key, old.key)]
    if new.system == old.system == CANVAS and all(n.isdecimal() for n in numbers):
        return int(numbers[0]) < int(numbers[1])
    if new.time and old.time and new.time != old.time:
        return new.time < old.time
    home = room.folder / "earlier" / assignment / new.student
    asides = home.iterdir() if home.is_dir() else ()
    return any(digest_of(_present(place), new.system) == new.digest for place in asides)


def _noted(row: CollectedRow, *notes: str) -> CollectedRow:
    return replace(row, note="; ".join(filter(None, [row.note, *notes])))


def _present(folder: Path) -> dict[str, bytes]:
    """Return what lies in a submission's folder."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.is_symlink() and ".ipynb_checkpoints" not in path.parts
    }


def _stamp(files: Mapping[str, bytes]) -> datetime | None:
    return _read_time(files[TIMESTAMP].decode("utf-8", "replace")) if TIMESTAMP in files else None


def _set_aside(
    room: Room, assignment: str, student: str, files: Mapping[str, bytes], moment: datetime | None
) -> Path:
    """Keep files under class/earlier/, once, and return where."""
    home = room.folder / "earlier" / assignment / student
    stem = f"{moment:%Y-%m-%dT%H-%M-%S}" if moment else "undated"
    for number in range(1, 1_000):
        place = home / (stem if number == 1 else f"{stem}-{number}")
        if not place.exists() or _present(place) == files:
            break
    for name, content in files.items():
        write_if_new(place / name, content)
    return place


def _write(
    folder: Path, files: Mapping[str, bytes], moment: datetime | None, there: Mapping[str, bytes]
) -> None:
    """Write a submission; what was there and does not come again goes, its copy is kept."""
    for name, content in files.items():
        write_whole(folder / name, content, durable=False)
        if moment is not None:
            seconds = moment.replace(tzinfo=UTC).timestamp()
            os.utime(folder / name, (seconds, seconds))
    for name in there.keys() - files.keys():
        (folder / name).unlink()


# ---- what is remembered, and shown


def tell_collected(rows: Sequence[CollectedRow], say: Callable[[str], None]) -> None:
    """Print the table: what was taken, what was replaced, what is nobody's."""
    header = CollectedRow("", "student", "handed in as", "time (UTC)", "")
    shown = [
        (row.result, row.student, row.name[:40], row.time.removesuffix(" UTC"), row.note)
        for row in [header, *sorted(rows, key=lambda row: (row.result == NOT_MATCHED, row.student))]
    ]
    widths = [max(len(line[i]) for line in shown) for i in range(4)]
    for line in shown:
        cells = [cell.ljust(width) for cell, width in zip(line, widths, strict=False)]
        say(printable("  ".join([*cells, line[4]]).rstrip()))
    counts = {
        result: sum(row.result == result for row in rows)
        for result in (TAKEN, REPLACED, UNCHANGED, KEPT, NOT_MATCHED)
    }
    say(", ".join(f"{count} {result}" for result, count in counts.items() if count) + ".")


# ---- nbgrader zip_collect


class RefusingExtractor(ExtractorPlugin):  # type: ignore[misc]  # nbgrader has no types
    """Unpacks archives for `nbgrader zip_collect`, within the limits of `classroom collect`."""

    def extract(self, archive_path: str, extracted_path: str) -> None:
        """Unpack every archive of a folder, and copy what is none."""
        for path in sorted(Path(archive_path).iterdir()):
            if path.suffix.lower() != ".zip":
                if path.is_file() and not path.is_symlink():
                    shutil.copy2(path, extracted_path)
                continue
            try:
                with open_archive(path) as files:
                    for file in files:
                        self._unpack(file, Path(extracted_path) / path.stem / file.name)
            except ClassroomError as error:
                self.parent.fail(str(error))

    def _unpack(self, file: ArchivedFile, target: Path) -> None:
        try:
            write_whole(target, file.read(), durable=False)
        except ClassroomError as error:
            self.log.warning("%s: %s", file.name, error)
            return
        if file.time is not None:
            seconds = file.time.replace(tzinfo=UTC).timestamp()
            os.utime(target, (seconds, seconds))


class RosterCollector(FileNameCollectorPlugin):  # type: ignore[misc]  # nbgrader has no types
    """Says for `nbgrader zip_collect` whose a file is, as `classroom collect` does."""

    def collect(self, submitted_file: str) -> dict[str, Any] | None:
        """Return the student's id, the file's name and its time; None for what is nobody's."""
        path = Path(submitted_file)
        coursedir = self.parent.coursedir
        assignment = str(coursedir.assignment_id)
        folder = Path(self.parent._format_collect_path(self.parent.extracted_directory))
        name = path.relative_to(folder).as_posix()
        changed = datetime.fromtimestamp(path.stat().st_mtime, UTC).replace(tzinfo=None)
        archived = ArchivedFile(name, path.stat().st_size, changed, path.read_bytes)
        everything = [
            ArchivedFile(one.relative_to(folder).as_posix(), 0, None, one.read_bytes)
            for one in sorted(folder.rglob("*"))
            if one.is_file()
        ]
        found = {file.name: origin for file, origin in origins(everything, assignment)}
        origin = found.get(name)
        kept = Path(coursedir.root) / Path(coursedir.submitted_directory).parent / "roster.csv"
        person, reason = (None, "its name does not say whose it is")
        if origin is not None:
            person, reason = student_of(origin, read_roster(kept) if kept.exists() else None)
        if origin is None or person is None or not is_folder_name(person.id):
            self.log.warning("%s: %s", name, reason)
            return None
        new = as_notebook([origin.file], assignment).get(origin.file, origin.file)
        return {"student_id": person.id, "file_id": new, "timestamp": archived.time}
