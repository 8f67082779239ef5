"""The course's own nbgrader preprocessors; `nbgrader_config.py` plugs them in."""

from __future__ import annotations

import re

from nbformat import NotebookNode
from nbgrader.preprocessors import ClearSolutions

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


class ClearSolutionsKeepStub(ClearSolutions):  # type: ignore[misc]
    """nbgrader's ClearSolutions that also knows `### STUDENT STUB`."""

    def _replace_solution_region(self, cell: NotebookNode, language: str) -> bool:
        if STUDENT_STUB not in cell.source:
            return bool(super()._replace_solution_region(cell, language))
        cell.source = student_source(cell.source, self.code_stub[language])
        return True
