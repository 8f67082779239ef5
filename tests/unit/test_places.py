"""Where a learner's own files are kept, and what falls back where a computer lacks something."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from leverage import _places
from leverage._extras import needs
from leverage.history import cache_folder
from leverage.lessons.progress import progress_file
from leverage.survival import simulate_touches
from leverage.venues.loader import overlay_folder

PLACES = {
    "LEVERAGE_PROGRESS": (progress_file, "progress.json"),
    "LEVERAGE_HISTORY": (cache_folder, "history"),
    "LEVERAGE_FACTS": (overlay_folder, "facts"),
}


@pytest.mark.parametrize("variable", PLACES)
def test_every_place_follows_its_variable_then_home_then_here(
    variable: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, name = PLACES[variable]
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home"))
    monkeypatch.setenv(variable, "~/mine")
    assert place() == tmp_path / "home" / "mine"
    monkeypatch.setenv(variable, ".")
    assert place().resolve() == Path.cwd()
    monkeypatch.setenv(variable, " ")
    assert place() == tmp_path / "home" / ".leverage-course" / name
    monkeypatch.setattr(_places, "home_folder", lambda: None)
    monkeypatch.chdir(tmp_path)
    assert place() == tmp_path / ".leverage-course" / name


@pytest.mark.parametrize("variable", PLACES)
def test_in_the_browser_files_go_where_the_browser_keeps_them(
    variable: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, name = PLACES[variable]
    monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(_places.sys, "platform", "emscripten")
    monkeypatch.setattr(_places, "BROWSER_DRIVE", tmp_path)
    assert place() == tmp_path / ".leverage-course" / name
    monkeypatch.setattr(_places, "BROWSER_DRIVE", tmp_path / "not mounted")
    assert place() == Path.home() / ".leverage-course" / name


def test_a_simulation_runs_in_one_where_no_thread_can_be_started(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def cannot(*_args: object, **_kwargs: object) -> None:
        raise RuntimeError("can't start new thread")

    arguments = (1.0, [0.9, 1.1], 0.6, 200)
    expected = simulate_touches(*arguments, paths=20_000, seed=1, threads=4)
    monkeypatch.setattr(ThreadPoolExecutor, "submit", cannot)
    alone = simulate_touches(*arguments, paths=20_000, seed=1, threads=4)
    assert (alone.probability == expected.probability).all()
    assert (alone.before == expected.before).all()


def test_what_is_missing_is_named_with_the_command_that_brings_it() -> None:
    with pytest.raises(ModuleNotFoundError, match="nothing_a and nothing_b, which are not") as said:
        needs("lessons", "nothing_a", "json", "nothing_b")
    assert said.value.name == "nothing_a"
    assert '-m pip install -e ".[lessons]"' in str(said.value)


@pytest.mark.parametrize(
    ("code", "extra"),
    [
        ("from leverage.venues import venue_table; venue_table(compact=True)", "lessons"),
        ("from leverage.history import load_daily; load_daily('BTC')", "lessons"),
        ("from leverage.lessons import describe", "lessons"),
        ("import leverage.lessons.charts.basic_charts", "lessons"),
        ("from leverage.lessons import LeverageExplorer", "lessons"),
        ("from classroom.cli import main; raise SystemExit(main(['doctor']))", "classroom"),
    ],
)
def test_without_its_packages_a_part_says_which_extra_brings_them(code: str, extra: str) -> None:
    blocked = (
        "import sys; sys.modules.update(dict.fromkeys("
        "['pandas', 'matplotlib', 'ipywidgets', 'jupyter_client', 'yaml', 'packaging']));"
    )
    done = subprocess.run(
        [sys.executable, "-c", blocked + code],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    assert done.returncode
    assert f'-m pip install -e ".[{extra}]"' in done.stderr


def test_nobody_is_told_to_install_the_course_from_an_index_that_lacks_it() -> None:
    root = Path(__file__).parents[2]
    texts = [
        *root.glob("*.md"),
        *(root / "solutions").glob("*.md"),
        *(root / "helpers").rglob("*.py"),
    ]
    told = [path for path in texts if re.search(r"pip install '?leverage-course", path.read_text())]
    assert not told


def test_the_readme_begins_with_how_to_get_the_course() -> None:
    root = Path(__file__).parents[2]
    address = tomllib.loads((root / "pyproject.toml").read_text())["project"]["urls"]["Repository"]
    first = (root / "README.md").read_text().split("```")[1].strip().splitlines()[0]
    assert first == f"git clone {address}; cd {address.rpartition('/')[2]}"
