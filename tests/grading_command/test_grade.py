"""`classroom grade` grades a class once, keeps what it has, and says what changed."""

from __future__ import annotations

import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from small_class import CHAPTER, RIGHT, WRONG, SmallClass, command

import classroom.marking.gradebook
from classroom.errors import ClassroomError
from classroom.grading import read_release
from classroom.marking.grade import (
    GradingRun,
    Options,
    changes_table,
    exercises_of,
    grade,
    outputs,
)
from classroom.marking.gradebook import Gradebook, Layout, Record, Standing
from classroom.marking.room import only_grader

HIDDEN = "4711"
EVERYBODY = Options()


def graded(small: SmallClass, options: Options = EVERYBODY) -> tuple[GradingRun, str]:
    """Grade and return the run and what was said."""
    lines: list[str] = []
    run = grade(small.chapter, options, find=lambda: small.room, say=lines.append)
    return run, "\n".join(lines)


def book_of(small: SmallClass) -> tuple[list[Record], dict[str, Standing], Layout]:
    """Return all records, the standings by student and the layout."""
    room = small.room
    with Gradebook.open(room.gradebook, room.course, CHAPTER) as book:
        layout = book.layout()
        assert layout is not None
        return book.records(history=True), {s.student: s for s in book.standings(layout)}, layout


def autograded(small: SmallClass, student: str) -> dict:
    return json.loads(small.room.graded(student, CHAPTER).read_text(encoding="utf-8"))


def test_a_class_is_graded_once_and_again_only_where_something_changed(
    small_class: SmallClass,
) -> None:
    small_class.hand_in("broken", b"no notebook")
    (small_class.room.submitted / "absent" / CHAPTER).mkdir(parents=True)
    first, said = graded(small_class)
    records, standings, _ = book_of(small_class)
    assert "4 submissions; 4 to grade." in said
    assert "Isolation in force: " in said
    assert {record.student: record.score for record in records} == {
        "ada": 5, "bob": 0, "broken": 0, "absent": 0,
    }  # fmt: skip
    assert all(record.level == first.level for record in records)
    assert standings["ada"].waiting == {"ch01_b"}
    for student in ("broken", "absent"):
        record = next(record for record in records if record.student == student)
        assert record.verdict == "cannot be graded"
        assert record.for_student
        assert record.for_instructor
        assert standings[student].flagged
        assert not standings[student].waiting
        assert record.for_student in json.dumps(autograded(small_class, student))

    small_class.hand_in("bob", RIGHT)
    second, said = graded(small_class)
    assert "4 submissions, 3 graded before; 1 to grade." in said
    assert "1 were graded before; 2 grades changed." in said
    assert second.graded == ["bob"]
    assert book_of(small_class)[1]["bob"].score == 5


def test_a_regrade_keeps_the_old_result_and_shows_what_changed(small_class: SmallClass) -> None:
    graded(small_class)
    source = small_class.chapter.solution_notebook
    notebook = source.read_text(encoding="utf-8")
    source.write_text(notebook.replace("double(1) == 2", "double(1) in (2, 3)"), encoding="utf-8")
    again, said = graded(small_class)
    assert not again.graded
    assert "2 of those were graded with other tests" in said
    run, said = graded(small_class, Options(regrade=True, students=("bob",)))
    assert [(c.item, c.before, c.after) for c in run.changes] == [("ch01_a_value", 0, 2)]
    assert changes_table(run.changes) in said
    old, new = (record for record in book_of(small_class)[0] if record.student == "bob")
    assert (old.score, new.score) == (0, 2)


def test_one_exercise_is_graded_again_and_the_others_keep_their_grades(
    small_class: SmallClass,
) -> None:
    graded(small_class)
    before = autograded(small_class, "bob")
    small_class.hand_in("bob", {**RIGHT, "why": "Another text."})
    run, _ = graded(small_class, Options(exercises=("ch01_a_hidden",), students=("bob",)))
    assert {change.item for change in run.changes} == {"ch01_a_hidden"}
    standing = book_of(small_class)[1]["bob"]
    assert standing.cells["ch01_a_hidden"] == (3, 3)
    assert standing.cells["ch01_a_value"] == (0, 2)
    assert autograded(small_class, "bob")["cells"][4] == before["cells"][4]


def test_an_exercise_is_the_answer_and_its_tests(small_class: SmallClass) -> None:
    assert exercises_of(read_release(small_class.chapter.solution_notebook)) == {
        "ch01_a": ("ch01_a_value", "ch01_a_hidden"),
        "ch01_b": ("ch01_b",),
    }


