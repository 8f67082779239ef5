"""Pictures of the given cells are kept, each where it is right, for everyone but who spoils them."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import corpus

from classroom.grading import Grader, read_release

HERE = Path(__file__).resolve().parent


def test_a_kept_picture_is_the_one_that_would_be_drawn() -> None:
    alone = [HERE / "pictures_alone.py", "-p", "no:cacheprovider", "-p", "no:xdist", "-q"]
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", *map(str, alone)],
        cwd=HERE.parents[1],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout[-5000:]


GIVEN = """from leverage.lessons import describe
from leverage.lessons.charts.basic_charts import plot_recovery
describe(plot_recovery(), "Line chart of the gain that takes a loss back, from none to four fifths.")"""
COUNT = "from leverage.lessons import figures\nprint(len(figures.kept.__self__._kept))\n"
SPOIL = "store = figures.kept.__self__._kept\nstore.update(dict.fromkeys(store, b'spoilt'))\n"


def test_a_student_changes_the_pictures_of_nobody_else(tmp_path: Path) -> None:
    answer = "### BEGIN SOLUTION\nx = 2\n### END SOLUTION"
    cells = [
        corpus.code(answer, corpus.meta("answer", solution=True), "answer"),
        corpus.code("assert x == 2", corpus.meta("test", grade=True, locked=True, points=2), "t"),
        corpus.code(GIVEN, corpus.meta("given", locked=True), "given"),
    ]
    (tmp_path / "one.ipynb").write_text(json.dumps(corpus.notebook(cells)), encoding="utf-8")
    release = read_release(tmp_path / "one.ipynb")
    held = GIVEN.replace("describe(plot", "fig = plot").replace('(), "', '()\ndescribe(fig, "')
    shows = []
    with Grader(release, corpus.LIMITS, workers=1, allow_limits_only=True) as grader:
        for first, last in ((COUNT + SPOIL, GIVEN), (COUNT, GIVEN), (COUNT, held)):
            own = tuple(
                dataclasses.replace(cell, source={"answer": first, "given": last}[cell.grade_id])
                if cell.grade_id != "test"
                else cell
                for cell in release.cells
            )
            notebook = grader.grade(dataclasses.replace(release, cells=own).reference()).notebook
            assert notebook is not None
            outputs = [output for cell in notebook["cells"] for output in cell.get("outputs", [])]
            assert outputs[0]["text"] == "1\n"
            shows.append([part["data"]["image/png"] for part in outputs if "data" in part])
    spoilt, kept, drawn = shows
    assert spoilt != kept
    assert kept == drawn
    assert len(kept) == 1
