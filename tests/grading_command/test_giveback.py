"""What goes back is what each platform's importer reads: persons, points, pages."""

from __future__ import annotations

import csv
import io
import json
import re
import subprocess
import sys
import zipfile
from datetime import timedelta
from pathlib import Path

import pytest
from hand_in_archives import NOON, notebook, written, zipped
from nbgrader.api import Gradebook as NbgraderGradebook
from small_class import CHAPTER, SmallClass

from classroom.cli import main
from classroom.desk.collect import collect
from classroom.desk.giveback import GivenBack, giveback
from classroom.errors import ClassroomError
from classroom.marking.exports import canvas_csv, moodle_csv
from classroom.marking.grade import Options, grade
from classroom.marking.gradebook import Standing
from classroom.marking.people import Roster, RosterEntry

BOOK = f"{CHAPTER}.ipynb"
ROSTER = """id,first name,last name,email,login,id number,canvas id,section
001,Zoë,Müller,zoe@example.org,zmuller,M1,91,A
002,Jan,de Vries,jan@example.org,jvries,M2,92,A
003,Bo,Late,bo@example.org,blate,M3,93,B
"""
NAMES = {"001": "Zoë Müller_417", "002": "Jan de Vries_418", "004": "Un Known_420"}


def table(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))


def pages(path: Path) -> dict[str, str]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name).decode() for name in archive.namelist()}


@pytest.fixture(scope="module")
def back(tmp_path_factory: pytest.TempPathFactory, root: Path) -> tuple[SmallClass, GivenBack, str]:
    """A class of two from Moodle and one from Canvas, one answer still waiting for its mark."""
    made = SmallClass(tmp_path_factory.mktemp("back") / "course", root)
    home, said = made.project.root, []
    roster = written(home / "r.csv", ROSTER)
    first = zipped({f"{NAMES[i]}_assignsubmission_file/{BOOK}": notebook() for i in ("001", "002")})
    collect(made.room, made.chapter, written(home / "m.zip", first), roster=roster)
    second = zipped({f"latebo_LATE_93_5001_{BOOK}": notebook(), f"ghost_99_5002_{BOOK}": b"{}"})
    collect(made.room, made.chapter, written(home / "c.zip", second))
    made.hand_in("004", notebook())  # put there by hand, and in no roster
    grade(made.chapter, Options(workers=2), find=lambda: made.room, say=lambda _: None)
    with NbgraderGradebook(made.room.gradebook, "leverage_course") as theirs:
        for student in ("001", "003", "004"):
            mark = theirs.find_grade("ch01_b", CHAPTER, CHAPTER, student)
            mark.manual_score, mark.needs_manual_grade = 3.5, False
        theirs.db.commit()
    done = giveback(made.room, made.chapter, say=said.append)
    return made, done, "\n".join(said)


Back = tuple[SmallClass, GivenBack, str]


def test_moodles_grade_file_holds_known_people_only_each_with_all_that_names_them(
    back: Back,
) -> None:
    rows = table(back[0].room.folder / f"moodle_{CHAPTER}.csv")
    assert [list(row.values())[:4] for row in rows] == [
        ["zmuller", "zoe@example.org", "M1", "8.5"],
        ["jvries", "jan@example.org", "M2", ""],
        ["blate", "bo@example.org", "M3", "8.5"],
    ]
    assert rows[1][f"{CHAPTER} (Feedback)"] == "", "Moodle takes a comment with a grade only"


def test_the_grades_say_the_name_and_address_that_the_roster_has(back: Back) -> None:
    rows = {row["student_id"]: row for row in table(back[0].room.folder / f"grades_{CHAPTER}.csv")}
    named = [rows["002"][column] for column in ("last_name", "first_name", "email")]
    assert named == ["de Vries", "Jan", "jan@example.org"]
    assert rows["004"]["last_name"] == ""


def test_canvas_grade_file_opens_with_the_columns_that_its_importer_asks_for(back: Back) -> None:
    lines = list(csv.reader((back[0].room.folder / f"canvas_{CHAPTER}.csv").open()))
    assert lines[0] == ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", CHAPTER]
    assert lines[1] == ["Points Possible", "", "", "", "", "9"]
    assert lines[2] == ["Müller, Zoë", "91", "M1", "zmuller", "A", "8.5"]
    assert [line[-1] for line in lines[3:]] == ["", "8.5"]


def test_pages_go_back_to_moodle_in_the_folders_that_it_reads(back: Back) -> None:
    found = pages(back[0].room.folder / f"moodle_feedback_{CHAPTER}.zip")
    assert set(found) == {
        f"{NAMES[i]}_assignsubmission_file/{CHAPTER}.html" for i in ("001", "002")
    }
    for name in found:  # as importziplib.php takes a name apart
        info = name.split("/")[0].split("_", 4)
        assert len(info) >= 4
        assert info[1].isdecimal()
        assert info[2:4] == ["assignsubmission", "file"]
    assert "8.5 of 9 points" in found[f"{NAMES['001']}_assignsubmission_file/{CHAPTER}.html"]


