"""Crashes of the bundled history, replayed."""

from __future__ import annotations

import pytest

from leverage import liquidation_price
from leverage.history import load_hourly_window
from leverage.paper import PaperExchange

BTC = "BTC/USDT:USDT"


def test_a_long_dies_in_the_crash_of_march_2020_inside_the_hour_that_crosses_its_price():
    hours = load_hourly_window("2020-03-12")
    exchange = PaperExchange(hours, balance=1_000, overrides={"taker_fee_rate": 0.0})
    exchange.run_until("2020-03-12T00:00:00Z")
    exchange.set_margin_mode("isolated", BTC)
    exchange.set_leverage(5, BTC)
    entry = exchange.create_order(BTC, "market", "buy", 0.1)["average"]
    assert entry == pytest.approx(7_934.52, abs=0.5)
    exchange.run_until()
    (done,) = exchange.fetch_my_liquidations()
    expected = liquidation_price(1, entry, 0.1, entry * 0.1 / 5, 0.004)
    assert done["price"] == pytest.approx(expected, rel=1e-12)
    hour = hours[hours.low <= expected].index[hours[hours.low <= expected].index >= "2020-03-12"][0]
    assert hour.timestamp() * 1000 <= done["timestamp"] < hour.timestamp() * 1000 + 3_600_000


def test_a_gap_in_the_history_is_an_outage_of_the_exchange():
    exchange = PaperExchange(load_hourly_window("2021-04-18"), balance=1_000)
    exchange.run_until()
    assert [event["kind"] for event in exchange.events()] == ["outage", "reopened"]
