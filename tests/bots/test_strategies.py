"""The five bots as functions: what they want for a given market and account."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leverage.bots import (
    AccountView,
    BotOrder,
    BuyAndHold,
    FundingCarry,
    Grid,
    MarketView,
    Martingale,
    Trend,
    to_position,
)


def market(price=50_000.0, closes=(), **more):
    bars = tuple((number, c, c, c, c, 1.0) for number, c in enumerate(closes))
    return MarketView("BTC/USDT:USDT", 0, price, bars, **more)


def account(equity=10_000.0, quantity=0.0, entry=0.0):
    return AccountView(equity, quantity, entry)


def test_buy_and_hold_buys_once():
    bot = BuyAndHold(2.0)
    assert bot(market(), account()) == [BotOrder("buy", 0.4)]
    assert bot(market(), account(quantity=0.4)) == []


def test_trend_is_long_above_the_slow_average_and_keeps_a_stop_behind():
    bot = Trend(1, 3, stop=0.1)
    rising, falling = (1.0, 2.0, 3.0), (3.0, 2.0, 1.0)
    assert bot(market(100.0, rising), account(equity=50.0)) == [BotOrder("buy", 0.5)]
    stop = BotOrder("sell", 0.5, None, 90.0, True)
    assert bot(market(100.0, rising), account(quantity=0.5, entry=100.0)) == [stop]
    out = BotOrder("sell", 0.5, reduce_only=True)
    assert bot(market(100.0, falling), account(quantity=0.5, entry=100.0)) == [out]
    assert bot(market(100.0, falling), account()) == []


def test_trend_goes_out_before_it_turns_round():
    bot = Trend(1, 3, short=True, stop=0.1)
    falling = (3.0, 2.0, 1.0)
    assert bot(market(100.0, falling), account(quantity=2.0, entry=90.0)) == [
        BotOrder("sell", 2.0, reduce_only=True)
    ]
    assert bot(market(100.0, falling), account(equity=100.0)) == [BotOrder("sell", 1.0)]
    stop = bot(market(100.0, falling), account(quantity=-1.0, entry=100.0))
    assert stop[0].side == "buy"
    assert stop[0].trigger_price == pytest.approx(110.0)


def test_trend_waits_for_enough_history():
    assert Trend(1, 3)(market(100.0, (1.0, 2.0)), account()) == []


def test_carry_is_short_what_the_coins_are_worth_while_longs_pay():
    inverse = {"inverse": True, "contract_size": 100.0}
    bot = FundingCarry(0.0001)
    assert bot(market(funding_rate=0.0002, **inverse), account()) == [BotOrder("sell", 100.0)]
    assert bot(market(funding_rate=0.0002, **inverse), account(quantity=-100.0)) == []
    out = [BotOrder("buy", 100.0, reduce_only=True)]
    assert bot(market(funding_rate=0.0001, **inverse), account(quantity=-100.0)) == out
    assert bot(market(funding_rate=None, **inverse), account()) == []


def test_carry_refuses_a_market_that_does_not_hedge_it():
    with pytest.raises(ValueError, match="must be an inverse market"):
        FundingCarry()(market(funding_rate=0.001), account())


@given(st.integers(1, 30), st.data())
def test_a_grid_always_has_one_order_for_every_other_level(portions, data):
    grid = Grid(40_000.0, 60_000.0, portions, 0.01)
    held = data.draw(st.integers(0, portions))
    orders = grid(market(), account(quantity=held * 0.01, entry=50_000.0))
    assert len(orders) == portions
    assert sum(order.side == "sell" for order in orders) == held
    buys = [order.price for order in orders if order.side == "buy"]
    sells = [order.price for order in orders if order.side == "sell"]
    assert not buys or not sells or max(buys) < min(sells)


def test_a_martingale_recovers_its_first_price_from_the_position():
    bot = Martingale(0.01, step=0.02, safety_orders=5, take_profit=0.01)
    # 0.01 at 50 000 and 0.02 at 49 000
    now = account(quantity=0.03, entry=148_000 / 3)
    assert bot.filled(now) == 2
    assert bot.first_price(now) == pytest.approx(50_000)
    orders = bot(market(49_100.0), now)
    assert orders[0] == BotOrder("sell", 0.03, now.entry_price * 1.01, reduce_only=True)
    assert [order.price for order in orders[1:]] == pytest.approx([48_000, 47_000, 46_000, 45_000])
    assert [order.amount for order in orders[1:]] == pytest.approx([0.04, 0.08, 0.16, 0.32])


def test_a_flat_martingale_buys_its_first_order_at_the_market():
    bot = Martingale(0.01, step=0.02, safety_orders=5, take_profit=0.01)
    assert bot(market(), account()) == [BotOrder("buy", 0.01)]


def test_whole_numbers_may_be_given_as_floats():
    assert Trend(5.0, 20.0) == Trend(5, 20)
    assert len(Grid(40_000, 60_000, 4.0, 0.01).levels) == 5
    assert Trend(5, 20).bars_needed == 20


def test_a_grid_sends_its_nearest_orders_first(paper):
    grid = Grid(90, 100, 5, 1)
    assert [o.price for o in grid(market(100.5), account())] == [98, 96, 94, 92, 90]
    held = AccountView(equity=45.0, quantity=2.0, entry_price=97.0)
    prices = [(o.side, o.price) for o in grid(market(95.0), held)]
    assert prices == [
        ("buy", 94), ("buy", 92), ("buy", 90), ("sell", 98), ("sell", 100),
    ]  # fmt: skip


def test_a_factor_of_one_is_dollar_cost_averaging():
    assert Martingale(0.01, 0.02, 3, 0.01, multiplier=1.0).quantities == (0.01,) * 4


@pytest.mark.parametrize(
    "make",
    [
        lambda: BuyAndHold(0.0),
        lambda: Trend(20, 10),
        lambda: Trend(5, 20, stop=1.0),
        lambda: FundingCarry(exposure=-1.0),
        lambda: Grid(60_000.0, 40_000.0, 5, 0.01),
        lambda: Grid(40_000.0, 60_000.0, 0, 0.01),
        lambda: Grid(40_000.0, 60_000.0, 5, -0.01),
        lambda: Martingale(0.0, 0.02, 5, 0.01),
        lambda: Martingale(0.01, 0.3, 5, 0.01),
        lambda: Martingale(0.01, 0.02, -1, 0.01),
        lambda: Martingale(0.01, 0.02, 5, 0.0),
        lambda: Martingale(0.01, 0.02, 5, 0.01, multiplier=0.0),
        lambda: Martingale(0.01, 0.02, 40, 0.01, multiplier=1e10),
        lambda: Grid(40_000.0, math.inf, 5, 0.01),
        lambda: Grid(40_000.0, 60_000.0, 2.5, 0.01),
        lambda: Trend(5.5, 20),
        lambda: Trend(5, math.nan),
        lambda: Trend(5, 20, stop=8),
        lambda: FundingCarry(threshold=math.nan),
        lambda: BuyAndHold(True),
        lambda: BuyAndHold("2"),
        lambda: BotOrder("buy", 1.0, -5.0),
        lambda: BotOrder("sell", 1.0, None, math.nan),
    ],
)
def test_settings_out_of_range_are_refused(make):
    with pytest.raises(ValueError, match=" must "):
        make()


@pytest.mark.parametrize("bad", [("hold", 1.0), ("buy", 0.0), ("buy", float("nan"))])
def test_an_order_says_its_direction_with_its_side(bad):
    with pytest.raises(ValueError, match=r"side must be|amount must be"):
        BotOrder(*bad)


@given(st.floats(-5, 5), st.floats(-5, 5))
def test_the_order_to_a_position_closes_the_difference(held, wanted):
    orders = to_position(account(quantity=held), wanted)
    moved = sum(order.amount * (1 if order.side == "buy" else -1) for order in orders)
    assert held + moved == pytest.approx(wanted, abs=1e-9)