def test_stock_feedback_and_formgrader_go_on_from_here(small_class: SmallClass) -> None:
    small_class.hand_in("broken", b"no notebook")
    graded(small_class)
    for student in ("ada", "bob", "broken"):
        nbformat.validate(nbformat.from_dict(autograded(small_class, student)))
    done = subprocess.run(
        ["nbgrader", "generate_feedback", CHAPTER],
        cwd=small_class.project.root, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-1000:]
    page = small_class.room.page("bob", CHAPTER).read_text(encoding="utf-8")
    assert "Score: 0.0 / 9.0" in page
    assert "About the grading" in small_class.room.page("broken", CHAPTER).read_text(
        encoding="utf-8"
    )
    assert HIDDEN not in page
    assert HIDDEN in json.dumps(autograded(small_class, "bob"))
    stock = subprocess.run(
        ["nbgrader", "autograde", CHAPTER],
        cwd=small_class.project.root, capture_output=True, text=True,
    )  # fmt: skip
    assert "Skipping existing assignment" in stock.stderr


def test_another_version_of_the_chapter_is_refused(small_class: SmallClass) -> None:
    graded(small_class)
    source = small_class.chapter.solution_notebook
    text = source.read_text(encoding="utf-8")
    source.write_text(text.replace('"points": 3', '"points": 5'), encoding="utf-8")
    with pytest.raises(ClassroomError, match=r"another version of 01_small, .*: ch01_a_hidden"):
        graded(small_class)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (Options(students=("eve",)), "eve handed in nothing"),
        (Options(exercises=("ch01_z",)), "no exercise 'ch01_z'"),
        (Options(workers=0), "--jobs must be at least 1"),
        (Options(level="magic"), "magic"),
    ],
)
def test_a_wish_that_cannot_be_met_is_refused_before_grading(
    small_class: SmallClass, options: Options, says: str
) -> None:
    with pytest.raises(ClassroomError, match=says):
        graded(small_class, options)
    assert not small_class.room.autograded.exists()


def test_a_second_grader_of_the_same_class_gets_a_sentence(small_class: SmallClass) -> None:
    with only_grader(small_class.room):
        done = subprocess.run(
            command("grade", CHAPTER), cwd=small_class.project.root, capture_output=True, text=True
        )
    assert done.returncode == 2
    assert f"process {os.getpid()} on " in done.stderr
    assert "is grading this class" in done.stderr
    with only_grader(small_class.room):
        pass


def test_a_gradebook_locked_all_the_time_stops_the_run_and_the_next_one_goes_on(
    small_class: SmallClass, monkeypatch: pytest.MonkeyPatch
) -> None:
    graded(small_class, Options(students=("ada",)))
    monkeypatch.setattr(classroom.marking.gradebook, "SECONDS_FOR_A_LOCK", 0.2)
    other = sqlite3.connect(small_class.room.folder / "gradebook.db", check_same_thread=False)
    say_lines: list[str] = []

    def lock_when_started(text: str) -> None:
        say_lines.append(text)
        if text.startswith("Isolation"):
            other.execute("BEGIN IMMEDIATE")

    with pytest.raises(ClassroomError, match="locked by another program"):
        grade(
            small_class.chapter,
            find=lambda: small_class.room,
            say=lock_when_started,
        )
    other.rollback()
    other.close()
    assert not any(line.startswith("bob") for line in say_lines)
    run, said = graded(small_class)
    assert run.graded == ["bob"]
    assert "1 graded before; 1 to grade" in said


@pytest.mark.parametrize(
    ("largest_file", "says"),
    [
        (1_000, "cannot write class/autograded/"),  # the notebook does not fit
        (100_000, "gradebook.db"),  # the notebook fits, the gradebook does not
    ],
)
def test_a_full_disk_leaves_no_half_written_file(
    small_class: SmallClass, largest_file: int, says: str
) -> None:
    script = (
        "import resource, signal, sys\n"
        "from classroom.cli import main\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "import classroom.marking.grade as g\n"
        "real = g.Writer\n"
        "def full(keeper):\n"
        f"    limits = ({largest_file}, resource.RLIM_INFINITY)\n"
        "    resource.setrlimit(resource.RLIMIT_FSIZE, limits)\n"
        "    return real(keeper)\n"
        "g.Writer = full\n"
        f"sys.exit(main(['grade', '{CHAPTER}']))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=small_class.project.root, capture_output=True, text=True
    )
    assert done.returncode == 2, done.stderr[-2000:]
    assert says in done.stderr
    assert "run the same command again" in done.stderr or "run the command again" in done.stderr
    assert not re.search(r"^(ada|bob) ", done.stdout, re.M), "shown, but not saved"
    for path in small_class.room.autograded.rglob("*.ipynb"):
        json.loads(path.read_bytes())
    assert not list(small_class.room.folder.rglob("*.part"))
    assert not book_of(small_class)[0]
    run, _ = graded(small_class)
    assert len(run.graded) == 2


