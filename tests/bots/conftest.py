"""A paper market that moves as a test wants it, and a venue behind ccxt that answers from memory."""

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent))

from bot_markets import FLAT, SYMBOL, bars_through
from recorded import RecordedInverse, RecordedLinear

from leverage.paper import PaperExchange


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