def test_pages_go_back_to_canvas_under_names_that_it_reads(back: Back) -> None:
    (name,) = pages(back[0].room.folder / f"canvas_feedback_{CHAPTER}.zip")
    numbers = [part for part in name.split("_") if re.fullmatch(r"\d+", part)]
    assert numbers[:2] == ["93", "5001"], "the person and the file that was handed in"
    assert name.endswith(".html")


def test_whoever_the_roster_lacks_is_named_and_left_out(back: Back) -> None:
    _, done, said = back
    assert done.left_out == ("004",)
    assert "Not in the roster, so in no grade file: 004." in said
    assert "The maximum is 9: give the grade item in Moodle that maximum first." in said
    assert "1 still wait for a mark" in said


def test_the_same_pages_make_the_same_files(back: Back) -> None:
    made = back[0]
    before = {path: path.stat().st_mtime_ns for path in back[1].files}
    giveback(made.room, made.chapter, say=lambda _: None)
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_before_anything_is_graded_it_says_what_to_do(tmp_path: Path, root: Path) -> None:
    made = SmallClass(tmp_path / "course", root)
    made.room.folder.mkdir(exist_ok=True)
    with pytest.raises(ClassroomError, match="first run 'classroom grade 01_small'"):
        giveback(made.room, made.chapter)


def test_canvas_own_column_and_numbers_are_used_where_they_are_known() -> None:
    header = ("Student", "ID", "SIS Login ID", "Section", "1. Small (4711)", "Final Score")
    people = Roster((RosterEntry("7", canvas_id="91", name="Lovelace, Ada"),), header)
    text = canvas_csv("01_small", 9, [Standing("7", score=4.0), Standing("8", score=1.0)], people)
    assert text.splitlines() == [
        "Student,ID,SIS User ID,SIS Login ID,Section,1. Small (4711)",
        "Points Possible,,,,,9",
        '"Lovelace, Ada",91,,,,4',
    ]


def test_an_identifying_column_with_a_gap_is_left_out_of_moodles_file() -> None:
    """Moodle would give the grade of a line without a name to the person on the line before."""
    people = Roster((
        RosterEntry("1", login="ada", email="ada@example.org"), RosterEntry("2", login="bob"),
        RosterEntry("3", login="eve"),
    ))  # fmt: skip
    class_ = [Standing(student, score=1.0) for student in "12"]
    assert moodle_csv("01", class_, {}, people).splitlines() == [
        "Username,01,01 (Feedback)", "ada,1,", "bob,1,",
    ]  # fmt: skip
    gaps = Roster((RosterEntry("1", email="ada@example.org"), RosterEntry("2", name="Bob")))
    assert moodle_csv("01", class_, {}, gaps).splitlines()[1:] == ["ada@example.org,1,"]
    nobody = Roster((RosterEntry("1"), RosterEntry("2")))
    assert len(moodle_csv("01", class_, {}, nobody).splitlines()) == 1


def test_the_command_ends_with_one_where_somebody_is_left_out(
    back: Back, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(back[0].project.root)
    assert main(["giveback", "1"]) == 1
    assert "moodle_feedback_01_small.zip  Moodle: " in capsys.readouterr().out


def test_the_exchange_gives_each_student_the_page_of_their_hand_in(
    tmp_path: Path, root: Path
) -> None:
    made = SmallClass(tmp_path / "course", root)
    home = made.project.root
    exchange = home / "exchange"
    with (home / "nbgrader_config.py").open("a") as file:
        file.write(f"\nc.Exchange.root = {str(exchange)!r}\n")
    for student, hour in (("ada", 10), ("ada", 11), ("bob", 10)):
        when = (NOON + timedelta(hours=hour)).strftime("%Y-%m-%d %H:%M:%S.000000 UTC")
        folder = exchange / "leverage_course" / "inbound" / f"{student}+{CHAPTER}+{when}+x{hour}"
        written(folder / BOOK, notebook())
        written(folder / "timestamp.txt", when)
        written(folder / "submission_secret.txt", f"{student} {hour}")
    collect(made.room, made.chapter, exchange, say=lambda _: None)
    grade(made.chapter, Options(workers=2), find=lambda: made.room, say=lambda _: None)
    done = giveback(made.room, made.chapter, say=lambda _: None)
    assert done.released == ("ada", "bob")
    code = (
        "import json, sys; from nbgrader.utils import notebook_hash; "
        f"print(json.dumps([notebook_hash(secret=s, notebook_id={CHAPTER!r}) for s in sys.argv[1:]]))"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, "ada 11", "bob 10"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    released = exchange / "leverage_course" / "feedback"
    assert {path.stem for path in released.iterdir()} == set(json.loads(run.stdout))
