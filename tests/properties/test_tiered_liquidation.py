"""The liquidation price on a tier table, against margin evaluated at every mark."""

import math
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

import leverage as lv
from leverage import LONG, SHORT, TierTable

EXACT = 1e-9
TICK = 1e-7  # of the price: far above rounding errors, far below everything else

hurry = settings(deadline=None, max_examples=settings.default.max_examples * 150 // 100)


def bracket_sum(value: Any, table: TierTable) -> Any:
    """Sum of the slices of a notional, each at the rate of its own tier."""
    slices = np.clip(
        np.asarray(value)[..., None], table.bounds[:-1], [*table.bounds[1:-1], math.inf]
    )
    return (slices - table.bounds[:-1]) @ np.array(table.maintenance_margin_rates)


@dataclass(frozen=True)
class Case:
    """A position on a tier table; a unit of notional is a unit of the settlement currency."""

    side: int
    entry_price: float
    quantity: float
    margin: float
    table: TierTable
    fee_rate: float
    inverse: bool
    other_pnl: float = 0.0
    other_requirement: float = 0.0
    mark_price: float | None = None

    @property
    def falls(self) -> int:
        """1 where a falling notional loses, -1 where a rising one does."""
        return -self.side if self.inverse else self.side

    @property
    def price(self) -> float:
        price = lv.tiered_liquidation_price(
            self.side,
            self.entry_price,
            self.quantity,
            self.margin,
            self.table,
            closing_fee_rate=self.fee_rate,
            other_pnl=self.other_pnl,
            other_requirement=self.other_requirement,
            mark_price=self.mark_price,
            inverse=self.inverse,
        )
        assert isinstance(price, float)
        return price

    def notional(self, price: Any) -> Any:
        return lv.notional(price, self.quantity, inverse=self.inverse)

    def equity(self, price: Any) -> Any:
        own = lv.pnl(self.side, self.entry_price, price, self.quantity, inverse=self.inverse)
        return self.margin + self.other_pnl + own

    def requirement(self, price: Any) -> Any:
        """What must be there, slice by slice: not the way in which the price is found."""
        value = np.asarray(self.notional(price))
        table = self.table
        if table.is_continuous:
            own = bracket_sum(value, table)
        else:
            own = np.zeros_like(value)
            for low, rate in zip(table.bounds, table.maintenance_margin_rates, strict=False):
                own = np.where(value > low, rate * value, own)
        return own + self.fee_rate * value + self.other_requirement

    def lives(self, price: Any) -> Any:
        return self.equity(price) > self.requirement(price)


@st.composite
def tables(draw: st.DrawFn, *, whole: bool = False) -> TierTable:
    count = draw(st.integers(1, 12))
    widths = draw(st.lists(st.floats(0.1, 3), min_size=count, max_size=count))
    bounds = [0.0, *accumulate(10**width for width in widths)]
    steps = draw(st.lists(st.floats(0.0005, 0.05), min_size=count, max_size=count))
    rates = list(accumulate(steps))
    return TierTable(bounds, rates) if whole else TierTable.marginal(bounds, rates)


@st.composite
def cases(draw: st.DrawFn, *, whole: bool = False, cross: bool = True) -> Case:
    """Draw a position whose notional at entry may lie in any tier, or above the last one."""
    table = draw(tables(whole=whole))
    inverse = draw(st.booleans())
    entry = 10 ** draw(st.floats(-4, 5))
    value = table.cap * draw(st.one_of(st.floats(1e-4, 1.5), st.floats(1e-4, 0.01)))
    quantity = value * entry if inverse else value / entry
    margin = value / draw(st.floats(0.8, 100))
    others = {}
    if cross and draw(st.booleans()):
        others = {
            "other_pnl": margin * draw(st.floats(-0.9, 3)),
            "other_requirement": margin * draw(st.floats(0, 0.5)),
        }
    # Backed to the last digit by its own notional, a position dies at 0 or infinity: rounding errors.
    backing = margin + others.get("other_pnl", 0.0) - others.get("other_requirement", 0.0)
    assume(abs(backing - value) > 1e-6 * value)
    return Case(
        side=draw(st.sampled_from([LONG, SHORT])),
        entry_price=entry,
        quantity=quantity,
        margin=margin,
        table=table,
        fee_rate=draw(st.sampled_from([0.0, 0.0006])),
        inverse=inverse,
        **others,
    )


def found(case: Case) -> float:
    """Give the liquidation price; skip the example where there is none."""
    price = case.price
    assume(0 < price < math.inf)
    return price


@hurry
@given(cases())
def test_equity_equals_the_requirement_at_the_tiered_liquidation_price(case: Case) -> None:
    price = found(case)
    rounding = 1e-15 * (case.notional(case.entry_price) + case.notional(price) + case.margin)
    assert case.equity(price) == pytest.approx(
        float(case.requirement(price)), rel=EXACT, abs=10 * rounding
    )


@hurry
@given(cases())
def test_one_tick_before_the_position_lives_and_one_tick_after_it_does_not(case: Case) -> None:
    price = found(case)
    assert case.lives(price * (1 + case.side * TICK))
    assert not case.lives(price * (1 - case.side * TICK))


@hurry
@given(cases())
def test_margin_evaluated_at_every_mark_agrees_with_the_liquidation_price(case: Case) -> None:
    price, entry = case.price, case.entry_price
    marks = entry * np.concatenate([np.linspace(0.01, 3, 700), np.geomspace(1e-3, 1e3, 300)])
    clear = abs(marks - price) > TICK * marks
    expected = marks > price if case.side == LONG else marks < price
    assert (case.lives(marks) == expected)[clear].all()


@hurry
@given(cases())
def test_chosen_tier_contains_the_notional_at_the_liquidation_price(case: Case) -> None:
    price = found(case)
    value = case.notional(price)
    number = int(np.searchsorted(case.table.bounds[1:-1], value))
    rate = case.table.maintenance_margin_rates[number]
    amount = case.table.maintenance_amounts[number]
    assert number + 1 == case.table.tier_number(value)
    # The formula of that one tier gives the same price back.
    backing = case.margin + case.other_pnl - case.other_requirement
    assume(backing >= 0)
    fixed = lv.liquidation_price(
        case.side,
        case.entry_price,
        case.quantity,
        backing,
        rate,
        maintenance_amount=amount,
        closing_fee_rate=case.fee_rate,
        inverse=case.inverse,
    )
    assert price == pytest.approx(fixed, rel=EXACT)


@hurry
@given(cases(cross=False))
def test_no_liquidation_price_means_that_every_mark_is_survived(case: Case) -> None:
    paid = replace(case, margin=float(case.notional(case.entry_price)) * 1.000001)
    if case.falls < 0:
        assert 0 < paid.price < math.inf
        return
    assert paid.price == (0.0 if case.side == LONG else math.inf)
    assert paid.lives(case.entry_price * np.geomspace(1e-6, 1e6, 61)).all()


@hurry
@given(cases(), st.floats(1.001, 3.0))
def test_a_cross_position_whose_margin_is_lost_has_a_price_out_of_reach(
    case: Case, times: float
) -> None:
    assume(case.falls < 0)
    value = float(case.notional(case.entry_price))
    lost = replace(case, other_pnl=-case.margin - times * value, other_requirement=0.0)
    assert lost.price == (0.0 if case.side == SHORT else math.inf)
    assert not lost.lives(case.entry_price * np.geomspace(1e-6, 1e6, 61)).any()


@hurry
@given(cases(whole=True, cross=False))
@example(Case(LONG, 100.0, 1.5, 1.6, TierTable([0, 151, 1e3], [0.005, 0.02]), 0.0, False))
@example(Case(SHORT, 100.0, 1.5, 2.2, TierTable([0, 151, 1e3], [0.005, 0.02]), 0.0, False))
@example(Case(SHORT, 100.0, 1.5, 1.6, TierTable([0, 151, 1e3], [0.005, 0.02]), 0.0, True))
def test_on_a_table_with_jumps_it_is_the_first_dead_mark_from_the_entry(case: Case) -> None:
    price, entry = case.price, case.entry_price
    if not case.lives(entry):
        assume(0 < price < math.inf)
        assert price == pytest.approx(entry, rel=1e-12) or case.side * (price - entry) > 0
        assert case.lives(price * (1 + case.side * TICK))
        return
    assert case.side * (entry - price) > 0
    stop = max(price, entry * 1e-6) if case.side == LONG else min(price, entry * 1e6)
    marks = np.geomspace(entry, stop * (1 + case.side * TICK), 500)
    assert case.lives(marks[case.side * (marks - stop) > 0]).all()
    if price == stop:  # a price nearer to 0 or infinity is a rounding error of the margin
        assert not case.lives(price * (1 - case.side * TICK))


@hurry
@given(cases(whole=True), st.floats(-0.1, 1.0))
@example(
    Case(LONG, 49_500.0, 20.0, 9_950.0, TierTable([0, 1e6, 1e9], [0.01, 0.02]), 0.0, False), 0.03
)
def test_on_a_table_with_jumps_it_is_the_first_dead_mark_from_the_mark_price(
    case: Case, gain: float
) -> None:
    mark = case.entry_price * (1 + gain) ** case.side
    price = replace(case, mark_price=mark).price
    if not case.lives(mark):
        assert price >= mark * (1 - EXACT) if case.side == LONG else price <= mark * (1 + EXACT)
        return
    stop = max(price, mark * 1e-6) if case.side == LONG else min(price, mark * 1e6)
    marks = np.geomspace(mark, stop * (1 + case.side * TICK), 500)
    assert case.lives(marks[case.side * (marks - stop) > TICK * stop / 2]).all()
    assert case.side * (mark - price) > -EXACT * mark
    if 1e-6 * mark < price < 1e6 * mark:  # beyond, rounding errors of the entry are larger
        assert not case.lives(price * (1 - case.side * TICK))


@hurry
@given(cases(whole=True, cross=False))
def test_on_a_table_with_jumps_it_solves_a_tier_or_lies_on_a_bound(case: Case) -> None:
    price = found(case)
    value = case.notional(price)
    rounding = 1e-15 * (case.notional(case.entry_price) + value + case.margin)
    needs = {
        float(case.requirement(price * (1 + shift))) for shift in (0.0, 1e-13, -1e-13, 1e-9, -1e-9)
    }
    on_bound = np.isclose(value, case.table.bounds[1:-1], rtol=1e-12, atol=0).any()
    solves = any(
        case.equity(price) == pytest.approx(need, rel=1e-6, abs=10 * rounding) for need in needs
    )
    assert solves or (on_bound and min(needs) <= case.equity(price) <= max(needs))


@hurry
@given(cases(), st.floats(1.01, 5))
def test_more_margin_never_brings_the_tiered_liquidation_nearer(case: Case, more: float) -> None:
    price, further = case.price, replace(case, margin=case.margin * more).price
    assert further == price or case.side * (price - further) > -EXACT * price


@hurry
@given(cases(), st.floats(0, 0.3))
def test_a_stricter_table_never_moves_the_tiered_liquidation_away(case: Case, extra: float) -> None:
    rates = [rate + extra for rate in case.table.maintenance_margin_rates]
    stricter = replace(case, table=TierTable.marginal(case.table.bounds, rates)).price
    assert stricter == case.price or case.side * (stricter - case.price) > -EXACT * stricter


@hurry
@given(cases())
def test_the_whole_position_reading_is_never_kinder_than_the_marginal_one(case: Case) -> None:
    table = TierTable(case.table.bounds, case.table.maintenance_margin_rates)
    whole = replace(case, table=table).price
    assert whole == case.price or case.side * (whole - case.price) > -EXACT * whole


@hurry
@given(cases(), st.floats(0.01, 100))
def test_a_table_and_a_position_in_another_unit_have_the_same_price(
    case: Case, factor: float
) -> None:
    bounds = [bound * factor for bound in case.table.bounds]
    table = TierTable.marginal(bounds, case.table.maintenance_margin_rates)
    scaled = replace(
        case,
        table=table,
        quantity=case.quantity * factor,
        margin=case.margin * factor,
        other_pnl=case.other_pnl * factor,
        other_requirement=case.other_requirement * factor,
    )
    assert scaled.price == pytest.approx(case.price, rel=EXACT, abs=1e-12 * case.entry_price)


@hurry
@given(cases())
def test_an_inverse_tiered_position_is_a_linear_one_on_the_other_side_in_one_over_price(
    case: Case,
) -> None:
    other = replace(
        case, inverse=not case.inverse, side=-case.side, entry_price=1 / case.entry_price
    )
    mirrored = other.price
    expected = math.inf if mirrored == 0 else 1 / mirrored
    assert case.price == pytest.approx(expected, rel=EXACT)


@hurry
@given(cases())
def test_a_long_mirrored_at_its_entry_without_requirement_is_a_short(case: Case) -> None:
    free = replace(
        case, table=TierTable.flat(0.0), fee_rate=0.0, inverse=False, other_requirement=0.0
    )
    long, short = (replace(free, side=side).price for side in (LONG, SHORT))
    assume(long > 0)
    assume(short > 0)
    assert (long + short) / 2 == pytest.approx(case.entry_price, rel=EXACT)


@hurry
@given(cases(cross=False))
def test_one_tier_gives_the_fixed_rate_liquidation_price(case: Case) -> None:
    rate = case.table.maintenance_margin_rates[0]
    fixed = lv.liquidation_price(
        case.side,
        case.entry_price,
        case.quantity,
        case.margin,
        rate,
        closing_fee_rate=case.fee_rate,
        inverse=case.inverse,
    )
    assert replace(case, table=TierTable.flat(rate)).price == pytest.approx(fixed, rel=1e-12)


@hurry
@given(cases())
def test_cross_equals_isolated_with_the_same_backing(case: Case) -> None:
    backing = case.margin + case.other_pnl - case.other_requirement
    assume(backing >= 0)
    alone = replace(case, margin=backing, other_pnl=0.0, other_requirement=0.0)
    assert case.price == pytest.approx(alone.price, rel=EXACT, abs=1e-9 * case.entry_price)


@hurry
@given(st.lists(cases(), min_size=1, max_size=5), st.booleans())
def test_many_positions_at_once_equal_each_alone(book: list[Case], one_fee: bool) -> None:
    table, inverse = book[0].table, book[0].inverse
    if one_fee:
        book = [replace(case, fee_rate=book[0].fee_rate) for case in book]
    book = [replace(case, table=table, inverse=inverse) for case in book]
    columns = {
        name: np.array([getattr(case, name) for case in book])
        for name in ("side", "entry_price", "quantity", "margin", "other_pnl", "other_requirement")
    }
    fees = book[0].fee_rate if one_fee else np.array([case.fee_rate for case in book])
    prices = lv.tiered_liquidation_price(
        **columns, tiers=table, closing_fee_rate=fees, inverse=inverse
    )
    assert np.asarray(prices).tolist() == pytest.approx([case.price for case in book], rel=1e-12)


@hurry
@given(tables(), st.floats(0, 2))
def test_the_requirement_is_continuous_and_the_sum_of_its_brackets(
    table: TierTable, share: float
) -> None:
    value = share * table.cap
    brackets = bracket_sum(value, table)
    assert table.is_continuous
    assert table.maintenance_margin(value) == pytest.approx(brackets, rel=1e-12, abs=1e-12)
    inner = np.array(table.bounds[1:-1])
    below, above = table.maintenance_margin(inner), table.maintenance_margin(inner * (1 + 1e-12))
    assert above == pytest.approx(below, rel=1e-9)


# Hedge mode


@st.composite
def hedges(draw: st.DrawFn) -> dict[str, Any]:
    table = draw(tables())
    entry, inverse = 10 ** draw(st.floats(-2, 4)), draw(st.booleans())
    value = table.cap * draw(st.floats(1e-3, 1))
    size = value * entry if inverse else value / entry
    return {
        "long_entry_price": entry,
        "long_quantity": size,
        "short_entry_price": entry * draw(st.floats(0.9, 1.1)),
        "short_quantity": size * draw(st.one_of(st.floats(0.2, 5), st.floats(0.97, 1.03))),
        "margin": value * draw(st.floats(0.01, 1.5)),
        "closing_fee_rate": draw(st.sampled_from([0.0, 0.0006])),
        "inverse": inverse,
    } | {"table": table, "mark": entry * draw(st.floats(0.95, 1.05))}


def hedge_lives(hedge: dict[str, Any], price: Any, need: Any) -> Any:
    kind = {"inverse": hedge["inverse"]}
    equity, requirement = hedge["margin"], 0.0
    for leg, side in (("long", LONG), ("short", SHORT)):
        entry, size = hedge[f"{leg}_entry_price"], hedge[f"{leg}_quantity"]
        value = lv.notional(price, size, **kind)
        equity = equity + lv.pnl(side, entry, price, size, **kind)
        requirement = requirement + need(value) + hedge["closing_fee_rate"] * value
    return equity > requirement


@hurry
@given(hedges())
def test_a_hedge_lives_between_its_two_liquidation_prices(hedge: dict[str, Any]) -> None:
    hedge = dict(hedge)
    table, mark = hedge.pop("table"), hedge.pop("mark")
    low, high = lv.tiered_hedge_liquidation_prices(**hedge, tiers=table, mark_price=mark)
    need = table.maintenance_margin
    if not hedge_lives(hedge, mark, need):
        assert low == pytest.approx(mark, rel=1e-12)
        assert high == pytest.approx(mark, rel=1e-12)
        return
    floor, ceiling = max(low, mark * 1e-6), min(high, mark * 1e6)
    marks = np.geomspace(floor, ceiling, 401)
    marks = marks[(marks > floor * (1 + TICK)) & (marks < ceiling * (1 - TICK))]
    assert hedge_lives(hedge, marks, need).all()
    assert low == 0 or not hedge_lives(hedge, low * (1 - TICK), need)
    assert high == math.inf or not hedge_lives(hedge, high * (1 + TICK), need)


@hurry
@given(hedges(), st.floats(0, 0.1), st.floats(0, 0.1))
def test_both_legs_meet_their_requirement_together_at_the_hedge_price(
    hedge: dict[str, Any], rate: float, short_rate: float
) -> None:
    hedge = dict(hedge)
    hedge.pop("table")
    hedge.pop("mark")
    price = lv.hedge_liquidation_price(
        **hedge, maintenance_margin_rate=rate, short_maintenance_margin_rate=short_rate
    )
    assume(0 < price < math.inf)
    kind = {"inverse": hedge["inverse"]}
    equity, requirement, scale = hedge["margin"], 0.0, hedge["margin"]
    for leg, side, leg_rate in (("long", LONG, rate), ("short", SHORT, short_rate)):
        entry, size = hedge[f"{leg}_entry_price"], hedge[f"{leg}_quantity"]
        value = lv.notional(price, size, **kind)
        equity += lv.pnl(side, entry, price, size, **kind)
        requirement += (leg_rate + hedge["closing_fee_rate"]) * value
        scale += value + lv.notional(entry, size, **kind)
    assert equity == pytest.approx(requirement, abs=EXACT * scale)


@hurry
@given(hedges(), st.floats(0.001, 0.1))
def test_a_hedge_on_one_tier_has_the_price_of_the_fixed_rate(
    hedge: dict[str, Any], rate: float
) -> None:
    hedge = dict(hedge)
    hedge.pop("table")
    mark = hedge.pop("mark")
    low, high = lv.tiered_hedge_liquidation_prices(
        **hedge, tiers=TierTable.flat(rate), mark_price=mark
    )
    assume(low != high)
    price = lv.hedge_liquidation_price(**hedge, maintenance_margin_rate=rate)
    assert price == pytest.approx(low, rel=EXACT) or price == pytest.approx(high, rel=EXACT)
