"""The exchange closes a position at the price that `margin`, `accounts` and `venues` compute."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from math import isclose
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from paper_states import ETHER, HOUR, LINEAR, START

import leverage as lv
from leverage import LONG, SHORT, TierTable
from leverage.paper import PaperExchange, Rules
from leverage.venues import (
    LIQUIDATION_RULES,
    UnknownFactError,
    liquidation_price_at,
    load_venue,
    venue_names,
)

ENTRY = 50_000.0
EXACT = 1e-9
SIDES = {LONG: "buy", SHORT: "sell"}


@dataclass(frozen=True)
class Product:
    """A product of a venue, on a day, with what a trade needs and the venue's data does not say."""

    venue: str
    product: str
    amount: float
    leverage: float
    on: date | None = None
    overrides: dict[str, Any] = field(default_factory=dict)

    @property
    def facts(self) -> Any:
        return load_venue(self.venue, on=self.on).product(self.product)

    @property
    def rule(self) -> str:
        return str(self.facts.fact("liquidation_rule").words())

    def __str__(self) -> str:
        return f"{self.venue}.{self.product}" + (f" {self.on}" if self.on else "")


# What the venue's data do not know, and a fill needs.
FEES = {"taker_fee_rate": 0.0006, "maker_fee_rate": 0.0002}

PRODUCTS = [
    Product("binance", "usdt_futures", 0.5, 20),
    Product("binance", "usdt_futures", 100, 20),
    Product("binance", "cross_margin", 0.5, 3, overrides={**FEES, "interest_rate": 0.0}),
    Product("bitget", "usdt_futures", 0.5, 20),
    Product("bybit", "linear", 0.5, 20, date(2025, 6, 1)),
    Product("bybit", "linear", 0.5, 20, date(2026, 1, 1)),
    Product("bybit", "inverse", 20_000, 20, date(2025, 6, 1), FEES),
    Product("bybit", "inverse", 20_000, 20, date(2026, 1, 1), FEES),
    Product("kraken", "futures_linear", 0.5, 20),
    Product("kraken", "futures_inverse", 20_000, 20),
    Product("kraken", "spot_margin", 0.5, 5, overrides=FEES),
    Product("mexc", "futures", 0.5, 20),
    Product("primexbt", "cfd_margin", 0.5, 50, overrides=FEES),
]
SUBJECTS = [
    pytest.param(product, side, mode, id=f"{product} {product.amount:g} {SIDES[side]} {mode}")
    for product in PRODUCTS
    for side in SIDES
    for mode in ("isolated", "cross")
    if mode in product.facts.fact("margin_modes").value
]


def two_bars(side: int, far: float) -> list[list[float]]:
    """A flat hour, then one that opens there and runs straight to a price far away."""
    high, low = max(ENTRY, far), min(ENTRY, far)
    return [
        [START, ENTRY, ENTRY, ENTRY, ENTRY, 1.0],
        [START + HOUR, ENTRY, high, low, far, 1.0],
    ]


@dataclass
class Trade:
    """A position that was just opened, and what stands behind it."""

    paper: Any
    symbol: str
    margin: float


def opened(product: Product, side: int, mode: str, far: float) -> Trade:
    """Open a position at a venue, alone in its account, with no funding."""
    inverse = product.facts.fact("contract").words() == "inverse"
    size = product.overrides.get("contract_size", 1.0)
    if inverse:
        size = product.facts.fact("contract_size").number()
    value = product.amount * size / ENTRY if inverse else product.amount * ENTRY
    paper = PaperExchange(
        two_bars(side, far),
        venue=product.venue,
        product=product.product,
        on=product.on,
        overrides={"max_leverage": 100, **product.overrides},
        balance=value / product.leverage * 1.2,
    )
    (symbol,) = paper.symbols
    if paper.fetch_margin_mode(symbol)["marginMode"] != mode:
        paper.set_margin_mode(mode, symbol)
    paper.set_leverage(product.leverage, symbol)
    paper.step(1, "bar")
    paper.create_order(symbol, "market", SIDES[side], product.amount)
    (position,) = paper.fetch_positions([symbol])
    assert position["entryPrice"] == ENTRY
    code = paper.markets[symbol]["settle"] or paper.markets[symbol]["quote"]
    margin = position["collateral"] if mode == "isolated" else paper.snapshot()["balance"]
    del code
    return Trade(paper, symbol, float(margin))


def expected_price(product: Product, side: int, margin: float) -> float:
    return liquidation_price_at(
        product.facts, side, ENTRY, product.amount, margin, leverage=product.leverage
    )


@pytest.mark.parametrize(("product", "side", "mode"), SUBJECTS)
def test_a_position_is_closed_at_the_price_that_its_venue_states(
    product: Product, side: int, mode: str
) -> None:
    probe = opened(product, side, mode, ENTRY)
    price = expected_price(product, side, probe.margin)
    assert 0 < price < float("inf")
    assert side * (ENTRY - price) > 0

    shown = probe.paper.fetch_position(probe.symbol)["liquidationPrice"]
    assert isclose(shown, price, rel_tol=EXACT)

    trade = opened(product, side, mode, price * (1 - side * 0.2))
    assert trade.margin == probe.margin
    trade.paper.run_until()
    first = trade.paper.fetch_my_liquidations(trade.symbol)[0]
    assert isclose(first["price"], price, rel_tol=EXACT)


