"""Hand-ins come in as platforms name them: to the right student, newest first, nothing lost."""

from __future__ import annotations

import io
import os
import stat
import subprocess
import sys
import unicodedata
import zipfile
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hand_in_archives import NOON, notebook, written, zipped
from hypothesis import given
from hypothesis import strategies as st
from small_class import CHAPTER, SmallClass

from classroom.authoring.student_notebooks import course_config
from classroom.cli import main
from classroom.desk.archives import MOST_FILES, open_archive
from classroom.desk.collect import CollectedRow, RefusingExtractor, collect
from classroom.desk.hand_ins import canvas_origin, moodle_origin
from classroom.errors import ClassroomError
from classroom.marking.grade import Options, grade, handed_in
from classroom.marking.people import Roster, RosterEntry, known_columns, match_key, roster_of
from classroom.marking.room import Room, room_of

BOOK = f"{CHAPTER}.ipynb"
ROSTER = """id,first name,last name,email,login,canvas id
001,Zoë,Müller,zoe@example.org,zmuller,91
002,María José,García Márquez,mj@example.org,mgarcia,92
003,Jan,de Vries,jan@example.org,jvries,93
004,Ana,Silva,ana.one@example.org,asilva1,94
005,Ana,Silva,ana.two@example.org,asilva2,95
"""


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory, root: Path) -> object:
    """The configuration that the project ships, read once."""
    return course_config(SmallClass(tmp_path_factory.mktemp("shipped") / "course", root).project)


class Place(SmallClass):
    """A class to which nobody has handed in anything; it knows its room without reading a file."""

    def __init__(self, folder: Path, repository: Path, config: object) -> None:
        super().__init__(folder, repository)
        self._room = room_of(config, folder, gradebook=f"sqlite:///{folder}/class/gradebook.db")
        self._room.folder.mkdir()

    @property
    def room(self) -> Room:
        return self._room


@pytest.fixture
def place(tmp_path: Path, root: Path, config: object) -> Place:
    return Place(tmp_path / "course", root, config)


def take(
    place: Place,
    source: bytes | Path,
    roster: str | bytes | None = ROSTER,
    packed: datetime | None = None,
) -> dict[str, CollectedRow]:
    """Collect an archive, or a folder; give the rows by what the system calls people."""
    if isinstance(source, bytes):
        source = written(place.project.root / "downloads" / "all.zip", source)
        if packed is not None:
            seconds = packed.astimezone().timestamp()
            os.utime(source, (seconds, seconds))
    table = None if roster is None else written(place.project.root / "downloads" / "r.csv", roster)
    rows = collect(place.room, place.chapter, source, roster=table, say=lambda _: None)
    return {row.name: row for row in rows}


def files(place: Place, folder: str = "submitted") -> dict[str, bytes]:
    """Everything in a folder of the class."""
    home = place.room.folder / folder
    return {
        str(path.relative_to(home)): path.read_bytes()
        for path in sorted(home.rglob("*"))
        if path.is_file()
    }


def utc(local: datetime) -> str:
    return f"{local.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def test_moodles_archive_goes_to_the_ids_of_the_roster(place: Place) -> None:
    later = NOON + timedelta(hours=5)
    rows = take(place, zipped([
        (f"Zoë Müller_417_assignsubmission_file/{BOOK}", notebook(why="Zoë"), NOON),
        (f"María José García Márquez_418_assignsubmission_file_/{BOOK}", notebook(), later),
        (f"Vries Jan de_419_assignsubmission_file_{BOOK}", notebook(), NOON),
        ("Jan de Vries_419_assignsubmission_onlinetext/onlinetext.html", b"<p>note", NOON),
    ]))  # fmt: skip
    assert {row.student for row in rows.values()} == {"001", "002", "003"}
    assert files(place)[f"001/{CHAPTER}/{BOOK}"] == notebook(why="Zoë")
    assert rows["Zoë Müller"].time == utc(NOON)
    path = place.room.submitted / "002" / CHAPTER / BOOK
    assert path.stat().st_mtime == later.astimezone().timestamp()
    assert (path.parent / "timestamp.txt").read_text() == utc(later)
    assert place.room.collected(CHAPTER)["002"] == utc(later)


