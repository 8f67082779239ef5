"""A load run of `classroom grade`: many submissions, flat memory, and nothing left behind.

The class is made as for `benchmarks/grading.py`, with a broken and a missing notebook in every
hundred. Memory is the proportional set size of the grader and its processes, taken in each tenth of
the batch. Afterwards the script looks for processes of the grader that still run, and with them
their sockets, and for files and sockets in the folder for temporary files.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import psutil
from grading import checkout, hand_in, pss, records

from classroom.project import find_project


def still_there(family: set[psutil.Process], folder: Path) -> list[str]:
    """Name processes of the grader that still run, and what lies in its folder for temporary files."""
    alive = [process for process in family if process.is_running()]
    found = [f"process {process.pid}" for process in alive]
    return found + [f"file {path.relative_to(folder)}" for path in sorted(folder.rglob("*"))]


def lines(options: argparse.Namespace, work: Path) -> Iterator[str]:
    """Grade the batch, and yield the lines of the report."""
    project = find_project()
    chapter = project.select([options.chapter])[0]
    room = checkout(project, work / "course")
    students = hand_in(project, chapter, room, options.submissions)
    for number in range(0, len(students), 50):
        path = room.root / "class" / "submitted" / students[number] / chapter.name
        notebook = path / f"{chapter.name}.ipynb"
        notebook.write_bytes(b"\xff broken") if number % 100 else notebook.unlink()
    private = work / "tmp"
    private.mkdir()
    work.chmod(0o711)
    family: set[psutil.Process] = set()
    command = [sys.executable, "-m", "classroom", "grade", chapter.name, "--no-outputs"]
    command += ["--jobs", str(options.jobs)]
    start = time.perf_counter()
    samples: list[tuple[int, float]] = []
    with (work / "output.txt").open("w") as file:
        running = psutil.Popen(
            command, cwd=room.root, stdout=file, stderr=subprocess.DEVNULL,
            env={**os.environ, "TMPDIR": str(private)},
        )  # fmt: skip
        while running.poll() is None:
            try:
                tree = [running, *running.children(recursive=True)]
            except psutil.NoSuchProcess:
                break
            family.update(tree)
            done = (work / "output.txt").read_text().count(" of ")
            samples.append((done, sum(map(pss, tree))))
            time.sleep(0.5)
    seconds = time.perf_counter() - start
    running.wait()
    time.sleep(1)
    yield f"{len(students)} submissions in {seconds:.0f} s, {60 * len(students) / seconds:.0f} a minute"
    tenth = len(students) / 10
    for part in range(10):
        inside = [mb for done, mb in samples if part * tenth <= done < (part + 1) * tenth]
        if inside:
            yield f"memory in tenth {part + 1:>2}  {statistics.median(inside):6.0f} MB, most {max(inside):6.0f}"
    verdicts = [record.verdict for record in records(room, chapter)]
    for verdict in sorted(set(verdicts)):
        yield f"{verdict:<18} {verdicts.count(verdict):6d}"
    found = still_there(family, private)
    yield f"left behind        {', '.join(found) or 'nothing'} ({len(family)} processes were seen)"


def main(arguments: Sequence[str] | None = None) -> None:
    """Make a large batch, grade it, and print what it took and left."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--submissions", type=int, default=1_000, help="size of the batch (1000)")
    parser.add_argument("--jobs", type=int, default=2, help="submissions at a time (2)")
    parser.add_argument("--chapter", default="01_basics", help="chapter to grade (01_basics)")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="load-") as work:
        for text in lines(options, Path(work)):
            print(text, flush=True)


if __name__ == "__main__":
    main()
