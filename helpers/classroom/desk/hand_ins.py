"""Whose is a file, by the name that a platform gave it: Moodle, Canvas, nbgrader's exchange, loose.

Moodle (`mod/assign/classes/downloader.php`, commit 2a6fd313) and Canvas (`lib/content_zipper.rb`,
commit 05e9653c), both read in copies on 2026-11-30, name what they pack so:

- `Full Name_PARTICIPANT_assignsubmission_file/FILE`, some sites with the login before the name;
  older: the same with `_FILE`, without folders;
- `lastfirst_ID_ATTACHMENT_FILE`, with `_LATE` before the id of what came late; `anon_CODE` for the
  name and the id where marking is anonymous.

Neither writes when a file was handed in: the times in the archive are those of the download
(Moodle's `files/classes/local/archive_writer/zip_writer.php`, commit 04975560, gives none).
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import PurePosixPath

from classroom.desk.archives import ArchivedFile

MOODLE, CANVAS, EXCHANGE, LOOSE = "Moodle", "Canvas", "exchange", "files"

_MOODLE = re.compile(
    r"(?P<key>(?P<name>[^_/]+)_(?P<number>\d+)_assignsubmission_(?:file|onlinetext))_?/?(?P<file>[^/].*)"
)
_CANVAS = re.compile(
    r"(?P<name>[^/]*?)_?(?:LATE_)?(?P<number>\d+|anon_[^_/]+)_(?:(?P<attachment>\d+)_)?(?P<file>[^/]+)"
)
_LATE = re.compile(r"(?:^|_)LATE_(?:\d+|anon_[^_]+)_")
_EXCHANGE = re.compile(
    r"(?P<name>[^+/]+)\+(?P<assignment>[^+/]+)\+(?P<time>\d{4}-\d\d-\d\d [\d:.]+ [^+/]*?)(?:\+[^/]*)?/(?P<file>.+)"
)
_ATTEMPT = re.compile(r"(?:-(?P<dash>\d{1,2})|\s?\((?P<brackets>\d{1,2})\))$")
PACKING = timedelta(minutes=30)
"""Within it lie the times of an archive that a server wrote, however slow it is."""


@dataclass(frozen=True)
class Origin:
    """What the name of a file says about who handed it in, and how."""

    system: str
    person: str
    """What the system calls them: a name, or a login in the exchange."""
    file: str
    """The file's own name, as it was handed in."""
    number: str = ""
    """The system's number of the person: Moodle's participant, Canvas's id."""
    key: str = ""
    """What names the files that go back: Moodle's folder, what opens a Canvas name."""
    attempt: int = 0
    """Later ones are larger; 0 where the system does not say."""
    late: bool = False
    time: str = ""
    """Time of hand-in, where the name says it."""
    others: tuple[str, ...] = ()
    """What else may be the person, in order."""


@dataclass
class HandIn:
    """What one person handed in at one time."""

    origin: Origin
    files: dict[str, ArchivedFile] = field(default_factory=dict)
    """By the name that the file gets."""
    earlier: list[tuple[str, ArchivedFile]] = field(default_factory=list)
    """Earlier attempts of the same files."""

    @property
    def time(self) -> datetime | None:
        """When its newest file was last changed, in UTC."""
        times = [file.time for file in self.files.values() if file.time]
        return max(times, default=None)


def moodle_origin(name: str) -> Origin | None:
    """Return what a path in Moodle's archive says.

    >>> moodle_origin("Zoë de la Cruz_417_assignsubmission_file/01_basics.ipynb")
    Origin(system='Moodle', person='Zoë de la Cruz', file='01_basics.ipynb', number='417', key='Zoë de la Cruz_417_assignsubmission_file', attempt=0, late=False, time='', others=())
    """
    parts = name.split("/")
    for index in range(len(parts)):
        if match := _MOODLE.fullmatch("/".join(parts[index:])):
            return Origin(
                MOODLE, match["name"].strip(), match["file"], match["number"], match["key"]
            )
    return None


