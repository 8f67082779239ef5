"""What the grading tests share: the made assignment, the class next door, and who runs it."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

import corpus

from classroom.grading import Outcome, Release, Submission, available_levels
from classroom.grading.sandbox import launch_command
from classroom.marking.feedback import Page, read_handed_in
from classroom.marking.grade import record_of
from classroom.marking.gradebook import Standing

HERE = Path(__file__).resolve().parent
OFFERED = {report.level: report for report in available_levels()}


def needs(level: str) -> None:
    """Leave a test out, loudly, where the machine does not offer a level."""
    if not OFFERED[level].available:
        pytest.skip(f"THE LEVEL {level!r} IS NOT TESTED HERE: {OFFERED[level].reason}")


@pytest.fixture(scope="session")
def neighbours(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """What attacks reach for: a class folder, a secret in the environment, a listening socket."""
    folder = tmp_path_factory.mktemp("class")
    (folder / "gradebook.db").write_text("grades", encoding="utf-8")
    folder.chmod(0o777)
    for parent in folder.parents:
        if parent.stat().st_uid == os.geteuid() and parent != Path("/"):
            parent.chmod(parent.stat().st_mode | 0o011)
    server = socket.create_server(("127.0.0.1", 0))
    heard: list[object] = []
    threading.Thread(target=lambda: heard.append(server.accept()), daemon=True).start()
    values = {
        "GRADING_TEST_SECRETS": str(folder),
        "GRADING_TEST_TOKEN": "token",
        "GRADING_TEST_PORT": str(server.getsockname()[1]),
    }
    os.environ.update(values)
    yield values
    assert not heard, "a submission reached a listener"
    assert sorted(path.name for path in folder.iterdir()) == ["gradebook.db"]
    server.close()
    for name in values:
        del os.environ[name]


@pytest.fixture(scope="session")
def release(tmp_path_factory: pytest.TempPathFactory) -> Release:
    """The made assignment."""
    return corpus.make_release(tmp_path_factory.mktemp("release"))


def feedback_page(outcome: Outcome, submission: Submission, release: Release) -> str:
    """The page that the student gets."""
    cells = outcome.verdict.cells
    standing = Standing(
        outcome.student,
        score=outcome.verdict.points,
        waiting=frozenset(cell.grade_id for cell in cells if cell.points is None),
        cells={cell.grade_id: (cell.points or 0.0, cell.max_points) for cell in cells},
    )
    handed = dict(submission.files).get(f"{release.notebook}.ipynb")
    return Page(release).html(
        record_of(outcome), standing, outcome.notebook, handed and read_handed_in(handed)
    )


def graded_as_nobody(level: str, kinds: str) -> tuple[int, dict[str, Outcome]]:
    """Grade kinds of cases as an unprivileged user; the user's id and the outcomes by name."""
    with tempfile.TemporaryDirectory(prefix="grading-test-", ignore_cleanup_errors=True) as name:
        return _graded_as_nobody(level, kinds, Path(name))


def _graded_as_nobody(level: str, kinds: str, place: Path) -> tuple[int, dict[str, Outcome]]:
    place.chmod(0o777)
    shutil.copy(HERE / "corpus.py", place)
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
