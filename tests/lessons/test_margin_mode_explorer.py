"""The margin-mode explorer: two positions, two modes, one shock, in pictures and in words."""

import itertools
import math

import pytest
from explorers_opened import check_all_is_said, plain, set_all
from hypothesis import given, settings
from hypothesis import strategies as st

from leverage import LONG, SHORT, Positions, TierTable, cross_liquidation_prices
from leverage.lessons.explorers.margin_mode_explorer import ENTRY_PRICES, MarginModeExplorer

LARGEST_AMOUNT = MarginModeExplorer.balance.high
LARGEST_LEVERAGE = MarginModeExplorer.leverage.high
LARGEST_MOVE_PCT = MarginModeExplorer.first_move.high
SMALLEST_AMOUNT = MarginModeExplorer.balance.low

SIDES = [LONG, SHORT]


@pytest.fixture(scope="module")
def shared_explorer():
    return MarginModeExplorer()


def test_the_first_week_of_the_lesson_comes_out_as_computed_by_hand():
    explorer = MarginModeExplorer(first_move=-5, second_move=-25)
    rows = {name: tuple(map(plain, both)) for name, both in explorer.rows.items()}
    assert rows == {
        "BTC: profit or loss": ("−500.00 USDT", "−500.00 USDT"),
        "ETH: profit or loss": ("−2 500.00 USDT", "−2 500.00 USDT"),
        "Behind BTC, before profit or loss": ("1 000.00 USDT", "3 000.00 USDT"),
        "Behind ETH, before profit or loss": ("1 000.00 USDT", "3 000.00 USDT"),
        "Requirement": ("38.00 and 30.00 USDT", "68.00 USDT"),
        "BTC: liquidation price": ("45 180.72 (4.88 % away)", "passed"),
        "ETH: liquidation price": ("passed", "passed"),
        "Left of the account": ("1 500.00 USDT", "0.00 USDT"),
    }
    assert explorer.liquidated == ("ETH isolated", "cross")


def test_a_shock_reaches_the_other_position_in_cross_margin_only():
    explorer = MarginModeExplorer()
    alone, together = explorer.rows["BTC: liquidation price"]
    explorer.second_move.value = -10
    assert explorer.rows["BTC: liquidation price"][0] == alone
    assert plain(explorer.rows["BTC: liquidation price"][1]).startswith("40 341.37")
    assert plain(together).startswith("35 341.37")


def test_a_gain_of_a_short_moves_the_cross_end_of_the_long_away():
    explorer = MarginModeExplorer(second_side=SHORT)
    before = explorer._account.cross[0].liquidation_price
    explorer.second_move.value = -10
    assert explorer._account.cross[0].liquidation_price < before


def test_leverage_moves_the_isolated_ends_and_no_cross_end():
    explorer = MarginModeExplorer()
    account = explorer._account
    explorer.leverage.value = 20
    assert explorer._account.isolated[0].liquidation_price > account.isolated[0].liquidation_price
    assert explorer._account.cross == account.cross


def test_a_liquidation_is_said_loudly_in_words_and_picture():
    explorer = MarginModeExplorer(first_move=-5, second_move=-25)
    assert explorer.sentence.startswith("Liquidated: ETH isolated, cross.")
    assert '<p role="alert"' in explorer.html
    shown = [label.text for label in explorer._picture._alarms if label.get_visible()]
    assert shown == ["GONE", "LIQUIDATED"]
    set_all(explorer, first_move=0, second_move=0)
    assert 'role="alert"' not in explorer.html
    assert not any(label.get_visible() for label in explorer._picture._alarms)


def test_too_little_money_for_both_margins_is_refused_in_words():
    explorer = MarginModeExplorer(balance=1_500)
    assert explorer.sentence.startswith("Not opened. The two positions need 2")
    assert explorer.liquidated == ()
    explorer.leverage.value = 20
    assert not explorer.sentence.startswith("Not opened")


@settings(max_examples=settings.default.max_examples * 40 // 100, deadline=None)
@given(
    sides=st.tuples(st.sampled_from(SIDES), st.sampled_from(SIDES)),
    leverage=st.integers(1, LARGEST_LEVERAGE),
    balance=st.floats(SMALLEST_AMOUNT, LARGEST_AMOUNT),
    values=st.tuples(*[st.floats(SMALLEST_AMOUNT, LARGEST_AMOUNT)] * 2),
    moves=st.tuples(*[st.floats(-LARGEST_MOVE_PCT, LARGEST_MOVE_PCT)] * 2),
)
def test_what_is_said_agrees_with_the_arithmetic(
    shared_explorer, sides, leverage, balance, values, moves
):
    set_all(
        shared_explorer,
        first_side=sides[0],
        second_side=sides[1],
        leverage=leverage,
        balance=balance,
        first_value=values[0],
        second_value=values[1],
        first_move=moves[0],
        second_move=moves[1],
    )
    check_all_is_said(shared_explorer)
    at = shared_explorer._account
    entries = ENTRY_PRICES
    quantities = [value / entry for value, entry in zip(values, entries, strict=True)]
    marks = [entry * (1 + move / 100) for entry, move in zip(entries, moves, strict=True)]
    book = Positions(sides, entries, quantities, TierTable.flat(0.004), coin=["BTC", "ETH"])
    expected = cross_liquidation_prices(book, marks, balance)
    assert [p.liquidation_price for p in at.cross] == pytest.approx(list(expected))
    if not at.is_refused:
        assert at.isolated_total <= at.balance + sum(max(0.0, gain) for gain in at.pnl) + 1e-6
        assert at.cross_total >= 0
    for position in (*at.isolated, *at.cross):
        assert position.distance >= 0
        if position.distance > 1e-9 and math.isfinite(position.distance):
            assert not position.is_liquidated


def test_the_table_names_both_modes_and_has_a_header_for_every_row():
    explorer = MarginModeExplorer()
    assert explorer.html.count('<th scope="col"') == 2
    assert explorer.html.count('scope="row"') == len(explorer.rows)
    assert "<caption" in explorer.html


def test_labels_of_bars_do_not_overlap(shared_explorer):
    for first, leverage, move in itertools.product(SIDES, [10, LARGEST_LEVERAGE], [-50, 0, 50]):
        set_all(
            shared_explorer,
            balance=3_000,
            first_value=10_000,
            second_value=10_000,
            first_side=first,
            leverage=leverage,
            first_move=move,
            second_move=-move,
        )
        picture = shared_explorer._picture
        spans = []
        for label in (*picture._bar_texts, *picture._alarms):
            if label.get_visible():
                x, _ = label.get_transform().transform(label.position)
                spans.append((x - label.width() / 2, x + label.width() / 2))
        spans.sort()
        assert all(left[1] <= right[0] for left, right in itertools.pairwise(spans))
