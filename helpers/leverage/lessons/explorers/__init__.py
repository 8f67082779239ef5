"""Explorers: controls, a picture that follows them at once, and the result in words.

`explorer` holds what all of them share; each explorer has a module of its own.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from leverage.lessons.explorers.bot_bench import BotBench
    from leverage.lessons.explorers.crash_replay import CrashReplay
    from leverage.lessons.explorers.explorer import Explorer
    from leverage.lessons.explorers.leverage_explorer import LeverageExplorer
    from leverage.lessons.explorers.liquidation_map import LiquidationMap
    from leverage.lessons.explorers.margin_mode_explorer import MarginModeExplorer
    from leverage.lessons.explorers.platform_comparer import PlatformComparer
    from leverage.lessons.explorers.position_size_calculator import PositionSizeCalculator
    from leverage.lessons.explorers.survival_map import SurvivalMap
    from leverage.lessons.explorers.tier_explorer import TierExplorer
    from leverage.lessons.explorers.trading_terminal import TradingTerminal

__all__ = [
    "BotBench",
    "CrashReplay",
    "Explorer",
    "LeverageExplorer",
    "LiquidationMap",
    "MarginModeExplorer",
    "PlatformComparer",
    "PositionSizeCalculator",
    "SurvivalMap",
    "TierExplorer",
    "TradingTerminal",
]

_HOME_OF = {
    "BotBench": "bot_bench",
    "CrashReplay": "crash_replay",
    "Explorer": "explorer",
    "LeverageExplorer": "leverage_explorer",
    "LiquidationMap": "liquidation_map",
    "MarginModeExplorer": "margin_mode_explorer",
    "PlatformComparer": "platform_comparer",
    "PositionSizeCalculator": "position_size_calculator",
    "SurvivalMap": "survival_map",
    "TierExplorer": "tier_explorer",
    "TradingTerminal": "trading_terminal",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_HOME_OF[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
