r"""What backs a position, what it needs, and the price at which it is closed by force.

Margin, equity and requirement are amounts in the *settlement currency*: the quote currency for a
linear contract, the base currency for an inverse one. All functions broadcast.
"""

import numpy as np
import numpy.typing as npt

from ._validate import FloatArray, as_result, checked, checked_flag, refuse_where
from .contracts import pnl


def position_value(margin: npt.ArrayLike, leverage: npt.ArrayLike) -> float | FloatArray:
    r"""Value of the position that a margin opens at a leverage (buying power).

    Parameters
    ----------
    margin : array_like
        Own money put up as collateral, in the settlement currency. Zero or more.
    leverage : array_like
        Chosen leverage, 10 for 10x. At least 1.

    Returns
    -------
    float or ndarray
        Position value in the currency of `margin`.

    Raises
    ------
    ValueError
        If an argument breaks its rule, or shapes do not match.

    Notes
    -----
    .. math:: N = M\,L

    Examples
    --------
    >>> position_value(1_000, 10)
    10000.0
    """
    margin, leverage = checked(margin=margin, leverage=leverage)
    return as_result(margin * leverage)


def borrowed_amount(margin: npt.ArrayLike, leverage: npt.ArrayLike) -> float | FloatArray:
    r"""Part of the position that is not the trader's own money.

    Spot margin really lends this amount and charges interest on it. A futures position borrows
    nothing, and the same number is the part of the notional that the margin does not cover.

    Parameters
    ----------
    margin : array_like
        Own money put up as collateral, in the settlement currency. Zero or more.
    leverage : array_like
        Chosen leverage, 10 for 10x. At least 1.

    Returns
    -------
    float or ndarray
        Borrowed amount in the currency of `margin`.

    Raises
    ------
    ValueError
        If an argument breaks its rule, or shapes do not match.

    Notes
    -----
    .. math:: B = M\,(L - 1)

    Examples
    --------
    >>> borrowed_amount(1_000, 10)
    9000.0
    """
    margin, leverage = checked(margin=margin, leverage=leverage)
    return as_result(margin * (leverage - 1))


def initial_margin(notional: npt.ArrayLike, leverage: npt.ArrayLike) -> float | FloatArray:
    r"""Margin needed to open a position.

    Parameters
    ----------
    notional : array_like
        Value of the position, in the settlement currency. Zero or more.
    leverage : array_like
        Chosen leverage, 10 for 10x. At least 1.

    Returns
    -------
    float or ndarray
        Initial margin in the currency of `notional`.

    Raises
    ------
    ValueError
        If an argument breaks its rule, or shapes do not match.

    Notes
    -----
    .. math:: IM = \frac{N}{L}

    Exchanges differ in the price that values the notional: Binance uses the mark price, others
    the entry price. Some add the fee to close the position to what they show.

    References
    ----------
    MEXC blog, "Liquidation in Futures" (0.1 BTC at 50 000 and 25x needs 200 USDT), read 2026-11-22.

    Examples
    --------
    >>> initial_margin(5_000, 25)
    200.0
    """
    notional, leverage = checked(notional=notional, leverage=leverage)
    return as_result(notional / leverage)


def effective_leverage(notional: npt.ArrayLike, equity: npt.ArrayLike) -> float | FloatArray:
    r"""Leverage that a position has now: its notional over what is left to back it.

    It equals the chosen leverage at entry only, and rises as a position loses.

    Parameters
    ----------
    notional : array_like
        Value of the position at the mark price, in the settlement currency. Zero or more.
    equity : array_like
        Margin plus unrealised profit or loss, in the settlement currency.

    Returns
    -------
    float or ndarray
        Effective leverage, 10 for 10x; ``inf`` when the equity is zero or negative.

    Raises
    ------
    ValueError
        If an argument breaks its rule, or shapes do not match.

    Notes
    -----
    .. math:: L_{\text{eff}} = \frac{N}{\text{equity}}

    Examples
    --------
    A 10x long of 10 000 after a fall of 5 % stands at 19x:

    >>> effective_leverage(9_500, 500)
    19.0
    """
    notional, equity = checked(notional=notional, equity=equity)
    return _over_equity(notional, equity)


