r"""What a position is worth and what it earns: linear and inverse contracts.

A *linear* contract is quoted and settled in the quote currency: one unit gains one quote unit when
the price rises by one. An *inverse* contract has a fixed value in the quote currency (its face, in
``contract_size``) and is settled in the base currency, so its profit follows the reciprocal of the
price.

All functions broadcast, take prices in quote currency per unit of base currency, and leave out
fees and funding, which live in :mod:`leverage.costs`.
"""

from dataclasses import dataclass
from fractions import Fraction
from math import fsum, nan

import numpy as np
import numpy.typing as npt

from leverage._guard import guard
from leverage._validate import (
    FloatArray,
    as_result,
    at_least_zero,
    checked,
    checked_flag,
    checked_numbers,
    refuse_where,
)

LONG = 1
SHORT = -1


def notional(
    price: npt.ArrayLike,
    quantity: npt.ArrayLike,
    *,
    contract_size: npt.ArrayLike = 1.0,
    inverse: bool = False,
) -> float | FloatArray:
    r"""Value that a position controls at a price.

    Parameters
    ----------
    price : array_like
        Price in quote currency per unit of base currency. Positive.
    quantity : array_like
        Size of the position: base currency, or number of contracts. Positive.
    contract_size : array_like, default 1.0
        What one contract stands for: base currency if linear, quote currency if inverse.
    inverse : bool, default False
        Whether the contract is inverse (settled in the base currency).

    Returns
    -------
    float or ndarray
        Notional in quote currency if linear, in base currency if inverse.

    Raises
    ------
    ValueError
        If an argument breaks its rule, or shapes do not match.

    Notes
    -----
    With price :math:`P`, quantity :math:`q` and contract size :math:`k`:

    .. math:: N = q\,k\,P \quad\text{(linear)}, \qquad N = \frac{q\,k}{P} \quad\text{(inverse)}.

    References
    ----------
    Kraken, "Equity Protection Process", support article 360022835671 (inverse example), read
    2026-11-22.

    Examples
    --------
    Half a bitcoin at 20 000 USD:

    >>> notional(20_000, 0.5)
    10000.0

    1 000 inverse contracts of 1 USD at 8 000 USD, in bitcoin:

    >>> notional(8_000, 1_000, inverse=True)
    0.125
    """
    price, quantity, contract_size = checked(
        price=price, quantity=quantity, contract_size=contract_size
    )
    size = quantity * contract_size
    return as_result(size / price if checked_flag("inverse", inverse) else size * price)


def pnl(
    side: npt.ArrayLike,
    entry_price: npt.ArrayLike,
    exit_price: npt.ArrayLike,
    quantity: npt.ArrayLike,
    *,
    contract_size: npt.ArrayLike = 1.0,
    inverse: bool = False,
) -> float | FloatArray:
    r"""Profit or loss between two prices, before fees and funding.

    It is unrealised when `exit_price` is the mark price and realised when it is the price at which
    the position was closed. Leverage does not enter: it changes the margin, not the profit.

    Parameters
    ----------
    side : {1, -1} or array_like
        1 for a long position, -1 for a short position.
    entry_price : array_like
        Average entry price, in quote currency per unit of base currency. Positive.
    exit_price : array_like
        Exit or mark price, in the same unit. Positive.
    quantity : array_like
        Size of the position: base currency, or number of contracts. Positive; the sign lives in
        `side`.
    contract_size : array_like, default 1.0
        What one contract stands for: base currency if linear, quote currency if inverse.
    inverse : bool, default False
        Whether the contract is inverse (settled in the base currency).

    Returns
    -------
    float or ndarray
        Profit (positive) or loss (negative), in quote currency if linear, in base currency if
        inverse.

    Raises
    ------
    ValueError
        If an argument breaks its rule, or shapes do not match.

    Notes
    -----
    With side :math:`s`, entry :math:`E`, exit :math:`X`, quantity :math:`q` and contract size
    :math:`k`:

    .. math::

        s\,q\,k\,(X - E) \quad\text{(linear)}, \qquad
        s\,q\,k\left(\frac{1}{E} - \frac{1}{X}\right) \quad\text{(inverse)}.

    References
    ----------
    Binance, "How to Calculate Liquidation Price of USD-M Futures Contracts", FAQ
    b3c689c1f50a44cabb3a84e663b81d93 (2020-08-14), and Kraken, "Equity Protection Process", support
    article 360022835671; both read 2026-11-22.

    Examples
    --------
    Two ether bought at 3 000 USDT and sold at 3 150 USDT:

    >>> pnl(LONG, 3_000, 3_150, 2)
    300.0

    The same move is a loss of the same size for a short:

    >>> pnl([LONG, SHORT], 3_000, 3_150, 2)
    array([ 300., -300.])

    An inverse long of 10 000 USD gains less bitcoin than the price alone suggests:

    >>> round(pnl(LONG, 40_000, 50_000, 10_000, inverse=True), 8)
    0.05
    """
    side, entry_price, exit_price, quantity, contract_size = checked(
        side=side,
        entry_price=entry_price,
        exit_price=exit_price,
        quantity=quantity,
        contract_size=contract_size,
    )
    gain = side * quantity * contract_size * (exit_price - entry_price)
    # (X - E) / E / X equals 1/E - 1/X and keeps its digits when X is close to E.
    return as_result(gain / entry_price / exit_price if checked_flag("inverse", inverse) else gain)


