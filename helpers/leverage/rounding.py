"""Round to what an exchange accepts and shows: price ticks, lots, and digits of an amount.

Nothing else in the package rounds. Results of the arithmetic are exact to double precision, and
the caller decides where a number meets an exchange's grid.
"""

from collections.abc import Callable
from typing import Literal

import numpy as np
import numpy.typing as npt

from ._validate import FloatArray, as_result, checked, checked_choice

# A step this close to a decimal is one, unless it needs more digits than any exchange gives.
_NOISE = 1e-14
_LARGEST_STEP = 1e12

_ROUNDERS: dict[str, Callable[[FloatArray], FloatArray]] = {
    "nearest": np.rint,
    "up": np.ceil,
    "down": np.floor,
}


def round_price(
    price: npt.ArrayLike,
    tick_size: npt.ArrayLike,
    *,
    direction: Literal["nearest", "up", "down"] = "nearest",
) -> float | FloatArray:
    """Price on the grid of ticks.

    Parameters
    ----------
    price : array_like
        Price in quote currency per unit of base currency. Positive.
    tick_size : array_like
        Step between two prices of the market, in the same unit. Positive.
    direction : {"nearest", "up", "down"}, default "nearest"
        Which multiple of the tick to take. A price halfway goes to the even multiple.

    Returns
    -------
    float or ndarray
        Multiple of `tick_size`, with no more digits than the tick has. A price within the noise
        of double precision of a multiple is taken to lie on it, in every direction.

    Raises
    ------
    ValueError
        If an argument breaks its rule, or shapes do not match.

    Examples
    --------
    >>> round_price(1_544.1506, 0.05)
    1544.15
    >>> round_price(1_544.1506, 0.05, direction="up")
    1544.2
    """
    price, tick_size = checked(price=price, tick_size=tick_size)
    return as_result(_on_grid(price, tick_size, _rounder(direction)))


def round_quantity(
    quantity: npt.ArrayLike,
    lot_size: npt.ArrayLike,
    *,
    direction: Literal["nearest", "up", "down"] = "down",
) -> float | FloatArray:
    """Quantity on the grid of lots; down unless you say otherwise, so never more than intended.

    Parameters
    ----------
    quantity : array_like
        Size of the position: base currency, or number of contracts. Positive.
    lot_size : array_like
        Step between two quantities of the market, in the same unit. Positive.
    direction : {"nearest", "up", "down"}, default "down"
        Which multiple of the lot to take.

    Returns
    -------
    float or ndarray
        Multiple of `lot_size`; 0.0 when the quantity is smaller than one lot.

    Raises
    ------
    ValueError
        If an argument breaks its rule, or shapes do not match.

    Examples
    --------
    >>> round_quantity([0.12345, 0.0004], 0.001)
    array([0.123, 0.   ])
    """
    quantity, lot_size = checked(quantity=quantity, lot_size=lot_size)
    return as_result(_on_grid(quantity, lot_size, _rounder(direction)))


def displayed_price(
    side: npt.ArrayLike, liquidation_price: npt.ArrayLike, tick_size: npt.ArrayLike
) -> float | FloatArray:
    """Liquidation or bankruptcy price as exchanges display it: rounded against the position.

    Up for a long and down for a short, so the shown price is never further away than the true one.

    Parameters
    ----------
    side : {1, -1} or array_like
        1 for a long position, -1 for a short position.
    liquidation_price : array_like
        What a liquidation or bankruptcy price function returned, 0.0 and ``inf`` included.
    tick_size : array_like
        Step between two prices of the market, in the same unit. Positive.

    Returns
    -------
    float or ndarray
        Multiple of `tick_size`; 0.0 and ``inf``, which stand for no price, stay as they are.

    Raises
    ------
    ValueError
        If an argument breaks its rule, or shapes do not match.

    References
    ----------
    Bybit API documentation v5, manual-add-margin.mdx response example (inverse long, shown 1 544.2
    and 1 550.8), read 2026-11-22.

    Examples
    --------
    >>> displayed_price([1, -1], [919.0970, 2_191.3867], 0.05)
    array([ 919.1 , 2191.35])
    """
    side, price, tick_size = checked(
        side=side, liquidation_price=liquidation_price, tick_size=tick_size
    )
    up, down = (_on_grid(price, tick_size, rounder) for rounder in (np.ceil, np.floor))
    return as_result(np.where(side > 0, up, down))


def truncate_amount(amount: npt.ArrayLike, decimals: npt.ArrayLike) -> float | FloatArray:
    """Amount with the digits after a position cut off, towards zero, as ledgers of coins do.

    Parameters
    ----------
    amount : array_like
        Amount of money or coins, of either sign.
    decimals : array_like
        Digits after the point that are kept, from 0 to 15.

    Returns
    -------
    float or ndarray
        Truncated amount. One within the noise of double precision of a kept digit stays on it.

    Raises
    ------
    ValueError
        If an argument breaks its rule, or shapes do not match.

    References
    ----------
    Binance API answers for coin-margined positions, which are cut at 8 decimals (ccxt 4.5.90,
    parse_position_risk), read 2026-11-22.

    Examples
    --------
    >>> truncate_amount([6.4139e-05, -6.4139e-05], 8).tolist()
    [6.413e-05, -6.413e-05]
    """
    amount, decimals = checked(amount=amount, decimals=decimals)
    size = _on_grid(abs(amount), 10.0**-decimals, np.floor)
    return as_result(np.copysign(size, amount))


def _rounder(direction: str) -> Callable[[FloatArray], FloatArray]:
    return _ROUNDERS[checked_choice("direction", direction, list(_ROUNDERS))]


def _on_grid(
    value: FloatArray, step: FloatArray, rounder: Callable[[FloatArray], FloatArray]
) -> FloatArray:
    """Round to a multiple of `step`; a value that a rounding error put beside one is on it."""
    with np.errstate(invalid="ignore"):
        steps = value / step
        nearest = np.rint(steps)
        noise = np.minimum(1e-9 + 1e-14 * steps, 1e-3)
        count = np.where(abs(steps - nearest) <= noise, nearest, rounder(steps))
    # Whole numbers divided once give the closest float to the decimal: 913.15, not 913.1500000001.
    scale = _decimal_scale(step)
    whole_step = np.rint(step * scale)
    is_decimal = (whole_step <= _LARGEST_STEP) & (abs(whole_step / scale - step) <= _NOISE * step)
    return np.where(is_decimal, count * whole_step / scale, count * step)


def _decimal_scale(step: FloatArray) -> FloatArray:
    """Smallest power of ten, up to 18, that makes the step a whole number."""
    scale = np.ones_like(step)
    for _ in range(18):
        scaled = step * scale
        whole = (scaled >= 0.5) & (abs(scaled - np.rint(scaled)) <= _NOISE * scaled)
        if whole.all():
            break
        scale = np.where(whole, scale, 10 * scale)
    return scale
