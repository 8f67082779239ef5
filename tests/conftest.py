"""Fixtures shared by all tests; no test touches a learner's record or the checkout's notebooks."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import Phase, settings

ROOT = Path(__file__).resolve().parents[1]
SCRATCH = Path(tempfile.mkdtemp(prefix="course-tests-"))

# `make mutate` runs the laws thousands of times: a tenth of the examples, always the same ones.
settings.register_profile(
    "mutation",
    max_examples=10,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
)


def pytest_configure(config: pytest.Config) -> None:
    # The programs of this environment come first, also for the tools that tests start.
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    os.environ["LEVERAGE_PROGRESS"] = str(SCRATCH / "progress.json")
    sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]  # see classroom.cli
    if config.getoption("nbval", False):
        sys.path.insert(0, str(ROOT / "tests"))
        from executed_by_nbval import Plugin

        config.pluginmanager.register(Plugin())


def pytest_unconfigure(config: pytest.Config) -> None:
    shutil.rmtree(SCRATCH, ignore_errors=True)


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout."""
    return ROOT
