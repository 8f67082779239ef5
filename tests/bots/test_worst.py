"""The worst case of a settings page, by hand and against the paper exchange."""

import math
from contextlib import suppress
from dataclasses import replace

import numpy as np
import pytest
from bot_markets import FLAT, SYMBOL, bars_through
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from leverage import SHORT, pnl
from leverage.bots import BotOrder, Grid, Martingale, averaging_ladder, run_bot, worst_case
from leverage.paper import Market, PaperExchange, exchange_errors


def test_a_martingales_worst_case_is_the_hand_checked_one():
    bot = Martingale(0.01, step=0.02, safety_orders=5, take_profit=0.01)
    found = worst_case(bot, price=50_000, balance=4_000, leverage=20)
    # 0.01 × (50 + 2×49 + 4×48 + 8×47 + 16×46 + 32×45) thousand
    assert (found.orders, found.orders_set) == (6, 6)
    assert found.exposure == pytest.approx(28_920)
    assert found.margin == pytest.approx(1_446)
    assert found.last_order == pytest.approx(45_000)
    # (28 920 - 4 000) / (0.63 × 0.996)
    assert found.liquidation_price == pytest.approx(24_920 / 0.62748)
    assert found.entry_price == pytest.approx(28_920 / 0.63)


def test_orders_below_the_liquidation_price_never_fill():
    bot = Martingale(0.01, step=0.05, safety_orders=5, take_profit=0.01)
    found = worst_case(bot, price=50_000, balance=500, leverage=50)
    # 0.15 BTC for 6 650; (6 650 - 500) / (0.15 × 0.996) lies above the fifth order's 40 000.
    assert found.orders == 4
    assert found.liquidation_price == pytest.approx(6_150 / 0.1494)
    assert 40_000 < found.liquidation_price < 42_500


def test_orders_that_cannot_be_paid_never_fill():
    bot = Martingale(0.01, step=0.001, safety_orders=5, take_profit=0.01)
    found = worst_case(bot, price=50_000, balance=1_000, leverage=2)
    # 0.03 BTC need 748.75 of margin; 0.07 need about 1 747.
    assert found.orders == 2


def test_a_grids_worst_case_holds_every_portion():
    found = worst_case(Grid(40_000, 60_000, 4, 0.1), price=52_000, balance=30_000, leverage=5)
    # 55 000 lies above the price, so that portion is bought at 52 000.
    assert found.quantity == pytest.approx(0.4)
    assert found.exposure == pytest.approx(0.1 * (52_000 + 50_000 + 45_000 + 40_000))
    assert found.liquidation_price == 0.0


def test_a_short_martingales_worst_case_is_the_hand_checked_one():
    bot = Martingale(0.01, step=0.02, safety_orders=5, take_profit=0.01)
    found = worst_case(bot, price=50_000, balance=4_000, leverage=20, side=SHORT)
    # 0.01 × (50 + 2×51 + 4×52 + 8×53 + 16×54 + 32×55) thousand
    assert (found.orders, found.last_order) == (6, pytest.approx(55_000))
    assert found.exposure == pytest.approx(34_080)
    # (4 000 + 34 080) / (0.63 × 1.004)
    assert found.liquidation_price == pytest.approx(38_080 / 0.63252)
    assert found.entry_price == pytest.approx(34_080 / 0.63)


def test_orders_above_a_shorts_liquidation_price_never_fill():
    bot = Martingale(0.01, step=0.05, safety_orders=5, take_profit=0.01)
    found = worst_case(bot, price=50_000, balance=500, leverage=50, side=SHORT)
    # 0.15 BTC sold for 8 350; (8 350 + 500) / (0.15 × 1.004) lies below the fifth order's 60 000.
    assert found.orders == 4
    assert found.liquidation_price == pytest.approx(8_850 / 0.1506)
    assert 57_500 < found.liquidation_price < 60_000