def equity(
    side: npt.ArrayLike,
    entry_price: npt.ArrayLike,
    mark_price: npt.ArrayLike,
    quantity: npt.ArrayLike,
    margin: npt.ArrayLike,
    *,
    contract_size: npt.ArrayLike = 1.0,
    inverse: bool = False,
) -> float | FloatArray:
    r"""Margin plus unrealised profit or loss: what a position still has at a mark price.

    Parameters
    ----------
    side : {1, -1} or array_like
        1 for a long position, -1 for a short position.
    entry_price : array_like
        Average entry price, in quote currency per unit of base currency. Positive.
    mark_price : array_like
        Mark price, in the same unit. Positive.
    quantity : array_like
        Size of the position: base currency, or number of contracts. Positive.
    margin : array_like
        Collateral of the position without profit or loss, in the settlement currency. Zero or
        more.
    contract_size : array_like, default 1.0
        What one contract stands for: base currency if linear, quote currency if inverse.
    inverse : bool, default False
        Whether the contract is inverse (settled in the base currency).

    Returns
    -------
    float or ndarray
        Equity in the settlement currency; negative beyond the bankruptcy price.

    Raises
    ------
    ValueError
        If an argument breaks its rule, or shapes do not match.

    Notes
    -----
    .. math:: \text{equity} = M + \text{pnl}(E, P)

    Examples
    --------
    >>> equity(1, 50_000, [48_000, 50_000, 51_000], 0.1, 500)
    array([300., 500., 600.])
    """
    side, entry_price, mark_price, quantity, margin, contract_size = checked(
        side=side,
        entry_price=entry_price,
        mark_price=mark_price,
        quantity=quantity,
        margin=margin,
        contract_size=contract_size,
    )
    profit = pnl(
        side,
        entry_price,
        mark_price,
        quantity,
        contract_size=contract_size,
        inverse=inverse,
    )
    return as_result(margin + profit)


def maintenance_margin(
    notional: npt.ArrayLike,
    maintenance_margin_rate: npt.ArrayLike,
    *,
    maintenance_amount: npt.ArrayLike = 0.0,
) -> float | FloatArray:
    r"""Equity that a position needs to stay open: the requirement.

    It depends on the notional and its tier, not on the chosen leverage.

    Parameters
    ----------
    notional : array_like
        Value of the position at the mark price, in the settlement currency. Zero or more.
    maintenance_margin_rate : array_like
        Share of the notional required, as a decimal (0.004 is 0.4 %). From 0 to below 1.
    maintenance_amount : array_like, default 0.0
        Amount that the tier subtracts, in the settlement currency. Zero or more.

    Returns
    -------
    float or ndarray
        Maintenance margin in the currency of `notional`.

    Raises
    ------
    ValueError
        If an argument breaks its rule, shapes do not match, or `maintenance_amount` exceeds the
        share of the notional, which no tier that holds this notional does.

    Notes
    -----
    With rate :math:`m` and amount :math:`A`:

    .. math:: MM = m N - A

    References
    ----------
    Binance, "How to Calculate Liquidation Price of USD-M Futures Contracts", FAQ
    b3c689c1f50a44cabb3a84e663b81d93 (2020-08-14), read 2026-11-22.

    Examples
    --------
    >>> maintenance_margin(5_000, 0.004)
    20.0
    >>> maintenance_margin(300_000, 0.01, maintenance_amount=1_300)
    1700.0
    """
    notional, maintenance_margin_rate, maintenance_amount = checked(
        notional=notional,
        maintenance_margin_rate=maintenance_margin_rate,
        maintenance_amount=maintenance_amount,
    )
    share = notional * maintenance_margin_rate
    refuse_where(
        maintenance_amount > share,
        "maintenance_amount",
        "at most notional * maintenance_margin_rate",
        maintenance_amount,
        "give the rate and the amount of the tier that holds this notional",
    )
    return as_result(share - maintenance_amount)