@pytest.mark.parametrize("form", ["NFC", "NFD"])
@pytest.mark.parametrize("other", ["NFC", "NFD"])
def test_a_name_is_one_name_in_either_form_of_its_accents(
    place: Place, form: str, other: str
) -> None:
    name = unicodedata.normalize(form, "Zoë Müller")  # type: ignore[arg-type]
    table = unicodedata.normalize(other, ROSTER)  # type: ignore[arg-type]
    assert take(
        place, zipped({f"{name}_4_assignsubmission_file/{BOOK}": notebook()}), table
    )["Zoë Müller"].student == "001"  # fmt: skip


def test_names_that_an_old_program_wrote_without_saying_utf8_are_read(place: Place) -> None:
    name = "Zoë Müller_4_assignsubmission_file/x.ipynb"
    good = zipped({name: notebook()})
    marked = bytearray(good)
    for start in (b"PK\x03\x04", b"PK\x01\x02"):
        at = marked.find(start) + (6 if start.endswith(b"\x04") else 8)
        marked[at : at + 2] = b"\0\0"
    assert take(place, bytes(marked))["Zoë Müller"].student == "001"


def test_canvas_keeps_the_newest_attempt_and_the_others_aside(place: Place) -> None:
    rows = take(place, zipped({
        f"müllerzoë_LATE_91_5001_{BOOK}": notebook(why="first"),
        f"müllerzoë_LATE_91_5003_{CHAPTER}-1.ipynb": notebook(why="second"),
        "garcíamárquezmaríajosé_92_5002_work.ipynb": notebook(),
        "garcíamárquezmaríajosé_92_5004_notes.pdf": b"%PDF",
        "someoneelse_93_5005_answers.ipynb": notebook(why="number 93"),
    }))  # fmt: skip
    assert rows["müllerzoë"].student == "001"
    assert "late" in rows["müllerzoë"].note
    assert files(place)[f"001/{CHAPTER}/{BOOK}"] == notebook(why="second")
    assert notebook(why="first") in files(place, "earlier").values()
    assert {f"002/{CHAPTER}/{BOOK}", f"002/{CHAPTER}/notes.pdf"} <= set(files(place))
    assert rows["someoneelse"].student == "003", "Canvas's number tells more than the name"


def test_two_people_of_one_name_are_told_apart_or_not_taken(place: Place) -> None:
    rows = take(place, zipped({f"silvaana_95_1_{BOOK}": notebook()}))
    assert rows["silvaana"].student == "005"
    rows = take(place, zipped({f"Ana Silva_7_assignsubmission_file/{BOOK}": notebook()}))
    assert rows["Ana Silva"].result == "not matched"
    assert "2 people in the roster are called Ana Silva: 004, 005" in rows["Ana Silva"].note
    worksheet = (
        "Identifier,Full name,Email address,Username,Last modified (submission)\n"
        'Participant 7,Ana Silva,ana.two@example.org,asilva2,"Thursday, 15 January 2026, 6:30 PM"\n'
        "Participant 8,Ana Silva,ana.one@example.org,asilva1,-\n"
    )
    rows = take(place, zipped({f"Ana Silva_7_assignsubmission_file/{BOOK}": notebook()}), worksheet)
    assert rows["Ana Silva"].student == "005"
    assert rows["Ana Silva"].time == utc(datetime(2026, 1, 15, 18, 30))


def test_whoever_is_nearly_called_so_and_whoever_sent_nothing_is_named(place: Place) -> None:
    said: list[str] = []
    source = written(
        place.project.root / "a.zip",
        zipped({f"Zoe Muller_4_assignsubmission_file/{BOOK}": notebook(),
                f"Jan de Vries_5_assignsubmission_file/{BOOK}": notebook()}),
    )  # fmt: skip
    roster = written(place.project.root / "r.csv", ROSTER)
    collect(place.room, place.chapter, source, roster=roster, say=said.append)
    text = "\n".join(said)
    assert "nobody in the roster is called Zoe Muller; near is 001" in text
    assert "Nothing came from 4 of the roster: 001, 002, 004, 005." in text


@pytest.mark.parametrize("name", ["zoe@example.org", "zmuller", "001", "zmuller Zoë Müller"])
def test_a_site_that_shows_addresses_or_logins_for_names_is_understood(
    place: Place, name: str
) -> None:
    rows = take(place, zipped({f"{name}_4_assignsubmission_file/{BOOK}": notebook()}))
    assert rows[name].student == "001"


