"""A market with flat rules, and bars through given closes."""

from __future__ import annotations

from recorded import HOUR

from leverage import TierTable
from leverage.paper import Rules

START = 1_722_729_600_000
SYMBOL = "BTC/USDT:USDT"
FLAT = Rules(
    tiers=TierTable.flat(0.004, max_leverage=100), taker_fee_rate=0.0005, maker_fee_rate=0.0002
)


def bars_through(*closes, first=START, length=HOUR):
    """Give bars that go straight from close to close."""
    rows, before = [], closes[0]
    for number, close in enumerate(closes):
        high, low = max(before, close), min(before, close)
        rows.append([first + number * length, before, high, low, close, 1.0])
        before = close
    return rows
