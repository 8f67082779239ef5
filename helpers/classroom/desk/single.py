"""`classroom grade-one`: one notebook in, one result file out, for any cluster.

No database, no class, no shared disk: what decides is the chapter's instructor notebook. The
formats are those that Gradescope (gradescope-autograders.readthedocs.io, *Autograder
Specifications*) and PrairieLearn (docs/externalGrading.md, *Grading results*) publish, both read in
copies on 2026-11-30. No format holds a hidden value; what was not graded by tests is said in words.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from classroom.desk.archives import LARGEST_FILE
from classroom.errors import ClassroomError
from classroom.grading import (
    CellResult,
    Outcome,
    Release,
    Submission,
    close_graders,
    grade_one,
    read_release,
    read_submission,
)
from classroom.grading.model import CANNOT_BE_GRADED, PASSED
from classroom.marking.room import write_whole
from classroom.project import Chapter
from leverage.lessons.wording import item_label

LONGEST_MESSAGE = 10_000
"""Characters of one message: PrairieLearn takes 1 MB in all."""


def grade_single(
    chapter: Chapter,
    source: Path,
    target: Path,
    *,
    form: str = "json",
    level: str | None = None,
    allow_limits_only: bool = False,
) -> Outcome:
    """Grade one hand-in and write its result.

    Parameters
    ----------
    chapter : Chapter
        What was handed in.
    source : Path
        A notebook, or the folder with all that was handed in.
    target : Path
        The result file.
    form : {"json", "gradescope", "prairielearn"}
        Its format.
    level, allow_limits_only
        The isolation, as for `classroom grade`.

    Raises
    ------
    ClassroomError
        If there is nothing at `source`, or this machine cannot grade; then no result is written.
    """
    release = read_release(chapter.solution_notebook)
    submission = hand_in_at(source)
    try:
        outcome = grade_one(release, submission, level=level, allow_limits_only=allow_limits_only)
    finally:
        close_graders()
    content = json.dumps(RESULT_FORMS[form](release, outcome), ensure_ascii=False, indent=1)
    write_whole(target, content.encode("utf-8", "replace") + b"\n")
    return outcome


def hand_in_at(source: Path) -> Submission:
    """Return what was handed in: a notebook, or everything in a folder; no link is followed."""
    if source.is_dir():
        return read_submission("", source)
    try:
        if source.stat().st_size > LARGEST_FILE:
            raise ClassroomError(f"{source} is larger than {LARGEST_FILE // 1_000_000} MB")
        return Submission("", ((source.name, source.read_bytes()),))
    except FileNotFoundError:
        raise ClassroomError(f"there is no notebook {source}") from None


def json_result(release: Release, outcome: Outcome) -> dict[str, Any]:
    """Return a result as plain JSON: everything that a person may see."""
    verdict = outcome.verdict
    return {
        "assignment": outcome.assignment,
        "status": verdict.status,
        "points": verdict.points,
        "max_points": release.max_points,
        "points_by_hand": release.max_points - release.auto_points,
        "message": verdict.for_student,
        "for_instructor": verdict.for_instructor,
        "tampering": list(verdict.tampering),
        "notes": list(verdict.notes),
        "level": verdict.level,
        "seconds": round(verdict.seconds, 3),
        "release": outcome.release_digest,
        "submission": outcome.submission_digest,
        "tests": [
            {
                "id": cell.grade_id,
                "name": item_label(cell.grade_id),
                "kind": cell.kind,
                "points": cell.points,
                "max_points": cell.max_points,
                "state": cell.state,
                "message": cell.sentence,
            }
            for cell in verdict.cells
        ],
    }


def gradescope_result(release: Release, outcome: Outcome) -> dict[str, Any]:
    """Return a result as Gradescope reads it."""
    verdict = outcome.verdict
    tests = [
        {
            "number": str(number),
            "name": item_label(cell.grade_id),
            "score": cell.points,
            "max_score": cell.max_points,
            "status": "passed" if cell.state == PASSED else "failed",
            "output": cell.sentence[:LONGEST_MESSAGE],
            "visibility": "visible",
        }
        for number, cell in enumerate(_tests(outcome), start=1)
    ]
    return {
        "score": sum(cell.points or 0 for cell in _tests(outcome)),
        "execution_time": math.ceil(verdict.seconds),
        "output": _message(release, outcome),
        "visibility": "visible",
        "stdout_visibility": "hidden",
        "tests": tests,
    }


def prairielearn_result(release: Release, outcome: Outcome) -> dict[str, Any]:
    """Return a result as PrairieLearn reads it; what cannot be graded costs no attempt."""
    message = _message(release, outcome)
    if outcome.verdict.status == CANNOT_BE_GRADED:
        return {"gradable": False, "format_errors": [message]}
    earned = sum(cell.points or 0 for cell in _tests(outcome))
    return {
        "gradable": True,
        "score": earned / release.auto_points if release.auto_points else 0.0,
        "message": message,
        "tests": [
            {
                "name": item_label(cell.grade_id),
                "points": cell.points,
                "max_points": cell.max_points,
                "message": cell.sentence[:LONGEST_MESSAGE],
            }
            for cell in _tests(outcome)
        ],
    }


RESULT_FORMS: Mapping[str, Callable[[Release, Outcome], dict[str, Any]]] = {
    "json": json_result,
    "gradescope": gradescope_result,
    "prairielearn": prairielearn_result,
}


def _tests(outcome: Outcome) -> list[CellResult]:
    return [cell for cell in outcome.verdict.cells if cell.kind == "test"]


def _message(release: Release, outcome: Outcome) -> str:
    by_hand = release.max_points - release.auto_points
    said = outcome.verdict.for_student[:LONGEST_MESSAGE]
    return f"{said} {by_hand:g} more points are given by hand." if by_hand else said
