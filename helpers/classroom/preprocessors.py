"""The course's own nbgrader preprocessors; `nbgrader_config.py` plugs them in."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode
from nbgrader.coursedir import CourseDirectory
from nbgrader.preprocessors import ClearSolutions, Execute, NbGraderPreprocessor
from traitlets import Bool, Float, Unicode

BEGIN_SOLUTION = "### BEGIN SOLUTION"
STUDENT_STUB = "### STUDENT STUB"
END_SOLUTION = "### END SOLUTION"
BEGIN_HIDDEN = "### BEGIN HIDDEN TESTS"
END_HIDDEN = "### END HIDDEN TESTS"


class MarkerError(ValueError):
    """Solution markers that do not pair."""


def student_source(source: str, stub: str = "# YOUR CODE HERE\nraise NotImplementedError()") -> str:
    """Return what students see of an answer cell.

    The lines between the solution markers are replaced by the commented lines that follow
    `### STUDENT STUB`, uncommented, or by `stub` where there are none.

    >>> print(student_source('''def double(x):
    ...     ### BEGIN SOLUTION
    ...     return 2 * x
    ...     ### STUDENT STUB
    ...     # return ... * x
    ...     ### END SOLUTION'''))
    def double(x):
        return ... * x
    """
    kept: list[str] = []
    given: list[str] | None = None
    state = "outside"
    for line in source.split("\n"):
        marker = line.strip()
        if marker == BEGIN_SOLUTION:
            if state != "outside":
                raise MarkerError(f"{BEGIN_SOLUTION} stands inside another solution region")
            state, given = "solution", None
            indent = line[: len(line) - len(line.lstrip())]
        elif marker == STUDENT_STUB:
            if state != "solution":
                raise MarkerError(f"{STUDENT_STUB} stands outside a solution region")
            state, given = "stub", []
        elif marker == END_SOLUTION:
            if state == "outside":
                raise MarkerError(f"{END_SOLUTION} has no {BEGIN_SOLUTION} above it")
            kept += [indent + part for part in stub.split("\n")] if given is None else given
            state = "outside"
        elif state == "stub" and given is not None:
            match = re.fullmatch(r"(\s*)# ?(.*)", line)
            if match is None and marker:
                raise MarkerError(f"after {STUDENT_STUB} every line starts with '#': {line!r}")
            given.append(f"{match[1]}{match[2]}".rstrip() if match else "")
        elif state == "outside":
            kept.append(line)
    if state != "outside":
        raise MarkerError(f"{BEGIN_SOLUTION} has no {END_SOLUTION} below it")
    return "\n".join(kept)


class ClearSolutionsKeepStub(ClearSolutions):  # type: ignore[misc]  # nbgrader has no types
    """nbgrader's ClearSolutions that also knows `### STUDENT STUB`."""

    def _replace_solution_region(self, cell: NotebookNode, language: str) -> bool:
        if STUDENT_STUB not in cell.source:
            return bool(super()._replace_solution_region(cell, language))
        cell.source = student_source(cell.source, self.code_stub[language])
        return True


class SandboxedExecute(Execute):  # type: ignore[misc]  # nbgrader has no types
    """nbgrader's Execute that can run a submission in the course's own sandbox.

    With `--SandboxedExecute.sandbox=True` the notebook runs as `classroom grade` runs it: students'
    code confined, tests decided in another process. Without it, everything is nbgrader's own.
    """

    sandbox = Bool(False, help="Run submissions in the course's sandbox.").tag(config=True)
    level = Unicode("", help="Level of the sandbox; the best there is where empty.").tag(
        config=True
    )
    limits_only = Bool(False, help="Accept a machine without isolation.").tag(config=True)
    total_seconds = Float(300.0, help="Wall time of a whole notebook.").tag(config=True)

    def preprocess(
        self, nb: NotebookNode, resources: Any = None, **more: Any
    ) -> tuple[NotebookNode, Any]:
        """Execute a notebook, sandboxed or as nbgrader does."""
        if not self.sandbox:
            executed, resources = super().preprocess(nb, resources, **more)
            return executed, resources
        from classroom.grading import Limits, Release, Submission, grade_one

        names = resources["nbgrader"]
        course = CourseDirectory(config=self.config)
        source = Path(course.format_path(course.source_directory, ".", names["assignment"]))
        release = Release.from_source(source / f"{names['notebook']}.ipynb")
        folder = Path(resources["metadata"]["path"])
        files = Submission.from_folder(names["student"], folder).files
        others = [(name, content) for name, content in files if not name.endswith(".ipynb")]
        text = json.dumps(nb).encode()
        submission = Submission(names["student"], ((f"{names['notebook']}.ipynb", text), *others))
        outcome = grade_one(
            release,
            submission,
            Limits(cell_seconds=float(self.timeout or 30), total_seconds=self.total_seconds),
            level=self.level or None,
            allow_limits_only=self.limits_only,
        )
        verdict = outcome.verdict
        self.log.info("%s: %s", verdict.level, verdict.for_instructor)
        for warning in (*verdict.tampering, *verdict.repairs, *verdict.notes):
            self.log.warning("%s: %s", names["student"], warning)
        if outcome.notebook is not None:
            nb.cells = nbformat.from_dict(outcome.notebook).cells
        return nb, resources


def visible_source(source: str) -> str:
    """Return a test without its hidden regions.

    >>> print(visible_source('''assert double(1) == 2
    ... ### BEGIN HIDDEN TESTS
    ... assert double(7) == 14
    ... ### END HIDDEN TESTS'''))
    assert double(1) == 2
    """
    kept, hidden = [], False
    for line in source.split("\n"):
        hidden = hidden or line.strip() == BEGIN_HIDDEN
        if not hidden:
            kept.append(line)
        hidden = hidden and line.strip() != END_HIDDEN
    return "\n".join(kept)


class HideTests(NbGraderPreprocessor):  # type: ignore[misc]  # nbgrader has no types
    """Keeps hidden tests out of the pages of `nbgrader generate_feedback`.

    A test loses its hidden regions, what it printed, and the traceback, which quotes its source;
    the message of the failed check stays.
    """

    def preprocess_cell(
        self, cell: NotebookNode, resources: Any, cell_index: int
    ) -> tuple[NotebookNode, Any]:
        """Clean one cell."""
        meta = cell.metadata.get("nbgrader", {})
        if cell.cell_type == "code" and meta.get("grade") and not meta.get("solution"):
            hides = BEGIN_HIDDEN in cell.source
            cell.source = visible_source(cell.source)
            if hides:
                cell.outputs = [o for o in cell.outputs if o.output_type == "error"]
            for output in cell.outputs:
                if output.output_type == "error":
                    ours = output.ename == "CheckFailed"
                    text = output.evalue if ours or not hides else "The test stopped with an error."
                    output.traceback = [f"{output.ename}: {text}"]
        return cell, resources
