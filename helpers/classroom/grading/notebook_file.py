"""Reads a notebook too large to be parsed in the grader's own process.

A file of some megabytes can stand for gigabytes of empty lists. So a process of its own, with
limits on memory and time, parses it and gives back what grading and feedback look at. That process
runs this file as a program, which imports nothing of the course.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

LARGE = 4_000_000
"""Bytes from which on a notebook is parsed elsewhere."""
MEMORY = 1_000_000_000
"""Bytes that the process may use."""
SECONDS = 20
"""Of processor time."""
MOST_OUTPUTS, LARGEST_OUTPUTS = 50, 10_000_000
"""Outputs of a cell that are kept, and characters of all outputs of a notebook."""
_KEPT = ("cell_type", "source", "input", "id", "metadata")
_LARGEST_METADATA = 10_000


def notebook_json(
    content: bytes, most_cells: int, largest_source: int, *, outputs: bool = False
) -> Any:
    """Return the JSON of a notebook, without outputs unless they are asked for.

    Raises
    ------
    RecursionError, MemoryError, ValueError
        As `json.loads` would: nested without end, too large, no JSON.
    """
    if len(content) < LARGE:
        return json.loads(decoded(content))
    numbers = (most_cells, largest_source, int(outputs), MEMORY, SECONDS)
    command = [sys.executable, "-I", "-S", __file__, *map(str, numbers)]
    try:
        ended = subprocess.run(
            command, input=content, capture_output=True, timeout=6 * SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise MemoryError("it takes too long to be read") from None
    said = ended.stderr.decode("utf-8", "replace").strip().splitlines()
    kind, _, text = (said[-1] if said else "").partition(": ")
    kind = kind.rpartition(".")[2]
    if kind == "RecursionError":
        raise RecursionError(text)
    if kind in ("UnicodeDecodeError", "ValueError", "JSONDecodeError"):
        decoded(content)  # raises the full error, where that is what is wrong
        raise ValueError(text)
    if ended.returncode:
        raise MemoryError("it is too large to be read")
    return json.loads(ended.stdout)


def decoded(content: bytes) -> str:
    """Return the text of a file: UTF-8, or UTF-16 where the file says so."""
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return content.decode("utf-16")
    return content.decode("utf-8-sig")


def slim(document: Any, most_cells: int, largest_source: int, *, outputs: bool) -> Any:
    """Return a notebook with what is looked at only; anything else as something empty.

    >>> cell = {"cell_type": "code", "source": "x", "outputs": [1], "more": 2}
    >>> slim({"nbformat": 4, "cells": [cell]}, 10, 10, outputs=False)
    {'nbformat': 4, 'cells': [{'cell_type': 'code', 'source': 'x'}]}
    """
    if not isinstance(document, dict):
        return None
    room = LARGEST_OUTPUTS if outputs else 0
    left = 10 * largest_source

    def cell_of(cell: Any) -> Any:
        nonlocal room, left
        if not isinstance(cell, dict):
            return None
        kept = {name: cell[name] for name in _KEPT if name in cell}
        for name in ("source", "input"):
            text = kept.get(name, "")
            if isinstance(text, list) and all(isinstance(line, str) for line in text):
                text = "".join(text)
            kept[name] = text[: min(largest_source + 1, left)] if isinstance(text, str) else ""
            left -= len(kept[name])
        kept = {name: kept[name] for name in kept if name in cell}
        if len(json.dumps([kept.get(name) for name in ("cell_type", "id", "metadata")])) > (
            _LARGEST_METADATA
        ):
            kept = {name: kept[name] for name in ("source", "input") if name in kept}
            kept["cell_type"] = cell["cell_type"] if cell.get("cell_type") == "markdown" else "code"
        shown = cell.get("outputs")
        if isinstance(shown, list) and room > 0:
            kept["outputs"] = []
            for output in shown[:MOST_OUTPUTS]:
                room -= len(json.dumps(output))
                if room > 0:
                    kept["outputs"].append(output)
        return kept

    found: dict[str, Any] = {}
    version = document.get("nbformat")
    if "nbformat" in document:
        found["nbformat"] = version if isinstance(version, int) and abs(version) < 100 else None
    cells = document.get("cells")
    if isinstance(cells, list):
        # One more than are read, so that it shows that there were more.
        found["cells"] = [cell_of(cell) for cell in cells[: most_cells + 1]]
    sheets = document.get("worksheets")
    if isinstance(sheets, list):
        found["worksheets"] = [
            {"cells": [cell_of(cell) for cell in sheet["cells"][: most_cells + 1]]}
            for sheet in sheets[:10]
            if isinstance(sheet, dict) and isinstance(sheet.get("cells"), list)
        ]
    return found


def main(arguments: list[str]) -> None:
    """Read a notebook from the input and write what is left of it, within limits."""
    import resource

    most_cells, largest_source, outputs, memory, seconds = map(int, arguments)
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    document = json.loads(decoded(sys.stdin.buffer.read()))
    found = slim(document, most_cells, largest_source, outputs=bool(outputs))
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1:])
