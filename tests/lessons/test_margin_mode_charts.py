"""The figures of chapter 05 draw what the arithmetic says."""

import numpy as np
import pytest

from leverage import (
    LONG,
    SHORT,
    Positions,
    TierTable,
    cross_liquidation_prices,
    liquidation_price,
    liquidation_shock,
    tiered_liquidation_price,
)
from leverage.lessons.charts.margin_mode_charts import (
    plot_account_modes,
    plot_contagion,
    plot_price_by_leverage,
    plot_tier_choice,
    plot_two_ends,
)
from leverage.lessons.figures import figure_png

BOOK = Positions(
    [LONG, LONG], [50_000, 2_500], [0.2, 4], TierTable.flat(0.004), coin=["BTC", "ETH"]
)
TIERS = TierTable.marginal([0, 3e5, 8e5, 1e7], [0.004, 0.01, 0.05])


def lines(figure):
    return figure.axes[0].lines


@pytest.mark.parametrize("prices", [[50_000, 2_500], [50_000, 2_400]])
def test_contagion_is_drawn_as_the_cross_price_after_each_move(prices):
    _, curve = lines(plot_contagion(BOOK, prices, 3_000))
    moves, levels = curve.get_data()
    for move, level in [(moves[0], levels[0]), (moves[-1], levels[-1])]:
        shocked = [prices[0], prices[1] * (1 + move / 100)]
        assert level == pytest.approx(cross_liquidation_prices(BOOK, shocked, 3_000)[0])


def test_contagion_of_a_short_is_drawn_above_the_market():
    book = Positions(
        [SHORT, LONG], [50_000, 2_500], [0.2, 4], TierTable.flat(0.004), coin=["BTC", "ETH"]
    )
    mark, curve = lines(plot_contagion(book, [50_000, 2_500], 3_000))
    assert min(curve.get_ydata()) >= mark.get_ydata()[0]


def test_isolated_margin_keeps_the_free_money_and_cross_margin_ends_at_its_shock():
    isolated, cross = lines(plot_account_modes(BOOK, 10, 3_000))[:2]
    assert isolated.get_ydata()[0] == pytest.approx(1_000)
    moves, left = cross.get_data()
    last_dead = moves[left == 0].max()
    shock = liquidation_shock(BOOK, [50_000, 2_500], 3_000, [-1, -1])
    assert -last_dead / 100 == pytest.approx(shock, abs=0.001)
    at_entry = np.argmin(abs(moves))
    assert left[at_entry] == pytest.approx(3_000, rel=0.01)


@pytest.mark.parametrize(("side", "margin"), [(LONG, 500_000), (SHORT, 120_000)])
def test_both_prices_of_the_tier_choice_are_drawn(side, margin):
    figure = plot_tier_choice(side, 50_000, 20, margin, TIERS)
    drawn = sorted(line.get_xdata()[0] for line in lines(figure)[3:])
    rate, amount = TIERS.maintenance_margin_rate(1e6), TIERS.maintenance_amount(1e6)
    wrong = liquidation_price(side, 50_000, 20, margin, rate, maintenance_amount=amount)
    right = tiered_liquidation_price(side, 50_000, 20, margin, TIERS)
    assert drawn == pytest.approx(sorted([right, wrong]))


def test_one_line_is_drawn_for_each_rule_and_too_many_are_refused():
    figure = plot_price_by_leverage({"a": [1, 2], "b": [2, 1]}, [2, 5], 50)
    assert len(lines(figure)) == 3
    with pytest.raises(ValueError, match="prices must hold 1 to 4 lines, has 5"):
        plot_price_by_leverage({name: [1] for name in "abcde"}, [2], 50)


@pytest.mark.parametrize(("side", "behind"), [(LONG, (1_000, 1_964)), (SHORT, (900, 3_000))])
def test_each_mode_ends_where_its_line_meets_the_requirement(side, behind):
    modes = dict(zip(("isolated", "cross"), behind, strict=True))
    figure = plot_two_ends(side, 50_000, 0.2, modes, 0.004)
    ends = [line.get_xdata()[0] for line in lines(figure) if len(set(line.get_xdata())) == 1]
    for margin in behind:
        end = liquidation_price(side, 50_000, 0.2, margin, 0.004)
        assert end in ends
        assert margin + side * 0.2 * (end - 50_000) == pytest.approx(0.004 * 0.2 * end)


@pytest.mark.parametrize(
    "draw",
    [
        lambda: plot_two_ends(LONG, 50_000, 0.2, {"isolated": 1_000, "cross": 1_964}, 0.004),
        lambda: plot_contagion(BOOK, [50_000, 2_500], 3_000),
        lambda: plot_account_modes(BOOK, 10, 3_000),
        lambda: plot_tier_choice(LONG, 50_000, 20, 500_000, TIERS),
        lambda: plot_price_by_leverage({"a": [1, 2]}, [2, 5], 50),
    ],
)
def test_a_figure_has_labelled_axes_and_gives_the_same_bytes_twice(draw):
    figure = draw()
    axes = figure.axes[0]
    assert axes.get_xlabel()
    assert axes.get_ylabel()
    assert axes.get_title(loc="left")
    assert figure_png(figure) == figure_png(draw())
