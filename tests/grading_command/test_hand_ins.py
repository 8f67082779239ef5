"""Whatever was handed in is graded or named, and goes back to whom it came from."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from small_class import CHAPTER, RIGHT, WRONG, SmallClass, command, handed_in

from classroom.errors import ClassroomError
from classroom.grading import Outcome, read_release
from classroom.grading.sandbox import launch_command
from classroom.marking import grade as grading
from classroom.marking.feedback import checked_notebook
from classroom.marking.grade import GradingRun, Options, grade, outputs, regrade_file
from classroom.marking.gradebook import COPIES, Gradebook, cells_of, chapter_rows

EVERYBODY = Options()


def graded(small: SmallClass, options: Options = EVERYBODY) -> tuple[GradingRun, str]:
    lines: list[str] = []
    run = grade(small.chapter, options, find=lambda: small.room, say=lines.append)
    return run, "\n".join(lines)


def scores(small: SmallClass) -> dict[str, float]:
    room = small.room
    with Gradebook.open(room.gradebook, room.course, CHAPTER) as book:
        return {record.student: record.score for record in book.records()}


def test_what_lies_in_the_wrong_place_is_named_with_the_right_one(small_class: SmallClass) -> None:
    submitted = small_class.room.submitted
    notebook = submitted / "ada" / CHAPTER / f"{CHAPTER}.ipynb"
    for place in ("loose.ipynb", "eve/01_small.ipynb", "eve/small/01_small.ipynb", "eve/work.zip",
                  ".DS_Store", "eve/.ipynb_checkpoints/a.ipynb", "Thumbs.db"):  # fmt: skip
        (submitted / place).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(notebook, submitted / place)
    (submitted / "eve" / "empty").mkdir()
    run, said = graded(small_class)
    where = "class/submitted/"
    assert dict(run.misplaced) == {
        f"{where}loose.ipynb": f"{where}STUDENT/01_small/01_small.ipynb",
        f"{where}eve/01_small.ipynb": f"{where}eve/01_small/01_small.ipynb",
        f"{where}eve/small": f"{where}eve/01_small",
        f"{where}eve/work.zip": f"{where}eve/01_small/work.zip",
    }
    assert f"Not graded: {where}loose.ipynb; it should be" in said
    ended = subprocess.run(
        command("grade", CHAPTER, "--no-outputs"),
        cwd=small_class.project.root, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ended.returncode == 1, ended.stderr
    assert "Not graded: class/submitted/eve/small" in ended.stdout


def test_without_a_submission_the_expected_path_is_said(small_class: SmallClass) -> None:
    shutil.rmtree(small_class.room.submitted)
    _, said = graded(small_class)
    assert "expected at class/submitted/STUDENT/01_small/01_small.ipynb" in said
    with pytest.raises(ClassroomError, match="no sandbox level 'strong'"):
        graded(small_class, Options(level="strong"))
    with pytest.raises(ClassroomError, match="no Dask scheduler answers"):
        graded(small_class, Options(cluster="tcp://127.0.0.1:9"))


def test_two_spellings_of_a_name_are_one_student(small_class: SmallClass) -> None:
    name = "jos\u00e9"
    for form, answers in (("NFD", RIGHT), ("NFC", {})):
        small_class.hand_in(unicodedata.normalize(form, name), answers)
    graded(small_class)
    assert scores(small_class) == {"ada": 5, "bob": 0, name: 5}


def test_a_collected_time_counts_before_a_stamp_that_students_could_write(
    small_class: SmallClass,
) -> None:
    small_class.hand_in("ada", RIGHT, when="\ufeff2026-01-01 10:00:00 UTC")
    small_class.hand_in("bob", RIGHT, when="2026-01-01 10:00:00 UTC")
    table = "student,time\nbob,2026-02-01 10:00:00 UTC\n"
    (small_class.room.folder / f"collected_{CHAPTER}.csv").write_text(table, encoding="utf-8")
    graded(small_class)
    room = small_class.room
    with Gradebook.open(room.gradebook, room.course, CHAPTER) as book:
        layout = book.layout()
        assert layout is not None
        found = {one.student: one.handed_in for one in book.standings(layout)}
    assert {name: when and (when.month, when.hour) for name, when in found.items()} == {
        "ada": (1, 10), "bob": (2, 10),
    }  # fmt: skip


def test_a_stopped_regrade_goes_on_where_it_stopped(
    small_class: SmallClass, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_class.hand_in("eve", RIGHT)
    graded(small_class)
    whole = grading.whatever_comes

    def one(*args: Any) -> Iterator[Outcome]:
        yield next(whole(*args))
        raise KeyboardInterrupt

    monkeypatch.setattr(grading, "whatever_comes", one)
    first, said = graded(small_class, Options(regrade=True, workers=1))
    assert first.stopped
    assert "1 of 3 are graded and saved; run the same command again" in said
    monkeypatch.undo()
    _, said = graded(small_class)
    assert "2 submissions still have their earlier grades" in said
    again, said = graded(small_class, Options(regrade=True))
    assert sorted([*first.graded, *again.graded]) == ["ada", "bob", "eve"]
    assert not regrade_file(small_class.room, CHAPTER).exists()
    assert len(graded(small_class, Options(regrade=True))[0].graded) == 3


def test_each_run_keeps_a_copy_of_a_gradebook_that_changed(small_class: SmallClass) -> None:
    graded(small_class)
    copies = small_class.room.folder / COPIES
    for number in range(7):
        with sqlite3.connect(small_class.room.folder / "gradebook.db") as book:
            book.execute("update grade set manual_score = ? where auto_score is null", [number])
        book.close()
        graded(small_class)
    found = sorted(copies.iterdir())
    assert len(found) == 5
    with sqlite3.connect(found[-1]) as kept:
        marks = kept.execute("select distinct manual_score from grade where auto_score is null")
        assert marks.fetchall() == [(6,)]
    kept.close()
    graded(small_class)
    assert sorted(copies.iterdir()) == found


def test_a_chapter_is_registered_whole_and_anew_while_nobody_handed_in(
    small_class: SmallClass,
) -> None:
    room, source = small_class.room, small_class.chapter.solution_notebook
    rows = chapter_rows(room.course, CHAPTER, source, room.config)
    with Gradebook.open(room.gradebook, room.course, CHAPTER) as book:
        book.replace_cells(rows)
        assert book.cells() == cells_of(read_release(source))
    book_file = room.folder / "gradebook.db"
    with sqlite3.connect(book_file) as half:  # what a killed registration left
        half.execute("delete from solution_cells")
        half.execute("delete from notebook")
    half.close()
    notebook = nbformat.read(source, as_version=4)
    notebook.cells[2].metadata.nbgrader.points = 7
    nbformat.write(notebook, source)
    graded(small_class)
    assert scores(small_class) == {"ada": 10, "bob": 0}
    notebook.cells[1].metadata.nbgrader.grade_id = "ch01_other"
    nbformat.write(notebook, source)
    with pytest.raises(
        ClassroomError, match="another version of 01_small, and work of students: ch01"
    ):
        graded(small_class)


def test_what_is_read_back_is_checked_before_a_page_is_made(small_class: SmallClass) -> None:
    release = read_release(small_class.chapter.solution_notebook)
    notebook = json.loads(json.dumps(handed_in(RIGHT)))
    hidden = release.tests[1].source
    notebook["cells"] += [
        {"cell_type": "code", "metadata": {}, "source": hidden, "outputs": []},
        {"cell_type": "markdown", "metadata": {}, "source": hidden.split("\n")[2]},
        {"cell_type": "strange"}, 7, {"cell_type": "code", "metadata": 3, "source": ["a", 5]},
    ]  # fmt: skip
    found = checked_notebook(json.dumps(notebook).encode(), release)
    assert found is not None
    assert "4711" not in json.dumps(found)
    assert len(found["cells"]) == len(handed_in(RIGHT).cells) + 1
    for content in (b"", b"[]", b"{", b'{"cells": 3}', b"\xff"):
        assert checked_notebook(content, release) is None
    graded(small_class)
    path = small_class.room.graded("ada", CHAPTER)
    path.chmod(0o644)
    path.write_bytes(b"\xff{")
    outputs(small_class.room, small_class.chapter, say=lambda _: None)
    page = small_class.room.page("ada", CHAPTER).read_text(encoding="utf-8")
    assert "Feedback on 01_small" in page


@pytest.mark.skipif(os.geteuid() != 0, reason="a second user can only be had as root")
def test_work_goes_through_the_exchange_and_feedback_comes_back(
    small_class: SmallClass, tmp_path: Path
) -> None:
    for folder in (tmp_path, *tmp_path.parents):
        if folder != Path("/") and folder.stat().st_uid == 0:
            folder.chmod(folder.stat().st_mode | 0o011)
    root, exchange, desk = small_class.project.root, tmp_path / "exchange", tmp_path / "desk"
    exchange.mkdir()
    exchange.chmod(0o777)
    desk.mkdir()
    desk.chmod(0o777)
    shutil.rmtree(small_class.room.submitted)
    release = root / "course" / CHAPTER
    release.mkdir(parents=True)
    nbformat.write(handed_in({}), release / f"{CHAPTER}.ipynb")

    def run(*words: str, student: bool = False) -> None:
        line = [sys.executable, "-m", "nbgrader", *words, f"--Exchange.root={exchange}"]
        line += ["--course=leverage_course"]
        ended = subprocess.run(
            launch_command(line) if student else line,
            cwd=desk if student else root,
            env={**os.environ, "HOME": str(desk if student else tmp_path)},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert ended.returncode == 0, (words, ended.stderr[-2_000:])

    graded(small_class)  # registers the chapter
    run("release_assignment", CHAPTER)
    run("fetch_assignment", CHAPTER, student=True)
    mine = desk / CHAPTER / f"{CHAPTER}.ipynb"
    mine.write_text(json.dumps(handed_in(WRONG)), encoding="utf-8")
    run("submit", CHAPTER, student=True)
    run("collect", CHAPTER)
    (folder,) = small_class.room.submitted.iterdir()
    graded(small_class)
    outputs(small_class.room, small_class.chapter, say=lambda _: None)
    run("release_feedback", CHAPTER)
    run("fetch_feedback", CHAPTER, student=True)
    (page,) = (desk / CHAPTER / "feedback").rglob("*.html")
    assert page.read_bytes() == small_class.room.page(folder.name, CHAPTER).read_bytes()
    assert "Feedback on 01_small" in page.read_text(encoding="utf-8")