def test_lines_for_people_carry_no_control_characters(small_class: SmallClass) -> None:
    evil = "eve\x1b[2J"
    small_class.hand_in(evil, WRONG)
    _, said = graded(small_class)
    assert "Left out: the folder 'eve?[2J'" in said
    assert "\x1b" not in said
    assert evil not in book_of(small_class)[1]


def test_a_folder_that_can_be_nobodys_is_named_and_touches_no_other(
    small_class: SmallClass,
) -> None:
    (small_class.room.submitted / ("x" * 200) / CHAPTER).mkdir(parents=True)
    (small_class.room.submitted / os.fsdecode(b"\xe9ve") / CHAPTER).mkdir(parents=True)
    run, said = graded(small_class)
    assert len(run.graded) == 2
    assert said.count("Left out: the folder") == 2
    said.encode("utf-8")


def test_lateness_follows_the_configured_rule(small_class: SmallClass) -> None:
    from nbgrader.api import Gradebook as NbgraderGradebook

    config = small_class.project.root / "nbgrader_config.py"
    rule = "\nc.LateSubmissionPlugin.penalty_method = 'zero'\n"
    config.write_text(config.read_text(encoding="utf-8") + rule, encoding="utf-8")
    small_class.hand_in("ada", RIGHT, "2026-01-15 18:00:01 UTC")
    small_class.hand_in("bob", RIGHT, "2026-01-15 18:00:00 UTC")
    small_class.hand_in("cleo", RIGHT, "whenever")
    graded(small_class)
    with NbgraderGradebook(small_class.room.gradebook, "leverage_course") as theirs:
        theirs.update_or_create_assignment(CHAPTER, duedate="2026-01-15 18:00:00 UTC")
    graded(small_class)
    records, standings, _ = book_of(small_class)
    assert {name: one.final for name, one in standings.items()} == {"ada": 0, "bob": 5, "cleo": 5}
    cleo = next(record for record in records if record.student == "cleo")
    assert "lateness is unknown" in " ".join(cleo.notes)


def test_without_dask_a_cluster_is_refused_with_the_way_to_get_it(
    small_class: SmallClass, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ClassroomError, match=r"pip install -e .*\[cluster\]"):
        graded(small_class, Options(cluster="tcp://127.0.0.1:1"))


def test_a_student_folder_that_is_a_link_is_not_followed_and_has_a_verdict(
    small_class: SmallClass, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(small_class.room.submitted / "ada", elsewhere)
    (small_class.room.submitted / "eve").symlink_to(elsewhere)
    (small_class.room.submitted / "gone").symlink_to(tmp_path / "nowhere")
    graded(small_class)
    records = {record.student: record for record in book_of(small_class)[0]}
    for name in ("eve", "gone"):
        assert (records[name].verdict, records[name].score) == ("cannot be graded", 0)
        assert "the student's folder is a link" in records[name].for_instructor
    assert sorted(path.name for path in elsewhere.iterdir()) == [CHAPTER]
    run, _ = graded(small_class)
    assert not run.graded
    outputs(small_class.room, small_class.chapter, say=lambda _: None)


@pytest.mark.parametrize("level", ["the chapter's folder", "the notebook", "a hard link"])
def test_no_link_below_a_student_is_followed(
    small_class: SmallClass, tmp_path: Path, level: str
) -> None:
    right = small_class.room.submitted / "ada" / CHAPTER
    mine = small_class.room.submitted / "eve" / CHAPTER
    mine.parent.mkdir()
    if level == "the chapter's folder":
        mine.symlink_to(right)
    else:
        mine.mkdir()
        link = os.link if level == "a hard link" else os.symlink
        link(right / f"{CHAPTER}.ipynb", mine / f"{CHAPTER}.ipynb")
    graded(small_class, Options(students=("eve",)))
    (record,) = book_of(small_class)[0]
    assert (record.verdict, record.score) == ("cannot be graded", 0)
    assert "link" in record.for_instructor


def test_a_path_that_leaves_the_class_is_not_followed(
    small_class: SmallClass, tmp_path: Path
) -> None:
    secret = tmp_path / "elsewhere"
    secret.mkdir()
    (small_class.room.submitted / "eve").mkdir()
    (small_class.room.submitted / "eve" / CHAPTER).symlink_to(secret)
    graded(small_class)
    assert "eve" in book_of(small_class)[1]
    assert list(secret.iterdir()) == []
