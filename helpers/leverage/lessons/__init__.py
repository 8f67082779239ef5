"""What the lessons import: checks with hints, quizzes, progress, figures and explorers.

Importing this package loads numpy only. What needs a plotting or widget library (`describe`, the
explorers) is loaded at first use. In a notebook the import also starts to follow which cells stop
with an error, so that a check can name them.

>>> from leverage.lessons import exercise, show_progress
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from leverage._extras import needs
from leverage.lessons import cells
from leverage.lessons.checks import AuthorError, Check, CheckFailed, Exercise, exercise
from leverage.lessons.progress import forget_progress, show_progress
from leverage.lessons.revision import draw, revisit
from leverage.lessons.solutions import show_solution

if TYPE_CHECKING:  # for type checkers, the same names as in the table; a test compares the two
    from leverage.lessons.completion import completion_sheet as completion_sheet
    from leverage.lessons.explorers.bot_bench import BotBench as BotBench
    from leverage.lessons.explorers.crash_replay import CrashReplay as CrashReplay
    from leverage.lessons.explorers.leverage_explorer import LeverageExplorer as LeverageExplorer
    from leverage.lessons.explorers.liquidation_map import LiquidationMap as LiquidationMap
    from leverage.lessons.explorers.margin_mode_explorer import (
        MarginModeExplorer as MarginModeExplorer,
    )
    from leverage.lessons.explorers.platform_comparer import PlatformComparer as PlatformComparer
    from leverage.lessons.explorers.position_size_calculator import (
        PositionSizeCalculator as PositionSizeCalculator,
    )
    from leverage.lessons.explorers.survival_map import SurvivalMap as SurvivalMap
    from leverage.lessons.explorers.tier_explorer import TierExplorer as TierExplorer
    from leverage.lessons.explorers.trading_terminal import TradingTerminal as TradingTerminal
    from leverage.lessons.figures import describe as describe

_HOME_OF = {
    "BotBench": "explorers.bot_bench",
    "CrashReplay": "explorers.crash_replay",
    "LeverageExplorer": "explorers.leverage_explorer",
    "LiquidationMap": "explorers.liquidation_map",
    "MarginModeExplorer": "explorers.margin_mode_explorer",
    "PlatformComparer": "explorers.platform_comparer",
    "PositionSizeCalculator": "explorers.position_size_calculator",
    "SurvivalMap": "explorers.survival_map",
    "TierExplorer": "explorers.tier_explorer",
    "TradingTerminal": "explorers.trading_terminal",
    "completion_sheet": "completion",
    "describe": "figures",
}

__all__ = [
    "AuthorError",
    "Check",
    "CheckFailed",
    "Exercise",
    "draw",
    "exercise",
    "forget_progress",
    "revisit",
    "show_progress",
    "show_solution",
    *_HOME_OF,
]

cells.watch()


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name != "completion_sheet":
        needs("lessons", "ipywidgets", "matplotlib", "pandas", "PIL")
    value = getattr(import_module(f".{_HOME_OF[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
