"""The lowest versions that pyproject.toml allows are enough: installed once, imported and used."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from binder_environment import copy_repository

pytestmark = pytest.mark.environment

UV_LIMIT_S = 600
EXTRAS = ("lessons", "classroom", "fast", "live", "cluster", "postgres")
# An explorer that draws, a check that passes, and all modules of both packages.
USED = """
import importlib, pkgutil, warnings
import ccxt, distributed, numba, psycopg
import leverage, classroom
for package in (leverage, classroom):
    for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        if not found.name.endswith("__main__"):
            importlib.import_module(found.name)
from leverage.lessons import exercise
from leverage.lessons.explorers.leverage_explorer import LeverageExplorer
explorer = LeverageExplorer()
before = explorer.png()
explorer.leverage.value = 20
assert explorer.png() != before
position_value = lambda margin, leverage: margin * leverage
with exercise("ch01_a_value") as check:
    check.result("position_value", (1_000, 10), 10_000, unit="USD", hint="Multiply.")
"""


def run(command: list[str], folder: Path) -> str:
    """Run a command that has to succeed; return what it printed."""
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=UV_LIMIT_S, check=False
    )
    assert done.returncode == 0, f"{' '.join(command[:4])}\n{done.stdout}\n{done.stderr[-4000:]}"
    return done.stdout


def test_the_lowest_allowed_versions_carry_an_explorer_and_a_check(
    root: Path, tmp_path: Path
) -> None:
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert set(project["optional-dependencies"]) == {*EXTRAS, "site", "test"}
    uv = shutil.which("uv", path=str(Path(sys.executable).parent))
    assert uv, "the program uv was not found; install the tools with: make install"
    checkout = copy_repository(root, tmp_path / "checkout")
    run([uv, "venv", "--quiet", "--python", sys.executable, "lowest"], tmp_path)
    python = str(tmp_path / "lowest" / "bin" / "python")
    quiet = ["--quiet", "--system-certs", "--python", python]
    run(
        [
            uv,
            "pip",
            "install",
            *quiet,
            "--resolution",
            "lowest-direct",
            f"{checkout}[{','.join(EXTRAS)}]",
        ],
        tmp_path,
    )
    run([python, "-P", "-c", USED], tmp_path)
