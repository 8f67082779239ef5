"""The environment that Binder would build, for the tests of this folder."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from binder_environment import built_environment, lab_server

__all__ = ["built_environment", "lab_server"]