def price_move(start_price: npt.ArrayLike, end_price: npt.ArrayLike) -> float | FloatArray:
    r"""Change of a price, as a decimal fraction of where it started.

    Parameters
    ----------
    start_price : array_like
        Price at the start, in quote currency per unit of base currency. Positive.
    end_price : array_like
        Price at the end, in the same unit. 0.0 and ``inf``, which a liquidation price function
        returns where there is none, are moves of -1.0 and ``inf``.

    Returns
    -------
    float or ndarray
        Move as a decimal: 0.05 is a rise of 5 %, -0.05 a fall of 5 %.

    Raises
    ------
    ValueError
        If an argument breaks its rule, or shapes do not match.

    Notes
    -----
    From :math:`E` to :math:`X`:

    .. math:: x = \frac{X - E}{E}

    From entry to exit it is the return of the unleveraged position; :func:`roe` is the return on
    the margin.

    Examples
    --------
    >>> price_move(20_000, [21_000, 18_100])
    array([ 0.05 , -0.095])
    """
    start_price, end_price = checked(start_price=start_price, end_price=end_price)
    return as_result((end_price - start_price) / start_price)


def roe(
    side: npt.ArrayLike,
    entry_price: npt.ArrayLike,
    exit_price: npt.ArrayLike,
    leverage: npt.ArrayLike,
    *,
    inverse: bool = False,
) -> float | FloatArray:
    r"""Return on the initial margin at entry (return on equity), before fees and funding.

    Parameters
    ----------
    side : {1, -1} or array_like
        1 for a long position, -1 for a short position.
    entry_price : array_like
        Average entry price, in quote currency per unit of base currency. Positive.
    exit_price : array_like
        Exit or mark price, in the same unit. Positive.
    leverage : array_like
        Leverage chosen at entry, 10 for 10x. At least 1.
    inverse : bool, default False
        Whether the contract is inverse (settled in the base currency).

    Returns
    -------
    float or ndarray
        Return as a decimal of the initial margin: 0.5 is 50 %. Below -1 the loss exceeds that
        margin; an exchange liquidates the position before.

    Raises
    ------
    ValueError
        If an argument breaks its rule, or shapes do not match.

    Notes
    -----
    The margin in the denominator is the one put up at entry, :math:`N_E / L`:

    .. math::

        s\,L\left(\frac{X}{E} - 1\right) \quad\text{(linear)}, \qquad
        s\,L\left(1 - \frac{E}{X}\right) \quad\text{(inverse)}.

    Some exchange pages value the margin at the exit price instead, which gives another
    percentage for the same trade: always ask which margin a return is measured on.

    Examples
    --------
    A rise of 5 % at 10x earns half the margin, a fall of 5 % costs half of it:

    >>> roe(LONG, 100, [105, 95], 10)
    array([ 0.5, -0.5])

    A ROE of 100 % at 10x needs a price move of 10 %, not a doubled price:

    >>> roe(LONG, 100, 110, 10)
    1.0
    """
    side, entry_price, exit_price, leverage = checked(
        side=side, entry_price=entry_price, exit_price=exit_price, leverage=leverage
    )
    base = exit_price if checked_flag("inverse", inverse) else entry_price
    return as_result(side * leverage * (exit_price - entry_price) / base)


