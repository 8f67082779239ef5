"""Coins that cost a billionth trade as coins that cost a thousand."""

from __future__ import annotations

import pytest

from leverage import TierTable
from leverage.paper import Market, PaperExchange, Rules, exchange_errors

RULES = Rules(tiers=TierTable.flat(0.005, max_leverage=50), taker_fee_rate=0.0005)


def run(price, markets=None):
    """Half of a long is sold on the way up, and the rest is liquidated on the way down."""
    rows = [[0, *[price] * 4, 1], [3_600_000, price, price * 1.2, price * 0.5, price * 0.6, 1]]
    symbol = "SHIB/USDT:USDT"
    exchange = PaperExchange({symbol: rows}, rules=RULES, balance=1_000, markets=markets)
    exchange.set_leverage(10, symbol)
    amount = 5_000 / price
    exchange.create_order(symbol, "market", "buy", amount)
    order = exchange.create_order(
        symbol, "limit", "sell", amount / 2, price * 1.1, {"reduceOnly": True}
    )
    shown = exchange.fetch_position(symbol)["liquidationPrice"] / price
    exchange.run_until()
    (done,) = exchange.fetch_my_liquidations()
    money = [p["amount"] for p in exchange.postings()]
    return order["price"] / price, shown, done["price"] / price, money


# SHIB, PEPE and BTT cost 1e-5, 1e-6 and 1e-7 of a dollar in 2026; in bitcoin they cost 1e-10.
@pytest.mark.parametrize("price", [2.4e-5, 1.2e-8, 1e-9, 3.1e-10])
def test_the_size_of_a_price_changes_nothing(price):
    small, usual = run(price), run(1_000.0, {"SHIB/USDT:USDT": Market(0.01, 1e-6)})
    assert small[:3] == pytest.approx(usual[:3], rel=1e-5)
    assert small[3] == pytest.approx(usual[3], rel=1e-4)


@pytest.mark.parametrize("tick", [1e-12, 1e-13, 1e-15])
def test_small_ticks_round_to_their_multiples(tick):
    market = {"SHIB/USDT:USDT": Market(tick_size=tick, lot_size=1.0)}
    exchange = PaperExchange([[0, *[1.2e-8] * 4, 1]], rules=RULES, balance=10)
    assert exchange.symbols == ["BTC/USDT:USDT"]
    exchange = PaperExchange(
        {"SHIB/USDT:USDT": [[0, *[1.2e-8] * 4, 1]]}, rules=RULES, balance=10, markets=market
    )
    price = 1.19e-8 + 0.4 * tick
    order = exchange.create_order("SHIB/USDT:USDT", "limit", "buy", 1e9, price)
    assert order["price"] == pytest.approx(1.19e-8, rel=1e-15)
    assert float(exchange.price_to_precision("SHIB/USDT:USDT", price)) == order["price"]
    bid, ask = exchange.fetch_ticker("SHIB/USDT:USDT")["bid"], 1.2e-8 - tick
    assert bid == pytest.approx(ask, rel=1e-12)


def test_more_lots_than_can_be_told_apart_are_refused():
    assert Market(tick_size=1e-15, lot_size=1.0).max_amount == 2.0**53
    exchange = PaperExchange({"SHIB/USDT:USDT": [[0, *[1e-9] * 4, 1]]}, rules=RULES, balance=1e12)
    with pytest.raises(exchange_errors.InvalidOrder, match="at most"):
        exchange.create_order("SHIB/USDT:USDT", "market", "buy", 2.0**54)