def test_a_short_grid_sells_at_every_level_above_and_at_the_price_what_lies_below():
    found = worst_case(
        Grid(40_000, 60_000, 4, 0.1), price=52_000, balance=30_000, leverage=5, side=SHORT
    )
    assert found.quantity == pytest.approx(0.4)
    assert found.exposure == pytest.approx(0.1 * (52_000 + 52_000 + 55_000 + 60_000))
    assert found.liquidation_price == pytest.approx((30_000 + found.exposure) / (0.4 * 1.004))


def test_a_page_whose_first_order_cannot_be_paid_opens_nothing():
    found = worst_case(Martingale(1.0, 0.02, 5, 0.01), price=50_000, balance=1_000, leverage=5)
    assert (found.orders, found.quantity, found.exposure) == (0, 0.0, 0.0)
    assert found.entry_price == 50_000


@given(
    side=st.sampled_from([1, -1]),
    step=st.floats(0.001, 0.09),
    multiplier=st.floats(0.5, 3),
    balance=st.floats(100, 50_000),
    leverage=st.integers(1, 100),
)
def test_behind_the_same_position_more_money_never_ends_a_bot_earlier(
    side, step, multiplier, balance, leverage
):
    bot = Martingale(0.01, step, 5, 0.01, multiplier)
    rules = {"price": 50_000, "leverage": leverage, "side": side}
    poor = worst_case(bot, balance=balance, **rules)
    rich = worst_case(bot, balance=2 * balance, **rules)
    if rich.quantity == poor.quantity > 0:
        assert side * rich.liquidation_price <= side * poor.liquidation_price
    if poor.orders and 0 < side * (poor.last_order - poor.liquidation_price) < poor.last_order:
        profit = pnl(side, poor.entry_price, poor.liquidation_price, poor.quantity)
        requirement = 0.004 * poor.quantity * poor.liquidation_price
        assert balance + profit == pytest.approx(requirement, abs=1e-6 * balance)


@pytest.mark.parametrize("name", ["price", "balance", "leverage"])
def test_nothing_can_be_worked_out_without_money_or_price(name):
    given = {"price": 50_000, "balance": 1_000, "leverage": 5} | {name: 0}
    with pytest.raises(ValueError, match=f"{name} must be"):
        worst_case(Grid(40_000, 60_000, 4, 0.1), **given)


def test_a_page_is_long_or_short():
    with pytest.raises(ValueError, match=r"side must be 1 .* or -1"):
        worst_case(Grid(40_000, 60_000, 4, 0.1), price=1, balance=1, leverage=1, side=0)


def test_the_paper_exchange_liquidates_where_the_worst_case_says(paper):
    bot = Martingale(0.01, step=0.02, safety_orders=5, take_profit=0.01)
    found = worst_case(bot, price=50_000, balance=4_000, leverage=20)
    free = {"overrides": {"taker_fee_rate": 0.0, "maker_fee_rate": 0.0}}
    above, below = found.liquidation_price + 5, found.liquidation_price - 5
    closes = (50_000, 50_000, 45_000, above)
    assert run_bot(bot, paper(*closes, balance=4_000, **free), leverage=20).liquidations == 0
    assert run_bot(bot, paper(*closes, below, balance=4_000, **free), leverage=20).liquidations == 1


def test_the_paper_exchange_liquidates_a_short_where_the_worst_case_says(paper):
    page = Martingale(0.01, step=0.02, safety_orders=5, take_profit=0.01)
    found = worst_case(page, price=50_000, balance=4_000, leverage=20, side=SHORT)

    def sells_on_the_way_up(market, account):
        levels = [50_000 * (1 + 0.02 * n) for n in range(6)]
        if not account.quantity:
            return [
                BotOrder("sell", 0.01),
                *map(BotOrder, ["sell"] * 5, page.quantities[1:], levels[1:]),
            ]
        return account.orders

    free = {"overrides": {"taker_fee_rate": 0.0, "maker_fee_rate": 0.0}}
    above, below = found.liquidation_price + 5, found.liquidation_price - 5
    closes = (50_000, 50_000, 55_000, below)
    for rise, liquidations in (((), 0), ((above,), 1)):
        exchange = paper(*closes, *rise, balance=4_000, **free)
        assert run_bot(sells_on_the_way_up, exchange, leverage=20).liquidations == liquidations


