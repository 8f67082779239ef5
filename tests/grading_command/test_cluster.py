"""A Dask cluster executes submissions as this machine does; the gradebook stays here."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from small_class import CHAPTER, RIGHT, WRONG, SmallClass

from classroom.errors import ClassroomError
from classroom.grade import Options, grade
from classroom.gradebook import Gradebook


@contextmanager
def dask(folder: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Run a program of Dask and end it."""
    process = subprocess.Popen(
        [sys.executable, "-m", "distributed.cli.dask_" + arguments[0], *arguments[1:]],
        cwd=folder, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    try:
        yield process
    finally:
        process.terminate()
        process.communicate(timeout=20)


def line_with(process: subprocess.Popen[str], text: str) -> str:
    """Read a program's log up to a line with `text`."""
    assert process.stderr is not None
    for line in process.stderr:
        if text in line:
            return line
    raise AssertionError(f"the program ended without saying {text!r}")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a scheduler with two workers on loopback."""
    folder = tmp_path_factory.mktemp("dask")
    local = ("--host", "127.0.0.1", "--no-dashboard")
    with dask(folder, "scheduler", *local, "--port", "0") as scheduler:
        address = line_with(scheduler, "Scheduler at:").split()[-1]
        work = (address, *local, "--nthreads", "1", "--no-nanny", "--local-directory", str(folder))
        with dask(folder, "worker", *work) as one, dask(folder, "worker", *work) as two:
            for worker in (one, two):
                line_with(worker, "Registered to:")
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
            say=lambda _: None, progress=False,
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
    monkeypatch.setattr("classroom.cluster.SECONDS_TO_CONNECT", 1)
    with pytest.raises(ClassroomError, match="no Dask scheduler answers"):
        grade(
            small_class.chapter, Options(cluster="tcp://127.0.0.1:1"),
            find=lambda: small_class.room, say=lambda _: None, progress=False,
        )  # fmt: skip
