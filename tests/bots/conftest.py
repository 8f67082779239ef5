"""A paper market that moves as a test wants it, and a venue behind ccxt that answers from memory."""

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent))

from recorded import HOUR, RecordedInverse, RecordedLinear

from leverage import TierTable
from leverage.paper import PaperExchange, Rules

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


@pytest.fixture
def paper():
    def new(*closes, balance=10_000, leverage=None, **rules):
        exchange = PaperExchange(bars_through(*closes), venue="binance", balance=balance, **rules)
        if leverage:
            exchange.set_leverage(leverage, SYMBOL)
        return exchange

    return new


@pytest.fixture
def flat():
    """0.4 % maintenance of any size, 0.05 % for takers."""
    return FLAT


@pytest.fixture
def recorded():
    """Give a maker of Binance's linear market, as ccxt shows it, at the end of some closes."""

    def new(closes, *, inverse=False, **rest):
        return (RecordedInverse if inverse else RecordedLinear)(bars_through(*closes), **rest)

    return new
