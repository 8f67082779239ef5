"""The worst case of a bot's settings page, before it has placed an order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from leverage.bots.strategies import Grid, Martingale
from leverage.contracts import LONG, SHORT
from leverage.margin import liquidation_price


@dataclass(frozen=True)
class WorstMove:
    """Where a move through all of a bot's orders leads.

    Attributes
    ----------
    side : {1, -1}
        Long, which a fall hurts, or short, which a rise hurts.
    orders : int
        Orders that fill before the position is liquidated.
    orders_set : int
        Orders in the settings.
    quantity : float
        Coins held, or owed by a short, when they have filled.
    entry_price : float
        Their average price, in quote currency.
    exposure : float
        Quantity × entry price, in quote currency.
    margin : float
        Initial margin of that at the chosen leverage, in quote currency.
    last_order : float
        Price of the last order that fills.
    liquidation_price : float
        Price at which the whole position is closed; for a long 0.0 where none does.
    """

    side: int
    orders: int
    orders_set: int
    quantity: float
    entry_price: float
    exposure: float
    margin: float
    last_order: float
    liquidation_price: float


Ladder = Sequence[tuple[float, float]]
"""Price and quantity of every opening order, in the order in which they fill."""


def worst_case(
    settings: Grid | Martingale | Ladder,
    *,
    price: float,
    balance: float,
    leverage: float,
    maintenance_margin_rate: float = 0.004,
    side: int = LONG,
) -> WorstMove:
    """Work out exposure, margin and liquidation when the price runs through every order.

    Parameters
    ----------
    settings : Grid, Martingale or sequence of (float, float)
        The settings page, or what follows from it: price and quantity of every opening order.
    price : float
        Price at which the bot is started, in quote currency.
    balance : float
        All that stands behind the position (cross margin), in quote currency.
    leverage : float
        Leverage chosen: it decides the initial margin, and with it which orders can be paid.
    maintenance_margin_rate : float, default 0.004
        Maintenance margin divided by notional, as a decimal.
    side : {1, -1}, default 1
        1 for a bot that buys on the way down, -1 for the same page set to short: it sells on the
        way up.

    Returns
    -------
    WorstMove
        An order that lies beyond the liquidation price before it, or whose margin exceeds what is
        left of the balance, never fills: the count stops there.

    Notes
    -----
    Linear contracts of one coin. Fees, funding and tiers are left out; all three make it worse.

    Examples
    --------
    Six orders, each twice the one before, 2 % apart, with 4 000 USDT behind them:

    >>> bot = Martingale(0.01, step=0.02, safety_orders=5, take_profit=0.01)
    >>> found = worst_case(bot, price=50_000, balance=4_000, leverage=20)
    >>> found.orders, round(found.quantity, 2), round(found.liquidation_price)
    (6, 0.63, 39714)
    >>> round(worst_case(bot, price=50_000, balance=4_000, leverage=20, side=-1).liquidation_price)
    60204
    """
    for name, value in (("price", price), ("balance", balance), ("leverage", leverage)):
        if not value > 0:
            raise ValueError(f"{name} must be above zero, was {value!r}; give what you would type")
    if side not in (LONG, SHORT):
        raise ValueError(f"side must be 1 (long) or -1 (short), was {side!r}; choose one")
    planned = _ladder(settings, price, side)
    quantity = cost = 0.0
    liquidation = 0.0 if side == LONG else float("inf")
    filled, last = 0, price
    for at, amount in planned:
        equity = balance + side * (quantity * at - cost)
        needed = (quantity + amount) * at / leverage
        if side * at <= side * liquidation or needed > equity:
            break
        quantity, cost = quantity + amount, cost + amount * at
        filled, last = filled + 1, at
        liquidation = float(
            liquidation_price(side, cost / quantity, quantity, balance, maintenance_margin_rate)
        )
    return WorstMove(
        side=side,
        orders=filled,
        orders_set=len(planned),
        quantity=quantity,
        entry_price=cost / quantity if quantity else price,
        exposure=cost,
        margin=cost / leverage,
        last_order=last,
        liquidation_price=liquidation,
    )


def averaging_ladder(
    price: float,
    *,
    order_margin: float,
    leverage: float,
    step: float,
    additions: int,
    multiplier: float,
    side: int = LONG,
) -> list[tuple[float, float]]:
    """Return the orders of a page that counts from the average price and multiplies the margin.

    Parameters
    ----------
    price : float
        Price of the first order, in quote currency.
    order_margin : float
        Margin of the first order, in quote currency.
    leverage : float
        Notional of an order divided by its margin.
    step : float
        Distance of an order from the average price of those before it, as a decimal.
    additions : int
        Orders after the first.
    multiplier : float
        Margin of an order divided by that of the order before.
    side : {1, -1}, default 1
        1 adds on the way down, -1 on the way up.

    Returns
    -------
    list of (float, float)
        Price and quantity, for `worst_case`.

    Notes
    -----
    So Bybit's help page on the parameters of its futures martingale has it (read 2026-11-22);
    `Martingale` counts from the first price and multiplies the quantity.

    Examples
    --------
    >>> page = {"order_margin": 25, "leverage": 20, "step": 0.02, "additions": 2, "multiplier": 2}
    >>> [(round(at), round(size, 4)) for at, size in averaging_ladder(50_000, **page)]
    [(50000, 0.01), (49000, 0.0204), (48342, 0.0414)]
    """
    at, margin = price, order_margin
    orders: list[tuple[float, float]] = []
    quantity = cost = 0.0
    for _ in range(additions + 1):
        size = margin * leverage / at
        orders.append((at, size))
        quantity, cost = quantity + size, cost + size * at
        at, margin = cost / quantity * (1 - side * step), margin * multiplier
    return orders


def _ladder(settings: Grid | Martingale | Ladder, price: float, side: int) -> Ladder:
    if isinstance(settings, Martingale):
        steps = enumerate(settings.quantities)
        return [(price * (1 - side * settings.step * number), size) for number, size in steps]
    if not isinstance(settings, Grid):
        return settings
    # A grid opens at every level but the last one in its favour; orders that the price has passed
    # already fill at the start, at the price.
    if side == LONG:
        levels = [min(level, price) for level in reversed(settings.levels[:-1])]
    else:
        levels = [max(level, price) for level in settings.levels[1:]]
    return [(level, settings.quantity) for level in levels]
