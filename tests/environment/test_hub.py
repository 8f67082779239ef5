"""The whole way on a hub: release, fetch, submit, collect, grade, give back, fetch feedback.

Once through nbgrader's exchange, a folder, and once through ngshare, a service that is installed for
this test and asks a hub who somebody is.
"""

from __future__ import annotations

import json
import os
import pwd
import shutil
import site
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import nbformat
import pytest

sys.path.append(str(Path(__file__).resolve().parents[1] / "grading_command"))

from small_class import CHAPTER, RIGHT, SmallClass

pytestmark = pytest.mark.environment

COURSE = "leverage_course"
# The service has an environment of its own: with SQLAlchemy 2 it loses what is released.
SERVICE = ("ngshare==0.6.0", "sqlalchemy<2")
# What students have asks for a jupyter-core of 2022, so its own requirements are not installed.
CLIENT = ("--no-deps", "ngshare_exchange==0.5.3")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


class Hub(BaseHTTPRequestHandler):
    """What JupyterHub says about a token: here a person's token is their name."""

    def do_GET(self) -> None:
        name = self.headers["Authorization"].removeprefix("token ")
        body = json.dumps({"name": name, "kind": "user", "admin": False}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def ngshare(python: Path, folder: Path) -> Iterator[str]:
    """The URL of an ngshare server that asks a hub of ours who somebody is."""
    hub = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=hub.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{free_port()}"
    known = {
        "JUPYTERHUB_API_URL": f"http://127.0.0.1:{hub.server_port}", "JUPYTERHUB_SERVICE_URL": url,
        "JUPYTERHUB_SERVICE_PREFIX": "/services/ngshare/", "JUPYTERHUB_API_TOKEN": "service",
        "JUPYTERHUB_CLIENT_ID": "service-ngshare",
    }  # fmt: skip
    log = (folder / "ngshare.log").open("w")
    server = subprocess.Popen(
        [python, "-m", "ngshare", "--database", f"sqlite:///{folder}/ngshare.db",
         "--storage", str(folder / "files"), "--admins", "teacher"],
        env={**os.environ, **known}, stdout=log, stderr=subprocess.STDOUT,
    )  # fmt: skip
    try:
        for _ in range(150):
            try:
                urllib.request.urlopen(f"{url}/services/ngshare/healthz/", timeout=5).close()
                break
            except (urllib.error.HTTPError, ConnectionResetError):
                break
            except OSError:
                assert server.poll() is None, (folder / "ngshare.log").read_text()
                time.sleep(0.2)
        yield f"{url}/services/ngshare"
    finally:
        server.terminate()
        server.wait(20)
        hub.shutdown()
        log.close()


def environment(folder: Path, *packages: str, here: bool) -> Path:
    """An interpreter with these packages, and with those of this environment if they are `here`."""
    uv = Path(sys.executable).with_name("uv")
    python = folder / "bin" / "python"
    subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, folder], check=True)
    if here:
        packages_folder = next((folder / "lib").glob("python*/site-packages"))
        behind = [*site.getsitepackages(), str(Path(__file__).parents[2] / "helpers")]
        (packages_folder / "zz_here.pth").write_text("\n".join(behind))
    subprocess.run(
        [uv, "pip", "install", "--quiet", "--python", python, *packages], check=True, timeout=300
    )
    return python


@pytest.mark.parametrize("kind", ["a folder", "ngshare"])
def test_release_fetch_submit_collect_grade_give_back_fetch_feedback(
    tmp_path: Path, root: Path, kind: str
) -> None:
    small = SmallClass(tmp_path / "course", root)
    python = Path(sys.executable)
    if kind == "ngshare":
        python = environment(tmp_path / "client", *CLIENT, here=True)
    home = small.project.root
    settings = tmp_path / "etc" / "jupyter"
    settings.mkdir(parents=True)
    shutil.copy(root / "binder" / "hub" / "nbgrader_config.py", settings)

    def run(who: str, where: Path, *command: str, **more: str) -> subprocess.CompletedProcess[str]:
        known: Mapping[str, str] = {
            **os.environ, "HOME": str(tmp_path / who), "JUPYTERHUB_USER": who, "USER": who,
            "JUPYTERHUB_API_TOKEN": who, "JUPYTER_CONFIG_PATH": str(settings), **more,
        }  # fmt: skip
        (tmp_path / who).mkdir(exist_ok=True)
        done = subprocess.run(
            [str(python), "-m", *command],
            cwd=where, env=known, capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done

    def whole_way(student: str, **more: str) -> None:
        run("teacher", home, "nbgrader", "generate_assignment", CHAPTER, **more)
        run("teacher", home, "nbgrader", "release_assignment", CHAPTER, **more)
        desk = tmp_path / "ada" / "work"
        desk.mkdir(parents=True)
        run("ada", desk, "nbgrader", "fetch_assignment", CHAPTER, "--course", COURSE, **more)
        path = desk / CHAPTER / f"{CHAPTER}.ipynb"
        book = nbformat.read(path, 4)
        for cell in book.cells:
            if cell.metadata.get("nbgrader", {}).get("grade_id") == "ch01_a":
                cell.source = RIGHT["double"]
        nbformat.write(book, path)
        run("ada", desk, "nbgrader", "submit", CHAPTER, "--course", COURSE, **more)
        run("teacher", home, "nbgrader", "collect", CHAPTER, **more)
        assert (home / "class" / "submitted" / student / CHAPTER / "timestamp.txt").exists()
        run("teacher", home, "classroom", "grade", CHAPTER, **more)
        done = run("teacher", home, "classroom", "giveback", CHAPTER, **more)
        assert "Pages of 1 student are in nbgrader's exchange." in done.stdout
        run("ada", desk, "nbgrader", "fetch_feedback", CHAPTER, "--course", COURSE, **more)
        (page,) = (desk / CHAPTER / "feedback").rglob("*.html")
        assert "5 of 9 points" in page.read_text(encoding="utf-8")

    if kind == "a folder":
        exchange = tmp_path / "exchange"
        exchange.mkdir(mode=0o777)
        exchange.chmod(0o777)
        # Who hands in is the owner of the process, which here is one person.
        whole_way(pwd.getpwuid(os.geteuid()).pw_name, NBGRADER_EXCHANGE=str(exchange))
        return
    server = environment(tmp_path / "server", *SERVICE, here=False)
    with ngshare(server, tmp_path) as url:
        manage = "ngshare_exchange.course_management"
        more = {"NGSHARE_URL": url}
        run("teacher", home, manage, "create_course", COURSE, "teacher", **more)
        run("teacher", home, manage, "add_student", "--no-gb", COURSE, "ada", **more)
        whole_way("ada", **more)
