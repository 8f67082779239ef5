"""The worst case of a bot's settings page, before it has placed an order."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from leverage._validate import checked, checked_numbers
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
        Orders that fill before the position is liquidated, at most.
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
        Price at which the whole position is closed; for a long 0.0 where none does, for a short
        infinite. No run is liquidated nearer to the start.
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
    fee_rate: float = 0.0,
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
    fee_rate : float, default 0.0
        Fee of every order, as a decimal of its notional.
    side : {1, -1}, default 1
        1 for a bot that buys on the way down, -1 for the same page set to short: it sells on the
        way up.

    Returns
    -------
    WorstMove
        An order whose margin exceeds what is left of the balance is never accepted, one that lies
        beyond the liquidation price never fills. All others fill with the margin reserved for
        them, which is the worst that a venue may do (its fact ``resting_order_margin``).

    Notes
    -----
    It holds on every path of the price until the bot takes its first profit; from there on it is
    another start. What is refused may be bought later, at a lower price. An open profit can pay for an order that the balance alone cannot, and may be
    gone when that order fills: the largest one that the bot lets run counts to the balance when
    orders are accepted.

    Linear contracts of one coin. Funding and tiers are left out; both make it worse.

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
    price, leverage, rate, fee, way = checked_numbers(
        price=price,
        leverage=leverage,
        maintenance_margin_rate=maintenance_margin_rate,
        fee_rate=fee_rate,
        side=side,
    )
    (money,) = checked_numbers(balance=balance)
    if money <= 0:
        raise ValueError(f"balance must be above zero, was {money:g}; give what you would deposit")
    side = int(way)
    planned = _ladder(settings, price, side)
    resting, refused = _placed(settings, planned, side, room=money * leverage, leverage=leverage)
    if side == SHORT:
        refused = []  # Sold later it would be dearer, and need more.
    filled: list[tuple[float, float]] = []
    quantity = cost = 0.0
    liquidation = 0.0 if side == LONG else math.inf
    while resting or (filled and refused):
        events = [(at, resting, amount) for at, amount in resting[:1]]
        if side == LONG:
            # What was refused is bought later, below its own price, where the money does for it.
            free = money - sum(at * amount for at, amount in resting) / leverage
            for at, amount in refused:
                later = _affordable_at(amount, free, quantity, cost, leverage)
                events.append((min(at, later), refused, amount))
        at, orders, amount = max(events, key=lambda event: side * event[0])
        if side * at <= side * liquidation:
            break
        del orders[[size for _, size in orders].index(amount)]
        filled.append((at, amount))
        quantity, cost = quantity + amount, cost + amount * at
        left = money - fee * cost
        end = float(liquidation_price(side, cost / quantity, quantity, 0.0, rate, other_pnl=left))
        # An order may be the last straw: then the end is where it fills.
        liquidation = min(end, at) if side == LONG else max(end, at)
    return WorstMove(
        side=side,
        orders=len(filled),
        orders_set=len(planned),
        quantity=quantity,
        entry_price=cost / quantity if quantity else price,
        exposure=cost,
        margin=cost / leverage,
        last_order=filled[-1][0] if filled else price,
        liquidation_price=liquidation,
    )


def _placed(
    settings: Grid | Martingale | Ladder,
    planned: Ladder,
    side: int,
    *,
    room: float,
    leverage: float,
) -> tuple[list[tuple[float, float]], list[tuple[float, float]]]:
    """Part the orders whose notional finds room, with the best open profit, from the refused."""
    accepted: list[tuple[float, float]] = []
    refused: list[tuple[float, float]] = []
    cost = profit = 0.0
    for at, amount in planned:
        if cost + at * amount > room + leverage * profit:
            refused.append((at, amount))
            if isinstance(settings, Martingale) and not accepted:
                break  # Nothing is averaged down before the first order is there.
            continue
        accepted.append((at, amount))
        cost += at * amount
        profit = max(profit, _open_profit(settings, accepted, cost, side))
    return accepted, refused


def _affordable_at(
    amount: float, free: float, quantity: float, cost: float, leverage: float
) -> float:
    """Return the highest price at which a purchase's margin is free, with a position in loss.

    The position's own initial margin may be counted at its entry or at the mark.
    """
    found = 0.0
    for tied_up, own in (
        (cost * (1 + 1 / leverage), quantity),
        (cost, quantity * (1 - 1 / leverage)),
    ):
        slope = amount / leverage - own
        if slope > 0 and free > tied_up:
            found = max(found, (free - tied_up) / slope)
    return found


def _open_profit(
    settings: Grid | Martingale | Ladder, held: Ladder, cost: float, side: int
) -> float:
    """Return the largest open profit that a bot lets run with some orders filled."""
    if isinstance(settings, Martingale):
        return settings.take_profit * cost
    if not isinstance(settings, Grid):
        return 0.0
    levels = settings.levels if side == SHORT else settings.levels[::-1]
    exit_price = levels[len(held) - 1]
    return side * sum(amount * (exit_price - at) for at, amount in held)


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
    price, margin, leverage, step, extra, multiplier, way = checked_numbers(
        price=price,
        order_margin=order_margin,
        leverage=leverage,
        step=step,
        additions=additions,
        multiplier=multiplier,
        side=side,
    )
    at = price
    orders: list[tuple[float, float]] = []
    quantity = cost = 0.0
    for _ in range(int(extra) + 1):
        size = margin * leverage / at
        orders.append((at, size))
        quantity, cost = quantity + size, cost + size * at
        at, margin = cost / quantity * (1 - way * step), margin * multiplier
    return orders


def _ladder(settings: Grid | Martingale | Ladder, price: float, side: int) -> Ladder:
    if isinstance(settings, Martingale):
        steps = enumerate(settings.quantities)
        return [(price * (1 - side * settings.step * number), size) for number, size in steps]
    if not isinstance(settings, Grid):
        if not settings:
            raise ValueError(
                "settings must hold at least one order, were empty; give (price, size)"
            )
        checked(price=[at for at, _ in settings], quantity=[size for _, size in settings])
        return settings
    # A grid opens at every level but the last one in its favour; orders that the price has passed
    # already fill at the start, at the price.
    if side == LONG:
        levels = [min(level, price) for level in reversed(settings.levels[:-1])]
    else:
        levels = [max(level, price) for level in settings.levels[1:]]
    return [(level, settings.quantity) for level in levels]
