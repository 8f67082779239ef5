"""`classroom grade` beside stock `nbgrader autograde` on the same submissions, in one run.

A batch is made from the answers of a chapter's bank: reference solutions, other right answers,
typical wrong ones, half-done and untouched notebooks. Ours grades all of it, sandboxed, and its
start counts. Stock grades the first few of the same files, half of them before and half after
ours, and is scaled per submission; its start (a batch with nothing to do) is taken off. Grades are compared cell
by cell. Memory is the proportional set size of the grader and all its processes.
"""

from __future__ import annotations

import argparse
import importlib
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

import nbformat
import psutil

from classroom.authoring.build import lesson_environment, read_course
from classroom.marking.demo import make_class, submission
from classroom.marking.gradebook import Gradebook, Record
from classroom.marking.room import find_room
from classroom.project import Chapter, Project, find_project

NBGRADER = [sys.executable, "-m", "nbgrader"]
SECONDS_BETWEEN_LOOKS = 1.0
"""Measuring memory takes some of the processor that is measured, so it is done seldom."""
HONEST = ("perfect", "blank", "half", "other_right", "wrong")


@dataclass(frozen=True)
class Watched:
    """What a command took."""

    seconds: float
    first_line: float
    """Seconds until the first result was shown."""
    memory_mb: float
    processes: int
    output: str


def checkout(project: Project, folder: Path) -> Project:
    """Return a checkout with the course and no class."""
    for name in ("solutions", "course"):
        shutil.copytree(project.root / name, folder / name)
    for name in ("nbgrader_config.py", "pyproject.toml"):
        shutil.copy(project.root / name, folder)
    return Project(folder)


def hand_in(project: Project, chapter: Chapter, room: Project, count: int) -> list[str]:
    """Put `count` honest submissions into a class and return the students' ids."""
    lesson = read_course(project).lesson(chapter)
    kinds = [s for s in make_class(lesson) if s.id.startswith(HONEST)]
    released = nbformat.read(chapter.student_notebook, as_version=4)
    texts = {kind.id: nbformat.writes(submission(released, kind)) for kind in kinds}
    students = []
    for number, kind in zip(range(count), cycle(kinds), strict=False):
        student = f"s{number:04d}_{kind.id}"
        folder = room.root / "class" / "submitted" / student / chapter.name
        folder.mkdir(parents=True)
        (folder / f"{chapter.name}.ipynb").write_text(texts[kind.id], encoding="utf-8")
        students.append(student)
    return students


def pss(process: psutil.Process) -> float:
    """Return the proportional set size of a process in MB, 0 if it has ended."""
    try:
        return float(process.memory_full_info().pss) / 2**20
    except (psutil.Error, OSError):
        return 0.0


def watch(command: Sequence[str], folder: Path, first: str = "\0") -> Watched:
    """Run a command and measure time and memory of its whole tree of processes."""
    start = time.perf_counter()
    log = folder / "output.txt"
    first_line, most, processes, looked = 0.0, 0.0, 0, start
    with log.open("w") as file:
        running = psutil.Popen(command, cwd=folder, stdout=file, stderr=subprocess.DEVNULL)
        while running.poll() is None:
            if not first_line and first in log.read_text():
                first_line = time.perf_counter() - start
            if time.perf_counter() - looked > SECONDS_BETWEEN_LOOKS:
                try:
                    tree = [running, *running.children(recursive=True)]
                except psutil.NoSuchProcess:
                    break
                most = max(most, sum(map(pss, tree)))
                processes = max(processes, len(tree))
                looked = time.perf_counter()
            time.sleep(0.05)
    code = running.wait()
    seconds = time.perf_counter() - start
    output = log.read_text()
    if code not in (0, 1):
        sys.exit(f"{' '.join(command)} ended with {code}:\n{output[-2000:]}")
    return Watched(seconds, first_line or seconds, most, processes, output)


