"""Archives as Moodle, Canvas and people make them, built in memory."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path

from small_class import RIGHT, handed_in

NOON = datetime(2026, 1, 15, 12, 0)


def notebook(double: str = RIGHT["double"], why: str = "It is so.") -> bytes:
    """A hand-in of the small chapter."""
    return json.dumps(handed_in({"double": double, "why": why})).encode()


def zipped(files: Mapping[str, bytes] | Iterable[tuple[str, bytes, datetime]]) -> bytes:
    """A zip archive; without times all files are of the same noon."""
    entries = (
        [(name, content, NOON) for name, content in files.items()]
        if isinstance(files, Mapping)
        else files
    )
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content, moment in entries:
            info = zipfile.ZipInfo(name, moment.timetuple()[:6])
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, content)
    return made.getvalue()


def written(path: Path, content: bytes | str) -> Path:
    """A file with this content."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path
