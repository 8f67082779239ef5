"""The tier tables are those that were gathered, value by value, and hang together."""

import csv
import re
from math import inf
from pathlib import Path

import numpy as np
import pytest

import leverage as lv
from leverage.venues import TierData, UnknownFactError, load_venue, venue_names

GATHERED = Path(__file__).parent / "gathered"
SHOWN_ONLY = {
    "bybit/linear/BTCUSDT undated",
    "bitget/usdt_futures/ETHUSD T",
    "kraken/futures_linear/class B",
    "mexc/futures/BTC_USDT undated",
}

# gathered file -> venue, product, symbol and the date of its tables (any if empty)
FILES = {
    "binance_BTCUSDT": ("binance", "usdt_futures", "BTCUSDT", "2026-09-29"),
    "binance_BTCUSDT_2024-10": ("binance", "usdt_futures", "BTCUSDT", "2024-10-24"),
    "binance_BTCUSD_PERP_coinm_partial": ("binance", "coin_futures", "BTCUSD_PERP", ""),
    "binance_DOGEUSDT": ("binance", "usdt_futures", "DOGEUSDT", "2026-09-29"),
    "binance_ETHUSDT": ("binance", "usdt_futures", "ETHUSDT", "2026-09-29"),
    "binance_ETHUSDT_2024-10": ("binance", "usdt_futures", "ETHUSDT", "2024-10-24"),
    "binance_SOLUSDT": ("binance", "usdt_futures", "SOLUSDT", "2026-09-29"),
    "binance_XRPUSDT": ("binance", "usdt_futures", "XRPUSDT", "2026-09-29"),
    "bitget_BTCUSDT": ("bitget", "usdt_futures", "BTCUSDT", "2025-09-26"),
    "bitget_ETHUSD_symbol_ambiguous": ("bitget", "usdt_futures", "ETHUSD T", "2025-07-23"),
    "bitget_SOLUSDT": ("bitget", "usdt_futures", "SOLUSDT", "2025-09-12"),
    "bybit_BTCUSDT_partial": ("bybit", "linear", "BTCUSDT", ""),
    "bybit_BTCUSD_inverse_partial": ("bybit", "inverse", "BTCUSD", "2022-12-26"),
    "bybit_ETHUSDT_partial": ("bybit", "linear", "ETHUSDT", "2022-11"),
    "bybit_XRPUSDT_partial": ("bybit", "linear", "XRPUSDT", "2022-12"),
    "krakenfutures_PF_DOGEUSD": ("kraken", "futures_linear", "PF_DOGEUSD", "undated"),
    "krakenfutures_PF_ETHUSD": ("kraken", "futures_linear", "PF_ETHUSD", "undated"),
    "krakenfutures_PF_XBTUSD": ("kraken", "futures_linear", "PF_XBTUSD", "undated"),
    "krakenfutures_PI_ETHUSD": ("kraken", "futures_inverse", "PI_ETHUSD", "undated"),
    "krakenfutures_PI_XBTUSD": ("kraken", "futures_inverse", "PI_XBTUSD", "undated"),
    "krakenfutures_PI_XRPUSD": ("kraken", "futures_inverse", "PI_XRPUSD", "undated"),
    "krakenfutures_classB_generic": ("kraken", "futures_linear", "class B", "undated"),
    "mexc_BTC_USDT_bounds_in_BTC": ("mexc", "futures", "BTC_USDT", ""),
}

TABLES = [
    table
    for name in venue_names()
    for product in load_venue(name).products
    for table in product.tier_tables
]
TABLE_IDS = [f"{t.venue}-{t.product}-{t.symbol}-{t.as_of}-{n}" for n, t in enumerate(TABLES)]


def number(cell: str) -> float | None:
    """The number in a cell such as `50 BTC`; None for an empty one."""
    return float(cell.split()[0]) if cell.strip() else None


def test_every_gathered_file_is_accounted_for() -> None:
    assert {path.stem for path in GATHERED.glob("*.csv")} == set(FILES)


@pytest.mark.parametrize("name", FILES)
def test_tables_equal_what_was_gathered(name: str) -> None:
    venue, product, symbol, as_of = FILES[name]
    tables = [
        table
        for table in TABLES
        if (table.venue, table.product, table.symbol) == (venue, product, symbol)
        and as_of in ("", table.as_of)
    ]
    ours = [(table, tier) for table in tables for tier in table.tiers]
    with (GATHERED / f"{name}.csv").open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert len(ours) == len(rows)
    for (table, tier), row in zip(ours, rows, strict=True):
        upper = number(row["max_notional"])
        assert tier.lower == number(row["min_notional"])
        assert tier.upper == (inf if upper is None else upper)
        assert tier.maintenance_margin_rate == number(row["mmr"])
        assert tier.max_leverage == number(row["max_leverage"])
        assert tier.maintenance_amount == number(row["maintenance_amount"])
        assert row["source"].startswith(table.source[:40])
        years = re.findall(r"\d{4}", row["as_of"])
        assert years or table.as_of == "undated"
        assert table.as_of == "undated" or table.as_of.removeprefix("about ")[:4] in years


