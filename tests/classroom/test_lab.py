"""`classroom lab` finds a free port, says so, and starts a server that answers."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest

from classroom.errors import ClassroomError
from classroom.lab import PORTS_TO_TRY, free_port, install_settings, is_free, lab_arguments


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def test_a_taken_port_is_not_free(taken: int) -> None:
    assert not is_free(taken)
    assert free_port(taken) != taken


def test_no_free_port_at_all_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("classroom.lab.is_free", lambda port, host="": False)
    with pytest.raises(
        ClassroomError, match=f"no free port from 9000 to {9000 + PORTS_TO_TRY - 1}"
    ):
        free_port(9000)


def test_root_is_allowed_and_no_browser_opens_without_a_screen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("classroom.lab.is_root", lambda: True)
    arguments = lab_arguments(Path("course"), 8888, host="127.0.0.1", browser=False)
    assert {"--allow-root", "--no-browser"} <= set(arguments)


def test_lab_takes_the_next_port_says_so_and_serves_the_course(taken: int, root: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "classroom",
        "lab",
        "01_basics",
        "--port",
        str(taken),
        "--no-browser",
    ]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        command,
        cwd=root,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=environment,
    ) as server:
        try:
            assert server.stdout is not None
            assert re.fullmatch(rf"Port {taken} is taken; using \d+\.\n", server.stdout.readline())
            address = server.stdout.readline().split()[-1]
            assert "/lab/tree/01_basics/01_basics.ipynb?token=" in address
            api = re.sub(r"/lab/tree/.*\?", "/api/contents/01_basics?", address)
            assert "01_basics.ipynb" in read_when_up(api)
            widgets = "/lab/api/settings/@jupyter-widgets/jupyterlab-manager:plugin?"
            settings = json.loads(read_when_up(re.sub(r"/lab/tree/.*\?", widgets, address)))
            assert settings["schema"]["properties"]["saveState"]["default"] is True
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(timeout=20)


def read_when_up(address: str) -> str:
    import time

    deadline = time.monotonic() + 60
    while True:
        try:
            with urllib.request.urlopen(address, timeout=5) as answer:
                return str(answer.read().decode())
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


def test_an_exported_page_leaves_out_the_code_that_the_page_folds(tmp_path: Path) -> None:
    folded = nbformat.v4.new_code_cell(
        "# Check 1.A\nexpected = 45_180", metadata={"tags": ["hide-input"]}
    )
    folded.outputs = [nbformat.v4.new_output("stream", text="passes here")]
    open_cell = nbformat.v4.new_code_cell("margin = 1_000")
    nbformat.write(nbformat.v4.new_notebook(cells=[folded, open_cell]), tmp_path / "page.ipynb")
    install_settings(tmp_path)
    subprocess.run(
        [sys.executable, "-m", "nbconvert", "--to", "html", str(tmp_path / "page.ipynb")],
        env={**os.environ, "JUPYTER_CONFIG_PATH": str(tmp_path / "etc" / "jupyter")},
        check=True,
        capture_output=True,
    )
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "45_180" not in page
    assert "passes here" in page
    assert "margin" in page


def test_an_unknown_chapter_is_refused_before_ports_are_spoken_of(
    taken: int, root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from classroom.cli import main

    monkeypatch.chdir(root)
    assert main(["lab", "55", "--port", str(taken)]) == 2
    said = capsys.readouterr()
    assert "there is no chapter '55'" in said.err
    assert "Port" not in said.out


@pytest.mark.parametrize("instructor", [True, False])
def test_an_instructor_sees_the_whole_project_and_a_learner_the_course(
    root: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    instructor: bool,
) -> None:
    from jupyterlab.labapp import LabApp

    from classroom.lab import lab
    from classroom.project import Project

    started: list[list[str]] = []
    monkeypatch.setattr(LabApp, "launch_instance", started.append)
    monkeypatch.setenv("JUPYTER_CONFIG_PATH", "")
    monkeypatch.chdir(root)
    lab(Project(root), chapter="1", browser=False, instructor=instructor)
    home = root if instructor else root / "course"
    assert f"--ServerApp.root_dir={home}" in started[0]
    inner = "course/01_basics" if instructor else "01_basics"
    assert f"/lab/tree/{inner}/01_basics.ipynb?token=" in capsys.readouterr().out


def test_what_formgrader_takes_for_an_assignment_is_one(root: Path) -> None:
    from classroom.project import Project

    project = Project(root)
    known = {one.name for one in (*project.chapters(), *project.reviews())}
    folders = {path.name for path in (root / "solutions").iterdir() if path.is_dir()}
    assert {name for name in folders if not name.startswith((".", "_"))} == known
