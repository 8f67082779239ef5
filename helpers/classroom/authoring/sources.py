"""Read what authors write; a mistake in it becomes one sentence with file and line."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

import yaml

from classroom.errors import ClassroomError
from classroom.project import relative


def read_text(path: Path, root: Path) -> str:
    """Read a text file; another encoding than UTF-8 is a sentence."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ClassroomError(
            f"{relative(path, root)} is not UTF-8: {error}; save it as UTF-8"
        ) from None


def read_yaml(path: Path, root: Path) -> Any:
    """Read a YAML file; a mistake in it is a sentence with the line."""
    try:
        return yaml.safe_load(read_text(path, root))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f":{mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or str(error)
        raise ClassroomError(
            f"{relative(path, root)}{where}: this is not YAML ({problem}); mend that line"
        ) from None


def complaint(fields: Collection[str], needed: Collection[str], known: Collection[str]) -> str:
    """Say which fields are missing or unknown; an empty text if all is well.

    >>> complaint({"term", "colour"}, {"term", "id"}, {"term", "id", "unit"})
    'lacks id; has unknown colour'
    >>> complaint({"term"}, {"term"}, {"term"})
    ''
    """
    missing, unknown = sorted(set(needed) - set(fields)), sorted(set(fields) - set(known))
    parts = [f"lacks {', '.join(missing)}"] * bool(missing)
    return "; ".join(parts + [f"has unknown {', '.join(unknown)}"] * bool(unknown))