def test_no_table_was_added_to_what_was_gathered() -> None:
    known = {(venue, product, symbol) for venue, product, symbol, _ in FILES.values()}
    held = {(table.venue, table.product, table.symbol) for table in TABLES}
    assert held == known, (
        "put the table as it was gathered into tests/venues/gathered/ and name it in FILES above"
    )


@pytest.mark.parametrize("table", TABLES, ids=TABLE_IDS)
def test_tiers_follow_each_other_without_gaps(table: TierData) -> None:
    for tier, following in zip(table.tiers[:-1], table.tiers[1:], strict=True):
        assert tier.upper == following.lower
        assert tier.maintenance_margin_rate <= following.maintenance_margin_rate
    if table.used:
        assert table.tiers[0].lower == 0


WITH_AMOUNTS = [table for table in TABLES if table.states_amounts]


@pytest.mark.parametrize(
    "table", WITH_AMOUNTS, ids=[f"{t.venue}-{t.symbol}-{t.as_of}" for t in WITH_AMOUNTS]
)
def test_stated_amounts_follow_the_recurrence(table: TierData) -> None:
    stated = [tier.maintenance_amount for tier in table.tiers]
    computed = lv.tiers.maintenance_amounts(
        [tier.lower for tier in table.tiers],
        [tier.maintenance_margin_rate for tier in table.tiers],
    )
    assert np.allclose(stated, computed, rtol=1e-12, atol=1e-6)


def test_full_tables_and_partial_ones_state_amounts() -> None:
    assert sum(len(table.tiers) > 1 for table in WITH_AMOUNTS) >= 7
    assert sum(len(table.tiers) == 1 for table in WITH_AMOUNTS) >= 3


@pytest.mark.parametrize(
    "table", [t for t in TABLES if t.used], ids=lambda t: f"{t.venue}-{t.symbol}-{t.as_of}"
)
def test_core_takes_every_table_that_is_used(table: TierData) -> None:
    core = table.table("given" if table.states_amounts else "whole")
    for tier in table.tiers:
        inside = min(tier.upper, tier.lower + 1)
        assert core.maintenance_margin_rate(inside) == tier.maintenance_margin_rate
        if table.states_leverage:
            assert core.max_leverage(inside) == tier.max_leverage


def test_doubtful_tables_are_shown_but_never_used() -> None:
    doubtful = {
        f"{t.venue}/{t.product}/{t.symbol}" + (" undated" if t.symbol.startswith("BTC") else "")
        for t in TABLES
        if not t.used
    }
    assert doubtful == SHOWN_ONLY, "a table with used = false is named in SHOWN_ONLY above"
    with pytest.raises(UnknownFactError) as caught:
        load_venue("bitget").product("usdt_futures").tiers("ETH")
    assert caught.value.fact == "usdt_futures.tiers.ETH"


@pytest.mark.parametrize(
    ("on", "max_leverage", "holds_to"),
    [("2024-10-24", 125, 50_000), ("2026-09-28", 125, 50_000), ("2026-09-29", 150, 300_000)],
)
def test_table_is_the_newest_seen_by_the_day(on: str, max_leverage: int, holds_to: int) -> None:
    first = load_venue("binance", on=on).product("usdt_futures").tiers("BTC").tiers[0]
    assert (first.max_leverage, first.upper) == (max_leverage, holds_to)


def test_table_before_the_first_one_seen_is_unknown() -> None:
    with pytest.raises(UnknownFactError, match=r"usdt_futures\.tiers\.SOL of binance"):
        load_venue("binance", on="2025-01-01").product("usdt_futures").tiers("SOL")


def test_sample_with_a_single_level_is_no_table_to_use() -> None:
    tables = load_venue("mexc").product("futures").tier_tables
    (sample,) = (table for table in tables if len(table.tiers) == 1)
    assert not sample.used
    assert "single level" in sample.note


def test_newest_table_that_may_be_used_is_used() -> None:
    assert load_venue("mexc").product("futures").tiers("BTC").tiers[0].max_leverage == 400
    assert load_venue("mexc", on="2024-12-31").product("futures").tiers("BTC").cap == 75


def test_coin_finds_the_table_of_a_symbol_with_another_spelling() -> None:
    product = load_venue("kraken").product("futures_linear")
    assert product.tiers("BTC") == product.tiers("PF_XBTUSD")
