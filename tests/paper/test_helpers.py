"""The small helpers give what ccxt's own give."""

from __future__ import annotations

import pytest

from leverage.paper import PaperExchange, errors
from leverage.paper.base import Base

BTC = "BTC/USDT:USDT"
SOURCE = {
    "text": "1.50",
    "number": 2.5,
    "yes": True,
    "empty": "",
    "none": None,
    "inner": {"a": 1},
    "list": [3],
}
CASES = [
    *(
        (name, (SOURCE, key, "x"))
        for name in ("safe_string", "safe_number", "safe_value", "safe_integer", "safe_bool",
                     "safe_dict", "safe_list")
        for key in SOURCE
    ),
    ("safe_string_2", (SOURCE, "gone", "text")),
    ("safe_string_n", (SOURCE, ["gone", "none", "number"])),
    ("safe_value", ([4, 5], 1)),
    ("extend", ({"a": 1}, {"b": 2}, {"a": 3})),
    ("deep_extend", ({"a": {"b": 1, "c": 2}}, {"a": {"b": 3}})),
    ("in_array", (1, [1, 2])),
    ("is_dictionary", ({},)),
    ("array_concat", ([1], [2])),
    ("omit", ({"a": 1, "b": 2}, ["a"])),
    ("omit", ({"a": 1, "b": 2}, "a")),
    ("omit_zero", ("0.0",)),
    ("omit_zero", ("1.0",)),
    ("group_by", ([{"k": 1, "v": 1}, {"k": 1, "v": 2}], "k")),
    ("index_by", ([{"k": 1}, {"k": 2}], "k")),
    ("filter_by", ([{"k": 1}, {"k": 2}], "k", 2)),
    ("sort_by", ([{"k": 2}, {"k": 1}], "k")),
    ("number_to_string", (1e-7,)),
    ("number_to_string", (50.0,)),
    ("parse_number", ("1.25",)),
    ("precision_from_string", ("0.00100",)),
    ("precision_from_string", ("1e-4",)),
    ("parse_precision", ("3",)),
    ("iso8601", (1_500_000_000_123,)),
    ("parse8601", ("2017-07-14T02:40:00.000Z",)),
    ("parse_timeframe", ("4h",)),
    ("capitalize", ("bitcoin",)),
    ("decimal_to_precision", ("0.1299", 0, 0.001, 4)),
    ("decimal_to_precision", ("0.1299", 1, 0.01, 4)),
]  # fmt: skip


@pytest.mark.parametrize(("name", "arguments"), CASES)
def test_a_helper_answers_as_the_one_of_ccxt(name, arguments):
    ccxt = pytest.importorskip("ccxt")
    theirs = getattr(ccxt.Exchange(), name)(*arguments)
    ours = getattr(Base(), name)(*arguments)
    if isinstance(theirs, str) and theirs[:1].isdigit() and name != "iso8601":
        # A number in text may carry other zeros at its end.
        assert float(ours) == float(theirs)
    else:
        assert ours == theirs


def test_prices_and_amounts_are_brought_to_the_steps_of_the_market(ticks):
    exchange = ticks(100)
    assert exchange.price_to_precision(BTC, 100.07) == "100.1"
    assert exchange.amount_to_precision(BTC, 0.12999) == "0.129"
    assert exchange.cost_to_precision(BTC, 1.123456789) == "1.12345678"
    with pytest.raises(errors.InvalidOrder, match=r"0\.001"):
        exchange.amount_to_precision(BTC, 0.0001)


def test_markets_are_found_by_symbol_and_by_id(ticks):
    exchange = ticks(100)
    assert exchange.market("BTCUSDT_USDT") == exchange.markets[BTC] == exchange.load_markets()[BTC]
    assert exchange.safe_currency_code("USDT") == "USDT"
    with pytest.raises(errors.BadSymbol):
        exchange.currency("GOLD")


def test_an_exchange_shows_its_rules_and_its_account_and_no_address() -> None:
    exchange = PaperExchange([[0, 100, 101, 99, 100, 1]], venue="binance", balance=10)
    other = exchange.open_account("other", 5)
    assert repr(exchange) == "PaperExchange('binance usdt_futures', account 'main')"
    assert repr(other) == "PaperExchange('binance usdt_futures', account 'other')"
