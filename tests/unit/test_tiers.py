"""Tier tables against numbers done by hand, and every way in which a table can be wrong."""

import dataclasses
import math
import pickle
from typing import Any

import ccxt
import numpy as np
import pytest

from leverage import TierTable, initial_margin, maintenance_amounts

# Three tiers: amounts 50 000 * 0.001 = 50 and 50 + 250 000 * 0.005 = 1 300.
BOUNDS = (0.0, 50_000.0, 250_000.0, 1_000_000.0)
RATES = (0.004, 0.005, 0.01)
LEVERAGES = (125.0, 100.0, 50.0)
TABLE = TierTable.marginal(BOUNDS, RATES, LEVERAGES)
WHOLE = TierTable(BOUNDS, RATES, LEVERAGES)

ROWS: list[dict[str, Any]] = [
    {
        "min_notional": "0",
        "max_notional": "50000",
        "mmr": "0.004",
        "max_leverage": "125",
        "maintenance_amount": "0",
    },
    {
        "min_notional": 50_000,
        "max_notional": 250_000.0,
        "mmr": 0.005,
        "max_leverage": 100,
        "maintenance_amount": 50,
    },
    {
        "min_notional": "250000",
        "max_notional": "1e6",
        "mmr": "0.01",
        "max_leverage": "50",
        "maintenance_amount": "1300",
    },
]


def test_maintenance_amounts_follow_the_recurrence() -> None:
    assert maintenance_amounts(BOUNDS[:-1], RATES).tolist() == pytest.approx([0, 50, 1_300])


def test_a_table_made_bracket_by_bracket_has_the_amounts_of_the_recurrence() -> None:
    assert TABLE.maintenance_amounts == pytest.approx((0, 50, 1_300))


def test_requirement_subtracts_the_amount_of_the_tier() -> None:
    # 200 = 50 000 * 0.4 %; 1 200 = 200 + 200 000 * 0.5 %; 1 700 = 1 200 + 50 000 * 1 %
    values = TABLE.maintenance_margin([0, 50_000, 250_000, 300_000])
    assert np.asarray(values).tolist() == pytest.approx([0, 200, 1_200, 1_700])


def test_the_whole_position_reading_takes_the_rate_of_the_tier_on_everything() -> None:
    values = WHOLE.maintenance_margin([50_000, 250_000, 300_000])
    assert np.asarray(values).tolist() == pytest.approx([200, 1_250, 3_000])
    assert WHOLE.maintenance_amounts == (0, 0, 0)
    assert TABLE.is_continuous
    assert not WHOLE.is_continuous


def test_a_bound_belongs_to_the_tier_below_it() -> None:
    assert TABLE.tier_number(50_000) == 1
    assert TABLE.tier_number(np.nextafter(50_000, math.inf)) == 2
    assert np.asarray(TABLE.tier_number([0, 250_000, 250_001])).tolist() == [1, 2, 3]
    assert type(TABLE.tier_number(1)) is int


def test_above_the_last_bound_the_last_rate_goes_on_and_nothing_may_be_opened() -> None:
    assert TABLE.tier_number(2e6) == 3
    assert TABLE.maintenance_margin_rate(2e6) == 0.01
    assert TABLE.maintenance_amount(2e6) == pytest.approx(1_300)
    with pytest.raises(ValueError, match="notional must") as caught:
        TABLE.max_leverage([5, 2e6])
    assert str(caught.value) == (
        "notional must be at most 1000000, the top of the table, was 2000000 at index 1; "
        "make the position smaller"
    )


def test_maximum_leverage_falls_from_tier_to_tier() -> None:
    values = TABLE.max_leverage([0, 50_000, 50_001, 1e6])
    assert np.asarray(values).tolist() == [125, 125, 100, 50]


def test_maximum_notional_is_the_top_of_the_last_tier_that_allows_the_leverage() -> None:
    values = TABLE.max_notional([1, 50, 50.5, 100, 101, 125])
    assert np.asarray(values).tolist() == [1e6, 1e6, 250_000, 250_000, 50_000, 50_000]
    assert TierTable.flat(0.005, max_leverage=20).max_notional(20) == math.inf
    with pytest.raises(ValueError, match="leverage must") as caught:
        TABLE.max_notional(126)
    assert str(caught.value) == (
        "leverage must be at most 125, the maximum of the first tier, was 126; lower it"
    )


