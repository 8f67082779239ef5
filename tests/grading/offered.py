"""What this machine offers to grade with: levels of the sandbox, and an unprivileged user."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from classroom.grading import LEVELS, Outcome, available_levels
from classroom.grading.sandbox import launch_command

HERE = Path(__file__).resolve().parent
OFFERED = {report.level: report for report in available_levels()}
BEST = next(level for level in LEVELS if OFFERED[level].available)


def needs(level: str) -> None:
    """Leave a test out, loudly, where the machine does not offer a level."""
    if not OFFERED[level].available:
        pytest.skip(f"THE LEVEL {level!r} IS NOT TESTED HERE: {OFFERED[level].reason}")


def graded_as_nobody(level: str, kinds: str) -> tuple[int, dict[str, Outcome]]:
    """Grade kinds of cases as an unprivileged user; the user's id and the outcomes by name."""
    with tempfile.TemporaryDirectory(prefix="grading-test-", ignore_cleanup_errors=True) as name:
        return _graded_as_nobody(level, kinds, Path(name))


def _graded_as_nobody(level: str, kinds: str, place: Path) -> tuple[int, dict[str, Outcome]]:
    place.chmod(0o777)
    shutil.copy(HERE / "corpus.py", place)
    shutil.copytree(HERE / "cases", place / "cases")
    command = [sys.executable, "-c", RUN, str(place), level, kinds]
    helpers = str(HERE.parents[1] / "helpers")
    ended = subprocess.run(
        launch_command(command),
        env={**os.environ, "PYTHONPATH": helpers, "HOME": str(place), "TMPDIR": str(place)},
        cwd=place,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr[-2000:]
    user, data = json.loads((place / "outcomes.json").read_text(encoding="utf-8"))
    return user, {name: Outcome.from_json(outcome) for name, outcome in data.items()}


RUN = (
    "import sys; place, level, kinds = sys.argv[1:]; sys.path.insert(0, place);"
    "import corpus; corpus.main(level, kinds, place)"
)