@pytest.mark.parametrize(("product", "side", "mode"), SUBJECTS)
def test_a_price_just_short_of_it_liquidates_nothing(
    product: Product, side: int, mode: str
) -> None:
    price = expected_price(product, side, opened(product, side, mode, ENTRY).margin)
    for share, closed in ((1e-6, False), (-1e-6, True)):
        trade = opened(product, side, mode, price * (1 + side * share))
        trade.paper.run_until()
        assert bool(trade.paper.fetch_my_liquidations(trade.symbol)) is closed


def test_every_rule_of_the_venues_is_tried_on_both_sides() -> None:
    tried = {(subject.values[0].rule, subject.values[1]) for subject in SUBJECTS}
    rules = set(LIQUIDATION_RULES) - {"account limit unknown"}
    assert tried == {(rule, side) for rule in rules for side in SIDES}


def test_every_product_with_a_known_rule_is_tried() -> None:
    tried = {(product.venue, product.product) for product in PRODUCTS}
    for name in venue_names():
        for product in load_venue(name).products:
            rule = product.fact("liquidation_rule")
            if (name, product.id) in tried:
                assert rule.is_known
            elif rule.is_known and rule.words() != "account limit unknown":
                with pytest.raises(UnknownFactError):
                    liquidation_price_at(product, LONG, ENTRY, 1, 2_500, leverage=20)


@pytest.mark.parametrize(
    ("venue", "product"),
    [("gemini", "perpetual"), ("bitget", "coin_futures"), ("primexbt", "crypto_futures")],
)
def test_a_venue_whose_rule_is_unknown_is_not_simulated(venue: str, product: str) -> None:
    with pytest.raises(UnknownFactError):
        PaperExchange(two_bars(LONG, 40_000), venue=venue, product=product, balance=1_000)


# ---- rules of no venue, on random terms

TABLE = TierTable.marginal([0, 20_000, 100_000, 1e9], [0.005, 0.01, 0.05], [100, 50, 20])


@settings(max_examples=80, deadline=None)
@given(
    requirement=st.sampled_from(
        ["maintenance at mark", "maintenance at entry", "closing fee inside"]
    ),
    side=st.sampled_from([LONG, SHORT]),
    amount=st.floats(0.01, 5).map(lambda amount: round(amount, 3)),
    leverage=st.sampled_from([2, 5, 10, 19]),
    entry=st.floats(0.01, 90_000).map(lambda price: float(f"{price:.5g}")),
)
def test_random_positions_are_closed_where_the_core_says(
    requirement: str, side: int, amount: float, leverage: int, entry: float
) -> None:
    size = round(amount * 50_000 / entry, 3)
    rules = Rules(
        requirement=requirement,
        taker_fee_rate=0.0006,
        maker_fee_rate=0.0002,
        tiers=TABLE,
        max_leverage=100,
    )
    far = entry * (1 - side * 0.7)
    high, low = max(entry, far), min(entry, far)
    rows = [[START, entry, entry, entry, entry, 1.0], [START + HOUR, entry, high, low, far, 1.0]]
    paper = PaperExchange({LINEAR: rows}, rules=rules, balance=size * entry)
    paper.set_margin_mode("isolated", LINEAR)
    paper.set_leverage(leverage, LINEAR)
    paper.step(1, "bar")
    order = paper.create_order(LINEAR, "market", SIDES[side], size)
    (position,) = paper.fetch_positions()
    price = lv.tiered_liquidation_price(
        side,
        position["entryPrice"],
        order["filled"],
        position["collateral"] - position["unrealizedPnl"],
        TABLE,
        closing_fee_rate=0.0006 if requirement == "closing fee inside" else 0.0,
        requirement_price=position["entryPrice"] if requirement == "maintenance at entry" else None,
    )
    paper.run_until()
    first = paper.fetch_my_liquidations(LINEAR)[0]
    assert isclose(first["price"], price, rel_tol=EXACT)


# ---- several positions on one collateral

PAIR_RULES = Rules(
    requirement="maintenance at mark",
    taker_fee_rate=0.0006,
    maker_fee_rate=0.0002,
    tiers=TABLE,
    max_leverage=100,
)