def test_a_roster_of_numbers_alone_is_taken_for_canvas_own(place: Place) -> None:
    rows = take(place, zipped({f"müllerzoë_1091_7_{BOOK}": notebook()}), "id,email\n1091,z@x.org\n")
    assert rows["müllerzoë"].student == "1091"
    rows = take(
        place, zipped({f"müllerzoë_1091_8_{BOOK}": notebook()}), "id,name\n1091,Jan Vries\n"
    )
    assert rows["müllerzoë"].result == "not matched", "names tell otherwise"


def test_two_people_of_one_name_are_not_mixed_without_a_roster(place: Place) -> None:
    both = {f"Ana Silva_{n}_assignsubmission_file/{BOOK}": notebook() for n in (7, 8)}
    assert take(place, zipped(both), None)["Ana Silva"].result == "not matched"
    assert files(place) == {}


def test_without_a_roster_people_are_called_as_the_platform_calls_them(place: Place) -> None:
    take(place, zipped({f"Zoë Müller_4_assignsubmission_file/{BOOK}": notebook()}), None)
    assert f"Zoë Müller/{CHAPTER}/{BOOK}" in files(place)


@pytest.mark.parametrize(
    "name",
    [
        f"zmuller/{BOOK}", f"zmuller/{CHAPTER}/{BOOK}", f"submitted/zmuller/{CHAPTER}/{BOOK}",
        f"hand ins/zoe@example.org/{BOOK}", "zmuller.ipynb", f"{CHAPTER}_zmuller.ipynb",
        f"Müller, Zoë - {CHAPTER}.ipynb", f"001_{CHAPTER} (2).ipynb", "Zoë Müller/Untitled.ipynb",
    ],
)  # fmt: skip
@pytest.mark.parametrize("packed", [True, False])
def test_a_folder_of_loose_notebooks_is_sorted_by_the_names_in_it(
    place: Place, name: str, packed: bool
) -> None:
    one = next(part for part in Path(name).parts if part not in ("submitted", "hand ins"))
    other = name.replace(one, "jvries") if "/" in name else "jvries.ipynb"
    names = {name: notebook(why="Zoë"), other: notebook(why="Jan")}
    if packed:
        take(place, zipped(names))
    else:
        for path, content in names.items():
            written(place.project.root / "loose" / path, content)
        take(place, place.project.root / "loose")
    assert files(place)[f"001/{CHAPTER}/{BOOK}"] == notebook(why="Zoë")
    assert files(place)[f"003/{CHAPTER}/{BOOK}"] == notebook(why="Jan")


def test_a_file_that_names_nobody_is_said_and_left(place: Place) -> None:
    rows = take(place, zipped({BOOK: notebook(), "zmuller.ipynb": notebook()}))
    assert rows[BOOK].note == "its name does not say whose it is"
    assert rows["zmuller"].result == "taken"


def test_the_exchange_keeps_its_times_and_secrets(place: Place) -> None:
    home = place.project.root / "exchange" / "leverage_course" / "inbound"
    for hour, why in ((10, "first"), (11, "second")):
        when = f"2026-01-15 {hour}:00:00.000000 UTC"
        folder = home / f"zmuller+{CHAPTER}+{when}+c2VjcmV0"
        written(folder / BOOK, notebook(why=why))
        written(folder / "timestamp.txt", when)
        written(folder / "submission_secret.txt", f"secret of {hour}")
    written(home / "zmuller+02_other+2026-01-15 10:00:00.000000 UTC" / "02.ipynb", notebook())
    take(place, place.project.root / "exchange")
    found = files(place)
    assert found[f"001/{CHAPTER}/{BOOK}"] == notebook(why="second")
    assert found[f"001/{CHAPTER}/submission_secret.txt"] == b"secret of 11"
    assert handed_in({"timestamp.txt": found[f"001/{CHAPTER}/timestamp.txt"]})[0] == datetime(
        2026, 1, 15, 11
    )
    assert notebook(why="first") in files(place, "earlier").values()
    assert not any("02_other" in name for name in found)


def test_a_second_run_changes_nothing(place: Place) -> None:
    archive = zipped({
        f"müllerzoë_91_5001_{BOOK}": notebook(why="first"),
        f"müllerzoë_91_5003_{BOOK}": notebook(why="second"),
        f"devriesjan_93_5004_{BOOK}": notebook(),
    })  # fmt: skip
    take(place, archive)
    before = files(place, ".")
    rows = take(place, archive)
    assert {row.result for row in rows.values()} == {"unchanged"}
    assert files(place, ".") == before