def canvas_origin(name: str) -> Origin | None:
    """Return what a name in Canvas's archive says; the folder that holds it says nothing.

    >>> found = canvas_origin("cruzzoëdela_LATE_417_90210_01_basics-1.ipynb")
    >>> found.person, found.number, found.attempt, found.late, found.file, found.key
    ('cruzzoëdela', '417', 90210, True, '01_basics-1.ipynb', 'cruzzoëdela_LATE_417_90210')
    >>> canvas_origin("01_basics.ipynb") is None
    True
    """
    name = PurePosixPath(name).name
    match = _CANVAS.fullmatch(name)
    if match is None or not (match["attachment"] or match["file"] in ("text.html", "link.html")):
        return None
    person = match["name"] or match["number"]
    key = name.removesuffix(f"_{match['file']}")
    late = bool(_LATE.search(name))
    return Origin(
        CANVAS, person.removesuffix("_LATE"), match["file"], match["number"], key,
        int(match["attachment"] or 0), late,
    )  # fmt: skip


def exchange_origin(name: str, assignment: str) -> Origin | None:
    """Return what a path in the inbound folder of nbgrader's exchange says.

    >>> path = "inbound/ada+01_basics+2026-01-15 18:30:00.000000 UTC+c2Vj/01_basics.ipynb"
    >>> found = exchange_origin(path, "01_basics")
    >>> found.person, found.file, found.time
    ('ada', '01_basics.ipynb', '2026-01-15 18:30:00.000000 UTC')
    """
    parts = name.split("/")
    for index in range(len(parts)):
        if match := _EXCHANGE.fullmatch("/".join(parts[index:])):
            return (
                Origin(EXCHANGE, match["name"], match["file"], time=match["time"],
                       key=parts[index], others=("",) if match["assignment"] != assignment else ())
            )  # fmt: skip
    return None


def loose_origin(parts: Sequence[str], assignment: str) -> Origin | None:
    """Return whose a file in a folder of hand-ins is: its folder's, or the one its name says.

    >>> loose_origin(["ada", "01_basics", "01_basics.ipynb"], "01_basics").person
    'ada'
    >>> loose_origin(["Lovelace, Ada - 01_basics.ipynb"], "01_basics").person
    'Lovelace, Ada'
    >>> loose_origin(["01_basics.ipynb"], "01_basics") is None
    True
    """
    *folders, name = parts
    folders = [folder for folder in folders if folder != assignment]
    stem = PurePosixPath(name).stem
    left = re.sub(rf"(?i)[\s_.+-]*{re.escape(assignment)}[\s_.+-]*", " ", _bare(stem)[0])
    left = re.sub(r"(?i)[\s_-]*copy\d*$", "", left).strip(" _-+.,")
    people = tuple(dict.fromkeys(part for part in (*folders[:1], left, *folders[1:]) if part))
    if not people:
        return None
    inner = parts[parts.index(folders[0]) + 1 :] if folders else [name]
    inner = inner[1:] if inner[0] == assignment and len(inner) > 1 else inner
    return Origin(LOOSE, people[0], "/".join(inner), others=people[1:])


def origins(
    files: Sequence[ArchivedFile], assignment: str
) -> list[tuple[ArchivedFile, Origin | None]]:
    """Return each file with what its name says; what most files look like decides for all."""
    names = [file.name for file in files]
    moodle = [moodle_origin(name) for name in names]
    if any(moodle):
        return list(zip(files, moodle, strict=True))
    exchange = [exchange_origin(name, assignment) for name in names]
    if any(exchange):
        return list(zip(files, exchange, strict=True))
    canvas = [canvas_origin(name) for name in names]
    if sum(map(bool, canvas)) * 2 > len(names):
        return list(zip(files, canvas, strict=True))
    skipped = _common(files, assignment)
    return [(file, loose_origin(file.parts[skipped:], assignment)) for file in files]


def _common(files: Sequence[ArchivedFile], assignment: str) -> int:
    """Return how many folders hold all hand-ins and name nobody."""
    count = 0
    while files:
        firsts = {file.parts[count] for file in files if len(file.parts) > count + 1}
        rest = {file.parts[count + 1] for file in files if len(file.parts) > count + 1}
        alone = len(firsts) == 1 and all(len(file.parts) > count + 1 for file in files)
        notebooks = [name for name in rest if name.endswith(".ipynb")]
        several = len(rest) > 1 and (not notebooks or len(notebooks) > 1)
        if not alone or not (several or firsts == {assignment} or "submitted" in firsts):
            return count
        count += 1
    return count