FALL = Market(tick_size=1e-6, lot_size=1e-6)


@given(
    page=st.one_of(
        st.builds(
            Martingale,
            st.floats(0.05, 3),
            st.floats(0.002, 0.08),
            st.integers(0, 7),
            st.floats(0.001, 0.1),
            st.floats(0.4, 3),
        ),
        st.builds(
            Grid, st.floats(60, 90), st.floats(95, 130), st.integers(1, 12), st.floats(0.05, 3)
        ),
    ),
    balance=st.floats(10, 400),
    leverage=st.sampled_from([2, 5, 10, 20, 50]),
    resting=st.sampled_from(["reserved", "checked at fill"]),
    priced_at=st.sampled_from(["entry", "mark"]),
    shape=st.sampled_from(["falls", "wanders", "jumps"]),
    seed=st.integers(0, 10_000),
)
@settings(deadline=None, max_examples=settings.default.max_examples * 150 // 100)
def test_no_run_on_any_path_does_worse_than_the_worst_case(
    page, balance, leverage, resting, priced_at, shape, seed
):
    """Until its first profit no bot is liquidated nearer to its start, whatever the prices do."""
    # One that cannot pay its first order, fee included, starts somewhere else.
    assume(worst_case(page, price=100, balance=0.95 * balance, leverage=leverage).orders)
    found = worst_case(page, price=100, balance=balance, leverage=leverage, fee_rate=0.0005)
    draws = np.random.default_rng(seed)
    moves = draws.normal(-0.01, 0.02, 60)
    if shape == "falls":
        moves = -abs(moves) / 2
    if shape == "jumps":
        moves[draws.integers(0, 60, 3)] -= 0.12
    closes = [100.0, 100.0, *(100 * np.exp(np.cumsum(moves)))]
    rows = bars_through(*closes)
    if shape == "jumps":
        # Every bar opens where it closes: the price leaps from one to the next.
        rows = [[time, close, close, close, close, 1.0] for time, _, _, _, close, _ in rows]
    rules = replace(FLAT, initial_margin_price=priced_at, resting_order_margin=resting)
    exchange = PaperExchange({SYMBOL: rows}, rules=rules, balance=balance, markets={SYMBOL: FALL})
    most = 0.0

    def until_its_first_profit(market, account):
        nonlocal most
        if account.quantity < most * (1 - 1e-9):
            return []
        most = account.quantity
        return page(market, account)

    run_bot(until_its_first_profit, exchange, leverage=leverage)
    sold = [
        t["timestamp"] for t in exchange.fetch_my_trades() if t["side"] == "sell" and t["order"]
    ]
    forced = exchange.fetch_my_liquidations()
    if forced and not (sold and sold[0] <= forced[0]["timestamp"]):
        assert forced[0]["price"] <= found.liquidation_price * (1 + 1e-6)


@given(
    side=st.sampled_from([1, -1]),
    step=st.floats(0.002, 0.1),
    additions=st.integers(0, 6),
    multiplier=st.floats(0.3, 3),
    balance=st.floats(10, 400),
    leverage=st.sampled_from([2, 5, 20, 50]),
    resting=st.sampled_from(["reserved", "checked at fill"]),
    seed=st.integers(0, 10_000),
)
@settings(deadline=None, max_examples=settings.default.max_examples)
def test_no_ladder_of_either_side_ends_nearer_than_its_worst_case(
    side, step, additions, multiplier, balance, leverage, resting, seed
):
    """All orders are sent at the start; the path may go anywhere, as far as it likes."""
    ladder = averaging_ladder(
        100, order_margin=balance / 10, leverage=leverage, step=step, additions=additions,
        multiplier=multiplier, side=side,
    )  # fmt: skip
    found = worst_case(
        ladder, price=100, balance=balance, leverage=leverage, fee_rate=0.0005, side=side
    )
    moves = np.random.default_rng(seed).normal(-0.005 * side, 0.03, 60)
    rows = bars_through(100.0, *(100 * np.exp(np.cumsum(moves))))
    rules = replace(FLAT, resting_order_margin=resting)
    exchange = PaperExchange({SYMBOL: rows}, rules=rules, balance=balance, markets={SYMBOL: FALL})
    exchange.set_leverage(leverage, SYMBOL)
    way = "buy" if side > 0 else "sell"
    for at, amount in ladder:
        with suppress(exchange_errors.InsufficientFunds):
            kind, price = ("market", None) if at == 100 else ("limit", at)
            exchange.create_order(SYMBOL, kind, way, amount, price)
    exchange.run_until()
    for forced in exchange.fetch_my_liquidations()[:1]:
        assert side * forced["price"] <= side * found.liquidation_price * (1 + side * 1e-6)


def test_on_a_straight_fall_two_orders_of_the_grid_fill_as_foretold():
    grid = Grid(90, 100, 5, 1)
    found = worst_case(grid, price=100.5, balance=45, leverage=5)
    assert (found.orders, found.orders_set, found.last_order) == (2, 5, 96)
    exchange = PaperExchange(
        {SYMBOL: bars_through(100.5, 100.5, 93)}, rules=FLAT, balance=45, markets={SYMBOL: FALL}
    )
    assert run_bot(grid, exchange, leverage=5).fills == 2


def test_an_order_refused_at_first_is_bought_where_the_money_does_for_it():
    """At 2x a large second order finds its margin when the price has fallen far enough."""
    page = Martingale(2.0, step=0.06, safety_orders=1, take_profit=0.01, multiplier=3.0)
    found = worst_case(page, price=100, balance=330, leverage=2)
    # 6 / 2 of margin for a coin against the 2 coins that lose: (330 - 200 × 1.5) / (3 - 2), and
    # with the initial margin at the mark (330 - 200) / (3 - 1).
    assert (found.orders, found.last_order) == (2, pytest.approx(65))
    exchange = PaperExchange(
        {SYMBOL: bars_through(100, 100, *range(99, 9, -1))},
        rules=replace(FLAT, initial_margin_price="mark"), balance=330, markets={SYMBOL: FALL},
    )  # fmt: skip
    run_bot(page, exchange, leverage=2)
    bought = [trade["price"] for trade in exchange.fetch_my_trades() if trade["side"] == "buy"]
    assert bought[:2] == [100, pytest.approx(64)]


@pytest.mark.parametrize(
    ("rule", "first"), [("reserved", "closed"), ("checked at fill", "canceled")]
)
def test_an_accepted_order_fills_with_its_own_margin_unless_the_venue_checks_again(rule, first):
    exchange = PaperExchange(
        {SYMBOL: bars_through(100, 100, 94)},
        rules=replace(FLAT, resting_order_margin=rule), balance=50, markets={SYMBOL: FALL},
    )  # fmt: skip
    exchange.set_leverage(20, SYMBOL)
    exchange.create_order(SYMBOL, "market", "buy", 1.5)
    near = exchange.create_order(SYMBOL, "limit", "buy", 3, 97)
    far = exchange.create_order(SYMBOL, "limit", "buy", 5.8, 94)
    exchange.run_until()
    assert exchange.fetch_order(near["id"])["status"] == first
    assert exchange.fetch_order(far["id"])["status"] == "closed"
    found = worst_case([(100, 1.5), (97, 3), (94, 5.8)], price=100, balance=50, leverage=20)
    assert found.orders == 3


def test_fees_bring_the_end_nearer():
    bot = Martingale(0.01, step=0.02, safety_orders=5, take_profit=0.01)
    rules = {"price": 50_000, "balance": 4_000, "leverage": 20}
    # 28 920 less 4 000, and 0.05 % of the 28 920
    assert worst_case(bot, fee_rate=0.0005, **rules).liquidation_price == pytest.approx(
        (24_920 + 14.46) / 0.62748
    )


def test_an_open_profit_can_pay_for_one_order_more():
    """At 103.9 the first order has made 3.9: enough for the second, and gone when that fills."""
    page = Martingale(1.0, step=0.05, safety_orders=1, take_profit=0.04, multiplier=1.0)
    assert worst_case(page, price=100, balance=36, leverage=5).orders == 2
    assert (
        worst_case(replace(page, take_profit=0.02), price=100, balance=36, leverage=5).orders == 1
    )
    rows = bars_through(100, 100, 103.9, 60)
    exchange = PaperExchange(
        {SYMBOL: rows},
        rules=replace(FLAT, taker_fee_rate=0.0, maker_fee_rate=0.0),
        balance=36, markets={SYMBOL: FALL},
    )  # fmt: skip
    run_bot(page, exchange, leverage=5)
    assert [trade["price"] for trade in exchange.fetch_my_trades()][:2] == [100, 95]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"step": 1.2}, "step must be between 0 and 1, was 1.2"),
        ({"step": 2}, "give 0.02 for 2 %"),
        ({"side": 0}, r"side must be 1 \(long\) or -1"),
        ({"additions": 2.5}, "additions must be a whole number"),
        ({"multiplier": 0}, "multiplier must be positive"),
        ({"leverage": math.nan}, "leverage must be a number"),
        ({"order_margin": -1}, "order_margin must be positive"),
    ],
)
def test_a_page_that_makes_no_ladder_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        averaging_ladder(50_000, **PAGE | changes)


