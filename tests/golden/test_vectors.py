"""Every row of vectors.csv, recomputed from its inputs, and rows that are not in the file."""

import csv
import importlib.util
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

HERE = Path(__file__).resolve().parent


def _load_replay() -> ModuleType:
    spec = importlib.util.spec_from_file_location("replay", HERE / "replay.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


Row = dict[str, str]
replay = _load_replay()
compute: Callable[[Row], float] = replay.compute
FORBIDDEN = {
    "id",
    "source",
    "source_kind",
    "formula",
    "expected",
    "tolerance",
    "note",
    "reproduced",
    "inferred_inputs",
}

with (HERE / "vectors.csv").open(encoding="utf-8", newline="") as file:
    ROWS: list[Row] = list(csv.DictReader(file))
BY_ID = {row["id"]: row for row in ROWS}
REPRODUCED = [r for r in ROWS if r["reproduced"] == "yes"]


class InputsOnly(dict[str, str]):
    """A row whose answer and description cannot be read, one by one or all together."""

    def __getitem__(self, key: str) -> str:
        assert key not in FORBIDDEN, f"compute read {key}"
        return super().__getitem__(key)

    def get(self, key: str, default: Any = None) -> Any:
        try:
            return self[key]
        except KeyError:
            return default

    def __iter__(self) -> Iterator[str]:
        raise AssertionError("compute read the whole row")

    keys = values = items = copy = __iter__  # type: ignore[assignment]


def misses(row: Row, *, number: float | None = None) -> float:
    """How many tolerances the result is away from the number stated."""
    number = compute(row) if number is None else number
    return abs(number - float(row["expected"])) / float(row["tolerance"])


def _row(like: str, changes: dict[str, Any]) -> Row:
    """A row like another one; `+` in changes adds to other_inputs, None takes away."""
    changes = dict(changes)
    added = changes.pop("+", {})
    others = {**json.loads(BY_ID[like]["other_inputs"]), **added}
    others = {name: value for name, value in others.items() if value is not None}
    inputs = {name: BY_ID[like][name] for name in replay.COLUMNS}
    inputs |= {name: "" if value is None else str(value) for name, value in changes.items()}
    return inputs | {"other_inputs": json.dumps(others)}


@pytest.mark.parametrize("row", REPRODUCED, ids=lambda row: row["id"])
def test_published_number_follows_from_its_inputs_alone(row: Row) -> None:
    assert misses(row, number=compute(InputsOnly(row))) <= 1, row["source"]


def test_negative_control_is_not_reproduced() -> None:
    """A copy of MEXC's example prints 51 800 for a long from 50 000; MEXC's own says 48 200."""
    wrong = [row for row in ROWS if row["reproduced"] == "no"]
    assert [row["id"] for row in wrong] == ["MEX-013"]
    assert misses(wrong[0]) > 1e9
    assert compute(wrong[0]) == pytest.approx(48_200, abs=1e-9)
    # The wrong number is the liquidation price of a short.
    assert compute(wrong[0] | {"side": "short"}) == pytest.approx(51_800, abs=1e-9)


def test_row_that_contradicted_itself_is_withdrawn() -> None:
    """KRF-007 had the value of the XBT row of a payload and the number of the EUR row."""
    assert "KRF-007" not in BY_ID
    assert float(BY_ID["KRF-007-EUR"]["expected"]) == 4_886.906656949836


def test_funding_that_was_paid_moves_the_break_even_price_away() -> None:
    """Bitget's API answer, BGT-016: funding_total is negative, and the price is above the entry."""
    row = BY_ID["BGT-016"]
    assert json.loads(row["other_inputs"])["funding_total"] == -53_076.32433032
    assert compute(row) == pytest.approx(109_208.6, abs=0.1)
    without = compute(_row("BGT-016", {"+": {"funding_total": 0}}))
    received = compute(_row("BGT-016", {"+": {"funding_total": 53_076.32433032}}))
    assert received < without < compute(row)


def test_file_is_complete_and_its_ids_are_unique() -> None:
    assert len(ROWS) == len(BY_ID) == 135
    assert all(set(row) == FORBIDDEN | set(replay.COLUMNS) for row in ROWS)
    assert all(float(row["tolerance"]) > 0 and row["source"] for row in ROWS)
    assert {row["quantity"] for row in ROWS} == set(replay.QUANTITIES)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["id"])
def test_number_asked_for_is_not_taken_from_the_other_inputs(row: Row) -> None:
    others = json.loads(row["other_inputs"])
    planted = row | {"other_inputs": json.dumps(others | {row["quantity"]: 123.0})}
    if row["quantity"] != "maintenance_amount":  # also the name of an input, a table by asset
        assert compute(planted) == compute(row)