def average_entry_price(
    prices: npt.ArrayLike, quantities: npt.ArrayLike, *, inverse: bool = False
) -> float | FloatArray:
    r"""Average entry price of a position built from several fills on the same side.

    Parameters
    ----------
    prices : array_like
        Price of each fill along the last axis, in quote currency per unit of base currency.
        Positive.
    quantities : array_like
        Size of each fill: base currency or contracts; contracts if inverse. Positive.
    inverse : bool, default False
        Whether the contract is inverse (settled in the base currency).

    Returns
    -------
    float or ndarray
        Average entry price, with the last axis averaged away.

    Raises
    ------
    ValueError
        If a price or a quantity is not positive, there is no fill, or shapes do not match.

    Notes
    -----
    The average is the entry price that gives one position the same profit as all the fills.
    That is the arithmetic mean weighted by size for a linear contract, and the harmonic mean for
    an inverse one:

    .. math::

        E = \frac{\sum q_i P_i}{\sum q_i} \quad\text{(linear)}, \qquad
        E = \frac{\sum q_i}{\sum q_i / P_i} \quad\text{(inverse)}.

    References
    ----------
    Bybit help centre, "How to Calculate Average Entry Price" (inverse example), read 2026-11-22.

    Examples
    --------
    One coin at 100 and three at 120:

    >>> average_entry_price([100, 120], [1, 3])
    115.0

    Two equal inverse fills at 10 000 and 15 000 average below the middle:

    >>> round(average_entry_price([10_000, 15_000], [50, 50], inverse=True), 6)
    12000.0
    """
    prices, quantities = checked(prices=prices, quantities=quantities)
    prices, quantities = np.broadcast_arrays(np.atleast_1d(prices), quantities)
    if prices.shape[-1] == 0:
        raise ValueError("prices must hold at least one fill, was empty; give the fills to average")
    if checked_flag("inverse", inverse):
        return as_result(quantities.sum(axis=-1) / (quantities / prices).sum(axis=-1))
    return as_result((quantities * prices).sum(axis=-1) / quantities.sum(axis=-1))


@dataclass(frozen=True)
class FilledPosition:
    """What a list of fills leaves behind: a position, and what was earned and paid on the way.

    Attributes
    ----------
    side : int
        1 for a long position, -1 for a short position, 0 when all is closed.
    quantity : float
        Size still open: base currency, or number of contracts.
    entry_price : float
        Average entry price of what is open; ``nan`` when all is closed.
    realised_pnl : float
        Profit or loss of what was closed, before fees and funding, in the settlement currency.
    fees, funding : float
        Sum of fees paid, and of funding received (positive) and paid (negative).
    realised_by_fill : tuple of float
        Realised profit or loss of each fill.
    """

    side: int
    quantity: float
    entry_price: float
    realised_pnl: float
    fees: float
    funding: float
    realised_by_fill: tuple[float, ...]

    @property
    def net_pnl(self) -> float:
        """Realised profit or loss after fees and funding."""
        return self.realised_pnl - self.fees + self.funding


