"""What falls due is settled at its moment, at its own mark, by those who are in."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leverage import TierTable
from leverage.paper import FundingModel, PaperExchange, Rules, exchange_errors

BTC = "BTC/USDT:USDT"
HOUR = 3_600_000
DAY = 24 * HOUR
START = 1_600_000_000_000 // DAY * DAY


def daily(*rows, length=DAY, **options):
    """Bars of a day, with funding every hour unless said otherwise, and hours since the start."""
    rules = {"tiers": TierTable.flat(0.004), "max_leverage": 100, "funding_interval_hours": 1}
    rules.update(options.pop("changes", {}))
    feed = [[START + number * length, *row, 1.0] for number, row in enumerate(rows)]
    given = {"rules": Rules(**rules), "balance": 100_000, "funding": 0.0001, **options}
    return PaperExchange({BTC: feed}, **given)


def hours(entries):
    return [(entry["timestamp"] - START) / HOUR for entry in entries]


FLAT = (50_000,) * 4
FALL = (50_000, 50_000, 40_000, 40_000)


def test_each_payment_is_made_in_its_hour_at_its_own_mark():
    exchange = daily(FLAT, FALL)
    exchange.create_order(BTC, "limit", "buy", 1, 45_000)
    exchange.run_until()
    (trade,) = exchange.fetch_my_trades()
    # From 50 000 at hour 32 in a straight line to 40 000 at hour 40.
    assert (trade["timestamp"] - START, trade["price"]) == (36 * HOUR, 45_000)
    paid = exchange.fetch_funding_history()
    assert hours(paid) == list(range(37, 48))
    marks = [43_750, 42_500, 41_250, *[40_000] * 8]
    assert [-p["amount"] / 0.0001 for p in paid] == pytest.approx(marks, rel=1e-12)
    assert hours(exchange.fetch_funding_rate_history()) == list(range(1, 48))


def test_who_has_left_before_a_settlement_does_not_pay():
    exchange = daily(FLAT, FALL)
    exchange.create_order(BTC, "market", "buy", 1)
    exchange.create_order(BTC, "market", "sell", 1, None, {"stopLossPrice": 46_000})
    exchange.run_until()
    # The stop is met at 35.2 h.
    assert exchange.fetch_my_trades()[-1]["price"] == 46_000
    assert hours(exchange.fetch_funding_history()) == list(range(1, 36))


def test_who_leaves_at_the_moment_of_a_settlement_still_pays():
    exchange = daily(FLAT, FALL)
    exchange.create_order(BTC, "market", "buy", 1)
    exchange.create_order(BTC, "market", "sell", 1, None, {"stopLossPrice": 45_000})
    exchange.run_until()
    assert exchange.fetch_my_trades()[-1]["timestamp"] - START == 36 * HOUR
    assert hours(exchange.fetch_funding_history()) == list(range(1, 37))


def test_a_settlement_comes_before_a_liquidation_in_the_same_millisecond():
    """Equity 1 000 of a long of 1 at 50 000: at 49 000 nothing would be left, at hour 32.8."""
    exchange = daily(FLAT, FALL, changes={"tiers": TierTable.flat(1e-9)}, balance=1_000)
    exchange.set_leverage(50, BTC)
    exchange.run_until(START + DAY)
    exchange.create_order(BTC, "market", "buy", 1)
    exchange.run_until()
    (done,) = exchange.fetch_my_liquidations()
    paid = hours(exchange.fetch_funding_history())
    assert paid == list(range(25, 33))
    assert hours([done])[0] == pytest.approx(32 + (1_000 - 8 * 5) / 1_250, abs=1e-6)


def test_a_payment_that_takes_too_much_liquidates_at_its_moment():
    exchange = daily(FLAT, FLAT, funding=0.01, balance=1_220, changes={"taker_fee_rate": 0.0})
    exchange.set_leverage(50, BTC)
    exchange.create_order(BTC, "market", "buy", 1)
    exchange.run_until()
    # 500 an hour: 720 are left after the first, 220 after the second, and 200 are required.
    assert hours(exchange.fetch_funding_history()) == [1, 2, 3]
    assert hours(exchange.fetch_my_liquidations()) == [3]


def test_payments_between_two_far_ticks_are_made_at_the_price_that_stood():
    feed = [[START + 30 * 60_000, 100], [START + 200 * 60_000, 150]]
    rules = Rules(tiers=TierTable.flat(0.004), funding_interval_hours=1)
    exchange = PaperExchange(feed, ticks=True, rules=rules, balance=1_000, funding=0.001)
    exchange.create_order(BTC, "market", "buy", 1)
    exchange.run_until()
    paid = exchange.fetch_funding_history()
    assert hours(paid) == [1, 2, 3]
    assert [p["amount"] for p in paid] == pytest.approx([-0.1] * 3)


@pytest.mark.parametrize("unit", [1, 1_000, 1e6])
def test_dated_rates_are_read_in_the_unit_of_their_times(unit):
    dates = [((START + n * HOUR) / 1_000 * unit, 0.001 * n) for n in (1, 3)]
    exchange = daily(FLAT, FLAT, funding=dates)
    exchange.create_order(BTC, "market", "buy", 1)
    exchange.run_until()
    assert hours(exchange.fetch_funding_history()) == [1, 3]


def test_dated_rates_that_never_fall_due_are_refused():
    with pytest.raises(exchange_errors.BadFeed, match=r"2001-09-09.* give other dates"):
        daily(FLAT, FLAT, funding=[(1e12, 0.001)])
    assert daily(FLAT, FLAT, funding=[]).run_until() == 7


def test_interest_runs_from_the_fill_inside_a_bar():
    changes = {"carrying_cost": "interest", "carrying_rates": (0.001, 0.001)}
    exchange = daily(FLAT, FALL, changes=changes, funding=None, balance=10_000)
    exchange.create_order(BTC, "limit", "buy", 1, 44_000)
    exchange.run_until()
    # Filled at 36.8 h, 34 000 of it borrowed; the last hour ends behind the history.
    charged = [posting for posting in exchange.postings() if posting["cause"] == "interest"]
    assert hours(charged) == pytest.approx([37.8 + hour for hour in range(11)], abs=1e-6)
    assert charged[0]["amount"] == 34.0


def test_a_thin_market_fills_no_faster_because_funding_is_paid():
    def filled(funding):
        exchange = daily(FLAT, FALL, FALL, funding=funding, liquidity=0.1)
        exchange.create_order(BTC, "limit", "buy", 5, 47_000)
        exchange.run_until()
        return exchange.fetch_orders()[0]["filled"]

    assert filled(0.0001) == filled(None)


@settings(max_examples=settings.default.max_examples * 40 // 100, deadline=None)
@given(
    days=st.lists(
        st.tuples(*[st.floats(0.9, 1.1)] * 2, *[st.floats(1.0, 1.05)] * 2), min_size=2, max_size=5
    ),
    interval=st.sampled_from([0.5, 1, 3, 4, 8]),
    side=st.sampled_from(["buy", "sell"]),
)
def test_coarse_bars_pay_what_the_same_line_pays_tick_by_tick(days, interval, side):
    rows = []
    for start, end, up, down in days:
        opening, close = 1_000 * start, 1_000 * end
        rows.append((opening, max(opening, close) * up, min(opening, close) / down, close))
    ticks = []
    for number, (opening, high, low, close) in enumerate(rows):
        path = [opening, low, high, close] if close >= opening else [opening, high, low, close]
        knots = [0, DAY // 3, 2 * DAY // 3, DAY - 1]
        for moment in range(0, DAY, 30 * 60_000):
            price = float(np.interp(moment, knots, path))
            ticks.append([START + number * DAY + moment, price])
    options = {"changes": {"funding_interval_hours": interval}, "funding": FundingModel()}
    coarse = daily(*rows, **options)
    rules = coarse.rules
    fine = PaperExchange(
        {BTC: ticks}, ticks=True, rules=rules, balance=100_000, funding=FundingModel()
    )
    for exchange in (coarse, fine):
        exchange.create_order(BTC, "market", side, 1)
        exchange.run_until()
    paid = [
        [(p["timestamp"], p["amount"]) for p in x.fetch_funding_history()] for x in (coarse, fine)
    ]
    assert [moment for moment, _ in paid[0]] == [moment for moment, _ in paid[1]]
    assert [amount for _, amount in paid[0]] == pytest.approx(
        [amount for _, amount in paid[1]], rel=1e-12
    )