def margin_ratio(maintenance_margin: npt.ArrayLike, equity: npt.ArrayLike) -> float | FloatArray:
    r"""Share of the equity that the requirement takes; liquidation comes at 1.

    Venues also print the reciprocal, or equity over used margin: read their definition.

    Parameters
    ----------
    maintenance_margin : array_like
        Requirement, in the settlement currency. Zero or more.
    equity : array_like
        Margin plus unrealised profit or loss, in the settlement currency.

    Returns
    -------
    float or ndarray
        Margin ratio as a decimal; ``inf`` when the equity is zero or negative.

    Raises
    ------
    ValueError
        If an argument breaks its rule, or shapes do not match.

    Notes
    -----
    .. math:: \frac{MM}{\text{equity}}

    Examples
    --------
    >>> margin_ratio(20, [500, 40, 20])
    array([0.04, 0.5 , 1.  ])
    """
    maintenance_margin, equity = checked(maintenance_margin=maintenance_margin, equity=equity)
    return _over_equity(maintenance_margin, equity)


def bankruptcy_move(leverage: npt.ArrayLike) -> float | FloatArray:
    r"""Size of the price move against a position that takes its whole initial margin.

    Parameters
    ----------
    leverage : array_like
        Chosen leverage, 10 for 10x. At least 1.

    Returns
    -------
    float or ndarray
        Move as a positive decimal of the entry price: down for a long, up for a short.

    Raises
    ------
    ValueError
        If `leverage` is below 1.

    Notes
    -----
    .. math:: \frac{1}{L}

    Holds for a linear contract and leaves out fees. Liquidation comes before, because the
    position must keep its maintenance margin: see :func:`liquidation_price`.

    Examples
    --------
    >>> bankruptcy_move([2, 10, 125])
    array([0.5  , 0.1  , 0.008])
    """
    (leverage,) = checked(leverage=leverage)
    return as_result(1 / leverage)


def bankruptcy_price(
    side: npt.ArrayLike,
    entry_price: npt.ArrayLike,
    quantity: npt.ArrayLike,
    margin: npt.ArrayLike,
    *,
    closing_fee_rate: npt.ArrayLike = 0.0,
    contract_size: npt.ArrayLike = 1.0,
    inverse: bool = False,
) -> float | FloatArray:
    r"""Mark price at which nothing of the margin is left.

    Parameters
    ----------
    side : {1, -1} or array_like
        1 for a long position, -1 for a short position.
    entry_price : array_like
        Average entry price, in quote currency per unit of base currency. Positive.
    quantity : array_like
        Size of the position: base currency, or number of contracts. Positive.
    margin : array_like
        Collateral of the position without profit or loss, in the settlement currency. Zero or
        more.
    closing_fee_rate : array_like, default 0.0
        Fee kept back for closing, as a decimal of the notional there. From 0 to below 1.
    contract_size : array_like, default 1.0
        What one contract stands for: base currency if linear, quote currency if inverse.
    inverse : bool, default False
        Whether the contract is inverse (settled in the base currency).

    Returns
    -------
    float or ndarray
        Bankruptcy price in quote currency per unit of base currency. When no price takes the
        whole margin it is 0.0 for a long (linear) and ``inf`` for a short (inverse).

    Raises
    ------
    ValueError
        If an argument breaks its rule, or shapes do not match.

    Notes
    -----
    It is the liquidation price without maintenance margin. With side :math:`s`, entry :math:`E`,
    size :math:`q` (quantity times contract size), margin :math:`M` and closing fee :math:`f`:

    .. math::

        P = \frac{s\,q\,E - M}{q\,(s - f)} \quad\text{(linear)}, \qquad
        P = \frac{q\,(s + f)}{M + s\,q / E} \quad\text{(inverse)}.

    References
    ----------
    Bybit help centre, "Bankruptcy Price (USDT Contract)" (50x long from 10 000 gives 9 800), and
    Kraken, "Equity Protection Process", support article 360022835671 (inverse, 7 407); both read
    2026-11-22.

    Examples
    --------
    >>> bankruptcy_price(1, 10_000, 1, 200)
    9800.0
    >>> round(bankruptcy_price(1, 8_000, 1_000, 0.01, inverse=True), 2)
    7407.41
    """
    return liquidation_price(
        side,
        entry_price,
        quantity,
        margin,
        0.0,
        closing_fee_rate=closing_fee_rate,
        contract_size=contract_size,
        inverse=inverse,
    )


