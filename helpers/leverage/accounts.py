r"""What an account as a whole has, uses and may still use.

Futures accounts measure their requirement against their equity (:func:`leverage.margin.margin_ratio`
rises to 1). Spot margin and CFD accounts measure the other way round: a *margin level* falls as the
account loses, down to a call and then to the close-out. All functions broadcast.
"""

import numpy as np
import numpy.typing as npt

from leverage._guard import guard
from leverage._solve import solve_level
from leverage._validate import FloatArray, as_result, checked, checked_flag, refuse_where


def free_margin(equity: npt.ArrayLike, used_margin: npt.ArrayLike) -> float | FloatArray:
    r"""Equity that open positions do not tie up.

    Parameters
    ----------
    equity : array_like
        Margin plus unrealised profit or loss, in the settlement currency.
    used_margin : array_like
        Margin of the open positions, in the settlement currency. Zero or more.

    Returns
    -------
    float or ndarray
        Free (available) margin in the settlement currency; negative when positions lack margin.
        Times the leverage it is the largest new position.

    Raises
    ------
    ValueError
        If an argument breaks its rule, or shapes do not match.

    Notes
    -----
    .. math:: \text{equity} - \text{used margin}

    References
    ----------
    Kraken support 203325693, "Margin"; PrimeXBT help centre, "Margin call" (3 000 with 1 000 used,
    positions closed when nothing is available); both read 2026-11-22.

    Examples
    --------
    >>> free_margin(3_000, 1_000)
    2000.0
    """
    equity, used_margin = checked(equity=equity, used_margin=used_margin)
    return as_result(equity - used_margin)


def margin_level(equity: npt.ArrayLike, used_margin: npt.ArrayLike) -> float | FloatArray:
    r"""Equity over used margin, the measure of spot margin and CFD accounts.

    It falls as an account loses, while :func:`leverage.margin.margin_ratio` rises. Binance's spot
    cross margin takes everything held, borrowed coins included, over everything owed with its
    interest: give these two.

    Parameters
    ----------
    equity : array_like
        Balance plus unrealised profit or loss, in one currency.
    used_margin : array_like
        Margin of the open positions, in the same currency. Zero or more.

    Returns
    -------
    float or ndarray
        Margin level as a decimal: 2.5 is 250 %. ``inf`` when no margin is used.

    Raises
    ------
    ValueError
        If an argument breaks its rule, or shapes do not match.

    Notes
    -----
    .. math:: \frac{\text{equity}}{\text{used margin}}

    References
    ----------
    Kraken support 203053156, "Margin trading examples" (5 000 over 2 000 is 250 %); Binance, FAQ
    360030493931 (spot cross margin); both read 2026-11-22.

    Examples
    --------
    >>> margin_level(5_000, 2_000)
    2.5
    """
    equity, used_margin = checked(equity=equity, used_margin=used_margin)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return as_result(np.where(used_margin > 0, equity / used_margin, np.inf))


def margin_level_price(
    side: npt.ArrayLike,
    entry_price: npt.ArrayLike,
    quantity: npt.ArrayLike,
    leverage: npt.ArrayLike,
    balance: npt.ArrayLike,
    level: npt.ArrayLike,
    *,
    floating_margin: bool = False,
) -> float | FloatArray:
    r"""Price at which the margin level of a position falls to a level: a call or a liquidation.

    Parameters
    ----------
    side : {1, -1} or array_like
        1 for a long position, -1 for a short position.
    entry_price : array_like
        Average entry price, in quote currency per unit of base currency. Positive.
    quantity : array_like
        Size of the position in base currency. Positive.
    leverage : array_like
        Chosen leverage, 10 for 10x, which sets the used margin. At least 1.
    balance : array_like
        Balance of the account without the profit or loss of this position, in quote currency.
    level : array_like
        Margin level as a decimal (0.8 is 80 %). From 0 to 10.
    floating_margin : bool, default False
        Whether the used margin follows the price, as it does where the margin of a short is
        counted in the borrowed coin. Otherwise it stays at its value at entry.

    Returns
    -------
    float or ndarray
        Price in quote currency per unit of base currency. 0.0 for a long that no price brings to
        the level, and for a short that is below it at every price.

    Raises
    ------
    ValueError
        If an argument breaks its rule, shapes do not match, or a floating used margin of a long
        would grow as fast as its equity.

    Notes
    -----
    With balance :math:`B`, level :math:`\lambda` and size :math:`q`:

    .. math::

        P = E - s\,\frac{B - \lambda\,q E / L}{q} \quad\text{(fixed)}, \qquad
        P = \frac{s\,q\,E - B}{q\,(s - \lambda / L)} \quad\text{(floating)}.

    References
    ----------
    Kraken support 203325763, "Margin call level and margin liquidation level" (long: 13 200);
    PrimeXBT help centre, "Margin call" (closed at a level of 100 %, 98 000); both read 2026-11-22.

    Examples
    --------
    A long of 1 BTC from 20 000 at 5x with 10 000 USD in the account is called at 80 %:

    >>> margin_level_price(1, 20_000, 1, 5, 10_000, 0.8)
    13200.0

    A short is called sooner when its used margin grows with the price:

    >>> [
    ...     round(margin_level_price(-1, 50_000, 0.2, 5, 5_000, 0.8, floating_margin=floating), 2)
    ...     for floating in (False, True)
    ... ]
    [67000.0, 64655.17]
    """
    side, entry_price, quantity, leverage, balance, level = checked(
        side=side,
        entry_price=entry_price,
        quantity=quantity,
        leverage=leverage,
        balance=balance,
        level=level,
    )
    backing, share = balance / quantity, level / leverage
    if checked_flag("floating_margin", floating_margin):
        refuse_where(
            (side > 0) & (share >= 1),
            "level",
            "below the leverage for a long with a floating margin",
            level,
            "lower it",
        )
        return as_result(solve_level(side, entry_price, backing, share))
    return as_result(solve_level(side, entry_price, backing - share * entry_price, 0.0 * share))


def collateral_value(values: npt.ArrayLike, haircut: npt.ArrayLike) -> float | FloatArray:
    r"""Value of several balances as margin: each after its haircut, then their sum.

    Parameters
    ----------
    values : array_like
        Value of each balance along the last axis, in one currency. Negative for a debt.
    haircut : array_like
        Share of each value that does not count, as a decimal (0.02 is 2 %). From 0 to 1; 1 for a
        coin that is not accepted. A debt counts in full.

    Returns
    -------
    float or ndarray
        Collateral value in that currency, with the last axis summed away.

    Raises
    ------
    ValueError
        If an argument breaks its rule, or shapes do not match.

    Notes
    -----
    With values :math:`V_i` and haircuts :math:`h_i`:

    .. math:: \sum_i V_i\,(1 - h_i)

    References
    ----------
    Kraken Futures API documentation payload, Kraken.Net fixture GetBalances.txt (4 999.14 counts
    as 4 886.91 after 2.245 %), read 2026-11-22.

    Examples
    --------
    1 000 USD, and bitcoin worth 5 000 USD with a haircut of 2 %:

    >>> collateral_value([1_000, 5_000], [0, 0.02])
    5900.0
    """
    values, haircut = checked(values=values, haircut=haircut)
    counted = values - np.maximum(values, 0.0) * haircut
    return as_result(counted.sum(axis=-1) if counted.ndim else counted)


guard(globals())
