"""Open a plan's position on the morning of every bundled crash, and see what is left."""

from __future__ import annotations

import math
from dataclasses import dataclass

from leverage.crashes import ending_of
from leverage.history import crash_windows, load_hourly_window
from leverage.paper.exchange_errors import InvalidOrder
from leverage.plans.periods import exchange_for
from leverage.plans.plan import Plan

STRESS_SPREAD = 0.01
"""Distance of the best prices to buy and to sell, as a decimal: a stop loses half of it."""


@dataclass(frozen=True)
class CrashTest:
    """One position through one crash.

    Attributes
    ----------
    date, title : str
        The crash, as in `leverage.history.crash_windows`.
    side : {1, -1}
        1 for a long position, -1 for a short position.
    loss : float
        Loss as a decimal of the equity, when the window ends or the position does; negative for a
        gain.
    stopped : bool
        Whether the stop closed the position.
    liquidated : bool
        Whether the venue closed it; one that it only made smaller is not.
    """

    date: str
    title: str
    side: int
    loss: float
    stopped: bool
    liquidated: bool


def stress(plan: Plan, *, all_in: float | None = None) -> tuple[CrashTest, ...]:
    """Take the plan's position through every bundled crash of its coin.

    Parameters
    ----------
    plan : Plan
        Decides size, stop, sides, venue and margin mode.
    all_in : float, optional
        Instead of the plan's size, put all the money into a position with this leverage, without a
        stop and without a spread: what the plan keeps its owner from.

    Returns
    -------
    tuple of CrashTest
        In order of time, longs before shorts. The position is opened at 00:00 UTC of the day.

    Notes
    -----
    Inside an hour the price moves without gaps here, so that a stop finds the price it asked for,
    less half of `STRESS_SPREAD`. Real crashes have worse hours than that.

    Examples
    --------
    >>> from leverage.plans.plan import SOUND_PLAN
    >>> worst = max(stress(SOUND_PLAN), key=lambda test: test.loss)
    >>> worst.stopped, worst.liquidated, worst.loss < 0.012
    (True, False, True)
    """
    if all_in is not None and not (math.isfinite(all_in) and all_in >= 1):
        raise ValueError(f"all_in must be a leverage of 1 or more, was {all_in!r}; 10 means 10x")
    windows = [window for window in crash_windows() if plan.coin in window.symbols]
    return tuple(
        _through(plan, window.date, window.title, side, all_in)
        for window in windows
        for side in plan.sides
    )


def _through(plan: Plan, date: str, title: str, side: int, all_in: float | None) -> CrashTest:
    bars = load_hourly_window(date, plan.coin).loc[date:]
    exchange = exchange_for(plan, bars, spread=STRESS_SPREAD if all_in is None else 0.0)
    symbol = exchange.symbols[0]
    price, start = exchange.last_price(symbol), exchange.equity()
    opening, closing = ("buy", "sell") if side > 0 else ("sell", "buy")
    if all_in is None:
        wanted = plan.quantity(side, price, start)
    else:
        exchange.set_leverage(all_in, symbol)
        # The opening fee is paid out of the same money.
        wanted = 0.99 * start / (price * (1 / all_in + exchange.rules.taker_fee_rate))
    try:
        amount = float(exchange.amount_to_precision(symbol, wanted))
    except InvalidOrder:  # less than the smallest order: there is no position to lose
        return CrashTest(date, title, side, loss=0.0, stopped=False, liquidated=False)
    exchange.create_order(symbol, "market", opening, amount)
    if all_in is None:
        trigger = {"stopLossPrice": plan.stop_price(side, price), "reduceOnly": True}
        exchange.create_order(symbol, "market", closing, amount, None, trigger)
    exchange.run_until()
    outcome, _, _ = ending_of(exchange, symbol)
    return CrashTest(
        date=date,
        title=title,
        side=side,
        loss=1 - exchange.equity() / start,
        stopped=outcome == "stopped",
        liquidated=outcome == "liquidated",
    )
