"""The figures of chapter 07 draw what the table and the paper exchange say."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leverage import LONG, SHORT, TierTable
from leverage.history import load_hourly_window
from leverage.jurisdictions import places, rules_for
from leverage.lessons.charts.regulation_charts import (
    option_profit,
    plot_mechanisms,
    plot_option,
    plot_regimes,
    run_regime,
)
from leverage.lessons.figures import figure_png
from leverage.paper import Rules

BARE = Rules(
    tiers=TierTable.flat(0.005),
    max_leverage=100,
    auto_deleveraging=False,
    negative_balance_protection=False,
    carrying_cost="none",
)
CRASH = load_hourly_window("2021-05-19")


def jump(*prices: float) -> pd.DataFrame:
    """Bars that stand still and jump between each other."""
    times = pd.date_range("2026-01-01", periods=len(prices), freq="h", tz="UTC")
    return pd.DataFrame(dict.fromkeys(("open", "high", "low", "close"), prices), times, dtype=float)


# ---- the same trade under two regimes


@pytest.mark.parametrize(("side", "after"), [(LONG, 20_000), (SHORT, 80_000)])
def test_gap_beyond_the_account_is_paid_by_the_venue_or_owed(side: int, after: float) -> None:
    bars = jump(50_000, 50_000, after, 50_000)
    protected = run_regime(bars, Rules.retail(), quantity=side * 0.04, leverage=2, balance=1_000)
    bare = run_regime(bars, BARE, quantity=side * 0.04, leverage=100, balance=1_000)
    assert (protected.equity, protected.paid_by_venue) == (0, pytest.approx(200))
    assert (bare.equity, bare.paid_by_venue) == (pytest.approx(-200), 0)
    assert protected.closed_at == bare.closed_at == after


def test_gap_that_leaves_money_is_nobodys_debt() -> None:
    for rules, leverage in [(Rules.retail(), 2), (BARE, 100)]:
        run = run_regime(
            jump(50_000, 30_000), rules, quantity=0.04, leverage=leverage, balance=1_000
        )
        assert (run.equity, run.paid_by_venue) == (pytest.approx(200), 0)


# Equity at the close-out price is half of the used margin: ESMA's rule of 2018-08-01.
def test_protected_account_is_closed_at_half_of_its_used_margin_in_a_crash() -> None:
    run = run_regime(CRASH, Rules.retail(), quantity=0.045, leverage=2, balance=1_000)
    entry = CRASH["open"].iloc[0]
    used = 0.045 * entry / 2
    assert run.closed_at == pytest.approx(entry - (1_000 - used / 2) / 0.045)
    assert run.equity == pytest.approx(used / 2)


def test_same_size_without_cap_outlives_the_crash_and_the_largest_one_does_not() -> None:
    same = run_regime(CRASH, BARE, quantity=0.045, leverage=100, balance=1_000)
    largest = run_regime(CRASH, BARE, quantity=2.25, leverage=100, balance=1_000)
    assert np.isnan(same.closed_at)
    assert same.equity == pytest.approx(
        1_000 + 0.045 * (CRASH["close"].iloc[-1] - CRASH["open"].iloc[0])
    )
    assert largest.equity == 0
    assert largest.table["equity"].iloc[4] == 0  # gone with the first bar


@settings(deadline=None, max_examples=settings.default.max_examples * 30 // 100)
@given(
    move=st.floats(-0.99, 5),
    thousandths=st.integers(1, 40),  # the lot is 0.001 BTC, and 2x allows 0.04
    side=st.sampled_from([LONG, SHORT]),
)
def test_protected_account_never_ends_below_zero(move: float, thousandths: int, side: int) -> None:
    bars = jump(50_000, 50_000, 50_000 * (1 + move))
    quantity = side * thousandths / 1_000
    run = run_regime(bars, Rules.retail(), quantity=quantity, leverage=2, balance=1_000)
    bare = run_regime(bars, BARE, quantity=quantity, leverage=100, balance=1_000)
    assert run.equity >= 0
    # A jump costs the same in both; only who bears what is missing differs.
    if bare.equity < 0:
        assert run.equity - run.paid_by_venue == pytest.approx(bare.equity, abs=1e-6)


def test_regimes_are_drawn_with_their_ends() -> None:
    runs = {
        "Protected": run_regime(CRASH, Rules.retail(), quantity=0.045, leverage=2, balance=1_000),
        "Bare": run_regime(CRASH, BARE, quantity=0.045, leverage=100, balance=1_000),
    }
    above, below = plot_regimes(runs).axes
    assert min(above.lines[0].get_ydata()) == CRASH["low"].min()
    crosses = [line for line in below.lines if line.get_marker() == "x"]
    assert len(crosses) == 1
    assert crosses[0].get_ydata() == [runs["Protected"].equity]
    assert {text.get_text() for text in below.texts} == set(runs)


# ---- mechanisms


def test_every_cell_names_its_mechanism() -> None:
    axes = plot_mechanisms(places()).axes[0]
    cells = [text.get_text() for text in axes.texts]
    assert len(cells) == len(axes.patches) == 5 * len(places())
    assert "" not in cells
    (japan,) = (i for i, place in enumerate(places()) if place == "Japan")
    assert cells[5 * japan] == "2x · 2023"
    for i, place in enumerate(places()):
        known = any(rule.is_known for rule in rules_for(place, client="retail"))
        assert (cells[5 * i] == "?") == (not known)


def test_what_nobody_read_is_marked_as_unread() -> None:
    axes = plot_mechanisms(["South Korea", "United Kingdom"]).axes[0]
    cells = [text.get_text() for text in axes.texts]
    assert (cells[0], cells[5]) == ("ban (unread)", "ban · 2026")


def test_what_is_second_hand_does_not_look_like_a_law_that_was_read() -> None:
    axes = plot_mechanisms(["EU/EEA", "Australia"]).axes[0]
    words = [text.get_text() for text in axes.texts]
    hatched = [bool(patch.get_hatch()) for patch in axes.patches]
    looks = dict(zip(words, hatched, strict=True))
    assert looks["2x · 2026"]  # perpetuals in the EU: press on a statement
    assert not looks["2x · 2019"]  # CFDs: BaFin and ESMA
    assert not looks["2x · 2022"]
    assert "second-hand" in axes.get_xlabel()


# ---- options

amounts = st.floats(0, 1e6)


@given(price=amounts, strike=amounts, premium=amounts, kind=st.sampled_from(["call", "put"]))
def test_buyer_loses_the_premium_at_most_and_the_writer_is_the_mirror(
    price: float, strike: float, premium: float, kind: str
) -> None:
    bought = option_profit(price, strike, premium, bought=True, kind=kind)
    assert bought >= -premium
    assert option_profit(price, strike, premium, bought=False, kind=kind) == -bought


@given(price=amounts, strike=amounts, premium=amounts)
def test_call_and_put_together_are_the_distance_to_the_strike(
    price: float, strike: float, premium: float
) -> None:
    call, put = (
        option_profit(price, strike, premium, bought=True, kind=kind) for kind in ("call", "put")
    )
    assert call - put == pytest.approx(price - strike, abs=1e-6)


def test_option_is_drawn_for_buyer_and_writer() -> None:
    figure = plot_option(60_000, 3_000, low=45_000, high=80_000)
    bought, written = figure.axes[0].lines[:2]
    assert min(bought.get_ydata()) == -3_000
    assert max(written.get_ydata()) == 3_000
    assert bought.get_ydata()[-1] == -written.get_ydata()[-1] == 17_000


def test_figures_are_the_same_every_time() -> None:
    draw = [
        lambda: plot_option(60_000, 3_000, low=45_000, high=80_000),
        lambda: plot_mechanisms(places()[:3]),
    ]
    for make in draw:
        assert figure_png(make()) == figure_png(make())