def position_from_fills(
    prices: npt.ArrayLike,
    signed_quantities: npt.ArrayLike,
    *,
    fees: npt.ArrayLike = 0.0,
    funding: npt.ArrayLike = 0.0,
    contract_size: float = 1.0,
    inverse: bool = False,
) -> FilledPosition:
    r"""Position and realised profit or loss of a list of fills, through adds, reductions and flips.

    Parameters
    ----------
    prices : array_like
        Price of each fill, oldest first, in quote currency per unit of base currency. Positive.
    signed_quantities : array_like
        Size of each fill, bought as a positive and sold as a negative number: base currency, or
        number of contracts. Not zero.
    fees : array_like, default 0.0
        Fee of each fill in the settlement currency, or the sum of all; a rebate as a negative
        number.
    funding : array_like, default 0.0
        Funding payments, received as positive and paid as negative numbers, or their sum.
    contract_size : float, default 1.0
        What one contract stands for: base currency if linear, quote currency if inverse.
    inverse : bool, default False
        Whether the contract is inverse (settled in the base currency).

    Returns
    -------
    FilledPosition
        What is open and what was booked.

    Raises
    ------
    ValueError
        If an argument breaks its rule, there is no fill, or shapes do not match.

    Notes
    -----
    A fill on the side of the position moves its average entry price :math:`E`, weighted as in
    :func:`average_entry_price`. A fill against it leaves :math:`E` as it is and realises

    .. math::

        s\,q\,k\,(X - E) \quad\text{(linear)}, \qquad
        s\,q\,k\left(\frac{1}{E} - \frac{1}{X}\right) \quad\text{(inverse)}

    on the quantity :math:`q` that it closes; what is left of it opens the other side at its own
    price. Quantities are added as the decimals that they are written as, so that 0.1 + 0.2 - 0.3
    leaves nothing.

    Examples
    --------
    Bought 2 at 100 and 1 at 130, sold 1 at 140, then 4 at 120, which turns the position around:

    >>> left = position_from_fills([100, 130, 140, 120], [2, 1, -1, -4], fees=[0.1] * 4)
    >>> left.side, left.quantity, left.entry_price
    (-1, 2.0, 120.0)
    >>> left.realised_by_fill, round(left.net_pnl, 10)
    ((0.0, 0.0, 30.0, 20.0), 49.6)
    """
    values, sizes = checked(prices=prices, signed_quantities=signed_quantities)
    (unit,) = checked_numbers(contract_size=contract_size)
    values, sizes = np.atleast_1d(*np.broadcast_arrays(values, sizes))
    costs, payments = (
        float(checked(**{name: amounts})[0].sum())
        for name, amounts in (("fees", fees), ("funding", funding))
    )
    if values.ndim != 1 or values.size == 0:
        raise ValueError(
            f"prices must hold one price for each of at least one fill, had shape {values.shape}; "
            "give the fills of one position"
        )
    is_inverse = checked_flag("inverse", inverse)
    refuse_where(sizes == 0, "signed_quantities", "other than 0", sizes, "leave out empty fills")
    open_size, entry, realised = Fraction(0), nan, []
    for price, size in zip(values.tolist(), map(_as_written, sizes.tolist()), strict=True):
        side = 1 if open_size > 0 else -1
        closed = min(abs(open_size), abs(size)) if open_size * size < 0 else Fraction(0)
        gain = 0.0
        if closed:
            size_closed = float(closed) * unit
            gain = float(pnl(side, entry, price, size_closed, inverse=is_inverse))
        elif open_size:
            both = [float(abs(open_size)), float(abs(size))]
            entry = float(average_entry_price([entry, price], both, inverse=is_inverse))
        if abs(size) > closed and (closed or not open_size):
            entry = price
        open_size += size
        realised.append(gain)
    return FilledPosition(
        side=(open_size > 0) - (open_size < 0),
        quantity=float(abs(open_size)),
        entry_price=entry if open_size else nan,
        realised_pnl=fsum(realised),
        fees=costs,
        funding=payments,
        realised_by_fill=tuple(realised),
    )


def _as_written(number: float) -> Fraction:
    """Give the decimal that a float is written as: a tenth for 0.1."""
    return Fraction(repr(number))


