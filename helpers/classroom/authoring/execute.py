"""Run notebook cells in a kernel of their own, with outputs that are the same every time."""

from __future__ import annotations

import ast
import json
import os
import re
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nbformat
from jupyter_core.utils import run_sync
from nbformat import NotebookNode

from classroom.authoring.typography import with_units
from classroom.errors import ClassroomError

PATIENCE = 5
"""Seconds in which an interrupted kernel is ready again."""
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
EXPRESSION = re.compile(r"\{\{(.+?)\}\}")
THIN_SPACE = "\u202f"
# ipykernel warns at every start that its local sockets are not encrypted.
QUIET_KERNEL = ["--IPKernelApp.log_level=ERROR"]


class KernelDiedError(Exception):
    """The kernel ended while a cell was running."""


class KernelSession:
    """A running kernel; made by `start_session`."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._count = 0

    def run(self, cell: NotebookNode, *, count: bool = True) -> list[NotebookNode]:
        """Run a code cell, store its outputs in it, and return them.

        An error in the cell is an output like any other. A cell that runs longer than the
        session's limit is interrupted and gets an error output named `CellTimeoutError`.

        Raises
        ------
        KernelDiedError
            If the kernel ended, for example by running out of memory.
        """
        from nbclient.exceptions import DeadKernelError

        self._client.nb.cells[0] = cell
        began = time.monotonic()
        try:
            self._client.execute_cell(cell, 0, store_history=count)
        except DeadKernelError:
            raise KernelDiedError from None
        if time.monotonic() - began >= self._client.timeout:
            # What an interrupted cell leaves behind depends on chance; say the one thing that matters.
            text = f"the cell ran longer than {self._client.timeout} s and was stopped"
            error = {"ename": "CellTimeoutError", "evalue": text, "traceback": [text]}
            self._end_what_goes_on()
            cell.outputs = [nbformat.v4.new_output("error", **error)]
        if count:
            self._count += 1
            cell.execution_count = self._count
        clean_outputs(cell)
        return list(cell.outputs)

    def _end_what_goes_on(self) -> None:
        """End a kernel that an interrupt did not stop; every later cell would wait for it in vain."""
        limit, self._client.timeout = self._client.timeout, PATIENCE
        try:
            cell = self._client.nb.cells[0] = nbformat.v4.new_code_cell("pass")
            began = time.monotonic()
            self._client.execute_cell(cell, 0, store_history=False)
            if time.monotonic() - began >= PATIENCE:
                run_sync(self._client.km.shutdown_kernel)(now=True)
                raise KernelDiedError
        finally:
            self._client.timeout = limit

    def source(self, code: str) -> list[NotebookNode]:
        """Run code outside the notebook's own cells and return its outputs."""
        return self.run(nbformat.v4.new_code_cell(code), count=False)

    def evaluate(self, text: str) -> str:
        """Replace each `{{ expression:format }}` of a text by its value in the kernel.

        Raises
        ------
        ValueError
            If an expression does not parse or fails; the message names it.
        """
        fields = [split_field(match[1]) for match in EXPRESSION.finditer(text)]
        if not fields:
            return text
        code = ", ".join(f"format(({expression}), {spec!r})" for expression, spec in fields)
        outputs = self.source(f"print(__import__('json').dumps([{code}]))")
        if errors := [output for output in outputs if output.output_type == "error"]:
            names = ", ".join(f"{{{{{expression}}}}}" for expression, _ in fields)
            raise ValueError(f"{names} failed: {errors[0].ename}: {errors[0].evalue}")
        printed = "".join(output.text for output in outputs if output.output_type == "stream")
        values = iter(
            in_prose(value, spec)
            for value, (_, spec) in zip(json.loads(printed), fields, strict=True)
        )
        return EXPRESSION.sub(lambda _: next(values), text)


