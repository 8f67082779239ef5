"""A long batch takes no more memory than a short one and leaves nothing behind."""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from small_class import CHAPTER, RIGHT, WRONG, SmallClass, command

BATCH = 60
GROWTH_MB = 40
"""What the grader's own tables and caches may take; a leak of one notebook each would be more."""


def memory_mb(processes: list[psutil.Process]) -> float:
    total = 0.0
    for process in processes:
        try:
            total += process.memory_full_info().pss / 2**20
        except (psutil.Error, OSError):
            continue
    return total


@pytest.fixture
def private() -> Iterator[Path]:
    """A folder for temporary files that the grader has for itself."""
    folder = Path(tempfile.mkdtemp(prefix="course-load-"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder)


def test_memory_stays_flat_and_nothing_is_left(tmp_path: Path, root: Path, private: Path) -> None:
    small = SmallClass(tmp_path / "course", root)
    padding = "# " + "x" * 300_000
    for number in range(BATCH):
        answers = dict((RIGHT, WRONG)[number % 2])
        answers["double"] += "\n" + padding
        small.hand_in(f"s{number:03d}", answers)
    output = tmp_path / "output.txt"
    with output.open("w") as file:
        grader = psutil.Popen(
            command("grade", CHAPTER, "--no-outputs"), cwd=small.project.root,
            stdout=file, stderr=subprocess.DEVNULL, env={**os.environ, "TMPDIR": str(private)},
        )  # fmt: skip
        family: set[psutil.Process] = set()
        samples: dict[int, list[float]] = {0: [], 1: [], 2: []}
        while grader.poll() is None:
            try:
                tree = [grader, *grader.children(recursive=True)]
            except psutil.NoSuchProcess:
                break
            family.update(tree)
            done = output.read_text().count(" of ")
            if 0 < done < BATCH:
                samples[3 * done // BATCH].append(memory_mb(tree))
            time.sleep(0.1)
    assert grader.wait(30) == 0
    early, late = (statistics.median(samples[part]) for part in (0, 2))
    assert late < early + GROWTH_MB
    _, alive = psutil.wait_procs(list(family), timeout=10)
    assert not alive
    assert list(private.rglob("*")) == []