def break_even_price(
    side: npt.ArrayLike,
    entry_price: npt.ArrayLike,
    fee_rate: npt.ArrayLike,
    *,
    exit_fee_rate: npt.ArrayLike | None = None,
    realised_pnl: npt.ArrayLike | None = None,
    quantity: npt.ArrayLike | None = None,
    contract_size: npt.ArrayLike = 1.0,
    inverse: bool = False,
) -> float | FloatArray:
    r"""Exit price at which the profit pays both fees and whatever else was booked.

    Parameters
    ----------
    side : {1, -1} or array_like
        1 for a long position, -1 for a short position.
    entry_price : array_like
        Average entry price, in quote currency per unit of base currency. Positive.
    fee_rate : array_like
        Fee of each of the two trades as a decimal of its notional (0.0005 is 0.05 %). A negative
        rate is a rebate.
    exit_fee_rate : array_like, optional
        Fee for the exit when it differs. With 0 it is the price that Binance displays.
    realised_pnl : array_like, optional
        What the position has booked besides the entry fee, in the settlement currency: profits of
        partial closes and funding received, less funding paid. A negative number is a cost. Where
        a venue counts the entry fee in, give 0 as `fee_rate` and the fee as `exit_fee_rate`.
    quantity : array_like, optional
        Size still open: base currency, or number of contracts. Needed with `realised_pnl`.
    contract_size : array_like, default 1.0
        What one contract stands for: base currency if linear, quote currency if inverse.
    inverse : bool, default False
        Whether the contract is inverse (settled in the base currency).

    Returns
    -------
    float or ndarray
        Break-even price in quote currency per unit of base currency. A linear long or an inverse
        short that has booked more than it can lose has 0.0 or ``inf``: no price brings it to zero.

    Raises
    ------
    ValueError
        If an argument breaks its rule, shapes do not match, `realised_pnl` comes without
        `quantity`, or no price pays for what was booked, as for a linear short or an inverse long
        with costs above its notional at entry.

    Notes
    -----
    With booked result :math:`R`, size :math:`q` (quantity times contract size), and fee rates
    :math:`f_E` at entry and :math:`f_X` at exit:

    .. math::

        X = \frac{E\,(1 + s f_E) - s R / q}{1 - s f_X} \quad\text{(linear)}, \qquad
        X = \frac{1 + s f_X}{(1 - s f_E) / E + s R / q} \quad\text{(inverse)}.

    The exit fee is charged on the exit notional, so a round trip needs slightly more than
    :math:`E\,(1 + 2 s f)`. Binance displays :math:`E\,(1 + s f_E)` for inverse contracts too.

    References
    ----------
    Binance API answers recorded in ccxt 4.5.90, parse_position_risk (long from 44 525 at 0.04 %
    shows 44 542.81: entry fee only); Bybit API documentation v5, position.mdx (``breakEvenPrice``),
    and Bitget API answer recorded in ccxt 4.5.90, parse_position (107 539.2); read 2026-11-22.

    Examples
    --------
    >>> round(break_even_price(LONG, 50_000, 0.0005), 2)
    50050.03
    >>> round(break_even_price(LONG, 44_525, 0.0004, exit_fee_rate=0), 2)
    44542.81

    The entry fee and some funding are booked, so only the exit is still to be paid:

    >>> booked = {"realised_pnl": -0.06444618, "quantity": 0.001}
    >>> round(break_even_price(LONG, 107_410.3, 0, exit_fee_rate=0.0006, **booked), 2)
    107539.27
    """
    if realised_pnl is not None and quantity is None:
        raise ValueError(
            "quantity must be given together with realised_pnl, was left out; "
            "give the size that is still open"
        )
    side, entry_price, fee_rate, exit_fee_rate, realised_pnl, quantity, contract_size = checked(
        side=side,
        entry_price=entry_price,
        fee_rate=fee_rate,
        exit_fee_rate=fee_rate if exit_fee_rate is None else exit_fee_rate,
        realised_pnl=0.0 if realised_pnl is None else realised_pnl,
        quantity=1.0 if quantity is None else quantity,
        contract_size=contract_size,
    )
    booked = side * realised_pnl / (quantity * contract_size)
    if checked_flag("inverse", inverse):
        level, rising = (1 - side * fee_rate) / entry_price + booked, -side
    else:
        level, rising = entry_price * (1 + side * fee_rate) - booked, side
    refuse_where(
        (level <= 0) & (rising < 0),
        "realised_pnl",
        "a cost below the notional at entry, which is all that this position can earn",
        realised_pnl,
        "check its sign and its currency",
    )
    level = at_least_zero(level)
    with np.errstate(divide="ignore"):
        if inverse:
            return as_result((1 + side * exit_fee_rate) / level)
        return as_result(level / (1 - side * exit_fee_rate))


