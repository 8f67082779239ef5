"""Grades notebooks of strangers: the code in a sandbox, the tests out of its reach."""

from classroom.grading.grader import Grader, close_graders, grade_one
from classroom.grading.model import (
    CellResult,
    CheckResult,
    Limits,
    Outcome,
    Release,
    ReleaseCell,
    Submission,
    Verdict,
)
from classroom.grading.reading import read_release, read_submission
from classroom.grading.sandbox import (
    LEVELS,
    LevelReport,
    available_levels,
    choose_level,
    level_label,
)

__all__ = [
    "LEVELS",
    "CellResult",
    "CheckResult",
    "Grader",
    "LevelReport",
    "Limits",
    "Outcome",
    "Release",
    "ReleaseCell",
    "Submission",
    "Verdict",
    "available_levels",
    "choose_level",
    "close_graders",
    "grade_one",
    "level_label",
    "read_release",
    "read_submission",
]
