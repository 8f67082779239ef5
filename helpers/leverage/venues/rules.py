r"""The few rules by which venues close positions and charge for holding them.

A venue's data names its rule; the rule asks the data for the numbers it needs and hands them to a
function of the core. No rule knows a venue.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import isclose
from types import MappingProxyType
from typing import Literal, TypeAlias, TypedDict, cast

from leverage import accounts, costs, margin
from leverage._validate import checked, shown
from leverage.venues.provenance import weakest
from leverage.venues.records import UNKNOWN, Product, TierData, UnknownFactError

HOURS_A_WEEK = 168
FUNDING_HOURS = 8


@dataclass(frozen=True)
class LonePosition:
    """A position that nothing but its margin backs.

    Attributes
    ----------
    side : {1, -1}
        1 for a long position, -1 for a short position.
    entry_price : float
        Quote currency per unit of base currency.
    quantity : float
        Base currency, or number of contracts of an inverse product.
    margin : float
        Collateral without profit or loss, in the settlement currency.
    leverage : float
        Chosen leverage; some rules derive the used margin from it.
    asset : str
        Coin or symbol whose tier table holds.
    """

    side: float
    entry_price: float
    quantity: float
    margin: float
    leverage: float
    asset: str = "BTC"


@dataclass(frozen=True)
class Holding:
    """A position held at one price: base currency, quote currency, and a funding rate if given."""

    side: float
    price: float
    quantity: float
    margin: float
    funding_rate: float | None


@dataclass(frozen=True)
class LiquidationRule:
    """A named rule: what it says, the facts it needs, and the price at which it closes.

    Attributes
    ----------
    name, summary : str
        As the data names it, and what it says.
    facts : tuple of str
        Names of the product's facts that the price depends on, besides a tier table.
    uses_tiers : bool
        Whether it needs a tier table.
    price : callable
        Product and position in, price out.
    """

    name: str
    summary: str
    facts: tuple[str, ...]
    uses_tiers: bool
    price: Callable[[Product, LonePosition], float]

    def confidence(self, product: Product, asset: str) -> str:
        """Return the least confidence of everything that the price depends on."""
        facts = [product.fact(name) for name in ("liquidation_rule", *self.facts)]
        if self.uses_tiers:
            facts.append(product.tiers(asset).as_fact())
        return weakest(*(fact.confidence for fact in facts if fact.is_known))


def liquidation_rule(product: Product) -> LiquidationRule:
    """Return the rule that a product's data names.

    Raises
    ------
    UnknownFactError
        If the rule of the product is unknown.

    Examples
    --------
    >>> from leverage.venues import load_venue
    >>> print(liquidation_rule(load_venue("bitget").product("usdt_futures")).summary)
    equity falls to the maintenance margin and the closing fee at the mark price
    """
    return LIQUIDATION_RULES[product.fact("liquidation_rule").words()]


def liquidation_price_at(
    product: Product,
    side: float,
    entry_price: float,
    quantity: float,
    margin: float,
    *,
    leverage: float,
    asset: str = "BTC",
) -> float:
    """Price at which a venue closes a position that nothing but its margin backs.

    Parameters
    ----------
    product : Product
        What is traded, from ``load_venue(name).product(id)``.
    side : {1, -1}
        1 for a long position, -1 for a short position.
    entry_price : float
        Average entry price, in quote currency per unit of base currency. Positive.
    quantity : float
        Size: base currency, or number of contracts of an inverse product. Positive.
    margin : float
        Collateral without profit or loss, in the settlement currency: the isolated margin, or the
        balance of an account that holds nothing else. Zero or more.
    leverage : float
        Chosen leverage. At least 1.
    asset : str, default "BTC"
        Coin or symbol whose tier table holds.

    Returns
    -------
    float
        Liquidation price, unrounded; 0.0 for a long and ``inf`` for a short that no price
        liquidates.

    Raises
    ------
    UnknownFactError
        If the price depends on a fact that is unknown.
    ValueError
        If an argument breaks its rule, or the position is larger than the largest tier.

    Examples
    --------
    The same trade, long 0.5 BTC from 100 000 with 5 000 behind it, under three rules:

    >>> from leverage.venues import load_venue
    >>> for venue, product in [("binance", "usdt_futures"), ("bitget", "usdt_futures"),
    ...                        ("kraken", "spot_margin")]:
    ...     traded = load_venue(venue).product(product)
    ...     price = liquidation_price_at(traded, 1, 100_000, 0.5, 5_000, leverage=10)
    ...     print(venue, round(price, 2))
    binance 90361.45
    bitget 90415.91
    kraken 94000.0
    """
    check_single(
        side=side, entry_price=entry_price, quantity=quantity, margin=margin, leverage=leverage
    )
    position = LonePosition(side, entry_price, quantity, margin, leverage, asset)
    return liquidation_rule(product).price(product, position)


def week_cost(
    product: Product,
    side: float,
    price: float,
    quantity: float,
    margin: float,
    *,
    funding_rate: float | None = None,
) -> float:
    """Cost of holding a position for a week at an unchanged price, in quote currency.

    Parameters
    ----------
    product : Product
        What is held.
    side : {1, -1}
        1 for a long position, -1 for a short position.
    price : float
        Price all week, in quote currency per unit of base currency. Positive.
    quantity : float
        Size in base currency. Positive.
    margin : float
        Own money behind it, in quote currency; a loan need not provide it. Zero or more.
    funding_rate : float, optional
        Funding as a decimal for eight hours; needed where funding is what a position costs.

    Returns
    -------
    float
        Positive when the holder pays.

    Raises
    ------
    UnknownFactError
        If the cost depends on a fact that is unknown.
    ValueError
        If an argument breaks its rule, or funding is what it costs and no rate is given.

    Examples
    --------
    >>> from leverage.venues import load_venue
    >>> futures = load_venue("binance").product("usdt_futures")
    >>> round(week_cost(futures, 1, 50_000, 1, 5_000, funding_rate=0.0001), 2)
    105.0
    """
    check_single(side=side, price=price, quantity=quantity, margin=margin)
    rule = _CARRYING_COSTS[product.fact("carrying_cost").words()]
    return rule(product, Holding(side, price, quantity, margin, funding_rate))


def check_single(**arguments: float) -> None:
    """Refuse what breaks the rule for its name, and anything but a single number.

    Examples
    --------
    >>> check_single(side=1, entry_price=[100, 200])
    Traceback (most recent call last):
    ValueError: entry_price must be a single number, had the shape (2,); call it for each value
    """
    for name, value in arguments.items():
        (array,) = checked(**{name: value})
        if array.ndim:
            raise ValueError(
                f"{name} must be a single number, had the shape {array.shape}; call it for each "
                "value"
            )


# ---- liquidation


Reading: TypeAlias = Literal["given", "whole", "marginal"]


def _readings(tier_method: str, data: TierData) -> tuple[Reading, ...]:
    """Return the ways in which a table may be meant; where all agree, it does not matter which."""
    readings: Mapping[str, tuple[Reading, ...]] = {
        # Amounts that are not stated follow from the recurrence.
        "maintenance amount": ("given",) if data.states_amounts else ("marginal",),
        "whole position": ("whole",),
        "each bracket": ("marginal",),
        UNKNOWN: ("whole", "marginal"),
    }
    return readings[tier_method]


class Contract(TypedDict, total=False):
    """Size and kind of a contract, as the functions of the core take them."""

    contract_size: float
    inverse: bool


class Requirement(TypedDict, total=False):
    """What a rule adds to the maintenance margin, as the functions of the core take it."""

    closing_fee_rate: float
    requirement_price: float


def contract_of(product: Product) -> Contract:
    """Return size and kind of a product's contracts; empty for a linear one.

    Examples
    --------
    >>> from leverage.venues import load_venue
    >>> contract_of(load_venue("kraken").product("futures_inverse"))
    {'contract_size': 1.0, 'inverse': True}
    """
    if product.fact("contract").words() == "inverse":
        return {"contract_size": product.fact("contract_size").number(), "inverse": True}
    return {}


def size_in_table(data: TierData, product: Product, position: LonePosition, price: float) -> float:
    """Size of a position at a price, in the unit of a tier table."""
    contract = contract_of(product)
    size = position.quantity * contract.get("contract_size", 1.0)
    if data.bounds == "quantity":
        return size
    return size / price if contract.get("inverse", False) else size * price


def _at_mark(product: Product, position: LonePosition) -> float:
    return _on_tiers(product, position, {})


def _at_entry(product: Product, position: LonePosition) -> float:
    return _on_tiers(product, position, {"requirement_price": position.entry_price})


def _closing_fee_inside(product: Product, position: LonePosition) -> float:
    rate = product.fact("taker_fee_rate").number()
    return _on_tiers(product, position, {"closing_fee_rate": rate})


def _on_tiers(product: Product, position: LonePosition, requirement: Requirement) -> float:
    data = product.tiers(position.asset)
    size = size_in_table(data, product, position, position.entry_price)
    if size > data.cap:
        raise beyond_table(data, size)
    method = product.fact("tier_method")
    price, *others = (
        _price_on(data, reading, product, position, requirement)
        for reading in _readings(str(method.value), data)
    )
    if not all(isclose(price, other, rel_tol=1e-12) for other in others):
        method.known()
    size = size_in_table(data, product, position, price) if price > 0 else 0.0
    if size > data.cap and not data.complete:
        raise beyond_table(data, size)
    return price


def _price_on(
    data: TierData,
    reading: Reading,
    product: Product,
    position: LonePosition,
    requirement: Requirement,
) -> float:
    table = data.table(reading)
    contract = contract_of(product)
    basics = (position.side, position.entry_price, position.quantity, position.margin)
    if data.bounds == "quantity":
        rate = table.effective_rate(size_in_table(data, product, position, position.entry_price))
        price = margin.liquidation_price(*basics, rate, **contract, **requirement)
    else:
        price = margin.tiered_liquidation_price(*basics, table, **contract, **requirement)
    return cast(float, price)


def beyond_table(data: TierData, size: float) -> ValueError:
    """Make the error about a size above the last tier: refused, or unknown what comes there."""
    words = f"{shown(size)} {data.unit}"
    if data.complete:
        return ValueError(
            f"size must be at most {shown(data.cap)} {data.unit}, the end of the tiers of "
            f"{data.symbol} at {data.venue}, was {words}; split it or make it smaller"
        )
    name = f"{data.product}.tiers.{data.symbol}"
    note = f"nothing is known above {shown(data.cap)} {data.unit}, and the size is {words}"
    return UnknownFactError(data.venue, name, note)


def _margin_level(product: Product, position: LonePosition) -> float:
    # The used margin of a short is counted in the coin it borrows, so it moves with the price.
    return _level_price(product, position, floating_margin=position.side < 0)


def _stop_out(product: Product, position: LonePosition) -> float:
    return _level_price(product, position, floating_margin=False)


def _level_price(product: Product, position: LonePosition, *, floating_margin: bool) -> float:
    price = accounts.margin_level_price(
        position.side,
        position.entry_price,
        position.quantity,
        position.leverage,
        position.margin,
        product.fact("close_out_level").number(),
        floating_margin=floating_margin,
    )
    return cast(float, price)


def _assets_over_debt(product: Product, position: LonePosition) -> float:
    # With assets = level * debt, equity is (level - 1) * debt: fixed for a long, which owes
    # money, and a share of the notional for a short, which owes coins.
    share = product.fact("close_out_level").number() - 1
    basics = (position.side, position.entry_price, position.quantity, position.margin)
    if position.side < 0:
        return cast(float, margin.liquidation_price(*basics, share))
    debt = max(position.quantity * position.entry_price - position.margin, 0.0)
    price = margin.liquidation_price(*basics, 0.0, other_requirement=share * debt)
    return cast(float, price)


def _limit_unknown(product: Product, position: LonePosition) -> float:
    return product.fact("maintenance_limit").number()


LIQUIDATION_RULES: Mapping[str, LiquidationRule] = MappingProxyType(
    {
        rule.name: rule
        for rule in (
            LiquidationRule(
                "maintenance at mark",
                "equity falls to the maintenance margin at the mark price",
                ("tier_method",),
                True,
                _at_mark,
            ),
            LiquidationRule(
                "maintenance at entry",
                "equity falls to the maintenance margin at the entry price",
                ("tier_method",),
                True,
                _at_entry,
            ),
            LiquidationRule(
                "closing fee inside",
                "equity falls to the maintenance margin and the closing fee at the mark price",
                ("tier_method", "taker_fee_rate"),
                True,
                _closing_fee_inside,
            ),
            LiquidationRule(
                "margin level",
                "equity over used margin falls to a level; a short's used margin moves with price",
                ("close_out_level",),
                False,
                _margin_level,
            ),
            LiquidationRule(
                "stop-out at used margin",
                "equity falls to a level of the used margin, which is fixed at entry",
                ("close_out_level",),
                False,
                _stop_out,
            ),
            LiquidationRule(
                "assets over debt",
                "assets over debt fall to a level",
                ("close_out_level",),
                False,
                _assets_over_debt,
            ),
            LiquidationRule(
                "account limit unknown",
                "collateral falls to a limit of the account whose size is unknown",
                ("maintenance_limit",),
                False,
                _limit_unknown,
            ),
        )
    }
)


# ---- holding


def _funding(product: Product, held: Holding) -> float:
    if held.funding_rate is None:
        raise ValueError(
            f"funding_rate must be given for {product.id} of {product.venue}, was None; give the "
            "funding for eight hours as a decimal"
        )
    received = costs.funding_payment(held.side, held.price, held.quantity, held.funding_rate)
    return -cast(float, received) * HOURS_A_WEEK / FUNDING_HOURS


def _rollover(product: Product, held: Holding) -> float:
    way = "long" if held.side > 0 else "short"
    cost = costs.rollover_cost(
        held.price * held.quantity,
        product.fact(f"rollover_fee_rate_{way}").number(),
        HOURS_A_WEEK,
        opening_rate=product.fact(f"opening_fee_rate_{way}").number(),
        interval_hours=product.fact("rollover_interval_hours").number(),
    )
    return cast(float, cost)


def _interest(product: Product, held: Holding) -> float:
    # A long borrows the money that it lacks, a short all the coins that it sells.
    own = held.margin if held.side > 0 else 0.0
    borrowed = max(held.price * held.quantity - own, 0.0)
    rate = product.fact("interest_rate").number()
    return cast(float, costs.borrowing_interest(borrowed, rate, HOURS_A_WEEK))


_CARRYING_COSTS: Mapping[str, Callable[[Product, Holding], float]] = MappingProxyType(
    {"funding": _funding, "rollover": _rollover, "interest": _interest}
)