def test_leverage_above_the_maximum_of_its_tier_is_rejected() -> None:
    assert initial_margin(200_000, 100, tiers=TABLE) == 2_000
    with pytest.raises(ValueError, match="leverage must") as caught:
        initial_margin([40_000, 300_000], 100, tiers=TABLE)
    assert str(caught.value) == (
        "leverage must be at most the maximum of the tier that holds the notional, "
        "was 100 at index 1; that maximum is 50"
    )


def test_effective_rate_is_the_requirement_over_the_notional() -> None:
    values = TABLE.effective_rate([0, 40_000, 250_000, 300_000])
    assert np.asarray(values).tolist() == pytest.approx([0.004, 0.004, 0.0048, 17 / 3_000])


def test_a_table_without_maximum_leverages_says_so() -> None:
    table = TierTable.marginal(BOUNDS, RATES)
    for ask in (table.max_leverage, table.max_notional):
        with pytest.raises(ValueError, match="max_leverages must") as caught:
            ask(1)
        assert str(caught.value) == (
            "max_leverages must be known for this question, was None; make the table with them"
        )


def test_brackets_add_up_slice_by_slice() -> None:
    # 50 000 * 0.1112 + 50 000 * 0.1429 + 290 000 * 0.2 = 70 705
    table = TierTable.marginal([0, 50_000, 100_000, math.inf], [0.1112, 0.1429, 0.2])
    assert table.maintenance_margin(390_000) == pytest.approx(70_705)
    # What lies above the last bound goes on at the last rate.
    table = TierTable.marginal([0, 100], [0.5])
    assert table.maintenance_margin([0, 10, 300]) == pytest.approx([0, 5, 150])


def test_coin_bounds_serve_inverse_contracts() -> None:
    table = TierTable.marginal([0, 5, 10], [0.004, 0.005])
    assert table.maintenance_margin(8) == pytest.approx(0.02 + 0.015)


def test_rows_as_published_give_the_table() -> None:
    assert TierTable.from_rows(ROWS) == TABLE
    bare = [{**row, "maintenance_amount": "", "max_leverage": None} for row in ROWS]
    marginal = TierTable.from_rows(bare, reading="marginal")
    assert marginal == TierTable.marginal(BOUNDS, RATES)
    assert marginal.max_leverages is None
    assert TierTable.from_rows(bare, reading="whole") == TierTable(BOUNDS, RATES)


def test_rows_keep_their_maximum_leverages_in_every_reading() -> None:
    assert TierTable.from_rows(ROWS, reading="marginal").max_leverages == LEVERAGES
    assert TierTable.from_rows(ROWS, reading="whole") == WHOLE


def test_an_unknown_last_bound_is_no_bound() -> None:
    rows = [*ROWS[:2], {**ROWS[2], "max_notional": " "}]
    assert TierTable.from_rows(rows).cap == math.inf


def test_published_amounts_may_be_rounded() -> None:
    table = TierTable([0, 3, 10], [0.01, 0.02 + 1e-9], maintenance_amounts=[0, 0.03])
    assert table.is_continuous