def test_nothing_is_overwritten_without_a_copy(place: Place) -> None:
    def archive(why: str, day: int) -> bytes:
        moment = NOON + timedelta(days=day)
        return zipped([(f"Zoë Müller_4_assignsubmission_file/{BOOK}", notebook(why=why), moment)])

    place.hand_in("001", notebook(why="by hand"))
    assert take(place, archive("first", 0))["Zoë Müller"].result == "replaced"
    assert take(place, archive("second", 1))["Zoë Müller"].result == "replaced"
    assert take(place, archive("first", 0))["Zoë Müller"].result == "kept aside"
    assert files(place)[f"001/{CHAPTER}/{BOOK}"] == notebook(why="second")
    aside = files(place, "earlier").values()
    assert {notebook(why="by hand"), notebook(why="first")} <= set(aside)


def test_what_a_teacher_changed_stays_until_something_new_comes(place: Place) -> None:
    archive = zipped({f"Zoë Müller_4_assignsubmission_file/{BOOK}": notebook(why="sent")})
    take(place, archive)
    place.hand_in("001", notebook(why="mended"))
    row = take(place, archive)["Zoë Müller"]
    assert (row.result, row.note) == ("unchanged", "changed by hand since, left as it is")
    assert files(place)[f"001/{CHAPTER}/{BOOK}"] == notebook(why="mended")


def test_a_zip_that_a_student_handed_in_is_opened_and_no_notebook_is_said(
    place: Place,
) -> None:
    rows = take(place, zipped({
        "Zoë Müller_4_assignsubmission_file/work.zip": zipped({"my work/x.ipynb": notebook()}),
        "Jan de Vries_5_assignsubmission_file/report.pdf": b"%PDF",
    }))  # fmt: skip
    assert notebook() in files(place).values()
    assert "out of work.zip" in rows["Zoë Müller"].note
    assert rows["Jan de Vries"].note == "no notebook: report.pdf"
    assert f"003/{CHAPTER}/report.pdf" in files(place), "it gets a verdict and a page all the same"


def test_a_bad_zip_of_one_student_stops_nobody_else(place: Place) -> None:
    rows = take(place, zipped({
        "Zoë Müller_4_assignsubmission_file/work.zip": zipped({"../../x.ipynb": notebook()}),
        f"Jan de Vries_5_assignsubmission_file/{BOOK}": notebook(),
    }))  # fmt: skip
    assert "work.zip is refused: a path leads out of it" in rows["Zoë Müller"].note
    assert f"003/{CHAPTER}/{BOOK}" in files(place)


def link(name: str) -> bytes:
    info = zipfile.ZipInfo(name)
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr(info, "/etc/passwd")
    return made.getvalue()


HOSTILE = {
    "leads out": zipped({"../ada.ipynb": b"{}"}),
    "leads out inside": zipped({"a/../../ada.ipynb": b"{}"}),
    "leads out in Windows": zipped({"..\\ada.ipynb": b"{}"}),
    "absolute": zipped({"/etc/ada.ipynb": b"{}"}),
    "a drive": zipped({"C:/ada.ipynb": b"{}"}),
    "link": link("ada.ipynb"),
    "bomb": zipped({"ada.ipynb": b"\0" * 60_000_000}),
    "many": zipped({f"{n}.ipynb": b"" for n in range(MOST_FILES + 1)}),
    "no archive": b"PK\x03\x04 and nothing",
    "empty": b"",
    "cut short": zipped({f"Zoë Müller_4_assignsubmission_file/{BOOK}": notebook()})[:-40],
}


