"""The liquidation map: the prices that the facts give, the reason for each, and no invented one."""

import pytest
from explorers_opened import check_all_is_said, plain, set_all
from hypothesis import given, settings
from hypothesis import strategies as st

from leverage import LONG, SHORT
from leverage.lessons.explorers.liquidation_map import LiquidationMap, _fitting, map_trade
from leverage.venues import compare

LARGEST_AMOUNT = LiquidationMap.notional.high
LARGEST_LEVERAGE = LiquidationMap.leverage.high
LARGEST_PRICE = LiquidationMap.entry_price.high
SMALLEST_AMOUNT = LiquidationMap.notional.low
SMALLEST_PRICE = LiquidationMap.entry_price.low


@pytest.fixture(scope="module")
def shared_map():
    return LiquidationMap()


def by_name(trades):
    return {at.name: at for at in trades}


@pytest.mark.parametrize("side", [LONG, SHORT])
@pytest.mark.parametrize("notional", [5_000, 98_000, 30_000_000])
def test_every_price_is_that_of_the_comparison(side, notional):
    rows = compare(side, 98_000, notional=notional, leverage=4)
    trades = map_trade(side, 98_000, notional=notional, leverage=4)
    assert [at.price for at in trades] == pytest.approx(
        [row.liquidation_price for row in rows], nan_ok=True
    )
    assert all(at.reason and at.source and at.as_of for at in trades)


def test_a_margin_below_the_initial_margin_is_refused_and_an_equal_one_may_close_at_once():
    trades = by_name(map_trade(LONG, 98_000, notional=98_000, leverage=50, margin=900))
    assert all(not at.is_known for at in trades.values())  # less than the initial margin: refused
    trades = by_name(map_trade(LONG, 98_000, notional=98_000, leverage=50))
    kraken = trades["Kraken futures"]
    assert not kraken.at_once
    assert trades["PrimeXBT CFD margin"].at_once


def test_each_reason_names_the_rule_with_its_numbers():
    trades = by_name(map_trade(LONG, 98_000, notional=98_000, leverage=4))
    reasons = {name: plain(at.reason) for name, at in trades.items()}
    expected = {
        "Binance futures": "maintenance of 0.40 % at the mark price",
        "Binance spot margin": "assets fall to 110 % of the debt",
        "Bitget futures": "maintenance of 0.40 % and a closing fee of 0.06 % at the mark price",
        "Bybit futures": "maintenance of 0.50 % at the mark price",
        "Gemini futures": "unknown: one limit for the account, whose size was not found",
        "Kraken spot margin": "equity falls to 40 % of the used margin, 24 500.00 at entry",
        "Kraken futures": "maintenance of 1.00 % at the mark price",
        "MEXC futures": "maintenance of 0.15 % and a closing fee of 0.04 % at the mark price",
        "PrimeXBT CFD margin": (
            "equity falls to 100 % of the used margin, 24 500.00 at entry; closed at once, as "
            "the margin does not exceed that"
        ),
        "PrimeXBT futures": "unknown: a price is shown, its formula was not found",
    }
    assert reasons.items() >= expected.items()


def test_the_rate_named_is_that_of_the_tier_at_the_liquidation_price():
    trades = by_name(map_trade(LONG, 98_000, notional=900_000, leverage=2))
    # 900 000 lies in the tier of 0.65 %, the 450 000 at the liquidation price in that of 0.5 %.
    assert plain(trades["Binance futures"].reason) == "maintenance of 0.50 % at the mark price"


def test_the_used_margin_of_a_short_grows_on_kraken_alone():
    trades = by_name(map_trade(SHORT, 98_000, notional=98_000, leverage=4, margin=60_000))
    assert trades["Kraken spot margin"].reason.endswith("which grows with the price")
    assert "grows" not in trades["PrimeXBT CFD margin"].reason
    assert trades["Binance spot margin"].reason.endswith("of the coins owed")


def test_what_is_unknown_or_refused_has_no_point_and_says_so():
    explorer = LiquidationMap(leverage=10)
    for at, point, text in zip(
        explorer.trades, explorer._picture._points, explorer._picture._texts, strict=True
    ):
        assert point.get_visible() == at.has_price
        if not at.is_known:
            assert at.reason.startswith(("refused: ", "unknown: "))
            assert text.text[:8] == at.reason[:8]
    refused = by_name(explorer.trades)["Binance spot margin"]
    assert refused.reason == "refused: leverage 10 is above 5, the most that this product offers"
    assert "1 would refuse it, and for 2 a fact is missing" in explorer.sentence


def test_a_reason_without_room_in_the_picture_ends_with_a_whole_clause_or_word():
    assert _fitting("unknown: its size was not found") == "unknown: its size was not found"
    assert _fitting("refused: it is above 5, the most on offer", 30) == "refused: it is above 5"
    assert _fitting("refused: size 900 is above all tiers", 30) == "refused: size 900 is above…"


def test_two_readings_of_a_tier_table_are_said_to_be_two():
    explorer = LiquidationMap(notional=900_000)
    reason = by_name(explorer.trades)["Bitget futures"].reason
    assert reason == "unknown: its tier table can be read in two ways, which differ here"


def test_with_a_whole_account_behind_it_leverage_moves_the_level_accounts_only():
    explorer = LiquidationMap(leverage=2, backing="account")
    low = by_name(explorer.trades)
    explorer.leverage.value = 5
    high = by_name(explorer.trades)
    moved = {name for name in low if low[name].is_known and low[name].price != high[name].price}
    assert moved == {"Kraken spot margin", "PrimeXBT CFD margin"}
    assert all(high[name].price < low[name].price for name in moved)


def test_the_size_of_the_account_counts_where_it_stands_behind_the_trade():
    explorer = LiquidationMap(backing="account")
    picture = explorer.png()
    explorer.account.value = 30_000
    assert explorer.png() != picture
    explorer.backing.value = "initial"
    sentence = explorer.sentence
    explorer.account.value = 40_000
    assert explorer.sentence == sentence


@settings(max_examples=settings.default.max_examples * 30 // 100, deadline=None)
@given(
    side=st.sampled_from([LONG, SHORT]),
    leverage=st.integers(1, LARGEST_LEVERAGE),
    entry_price=st.floats(SMALLEST_PRICE, LARGEST_PRICE),
    notional=st.floats(SMALLEST_AMOUNT, LARGEST_AMOUNT),
)
def test_no_trade_outlives_its_margin_and_what_is_closed_at_once_is_said(
    shared_map, side, leverage, entry_price, notional
):
    set_all(
        shared_map,
        side=side,
        leverage=leverage,
        entry_price=entry_price,
        notional=notional,
        backing="initial",
    )
    check_all_is_said(shared_map)
    for at in shared_map.trades:
        if at.has_price:
            assert -side * at.move <= 1 / leverage + 1e-9
            assert at.at_once == (side * at.move >= 0) == ("closed at once" in at.reason)


def test_the_table_has_a_row_with_date_and_confidence_for_every_product():
    explorer = LiquidationMap()
    assert explorer.html.count('<th scope="row"') == len(explorer.trades) >= 10
    assert explorer.html.count('<th scope="col"') == 5
    for at in explorer.trades:
        assert at.confidence in explorer.html
        assert at.as_of in explorer.html