# ---- rows that are not in the file; the numbers are worked out beside them

UNSEEN: list[tuple[str, str, dict[str, Any], float]] = [
    # Liquidation, requirement at the mark price
    (
        "binance_short_without_a_wallet_is_backed_by_its_initial_margin",
        "BIN-006",
        {"wallet_balance": None, "maintenance_amount": "0"},
        (10 + 10 / 3) / 1.01,
    ),
    (
        "binance_cross_short",
        "BIN-001",
        {"side": "short", "qty": 10, "wallet_balance": 900_000},
        # 900 000 less the loss of the ETH leg, 448 192.89, and its requirement, 356 512.51
        (10 * 32_481.98 + 900_000 - 3_683.979 * 121.66 - 356_512.5082 + 16_300) / 10.25,
    ),
    (
        "binance_cross_with_a_short_in_another_symbol",
        "BIN-001",
        {
            "qty": 1,
            "entry_price": 100,
            "wallet_balance": 50,
            "maintenance_amount": 0,
            "+": {
                "other_positions": [
                    {"symbol": "B", "side": "short", "qty": 2, "entry": 10, "mark": 8, "mmr": 0.05}
                ]
            },
        },
        # profit 2 * 2, requirement 2 * 8 * 0.05
        (100 - 50 - 4 + 0.8) / 0.975,
    ),
    (
        "binance_isolated_ignores_other_positions",
        "BIN-001",
        {"margin_mode": "isolated"},
        (109.488 * 32_481.98 - 1_535_443.01 - 16_300) / (109.488 * 0.975),
    ),
    (
        "binance_hedged_legs_share_one_price",
        "BIN-001",
        {
            "qty": 2,
            "entry_price": 100,
            "wallet_balance": 50,
            "mm_rate": 0.01,
            "maintenance_amount": 0,
            "+": {
                "symbol": "BTCUSDT",
                "other_positions": [
                    {"symbol": "BTCUSDT", "qty": -1, "entry": 110, "mark": 99, "mmr": 0.01}
                ],
            },
        },
        # 50 + 2 (P - 100) - (P - 110) = 0.03 P
        40 / 0.97,
    ),
    (
        "binance_isolated_margin_with_profit_gives_the_wallet",
        "BIN-013",
        {"wallet_balance": "n/a", "leverage": ""},
        # 15 517.54150468 less the profit, 20 * (6 679.50671178 - 6 563.665)
        (20 * 6_563.665 - 13_200.70726908 - 50) / 19.9,
    ),
    (
        "binance_inverse_short",
        "BIN-030",
        {"side": "short"},
        200 * (0.004 - 1) / (0.00268058 - 200 / 37_643.10000021),
    ),
    (
        "binance_inverse_with_a_maintenance_amount",
        "BIN-030",
        {"maintenance_amount": 0.0001},
        200 * 1.004 / (0.00268058 + 0.0001 + 200 / 37_643.10000021),
    ),
    (
        "kraken_inverse_short",
        "KRF-001",
        {"side": "short"},
        1_000 * (0.01 - 1) / (0.01 - 1_000 / 8_000),
    ),
    (
        "kraken_inverse_short_under_the_name_of_the_spot_venue",
        "KRF-002",
        {"side": "short", "venue": "Kraken"},
        -1_000 / (0.01 - 1_000 / 8_000),
    ),
    # Liquidation, requirement at the entry price
    ("bybit_long_10x", "BYB-061", {"leverage": 10}, 10 - 1 + 0.1),
    ("bybit_long_1x", "BYB-061", {"leverage": 1}, 0.1),
    ("bybit_short_3x", "BYB-066", {"leverage": 3}, 10 + 10 / 3 - 0.1),
    ("bybit_wallet_that_is_the_initial_margin", "BYB-066", {"wallet_balance": 2}, 11.9),
    ("bybit_extra_margin", "BYB-032", {"+": {"extra_margin": 3_000}}, 20_000 - (400 - 100 + 3_000)),
    (
        "bybit_short_tick_rounds_down",
        "BYB-002",
        {"side": "short", "+": {"rounding": None}},
        1_477.8,  # 1 198.45 * (1 + 1 / 4.2 - 0.005) = 1 477.8029
    ),
    (
        "bybit_long_with_the_words_for_a_short_still_rounds_against_the_position",
        "BYB-002",
        {"+": {"rounding": "down for short"}},
        919.1,
    ),
    ("bybit_named_rounding", "BYB-002", {"+": {"rounding": "down"}}, 919.05),
    ("bybit_truncated", "BYB-002", {"+": {"rounding": "truncated"}}, 919.05),
    ("bybit_floor", "BYB-002", {"+": {"rounding": "Floor for longs, ceil for shorts"}}, 919.05),
    ("bybit_nearest", "BYB-002", {"+": {"rounding": "nearest"}}, 919.1),
    ("bybit_exact", "BYB-002", {"+": {"rounding": "none"}}, 1_198.45 * (1 - 1 / 4.2 + 0.005)),
    ("text_about_the_row_changes_nothing", "BYB-002", {"+": {"comment": "checked twice", "fee_note": "BNB", "quoted_by": "help page"}}, 919.1),
    (
        "bybit_without_a_tick_is_exact",
        "BYB-002",
        {"+": {"tick": None, "rounding": None}},
        1_198.45 * (1 - 1 / 4.2 + 0.005),
    ),
    (
        "bybit_inverse_short",
        "BYB-021",
        {"side": "short", "+": {"position_im_incl_fee_and_added": None, "tick": None}},
        200 / (200 / 1_812.70004844 * (1 - 1 / 12 + 0.005)),
    ),
    # Bybit since 2025-09-02: its own example, 19 698.49
    ("bybit_since_september_2025", "BYB-032", {"+": {"rule": "new"}}, 19_600 / 0.995),
    ("bybit_on_a_later_day", "BYB-032", {"+": {"date": "2025-09-18"}}, 19_600 / 0.995),
    ("bybit_on_an_earlier_day", "BYB-032", {"+": {"date": "2025-09-01"}}, 19_700),
    (
        "bybit_inverse_since_september_2025_with_extra_margin",
        "BYB-021",
        {
            "+": {
                "position_im_incl_fee_and_added": None,
                "tick": None,
                "extra_margin": 0.01,
                "mm_at": "mark",
            }
        },
        200 * 1.005 / (200 / 1_812.70004844 * (1 + 1 / 12) + 0.01 / 1.0006),
    ),
    # Liquidation, closing fee inside the requirement
    (
        "bitget_isolated_short",
        "BGT-001",
        {"side": "short"},
        (9.669505009337334 + 250) / (0.01 * (1 + 0.0046)),
    ),
    ("bitget_without_a_wallet", "BGT-001", {"wallet_balance": None}, 237.5 / (0.01 * 0.9954)),
    (
        "bitget_cross_short_freezes_the_requirement_at_the_mark",
        "BGT-004",
        {"side": "short"},
        37_370.5 + (11.604761395 - 0.03 - 0.002 * 37_370.5 * 0.0046) / 0.002,
    ),
    (
        "mexc_short_with_fee",
        "MEX-001",
        {"side": "short", "+": {"im_incl_closing_fee": None}},
        1_217.3 * (1 + 1 / 100 + 0.0006) / (1 + 0.005 + 0.0006),
    ),
    ("mexc_without_fee", "MEX-013", {"fee_rate": ""}, 48_200),
    ("gate_long_5x", "CMP-015", {"leverage": 5, "wallet_balance": 2}, 8 / (1 - 0.0106)),
    ("okx_short", "CMP-012", {"venue": "okx", "wallet_balance": None}, (10 + 10 / 3) / 1.0106),
    ("phemex_short_wallet", "CMP-002", {"side": "short"}, (40.096 + 200) / (500 * 1.0106)),
    (
        "phemex_short_holds_a_closing_fee",
        "CMP-002",
        {"side": "short", "wallet_balance": None},
        (40 + 200 * 1.2 * 0.0006 + 200) / (500 * 1.0106),
    ),
    (
        "phemex_short_assigned_balance",
        "CMP-001",
        {"side": "short", "wallet_balance": None},
        40 + 200 * 1.2 * 0.0006,
    ),
    # Margin accounts
    ("kraken_short_call_price", "KRK-007", {"side": "short"}, 30_000 / (1 + 0.8 / 5)),
    ("kraken_short_call_price_2", "KRK-001", {"quantity": "margin_call_price"}, 15_000 / 0.232),
    ("kraken_short_call_price_3", "KRK-001", {"quantity": "margin_call_price", "leverage": None, "+": {"used_margin": None, "used_margin_base": 0.04}}, 15_000 / 0.232),
    ("kraken_futures_available", "KRF-008", {"quantity": "available_margin"}, 100.93891563),
    ("binance_margin_level_by_short_names", "BIN-054", {"+": {"total_asset_btc": None, "total_liability_btc": None, "assets": 300, "liabilities": 120}}, 2.5),
    ("kraken_long_liquidation", "KRK-007", {"quantity": "liquidation_price", "+": {"level": None}}, 11_600),
    ("kraken_short_level", "KRK-003", {"quantity": "margin_level_pct"}, 100 * 1_960 / 2_608),
    ("kraken_short_level_at_entry", "KRK-001", {"+": {"equity": None, "used_margin": None}}, 250),
    ("kraken_short_free", "KRK-003", {"quantity": "free_margin"}, 1_960 - 2_608),
    ("kraken_short_used", "KRK-004", {"+": {"used_margin_base": None}}, 2_608),
    ("kraken_long_used_does_not_float", "KRK-010", {"quantity": "used_margin"}, 9_000),
    ("kraken_short_by_cost_and_value", "KRK-024", {"side": "short"}, 145_756.76856 - 240_124),
    ("kraken_net_long_book", "KRK-018", {"+": {"reading": "net = value - cost"}}, 10.0234),
    ("kraken_new_position", "KRK-014", {"leverage": 3, "+": {"free_margin": None, "used_margin": 3_000}}, 6_000),
    ("kraken_size_from_cost", "KRK-007", {"qty": None, "+": {"cost": 20_000}}, 13_200),
    ("primexbt_short", "PXB-005", {"side": "short"}, 102_000),
    ("primexbt_short_of_two_units", "PXB-005", {"side": "short", "qty": 2}, 100_500),
    ("primexbt_short_profit", "PXB-003", {"side": "short"}, 2_000),
    ("primexbt_stated_entry_value", "PXB-003", {"+": {"position_value": 99_000}}, -1_000),
    ("primexbt_available", "PXB-004", {"side": "short"}, 3_000 + 2_000 - 1_000),
    ("primexbt_by_price", "PXB-005", {"quantity": "upnl", "+": {"mark_price": 99_000}}, -1_000),
    ("binance_margin_level_with_interest", "BIN-054", {"+": {"total_interest_btc": 0.1}}, 6.82728457 / 0.68633215),
    # Bankruptcy
    ("bybit_inverse_short_25x", "BYB-039", {"side": "short"}, 6_400 * 25 / 24),
    (
        "bybit_inverse_extra_margin_pays_a_closing_fee_too",
        "BYB-039",
        {"fee_rate": 0.0006, "+": {"extra_margin": 0.1}},
        10_000 / (10_000 / 6_400 * 1.04 + 0.1 / 1.0006),
    ),
    (
        "bybit_linear_extra_margin",
        "BYB-033",
        {"side": "short", "fee_rate": 0.0006, "+": {"extra_margin": 100}},
        10_200 + 100 / 1.0006,
    ),
    (
        "bybit_inverse_short_balance",
        "BYB-020",
        {"side": "short", "+": {"tick": None}},
        200 * (-1 + 0.0006) / (0.01926611 - 200 / 1_812.70004844),
    ),
    (
        "bybit_cross_after_order_margin",
        "BYB-030",
        {"+": {"order_margin": 0.1}},
        10_000 * 1.00075 / (1.25 + 0.4),
    ),
    ("binance_isolated", "BIN-006", {"quantity": "bankruptcy_price"}, 10 + 10 / 3),
    ("bybit_never_bankrupt_at_1x", "BYB-033", {"leverage": 1}, 0.0),
    # Margins
    ("binance_inverse_at_the_mark", "BIN-032", {"quantity": "initial_margin"}, 200 / 38_103.05510455 / 2),
    ("binance_at_entry_without_a_mark", "BIN-017", {"+": {"mark_price": None}}, 2.3483),
    ("bitget_at_entry", "BGT-008", {"+": {"mark_price": 40_000}}, 3.73555),
    ("bybit_without_fee", "BYB-004", {"fee_rate": ""}, 53.6925),
    ("bybit_short_closing_fee", "BYB-004", {"side": "short"}, 53.6925 + 0.5 * 1_073.85 * 1.1 * 0.0006),
    (
        "bybit_inverse_short_closing_fee",
        "BYB-037",
        {"side": "short", "quantity": "initial_margin"},
        5 / 25 + 10_000 * 0.00055 / (2_000 * 25 / 24),
    ),
    ("bybit_cross_at_the_mark", "BYB-012", {"+": {"mark_price": 30_000, "rule": "new"}}, 0.15),
    ("bybit_old_cross_at_entry", "BYB-012", {"+": {"mark_price": 30_000}}, 0.15405),
    ("bybit_old_cross_margin", "BYB-004", {"+": {"mark_price": 1_100}}, 53.9824395),
    ("bybit_old_cross_requirement", "BYB-005", {"+": {"mark_price": 1_100}}, 2.9745645),
    (
        "bybit_old_isolated_requirement",
        "BYB-005",
        {"margin_mode": "isolated", "+": {"mark_price": 1_100}},
        2.9745645,
    ),
    (
        "bybit_new_cross_margin",
        "BYB-004",
        {"+": {"mark_price": 1_100, "rule": "new"}},
        55 + 0.5 * 1_100 * 0.9 * 0.0006,
    ),
    (
        "bybit_new_cross_requirement",
        "BYB-005",
        {"+": {"mark_price": 1_100, "date": "2025-09-02"}},
        2.75 + 0.5 * 1_100 * 0.9 * 0.0006,
    ),
    (
        "bybit_new_isolated_requirement",
        "BYB-005",
        {"margin_mode": "isolated", "+": {"mark_price": 1_100, "rule": "new"}},
        2.75 + 0.5 * 1_073.85 * 0.9 * 0.0006,
    ),
    (
        "bybit_old_short_requirement",
        "BYB-005",
        {"side": "short", "+": {"mark_price": 1_100}},
        0.5 * 1_073.85 * (0.005 + 1.1 * 0.0006),
    ),
    ("bybit_old_ratio", "BYB-005", {"quantity": "margin_ratio", "wallet_balance": 50, "+": {"mark_price": 1_100}}, 2.9745645 / 63.075),
    ("kraken_linear_margin_at_entry", "KRF-003", {"contract_type": "linear", "qty": 1, "entry_price": 20_000, "leverage": 10, "+": {"mark_price": 20_800}}, 2_000),
    ("kraken_inverse_margin_at_entry", "KRF-003", {"+": {"mark_price": 10_000}}, 0.0025),
    ("kraken_other_symbols_do_not_net", "KRF-003", {"+": {"symbol": "PI_XBTUSD", "other_positions": [{"symbol": "PI_ETHUSD", "side": "short", "qty": 5}]}}, 0.0025),
    ("kraken_same_side_does_not_net", "KRF-003", {"+": {"symbol": "PI_XBTUSD", "other_positions": [{"symbol": "PI_XBTUSD", "side": "long", "qty": 5}]}}, 0.0025),
    ("mexc_short", "MEX-002", {"side": "short"}, 12.173 * 0.0106),
    ("mexc_requirement_without_the_fee", "MEX-001", {"quantity": "maintenance_margin"}, 12.173 * 0.005),
    ("kraken_at_the_mark", "KRF-004", {"+": {"mark_price": 10_000}}, 0.001),
    ("bracket_of_one_asset", "BIN-052", {"+": {"liab_usdt": {"BTC": 60_000}}}, 2_500 + 700),
    ("brackets_up_to_a_bound", "BIN-051", {"+": {"liab_usdt": {"ETH": 30_000}}}, 3_336),
    ("bybit_deduction", "BIN-050", {"venue": "bybit", "mm_rate": ""}, 1_300),
    ("bitget_ratio_of_a_short", "BGT-002", {"side": "short"}, 251 * 0.0046 / (9.669505009337334 - 1)),
    ("binance_ratio", "BIN-013", {"quantity": "margin_ratio"}, (133_590.1342356 * 0.005 - 50) / 15_517.54150468),
    ("bitget_balance_at_the_implied_mark", "BGT-014", {"+": {"mark_implied": None}}, 4_701_531.8494),
    ("bitget_short_balance", "BGT-014", {"side": "short", "+": {"mark_implied": None}}, (12_954_679.7832 - 1_124_573.04244) * (1 / 3 + 0.0006)),
    ("bitget_return_on_balance", "BGT-010", {"quantity": "roe"}, 0.0047 / 5.435199),
    ("bybit_return_on_initial_margin", "BYB-008", {"quantity": "roe"}, -1.83 / 3.615),
    ("binance_short_isolated_margin", "BIN-033", {"side": "short"}, 0.00268058 - 200 * (1 / 37_643.10000021 - 1 / 38_103.05510455)),
    # Break-even, profit, fees
    ("binance_short_break_even", "BIN-021", {"side": "short"}, 44_525 * 0.9996),
    ("bitget_short_break_even", "BGT-013", {"side": "short"}, (107_410.3 - 64.44618) / 1.0006),
    ("bitget_break_even_after_funding", "BGT-013", {"+": {"funding_total": -0.1}}, (107_410.3 + 164.44618) / 0.9994),
    ("bybit_break_even_counts_at_least_a_standard_fee", "BYB-052", {"quantity": "break_even_price", "fee_rate": 0.0001}, 85.11 * 1.0001 / 0.99945),
    ("mexc_break_even", "MEX-002", {"quantity": "break_even_price"}, 1_217.3 * 1.0006 / 0.9994),
    ("bybit_short_closed", "BYB-050", {"side": "short"}, 0.3745 - 0.001 * 111_500.5 * 0.00055),
    ("mexc_short_gross", "MEX-004", {"side": "short"}, -0.3423),
    ("bitget_profit_with_funding", "BGT-022", {"+": {"total_funding": -0.01}}, -0.0554261),
    ("bitget_fee_of_both_trades", "BGT-025", {"+": {"exit": 70}}, 0.1 * (68.74 + 70) * 0.0006),
    ("kraken_rollover_in_the_first_hours", "KRK-026", {"+": {"hours": 3.9}}, 0),
    ("kraken_one_fee_rate_for_both_trades", "KRK-025", {"+": {"maker": None}}, 1 + 18 + 52),
    ("kraken_fees_without_a_trade", "KRK-025", {"+": {"maker": None, "taker": None}}, 1 + 18),
    ("bybit_short_fee_to_close", "BYB-035", {"side": "short"}, 10_200 * 0.00075),
    ("bybit_short_order_cost", "BYB-034", {"side": "short"}, 200 + 7.5 + 7.65),
    ("bybit_balance_with_the_tick", "BYB-003", {"+": {"tick": 0.05}}, 28.534523809 + 0.1 * 913.15 * 0.0006),
    ("linear_average", "BYB-040", {"contract_type": "linear"}, 12_500),
    ("inverse_value_at_the_mark", "BYB-024", {"+": {"mark_price": 30_000}}, 0.01),
    # Funding
    ("bybit_short_is_paid", "BYB-055", {"side": "short"}, -0.0007797),
    ("bybit_short_as_received", "BYB-055", {"side": "short", "+": {"sign": "+ = received"}}, 0.0007797),
    ("bybit_sign_by_default", "BYB-055", {"+": {"sign": None}}, 0.0007797),
    ("mexc_short", "MEX-007", {"side": "short"}, -0.0837798),
    ("mexc_sign_by_default", "MEX-007", {"+": {"sign": None}}, 0.0837798),
    ("primexbt_short", "PXB-006", {"side": "short"}, -6.9),
    ("binance_counts_the_side_that_is_named", "BIN-062", {"side": "long"}, 0.005),
    ("binance_long_receives", "BIN-063", {"side": "long", "+": {"sign": "+ = received"}}, 0.00091409999),
    ("longs_pay_positive", "BIN-062", {"+": {"sign": "+ = longs pay shorts"}}, 0.005),
    ("negative_is_paid", "BIN-062", {"+": {"sign": "- = paid"}}, 0.005),
    (
        "inverse_short",
        "BIN-062",
        {"contract_type": "inverse", "contract_size": 100},
        10 * 100 / 2.5 * 0.0002,
    ),
    ("gemini_short", "BIN-062", {"venue": "gemini", "+": {"sign": None}}, 0.005),
    # Collateral
    ("haircut_of_nothing", "KRF-007-EUR", {"+": {"haircut_implied": None, "haircut": 0}}, 4_999.137289089901),
    ("account_with_a_loss", "KRF-008", {"+": {"pnl": -1.5}}, 139.81756797),
]  # fmt: skip