@pytest.mark.parametrize("content", [pytest.param(c, id=name) for name, c in HOSTILE.items()])
def test_a_hostile_or_broken_archive_is_refused_with_one_sentence(
    place: Place, content: bytes, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    path = written(place.project.root / "bad.zip", content)
    monkeypatch.chdir(place.project.root)
    assert main(["collect", "1", str(path)]) == 2
    error = capsys.readouterr().err
    assert error.startswith("classroom collect: bad.zip ")
    assert error.count("\n") == 1
    assert sorted(p.name for p in place.room.folder.iterdir()) == []


def test_a_link_in_a_folder_is_refused(place: Place) -> None:
    folder = place.project.root / "loose"
    written(folder / "zmuller.ipynb", notebook())
    (folder / "jvries.ipynb").symlink_to("/etc/passwd")
    with pytest.raises(ClassroomError, match="holds a link"):
        take(place, folder)


def test_a_broken_file_in_an_archive_stops_nobody_else(place: Place) -> None:
    content = bytearray(zipped({
        "Zoë Müller_4_assignsubmission_file/a.ipynb": b"x" * 400,
        f"Jan de Vries_5_assignsubmission_file/{BOOK}": notebook(),
    }))  # fmt: skip
    at = content.index(b"a.ipynb") + len("a.ipynb") + 2
    content[at] ^= 0xFF
    rows = take(place, bytes(content))
    assert "damaged in its archive" in rows["Zoë Müller"].note
    assert rows["Jan de Vries"].result == "taken"


def test_the_time_of_a_download_is_not_taken_for_that_of_hand_in(place: Place) -> None:
    names = {f"{n}_{i}_assignsubmission_file/{BOOK}": notebook()
             for i, n in enumerate(("Zoë Müller", "Jan de Vries"))}  # fmt: skip
    rows = take(place, zipped(names), packed=NOON + timedelta(seconds=30))
    assert {row.time for row in rows.values()} == {""}
    assert place.room.collected(CHAPTER) == {}
    rows = take(place, zipped(names), packed=NOON + timedelta(days=40))
    assert {row.result for row in rows.values()} == {"unchanged"}


@pytest.mark.parametrize("count", [1, 5])
def test_one_hand_in_and_a_slow_server_are_no_reason_to_believe_the_time(
    place: Place, count: int
) -> None:
    made = [
        (f"{name}_{n}_assignsubmission_file/{BOOK}", notebook(), NOON + timedelta(seconds=20 * n))
        for n, name in enumerate(["Zoë Müller", "Jan de Vries", "A B", "C D", "E F"][:count])
    ]
    rows = take(place, zipped(made), None, packed=NOON + timedelta(minutes=3))
    assert {row.time for row in rows.values()} == {""}


def test_a_worksheet_of_another_assignment_gives_no_time_and_no_name(place: Place) -> None:
    worksheet = (
        "Identifier,Full name,Email address,Last modified (submission)\n"
        'Participant 7,Zoë Müller,zoe@example.org,"Thursday, 15 January 2026, 6:30 PM"\n'
    )
    rows = take(place, zipped({
        f"Zoë Müller_107_assignsubmission_file/{BOOK}": notebook(),
        f"Jan de Vries_7_assignsubmission_file/{BOOK}": notebook(),
    }), worksheet, packed=NOON)  # fmt: skip
    assert (rows["Zoë Müller"].result, rows["Zoë Müller"].time) == ("taken", "")
    assert rows["Jan de Vries"].result == "not matched"
    assert "is its worksheet the one of this assignment?" in rows["Jan de Vries"].note


def test_a_notebook_of_another_chapter_replaces_nothing(place: Place) -> None:
    name = f"Zoë Müller_4_assignsubmission_file/{BOOK}"
    take(place, zipped({name: notebook()}))
    other = notebook().replace(b'"ch01_', b'"ch09_')
    assert other != notebook()
    rows = take(place, zipped({name: other}))
    assert rows["Zoë Müller"].result == "not matched"
    assert "no cell of 01_small is in it" in rows["Zoë Müller"].note
    assert files(place)[f"001/{CHAPTER}/{BOOK}"] == notebook()


@pytest.mark.parametrize("saved", [f"{BOOK}.json", f"{BOOK}.txt", f"{CHAPTER}.json"])
def test_a_notebook_that_a_browser_saved_under_another_ending_counts(
    place: Place, saved: str
) -> None:
    rows = take(place, zipped({f"Zoë Müller_4_assignsubmission_file/{saved}": notebook()}))
    assert rows["Zoë Müller"].note == f"was {saved}"
    assert files(place)[f"001/{CHAPTER}/{BOOK}"] == notebook()


def test_of_two_downloads_of_one_notebook_both_stay_for_the_grader_to_choose(place: Place) -> None:
    folder = "Zoë Müller_4_assignsubmission_file"
    again = f"{CHAPTER} (1).ipynb"
    take(place, zipped({f"{folder}/{BOOK}": notebook(), f"{folder}/{again}": notebook("", "")}))
    assert {f"001/{CHAPTER}/{BOOK}", f"001/{CHAPTER}/{again}"} <= set(files(place))
    assert not files(place, "earlier")
    run = grade(place.chapter, Options(workers=1), find=lambda: place.room, say=lambda _: None)
    assert run.graded == ["001"]


def test_numbered_folders_are_graded_with_the_time_that_was_kept(place: Place) -> None:
    take(place, zipped({f"Zoë Müller_4_assignsubmission_file/{BOOK}": notebook()}))
    run = grade(place.chapter, Options(workers=1), find=lambda: place.room, say=lambda _: None)
    assert run.graded == ["001"]
    assert not run.misplaced
    assert not run.unusable


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ("\ufeffid;name\n7;Ada Lovelace\n", ("7", "Ada Lovelace", "Lovelace, Ada")),
        ("Student,ID,SIS User ID,SIS Login ID,Section\n    Points Possible,,,,\n"
         '"Lovelace, Ada",91,S1,ada,A\n"Student, Test",99,,x,A\n', ("ada", "Ada Lovelace", "Lovelace, Ada")),
        ("First name\tSurname\tEmail address\nAda\tLovelace\ta@x.org\n",
         ("a@x.org", "Ada Lovelace", "Lovelace, Ada")),
        ("student,name\nada,Ada Lovelace\n", ("ada", "Ada Lovelace", "Lovelace, Ada")),
        ("id,first_name,last_name,email,lms_user_id\nada,Ada,Lovelace,,91\n",
         ("ada", "Ada Lovelace", "Lovelace, Ada")),
    ],
)  # fmt: skip
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_rosters_of_all_systems_are_read(
    table: str, expected: tuple[str, str, str], encoding: str
) -> None:
    (person,) = roster_of(table.encode(encoding), "roster.csv").people
    assert (person.id, person.full_name, person.sortable_name) == expected


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        (b"PK\x03\x04...", "is a workbook; save it as CSV"),
        (b"colour,size\nred,1\n", "has no column that says who somebody is"),
        (b"", "has no column that says who somebody is"),
        (b"id\n../x\n", "cannot be the name of a folder"),
        (b"id\nada\nADA\n", "stands twice"),
    ],
)
def test_a_roster_that_cannot_be_used_is_one_sentence(table: bytes, sentence: str) -> None:
    with pytest.raises(ClassroomError, match=sentence):
        roster_of(table, "roster.csv")