def liquidation_price(
    side: npt.ArrayLike,
    entry_price: npt.ArrayLike,
    quantity: npt.ArrayLike,
    margin: npt.ArrayLike,
    maintenance_margin_rate: npt.ArrayLike,
    *,
    maintenance_amount: npt.ArrayLike = 0.0,
    closing_fee_rate: npt.ArrayLike = 0.0,
    contract_size: npt.ArrayLike = 1.0,
    inverse: bool = False,
) -> float | FloatArray:
    r"""Mark price at which a position is liquidated: its equity equals its requirement.

    Parameters
    ----------
    side : {1, -1} or array_like
        1 for a long position, -1 for a short position.
    entry_price : array_like
        Average entry price, in quote currency per unit of base currency. Positive.
    quantity : array_like
        Size of the position: base currency, or number of contracts. Positive.
    margin : array_like
        Collateral of the position without profit or loss, in the settlement currency. Zero or
        more.
    maintenance_margin_rate : array_like
        Share of the notional at the mark price that is required, as a decimal (0.004 is 0.4 %).
        From 0 to below 1.
    maintenance_amount : array_like, default 0.0
        Amount that the tier subtracts from the requirement, in the settlement currency.
    closing_fee_rate : array_like, default 0.0
        Fee for closing that the venue adds to the requirement, as a decimal of the notional.
        Below 1 together with `maintenance_margin_rate`.
    contract_size : array_like, default 1.0
        What one contract stands for: base currency if linear, quote currency if inverse.
    inverse : bool, default False
        Whether the contract is inverse (settled in the base currency).

    Returns
    -------
    float or ndarray
        Liquidation price in quote currency per unit of base currency. A position that no price
        liquidates has 0.0 if it is long (linear) and ``inf`` if it is short (inverse).

    Raises
    ------
    ValueError
        If an argument breaks its rule, or shapes do not match.

    See Also
    --------
    bankruptcy_price : The same without a requirement.
    liquidation_move : The way from the entry price to this price.

    Notes
    -----
    Setting equity equal to requirement and solving for the price, with side :math:`s`, entry
    :math:`E`, size :math:`q` (quantity times contract size), margin :math:`M`, rate :math:`m`,
    amount :math:`A` and closing fee :math:`f`:

    .. math::

        P = \frac{s\,q\,E - M - A}{q\,(s - m - f)} \quad\text{(linear)}, \qquad
        P = \frac{q\,(s + m + f)}{M + A + s\,q / E} \quad\text{(inverse)}.

    The requirement is measured at the mark price. Rules that measure it at the entry price give
    another number, and so does the short formula :math:`E\,(1 - s/L + s\,m)`.

    The rate and the amount must be those of the tier that holds the notional *at the liquidation
    price*, which is not always the tier at entry. A price on the profitable side of the entry
    means that the margin is below the requirement from the start. Funding is left out.

    References
    ----------
    Binance, "How to Calculate Liquidation Price of USD-M Futures Contracts", FAQ
    b3c689c1f50a44cabb3a84e663b81d93 (2020-08-14); Bitget, "Estimated liquidation price", support
    article 12560603808759 (closing fee inside the requirement); Kraken, "Equity Protection
    Process", support article 360022835671 (inverse); all read 2026-11-22.

    Examples
    --------
    A 10x long of 0.1 BTC from 50 000 USDT is liquidated 9.64 % below its entry, not 10 %:

    >>> round(liquidation_price(1, 50_000, 0.1, 500, 0.004), 2)
    45180.72

    More margin moves the price away; inputs broadcast:

    >>> liquidation_price(1, 50_000, 0.1, [500, 1_000], 0.004).round(2)
    array([45180.72, 40160.64])

    An inverse long of 1 000 contracts backed by 0.01 BTC:

    >>> round(liquidation_price(1, 8_000, 1_000, 0.01, 0.01, inverse=True), 2)
    7481.48
    """
    side, entry_price, quantity, margin, rate, amount, fee_rate, contract_size = checked(
        side=side,
        entry_price=entry_price,
        quantity=quantity,
        margin=margin,
        maintenance_margin_rate=maintenance_margin_rate,
        maintenance_amount=maintenance_amount,
        closing_fee_rate=closing_fee_rate,
        contract_size=contract_size,
    )
    refuse_where(
        rate + fee_rate >= 1,
        "maintenance_margin_rate plus closing_fee_rate",
        "below 1",
        rate + fee_rate,
        "give both as decimals, 0.004 for 0.4 %",
    )
    is_inverse = checked_flag("inverse", inverse)
    with np.errstate(divide="ignore", over="ignore"):
        backing = (margin + amount) / (quantity * contract_size)
        if is_inverse:
            # In 1 / price, an inverse position is a linear one on the other side.
            return as_result(1 / _solve(-side, 1 / entry_price, backing, rate + fee_rate))
        return as_result(_solve(side, entry_price, backing, rate + fee_rate))