@pytest.mark.parametrize(
    ("like", "changes", "expected"),
    [case[1:] for case in UNSEEN],
    ids=[f"{number}-{case[0]}" for number, case in enumerate(UNSEEN)],
)
def test_row_that_is_not_in_the_file(like: str, changes: dict[str, Any], expected: float) -> None:
    assert compute(_row(like, changes)) == pytest.approx(expected, rel=2e-8, abs=1e-9)


@pytest.mark.parametrize("blank", ["", " ", "n/a", "N/A"])
def test_ways_to_leave_a_cell_blank_mean_the_same(blank: str) -> None:
    row = _row("BIN-030", {}) | {"maintenance_amount": blank, "fee_rate": blank, "leverage": blank}
    assert compute(row) == compute(BY_ID["BIN-030"])


def test_columns_that_are_missing_are_blank() -> None:
    row = {k: v for k, v in _row("KRF-002", {}).items() if v and v != "{}"}
    assert "other_inputs" not in row
    assert compute(row) == compute(BY_ID["KRF-002"])


@pytest.mark.parametrize(
    ("like", "changes", "message"),
    [
        ("BIN-006", {"venue": "mtgox"}, r"^venue must be a known word, was 'mtgox'; use one of bin"),
        ("BIN-006", {"quantity": "vega"}, r"^quantity must be a known word, was 'vega'; use one of"),
        ("BIN-006", {"quantity": ""}, "^quantity must be a known word, was blank"),
        ("BIN-006", {"contract_type": "option"}, "^contract_type must be a known word, was 'opt"),
        (
            "BIN-006",
            {"venue": "gemini", "contract_type": "inverse"},
            "^contract_type must be one that gemini is known for, was 'inverse'; use one of linear",
        ),
        ("BIN-006", {"side": "n/a"}, "^side must be long or short for liquidation_price of binance"),
        ("BIN-006", {"side": "buy"}, "^side must be long or short .*, was 'buy'"),
        ("BIN-006", {"margin_mode": ""}, "^margin_mode must be isolated or cross .*, was blank"),
        ("BIN-006", {"mm_rate": ""}, "^mm_rate must be given for liquidation_price of binance lin"),
        ("BIN-006", {"qty": ""}, "^qty must be given for .*, was blank; fill in the column"),
        ("BIN-006", {"qty": "-1"}, "^qty must be positive, was '-1'; the direction is in side"),
        ("BIN-006", {"entry_price": "0"}, "^entry_price must be positive, was '0'"),
        ("BIN-006", {"entry_price": ""}, "^entry_price must be given"),
        ("BIN-006", {"entry_price": "10 USD"}, "^entry_price must be a finite number, was '10 USD'"),
        ("BIN-006", {"mm_rate": "1"}, "^mm_rate must be a decimal below 1, was '1'; write 0.005"),
        ("CMP-012", {"fee_rate": ""}, "^fee_rate must be given for liquidation_price of gate linear"),
        ("BIN-001", {"wallet_balance": ""}, "^wallet_balance must be given"),
        ("BIN-004", {"wallet_balance": ""}, "^wallet_balance must be given"),
        ("BIN-030", {"contract_size": ""}, "^contract_size must be given .*; it differs between"),
        ("BYB-034", {"leverage": ""}, "^leverage must be given for order_cost of bybit linear"),
        ("BYB-030", {"fee_rate": ""}, "^fee_rate must be given for bankruptcy_price of bybit"),
        (
            "PXB-006",
            {"quantity": "liquidation_price"},
            "^venue must be one with a published liquidation rule, was 'primexbt'",
        ),
        (
            "BIN-006",
            {"venue": "gemini"},
            "^venue must be one with a published liquidation rule, was 'gemini'; leave this row out",
        ),
        (
            "BIN-006",
            {"quantity": "margin_call_price"},
            "^venue must be one that goes by the margin level, was 'binance'",
        ),
        ("BIN-014", {"+": {"mark_price": None}}, "^other_inputs must hold mark_price or .*held nothing; add it"),
        ("BIN-014", {"+": {"mark_price": "high"}}, "^mark_price in other_inputs must be a finite n"),
        ("BYB-050", {"+": {"exit": None}}, "^other_inputs must hold exit or exit_price"),
        ("BYB-040", {"+": {"fills": None}}, "^other_inputs must hold fills"),
        ("BYB-040", {"+": {"fills": [1, 2]}}, "^fills in other_inputs must be pairs of numbers"),
        ("BIN-062", {"+": {"funding_rate": None}}, "^other_inputs must hold funding_rate"),
        ("BIN-062", {"+": {"mark_price": None}}, "^other_inputs must hold mark_price"),
        ("BIN-062", {"+": {"sign": "upside down"}}, "^sign in other_inputs must be clear"),
        ("KRK-018", {"+": {"reading": None}}, "^side must be long or short"),
        ("KRK-018", {"+": {"reading": "both"}}, "^reading in other_inputs must be clear"),
        ("BIN-050", {"+": {"cum_prev": None}}, "^other_inputs must hold cum_prev"),
        ("BIN-054", {"+": {"total_asset_btc": None}}, "^other_inputs must hold total_asset"),
        ("PXB-002", {"+": {"equity": -1}}, "^equity must be positive for available_margin_pct"),
        ("BIN-052", {"+": {"mm_tiers": {}}}, "^other_inputs must hold mm_tiers of BTC"),
        ("BIN-052", {"+": {"mm_tiers": {"BTC": 5}}}, "^mm_tiers of BTC in other_inputs must be pairs of numbers, was 5; write"),
        (
            "BIN-052",
            {"+": {"mm_tiers": {"BTC": [[50_000, 0.05], [100_000]]}}},
            r"^mm_tiers of BTC in other_inputs must be pairs of numbers, was \[100000\]; write",
        ),
        ("BIN-052", {"+": {"mm_tiers": {"BTC": [5]}}}, "^mm_tiers of BTC in other_inputs must be pairs"),
        ("BIN-051", {"+": {"im_tiers": {"BTC": "x"}}}, "^im_tiers of BTC in other_inputs must be pairs"),
        ("BIN-051", {"+": {"im_tiers": {"BTC": []}}}, "^im_tiers of BTC in other_inputs must be pairs"),
        ("BYB-040", {"+": {"fills": "x"}}, "^fills in other_inputs must be pairs of numbers, was 'x'"),
        ("BIN-063", {"+": {"settlements": []}}, "^settlements in other_inputs must be pairs of num"),
        ("BYB-032", {"+": {"date": "2025-09"}}, "^date in other_inputs must be written YYYY-MM-DD, was '2025-09'; the rules changed on 2025-09-02"),
        ("BYB-032", {"+": {"date": "2025"}}, "^date in other_inputs must be written YYYY-MM-DD"),
        ("BGT-004", {"+": {"mark_price": None}}, "^other_inputs must hold mark_price or .* for liquidation_price of bitget"),
        ("BGT-001", {"contract_type": "inverse"}, "^contract_type must be one whose liquidation rule is known for bitget, was 'inverse'"),
        ("MEX-001", {"contract_type": "inverse"}, "^contract_type must be one whose liquidation rule is known for mexc"),
        ("MEX-013", {"contract_type": "inverse"}, "^contract_type must be one whose liquidation rule is known for mexc"),
        *(
            (like, {"leverage": 50, "mm_rate": 0.01, "quantity": quantity, "+": {"symbol": "PF_XBTUSD", "other_positions": [{"symbol": "pf_xbtusd", "side": "short", "qty": 5, "entry": 8_000, "mark": 8_000, "mmr": 0.01}]}}, "^symbol in other_positions must be another one for an opposite leg, was 'pf_xbtusd'; krakenfutures asks margin for the larger leg only")
            for like, quantity in (
                ("KRF-001", "liquidation_price"),
                ("KRF-002", "bankruptcy_price"),
                ("KRF-003", "initial_margin"),
                ("KRF-004", "maintenance_margin"),
                ("KRF-003", "used_margin"),
            )
        ),
        ("KRF-003", {"+": {"other_positions": [{"side": "short", "qty": 5}]}}, "^symbol in other_positions must be another one for an opposite leg, was blank"),
        *(
            ("BYB-002", {"+": {name: value}}, f"^other_inputs must be free of unknown inputs, was '{name}'; take it out or rename it")
            for name, value in (
                ("price_now", "high"),
                ("mmr", 0.01),
                ("mm_rate", "1 %"),
                ("maintenance_amount", 5),
                ("commission", "taker"),
                ("liq_fee", 0.01),
                ("Mark_Price", 1_100),
                ("funding_level", "low"),
                ("adjustment", 3),
                ("adjustment", "3"),
                ("adjustments", {"a": [1]}),
                ("interest_rate", 0.01),
                ("notional_max", 5),
                ("round_to", "tick"),
            )
        ),
        (
            "BIN-001",
            {"+": {"other_positions": [{"qty": 1, "entry": 2, "mark": 3, "mmr": 0.1, "maintenance_amount": 1}]}},
            "^other_positions must be free of unknown inputs, was 'maintenance_amount'",
        ),
        *(
            ("BYB-002", {"+": {"rounding": words}}, "^rounding in other_inputs must be made of known words, was")
            for words in ("half up", "upwards", "2 decimals", "up for long maybe", "up for both", 2)
        ),
        ("BYB-032", {"+": {"rule": "odd"}}, "^rule in other_inputs must be clear, was 'odd'"),
        ("BYB-032", {"+": {"date": "last week"}}, "^date in other_inputs must be written YYYY-MM"),
        (
            "BIN-001",
            {"+": {"other_positions": [{"qty": 1, "entry": 2, "mark": 3}]}},
            "^mmr in other_positions must be given for each position, was blank; add it",
        ),
        (
            "BIN-001",
            {"+": {"other_positions": [{"qty": 1, "side": "up"}]}},
            "^side in other_positions must be long or short, was 'up'",
        ),
        ("BIN-001", {"+": {"other_positions": {}}}, "^other_positions in other_inputs must be a list"),
    ],
)  # fmt: skip
def test_input_that_is_missing_or_unknown_is_named(
    like: str, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        compute(_row(like, changes))


@pytest.mark.parametrize("text", ["{", "[]", "3"])
def test_other_inputs_that_are_not_an_object_are_named(text: str) -> None:
    with pytest.raises(ValueError, match=r"^other_inputs must be a JSON object, was"):
        compute(_row("BIN-006", {}) | {"other_inputs": text})
