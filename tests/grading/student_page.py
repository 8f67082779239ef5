"""The feedback page of a submission: the place where students would see what they must not."""

from __future__ import annotations

from classroom.grading import Outcome, Release, Submission
from classroom.marking.feedback import FeedbackPage, read_json
from classroom.marking.grade import record_of
from classroom.marking.gradebook import Standing


def feedback_page(outcome: Outcome, submission: Submission, release: Release) -> str:
    """The page that the student gets."""
    cells = outcome.verdict.cells
    standing = Standing(
        outcome.student,
        score=outcome.verdict.points,
        waiting=frozenset(cell.grade_id for cell in cells if cell.points is None),
        cells={cell.grade_id: (cell.points or 0.0, cell.max_points) for cell in cells},
    )
    handed = dict(submission.files).get(f"{release.notebook}.ipynb")
    return FeedbackPage(release).html(
        record_of(outcome), standing, outcome.notebook, handed and read_json(handed)
    )
