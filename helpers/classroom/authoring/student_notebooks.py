"""Make student notebooks with nbgrader, as `nbgrader generate_assignment` does."""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path
from typing import Any

from nbformat import NotebookNode

from classroom.errors import ClassroomError
from classroom.project import Project

MADE = "cells_as_made"


def cells_digest(notebook: NotebookNode) -> str:
    """Return a digest of what stands in a notebook's cells; running them does not change it."""
    cells = "\n".join(repr((cell.cell_type, cell.source)) for cell in notebook.cells)
    return hashlib.sha256(cells.encode()).hexdigest()[:20]


def note_cells(notebook: NotebookNode) -> None:
    """Note in a notebook what stands in its cells, so that it says itself whether it changed."""
    notebook.metadata[MADE] = cells_digest(notebook)


def was_worked_in(notebook: NotebookNode) -> bool:
    """Tell whether somebody wrote in a notebook since it was made."""
    return str(notebook.metadata.get(MADE)) != cells_digest(notebook)


def course_config(project: Project) -> Any:
    """Return the traitlets configuration of nbgrader_config.py."""
    from traitlets.config import PyFileConfigLoader

    return PyFileConfigLoader("nbgrader_config.py", path=str(project.root)).load_config()


def generate(project: Project, source: Path, release: Path, name: str) -> Path:
    """Write the student notebook of chapter `name` below `release` and return its path.

    `source` and `release` are folders of chapters, as nbgrader's source and release folders.
    No gradebook is touched.
    """
    from nbgrader.converters import GenerateAssignment
    from nbgrader.converters.base import NbGraderException
    from nbgrader.coursedir import CourseDirectory

    config = course_config(project)
    config.CourseDirectory.root = str(source.parent)
    config.CourseDirectory.source_directory = str(source)
    config.CourseDirectory.release_directory = str(release)
    config.CourseDirectory.assignment_id = name
    config.GenerateAssignment.no_database = True
    config.SaveCells.enabled = False
    config.GenerateAssignment.force = True
    log = QuietLog()
    converter = GenerateAssignment(coursedir=CourseDirectory(config=config), config=config)
    converter.log = log.logger
    converter.update_config(config)
    try:
        converter.start()
    except NbGraderException as error:
        raise ClassroomError(
            f"nbgrader could not make the student notebook of {name}: {log.last_error or error}"
        ) from None
    return release / name / f"{name}.ipynb"


class QuietLog:
    """A logger that keeps errors for our own message instead of printing them."""

    def __init__(self) -> None:
        self.logger = logging.Logger("classroom.nbgrader", logging.ERROR)
        self.errors: list[str] = []
        handler = logging.Handler()
        handler.emit = lambda record: self.errors.append(record.getMessage())  # type: ignore[method-assign]  # one method, no class
        self.logger.addHandler(handler)

    @property
    def last_error(self) -> str:
        """The last error that was logged, on one line."""
        return " ".join(self.errors[-1].split()) if self.errors else ""
