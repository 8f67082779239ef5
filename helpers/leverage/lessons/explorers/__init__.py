"""Explorers: controls, a picture that follows them at once, and the result in words.

`base` holds what all of them share; each explorer has a module of its own.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .base import Explorer
    from .bots import BotBench
    from .crash_replay import CrashReplay
    from .leverage import LeverageExplorer
    from .liquidation_map import LiquidationMap
    from .margin_modes import MarginModeExplorer
    from .platforms import PlatformComparer
    from .position_size import PositionSizeCalculator
    from .survival_map import SurvivalMap
    from .terminal import TradingTerminal
    from .tiers import TierExplorer

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
    "BotBench": "bots",
    "CrashReplay": "crash_replay",
    "Explorer": "base",
    "LeverageExplorer": "leverage",
    "LiquidationMap": "liquidation_map",
    "MarginModeExplorer": "margin_modes",
    "PlatformComparer": "platforms",
    "PositionSizeCalculator": "position_size",
    "SurvivalMap": "survival_map",
    "TierExplorer": "tiers",
    "TradingTerminal": "terminal",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_HOME_OF[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
