"""What the lessons import: checks with hints, quizzes, progress, figures and explorers.

Importing this package loads numpy only. Names that need a plotting or widget library
(`describe`, `LeverageExplorer`, the `plot_` functions) load theirs at first use. In a notebook the
import also starts to follow which cells stop with an error, so that a check can name them.

>>> from leverage.lessons import exercise, show_progress
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from leverage.lessons import cells
from leverage.lessons.checks import AuthorError, Check, CheckFailed, Exercise, exercise
from leverage.lessons.progress import forget_progress, show_progress
from leverage.lessons.revision import draw, revisit

if TYPE_CHECKING:
    from leverage.lessons.charts.basic_charts import (
        plot_equity,
        plot_recovery,
        plot_roe_table,
        plot_two_traders,
    )
    from leverage.lessons.completion import completion_sheet
    from leverage.lessons.explorers import (
        BotBench,
        CrashReplay,
        LeverageExplorer,
        LiquidationMap,
        MarginModeExplorer,
        PlatformComparer,
        PositionSizeCalculator,
        SurvivalMap,
        TierExplorer,
        TradingTerminal,
    )
    from leverage.lessons.figures import describe

__all__ = [
    "AuthorError",
    "BotBench",
    "Check",
    "CheckFailed",
    "CrashReplay",
    "Exercise",
    "LeverageExplorer",
    "LiquidationMap",
    "MarginModeExplorer",
    "PlatformComparer",
    "PositionSizeCalculator",
    "SurvivalMap",
    "TierExplorer",
    "TradingTerminal",
    "completion_sheet",
    "describe",
    "draw",
    "exercise",
    "forget_progress",
    "plot_equity",
    "plot_recovery",
    "plot_roe_table",
    "plot_two_traders",
    "revisit",
    "show_progress",
]

_HOME_OF = {
    "BotBench": "explorers",
    "CrashReplay": "explorers",
    "LeverageExplorer": "explorers",
    "LiquidationMap": "explorers",
    "MarginModeExplorer": "explorers",
    "PlatformComparer": "explorers",
    "PositionSizeCalculator": "explorers",
    "SurvivalMap": "explorers",
    "TierExplorer": "explorers",
    "TradingTerminal": "explorers",
    "completion_sheet": "completion",
    "describe": "figures",
    "plot_equity": "charts.basic_charts",
    "plot_recovery": "charts.basic_charts",
    "plot_roe_table": "charts.basic_charts",
    "plot_two_traders": "charts.basic_charts",
}

cells.watch()


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_HOME_OF[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
