"""The highest rates that warnings name are those of the course's own facts and prices."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from leverage import _validate
from leverage.history import crash_windows, load_hourly_window
from leverage.venues import Product, load_venue, venue_names


def products() -> Iterator[Product]:
    for name in venue_names():
        yield from load_venue(name).products


def highest(*words: str) -> float:
    values = [
        fact.value
        for product in products()
        for name, fact in product.facts.items()
        if any(word in name for word in words)
    ]
    return max(value for value in values if isinstance(value, int | float))


def test_fees_rollover_and_funding_are_the_highest_of_any_venue() -> None:
    assert highest("taker_fee_rate", "maker_fee_rate") == _validate.FEE.rate
    assert highest("opening_fee_rate", "rollover_fee_rate") == _validate.ROLLOVER.rate
    assert highest("funding_cap") == _validate.FUNDING.rate


def test_maintenance_is_the_highest_of_any_tier_that_it_speaks_of() -> None:
    tables = [table.tiers for product in products() for table in product.tier_tables]
    first = max(tiers[0].maintenance_margin_rate for tiers in tables)
    above_2x = max(
        tier.maintenance_margin_rate
        for tiers in tables
        for tier in tiers
        if (tier.max_leverage or 0) > 2
    )
    assert first == _validate.LIQUIDATION.rate
    assert above_2x == _validate.MAINTENANCE.rate


def test_the_jump_is_the_widest_between_two_hours_of_a_bundled_crash() -> None:
    gaps = []
    for window in crash_windows():
        bars = load_hourly_window(window.date)
        step = bars.index.to_series().diff() == bars.index.to_series().diff().min()
        gaps.append(float((bars["open"] / bars["close"].shift() - 1).abs()[step].max()))
    assert max(gaps) == pytest.approx(_validate.JUMP.rate, rel=0.03)
    assert max(gaps) <= _validate.JUMP.rate