@pytest.mark.parametrize(("btc", "eth"), [(LONG, LONG), (SHORT, SHORT), (LONG, SHORT)])
def test_two_cross_positions_are_closed_together_where_the_portfolio_says(
    btc: int, eth: int
) -> None:
    starts = {LINEAR: 50_000.0, ETHER: 3_000.0}
    shocks = {LINEAR: -0.4 * btc, ETHER: -0.3 * eth}
    feeds = {}
    for symbol, start in starts.items():
        far = start * (1 + shocks[symbol])
        feeds[symbol] = [
            [START, start, start, start, start, 1.0],
            [START + HOUR, start, max(start, far), min(start, far), far, 1.0],
        ]
    paper = PaperExchange(feeds, rules=PAIR_RULES, balance=20_000)
    paper.step(1, "bar")
    for symbol, side, amount in ((LINEAR, btc, 1.0), (ETHER, eth, 20.0)):
        paper.set_leverage(10, symbol)
        paper.create_order(symbol, "market", SIDES[side], amount)
    book = lv.Positions([btc, eth], list(starts.values()), [1.0, 20.0], TABLE, coin=["BTC", "ETH"])
    cash = paper.snapshot()["balance"]
    both_fall_first = btc == eth
    strength = lv.liquidation_shock(book, list(starts.values()), cash, list(shocks.values()))
    paper.run_until()
    liquidations = {
        symbol: paper.fetch_my_liquidations(symbol)[0]["price"]
        for symbol in starts
        if paper.fetch_my_liquidations(symbol)
    }
    assert liquidations
    if both_fall_first:
        for symbol, price in liquidations.items():
            assert (
                price <= starts[symbol] * (1 + strength * shocks[symbol]) * (1 + EXACT) or btc < 0
            )
        first = min(liquidations, key=lambda s: abs(liquidations[s] / starts[s] - 1))
        expected = starts[first] * (1 + strength * shocks[first])
        assert isclose(liquidations[first], expected, rel_tol=EXACT)


@pytest.mark.parametrize(("long", "short"), [(1.0, 0.4), (0.4, 1.0)])
def test_a_hedge_is_closed_where_both_legs_meet_their_requirement(
    long: float, short: float
) -> None:
    flat = TierTable.flat(0.01)
    rules = Rules(
        requirement="maintenance at mark",
        taker_fee_rate=0.0006,
        maker_fee_rate=0.0002,
        tiers=flat,
        max_leverage=100,
    )
    side = LONG if long > short else SHORT
    paper = PaperExchange(
        {LINEAR: two_bars(side, ENTRY * (1 - side * 0.5))}, rules=rules, balance=8_000
    )
    paper.set_position_mode(True)
    paper.set_leverage(20, LINEAR)
    paper.step(1, "bar")
    paper.create_order(LINEAR, "market", "buy", long, None, {"positionSide": "long"})
    paper.create_order(LINEAR, "market", "sell", short, None, {"positionSide": "short"})
    price = lv.hedge_liquidation_price(ENTRY, long, ENTRY, short, paper.snapshot()["balance"], 0.01)
    paper.run_until()
    first = paper.fetch_my_liquidations(LINEAR)[0]
    assert isclose(first["price"], price, rel_tol=EXACT)


def test_after_a_gap_the_price_is_the_first_one_behind_it() -> None:
    rows = two_bars(LONG, 30_000.0)
    rows[1] = [START + HOUR, 40_000.0, 40_000.0, 30_000.0, 30_000.0, 1.0]
    paper = PaperExchange({LINEAR: rows}, rules=PAIR_RULES, balance=10_000)
    paper.set_margin_mode("isolated", LINEAR)
    paper.set_leverage(10, LINEAR)
    paper.step(1, "bar")
    paper.create_order(LINEAR, "market", "buy", 0.3)
    paper.run_until()
    assert paper.fetch_my_liquidations(LINEAR)[0]["price"] == 40_000.0


@settings(max_examples=40, deadline=None)
@given(
    sides=st.tuples(st.sampled_from([LONG, SHORT]), st.sampled_from([LONG, SHORT])),
    amounts=st.tuples(st.sampled_from([0.1, 1.5]), st.sampled_from([3.0, 40.0])),
    moves=st.lists(
        st.tuples(st.floats(-0.02, 0.02), st.floats(-0.02, 0.02)), min_size=3, max_size=8
    ),
)
def test_equity_and_requirement_are_those_of_the_portfolio_at_every_tick(
    sides: tuple[int, int], amounts: tuple[float, float], moves: list[tuple[float, float]]
) -> None:
    starts = (50_000.0, 3_000.0)
    feeds = {}
    for column, (symbol, start) in enumerate(zip((LINEAR, ETHER), starts, strict=True)):
        prices = [start, start]
        for move in moves:
            prices.append(prices[-1] * (1 + move[column]))
        feeds[symbol] = [[START + n * 1_000, price] for n, price in enumerate(prices)]
    paper = PaperExchange(feeds, rules=PAIR_RULES, balance=500_000, ticks=True)
    for symbol, side, amount in zip(feeds, sides, amounts, strict=True):
        paper.set_leverage(20, symbol)
        paper.create_order(symbol, "market", SIDES[side], amount)
    book = lv.Positions(list(sides), list(starts), list(amounts), TABLE, coin=["BTC", "ETH"])
    cash = paper.snapshot()["balance"]
    while paper.step():
        marks = [paper.mark_price(symbol) for symbol in feeds]
        assert isclose(
            paper.equity("USDT"), float(lv.portfolio_equity(book, marks, cash)), rel_tol=EXACT
        )
        assert isclose(
            paper.requirement(), float(lv.portfolio_requirement(book, marks)), rel_tol=EXACT
        )
    assert not paper.fetch_my_liquidations()
