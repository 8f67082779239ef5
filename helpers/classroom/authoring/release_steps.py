"""The course's own steps of `nbgrader generate_assignment`; `nbgrader_config.py` plugs them in."""

from __future__ import annotations

from typing import Any

from nbformat import NotebookNode
from nbgrader.preprocessors import ClearSolutions, NbGraderPreprocessor

from classroom.authoring.student_notebooks import note_cells
from classroom.markers import BEGIN_SOLUTION, student_source


class ClearSolutionsKeepStub(ClearSolutions):  # type: ignore[misc]  # nbgrader has no types
    """nbgrader's ClearSolutions that also knows `### STUDENT STUB`."""

    def _replace_solution_region(self, cell: NotebookNode, language: str) -> bool:
        found = BEGIN_SOLUTION in cell.source
        stub = self.code_stub[language] if cell.cell_type == "code" else self.text_stub
        cell.source = student_source(cell.source, stub)
        return found


class NoteCells(NbGraderPreprocessor):  # type: ignore[misc]  # nbgrader has no types
    """Notes in a student notebook what stands in its cells; comes last."""

    def preprocess(self, nb: NotebookNode, resources: Any) -> tuple[NotebookNode, Any]:
        """Note the cells of a notebook."""
        note_cells(nb)
        return nb, resources