def grades(room: Project, chapter: Chapter) -> dict[tuple[str, str], float | None]:
    """Return the tests' points by student and cell."""
    from nbgrader.api import Gradebook as NbgraderGradebook

    with NbgraderGradebook(find_room(room).gradebook, "leverage_course") as book:
        found = book.find_assignment(chapter.name)
        return {
            (work.student.id, grade.name): grade.auto_score
            for work in found.submissions
            for notebook in work.notebooks
            for grade in notebook.grades
        }


def floor(
    project: Project, chapter: Chapter, room: Project, students: Sequence[str], *, draw: bool
) -> float:
    """Return the median seconds of a submission's code cells alone: `exec` in warm forks.

    With `draw` each picture is drawn, as stock does; without, figures are made and none is drawn.
    """
    import contextlib
    import io

    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    from leverage.lessons import canvas, figures

    figures.in_notebook = lambda: True  # no kernel runs here, and pictures are drawn all the same
    for name in ("pandas", "IPython.display", "leverage.lessons.explorers.leverage_explorer"):
        importlib.import_module(name)  # warm, as in the server that our grader forks
    figures.figure_png(
        importlib.import_module("leverage.lessons.charts.basic_charts").plot_recovery()
    )
    figures.kept = canvas.kept = None if draw else lambda content, drawing: b""

    tests = {
        cell.metadata.nbgrader.grade_id: cell.source
        for cell in nbformat.read(chapter.solution_notebook, as_version=4).cells
        if cell.cell_type == "code" and "nbgrader" in cell.metadata
    }
    times = []
    for student in students:
        path = room.root / "class" / "submitted" / student / chapter.name / f"{chapter.name}.ipynb"
        notebook = nbformat.read(path, as_version=4)
        ours, theirs = os.pipe()
        if (child := os.fork()) == 0:
            names: dict[str, object] = {"__name__": "__main__"}
            start = time.perf_counter()
            for cell in notebook.cells:
                if cell.cell_type != "code":
                    continue
                meta = cell.metadata.get("nbgrader", {})
                code = tests[meta["grade_id"]] if meta.get("grade") else cell.source
                with contextlib.suppress(Exception), contextlib.redirect_stdout(io.StringIO()):
                    exec(compile(code, "cell", "exec"), names)
                plt.close("all")
            os.write(theirs, f"{time.perf_counter() - start}".encode())
            os._exit(0)
        os.close(theirs)
        os.waitpid(child, 0)
        times.append(float(os.read(ours, 100) or b"nan"))
        os.close(ours)
    return statistics.median(times)


def records(room: Project, chapter: Chapter) -> list[Record]:
    """Return what our grader recorded."""
    found = find_room(room)
    with Gradebook.open(found.gradebook, found.course, chapter.name) as book:
        return book.records()


def stock(room: Project, chapter: Chapter, step: str) -> float:
    """Run a step of stock nbgrader for all that it has not done and return the seconds."""
    own = ["--SandboxedExecute.sandbox=False"] if step == "autograde" else []
    return watch([*NBGRADER, step, chapter.name, *own], room.root).seconds


def copy(students: Sequence[str], source: Project, target: Project) -> None:
    """Copy the submissions of some students."""
    for student in students:
        place = Path("class", "submitted", student)
        shutil.copytree(source.root / place, target.root / place)


FEEDBACK = """
import sys, time
start = time.perf_counter()
from classroom.cli import prepare_process
prepare_process()
from classroom.marking.feedback import write_feedback
from classroom.marking.grade import registered
from classroom.grading import read_release
from classroom.marking.gradebook import Gradebook
from classroom.project import find_project
from classroom.marking.room import find_room
project = find_project()
room, chapter = find_room(project), project.select([sys.argv[1]])[0]
release = read_release(chapter.solution_notebook)
with Gradebook.open(room.gradebook, room.course, chapter.name) as book:
    standings = book.standings(registered(book, room, chapter, release))
    records = {record.student: record for record in book.records()}
write_feedback(room, release, standings, records)
print(time.perf_counter() - start)
"""


