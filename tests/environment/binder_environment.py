"""What Binder would give a learner, built in an empty folder and served: for tests.

The steps are repo2docker's, without the container: the repository's files, the pinned packages of
`binder/requirements.txt`, `binder/postBuild`, then JupyterLab with the repository as its root.
All test processes of a run share one build; each serves it for itself.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

STEP_LIMIT_S = 600
START_LIMIT_S = 60
ANSWER_LIMIT_S = 60
# What a developer's shell may hold and a Binder session does not.
NOT_IN_BINDER = ("PYTHON", "VIRTUAL_ENV", "JUPYTER", "IPYTHON", "LEVERAGE_", "NBGRADER_", "XDG_")


class BuildError(Exception):
    """A step of the build ended with an error; the message has the end of what it printed."""


@dataclass(frozen=True)
class Environment:
    """A copy of the repository with an environment of its own."""

    folder: Path

    @property
    def checkout(self) -> Path:
        """The copy of the repository."""
        return self.folder / "repository"

    @property
    def programs(self) -> Path:
        """Folder of the environment's programs."""
        return self.folder / "venv" / "bin"

    @property
    def variables(self) -> dict[str, str]:
        """Environment variables for programs that run in it: an empty home, its programs first."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith(NOT_IN_BINDER)}
        path = os.pathsep.join([str(self.programs), os.environ["PATH"]])
        return {**kept, "HOME": str(self.folder / "home"), "PATH": path}


def repository_files(root: Path) -> list[Path]:
    """Return the files that a commit of everything would hold, relative to `root`."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=root, check=True, capture_output=True, text=True).stdout
    names = dict.fromkeys(name for name in listed.split("\0") if name)
    return [Path(name) for name in names if (root / name).is_file()]


def copy_repository(root: Path, target: Path) -> Path:
    """Copy the repository's files, as a clone would have them."""
    for name in repository_files(root):
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(root / name, target / name)
    return target


def run_step(name: str, command: list[str], cwd: Path, variables: Mapping[str, str]) -> None:
    """Run one step of the build; if it fails, say which one and what it printed last."""
    done = subprocess.run(
        command,
        cwd=cwd,
        env=dict(variables),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        timeout=STEP_LIMIT_S,
    )
    if done.returncode:
        last = "\n".join(done.stdout.splitlines()[-30:])
        raise BuildError(f"{name} ended with exit code {done.returncode}:\n{last}")


def binders_python(root: Path) -> str:
    """Return Binder's Python (`binder/runtime.txt`) if this machine has it, else the running one."""
    name = (root / "binder" / "runtime.txt").read_text(encoding="utf-8").strip().replace("-", "")
    found = shutil.which(name)
    # A version manager may put a program of this name on PATH that only says what is not installed.
    works = [found or "", "-c", "import ensurepip, venv"]
    if found and subprocess.run(works, capture_output=True).returncode == 0:
        return found
    return sys.executable


def build_environment(root: Path, folder: Path) -> Environment:
    """Build the environment as Binder does, below an empty folder."""
    made = Environment(folder)
    copy_repository(root, made.checkout)
    (folder / "home").mkdir()
    venv = folder / "venv"
    outer = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "VIRTUAL_ENV"))}
    run_step("python -m venv", [binders_python(root), "-m", "venv", str(venv)], folder, outer)
    pip = [sys.executable, "-m", "pip", "--python", str(made.programs / "python"), "install"]
    pip += ["--quiet", "--require-hashes", "-r", "binder/requirements.txt"]
    run_step("pip install -r binder/requirements.txt", pip, made.checkout, outer)
    (made.checkout / "binder" / "postBuild").chmod(0o755)
    run_step("binder/postBuild", ["./binder/postBuild"], made.checkout, made.variables)
    return made


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Let one process at a time pass."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def shared_environment(root: Path, shared: Path) -> Iterator[Environment]:
    """Build the environment once for all processes that share a folder; the last one removes it."""
    place, user = shared / "binder", shared / f"binder-user-{uuid.uuid4().hex}"
    failure = place / "failure.txt"
    lock = shared / "binder.lock"
    with locked(lock):
        user.touch()
        if not place.exists():
            place.mkdir()
            try:
                build_environment(root, place)
            except (BuildError, OSError, subprocess.SubprocessError) as error:
                failure.write_text(str(error), encoding="utf-8")
    try:
        if failure.exists():
            raise BuildError(failure.read_text(encoding="utf-8"))
        yield Environment(place)
    finally:
        with locked(lock):
            user.unlink()
            if not any(shared.glob("binder-user-*")):
                shutil.rmtree(place, ignore_errors=True)


