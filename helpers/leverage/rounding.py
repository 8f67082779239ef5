"""Round to what an exchange accepts and shows: price ticks and lots.

Nothing else in the package rounds. Results of the arithmetic are exact to double precision, and
the caller decides where a number meets an exchange's grid. The paper exchange rounds its orders by
the same rule.
"""

from collections.abc import Callable
from typing import Literal

import numpy as np
import numpy.typing as npt

from leverage._grid import down_to, nearest_to, up_to
from leverage._guard import guard
from leverage._validate import FloatArray, as_result, checked, checked_choice

_ROUNDERS: dict[str, Callable[[float, float], float]] = {
    "nearest": nearest_to,
    "up": up_to,
    "down": down_to,
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
        Which multiple of the tick to take. A price halfway goes up.

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
    return as_result(_on_grid(price, tick_size, direction))


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
    return as_result(_on_grid(quantity, lot_size, direction))


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
    there = np.where(np.isinf(price), 0.0, price)
    against = np.where(
        side > 0, _on_grid(there, tick_size, "up"), _on_grid(there, tick_size, "down")
    )
    return as_result(np.where(np.isinf(price), price, against))


def _on_grid(value: FloatArray, step: FloatArray, direction: str) -> FloatArray:
    rounder = _ROUNDERS[checked_choice("direction", direction, list(_ROUNDERS))]
    return np.asarray(np.frompyfunc(rounder, 2, 1)(value, step), dtype=np.float64)


guard(globals())