def liquidation_move(
    side: npt.ArrayLike, entry_price: npt.ArrayLike, liquidation_price: npt.ArrayLike
) -> float | FloatArray:
    r"""Price move from entry to liquidation, as a signed decimal of the entry price.

    Parameters
    ----------
    side : {1, -1} or array_like
        1 for a long position, -1 for a short position.
    entry_price : array_like
        Average entry price, in quote currency per unit of base currency. Positive.
    liquidation_price : array_like
        What :func:`liquidation_price` returned, in the same unit; 0.0 (long) and ``inf`` (short)
        stand for no liquidation.

    Returns
    -------
    float or ndarray
        Move as a decimal: negative for a long and positive for a short. -1.0 (long) and ``inf``
        (short) mean that no price liquidates the position. The opposite sign means that the
        position is below its requirement from the start.

    Raises
    ------
    ValueError
        If an argument breaks its rule, shapes do not match, a long has the price ``inf`` or a
        short the price 0.0.

    Notes
    -----
    .. math:: \frac{P_{\text{liq}} - E}{E}

    Examples
    --------
    >>> round(liquidation_move(1, 50_000, 45_180.72), 4)
    -0.0964
    """
    side, entry_price, price = checked(
        side=side, entry_price=entry_price, liquidation_price=liquidation_price
    )
    refuse_where(
        np.where(side > 0, np.isinf(price), price == 0),
        "liquidation_price",
        "finite for a long and above 0 for a short",
        price,
        "check that side is the one it was computed with",
    )
    # abs(side) is 1 and gives the result the shape of side.
    return as_result(abs(side) * (price - entry_price) / entry_price)


def _solve(
    side: FloatArray, entry: FloatArray, backing: FloatArray, rate: FloatArray
) -> FloatArray:
    """Level where ``backing + side * (level - entry)`` equals ``rate * level``; 0 if none."""
    return np.maximum(entry - side * backing, 0.0) / (1 - side * rate)


def _over_equity(amount: FloatArray, equity: FloatArray) -> float | FloatArray:
    """Divide by the equity; infinite where none is left."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return as_result(np.where(equity > 0, amount / equity, np.inf))