def test_the_roster_is_kept_and_its_forerunner_too(place: Place) -> None:
    archive = zipped({f"Zoë Müller_4_assignsubmission_file/{BOOK}": notebook()})
    take(place, archive)
    assert take(place, archive, None)["Zoë Müller"].student == "001"
    take(place, archive, ROSTER.replace("001", "777"))
    assert (place.room.folder / "roster.csv").read_text().count("777") == 1
    assert ROSTER.encode() in files(place, "earlier").values()


def test_a_grading_worksheet_adds_times_and_takes_no_id_away(place: Place) -> None:
    archive = zipped({f"Ana Silva_{n}_assignsubmission_file/{BOOK}": notebook() for n in (7, 8)})
    take(place, zipped({f"Zoë Müller_4_assignsubmission_file/{BOOK}": notebook()}))
    worksheet = (
        "Identifier,Full name,Email address,Last modified (submission)\n"
        'Participant 7,Ana Silva,ana.two@example.org,"Thursday, 15 January 2026, 6:30 PM"\n'
        'Participant 8,Ana Silva,ana.one@example.org,"Friday, 16 January 2026, 6:30 PM"\n'
        "Participant 9,New Comer,new@example.org,-\n"
    )
    take(place, archive, worksheet)
    assert {f"004/{CHAPTER}/{BOOK}", f"005/{CHAPTER}/{BOOK}"} <= set(files(place))
    assert place.room.collected(CHAPTER)["005"] == utc(datetime(2026, 1, 15, 18, 30))
    assert place.room.collected(CHAPTER)["004"] == utc(datetime(2026, 1, 16, 18, 30))
    kept = roster_of((place.room.folder / "roster.csv").read_bytes(), "roster.csv").by_id
    assert set(kept) == {"001", "002", "003", "004", "005", "new@example.org"}
    assert (kept["001"].canvas_id, kept["004"].login) == ("91", "asilva1")
    assert ROSTER.encode() in files(place, "earlier").values()
    before = files(place, ".")
    take(place, archive, worksheet)
    assert files(place, ".") == before


