"""`classroom lab`: open JupyterLab on course/, also without a screen and as root in a container."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
import sys
from pathlib import Path
from typing import Any

from classroom.errors import ClassroomError
from classroom.project import Project, relative

FIRST_PORT = 8888
# Everybody: a saved notebook keeps its widgets' state, so that a reopened explorer shows its last
# picture; no pop-up about news; an exported page leaves out the code that the page folds. Learners: of nbgrader's tools only the button Validate.
SETTINGS = Path(__file__).resolve().parent / "jupyter"
PORTS_TO_TRY = 50
EVERYWHERE = {"127.0.0.1", "0.0.0.0", "::", ""}  # noqa: S104  (addresses shown as localhost)


def is_free(port: int, host: str = "127.0.0.1") -> bool:
    """Tell whether a server could listen on this port."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        if os.name == "posix":  # a port in TIME_WAIT is free for a server
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
        except OSError:
            return False
    return True


def free_port(first: int, host: str = "127.0.0.1") -> int:
    """Return the first free port from `first` on."""
    for port in range(first, min(first + PORTS_TO_TRY, 65536)):
        if is_free(port, host):
            return port
    raise ClassroomError(
        f"no free port from {first} to {first + PORTS_TO_TRY - 1}; close a server or give another "
        "with --port"
    )


def has_screen() -> bool:
    """Tell whether a browser could open on this machine."""
    if os.name == "nt" or sys.platform == "darwin":
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def is_root() -> bool:
    """Tell whether this process is root."""
    return hasattr(os, "geteuid") and os.geteuid() == 0


def lab_arguments(folder: Path, port: int, *, host: str, browser: bool) -> list[str]:
    """Return JupyterLab's arguments for the course."""
    arguments = [
        f"--ServerApp.root_dir={folder}",
        f"--ServerApp.port={port}",
        f"--ServerApp.ip={host}",
        "--ServerApp.port_retries=0",
        "--log-level=WARN",
        "--LabApp.log_level=WARN",
    ]
    if not browser:
        arguments.append("--no-browser")
    if is_root():
        arguments.append("--allow-root")
    return arguments


def install_settings(prefix: Path) -> None:
    """Put the learners' settings into an environment, as Binder needs them."""
    target = prefix / "etc" / "jupyter" / "labconfig"
    target.mkdir(parents=True, exist_ok=True)
    merged: dict[str, dict[str, Any]] = {}
    for path in sorted(SETTINGS.glob("*/labconfig/*.json")):
        for key, value in json.loads(path.read_text(encoding="utf-8")).items():
            merged.setdefault(path.name, {}).setdefault(key, {}).update(value)
    for name, content in merged.items():
        (target / name).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    shutil.copy(SETTINGS / "everybody" / "jupyter_config.json", target.parent)


def lab(
    project: Project,
    *,
    chapter: str = "",
    port: int | None = None,
    host: str = "127.0.0.1",
    browser: bool | None = None,
    instructor: bool = False,
) -> None:
    """Open JupyterLab on course/ and stay until it is stopped (Ctrl-C).

    Says so when the port is taken and takes the next one; prints the address in any case.
    Learners see of nbgrader's tools only Validate; an instructor sees all of them, and the whole
    project, so that the mark schemes in solutions/ can stand beside the answers.
    """
    folder = project.root / "course"
    if not folder.is_dir():
        raise ClassroomError("there is no folder course/ here; make it with 'classroom build'")
    home = project.root if instructor else folder
    path = ""
    if chapter:
        path = "/tree/" + relative(project.released_one(chapter).student_notebook, home)
    wanted = FIRST_PORT if port is None else port
    if not 1 <= wanted <= 65535:
        raise ClassroomError(f"--port must be from 1 to 65535, was {wanted}")
    chosen = free_port(wanted, host)
    if chosen != wanted:
        print(f"Port {wanted} is taken; using {chosen}.")
    os.environ.setdefault("JUPYTER_TOKEN", secrets.token_hex(16))
    shown = "localhost" if host in EVERYWHERE else host
    print(f"JupyterLab: http://{shown}:{chosen}/lab{path}?token={os.environ['JUPYTER_TOKEN']}")
    print("Stop it with Ctrl-C.", flush=True)
    open_browser = has_screen() and not is_root() if browser is None else browser

    chosen_settings = [SETTINGS / "everybody"] + [SETTINGS / "learner"] * (not instructor)
    folders = [
        *map(str, chosen_settings),
        *os.environ.get("JUPYTER_CONFIG_PATH", "").split(os.pathsep),
    ]
    os.environ["JUPYTER_CONFIG_PATH"] = os.pathsep.join(filter(None, folders))

    from jupyterlab.labapp import LabApp

    arguments = lab_arguments(home, chosen, host=host, browser=open_browser)
    if path:
        arguments.append(f"--LabApp.default_url=/lab{path}")
    os.chdir(project.root)  # where nbgrader's extensions look for nbgrader_config.py
    LabApp.launch_instance(arguments)
