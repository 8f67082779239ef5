"""Nothing that may be asked of the exchange tells what has not happened yet."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from leverage import TierTable
from leverage.paper import PaperExchange, Rules
from leverage.paper.funding import FundingModel

BTC, ETH = "BTC/USDT:USDT", "ETH/USDT:USDT"
HOUR = 3_600_000
START = 1_600_000_000_000 // (24 * HOUR) * (24 * HOUR)
BARS = 24
RULES = Rules(tiers=TierTable.flat(0.005, max_leverage=100), taker_fee_rate=0.0005)


def history(seed: int, length: int, until: int, future: int) -> list[list[float]]:
    """Bars whose prices are the same up to a bar, and whose volume is it before that bar."""
    draws, other = np.random.default_rng(seed), np.random.default_rng(future)
    price, rows = 100.0, []
    for number in range(BARS * HOUR // length):
        known = number <= until
        moves = (draws if known else other).normal(0, 0.02, 3)
        closing = price * float(np.exp(moves[0]))
        high = max(price, closing) * (1 + abs(float(moves[1])))
        low = min(price, closing) * (1 - abs(float(moves[2])))
        volume = float(number + 1 if number < until else 1 + future % 997)
        rows.append([START + number * length, price, high, low, closing, volume])
        price = closing
    return rows


def everything(exchange: PaperExchange) -> list[Any]:
    """Answers to every question about the market and the account."""
    asked: list[Any] = [exchange.fetch_markets(), exchange.fetch_currencies(), exchange.features]
    for symbol in exchange.symbols:
        own = exchange.timeframe_of(symbol)
        asked += [exchange.fetch_ohlcv(symbol, one) for one in (own, "4h", "1d")]
        asked += [
            exchange.fetch_ticker(symbol),
            exchange.fetch_order_book(symbol),
            exchange.fetch_trades(symbol),
            exchange.fetch_funding_rate(symbol),
            exchange.fetch_funding_rate_history(symbol),
            exchange.is_open(symbol),
        ]
    asked += [exchange.fetch_positions(), exchange.fetch_balance(), exchange.events()]
    return [*asked, exchange.fetch_my_trades(), exchange.fetch_ledger(), exchange.postings()]


@given(
    seed=st.integers(0, 10_000),
    hour=st.integers(1, BARS - 1),
    ticks=st.integers(0, 3),
    dated=st.booleans(),
)
@settings(deadline=None, max_examples=settings.default.max_examples * 40 // 100)
def test_another_future_changes_no_answer(seed: int, hour: int, ticks: int, dated: bool) -> None:
    def at(future: int) -> list[Any]:
        feeds = {
            BTC: history(seed, HOUR, hour, future),
            ETH: history(seed + 1, 4 * HOUR, hour // 4, future),
        }
        rates = np.random.default_rng(seed + 2).normal(0, 0.001, BARS)
        rates[hour:] = np.random.default_rng(future).normal(0, 0.001, BARS)[hour:]
        funding: Any = FundingModel()
        if dated:
            funding = [(START + n * HOUR + HOUR, float(rate)) for n, rate in enumerate(rates)]
        exchange = PaperExchange(feeds, rules=RULES, funding=funding, balance=1_000)
        exchange.create_order(BTC, "market", "buy", 1.0)
        exchange.create_order(ETH, "limit", "buy", 1.0, 95.0)
        exchange.run_until(START + hour * HOUR)
        exchange.step(ticks) if ticks else None
        if exchange.now >= START + (hour + 1) * HOUR - 1:
            return []
        return everything(exchange)

    assert at(seed + 10_001) == at(seed + 20_002)
