"""The committed course, read once for all tests of a process; they only look at it."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from classroom.authoring.build import Course, read_course
from classroom.project import Project

PROJECT = Project(Path(__file__).resolve().parents[1])


@cache
def committed_course() -> Course:
    """Read every text of the course."""
    return read_course(PROJECT)
