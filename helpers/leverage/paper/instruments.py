"""Arithmetic of positions and wallets on plain floats: value, profit, requirement, prices.

The same numbers as in :mod:`leverage.margin`, for one position at a time and without checks: an
exchange evaluates them at every tick. Tests compare the two.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import inf

from leverage.margin import (
    liquidation_price,
    tiered_hedge_liquidation_prices,
    tiered_liquidation_price,
)
from leverage.paper.market_rules import Rules
from leverage.paper.state import Position, Prices
from leverage.tiers import TierTable

# Share of two opposite legs whose difference is a rounding error.
_NOISE = 1e-12


@dataclass(frozen=True, slots=True)
class Market:
    """What one may trade of a symbol, and in which steps.

    Attributes
    ----------
    tick_size, lot_size : float
        Steps of price and amount.
    min_amount, max_amount : float
        Contracts in one order; if no maximum is given, as many lots as can be told apart, 2**53.
    min_cost : float
        Least notional of an order that opens, in the settlement currency.

    Examples
    --------
    >>> Market(tick_size=0.1, lot_size=0.001).min_amount
    0.001
    """

    tick_size: float = 0.1
    lot_size: float = 0.001
    min_amount: float = 0.0
    min_cost: float = 0.0
    max_amount: float = inf

    def __post_init__(self) -> None:
        for name in ("tick_size", "lot_size"):
            if not 0 < getattr(self, name) < inf:
                raise ValueError(f"{name} must be positive and finite, was {getattr(self, name)}")
        if not self.max_amount > 0:
            raise ValueError(f"max_amount must be positive, was {self.max_amount}")
        for name in ("min_amount", "min_cost"):
            if not 0 <= getattr(self, name) < inf:
                raise ValueError(f"{name} must be zero or more, was {getattr(self, name)}")
        if self.min_amount < self.lot_size:
            object.__setattr__(self, "min_amount", self.lot_size)
        if self.max_amount == inf:
            object.__setattr__(self, "max_amount", 2.0**53 * self.lot_size)


@dataclass(frozen=True)
class Instrument:
    """A symbol with everything that the arithmetic needs of it.

    Attributes
    ----------
    symbol, base, quote, settle : str
        Its names.
    rules : Rules
        What holds for it.
    market : Market
        Its steps and limits.
    table : TierTable or None
        Its tiers.
    """

    symbol: str
    base: str
    quote: str
    settle: str
    rules: Rules
    market: Market
    table: TierTable | None

    def __post_init__(self) -> None:
        table = self.table
        lay = object.__setattr__
        lay(self, "inverse", self.rules.is_inverse)
        lay(self, "size", self.rules.contract_size)
        lay(self, "inner", table.bounds[1:-1] if table else ())
        lay(self, "rates", table.maintenance_margin_rates if table else (0.0,))
        lay(self, "amounts", table.maintenance_amounts if table else (0.0,))
        lay(self, "cap", table.cap if table else inf)
        lay(self, "by_quantity", self.rules.tier_unit == "quantity")
        leverages = table.max_leverages if table and table.max_leverages else None
        lay(self, "leverages", leverages or (self.rules.max_leverage,) * len(self.rates))
        lay(self, "is_smooth", table is None or self.by_quantity or table.is_continuous)

    inverse: bool = False
    size: float = 1.0
    inner: tuple[float, ...] = ()
    rates: tuple[float, ...] = (0.0,)
    amounts: tuple[float, ...] = (0.0,)
    cap: float = inf
    by_quantity: bool = False
    leverages: tuple[float, ...] = (1.0,)
    is_smooth: bool = True

    def value(self, contracts: float, price: float) -> float:
        """Notional in the settlement currency."""
        size = contracts * self.size
        return size / price if self.inverse else size * price

    def sized(self, contracts: float) -> str:
        """Write a size: coins where one contract is one coin, contracts otherwise."""
        is_coin = not self.inverse and self.size == 1
        return f"{contracts:g} {self.base if is_coin else 'contracts'}"

    def profit(self, position: Position, price: float) -> float:
        """Profit of a position at a price, before fees."""
        gain = position.side * position.contracts * self.size * (price - position.entry)
        return gain / position.entry / price if self.inverse else gain

    def booked(self, position: Position, contracts: float, price: float) -> float:
        """Profit of closing a part of a position at a price."""
        gain = position.side * contracts * self.size * (price - position.entry)
        return gain / position.entry / price if self.inverse else gain

    def measure(self, contracts: float, price: float) -> float:
        """Size as the bounds of the tiers count it."""
        return contracts * self.size if self.by_quantity else self.value(contracts, price)

    def tier(self, contracts: float, price: float) -> int:
        """Tier of a size at a price, from 0."""
        return bisect_left(self.inner, self.measure(contracts, price))

    def maintenance(self, contracts: float, price: float) -> float:
        """Maintenance margin by the tiers."""
        value = self.value(contracts, price)
        if not self.by_quantity:
            tier = bisect_left(self.inner, value)
            return self.rates[tier] * value - self.amounts[tier]
        return self.quantity_rate(contracts) * value

    def quantity_rate(self, contracts: float) -> float:
        """Share of the notional required where tiers count the quantity."""
        size = contracts * self.size
        tier = bisect_left(self.inner, size)
        return self.rates[tier] - (self.amounts[tier] / size if tier else 0.0)

    def max_leverage(self, contracts: float, price: float) -> float:
        """Largest leverage for a size at a price; 0.0 beyond the last tier."""
        measure = self.measure(contracts, price)
        if measure > self.cap:
            return 0.0
        return self.leverages[bisect_left(self.inner, measure)]

    def largest(self, leverage: float) -> float:
        """Largest size in the unit of the tiers at a leverage."""
        largest = 0.0
        bounds = (*self.inner, self.cap)
        for bound, allowed in zip(bounds, self.leverages, strict=True):
            if allowed >= leverage:
                largest = bound
        return largest

    def need(self, position: Position) -> tuple[bool, float, float]:
        """Say what to keep: the tiers at the mark or not, a share of the value, an amount."""
        rules = self.rules
        name = rules.requirement
        if name == "maintenance at mark":
            return True, 0.0, 0.0
        if name == "closing fee inside":
            return True, max(rules.taker_fee_rate, 0.0), 0.0
        if name == "maintenance at entry":
            return False, 0.0, self.maintenance(position.contracts, position.entry)
        level = rules.close_out_level
        if name == "assets over debt":
            return False, (level - 1 if position.side < 0 else 0.0), 0.0
        if name == "margin level" and position.side < 0:
            return False, level / position.leverage, 0.0
        value = self.value(position.contracts, position.entry)
        return False, 0.0, level * value / position.leverage

    def requirement(self, position: Position, mark: float) -> float:
        """Equity that a position must keep at a mark price."""
        on_tiers, share, fixed = self.need(position)
        need = fixed
        if share:
            need += share * self.value(position.contracts, mark)
        if on_tiers:
            need += self.maintenance(position.contracts, mark)
        return need

    def initial(self, position: Position, mark: float) -> float:
        """Return the initial margin that a position ties up."""
        if position.is_isolated:
            return position.margin
        rules = self.rules
        follows = rules.initial_margin_price == "mark" or (
            rules.requirement == "margin level" and position.side < 0
        )
        price = mark if follows else position.entry
        return self.value(position.contracts, price) / position.leverage

    def steepness(self, position: Position, factor: float = 1.0) -> tuple[float, float]:
        """How fast equity less `factor` requirements can fall: against the position, either way.

        Per unit of price, or per unit of 1/price if inverse.
        """
        on_tiers, share, _ = self.need(position)
        rate = factor * (share + (self.rates[-1] if on_tiers else 0.0))
        size = position.contracts * self.size
        # Where the position loses as its value grows, the requirement grows with the loss.
        loses_growing = (position.side < 0) != self.inverse
        return (size * (1 + rate) if loses_growing else size, size * (1 + rate))


def debt_need(
    instruments: Mapping[str, Instrument], positions: Iterable[Position], cash: float
) -> float:
    """Add up what the debt of long positions requires where assets are measured against it."""
    bought = 0.0
    level = 1.0
    for position in positions:
        instrument = instruments[position.symbol]
        if instrument.rules.requirement == "assets over debt" and position.side > 0:
            bought += instrument.value(position.contracts, position.entry)
            level = instrument.rules.close_out_level
    return (level - 1) * max(bought - cash, 0.0) if bought else 0.0


def standing(
    instruments: Mapping[str, Instrument],
    positions: Iterable[Position],
    cash: float,
    prices: Mapping[str, Prices],
) -> tuple[float, float]:
    """Equity and requirement of positions that share their cash, at the marks."""
    equity = cash
    positions = list(positions)
    needs = []
    for position in positions:
        instrument = instruments[position.symbol]
        mark = prices[position.symbol].mark
        equity += instrument.profit(position, mark)
        needs.append(instrument.requirement(position, mark))
    need = required(instruments, positions, needs)
    return equity, need + debt_need(instruments, positions, cash)


def required(
    instruments: Mapping[str, Instrument], positions: Sequence[Position], margins: Sequence[float]
) -> float:
    """Add margins of positions up; where sides are netted, of each coin the larger side alone."""
    if len(positions) < 2 or not instruments[positions[0].symbol].rules.margin_netting:
        return sum(margins)
    sides: dict[str, list[float]] = {}
    for position, margin in zip(positions, margins, strict=True):
        sums = sides.setdefault(instruments[position.symbol].base, [0.0, 0.0])
        sums[position.side < 0] += margin
    return sum(max(sums) for sums in sides.values())


def closing_price(
    instruments: Mapping[str, Instrument],
    position: Position,
    together: Iterable[Position],
    cash: float,
    prices: Mapping[str, Prices],
) -> float:
    """Mark price at which a position, or the positions it shares cash with, is liquidated.

    Parameters
    ----------
    instruments : mapping of str to Instrument
        By symbol.
    position : Position
        The position asked about.
    together : iterable of Position
        All positions that share the cash, this one among them.
    cash : float
        Isolated margin, or cash of the cross wallet.
    prices : mapping of str to Prices
        Other symbols stay at their marks.

    Returns
    -------
    float
        Price, unrounded; 0.0 or ``inf`` if no price does.

    See Also
    --------
    leverage.margin.tiered_liquidation_price : Where it comes from.
    """
    instrument = instruments[position.symbol]
    others = [other for other in together if other is not position]
    if others and instrument.rules.margin_netting:
        return _searched_price(instruments, position, [position, *others], cash, prices)
    legs = [other for other in others if other.symbol == position.symbol]
    rest = [other for other in others if other.symbol != position.symbol]
    backing, need = cash, debt_need(instruments, [position, *others], cash)
    for other in rest:
        mark = prices[other.symbol].mark
        backing += instruments[other.symbol].profit(other, mark)
        need += instruments[other.symbol].requirement(other, mark)
    mark = prices[position.symbol].mark
    if legs:
        return _hedged_price(instrument, position, legs[0], backing - need, mark)
    on_tiers, share, fixed = instrument.need(position)
    backing -= need + fixed
    basics = (position.side, position.entry, position.contracts, 0.0)
    if on_tiers and instrument.table is not None and not instrument.by_quantity:
        return float(
            tiered_liquidation_price(
                *basics,
                instrument.table,
                closing_fee_rate=share,
                other_pnl=backing,
                mark_price=None if instrument.is_smooth else mark,
                contract_size=instrument.size,
                inverse=instrument.inverse,
            )
        )
    rate = instrument.quantity_rate(position.contracts) if on_tiers else 0.0
    return float(
        liquidation_price(
            *basics,
            rate + share,
            other_pnl=backing,
            contract_size=instrument.size,
            inverse=instrument.inverse,
        )
    )


def _searched_price(
    instruments: Mapping[str, Instrument],
    position: Position,
    together: Sequence[Position],
    cash: float,
    prices: Mapping[str, Prices],
) -> float:
    """Mark against a position at which its group meets a requirement that is not simply a sum."""
    mark = prices[position.symbol].mark

    def is_safe(price: float) -> bool:
        there = {**prices, position.symbol: Prices(price, price, price)}
        equity, need = standing(instruments, together, cash, there)
        return equity > need

    if not is_safe(mark):
        return mark
    # The end of the market in which nothing can be met any more.
    low, high = mark, mark * 1e-9 if position.side > 0 else mark * 1e9
    if is_safe(high):
        return 0.0 if position.side > 0 else inf
    while (middle := (low + high) / 2) not in (low, high):
        low, high = (middle, high) if is_safe(middle) else (low, middle)
    return high


def _hedged_price(
    instrument: Instrument, position: Position, other: Position, backing: float, mark: float
) -> float:
    """Price at which both legs of a symbol are closed together, the same for both.

    It is the one against the larger leg, and the other one where only that exists: a flat hedge
    dies where its requirement outgrows what backs it.
    """
    long, short = (position, other) if position.side > 0 else (other, position)
    on_tiers, share, fixed = instrument.need(long)
    _, short_share, short_fixed = instrument.need(short)
    if not on_tiers or instrument.by_quantity or instrument.table is None or share != short_share:
        table = TierTable.flat(instrument.quantity_rate(position.contracts) if on_tiers else 0.0)
    else:
        table = instrument.table
    low, high = tiered_hedge_liquidation_prices(
        long.entry,
        long.contracts,
        short.entry,
        short.contracts,
        0.0,
        table,
        mark,
        closing_fee_rate=max(share, short_share),
        other_pnl=backing - fixed - short_fixed,
        contract_size=instrument.size,
        inverse=instrument.inverse,
    )
    if low > 0 and high < inf:
        return float(low if long.contracts > short.contracts else high)
    return float(low if low > 0 else high)


def bankrupt_price(
    instrument: Instrument, position: Position, backing: float, *others: Position
) -> float:
    """Price at which a position has used up what backs it; 0.0 or ``inf`` if no price does so.

    Other positions in the same symbol that share the backing move with it.

    Examples
    --------
    >>> instrument = Instrument("X", "B", "Q", "Q", Rules(tiers=TierTable.flat(0.005)), Market(), None)
    >>> bankrupt_price(instrument, Position("X", 1, 1.0, 10_000.0, 50.0), 200.0)
    9800.0
    """
    legs = (position, *others)
    sizes = [leg.side * leg.contracts * instrument.size for leg in legs]
    net = sum(sizes)
    if abs(net) <= _NOISE * sum(map(abs, sizes)):
        return 0.0 if position.side > 0 else inf
    shares = [size / net for size in sizes]
    if not instrument.inverse:
        entry = sum(share * leg.entry for share, leg in zip(shares, legs, strict=True))
        return max(entry - backing / net, 0.0)
    turned = sum(share / leg.entry for share, leg in zip(shares, legs, strict=True)) + backing / net
    return 1 / turned if turned > 0 else inf


def average(instrument: Instrument, position: Position, contracts: float, price: float) -> float:
    """Entry price after more was bought or sold the same way."""
    old, new = position.contracts, contracts
    if instrument.inverse:
        return (old + new) / (old / position.entry + new / price)
    return (old * position.entry + new * price) / (old + new)
