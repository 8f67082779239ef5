"""Explorers and tables use the facts that were fetched when they are asked to, and say which."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from leverage.lessons.explorers.liquidation_map import LiquidationMap, map_trade
from leverage.lessons.explorers.platform_comparer import PlatformComparer
from leverage.lessons.explorers.tier_explorer import _MARKETS, TierExplorer
from leverage.venues import compare, facts_in_use, platform_factors
from leverage.venues.fetching import Fetched, FetchedTiers
from leverage.venues.refresh import overlay_text

MEXC = [entry[1] for entry in _MARKETS].index("mexc")
EXPLORERS: list[Callable[..., Any]] = [LiquidationMap, PlatformComparer, TierExplorer]


@pytest.fixture
def fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """MEXC's facts as fetched on a day: 200x, maintenance of 0.2 %, a fee of 0.03 %."""
    monkeypatch.setenv("LEVERAGE_FACTS", str(tmp_path))
    tiers = ((0.0, 10.0, 0.002, 200.0), (10.0, 50.0, 0.01, 50.0))
    table = FetchedTiers("BTC_USDT", "BTC", "BTC", "quantity", tiers)
    said = Fetched("mexc", "futures", "GET x", {"taker_fee_rate": 0.0003}, (table,))
    text = overlay_text(said, "ccxt 4.5.90", datetime(2026, 12, 1, 9, 30, tzinfo=UTC))
    (tmp_path / "mexc.toml").write_text(text, encoding="utf-8")
    return "Facts fetched: MEXC 2026-12-01; as bundled for the others."


@pytest.mark.usefixtures("fetched")
def test_map_shows_what_the_fetched_table_and_fee_make_of_a_trade() -> None:
    how: dict[str, Any] = {"notional": 98_000, "leverage": 10}
    (at,) = (t for t in map_trade(1, 98_000, live=True, **how) if t.name == "MEXC futures")
    assert at.price == pytest.approx(98_000 * 0.9 / (1 - 0.002 - 0.0003))
    assert at.reason.replace("\u202f", " ") == (
        "maintenance of 0.20 % and a closing fee of 0.03 % at the mark price"
    )
    bundled, live = (
        {row.name: row.price for row in map_trade(1, 98_000, live=live, **how)}
        for live in (False, True)
    )
    assert {name for name in bundled if bundled[name] != live[name] == live[name]} == {at.name}


@pytest.mark.usefixtures("fetched")
def test_tier_explorer_shows_the_fetched_table_in_place_of_the_newest_bundled_one() -> None:
    explorer = TierExplorer(live=True, market=MEXC, leverage=200, notional=100_000.0)
    assert explorer.is_allowed
    assert "MEXC BTC_USDT, fetched 2026-12-01" in explorer.description
    assert (explorer.rows["Table of"], explorer.rows["Confidence"]) == ("2026-12-01", "fetched")
    assert TierExplorer(market=MEXC).rows["Confidence"] == "read once"
    assert TierExplorer(market=MEXC).rows["Table of"] == "about 2025"


@pytest.mark.usefixtures("fetched")
def test_old_table_stays_old_when_newer_facts_were_fetched() -> None:
    for number, entry in enumerate(_MARKETS):
        if entry[1] != "mexc":
            explorer = TierExplorer(live=True, market=number)
            assert explorer.rows["Table of"] == TierExplorer(market=number).rows["Table of"]


@pytest.mark.usefixtures("fetched")
def test_factors_of_platforms_follow_the_fetched_facts() -> None:
    bundled, live = (platform_factors(live=live).loc["mexc"] for live in (False, True))
    assert (bundled["taker_fee_rate"], live["taker_fee_rate"]) == (0.0004, 0.0003)
    assert (bundled["max_leverage"], live["max_leverage"]) == (95.24, 200)
    weights = {"fees": 0, "leverage": 10, "facts": 0, "record": 0}
    rankings = [PlatformComparer(live=live, **weights).rows for live in (False, True)]
    assert rankings[0] != rankings[1]


@pytest.mark.parametrize("explorer", EXPLORERS)
def test_explorer_says_which_facts_were_fetched(explorer: Callable[..., Any], fetched: str) -> None:
    assert explorer(live=True).sentence.endswith(fetched)
    assert "fetched" not in explorer().sentence


@pytest.mark.parametrize("explorer", EXPLORERS)
def test_explorer_says_that_nothing_was_fetched(
    explorer: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEVERAGE_FACTS", str(tmp_path / "none"))
    assert explorer(live=True).sentence.endswith(facts_in_use())
    assert facts_in_use().startswith("Nothing was fetched, so facts are as bundled; `python -m")


@pytest.mark.usefixtures("fetched")
def test_comparison_names_a_fetched_fee_where_no_fetched_table_does() -> None:
    how: dict[str, Any] = {"notional": 1_000, "leverage": 2, "venues": "mexc", "live": True}
    (row,) = compare(1, 10, asset="SOL", **how)
    assert any(
        c.startswith("futures.taker_fee_rate was fetched: GET x, 2026-12-01 09:30 UTC, by ccxt")
        for c in row.conditions
    )