def test_tables_compare_hash_and_pickle_by_content_and_do_not_change() -> None:
    again = TierTable(BOUNDS, np.array(RATES), list(LEVERAGES), TABLE.maintenance_amounts)
    assert again == TABLE
    assert hash(again) == hash(TABLE)
    assert pickle.loads(pickle.dumps(TABLE)) == TABLE
    assert again != WHOLE
    with pytest.raises(dataclasses.FrozenInstanceError):
        TABLE.bounds = (0.0, 1.0)  # type: ignore[misc]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ([1, 2], [0.1]),
            "bounds must start at 0, started at 1; add the lowest bound",
        ),
        (
            ([0, 2, 2], [0.1, 0.2]),
            "bounds must rise from tier to tier, went from 2 to 2 at index 2; "
            "sort the tiers by notional",
        ),
        (
            ([0, math.inf, math.inf], [0.1, 0.2]),
            "bounds must rise from tier to tier, went from inf to inf at index 2; "
            "sort the tiers by notional",
        ),
        (
            ([0, 1], [0.1, 0.2]),
            "bounds must have shape (3,), had (2,); "
            "give one value for each tier, and one more for bounds",
        ),
        (
            ([0], []),
            "maintenance_margin_rates must have shape (1,), had (0,); "
            "give one value for each tier, and one more for bounds",
        ),
        (
            ([0, 1, 2], [0.2, 0.1]),
            "maintenance_margin_rates must never fall from tier to tier, went from 0.2 to 0.1 "
            "at index 1; sort the tiers by notional",
        ),
        (
            ([0, 1, 2], [0.1, 0.2], [10]),
            "max_leverages must have shape (2,), had (1,); "
            "give one value for each tier, and one more for bounds",
        ),
        (
            ([0, 1, 2], [0.1, 0.2], [10, 20]),
            "max_leverages must never rise from tier to tier, went from 10 to 20 at index 1; "
            "sort the tiers by notional",
        ),
        (
            ([0, 1], [0.1], [0.5]),
            "max_leverages must be 1 or more, was 0.5 at index 0; give 10 for 10x",
        ),
        (
            ([0, 1, 2], [0.1, 0.2], None, [0, -1]),
            "maintenance_amounts must be zero or more, was -1 at index 1; "
            "give the amount that each tier subtracts",
        ),
        (
            ([0, 1, 2], [0.1, 0.2], None, [1, 1]),
            "maintenance_amounts must start at 0, started at 1; the first tier subtracts nothing",
        ),
        (
            ([0, 1, 2], [0.1, 0.2], None, [0, 0.25]),
            "maintenance_amounts must be at most 0.1 at index 1, was 0.25; "
            "a larger position cannot need less margin",
        ),
        (
            ([0, math.nan], [0.1]),
            "bounds must be a number, was nan at index 1; fill in or drop missing values first",
        ),
        (
            ([0, 1], [40]),
            "maintenance_margin_rates must be from 0 to below 1, was 40 at index 0; "
            "looks like per cent: give 0.4 for 40 %",
        ),
    ],
)
def test_a_wrong_table_is_rejected_with_the_whole_message(
    arguments: tuple[Any, ...], message: str
) -> None:
    with pytest.raises(ValueError, match=" must ") as caught:
        TierTable(*arguments)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("rows", "reading", "message"),
    [
        ([], "given", "rows must hold at least one tier, was empty; give the tiers"),
        (
            [ROWS[0], ROWS[2]],
            "given",
            "min_notional must be 50000, where the tier before ends, was 250000 in row 1; "
            "give the tiers in order and without gaps",
        ),
        (
            [{**ROWS[0], "maintenance_amount": ""}],
            "given",
            "maintenance_amount must be known for every tier, was empty in row 0; "
            'choose reading="whole" or reading="marginal"',
        ),
        (
            [ROWS[0], {**ROWS[1], "min_notional": ""}],
            "given",
            "min_notional must be known for every tier, was empty in row 1; "
            "give the lower bound of every tier",
        ),
        (
            [{**ROWS[0], "max_notional": None}, ROWS[1]],
            "given",
            "max_notional must be known for every tier, was empty in row 0; "
            "give the upper bound of every tier but the last",
        ),
        (
            [{"min_notional": 0, "max_notional": 5}],
            "whole",
            "mmr must be known for every tier, was empty in row 0; "
            "give the maintenance margin rate of every tier",
        ),
        (
            [{**ROWS[0], "max_notional": "50 BTC"}],
            "whole",
            "max_notional must be a number, was '50 BTC' in row 0; give it without its unit",
        ),
        (
            [{**ROWS[0], "mmr": True}],
            "whole",
            "mmr must be a number, was True in row 0; give it without its unit",
        ),
        (
            ROWS,
            "both",
            "reading must be 'given' or 'whole' or 'marginal', was 'both'; give one of them",
        ),
    ],
)
def test_wrong_rows_are_rejected_with_the_whole_message(
    rows: list[dict[str, Any]], reading: Any, message: str
) -> None:
    with pytest.raises(ValueError, match=" must ") as caught:
        TierTable.from_rows(rows, reading=reading)
    assert str(caught.value) == message


def test_amounts_that_lower_the_requirement_are_named_by_their_tier() -> None:
    # At 200 the second tier needs 0.02 * 200 - 1 = 3, the third at most 0.05 * 200 - 7.
    with pytest.raises(ValueError, match=r"at most 7\b.*\b8;"):
        TierTable([0, 100, 200, 300, 400], [0.01, 0.02, 0.05, 0.1], None, [0, 1, 8, 9])
    with pytest.raises(ValueError, match=r"must start at 0, started at 2;"):
        TierTable([0, 100, 200], [0.01, 0.05], None, [2, 1])


