"""Reads a notebook's file; a large one in a worker, because megabytes can stand for gigabytes.

The worker is this file run as a program: the standard JSON reader within limits on memory and time.
It gives back what grading and feedback look at.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

LARGEST = 50_000_000
"""Bytes of a notebook; a larger one is not read."""
LARGE = 4_000_000
"""Bytes from which on a worker reads it."""
MEMORY = 1_000_000_000
"""Bytes that the worker may use."""
SECONDS = 20
"""Of processor time."""
MOST_CELLS, LARGEST_SOURCE, LARGEST_METADATA = 3_000, 1_000_000, 10_000
MOST_OUTPUTS, LARGEST_OUTPUTS = 50, 10_000_000
"""Outputs of a cell that are kept, and characters of all outputs of a notebook."""
_KEPT = ("cell_type", "source", "input", "id", "metadata", "outputs")


def notebook_json(content: bytes) -> Any:
    """Return the JSON of a notebook's file.

    Raises
    ------
    RecursionError, MemoryError, ValueError
        As `json.loads` would: nested without end, too large, no JSON.
    """
    if len(content) < LARGE:
        return json.loads(decoded(content))
    if len(content) > LARGEST:
        raise MemoryError("it is too large to be read")
    command = [sys.executable, "-I", "-S", __file__, str(MEMORY), str(SECONDS)]
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


def raw_cells(document: Any) -> list[Any]:
    """Return the list of cells of a notebook of any format; empty for what is no notebook.

    >>> raw_cells({"worksheets": [{"cells": [1]}, {"cells": [2]}]}), raw_cells(3)
    ([1, 2], [])
    """
    if not isinstance(document, dict):
        return []
    if isinstance(document.get("cells"), list):
        return list(document["cells"])
    sheets = document.get("worksheets")
    sheets = sheets if isinstance(sheets, list) else []
    found = (sheet.get("cells") for sheet in sheets if isinstance(sheet, dict))
    return [cell for cells in found if isinstance(cells, list) for cell in cells]


def smaller(document: Any) -> dict[str, Any]:
    """Return a notebook with what is looked at, cut to size."""
    version = document.get("nbformat") if isinstance(document, dict) else None
    # One cell more than are read, so that it shows that there were more.
    cells = [cell for cell in raw_cells(document) if isinstance(cell, dict)][: MOST_CELLS + 1]
    room = LARGEST_OUTPUTS
    made = []
    for cell in cells:
        kept = {name: cell[name] for name in _KEPT if name in cell}
        for name in ("source", "input"):
            text = kept.get(name, "")
            if isinstance(text, list):
                text = "".join(line for line in text if isinstance(line, str))
            kept[name] = text[: LARGEST_SOURCE + 1] if isinstance(text, str) else ""
        for name in ("cell_type", "id", "metadata"):
            if len(json.dumps(kept.get(name))) > LARGEST_METADATA:
                del kept[name]
        shown = kept.pop("outputs", None)
        kept["outputs"] = []
        for output in shown[:MOST_OUTPUTS] if isinstance(shown, list) else ():
            room -= len(json.dumps(output))
            if room > 0:
                kept["outputs"].append(output)
        made.append({name: kept[name] for name in kept if name in cell})
    return {"nbformat": version if isinstance(version, int) else None, "cells": made}


def work(memory: int, seconds: int) -> None:
    """Read a notebook from the input and write what is left of it, within limits."""
    import resource

    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    json.dump(smaller(json.loads(decoded(sys.stdin.buffer.read()))), sys.stdout)


if __name__ == "__main__":
    work(*map(int, sys.argv[1:]))