def grouped(
    found: Iterable[tuple[ArchivedFile, Origin]],
) -> list[HandIn]:
    """Return what each person handed in; of several attempts of one file the newest counts.

    In nbgrader's exchange each folder is an attempt. In Canvas's archive two files are attempts of
    one where their names differ by the number that it adds at the end. Elsewhere nobody knows which
    is newer: all stay, and the grader takes the one with most answers and names the others.
    """
    people: dict[tuple[str, ...], list[tuple[ArchivedFile, Origin]]] = defaultdict(list)
    for file, origin in found:
        people[origin.system, origin.person, origin.number, origin.time].append((file, origin))
    result = []
    for entries in people.values():
        attempts: dict[str, list[tuple[ArchivedFile, Origin]]] = defaultdict(list)
        for file, origin in entries:
            path = PurePosixPath(origin.file)
            bare = _bare(path.stem)[0] if origin.system == CANVAS else path.stem
            attempts[str(path.with_name(bare + path.suffix)).casefold()].append((file, origin))
        newest = [max(same, key=_rank) for same in attempts.values()]
        last = max(newest, key=_first_notebook)[1]
        made = HandIn(last)
        for same in attempts.values():
            *older, (file, origin) = sorted(same, key=_rank)
            name = origin.file
            if older:  # the number at the end only said which one it is
                path = PurePosixPath(name)
                name = str(path.with_name(_bare(path.stem)[0] + path.suffix))
            made.files[name] = file
            made.earlier += [(one.file, other) for other, one in older]
        result.append(made)
    return result


def _bare(stem: str) -> tuple[str, int]:
    """Return a name without the number that tells attempts apart, and that number.

    >>> _bare("01_basics-2"), _bare("01_basics (1)"), _bare("01_basics")
    (('01_basics', 2), ('01_basics', 1), ('01_basics', 0))
    """
    match = _ATTEMPT.search(stem)
    if match is None or match.start() == 0:
        return stem, 0
    return stem[: match.start()], int(match["dash"] or match["brackets"])


def _rank(one: tuple[ArchivedFile, Origin]) -> tuple[int, datetime, int]:
    file, origin = one
    return origin.attempt, file.time or datetime.min, _bare(PurePosixPath(origin.file).stem)[1]


def _first_notebook(one: tuple[ArchivedFile, Origin]) -> tuple[bool, int]:
    return one[1].file.lower().endswith(".ipynb"), one[1].attempt


def of_download(hand_ins: Sequence[HandIn], packed: datetime | None) -> bool:
    """Tell whether an archive holds times of its download in place of those of hand-in.

    Parameters
    ----------
    hand_ins : sequence of HandIn
        What is in the archive.
    packed : datetime or None
        When the archive itself was written, in UTC.
    """
    times = [one.time for one in hand_ins if one.time]
    if not times or packed is None or hand_ins[0].origin.system not in (MOODLE, CANVAS):
        return False
    return max(times) - min(times) <= PACKING and abs(packed - max(times)) < timedelta(days=1)


def as_notebook(
    names: Mapping[str, ArchivedFile] | Iterable[str], assignment: str
) -> dict[str, str]:
    """Return the new names of files: the only notebook gets the assignment's name.

    Some browsers save a notebook as `.ipynb.json` or `.ipynb.txt`, or without its own ending.

    >>> as_notebook(["01_basics-Copy1.ipynb", "note.txt"], "01_basics")
    {'01_basics-Copy1.ipynb': '01_basics.ipynb'}
    >>> as_notebook(["01_basics.ipynb.txt", "note.txt"], "01_basics")
    {'01_basics.ipynb.txt': '01_basics.ipynb'}
    """
    names = list(names)
    notebooks = [name for name in names if name.lower().endswith(".ipynb")]
    notebooks = notebooks or [name for name in names if _saved_as_other(name, assignment)]
    wanted = f"{assignment}.ipynb"
    return {notebooks[0]: wanted} if len(notebooks) == 1 and notebooks[0] != wanted else {}


def _saved_as_other(name: str, assignment: str) -> bool:
    path = PurePosixPath(name.lower())
    ours = path.stem.endswith(".ipynb") or _bare(path.stem)[0] == assignment.lower()
    return path.suffix in (".json", ".txt") and ours
