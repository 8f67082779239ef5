"""A grader that is killed at any moment loses nothing that it showed and leaves nothing behind."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from small_class import CHAPTER, RIGHT, SLOW, WRONG, SmallClass, command

from classroom.cli import main
from classroom.marking.gradebook import Gradebook
from classroom.marking.room import PART

BATCH, KILLS = 50, 20


def hand_in_batch(small: SmallClass, count: int) -> None:
    for number in range(count):
        answers: dict[str, str] | bytes = (RIGHT, WRONG, {}, b"broken")[number % 4]
        small.hand_in(f"s{number:03d}", answers, "2026-01-15 12:00:00 UTC")


def start(small: SmallClass) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command("grade", CHAPTER, "--no-outputs"),
        cwd=small.project.root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, bufsize=1,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip


def results(process: subprocess.Popen[str]) -> Iterator[str]:
    """Yield the ids of students as their results are shown."""
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("s") and line[1:4].isdigit():
            yield line.split()[0]


def what_is_kept(small: SmallClass) -> dict[str, object]:
    """Return everything of the gradebook that a grading decides, by student."""
    room = small.room
    with Gradebook.open(room.gradebook, room.course, CHAPTER) as book:
        layout = book.layout()
        assert layout is not None
        records = book.records(history=True)
        assert len(records) == len({record.student for record in records})
        standings = {one.student: one for one in book.standings(layout)}
    return {
        record.student: (
            record.verdict, record.submission, record.release, record.for_student,
            {name: (cell.points, cell.state) for name, cell in record.cells.items()},
            standings[record.student],
        )
        for record in records
    }  # fmt: skip


def recorded(small: SmallClass) -> set[str]:
    room = small.room
    with Gradebook.open(room.gradebook, room.course, CHAPTER) as book:
        return set(book.progress())


def run_grader(folder: str, output: str) -> None:
    """Run the command in a process that was forked with its imports done."""
    os.chdir(folder)
    with Path(output).open("w", buffering=1, encoding="utf-8") as sys.stdout:
        sys.exit(main(["grade", CHAPTER, "--no-outputs"]))


class ForkedGrader:
    """A grader that starts fast, because its parent has imported everything."""

    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(
        ["nbgrader.preprocessors", "classroom.marking.grade", "tqdm", "alembic"]
    )

    def __init__(self, small: SmallClass) -> None:
        self.output = small.project.root / "output.txt"
        self.output.unlink(missing_ok=True)
        arguments = (str(small.project.root), str(self.output))
        self.process = self.context.Process(target=run_grader, args=arguments)
        self.process.start()

    def shown(self) -> list[str]:
        """Return the ids of students whose results were shown so far."""
        text = self.output.read_text(encoding="utf-8") if self.output.exists() else ""
        lines = text[: text.rfind("\n") + 1].splitlines()
        return [line.split()[0] for line in lines if line[:1] == "s" and line[1:4].isdigit()]

    def wait_for(self, count: int) -> None:
        while self.process.is_alive() and len(self.shown()) < count:
            time.sleep(0.01)

    def kill(self) -> list[psutil.Process]:
        """Kill the grader as the system would, and return what it had started."""
        try:
            family = psutil.Process(self.process.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            family = []
        self.process.kill()
        self.process.join(20)
        return family


def test_a_batch_killed_twenty_times_ends_as_an_undisturbed_one(tmp_path: Path, root: Path) -> None:
    quiet = SmallClass(tmp_path / "quiet", root)
    rough = SmallClass(tmp_path / "rough", root)
    for small in (quiet, rough):
        hand_in_batch(small, BATCH)
    calm = ForkedGrader(quiet)
    chance = random.Random(7)
    shown: set[str] = set()
    left: list[psutil.Process] = []
    for _ in range(KILLS):
        grader = ForkedGrader(rough)
        grader.wait_for(chance.choice((0, 1, 2, 3, 4)))
        time.sleep(chance.uniform(0, 0.15))
        left += grader.kill()
        now = grader.shown()
        assert shown.isdisjoint(now), "a submission was graded twice"
        shown.update(now)
        assert shown <= recorded(rough), "a result that was shown is not saved"
    last = ForkedGrader(rough)
    for grader in (calm, last):
        grader.process.join(60)
    assert calm.process.exitcode == 1, "broken notebooks are findings"
    # The kills may have left nothing broken for the last run.
    assert last.process.exitcode in (0, 1)
    assert len(recorded(rough)) == len(recorded(quiet)) == BATCH
    assert what_is_kept(rough) == what_is_kept(quiet)
    assert not list(rough.room.folder.rglob(f"*{PART}"))
    _, alive = psutil.wait_procs(left, timeout=10)
    assert not alive


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_grader_says_how_to_go_on(small_class: SmallClass, number: int) -> None:
    hand_in_batch(small_class, 30)
    small_class.hand_in("s999", SLOW)
    process = start(small_class)
    done = [next(results(process))]
    family = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(number)
    out, _ = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "are graded and saved; run the same command again" in out
    assert {
        *done,
        *(line.split()[0] for line in out.splitlines() if line[1:4].isdigit()),
    } <= recorded(small_class)
    _, alive = psutil.wait_procs(family, timeout=10)
    assert not alive


def test_a_killed_student_process_costs_its_student_nothing(small_class: SmallClass) -> None:
    slow = {**RIGHT, "double": "import time\ntime.sleep(2)\n" + RIGHT["double"]}
    small_class.hand_in("ada", slow)
    process = start(small_class)
    assert process.stdout is not None
    assert any(line.startswith("bob") for line in process.stdout)
    (server,) = psutil.Process(process.pid).children()
    leaves = [
        p for p in server.children(recursive=True) if not p.children() and p.ppid() != server.pid
    ]
    assert leaves
    for victim in leaves:
        victim.kill()
    process.communicate(timeout=60)
    assert recorded(small_class) == {"ada", "bob"}
    assert what_is_kept(small_class)["ada"][0] == "graded"  # type: ignore[index]


def test_a_killed_server_costs_nobody_a_grade(small_class: SmallClass) -> None:
    hand_in_batch(small_class, 8)
    process = start(small_class)
    first = next(results(process))
    (server,) = psutil.Process(process.pid).children()
    server.kill()
    _, err = process.communicate(timeout=60)
    kept = recorded(small_class)
    if len(kept) < 10:
        assert process.returncode == 2
        assert "run the same command again" in err.lower()
    assert "Traceback" not in err
    assert first in kept
    again = start(small_class)
    rest = set(results(again))
    assert again.wait(60) in (0, 1)
    assert recorded(small_class) == {"ada", "bob", *(f"s{n:03d}" for n in range(8))}
    quiet = {name: cells for name, (_, _, _, _, cells, _) in what_is_kept(small_class).items()}  # type: ignore[misc]
    for number in range(4):
        assert quiet[f"s{number:03d}"] == quiet[f"s{number + 4:03d}"]
    assert rest.isdisjoint(kept)
