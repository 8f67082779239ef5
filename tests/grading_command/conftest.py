"""A class of a very small chapter, and a PostgreSQL server of its own."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

sys.path.append(str(Path(__file__).parent))

from small_class import RIGHT, WRONG, SmallClass


@pytest.fixture
def small_class(tmp_path: Path, root: Path) -> SmallClass:
    """A class of two, to be graded."""
    made = SmallClass(tmp_path / "course", root)
    made.hand_in("ada", RIGHT)
    made.hand_in("bob", WRONG)
    return made


def postgres_programs() -> Path | None:
    """The folder of PostgreSQL's programs, which Debian keeps off the PATH."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if found:
        return found[-1].parent
    place = shutil.which("initdb")
    return Path(place).resolve().parent if place else None


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of a PostgreSQL server on loopback, started for the tests and ended after them."""
    programs = postgres_programs()
    if programs is None:
        pytest.skip("PostgreSQL is not installed (Debian: apt-get install postgresql)")
    folder = Path(tempfile.mkdtemp(prefix="course-postgres-"))
    # PostgreSQL refuses to run as root.
    who: dict[str, Any] = {"user": "nobody"} if os.getuid() == 0 else {}
    if who:
        shutil.chown(folder, "nobody")
    port = free_port()
    quiet: dict[str, Any] = {"cwd": folder, "stdout": subprocess.DEVNULL, **who}
    quiet["stderr"] = subprocess.STDOUT
    data = folder / "data"
    subprocess.run(
        [programs / "initdb", "-D", data, "-U", "grader", "-A", "trust", "--no-sync"],
        check=True, **quiet,
    )  # fmt: skip
    server = subprocess.Popen(
        [programs / "postgres", "-D", data, "-h", "127.0.0.1", "-p", str(port),
         "-c", "unix_socket_directories=", "-c", "fsync=off"],
        **quiet,
    )  # fmt: skip
    url = f"postgresql://grader@127.0.0.1:{port}/postgres"
    try:
        import psycopg

        for _ in range(100):
            try:
                psycopg.connect(url, connect_timeout=2).close()
                break
            except psycopg.OperationalError:
                time.sleep(0.1)
        yield url
    finally:
        server.terminate()
        server.wait(20)
        shutil.rmtree(folder, ignore_errors=True)
