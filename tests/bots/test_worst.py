"""The worst case of a settings page, by hand and against the paper exchange."""

import pytest

from leverage.bots import Grid, Martingale, run, worst_case


def test_a_martingales_worst_case_is_the_hand_checked_one():
    bot = Martingale(0.01, step=0.02, safety_orders=5, take_profit=0.01)
    found = worst_case(bot, price=50_000, balance=4_000, leverage=20)
    # 0.01 × (50 + 2×49 + 4×48 + 8×47 + 16×46 + 32×45) thousand
    assert (found.orders, found.orders_set) == (6, 6)
    assert found.exposure == pytest.approx(28_920)
    assert found.margin == pytest.approx(1_446)
    assert found.lowest_order == pytest.approx(45_000)
    # (28 920 - 4 000) / (0.63 × 0.996)
    assert found.liquidation_price == pytest.approx(24_920 / 0.62748)
    assert found.loss_at(45_000) == pytest.approx(28_920 - 0.63 * 45_000)


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


@pytest.mark.parametrize("name", ["price", "balance", "leverage"])
def test_nothing_can_be_worked_out_without_money_or_price(name):
    given = {"price": 50_000, "balance": 1_000, "leverage": 5} | {name: 0}
    with pytest.raises(ValueError, match=f"{name} must be above zero"):
        worst_case(Grid(40_000, 60_000, 4, 0.1), **given)


def test_the_paper_exchange_liquidates_where_the_worst_case_says(paper):
    bot = Martingale(0.01, step=0.02, safety_orders=5, take_profit=0.01)
    found = worst_case(bot, price=50_000, balance=4_000, leverage=20)
    free = {"overrides": {"taker_fee_rate": 0.0, "maker_fee_rate": 0.0}}
    above, below = found.liquidation_price + 5, found.liquidation_price - 5
    closes = (50_000, 50_000, 45_000, above)
    assert run(bot, paper(*closes, balance=4_000, **free), leverage=20).liquidations == 0
    assert run(bot, paper(*closes, below, balance=4_000, **free), leverage=20).liquidations == 1
