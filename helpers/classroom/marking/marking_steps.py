"""The course's own steps of nbgrader's autograde, feedback and Formgrader; `nbgrader_config.py` plugs them in."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode
from nbgrader.coursedir import CourseDirectory
from nbgrader.preprocessors import Execute, NbGraderPreprocessor
from traitlets import Bool, Float, Unicode

from classroom.errors import ClassroomError
from classroom.grading import Limits, Submission, grade_one, read_release, read_submission
from classroom.markers import HIDDEN, parts, visible_source
from classroom.marking.marked_notebook import marked_notebook, own_sources


class SandboxedExecute(Execute):  # type: ignore[misc]  # nbgrader has no types
    """nbgrader's Execute that runs a submission in the course's own sandbox.

    The notebook runs as `classroom grade` runs it: students' code confined, tests decided in
    another process. So does Formgrader's button *Autograde*. With
    `--SandboxedExecute.sandbox=False` everything is nbgrader's own, and students' code has the
    rights of whoever runs the command.
    """

    sandbox = Bool(
        True, help="Run submissions in the course's sandbox; without it they have your rights."
    ).tag(config=True)
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
        names = resources["nbgrader"]
        release = read_release(
            _source_notebook(self.config, names["assignment"], names["notebook"])
        )
        folder = Path(resources["metadata"]["path"])
        files = read_submission(names["student"], folder).files
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


class ShowSafely(NbGraderPreprocessor):  # type: ignore[misc]  # nbgrader has no types
    """Takes out of an autograded notebook what would run on the page where it is marked.

    It comes last in `nbgrader autograde`, and once more when Formgrader opens a notebook, which an
    older version may have written.
    """

    def preprocess(self, nb: NotebookNode, resources: Any) -> tuple[NotebookNode, Any]:
        """Clean a whole notebook; a page that is no marking page stays as it is."""
        found = resources.get("nbgrader") or {}
        chapter = found.get("assignment") or resources.get("assignment_id")
        if chapter is None:
            return nb, resources
        name = found.get("notebook") or resources.get("notebook_id") or chapter
        try:
            release = read_release(_source_notebook(self.config, chapter, name))
            given, names = own_sources(release), [cell.grade_id for cell in release.cells]
        except ClassroomError:  # without the chapter nothing in it is known to be the course's own
            given, names = frozenset(), None
        shown = marked_notebook(nb, given, names)
        nb.cells, nb.metadata = (nbformat.from_dict(shown[key]) for key in ("cells", "metadata"))
        return nb, resources


def _source_notebook(config: Any, chapter: str, notebook: str) -> Path:
    course = CourseDirectory(config=config)
    return Path(course.format_path(course.source_directory, ".", chapter)) / f"{notebook}.ipynb"


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
            hides = any(part == HIDDEN for part, _ in parts(cell.source))
            cell.source = visible_source(cell.source)
            if hides:
                cell.outputs = [o for o in cell.outputs if o.output_type == "error"]
            for output in cell.outputs:
                if output.output_type == "error":
                    ours = output.ename == "CheckFailed"
                    text = output.evalue if ours or not hides else "The test stopped with an error."
                    output.traceback = [f"{output.ename}: {text}"]
        return cell, resources
