"""Fixtures shared by all tests; no test touches a learner's record or the checkout's notebooks."""

from __future__ import annotations

import gc
import os
import shutil
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import Phase, settings

ROOT = Path(__file__).resolve().parents[1]
SCRATCH = Path(tempfile.mkdtemp(prefix="course-tests-"))

# A time limit of a single example fails on a busy machine and says nothing about the code.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")
# `make mutate` runs the laws thousands of times, and `make quick` before every coffee: a tenth of
# the examples, always the same ones.
settings.register_profile(
    "quick",
    max_examples=10,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
)


# Two workers end together when the files that take longest come first; the rest is shared out after.
LONGEST = (
    "grading/test_parity_of_answers_second.py",
    "grading/test_parity_of_answers_first.py",
    "paper_proof/test_any_sequence.py",
    "grading/test_corpus.py",
    "browser/test_explorers.py",
    "site/test_site.py",
    "site/test_lab.py",
    "classroom/test_demo.py",
    "grading_command/test_grade.py",
    "grading/test_grader.py",
    "notebooks/test_nbgrader.py",
    "classroom/test_check.py",
    "grading_command/test_cluster.py",
    "grading_command/test_full_disk.py",
)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--chapter", help="of the tests of a chapter, only those of this one")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    rank = {ROOT / "tests" / name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: rank.get(item.path, len(rank)))
    if chapter := config.getoption("chapter"):
        texts = {path.name for path in (ROOT / "solutions").iterdir() if path.is_dir()}
        texts |= {path.stem for path in (ROOT / "solutions").glob("[a-z]*.md")}
        others = {f"[{text}]" for text in texts - {chapter}}
        left = [item for item in items if any(item.nodeid.endswith(other) for other in others)]
        config.hook.pytest_deselected(items=left)
        items[:] = [item for item in items if item not in left]


def pytest_collection_finish() -> None:
    """Spare the garbage collector what stays to the end: modules, and thousands of tests."""
    gc.collect()
    gc.freeze()


def pytest_configure(config: pytest.Config) -> None:
    # The programs of this environment come first, also for the tools that tests start.
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    os.environ["LEVERAGE_PROGRESS"] = str(SCRATCH / "progress.json")
    sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]  # see classroom.cli
    sys.path.insert(0, str(ROOT / "tests"))
    if config.getoption("nbval", False):
        from executed_by_nbval import Plugin

        config.pluginmanager.register(Plugin())


def pytest_unconfigure(config: pytest.Config) -> None:
    shutil.rmtree(SCRATCH, ignore_errors=True)


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout."""
    return ROOT