def test_amounts_of_several_tables_at_once_are_those_of_each() -> None:
    rates = [[0.004, 0.005, 0.01], [0.01, 0.02, 0.05]]
    both = maintenance_amounts([0, 50_000, 250_000], rates)
    assert both.tolist() == [
        maintenance_amounts([0, 50_000, 250_000], one).tolist() for one in rates
    ]


def test_neighbouring_tiers_may_share_a_rate_or_a_maximum_leverage() -> None:
    table = TierTable.marginal([0, 10, 20, 30], [0.01, 0.01, 0.02], [50, 20, 20])
    assert table.maintenance_margin(15) == pytest.approx(0.15)
    assert table.max_leverage([15, 25]).tolist() == [20, 20]


def test_a_missing_amount_is_named() -> None:
    with pytest.raises(ValueError, match=r"^maintenance_amounts must "):
        TierTable([0, 10, 20], [0.01, 0.02], maintenance_amounts=[0])


# Rows as other programs write them: Binance's brackets of BTCUSDT in its FAQ of 2020-08-14.
BRACKETS = [
    {"bracket": 1, "initialLeverage": 125, "notionalCap": 50_000, "notionalFloor": 0,
     "maintMarginRatio": 0.004, "cum": 0.0},
    {"bracket": 2, "initialLeverage": 100, "notionalCap": 250_000, "notionalFloor": 50_000,
     "maintMarginRatio": 0.005, "cum": 50.0},
    {"bracket": 3, "initialLeverage": 50, "notionalCap": 1_000_000, "notionalFloor": 250_000,
     "maintMarginRatio": 0.01, "cum": 1_300.0},
]  # fmt: skip


def ccxt_rows() -> Any:
    """The brackets as ccxt's own parser gives them."""
    market = {"symbol": "BTC/USDT:USDT", "quote": "USDT", "contract": True, "id": "BTCUSDT"}
    return ccxt.binance().parse_market_leverage_tiers({"brackets": BRACKETS}, market)


def freqtrade_rows(amount_in_info: bool) -> Any:
    """As in freqtrade's binance_leverage_tiers.json, and as freqtrade keeps them in memory."""
    for row in BRACKETS:
        same = {
            "minNotional": float(row["notionalFloor"]),
            "maxNotional": float(row["notionalCap"]),
            "maintenanceMarginRate": row["maintMarginRatio"],
            "maxLeverage": float(row["initialLeverage"]),
        }
        if amount_in_info:
            info = {"bracket": str(row["bracket"]), "cum": str(row["cum"])}
            yield {"tier": float(row["bracket"]), "currency": "USDT", **same, "info": info}
        else:
            yield {**same, "maintAmt": row["cum"]}


@pytest.mark.parametrize(
    "rows",
    [
        BRACKETS,
        [{"symbol": "BTCUSDT", "notionalCoef": 1.5, "brackets": BRACKETS}],
        {"symbol": "BTCUSDT", "brackets": BRACKETS},
        [{k.replace("notional", "qty"): v for k, v in row.items()} for row in BRACKETS],
        ccxt_rows(),
        list(freqtrade_rows(amount_in_info=True)),
        list(freqtrade_rows(amount_in_info=False)),
    ],
    ids=[
        "brackets",
        "answer",
        "one symbol",
        "coin-margined",
        "ccxt",
        "freqtrade file",
        "freqtrade",
    ],
)
def test_rows_of_other_programs_are_read(rows: Any) -> None:
    assert TierTable.from_rows(rows) == TABLE


def test_rows_of_a_venue_without_amounts_are_read_by_the_reading_that_is_named() -> None:
    rows = [{name: value for name, value in row.items() if name != "cum"} for row in BRACKETS]
    assert TierTable.from_rows(rows, reading="marginal") == TABLE
    assert TierTable.from_rows(rows, reading="whole").maintenance_amounts == (0, 0, 0)
    with pytest.raises(
        ValueError, match=r'^maintenance_amount must be known .* reading="whole" or'
    ):
        TierTable.from_rows(rows)


@pytest.mark.parametrize(
    "rows", [{"BTC/USDT:USDT": BRACKETS}, [BRACKETS], ["BTC/USDT:USDT"], [{"a": 1}]], ids=repr
)
def test_tables_of_many_symbols_are_refused(rows: Any) -> None:
    with pytest.raises(ValueError, match=r"^rows must be the tiers of one symbol, was "):
        TierTable.from_rows(rows)
