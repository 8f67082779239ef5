"""The small helpers give what ccxt's own give."""

from __future__ import annotations

import pytest

from leverage.paper import PaperExchange, exchange_errors

BTC = "BTC/USDT:USDT"
CASES = [
    ("iso8601", (1_500_000_000_123,)),
    ("parse8601", ("2017-07-14T02:40:00.000Z",)),
    ("parse_date", ("2017-07-14T02:40:00.000Z",)),
    ("parse_timeframe", ("4h",)),
]


@pytest.mark.parametrize(("name", "arguments"), CASES)
def test_a_helper_answers_as_the_one_of_ccxt(name, arguments):
    ccxt = pytest.importorskip("ccxt")
    assert getattr(PaperExchange, name)(*arguments) == getattr(ccxt.Exchange(), name)(*arguments)


def test_prices_and_amounts_are_brought_to_the_steps_of_the_market(ticks):
    exchange = ticks(100)
    assert exchange.price_to_precision(BTC, 100.07) == "100.1"
    assert exchange.amount_to_precision(BTC, 0.12999) == "0.129"
    assert exchange.cost_to_precision(BTC, 1.123456789) == "1.12345678"
    with pytest.raises(exchange_errors.InvalidOrder, match=r"0\.001"):
        exchange.amount_to_precision(BTC, 0.0001)


def test_markets_are_found_by_symbol_and_by_id(ticks):
    exchange = ticks(100)
    assert exchange.market("BTCUSDT_USDT") == exchange.markets[BTC] == exchange.load_markets()[BTC]
    with pytest.raises(exchange_errors.BadSymbol):
        exchange.currency("GOLD")


def test_an_exchange_shows_its_rules_and_its_account_and_no_address() -> None:
    exchange = PaperExchange([[0, 100, 101, 99, 100, 1]], venue="binance", balance=10)
    other = exchange.open_account("other", 5)
    assert repr(exchange) == "PaperExchange('binance usdt_futures', account 'main')"
    assert repr(other) == "PaperExchange('binance usdt_futures', account 'other')"
