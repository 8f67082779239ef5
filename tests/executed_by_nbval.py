"""Let nbval's run of an instructor notebook answer, too, what else is asked of such a run.

nbval runs every cell of a committed notebook and compares what it shows, pictures apart. Here the
numbers in the text between the cells are computed in the same kernel; at the end one more test
compares the files that the build would write from this run, pictures included, and another asks
stock nbgrader for the points. So an instructor notebook is executed once for all three.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import nbformat
import pytest
from committed import PROJECT, committed_course
from nbformat import NotebookNode
from nbval.plugin import IPyNbCell, IPyNbFile

from classroom.authoring.build import files_from, notebook_bytes
from classroom.authoring.check import without_picture_data
from classroom.authoring.execute import KernelSession, clean_outputs

# Elsewhere a pixel may differ; descriptions are compared everywhere.
REFERENCE = sys.platform == "linux" and sys.version_info[:2] == (3, 11)


class Aside(KernelSession):
    """The kernel of nbval, for what is computed between the notebook's own cells."""

    def __init__(self, file: InstructorNotebook) -> None:
        self.file = file

    def source(self, code: str) -> list[NotebookNode]:
        """Run code beside the notebook and return its outputs."""
        cell = nbformat.v4.new_code_cell(code)
        options = {"skip": False, "check": False, "check_exception": True}
        item = IPyNbCell.from_parent(
            self.file, name="aside", cell_num=-1, cell=cell, options=options
        )
        item.runtest()
        return list(item.test_outputs)


class InstructorNotebook(IPyNbFile):
    """A committed instructor notebook: its cells, and what follows from their run."""

    def collect(self) -> Iterator[pytest.Item]:
        """Give the cells as nbval has them, then what is asked of the run."""
        yield from super().collect()
        yield SameFiles.from_parent(self, name="the build makes the committed files")
        yield EveryPoint.from_parent(self, name="stock nbgrader gives every point")

    def setup(self) -> None:
        """Start the kernel as the build does."""
        self.course = committed_course()
        self.made = nbformat.from_dict(self.course.all[self.path.stem].notebook)
        self.rest = iter(self.made.cells)
        self.progress = tempfile.TemporaryDirectory()
        own = {
            "PYTHONHASHSEED": "0",
            "LEVERAGE_PROGRESS": str(Path(self.progress.name) / "progress.json"),
        }
        with mock.patch.dict(os.environ, own):
            super().setup()

    def teardown(self) -> None:
        """Stop the kernel."""
        super().teardown()
        self.progress.cleanup()

    def next_code_cell(self) -> NotebookNode | None:
        """Compute the numbers of the texts up to the next code cell, and give that cell."""
        for cell in self.rest:
            if cell.cell_type == "code":
                return cell
            cell.source = Aside(self).evaluate(cell.source)
        return None

    def run(self, item: IPyNbCell) -> Iterator[None]:
        """Keep what a cell shows in the notebook that the build would write."""
        cell = self.next_code_cell()
        assert cell is not None, "the notebook has more cells than its text: make build"
        yield
        cell.outputs, cell.execution_count = item.test_outputs, item.cell_num + 1
        for output in cell.outputs:
            if output.output_type == "execute_result":
                output.execution_count = cell.execution_count
        clean_outputs(cell)


class AfterTheRun(pytest.Item):
    """What is asked when all cells have run."""

    def reportinfo(self) -> tuple[Path, None, str]:
        """Name it in a report."""
        return self.path, None, f"{self.path.name}: {self.name}"


class SameFiles(AfterTheRun):
    """The build would write the committed files, to the byte."""

    def runtest(self) -> None:
        """Compare both notebooks of the chapter."""
        assert self.parent.next_code_cell() is None, "the text has more cells: make build"
        course, made = self.parent.course, self.parent.made
        chapter = course.all[self.path.stem].chapter
        for path, content in files_from(course, chapter, made).items():
            committed = path.read_bytes()
            if not REFERENCE:
                committed, content = without_picture_data(committed), without_picture_data(content)
            assert committed == content, f"{path.relative_to(PROJECT.root)}: run make build"


class EveryPoint(AfterTheRun):
    """Stock nbgrader's validation, without running the notebook once more, finds no failed test."""

    def runtest(self) -> None:
        """Validate the notebook that was just run."""
        from nbgrader.preprocessors import CheckCellMetadata
        from nbgrader.validator import Validator

        with tempfile.TemporaryDirectory() as folder:
            place = Path(folder) / self.path.name
            place.write_bytes(notebook_bytes(self.parent.made))
            assert Validator(preprocessors=[CheckCellMetadata]).validate(str(place)) == {}


class Plugin:
    """What conftest.py registers when nbval is asked for."""

    @pytest.hookimpl(wrapper=True)
    def pytest_collect_file(self, file_path: Path, parent: pytest.Collector) -> Iterator[None]:
        """Take nbval's place for the instructor notebooks of this course."""
        found = yield
        known = {chapter.solution_notebook for chapter in PROJECT.texts()}
        return [
            InstructorNotebook.from_parent(parent, path=file_path)
            if isinstance(one, IPyNbFile) and file_path in known
            else one
            for one in found
        ]

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Iterator[None]:
        """Look over nbval's shoulder."""
        if isinstance(item, IPyNbCell) and isinstance(item.parent, InstructorNotebook):
            return (yield from item.parent.run(item))
        return (yield)
