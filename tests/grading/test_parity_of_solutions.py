"""The course's own Execute gives every solution its points, and shows what a stock kernel shows."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from parity import CHAPTERS, own_grades, stock_grades

from classroom.grading import Grader, Submission, read_release
from classroom.project import Chapter

# `classroom build` leaves it out of what it stores.
LIVE = "application/vnd.jupyter.widget-view+json"


def shown(notebook: Mapping[str, Any]) -> dict[str, list[tuple[str, ...]]]:
    """What kinds of output the cells have that are no test, by the cells' ids."""
    return {
        cell["id"]: [
            (part["output_type"], *sorted({*part.get("data", ())} - {LIVE}))
            for part in cell["outputs"]
        ]
        for cell in notebook["cells"]
        if cell["cell_type"] == "code" and not cell["metadata"].get("nbgrader", {}).get("grade")
    }


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_every_solution_gets_all_points_and_shows_what_a_kernel_shows(chapter: Chapter) -> None:
    release = read_release(chapter.solution_notebook)
    with Grader(release, workers=1, allow_limits_only=True) as grader:
        # Given cells draw nothing: their pictures are those that were handed in.
        handed = chapter.solution_notebook.read_bytes()
        outcome = grader.grade(Submission("ada", ((f"{release.notebook}.ipynb", handed),)))
    assert outcome.verdict.points == release.auto_points
    assert not outcome.verdict.tampering
    assert stock_grades(outcome) == own_grades(outcome)
    assert outcome.notebook is not None
    # `classroom build` ran this notebook in a stock kernel.
    built = json.loads(chapter.solution_notebook.read_text(encoding="utf-8"))
    assert shown(outcome.notebook) == shown(built)
