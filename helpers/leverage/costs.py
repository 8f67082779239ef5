r"""What a position costs besides its loss: trading fees, funding and interest.

Costs are amounts in the settlement currency: the quote currency for a linear contract, the base
currency for an inverse one. All functions broadcast.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from leverage import contracts
from leverage._guard import guard
from leverage._validate import FloatArray, as_result, checked

# Above every sum of a premium and its clamp.
_NO_CAP = np.nextafter(1.0, 0.0)
# Share of a count of intervals that is a rounding error of its hours.
_NOISE = 1e-12


def trading_fee(notional: npt.ArrayLike, fee_rate: npt.ArrayLike) -> float | FloatArray:
    r"""Fee for one trade.

    Parameters
    ----------
    notional : array_like
        Value of the trade, in the settlement currency. Zero or more.
    fee_rate : array_like
        Fee as a decimal of the notional (0.0005 is 0.05 %). A negative rate is a rebate.

    Returns
    -------
    float or ndarray
        Fee in the currency of `notional`; negative when the trade earns a rebate.

    Raises
    ------
    ValueError
        If an argument breaks its rule, or shapes do not match.

    Notes
    -----
    With notional :math:`N` and fee rate :math:`f`:

    .. math:: \text{fee} = N f

    The fee is charged on the notional, not on the margin.

    Examples
    --------
    >>> trading_fee(10_000, 0.0005)
    5.0
    """
    notional, fee_rate = checked(notional=notional, fee_rate=fee_rate)
    return as_result(notional * fee_rate)


def round_trip_cost(
    entry_price: npt.ArrayLike,
    exit_price: npt.ArrayLike,
    quantity: npt.ArrayLike,
    fee_rate: npt.ArrayLike,
    *,
    exit_fee_rate: npt.ArrayLike | None = None,
    contract_size: npt.ArrayLike = 1.0,
    inverse: bool = False,
) -> float | FloatArray:
    r"""Fees for opening and closing a position.

    Parameters
    ----------
    entry_price : array_like
        Average entry price, in quote currency per unit of base currency. Positive.
    exit_price : array_like
        Average exit price, in the same unit. Positive.
    quantity : array_like
        Size of the position: base currency, or number of contracts. Positive.
    fee_rate : array_like
        Fee as a decimal of the notional (0.0005 is 0.05 %). A negative rate is a rebate.
    exit_fee_rate : array_like, optional
        Fee for the exit when it differs, as for a maker entry and a taker exit.
    contract_size : array_like, default 1.0
        What one contract stands for: base currency if linear, quote currency if inverse.
    inverse : bool, default False
        Whether the contract is inverse (settled in the base currency).

    Returns
    -------
    float or ndarray
        Sum of both fees in the settlement currency.

    Raises
    ------
    ValueError
        If an argument breaks its rule, or shapes do not match.

    Notes
    -----
    With notional :math:`N` and fee rate :math:`f` at entry and at exit:

    .. math:: N_E f_E + N_X f_X

    Funding and slippage are left out.

    Examples
    --------
    >>> round_trip_cost(50_000, 52_000, 0.1, 0.0005)
    5.1
    """
    entry_price, exit_price, quantity, fee_rate, exit_fee_rate, contract_size = checked(
        entry_price=entry_price,
        exit_price=exit_price,
        quantity=quantity,
        fee_rate=fee_rate,
        exit_fee_rate=fee_rate if exit_fee_rate is None else exit_fee_rate,
        contract_size=contract_size,
    )
    at_entry, at_exit = (
        contracts.notional(price, quantity, contract_size=contract_size, inverse=inverse)
        for price in (entry_price, exit_price)
    )
    return as_result(at_entry * fee_rate + at_exit * exit_fee_rate)


def fee_share_of_margin(leverage: npt.ArrayLike, fee_rate: npt.ArrayLike) -> float | FloatArray:
    r"""Share of the initial margin that a round trip costs when the price does not move.

    Parameters
    ----------
    leverage : array_like
        Chosen leverage, 10 for 10x. At least 1.
    fee_rate : array_like
        Fee of each of the two trades as a decimal of its notional (0.0005 is 0.05 %). A negative
        rate is a rebate.

    Returns
    -------
    float or ndarray
        Share as a decimal of the initial margin: 0.01 is 1 %.

    Raises
    ------
    ValueError
        If an argument breaks its rule, or shapes do not match.

    Notes
    -----
    With leverage :math:`L` and fee rate :math:`f`:

    .. math:: 2 L f

    Examples
    --------
    A fee of 0.05 % looks small, and at 100x it takes a tenth of the margin:

    >>> fee_share_of_margin([10, 100], 0.0005)
    array([0.01, 0.1 ])
    """
    leverage, fee_rate = checked(leverage=leverage, fee_rate=fee_rate)
    return as_result(2 * leverage * fee_rate)


def net_pnl(
    side: npt.ArrayLike,
    entry_price: npt.ArrayLike,
    exit_price: npt.ArrayLike,
    quantity: npt.ArrayLike,
    fee_rate: npt.ArrayLike,
    *,
    exit_fee_rate: npt.ArrayLike | None = None,
    funding: npt.ArrayLike = 0.0,
    contract_size: npt.ArrayLike = 1.0,
    inverse: bool = False,
) -> float | FloatArray:
    r"""Profit or loss of a closed position after both fees and its funding.

    Parameters
    ----------
    side : {1, -1} or array_like
        1 for a long position, -1 for a short position.
    entry_price : array_like
        Average entry price, in quote currency per unit of base currency. Positive.
    exit_price : array_like
        Average exit price, in the same unit. Positive.
    quantity : array_like
        Size of the position: base currency, or number of contracts. Positive.
    fee_rate : array_like
        Fee as a decimal of the notional (0.0005 is 0.05 %). A negative rate is a rebate.
    exit_fee_rate : array_like, optional
        Fee for the exit when it differs.
    funding : array_like, default 0.0
        Sum of all funding received (positive) and paid (negative), in the settlement currency.
    contract_size : array_like, default 1.0
        What one contract stands for: base currency if linear, quote currency if inverse.
    inverse : bool, default False
        Whether the contract is inverse (settled in the base currency).

    Returns
    -------
    float or ndarray
        Net profit or loss in the settlement currency.

    Raises
    ------
    ValueError
        If an argument breaks its rule, or shapes do not match.

    Notes
    -----
    With entry :math:`E`, exit :math:`X`, and notional :math:`N` and fee rate :math:`f` at each:

    .. math:: \text{pnl}(E, X) - N_E f_E - N_X f_X + \text{funding}

    References
    ----------
    Bybit API answer recorded in ccxt's bybit.json (closed at a loss of 0.43582528), read
    2026-11-22.

    Examples
    --------
    >>> round(net_pnl(1, 55_937.5, 55_563, 0.001, 0.00055), 8)
    -0.43582528
    """
    side, entry_price, exit_price, quantity, fee_rate, exit_fee_rate, funding, contract_size = (
        checked(
            side=side,
            entry_price=entry_price,
            exit_price=exit_price,
            quantity=quantity,
            fee_rate=fee_rate,
            exit_fee_rate=fee_rate if exit_fee_rate is None else exit_fee_rate,
            funding=funding,
            contract_size=contract_size,
        )
    )
    gross = contracts.pnl(
        side, entry_price, exit_price, quantity, contract_size=contract_size, inverse=inverse
    )
    fees = round_trip_cost(
        entry_price,
        exit_price,
        quantity,
        fee_rate,
        exit_fee_rate=exit_fee_rate,
        contract_size=contract_size,
        inverse=inverse,
    )
    return as_result(gross - fees + funding)


def funding_rate(
    premium: npt.ArrayLike,
    interest_rate: npt.ArrayLike,
    *,
    clamp_rate: npt.ArrayLike = 0.0005,
    cap_rate: npt.ArrayLike | None = None,
) -> float | FloatArray:
    r"""Funding rate from the premium of a perpetual over its index and an interest rate.

    Parameters
    ----------
    premium : array_like
        Average premium of the perpetual over its index in the interval, as a decimal (0.0002 is
        0.02 %). Negative when the perpetual trades below.
    interest_rate : array_like
        Interest for the interval as a decimal (0.0001 is 0.01 %).
    clamp_rate : array_like, default 0.0005
        Largest difference from the premium, as a decimal.
    cap_rate : array_like, optional
        Largest size of the rate, as a decimal. No limit if left out.

    Returns
    -------
    float or ndarray
        Funding rate for the interval, as a decimal. Positive when longs pay shorts.

    Raises
    ------
    ValueError
        If an argument breaks its rule, or shapes do not match.

    Notes
    -----
    With premium :math:`p` and interest :math:`i`, clamp :math:`c` and cap :math:`C`:

    .. math:: \operatorname{clip}\bigl(p + \operatorname{clip}(i - p, -c, c), -C, C\bigr)

    While the premium lies within `clamp_rate` of the interest, the rate is the interest. Exchanges
    differ in how they average the premium and in the length of the interval.

    References
    ----------
    Gate help centre, funding rate (this form with a clamp of 0.05 %), read 2026-11-22.

    Examples
    --------
    A premium of 0.02 % changes nothing, one of 0.10 % does:

    >>> funding_rate([0.0002, 0.0010], 0.0001).round(6)
    array([0.0001, 0.0005])
    """
    premium, interest_rate, clamp_rate, cap_rate = checked(
        premium=premium,
        interest_rate=interest_rate,
        clamp_rate=clamp_rate,
        cap_rate=_NO_CAP if cap_rate is None else cap_rate,
    )
    rate = premium + np.clip(interest_rate - premium, -clamp_rate, clamp_rate)
    return as_result(np.clip(rate, -cap_rate, cap_rate))


def borrowing_interest(
    borrowed: npt.ArrayLike,
    interest_rate: npt.ArrayLike,
    hours: npt.ArrayLike,
) -> float | FloatArray:
    r"""Interest on a loan of spot margin; an hour that has begun is charged in full.

    Parameters
    ----------
    borrowed : array_like
        Amount borrowed, in its own currency. Zero or more.
    interest_rate : array_like
        Interest for one hour as a decimal (0.0001 is 0.01 %).
    hours : array_like
        Time since the loan was taken, in hours. Zero or more.

    Returns
    -------
    float or ndarray
        Interest in the currency of `borrowed`, without interest on interest.

    Raises
    ------
    ValueError
        If an argument breaks its rule, or shapes do not match.

    Notes
    -----
    With borrowed amount :math:`B` and rate :math:`i` of one hour:

    .. math:: B\,i\,\lceil \text{hours} \rceil

    Examples
    --------
    9 000 USDT for 24 and a half hours at 0.001 % an hour:

    >>> round(borrowing_interest(9_000, 0.00001, 24.5), 6)
    2.25
    """
    borrowed, interest_rate, hours = checked(
        borrowed=borrowed, interest_rate=interest_rate, hours=hours
    )
    return as_result(borrowed * interest_rate * _intervals(hours, 1.0, np.ceil))


def rollover_cost(
    position_cost: npt.ArrayLike,
    rollover_rate: npt.ArrayLike,
    hours: npt.ArrayLike,
    *,
    opening_rate: npt.ArrayLike = 0.0,
    interval_hours: npt.ArrayLike = 4.0,
) -> float | FloatArray:
    r"""Fee for opening a spot margin position, and for keeping it open interval by interval.

    Parameters
    ----------
    position_cost : array_like
        Size of the position times its entry price, in quote currency. Zero or more.
    rollover_rate : array_like
        Fee for one full interval as a decimal (0.0001 is 0.01 %).
    hours : array_like
        Time the position was open, in hours. Zero or more.
    opening_rate : array_like, default 0.0
        Fee for opening as a decimal.
    interval_hours : array_like, default 4.0
        Length of an interval in hours. Positive.

    Returns
    -------
    float or ndarray
        Opening and rollover fees in quote currency, trading fees left out.

    Raises
    ------
    ValueError
        If an argument breaks its rule, or shapes do not match.

    Notes
    -----
    With cost of the position :math:`C`, opening rate :math:`o` and rollover rate :math:`r`:

    .. math:: C\left(o + r\left\lfloor \frac{\text{hours}}{\text{interval}} \right\rfloor\right)

    References
    ----------
    Kraken support, article 206161568 (updated 2026-02-10), read 2026-11-22.

    Examples
    --------
    10 000 USD for 74 hours: 1 USD to open, and 18 rollovers of 1 USD each:

    >>> round(rollover_cost(10_000, 0.0001, 74, opening_rate=0.0001), 9)
    19.0
    """
    position_cost, rollover_rate, hours, opening_rate, interval_hours = checked(
        position_cost=position_cost,
        rollover_rate=rollover_rate,
        hours=hours,
        opening_rate=opening_rate,
        interval_hours=interval_hours,
    )
    rollovers = _intervals(hours, interval_hours, np.floor)
    return as_result(position_cost * (opening_rate + rollover_rate * rollovers))


def funding_payment(
    side: npt.ArrayLike,
    mark_price: npt.ArrayLike,
    quantity: npt.ArrayLike,
    funding_rate: npt.ArrayLike,
    *,
    contract_size: npt.ArrayLike = 1.0,
    inverse: bool = False,
) -> float | FloatArray:
    r"""Money that one funding settlement brings to the holder of a position.

    Parameters
    ----------
    side : {1, -1} or array_like
        1 for a long position, -1 for a short position.
    mark_price : array_like
        Mark price at the settlement, in quote currency per unit of base currency. Positive.
    quantity : array_like
        Size of the position: base currency, or number of contracts. Positive.
    funding_rate : array_like
        Rate for this interval as a decimal of the notional (0.0001 is 0.01 %). Positive when
        longs pay shorts, negative when shorts pay longs.
    contract_size : array_like, default 1.0
        What one contract stands for: base currency if linear, quote currency if inverse.
    inverse : bool, default False
        Whether the contract is inverse (settled in the base currency).

    Returns
    -------
    float or ndarray
        Cash flow in the settlement currency: positive is received, negative is paid.

    Raises
    ------
    ValueError
        If an argument breaks its rule, or shapes do not match.

    Notes
    -----
    With side :math:`s`, notional at the mark price :math:`N` and rate :math:`\rho`:

    .. math:: -s\,N\,\rho

    Funding is charged on the notional, not on the margin, and the lengths of intervals differ
    between contracts. What longs pay is what shorts receive; the exchange keeps nothing.

    References
    ----------
    PrimeXBT, "Crypto Futures fees" (1 BTC at 69 000 and 0.01 % pays 6.9 USDT), read 2026-11-22.

    Examples
    --------
    >>> funding_payment(1, 69_000, 1, 0.0001)
    -6.9
    >>> funding_payment(-1, 69_000, 1, 0.0001)
    6.9
    """
    side, mark_price, quantity, funding_rate, contract_size = checked(
        side=side,
        mark_price=mark_price,
        quantity=quantity,
        funding_rate=funding_rate,
        contract_size=contract_size,
    )
    value = contracts.notional(mark_price, quantity, contract_size=contract_size, inverse=inverse)
    return as_result(-side * value * funding_rate)


def _intervals(
    hours: FloatArray,
    interval_hours: FloatArray | float,
    rounder: Callable[[FloatArray], FloatArray],
) -> FloatArray:
    """Count intervals; hours that a rounding error put beside the end of one are at its end."""
    count = hours / interval_hours
    nearest = np.rint(count)
    return np.where(abs(count - nearest) <= _NOISE * count, nearest, rounder(count))


guard(globals())