def lines(options: argparse.Namespace, work: Path) -> Iterator[str]:
    """Measure, and yield the lines of the report."""
    project = find_project()
    chapter = project.select([options.chapter])[0]
    ours, theirs = checkout(project, work / "ours"), checkout(project, work / "stock")
    students = hand_in(project, chapter, ours, options.submissions)
    few = students[: options.stock]
    yield f"{len(students)} submissions of {chapter.name}, {options.jobs} at a time; stock on {len(few)}"
    subprocess.run(
        [*NBGRADER, "generate_assignment", chapter.name, "--force"],
        cwd=theirs.root, check=True, capture_output=True,
    )  # fmt: skip
    half = len(few) // 2
    copy(few[:half], ours, theirs)
    first = stock(theirs, chapter, "autograde")
    command = [sys.executable, "-m", "classroom", "grade", chapter.name, "--no-outputs"]
    mine = watch([*command, "--jobs", str(options.jobs)], ours.root, students[0][:5])
    copy(few[half:], ours, theirs)
    second = stock(theirs, chapter, "autograde")
    nothing = stock(theirs, chapter, "autograde")
    each = mine.seconds / len(students)
    stock_each = (first + second - 2 * nothing) / len(few)
    found = records(ours, chapter)
    yield f"isolation: {', '.join(sorted({record.level for record in found}))}"
    yield f"stock nbgrader autograde  {stock_each:8.3f} s each  {60 / stock_each:8.0f} a minute"
    yield f"classroom grade           {each:8.3f} s each  {60 / each:8.0f} a minute, start included"
    yield f"ratio                     {stock_each / each:8.1f} times"
    yield f"first result after        {mine.first_line:8.1f} s"
    yield f"memory, all processes     {mine.memory_mb:8.0f} MB at most, {mine.processes} processes"
    yield "per submission:"
    for name in found[0].stages:
        middle = statistics.median(record.stages.get(name, 0.0) for record in found)
        yield f"  {name:<22}  {1e3 * middle:8.1f} ms"
    yield f"  {'all of it':<22}  {1e3 * statistics.median(r.seconds for r in found):8.1f} ms in its process"
    with lesson_environment(read_course(project)):
        drawn = floor(project, chapter, ours, few[:10], draw=True)
        alone = floor(project, chapter, ours, few[:10], draw=False)
    yield f"  {'the cells alone':<22}  {1e3 * drawn:8.1f} ms with each picture drawn, as stock has it"
    yield f"  {'':<22}  {1e3 * alone:8.1f} ms without, the floor: ours draws a picture once for all"
    mine_grades, stock_grades = grades(ours, chapter), grades(theirs, chapter)
    same = sum(mine_grades[key] == points for key, points in stock_grades.items())
    yield f"grades as stock's         {same:8d} of {len(stock_grades)} cells of {len(few)} students"
    for key, points in stock_grades.items():
        if mine_grades[key] != points:
            yield f"  {key}: stock {points}, ours {mine_grades[key]}"
    pages = stock(theirs, chapter, "generate_feedback")
    feedback = (pages - stock(theirs, chapter, "generate_feedback")) / len(few)
    run = [sys.executable, "-c", FEEDBACK, chapter.name]
    own = float(watch(run, ours.root).output) / len(students)
    yield f"feedback: stock           {feedback:8.3f} s each, ours {own:.3f} s each, start included"
    yield f"feedback ratio            {feedback / own:8.1f} times"


def main(arguments: Sequence[str] | None = None) -> None:
    """Make a batch, grade it both ways and print what they took."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--submissions", type=int, default=200, help="size of the batch (200)")
    parser.add_argument("--stock", type=int, default=20, help="how many of them stock grades (20)")
    parser.add_argument("--jobs", type=int, default=2, help="submissions at a time (2)")
    parser.add_argument("--chapter", default="01_basics", help="chapter to grade (01_basics)")
    options = parser.parse_args(arguments)
    if not 2 <= options.stock <= options.submissions:
        parser.error(f"--stock must be from 2 to --submissions, was {options.stock}")
    command = " ".join(["python benchmarks/grading.py", *(arguments or sys.argv[1:])])
    print(f"$ {command}", flush=True)
    with tempfile.TemporaryDirectory(prefix="grading-") as work:
        for text in lines(options, Path(work)):
            print(text, flush=True)


if __name__ == "__main__":
    main()
