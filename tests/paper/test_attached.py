"""Attached stop-loss and take-profit protect what is filled, from the first fill on."""

from __future__ import annotations

import pytest

BTC = "BTC/USDT:USDT"
EXITS = {"stopLoss": {"triggerPrice": 90}, "takeProfit": {"triggerPrice": 120}}


def thin(ticks, *prices):
    """A market that gives one contract a tick, and an entry of 20 at 98 with both exits."""
    exchange = ticks(100, *prices, liquidity=1)
    entry = exchange.create_order(BTC, "limit", "buy", 20, 98, EXITS)
    return exchange, entry["id"]


def exits(exchange):
    return [(o["info"]["type"], o["amount"], o["status"]) for o in exchange.fetch_orders()[1:]]


def test_a_partly_filled_entry_is_protected_for_what_is_filled(ticks):
    exchange, entry = thin(ticks, *[98] * 11, 70, 70)
    exchange.step(1)
    assert exits(exchange) == [("stop loss", 1, "open"), ("take profit", 1, "open")]
    exchange.step(10)
    assert exits(exchange) == [("stop loss", 11, "open"), ("take profit", 11, "open")]
    exchange.step(1)
    stop, target = exchange.fetch_orders()[1:3]
    # The entry, which is older, gets one more; the stop walks down the book, a tick a contract.
    assert (stop["status"], stop["filled"]) == ("closed", 12)
    assert stop["average"] == pytest.approx(70 - 0.55)
    assert exchange.fetch_positions() == []
    assert target["status"] == "canceled"
    assert exchange.fetch_order(entry)["status"] == "open"


def test_cancelling_the_rest_of_an_entry_leaves_its_exits(ticks):
    exchange, entry = thin(ticks, 98, 98, 100, 85)
    exchange.step(2)
    exchange.cancel_order(entry)
    assert exits(exchange) == [("stop loss", 2, "open"), ("take profit", 2, "open")]
    exchange.run_until()
    assert exchange.fetch_positions() == []


def test_exits_that_the_account_cancelled_do_not_come_back(ticks):
    exchange, _ = thin(ticks, 98, 98, 98)
    exchange.step(1)
    stop, target = exchange.fetch_open_orders()[1:]
    exchange.cancel_order(target["id"])
    exchange.step(1)
    assert exits(exchange) == [("stop loss", 2, "open"), ("take profit", 1, "canceled")]
    exchange.cancel_order(stop["id"])
    exchange.step(1)
    assert [status for _, _, status in exits(exchange)] == ["canceled", "canceled"]


def test_what_fills_after_an_exit_is_protected_anew(ticks):
    exchange, _ = thin(ticks, 98, 85, 98, 130)
    exchange.step(1)
    exchange.step(1)
    # The stop closed one contract at 85; the entry, still open, was filled once more at that tick.
    kinds = [status for _, _, status in exits(exchange)]
    assert kinds[:2] == ["closed", "canceled"]
    exchange.run_until()
    assert exchange.fetch_positions() == []


def test_a_price_that_jumps_over_entry_and_stop_stops_at_once(ticks):
    exchange = ticks(100, 70, 60)
    exchange.create_order(BTC, "limit", "buy", 1, 98, EXITS)
    exchange.step(1)
    assert [(t["side"], t["price"]) for t in exchange.fetch_my_trades()] == [
        ("buy", 98),
        ("sell", 70),
    ]


def test_exits_cover_what_was_opened_and_not_what_was_closed(ticks):
    exchange = ticks(100, 100)
    exchange.create_order(BTC, "market", "sell", 5)
    exchange.create_order(BTC, "market", "buy", 20, None, EXITS)
    assert exits(exchange)[1:] == [("stop loss", 15, "open"), ("take profit", 15, "open")]


@pytest.mark.parametrize("word", ["IOC", "GTC"])
def test_an_order_taken_in_part_is_protected_for_that_part(ticks, word):
    exchange = ticks(100, 100, liquidity=2)
    order = exchange.create_order(BTC, "limit", "buy", 5, 100, {**EXITS, "timeInForce": word})
    assert order["filled"] == 2
    assert exits(exchange) == [("stop loss", 2, "open"), ("take profit", 2, "open")]
