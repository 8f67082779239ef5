"""Grades notebooks of strangers: the code in a sandbox, the tests out of its reach."""

from classroom.grading.grader import Grader
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
from classroom.grading.verdict import student_view

__all__ = [
    "CellResult",
    "CheckResult",
    "Grader",
    "Limits",
    "Outcome",
    "Release",
    "ReleaseCell",
    "Submission",
    "Verdict",
    "student_view",
]
