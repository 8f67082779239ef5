"""One isolated linear position, a second time: written from the rules, with nothing of `leverage`.

The rules, in the order in which they act at every tick of a bar:

1. funding that is due is paid on the mark, by a long when the rate is positive;
2. the position is closed when its equity is at or below the maintenance margin: at the first price
   of a bar if the price jumped past it, else at the exact price on the way from tick to tick;
3. at the close of a bar the trader acts: opens a position at the last price if there is none and
   the plan says so, or closes it when it is old enough.

A bar that rises runs open, low, high, close; one that falls open, high, low, close. Every trade
pays the taker fee on its notional. A liquidation pays the taker fee and then the liquidation fee,
each never more than what is left; what is left then goes to the insurance fund, and what is missing
comes from it.
"""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np
import numpy.typing as npt

FEE, TRADE, FUNDING, LIQUIDATION_FEE, INSURANCE_FUND = range(5)
CAUSES = ("fee", "trade", "funding", "liquidation fee", "insurance fund")


class Terms(NamedTuple):
    """What the venue asks: rates as decimals, the hours between funding payments."""

    taker_fee_rate: float
    liquidation_fee_rate: float
    maintenance_margin_rate: float
    funding_rate: float
    funding_hours: int


class Plan(NamedTuple):
    """What the trader does: amount, leverage, bars to hold, bars to wait, sides in turn."""

    amount: float
    leverage: float
    hold: int
    wait: int


@numba.njit(cache=False)
def _path(row: npt.NDArray[np.float64]) -> tuple[float, float, float, float]:
    if row[3] >= row[0]:
        return row[0], row[2], row[1], row[3]
    return row[0], row[1], row[2], row[3]


@numba.njit(cache=False)
def replay(
    times: npt.NDArray[np.int64],
    prices: npt.NDArray[np.float64],
    cash: float,
    terms: Terms,
    plan: Plan,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.float64], float, int]:
    """Give times, causes and amounts of all payments, the cash, and the number of liquidations."""
    hour = 3_600_000
    room = 8 * len(times)
    when, why = np.empty(room, np.int64), np.empty(room, np.int64)
    paid = np.empty(room, np.float64)
    count, liquidations, turn = 0, 0, 0
    side, entry, margin, opened, left = 0.0, 0.0, 0.0, 0, 0
    quantity = plan.amount
    for bar in range(len(times)):
        start = times[bar]
        duration = hour
        at = (start, start + duration // 3, start + 2 * duration // 3, start + duration - 1)
        path = _path(prices[bar])
        for tick in range(4):
            price = path[tick]
            if side == 0.0:
                continue
            # Equity meets the maintenance margin where margin + side (n - q E) = m n.
            debt = margin - side * (quantity * entry)
            dead = -side * (debt / (1.0 - side * terms.maintenance_margin_rate)) / quantity
            reached = 0.0
            if tick > 0 and side * (price - dead) <= 0.0:
                reached = dead
                share = (dead - path[tick - 1]) / (price - path[tick - 1])
                when_dead = at[tick - 1] + round(share * (at[tick] - at[tick - 1]))
            if reached == 0.0 and tick == 0:
                if start % (terms.funding_hours * hour) == 0:
                    amount = -side * (quantity * price) * terms.funding_rate
                    when[count], why[count], paid[count] = at[tick], FUNDING, amount
                    count += 1
                    cash += amount
                    margin += amount
                gain = side * quantity * (price - entry)
                if margin + gain <= quantity * price * terms.maintenance_margin_rate:
                    reached = price
                    when_dead = at[tick]
            if reached > 0.0:
                gain = side * quantity * (reached - entry)
                when[count], why[count], paid[count] = when_dead, TRADE, gain
                count += 1
                cash += gain
                left_over = margin + gain
                for cause, rate in (
                    (FEE, terms.taker_fee_rate),
                    (LIQUIDATION_FEE, terms.liquidation_fee_rate),
                ):
                    fee = min(quantity * reached * rate, max(left_over, 0.0))
                    if fee > 0.0:
                        when[count], why[count], paid[count] = when_dead, cause, -fee
                        count += 1
                        cash -= fee
                        left_over -= fee
                if left_over != 0.0:
                    when[count], why[count], paid[count] = when_dead, INSURANCE_FUND, -left_over
                    count += 1
                    cash -= left_over
                liquidations += 1
                side = 0.0
                left = bar
        last = path[3]
        if side == 0.0 and bar - left >= plan.wait:
            side = 1.0 if turn % 2 == 0 else -1.0
            turn += 1
            entry, opened = last, bar
            margin = quantity * last / plan.leverage
            fee = quantity * last * terms.taker_fee_rate
            when[count], why[count], paid[count] = at[3], FEE, -fee
            count += 1
            cash -= fee
        elif side != 0.0 and bar - opened >= plan.hold:
            gain = side * quantity * (last - entry)
            when[count], why[count], paid[count] = at[3], TRADE, gain
            count += 1
            cash += gain
            fee = quantity * last * terms.taker_fee_rate
            when[count], why[count], paid[count] = at[3], FEE, -fee
            count += 1
            cash -= fee
            side = 0.0
            left = bar
    return when[:count], why[:count], paid[:count], cash, liquidations
