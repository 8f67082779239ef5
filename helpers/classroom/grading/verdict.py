"""Puts together what a submission's run gave: the executed notebook, and the verdict in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from classroom.grading.model import (
    BLANK,
    BY_HAND,
    CANNOT_BE_GRADED,
    FAILED,
    GRADED,
    NOT_REACHED,
    PARTLY_GRADED,
    PASSED,
    TIMED_OUT,
    CellResult,
    CheckResult,
    Outcome,
    Release,
    ReleaseCell,
    Submission,
    Verdict,
)
from classroom.grading.repair import Prepared, UnreadableError, WorkCell, is_blank

_KERNELSPEC = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": {"name": "python", "pygments_lexer": "ipython3"},
}


def plan(prepared: Prepared) -> list[dict[str, Any]]:
    """Return what the judge is to do, cell by cell."""
    steps: list[dict[str, Any]] = []
    for number, cell in enumerate(prepared.cells):
        if cell.cell_type != "code":
            continue
        if cell.release is not None and cell.release.kind == "test":
            steps.append({"do": "test", "cell": number, "grade_id": cell.release.grade_id})
        elif cell.source.strip():
            given = cell.release is not None and cell.release.kind == "given"
            steps.append(
                {"do": "run", "cell": number, "source": cell.source, "id": cell.id, "given": given}
            )
    return steps


def unreadable(
    release: Release,
    submission: Submission,
    problem: UnreadableError,
    level: str,
    seconds: float,
) -> Outcome:
    """Return the outcome of a submission that holds no notebook to grade."""
    cells = tuple(
        CellResult(
            cell.grade_id, cell.kind, 0.0, cell.points, False, NOT_REACHED, (), problem.student
        )
        for cell in release.graded
    )
    verdict = Verdict(
        CANNOT_BE_GRADED,
        problem.student,
        whole_sentence(problem.instructor),
        cells,
        notes=tuple(submission.problems),
        level=level,
        seconds=seconds,
    )
    return _outcome(release, submission, verdict, None)


def whole_sentence(text: str) -> str:
    """Return a text with a capital and a full stop.

    >>> whole_sentence("a.ipynb is empty")
    'A.ipynb is empty.'
    """
    text = text.strip()
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "!", "?")) else ".")


def _outcome(
    release: Release, submission: Submission, verdict: Verdict, notebook: dict[str, Any] | None
) -> Outcome:
    return Outcome(
        submission.student,
        release.assignment,
        release.notebook,
        release.digest,
        submission.digest,
        verdict,
        notebook,
    )


def outcome(
    release: Release,
    submission: Submission,
    prepared: Prepared,
    records: Sequence[Mapping[str, Any]],
    over: Mapping[str, Any],
    *,
    level: str,
    seconds: float,
    stages: Mapping[str, float],
    memory_mb: float,
) -> Outcome:
    """Return the outcome of a submission that ran, or ran in part."""
    by_cell = {record["cell"]: record for record in records}
    cells, results = [], {}
    died = None
    for number, cell in enumerate(prepared.cells):
        record = by_cell.get(number, {})
        if record.get("state") == "ended" and died is None:
            died = number
        cells.append(notebook_cell(cell, record, over))
        if cell.release is not None and cell.release.kind in ("test", "manual"):
            results[cell.release.grade_id] = cell_result(cell.release, cell, record, over)
    graded = tuple(results[cell.grade_id] for cell in release.graded)
    ended = str(over.get("ended") or "")
    tampering = tuple(dict.fromkeys([*prepared.tampering, *over.get("tampering", [])]))
    notes = list(dict.fromkeys([*prepared.notes, *over.get("notes", [])]))
    late = [n for n, record in by_cell.items() if record.get("state") == "late"]
    notes += [f"cell {number + 1} ran too long and was stopped" for number in late]
    status = PARTLY_GRADED if ended else GRADED
    where = f" in cell {died + 1}" if died is not None else ""
    points = sum(result.points or 0.0 for result in graded)
    total = sum(cell.points for cell in release.tests)
    if ended:
        student = (
            f"Your notebook was graded up to the cell where it ended{where}: {ended}."
            " Run it from top to bottom before you hand it in."
        )
        teacher = f"The run ended{where}: {ended}; what came before counts."
    else:
        student = f"Your notebook was graded: {points:g} of {total:g} points by tests."
        teacher = f"Graded: {points:g} of {total:g} points by tests."
        if late:
            student += f" Cell {late[0] + 1} ran too long and was stopped."
    if prepared.choice:
        student += f" {prepared.choice}."
        teacher += f" {prepared.choice}."
    if tampering:
        teacher += f" Tampering: {'; '.join(tampering)}."
    if prepared.repairs:
        teacher += f" Repaired: {len(prepared.repairs)}."
    times = {**stages, **over.get("seconds", {})}
    verdict = Verdict(
        status,
        student,
        teacher,
        graded,
        tampering,
        tuple(prepared.repairs),
        tuple(notes),
        level,
        seconds,
        tuple(times.items()),
        memory_mb,
    )
    notebook = {"cells": cells, "metadata": _KERNELSPEC, "nbformat": 4, "nbformat_minor": 5}
    return _outcome(release, submission, verdict, notebook)


def notebook_cell(
    cell: WorkCell, record: Mapping[str, Any], over: Mapping[str, Any]
) -> dict[str, Any]:
    """Return one cell of the executed notebook."""
    made: dict[str, Any] = {
        "cell_type": cell.cell_type,
        "id": cell.id,
        "metadata": cell.metadata,
        "source": cell.source,
    }
    if cell.cell_type != "code":
        return made
    test = record.get("test")
    outputs = list(test["outputs"] if test else record.get("outputs", []))
    is_test = cell.release is not None and cell.release.kind == "test"
    if record.get("state") == "ended":
        outputs.append(error_output("DeadKernelError", str(over.get("ended", ""))))
    elif record.get("state") == "late":
        outputs.append(error_output("CellTimeoutError", "the cell ran too long and was stopped"))
    elif is_test and (test is None or test["state"] == NOT_REACHED):
        outputs = [error_output("NotRunError", "the run ended before this test")]
    made["execution_count"] = record.get("count")
    made["outputs"] = [with_handed_picture(output, cell.pictures) for output in outputs]
    return made


def with_handed_picture(output: dict[str, Any], pictures: Mapping[str, str]) -> dict[str, Any]:
    """Return an output with the picture that was handed in beside the same description.

    Given cells draw nothing while they are graded.
    """
    data = output.get("data", {})
    picture = pictures.get(data.get("text/plain", ""))
    if picture is None or "image/png" in data:
        return output
    return {**output, "data": {**data, "image/png": picture}}


def error_output(name: str, text: str) -> dict[str, Any]:
    """Return an error as a cell shows it."""
    return {"output_type": "error", "ename": name, "evalue": text, "traceback": [f"{name}: {text}"]}


def cell_result(
    own: ReleaseCell, cell: WorkCell, record: Mapping[str, Any], over: Mapping[str, Any]
) -> CellResult:
    """Return what one graded cell earned."""
    if own.kind == "manual":
        task = bool(own.metadata.get("nbgrader", {}).get("task"))
        blank = is_blank(cell) and not cell.answered_below and not task
        points = 0.0 if blank else None
        text = "There is no answer in this cell." if blank else ""
        return CellResult(
            own.grade_id, "manual", points, own.points, False, BLANK if blank else BY_HAND, (), text
        )
    test = record.get("test")
    if test is None or test["state"] == NOT_REACHED:
        ended = over.get("ended") or "the run ended before it"
        text = f"This test was not reached: {ended}."
        return CellResult(
            own.grade_id, "test", 0.0, own.points, False, NOT_REACHED, (), text, str(ended)
        )
    state = str(test["state"])
    points = min(max(float(test["points"]), 0.0), own.points)
    if state in (FAILED, TIMED_OUT):
        points = 0.0
    checks = tuple(CheckResult(**check) for check in test["checks"])
    return CellResult(
        own.grade_id,
        "test",
        points,
        own.points,
        state == PASSED,
        state,
        checks,
        str(test["sentence"]),
        str(test["detail"]),
        float(test["seconds"]),
    )
