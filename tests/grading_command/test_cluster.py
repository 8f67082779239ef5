"""A Dask cluster executes submissions as this machine does; the gradebook stays here."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from small_class import CHAPTER, RIGHT, WRONG, SmallClass

from classroom.errors import ClassroomError
from classroom.grading.sandbox import package_root
from classroom.marking.grade import Options, grade
from classroom.marking.gradebook import Gradebook


@contextmanager
def dask(folder: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Run a program of Dask and end it."""
    process = subprocess.Popen(
        [sys.executable, "-m", "distributed.cli.dask_" + arguments[0], *arguments[1:]],
        cwd=folder, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True,
        env={**os.environ, "PYTHONPATH": str(package_root())},
    )  # fmt: skip
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:  # a worker may wait for a scheduler that has gone
            process.kill()
            process.wait(20)


def drain(process: subprocess.Popen[str]) -> None:
    """Read a program's log to its end, so that a full pipe does not stop it."""
    threading.Thread(target=lambda: list(process.stderr or ()), daemon=True).start()


def line_with(process: subprocess.Popen[str], text: str) -> str:
    """Read a program's log up to a line with `text`."""
    assert process.stderr is not None
    for line in process.stderr:
        if text in line:
            return line
    raise AssertionError(f"the program ended without saying {text!r}")


class Workers(list["subprocess.Popen[str]"]):
    """The workers of a cluster, and their scheduler."""

    scheduler: subprocess.Popen[str]


@contextmanager
def own_cluster(folder: Path) -> Iterator[tuple[str, Workers]]:
    """The address of a scheduler with two workers on loopback, and its processes."""
    local = ("--host", "127.0.0.1", "--no-dashboard")
    with dask(folder, "scheduler", *local, "--port", "0") as scheduler:
        address = line_with(scheduler, "Scheduler at:").split()[-1]
        work = (address, *local, "--nthreads", "1", "--no-nanny", "--local-directory", str(folder))
        with dask(folder, "worker", *work) as one, dask(folder, "worker", *work) as two:
            workers = Workers([one, two])
            workers.scheduler = scheduler
            for process, text in (
                (one, "Registered to:"),
                (two, "Registered to:"),
                (scheduler, ""),
            ):
                line_with(process, text)
                drain(process)
            yield address, workers


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a cluster that these tests share."""
    with own_cluster(tmp_path_factory.mktemp("dask")) as (address, _):
        yield address


def test_two_workers_grade_as_this_machine_does(
    cluster: str, small_class: SmallClass, tmp_path: Path, root: Path
) -> None:
    here = SmallClass(tmp_path / "here", root)
    kept = []
    for small in (small_class, here):
        for number in range(6):
            small.hand_in(f"s{number}", (RIGHT, WRONG, {})[number % 3])
        small.hand_in("ada", RIGHT)
        small.hand_in("bob", b"broken")
        options = Options(cluster=cluster) if small is small_class else Options()
        run = grade(
            small.chapter, options, find=lambda small=small: small.room,
            say=lambda _: None,
        )  # fmt: skip
        assert len(run.graded) == 8
        room = small.room
        with Gradebook.open(room.gradebook, room.course, CHAPTER) as book:
            kept.append(
                {
                    record.student: (
                        record.verdict,
                        record.level,
                        {name: cell.points for name, cell in record.cells.items()},
                    )
                    for record in book.records()
                }
            )
        assert room.graded("s0", CHAPTER).is_file()
    assert kept[0] == kept[1]


def test_an_address_without_a_scheduler_is_named(
    small_class: SmallClass, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("classroom.marking.cluster.SECONDS_TO_CONNECT", 1)
    with pytest.raises(ClassroomError, match="no Dask scheduler answers"):
        grade(
            small_class.chapter, Options(cluster="tcp://127.0.0.1:1"),
            find=lambda: small_class.room, say=lambda _: None,
        )  # fmt: skip


def test_a_worker_that_is_killed_costs_nobody_a_grade(
    small_class: SmallClass, tmp_path: Path
) -> None:
    # A worker's death is noticed by its connection, and its work goes to the other one.
    for number in range(6):
        small_class.hand_in(f"s{number}", (RIGHT, WRONG, {})[number % 3])
    slow = {**RIGHT, "double": "import time\ntime.sleep(1)\n" + RIGHT["double"]}
    small_class.hand_in("ada", slow)
    small_class.hand_in("bob", slow)
    with own_cluster(tmp_path) as (address, workers):
        room, struck = small_class.room, threading.Event()

        def strike(text: str) -> None:
            if text.startswith("Isolation"):
                threading.Timer(0.5, workers[0].kill).start()
                struck.set()

        run = grade(
            small_class.chapter, Options(cluster=address), find=lambda: room, say=strike
        )  # fmt: skip
        assert struck.is_set()
        assert workers[0].wait(20) == -signal.SIGKILL
    names = sorted(run.graded)
    assert names == sorted(["ada", "bob", *(f"s{number}" for number in range(6))])
    with Gradebook.open(room.gradebook, room.course, CHAPTER) as book:
        records = book.records(history=True)
    assert len(records) == 8
    assert {record.student: record.score for record in records if record.student in ("ada", "s1")} == {
        "ada": 5, "s1": 0,
    }  # fmt: skip


def test_a_cluster_that_dies_is_named_and_the_next_run_goes_on(
    small_class: SmallClass, tmp_path: Path
) -> None:
    small_class.hand_in(
        "ada", {**RIGHT, "double": "import time\ntime.sleep(3)\n" + RIGHT["double"]}
    )
    with own_cluster(tmp_path) as (address, workers):

        def strike(text: str) -> None:
            if text.startswith("Isolation"):
                for worker in workers:
                    threading.Timer(1.0, worker.kill).start()
                threading.Timer(1.5, workers.scheduler.kill).start()

        with pytest.raises(ClassroomError, match=r"run the same command again"):
            grade(
                small_class.chapter, Options(cluster=address), find=lambda: small_class.room,
                say=strike,
            )  # fmt: skip
    run = grade(small_class.chapter, find=lambda: small_class.room, say=lambda _: None)
    assert run.skipped + len(run.graded) == 2
    room = small_class.room
    with Gradebook.open(room.gradebook, room.course, CHAPTER) as book:
        assert {r.student: r.score for r in book.records(history=True)} == {"ada": 5, "bob": 0}