@pytest.mark.parametrize("ladder", [[], [(0, 1)], [(100, -1)], [(100, math.nan)]])
def test_a_ladder_has_prices_and_sizes_above_zero(ladder):
    with pytest.raises(ValueError, match=r"must (be|hold)"):
        worst_case(ladder, price=100, balance=100, leverage=5)


PAGE = {"order_margin": 25, "leverage": 20, "step": 0.02, "additions": 5, "multiplier": 2}


@pytest.mark.parametrize("side", [1, -1])
def test_a_page_that_counts_from_the_average_steps_from_what_is_held(side):
    ladder = averaging_ladder(50_000, side=side, **PAGE)
    assert [at * size for at, size in ladder] == pytest.approx([500 * 2**n for n in range(6)])
    for filled in range(1, 6):
        quantity = sum(size for _, size in ladder[:filled])
        average = sum(at * size for at, size in ladder[:filled]) / quantity
        assert ladder[filled][0] == pytest.approx(average * (1 - side * 0.02))


def test_the_first_addition_is_the_one_that_the_venue_prints():
    # Bybit, "Futures Martingale Bot Parameters Explained", read 2026-11-22: bought at 10 000 with
    # a price decrease of 1 %, the next order stands at 9 900.
    ladder = averaging_ladder(10_000, **PAGE | {"step": 0.01})
    assert ladder[1][0] == pytest.approx(9_900)


def test_the_same_numbers_on_two_pages_end_at_two_prices():
    rules = {"price": 50_000, "balance": 4_000, "leverage": 20}
    ours = worst_case(Martingale(0.01, 0.02, 5, 0.01), **rules)
    theirs = worst_case(averaging_ladder(50_000, **PAGE), **rules)
    assert theirs.orders == 6
    assert theirs.exposure == pytest.approx(500 * 63)
    assert theirs.last_order > ours.last_order
    assert theirs.liquidation_price > ours.liquidation_price
