r"""What a position costs besides its loss: trading fees and funding.

Costs are amounts in the settlement currency: the quote currency for a linear contract, the base
currency for an inverse one. All functions broadcast.
"""

import numpy.typing as npt

from . import contracts
from ._validate import FloatArray, as_result, checked


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
    .. math:: 2 L f

    Examples
    --------
    A fee of 0.05 % looks small, and at 100x it takes a tenth of the margin:

    >>> fee_share_of_margin([10, 100], 0.0005)
    array([0.01, 0.1 ])
    """
    leverage, fee_rate = checked(leverage=leverage, fee_rate=fee_rate)
    return as_result(2 * leverage * fee_rate)


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
