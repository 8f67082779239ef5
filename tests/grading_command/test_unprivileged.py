"""The command as an ordinary user: grade, go on after a kill, stop, and write what comes out."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from small_class import CHAPTER, RIGHT, SLOW, WRONG, SmallClass, command

from classroom.grading.sandbox import launch_command, package_root
from classroom.marking.gradebook import Gradebook, Record

STUDENTS = [f"s{number:03d}" for number in range(16)]
SHOWN = re.compile(r"^(s\d{3}) ", re.MULTILINE)

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0, reason="the other tests run as an unprivileged user already"
)


@pytest.fixture
def theirs(root: Path) -> Iterator[SmallClass]:
    """A class that belongs to an unprivileged user, where that user can get at it."""
    place = Path(tempfile.mkdtemp(prefix="course-unprivileged-"))
    small = SmallClass(place, root)
    (place / "tmp").mkdir()
    for number, student in enumerate(STUDENTS):
        answers: dict[str, str] | bytes = (RIGHT, WRONG, {}, b"broken")[number % 4]
        small.hand_in(student, answers)
    for path in (place, *place.rglob("*")):
        shutil.chown(path, "nobody", "nogroup")
    yield small
    shutil.rmtree(place)


def start(small: SmallClass, *options: str) -> subprocess.Popen[str]:
    """Start `classroom grade` as that user."""
    place = small.project.root
    home = {"HOME": str(place), "PYTHONPATH": str(package_root()), "PYTHONUNBUFFERED": "1"}
    return subprocess.Popen(
        launch_command(command("grade", CHAPTER, *options)),
        cwd=place, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, **home, "TMPDIR": str(place / "tmp")},
    )  # fmt: skip


def records(small: SmallClass) -> list[Record]:
    room = small.room
    with Gradebook.open(room.gradebook, room.course, CHAPTER) as book:
        return book.records(history=True)


def test_an_ordinary_user_grades_goes_on_after_a_kill_and_gets_all_files(
    theirs: SmallClass,
) -> None:
    first = start(theirs)
    assert first.stdout is not None
    shown = set()
    for line in first.stdout:
        shown |= set(SHOWN.findall(line))
        if len(shown) == 2:
            break
    assert psutil.Process(first.pid).uids().real != 0
    family = psutil.Process(first.pid).children(recursive=True)
    first.send_signal(signal.SIGKILL)
    out, _ = first.communicate(timeout=60)
    shown |= set(SHOWN.findall(out))
    _, alive = psutil.wait_procs(family, timeout=20)
    assert not alive
    second = start(theirs)
    out, err = second.communicate(timeout=120)
    assert second.returncode == 1, err  # broken notebooks are findings
    assert shown.isdisjoint(SHOWN.findall(out))
    assert "Isolation in force: " in out
    found = records(theirs)
    assert sorted(record.student for record in found) == STUDENTS
    scores = {record.student: record.score for record in found}
    assert [scores[student] for student in STUDENTS[:4]] == [5, 0, 0, 0]
    for part in (
        theirs.room.page(STUDENTS[0], CHAPTER),
        theirs.room.folder / f"grades_{CHAPTER}.csv",
    ):
        assert part.stat().st_uid != 0
    third = start(theirs, "--no-outputs")
    out, _ = third.communicate(timeout=60)
    assert f"{len(found)} graded before; 0 to grade" in out


@pytest.mark.parametrize("ignored", [False, True], ids=["at a terminal", "in the background"])
def test_an_ordinary_user_stops_a_run_and_is_told_how_to_go_on(
    theirs: SmallClass, ignored: bool
) -> None:
    theirs.hand_in("s999", SLOW)
    # A shell that has no terminal starts background jobs with the signal of Ctrl-C ignored.
    before = signal.signal(signal.SIGINT, signal.SIG_IGN if ignored else signal.default_int_handler)
    try:
        process = start(theirs, "--no-outputs")
    finally:
        signal.signal(signal.SIGINT, before)
    assert process.stdout is not None
    next(line for line in process.stdout if SHOWN.match(line))
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "are graded and saved; run the same command again" in out