def target_price(
    side: npt.ArrayLike,
    entry_price: npt.ArrayLike,
    leverage: npt.ArrayLike,
    target_roe: npt.ArrayLike,
    *,
    fee_rate: npt.ArrayLike = 0.0,
    exit_fee_rate: npt.ArrayLike | None = None,
    inverse: bool = False,
) -> float | FloatArray:
    r"""Exit price that gives a chosen return on the initial margin, net of the fees that you name.

    Without fees it inverts :func:`roe`. Funding is left out.

    Parameters
    ----------
    side : {1, -1} or array_like
        1 for a long position, -1 for a short position.
    entry_price : array_like
        Average entry price, in quote currency per unit of base currency. Positive.
    leverage : array_like
        Leverage chosen at entry, 10 for 10x. At least 1.
    target_roe : array_like
        Wanted return as a decimal of the initial margin (0.2 is 20 %); negative for a loss.
    fee_rate : array_like, default 0.0
        Fee of each of the two trades as a decimal of its notional (0.0005 is 0.05 %). A negative
        rate is a rebate.
    exit_fee_rate : array_like, optional
        Fee for the exit when it differs.
    inverse : bool, default False
        Whether the contract is inverse (settled in the base currency).

    Returns
    -------
    float or ndarray
        Exit price in quote currency per unit of base currency.

    Raises
    ------
    ValueError
        If an argument breaks its rule, shapes do not match, or no price gives that return: a
        linear short and an inverse long gain less than `leverage`, a linear long and an inverse
        short lose less than `leverage`.

    Notes
    -----
    With target :math:`r` and fee rates :math:`f_E` at entry and :math:`f_X` at exit:

    .. math::

        X = E\,\frac{1 + s\,(r / L + f_E)}{1 - s f_X} \quad\text{(linear)}, \qquad
        X = E\,\frac{1 + s f_X}{1 - s\,(r / L + f_E)} \quad\text{(inverse)}.

    References
    ----------
    Bybit help centre, calculator: inverse, 5x, entry 7 000, ROI 20 % gives about 7 292; read
    2026-11-22.

    Examples
    --------
    >>> target_price(LONG, 30_000, 10, 0.5)
    31500.0
    >>> round(target_price(LONG, 7_000, 5, 0.2, inverse=True), 2)
    7291.67

    Fees of 0.05 % on both trades ask for more:

    >>> round(target_price(LONG, 30_000, 10, 0.5, fee_rate=0.0005), 2)
    31530.77
    """
    side, entry_price, leverage, target_roe, fee_rate, exit_fee_rate = checked(
        side=side,
        entry_price=entry_price,
        leverage=leverage,
        target_roe=target_roe,
        fee_rate=fee_rate,
        exit_fee_rate=fee_rate if exit_fee_rate is None else exit_fee_rate,
    )
    direction = -side if checked_flag("inverse", inverse) else side
    factor = 1 + direction * (target_roe / leverage + fee_rate)
    refuse_where(
        factor <= 0,
        "target_roe",
        "a return that some price gives",
        target_roe,
        "keep its size below the leverage",
    )
    at_exit = 1 - direction * exit_fee_rate
    return as_result(entry_price * (at_exit / factor if inverse else factor / at_exit))


def recovery_return(loss: npt.ArrayLike) -> float | FloatArray:
    r"""Return that makes good a loss.

    Parameters
    ----------
    loss : array_like
        Loss as a positive decimal of what was there before: 0.2 is 20 %. From 0 to below 1,
        because nothing makes good a total loss.

    Returns
    -------
    float or ndarray
        Return needed on what is left, as a decimal.

    Raises
    ------
    ValueError
        If `loss` is negative or not below 1.

    Notes
    -----
    With loss :math:`\ell`:

    .. math:: r = \frac{1}{1 - \ell} - 1 = \frac{\ell}{1 - \ell}

    Examples
    --------
    Losing half asks for a doubling; equal gains and losses do not cancel:

    >>> recovery_return([0.1, 0.5, 0.9]).round(4)
    array([0.1111, 1.    , 9.    ])
    """
    (loss,) = checked(loss=loss)
    return as_result(loss / (1 - loss))


guard(globals())
