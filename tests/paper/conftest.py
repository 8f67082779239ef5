"""Small markets on which one thing happens."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from leverage import TierTable
from leverage.paper import Market, PaperExchange, Rules

HOUR = 3_600_000
START = 1_600_000_000_000 // (24 * HOUR) * (24 * HOUR)
BTC = "BTC/USDT:USDT"
STEPS = {BTC: Market(tick_size=0.1, lot_size=0.001, min_cost=5.0)}


def simple_rules(**changes: Any) -> Rules:
    """0.5 % maintenance, no fees, 100x, and a fund that keeps what is left."""
    given: dict[str, Any] = {"tiers": TierTable.flat(0.005, max_leverage=100), **changes}
    return Rules(**given)


@pytest.fixture
def rules() -> Callable[..., Rules]:
    return simple_rules


@pytest.fixture
def bars() -> Callable[..., list[list[float]]]:
    """Hourly bars from rows of open, high, low, close; None is a missing bar."""

    def make(*rows: tuple[float, float, float, float] | None) -> list[list[float]]:
        return [
            [START + number * HOUR, *row, 10.0]
            for number, row in enumerate(rows)
            if row is not None
        ]

    return make


@pytest.fixture
def ticks() -> Callable[..., PaperExchange]:
    """An exchange whose price jumps from number to number, a minute apart."""

    def make(*prices: float, **options: Any) -> PaperExchange:
        feed = [[START + number * 60_000, price] for number, price in enumerate(prices)]
        settings: dict[str, Any] = {
            "rules": simple_rules(),
            "balance": 10_000,
            "markets": STEPS,
            **options,
        }
        return PaperExchange({BTC: feed}, ticks=True, **settings)

    return make


@pytest.fixture
def hourly(bars: Callable[..., list[list[float]]]) -> Callable[..., PaperExchange]:
    """An exchange on hourly bars."""

    def make(*rows: tuple[float, float, float, float] | None, **options: Any) -> PaperExchange:
        settings: dict[str, Any] = {
            "rules": simple_rules(),
            "balance": 10_000,
            "markets": STEPS,
            **options,
        }
        return PaperExchange({BTC: bars(*rows)}, **settings)

    return make


@pytest.fixture
def balanced() -> Callable[[PaperExchange], bool]:
    """Tell whether every currency adds up."""

    def check(exchange: PaperExchange) -> bool:
        return all(
            abs(sums["difference"]) <= 1e-9 * max(sums["scale"], 1.0)
            for sums in exchange.check_ledger().values()
        )

    return check
