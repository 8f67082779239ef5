"""What the lessons import: checks with hints, quizzes, progress, figures and explorers.

Importing this package loads numpy only. Names that need a plotting or widget library
(`describe`, `LeverageExplorer`) load theirs at first use.

>>> from leverage.lessons import exercise, show_progress
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .checks import AuthorError, Check, CheckFailed, Exercise, exercise
from .progress import forget_progress, show_progress

if TYPE_CHECKING:
    from .explorers import LeverageExplorer
    from .figures import describe

__all__ = [
    "AuthorError",
    "Check",
    "CheckFailed",
    "Exercise",
    "LeverageExplorer",
    "describe",
    "exercise",
    "forget_progress",
    "show_progress",
]

_HOME_OF = {"LeverageExplorer": "explorers", "describe": "figures"}


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_HOME_OF[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
