"""The wheel by itself, in an empty environment: what there is works, and what lacks says so.

The other extras, and the lowest versions of all, are the matter of `test_lower_bounds.py`.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from binder_environment import copy_repository

pytestmark = pytest.mark.environment

UV_LIMIT_S = 300

# The arithmetic and the paper exchange, with NumPy alone.
BASE = """
import sys
from leverage import LONG, liquidation_price
from leverage.paper import PaperExchange
from leverage.survival import simulate_touches
from leverage.venues import load_venue

assert liquidation_price(LONG, 50_000, 1, 5_000, 0.005) == 45_000 / 0.995
hours = [[0, 50_000, 50_000, 50_000, 50_000, 1], [3_600_000, 50_000, 50_500, 44_000, 44_500, 9]]
exchange = PaperExchange(hours, venue="binance", balance=1_000)
exchange.set_leverage(25, "BTC/USDT:USDT")
exchange.create_order("BTC/USDT:USDT", "market", "buy", 0.2)
exchange.run_until()
assert exchange.fetch_my_liquidations()
exchange.check_ledger()
assert load_venue("kraken").name
from leverage.lessons import exercise
answer = 7
with exercise("ch01_a_value") as check:
    check.value("answer", 7)
assert simulate_touches(1.0, [0.999], 0.6, 5, paths=50, seed=1)["level 0"].probability > 0
print(*sorted({name.partition(".")[0] for name in sys.modules} - sys.stdlib_module_names))
"""
# Each door to what an extra brings, without it.
WITHOUT_EXTRAS = """
import json
from leverage import history, venues, jurisdictions
from leverage.bots import backtest
doors = {
    "a table": venues.venue_table,
    "bars": lambda: history.load_daily("BTC"),
    "a chart": lambda: __import__("leverage.lessons.charts.basic_charts"),
    "describe": lambda: __import__("leverage.lessons").lessons.describe,
    "an explorer": lambda: __import__("leverage.lessons.explorers.leverage_explorer"),
}
said = {}
for name, door in doors.items():
    try:
        door()
    except ImportError as error:
        said[name] = str(error)
    else:
        said[name] = "no error"
print(json.dumps(said))
"""
LESSONS = """
from leverage.history import load_daily
from leverage.lessons import LeverageExplorer, exercise
from leverage.venues import venue_table
assert len(load_daily("BTC")) and len(venue_table(compact=True))
assert LeverageExplorer().png().startswith(b"\\x89PNG")
position_value = lambda margin, leverage: margin * leverage
with exercise("ch01_a_value") as check:
    check.result("position_value", (1_000, 10), 10_000, unit="USD", hint="Multiply.")
"""
CLASSROOM = """
import importlib, pkgutil
import classroom
for found in pkgutil.walk_packages(classroom.__path__, "classroom."):
    if not found.name.endswith("__main__"):
        importlib.import_module(found.name)
"""


def run(command: list[str], folder: Path, *, code: int = 0) -> subprocess.CompletedProcess[str]:
    """Run a command, with a record of progress of its own, and hold it to its exit code."""
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=UV_LIMIT_S, check=False,
        env={**os.environ, "LEVERAGE_PROGRESS": str(folder / "progress.json")},
    )  # fmt: skip
    assert done.returncode == code, f"{command[:4]}\n{done.stdout}\n{done.stderr[-4000:]}"
    return done


@pytest.fixture(scope="module")
def uv() -> str:
    """The program that builds and installs."""
    found = shutil.which("uv", path=str(Path(sys.executable).parent))
    assert found, "the program uv was not found; install the tools with: make install"
    return found


@pytest.fixture(scope="module")
def wheel(root: Path, uv: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from the source distribution, as a release builds both."""
    folder = tmp_path_factory.mktemp("wheel")
    checkout = copy_repository(root, folder / "checkout")
    run([uv, "build", "--quiet", "--system-certs", "--out-dir", str(folder), str(checkout)], folder)
    assert len(list(folder.glob("*.tar.gz"))) == 1
    (made,) = folder.glob("*.whl")
    return made


class Empty:
    """An environment that holds what was installed in it and nothing else."""

    def __init__(self, uv: str, folder: Path, pins: Path) -> None:
        self.uv, self.folder, self.pins = uv, folder, pins
        run([uv, "venv", "--quiet", "--python", sys.executable, "empty"], folder)
        self.programs = folder / "empty" / "bin"

    def install(self, wheel: Path, extra: str = "") -> None:
        """Install the wheel with an extra, in the locked versions."""
        wanted = f"{wheel}[{extra}]" if extra else str(wheel)
        command = [self.uv, "pip", "install", "--quiet", "--system-certs", "--no-python-downloads"]
        command += ["--python", str(self.programs / "python"), "--constraint", str(self.pins)]
        run([*command, wanted], self.folder)

    def python(self, code: str) -> str:
        """Run code; return what it printed."""
        return run([str(self.programs / "python"), "-I", "-c", code], self.folder).stdout


@pytest.fixture(scope="module")
def empty(root: Path, uv: str, tmp_path_factory: pytest.TempPathFactory) -> Empty:
    """An empty environment, filled by the tests of this file one after the other."""
    return Empty(uv, tmp_path_factory.mktemp("empty"), root / "tests" / "requirements.txt")


def test_the_wheel_holds_both_packages_their_data_and_licences_and_nothing_else(
    root: Path, wheel: Path
) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.partition("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"classroom", "leverage"}
    ours = subprocess.run(
        ["git", "ls-files", "helpers"], cwd=root, check=True, capture_output=True, text=True
    ).stdout.split()
    missing = {name.removeprefix("helpers/") for name in ours if (root / name).exists()} - {*names}
    assert not missing, "name it in package-data of pyproject.toml"
    assert {Path(name).name for name in names} >= {"LICENSE", "LICENSE-TEXT"}


def test_the_base_needs_numpy_alone(empty: Empty, wheel: Path) -> None:
    empty.install(wheel)
    loaded = empty.python(BASE).splitlines()[-1].split()
    assert [name for name in loaded if not name.startswith(("_", "cython_runtime"))] == [
        "leverage",
        "numpy",
    ]
    said = json.loads(empty.python(WITHOUT_EXTRAS))
    for door, sentence in said.items():
        assert '-m pip install -e ".[lessons]"' in sentence, f"{door}: {sentence}"
    done = run([str(empty.programs / "classroom"), "doctor"], empty.folder, code=2)
    assert "is not inside a checkout of the course" in done.stderr


def test_the_lessons_need_no_jupyterlab(empty: Empty, wheel: Path) -> None:
    empty.install(wheel, "lessons")
    assert "1.A value: passes here" in empty.python(LESSONS)
    assert empty.python("import importlib.util as u; print(u.find_spec('jupyterlab'))") == "None\n"


def test_the_classroom_has_all_its_commands(empty: Empty, wheel: Path) -> None:
    empty.install(wheel, "classroom")
    empty.python(CLASSROOM)