@dataclass(frozen=True)
class Server:
    """A running JupyterLab."""

    url: str
    token: str

    def ask(self, path: str, *, method: str = "GET") -> Any:
        """Ask its REST API; return the answer, from JSON."""
        with self._open(path, method) as answer:
            return json.load(answer) if answer.status != 204 else None

    def page(self, path: str) -> str:
        """Return the HTML of a page."""
        with self._open(path, "GET") as answer:
            return answer.read().decode("utf-8")

    def run(self, code: str) -> str:
        """Run code in a new kernel; return what it printed, or its error as text."""
        from websocket import create_connection

        kernel = self.ask("api/kernels", method="POST")["id"]
        try:
            address = f"{self.url.replace('http', 'ws', 1)}api/kernels/{kernel}/channels"
            socket_ = create_connection(f"{address}?token={self.token}", timeout=ANSWER_LIMIT_S)
            try:
                return _run_through(socket_, code)
            finally:
                socket_.close()
        finally:
            self.ask(f"api/kernels/{kernel}", method="DELETE")

    def _open(self, path: str, method: str) -> Any:
        request = urllib.request.Request(
            self.url + path, method=method, headers={"Authorization": f"token {self.token}"}
        )
        return urllib.request.urlopen(request, timeout=ANSWER_LIMIT_S)


def _run_through(socket_: Any, code: str) -> str:
    """Run code through a kernel's web socket."""
    sent = uuid.uuid4().hex
    header = {"msg_id": sent, "msg_type": "execute_request", "username": "", "session": sent}
    content = {"code": code, "silent": False, "store_history": False, "allow_stdin": False}
    message = {"header": header, "parent_header": {}, "metadata": {}, "content": content}
    socket_.send(json.dumps({**message, "channel": "shell"}))
    printed = ""
    while True:
        got = json.loads(socket_.recv())
        if got["parent_header"].get("msg_id") != sent:
            continue
        if got["msg_type"] == "stream":
            printed += got["content"]["text"]
        elif got["msg_type"] == "error":
            printed += f"{got['content']['ename']}: {got['content']['evalue']}"
        elif got["msg_type"] == "status" and got["content"]["execution_state"] == "idle":
            return printed


@contextmanager
def jupyter_lab(environment: Environment) -> Iterator[Server]:
    """Serve the environment's copy of the repository as Binder does."""
    program = [str(environment.programs / "jupyter")]
    with serving(program, environment.checkout, environment.folder, environment.variables) as lab:
        yield lab


@contextmanager
def serving(
    program: list[str], folder: Path, logs: Path, variables: dict[str, str] | None = None
) -> Iterator[Server]:
    """Serve a folder with JupyterLab and wait until it answers."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = Server(f"http://127.0.0.1:{port}/", uuid.uuid4().hex)
    command = [*program, "lab", "--no-browser"]
    command += [f"--ServerApp.root_dir={folder}", "--ServerApp.ip=127.0.0.1"]
    command += [f"--ServerApp.port={port}", "--ServerApp.port_retries=0"]
    command += [f"--IdentityProvider.token={server.token}"]
    command += ["--allow-root"] if os.geteuid() == 0 else []
    log_path = logs / f"jupyter-{port}.log"
    with log_path.open("w") as log:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            _wait_until_it_answers(server, process, log_path)
            yield server
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(timeout=15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait_until_it_answers(server: Server, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + START_LIMIT_S
    while time.monotonic() < end and process.poll() is None:
        try:
            server.ask("api/status")
        except OSError:
            time.sleep(0.2)
        else:
            return
    last = "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-30:])
    raise BuildError(f"JupyterLab did not answer within {START_LIMIT_S} s; its log:\n{last}")


@pytest.fixture(scope="session")
def built_environment(
    root: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Environment]:
    """The environment that Binder would build, built once for all test processes."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    with shared_environment(root, shared) as environment:
        yield environment


@pytest.fixture(scope="session")
def lab_server(built_environment: Environment) -> Iterator[Server]:
    """JupyterLab in the built environment."""
    with jupyter_lab(built_environment) as server:
        yield server
