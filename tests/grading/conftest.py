"""What the grading tests share: the made assignment and the class next door."""

from __future__ import annotations

import os
import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

import corpus

from classroom.grading import Release


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