NAME = st.text(
    st.characters(blacklist_categories=["Cc", "Cs"], blacklist_characters="_/\\:*?\"<>|"),
    min_size=1, max_size=30,
).filter(lambda text: any(c.isalnum() for c in text))  # fmt: skip


@given(NAME, st.integers(1, 10**9), st.sampled_from(["NFC", "NFD"]))
def test_any_name_comes_back_out_of_moodles_folder(name: str, number: int, form: str) -> None:
    path = unicodedata.normalize(form, f"{name}_{number}_assignsubmission_file/{BOOK}")  # type: ignore[arg-type]
    found = moodle_origin(path)
    assert found is not None
    assert match_key(found.person) == match_key(name)
    assert (found.number, found.file) == (str(number), BOOK)
    roster = Roster((RosterEntry("1", name=name),))
    if match_key(name):
        assert roster.find(("name", found.person))[0] == roster.people[0]


@given(st.sampled_from(["", "LATE_"]), st.integers(1, 10**9), st.integers(1, 10**9))
def test_canvas_names_say_person_attempt_and_lateness(late: str, person: int, number: int) -> None:
    found = canvas_origin(f"lovelaceada_{late}{person}_{number}_my_{CHAPTER}_1_2.ipynb")
    assert found is not None
    assert (found.person, found.number, found.attempt, found.late) == (
        "lovelaceada", str(person), number, bool(late),
    )  # fmt: skip
    assert found.file == f"my_{CHAPTER}_1_2.ipynb"


def test_the_columns_of_canvas_are_not_taken_for_ids_of_the_class() -> None:
    assert "id" not in known_columns(["Student", "ID", "Section"])


def test_folders_of_systems_are_no_hand_ins(tmp_path: Path) -> None:
    names: Iterable[str] = ["a.ipynb", "__MACOSX/._a.ipynb", ".DS_Store", "x/Thumbs.db"]
    path = written(tmp_path / "a.zip", zipped(dict.fromkeys(names, b"")))
    with open_archive(path) as found:
        assert [file.name for file in found] == ["a.ipynb"]


def test_nbgraders_own_zip_collect_works_with_the_shipped_configuration(
    place: Place, root: Path
) -> None:
    home = place.project.root
    written(home / "class" / "roster.csv", ROSTER)
    written(
        home / "class" / "downloaded" / CHAPTER / "archive" / "all.zip",
        zipped({
            f"Zoë Müller_4_assignsubmission_file/{CHAPTER}-Copy1.ipynb": notebook(),
            f"Nobody Known_5_assignsubmission_file/{BOOK}": notebook(),
        }),
    )  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-m", "nbgrader", "zip_collect", CHAPTER],
        cwd=home, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "nobody in the roster is called Nobody Known" in done.stderr
    assert files(place)[f"001/{CHAPTER}/{BOOK}"] == notebook()
    when = files(place)[f"001/{CHAPTER}/timestamp.txt"]
    assert handed_in({"timestamp.txt": when})[0] == NOON.astimezone(UTC).replace(tzinfo=None)


def test_nbgraders_zip_collect_refuses_a_hostile_archive_with_one_sentence(place: Place) -> None:
    from nbgrader.apps import NbGraderApp

    home = place.project.root / "class" / "downloaded" / CHAPTER
    written(home / "archive" / "bad.zip", HOSTILE["leads out"])
    said: list[str] = []
    extractor = RefusingExtractor()
    extractor.parent = NbGraderApp()
    extractor.parent.fail = said.append
    extractor.extract(str(home / "archive"), str(home / "extracted"))
    assert len(said) == 1
    assert said[0].startswith("bad.zip is refused: a path leads out of it")
    assert not (home / "extracted").exists()


def test_version_control_ignores_every_place_of_students_names(root: Path) -> None:
    places = [
        "class/roster.csv", "class/downloaded/x", "downloaded/01_basics/archive/a.zip", "roster.csv",
        "roster_2026.csv", "submissions.zip", "01 Basics-submissions.zip", "submitted/ada/x",
        "exchange/x", "gradebook.db", "feedback/ada/x.html", "collected_01_basics.csv",
        "class/earlier/x", "class/giveback/x",
    ]  # fmt: skip
    done = subprocess.run(
        ["git", "check-ignore", "--no-index", *places],
        cwd=root, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout.splitlines() == places
