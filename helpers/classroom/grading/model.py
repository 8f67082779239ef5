"""What goes into the grading of one submission, and what comes out: plain, frozen data.

Everything here can be pickled and turned into JSON, so that a submission can be executed in any
process on any machine.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Any

GRADED = "graded"
PARTLY_GRADED = "partly graded"
CANNOT_BE_GRADED = "cannot be graded"

STUDENT_ENDED = "its process ended"
"""Why a run ended that nobody stopped."""
PASSED, PARTIAL, FAILED = "passed", "partial", "failed"
TIMED_OUT, NOT_REACHED = "timed out", "not reached"
BY_HAND, BLANK = "by hand", "blank"


@dataclass(frozen=True)
class Limits:
    """What one submission may use.

    Attributes
    ----------
    memory_mb : int
        Memory of all its processes together, and address space that each may add.
    cpu_seconds : int
        CPU time of one process, and of all of them together.
    cell_seconds, total_seconds : float
        Wall time of one cell or test, and of the whole submission.
    processes : int
        Processes and threads at one time.
    file_mb : int
        Size of one file; all files together may have twice as much, and count as memory where they
        are kept there.
    open_files : int
        Open files of one process.
    output_bytes : int
        What is kept of all outputs; one cell gets at most half.
    """

    memory_mb: int = 1_024
    cpu_seconds: int = 120
    cell_seconds: float = 30.0
    total_seconds: float = 300.0
    processes: int = 64
    file_mb: int = 50
    open_files: int = 256
    output_bytes: int = 2_000_000

    def __post_init__(self) -> None:
        for item in fields(self):
            value = getattr(self, item.name)
            if not value > 0:
                raise ValueError(f"Limits: {item.name} must be above 0, was {value!r}")

    def to_json(self) -> dict[str, Any]:
        """Return the limits as plain data."""
        return {item.name: getattr(self, item.name) for item in fields(self)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Limits:
        """Make limits of what `to_json` gave."""
        return cls(**data)


@dataclass(frozen=True)
class ReleaseCell:
    """One cell of a released notebook.

    Attributes
    ----------
    id : str
        The cell's id.
    kind : str
        "text", "given" (code that students are given), "answer", "test", or "manual" (marked by
        hand).
    grade_id : str
        nbgrader's name of the cell, "" where it has none.
    cell_type : str
        "code", "markdown" or "raw".
    source : str
        The instructor's text: tests with their hidden parts.
    released : str
        What students get.
    points : float
        Points of a test or of a cell marked by hand.
    locked : bool
        True where students must not change the text.
    metadata : mapping
        The cell's metadata as released.
    """

    id: str
    kind: str
    grade_id: str
    cell_type: str
    source: str
    released: str
    points: float = 0.0
    locked: bool = False
    metadata: Mapping[str, Any] = field(default_factory=dict, hash=False)

    @property
    def has_hidden_part(self) -> bool:
        """True where students do not get the whole text of a test."""
        return self.kind == "test" and self.source != self.released


@dataclass(frozen=True)
class Release:
    """A released assignment: its notebook and its data files.

    Attributes
    ----------
    assignment : str
        nbgrader's name of the assignment: "01_basics".
    notebook : str
        Name of the notebook without its ending.
    cells : tuple of ReleaseCell
        The notebook.
    data : tuple
        Name and content of every other file that students get.
    """

    assignment: str
    notebook: str
    cells: tuple[ReleaseCell, ...]
    data: tuple[tuple[str, bytes], ...] = ()

    @cached_property
    def digest(self) -> str:
        """Hash of everything that decides a grade."""
        return _digest(self.to_json())

    @property
    def graded(self) -> tuple[ReleaseCell, ...]:
        """Tests and cells marked by hand, in their order."""
        return tuple(cell for cell in self.cells if cell.kind in ("test", "manual"))

    @property
    def tests(self) -> tuple[ReleaseCell, ...]:
        """The tests."""
        return tuple(cell for cell in self.cells if cell.kind == "test")

    @property
    def max_points(self) -> float:
        """Points of everything."""
        return sum(cell.points for cell in self.graded)

    @property
    def auto_points(self) -> float:
        """Points that tests decide."""
        return sum(cell.points for cell in self.tests)

    def reference(self) -> Submission:
        """Return the release's own solution as a submission."""
        cells = [
            {
                "cell_type": cell.cell_type,
                "id": cell.id,
                "metadata": dict(cell.metadata),
                "source": cell.source,
            }
            for cell in self.cells
        ]
        text = json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})
        return Submission("", ((f"{self.notebook}.ipynb", text.encode()),))

    def cell(self, grade_id: str) -> ReleaseCell:
        """Return the cell of this grade_id."""
        return next(cell for cell in self.cells if cell.grade_id == grade_id)

    def to_json(self) -> dict[str, Any]:
        """Return the release as plain data."""
        return {
            "assignment": self.assignment,
            "notebook": self.notebook,
            "cells": [{f.name: getattr(cell, f.name) for f in fields(cell)} for cell in self.cells],
            "data": _files_to_json(self.data),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Release:
        """Make a release of what `to_json` gave."""
        cells = tuple(ReleaseCell(**cell) for cell in data["cells"])
        return cls(data["assignment"], data["notebook"], cells, _files_from_json(data["data"]))


@dataclass(frozen=True)
class Submission:
    """What one student handed in.

    Attributes
    ----------
    student : str
        The student's id.
    files : tuple
        Name and content of every file.
    problems : tuple of str
        What was refused while the folder was read: links, devices, files too large.
    """

    student: str
    files: tuple[tuple[str, bytes], ...] = ()
    problems: tuple[str, ...] = ()

    @cached_property
    def digest(self) -> str:
        """Hash of what was handed in, whoever did it."""
        made = hashlib.sha256()
        for name, content in self.files:
            made.update(f"{len(name)} {name} {len(content)} ".encode("utf-8", "surrogatepass"))
            made.update(content)
        made.update(json.dumps(self.problems).encode("ascii"))
        return made.hexdigest()

    def to_json(self) -> dict[str, Any]:
        """Return the submission as plain data."""
        return {
            "student": self.student,
            "files": _files_to_json(self.files),
            "problems": list(self.problems),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Submission:
        """Make a submission of what `to_json` gave."""
        return cls(data["student"], _files_from_json(data["files"]), tuple(data["problems"]))


@dataclass(frozen=True)
class CheckResult:
    """One check of a test: whether it passed, and its sentence for the student."""

    passed: bool
    hidden: bool
    sentence: str


@dataclass(frozen=True)
class CellResult:
    """What one graded cell earned.

    Attributes
    ----------
    grade_id, kind : str
        The cell; "test" or "manual".
    points : float or None
        None where a person has to decide.
    max_points : float
        Points of the cell.
    passed : bool
        True where the test gave its positive sign and full points.
    state : str
        "passed", "partial", "failed", "timed out", "not reached", "by hand" or "blank".
    checks : tuple of CheckResult
        Every check that ran.
    sentence : str
        For the student: why not all points. Never holds a hidden value.
    detail : str
        For the instructor; may quote hidden values.
    seconds : float
        Time that the test took.
    """

    grade_id: str
    kind: str
    points: float | None
    max_points: float
    passed: bool
    state: str
    checks: tuple[CheckResult, ...] = ()
    sentence: str = ""
    detail: str = ""
    seconds: float = 0.0


@dataclass(frozen=True)
class Verdict:
    """What became of a submission; every submission gets one.

    Attributes
    ----------
    status : str
        "graded", "partly graded" (up to the cell where it ended) or "cannot be graded".
    for_student, for_instructor : str
        One sentence each, always there.
    cells : tuple of CellResult
        Every graded cell of the release, whatever happened.
    tampering : tuple of str
        Attempts to change the verdict, by name.
    repairs : tuple of str
        What was put right in the notebook before it ran.
    notes : tuple of str
        Faults that cost nothing by themselves.
    level : str
        The sandbox that was in force.
    seconds : float
        Wall time of it all.
    stages : tuple
        Wall time in seconds by stage.
    memory_mb : float
        Most memory that its processes used at one time, where that is known.
    """

    status: str
    for_student: str
    for_instructor: str
    cells: tuple[CellResult, ...] = ()
    tampering: tuple[str, ...] = ()
    repairs: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    level: str = ""
    seconds: float = 0.0
    stages: tuple[tuple[str, float], ...] = ()
    memory_mb: float = 0.0

    @property
    def points(self) -> float:
        """Points that tests gave; those of cells marked by hand come later."""
        return sum(cell.points or 0.0 for cell in self.cells)

    @property
    def max_points(self) -> float:
        """Points that could be had."""
        return sum(cell.max_points for cell in self.cells)

    def to_json(self) -> dict[str, Any]:
        """Return the verdict as plain data."""
        data = {item.name: getattr(self, item.name) for item in fields(self)}
        data["cells"] = [
            {
                **{item.name: getattr(cell, item.name) for item in fields(cell)},
                "checks": [{f.name: getattr(c, f.name) for f in fields(c)} for c in cell.checks],
            }
            for cell in self.cells
        ]
        for name in ("tampering", "repairs", "notes"):
            data[name] = list(data[name])
        data["stages"] = [list(stage) for stage in self.stages]
        return data

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Verdict:
        """Make a verdict of what `to_json` gave."""
        cells = tuple(
            CellResult(**{**cell, "checks": tuple(CheckResult(**c) for c in cell["checks"])})
            for cell in data["cells"]
        )
        texts = {name: tuple(data[name]) for name in ("tampering", "repairs", "notes")}
        stages = tuple((str(name), float(seconds)) for name, seconds in data["stages"])
        return cls(**{**data, "cells": cells, "stages": stages, **texts})


@dataclass(frozen=True)
class Outcome:
    """The executed notebook and the verdict of one submission.

    Attributes
    ----------
    student, assignment, notebook_name : str
        Whose, and of what.
    release_digest, submission_digest : str
        What was graded, exactly.
    verdict : Verdict
        The verdict.
    notebook : dict or None
        The executed notebook as nbformat 4 data; None where there is none.
    """

    student: str
    assignment: str
    notebook_name: str
    release_digest: str
    submission_digest: str
    verdict: Verdict
    notebook: dict[str, Any] | None = field(default=None, hash=False)

    def to_json(self) -> dict[str, Any]:
        """Return the outcome as plain data."""
        data = {item.name: getattr(self, item.name) for item in fields(self)}
        return {**data, "verdict": self.verdict.to_json()}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Outcome:
        """Make an outcome of what `to_json` gave."""
        return cls(**{**data, "verdict": Verdict.from_json(data["verdict"])})


def _digest(data: object) -> str:
    text = json.dumps(data, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def _files_to_json(files: Iterable[tuple[str, bytes]]) -> list[list[str]]:
    return [[name, base64.b64encode(content).decode("ascii")] for name, content in files]


def _files_from_json(files: Iterable[Iterable[str]]) -> tuple[tuple[str, bytes], ...]:
    return tuple((name, base64.b64decode(content)) for name, content in files)