def split_field(field: str) -> tuple[str, str]:
    """Split `expression:format` at the first colon that leaves a valid expression before it.

    >>> split_field("price:,.2f"), split_field("prices[1:3]"), split_field("{1: 2}[1]:.1%")
    (('price', ',.2f'), ('prices[1:3]', ''), ('{1: 2}[1]', '.1%'))
    """
    for position in [match.start() for match in re.finditer(":", field)] + [len(field)]:
        expression = field[:position].strip()
        try:
            ast.parse(expression, mode="eval")
        except SyntaxError:
            continue
        return expression, field[position + 1 :].strip()
    raise ValueError(f"{{{{{field}}}}} is not an expression; write {{{{ expression:format }}}}")


def in_prose(value: str, spec: str) -> str:
    r"""Return a formatted number as prose shows it: thin grouping, a true minus sign, unit kept.

    >>> in_prose("-50,000.5", ",.1f"), in_prose("5 USD", "")
    ('−50\u202f000.5', '5\xa0USD')
    """
    if "," in spec:
        value = value.replace(",", THIN_SPACE)
    return with_units(re.sub(r"^-(?=\d)", "\u2212", value))


def clean_outputs(cell: NotebookNode) -> None:
    """Remove from a cell what differs between two runs of the same code."""
    cell.metadata.pop("execution", None)
    for output in cell.outputs:
        # A stored widget has no kernel to talk to; its still picture and its text stay.
        output.get("data", {}).pop(WIDGET_VIEW, None)
        if output.output_type == "error":
            output["traceback"] = [strip_paths(line) for line in output.get("traceback", [])]


def strip_paths(line: str) -> str:
    """Shorten absolute file paths in a traceback line to the file's name.

    >>> strip_paths('File /a/b/c.py:3')
    'File c.py:3'
    """
    return re.sub(r"(?:[A-Za-z]:\\|/)(?:[^\s:\"'\\/]+[\\/])+([^\s:\"'\\/]+\.py)", r"\1", line)


@contextmanager
def start_session(
    *,
    folder: Path | None = None,
    kernel_name: str = "python3",
    timeout: int = 120,
    environment: Mapping[str, str] | None = None,
) -> Iterator[KernelSession]:
    """Start a kernel in `folder` (default: a temporary one) and stop it at the end.

    The kernel keeps its learner's progress in a temporary file, so nothing outside is touched.
    """
    from jupyter_client.kernelspec import NoSuchKernel
    from nbclient import NotebookClient
    from nbclient.exceptions import DeadKernelError

    with tempfile.TemporaryDirectory(prefix="classroom-") as scratch:
        (Path(scratch) / "work").mkdir()
        env = {
            **os.environ,
            "LEVERAGE_PROGRESS": str(Path(scratch) / "progress.json"),
            "PYTHONHASHSEED": "0",
            "MPLBACKEND": "module://matplotlib_inline.backend_inline",
            **(environment or {}),
        }
        client = NotebookClient(
            nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("")]),
            kernel_name=kernel_name,
            timeout=timeout,
            interrupt_on_timeout=True,
            error_on_timeout={"ename": "CellTimeoutError", "evalue": "", "traceback": []},
            allow_errors=True,
            record_timing=False,
            store_widget_state=False,
            coalesce_streams=True,
            shutdown_kernel="immediate",
            extra_arguments=QUIET_KERNEL,
            resources={"metadata": {"path": str(folder or Path(scratch) / "work")}},
        )
        try:
            with client.setup_kernel(env=env):
                yield KernelSession(client)
        except NoSuchKernel:
            raise ClassroomError(
                f"the notebook asks for the kernel {kernel_name!r}, which is not installed; "
                "install the course's environment with 'make install', or set the notebook's "
                "kernel to 'Python 3 (ipykernel)'"
            ) from None
        except (DeadKernelError, RuntimeError) as error:
            if isinstance(error, RuntimeError) and "Kernel" not in str(error):
                raise
            raise ClassroomError(
                f"the kernel {kernel_name!r} did not start or stopped ({error}); "
                "run 'classroom doctor' to see what is missing"
            ) from None


def error_of(outputs: Iterable[NotebookNode]) -> NotebookNode | None:
    """Return the first error among a cell's outputs, or None."""
    return next((output for output in outputs if output.output_type == "error"), None)
