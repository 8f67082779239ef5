r"""What backs a position, what it needs, and the price at which it is closed by force.

Margin, equity and requirement are amounts in the *settlement currency*: the quote currency for a
linear contract, the base currency for an inverse one. All functions broadcast.
"""

import numpy as np
import numpy.typing as npt

from leverage._guard import guard
from leverage._solve import (
    Leg,
    checked_tiers,
    dead_limits,
    net,
    notional_at_liquidation,
    solve_hedge,
    solve_level,
    without_noise,
)
from leverage._validate import FloatArray, as_result, checked, checked_flag, refuse_where, shown
from leverage.contracts import notional, pnl
from leverage.tiers import TierTable

# A notional this near to the one wanted, as a share of all that is added up, is that one.
_REACHED = 1e-9


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
    With margin :math:`M` and leverage :math:`L`:

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
    With margin :math:`M` and leverage :math:`L`:

    .. math:: B = M\,(L - 1)

    Examples
    --------
    >>> borrowed_amount(1_000, 10)
    9000.0
    """
    margin, leverage = checked(margin=margin, leverage=leverage)
    return as_result(margin * (leverage - 1))


def initial_margin(
    notional: npt.ArrayLike, leverage: npt.ArrayLike, *, tiers: TierTable | None = None
) -> float | FloatArray:
    r"""Margin needed to open a position.

    Parameters
    ----------
    notional : array_like
        Value of the position, in the settlement currency. Zero or more.
    leverage : array_like
        Chosen leverage, 10 for 10x. At least 1.
    tiers : TierTable, optional
        Table whose maximum leverage for this notional must not be exceeded.

    Returns
    -------
    float or ndarray
        Initial margin in the currency of `notional`.

    Raises
    ------
    ValueError
        If an argument breaks its rule, shapes do not match, or `leverage` is above the maximum of
        the tier that holds `notional`.

    Notes
    -----
    With notional :math:`N` and leverage :math:`L`:

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
    if tiers is not None:
        maximum = np.asarray(checked_tiers(tiers).max_leverage(notional))
        highest = np.broadcast_to(maximum, np.broadcast_shapes(maximum.shape, leverage.shape))
        refuse_where(
            leverage > highest,
            "leverage",
            "at most the maximum of the tier that holds the notional",
            leverage,
            f"that maximum is {shown(float(highest[leverage > highest].flat[0]))}"
            if np.any(leverage > highest)
            else "",
        )
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
    With notional :math:`N`:

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
    With margin :math:`M`, entry :math:`E` and mark price :math:`P`:

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
    With requirement :math:`MM`:

    .. math:: \frac{MM}{\text{equity}}

    Examples
    --------
    >>> margin_ratio(20, [500, 40, 20])
    array([0.04, 0.5 , 1.  ])
    """
    maintenance_margin, equity = checked(maintenance_margin=maintenance_margin, equity=equity)
    return _over_equity(maintenance_margin, equity)


def bankruptcy_move(
    side: npt.ArrayLike, leverage: npt.ArrayLike, *, inverse: bool = False
) -> float | FloatArray:
    r"""Price move that takes the whole initial margin of a position.

    Parameters
    ----------
    side : {1, -1} or array_like
        1 for a long position, -1 for a short position.
    leverage : array_like
        Chosen leverage, 10 for 10x. At least 1.
    inverse : bool, default False
        Whether the contract is inverse (settled in the base currency).

    Returns
    -------
    float or ndarray
        Move as a decimal of the entry price: negative for a long, positive for a short, ``inf``
        for an inverse short at 1x, whose whole margin no price takes.

    Raises
    ------
    ValueError
        If an argument breaks its rule, or shapes do not match.

    Notes
    -----
    With leverage :math:`L`, and fees left out:

    .. math::

        -\frac{s}{L} \quad\text{(linear)}, \qquad -\frac{s}{L + s} \quad\text{(inverse)}.

    Liquidation comes before, because the position must keep its maintenance margin: see
    :func:`liquidation_move`.

    Examples
    --------
    >>> bankruptcy_move(1, [2, 10, 125])
    array([-0.5  , -0.1  , -0.008])
    """
    return liquidation_move(side, leverage, 0.0, inverse=inverse)


def liquidation_move(
    side: npt.ArrayLike,
    leverage: npt.ArrayLike,
    maintenance_margin_rate: npt.ArrayLike,
    *,
    closing_fee_rate: npt.ArrayLike = 0.0,
    inverse: bool = False,
) -> float | FloatArray:
    r"""Price move from entry to liquidation of a position with its initial margin.

    Parameters
    ----------
    side : {1, -1} or array_like
        1 for a long position, -1 for a short position.
    leverage : array_like
        Chosen leverage, 10 for 10x. At least 1.
    maintenance_margin_rate : array_like
        Share of the notional at the mark price that is required, as a decimal (0.004 is 0.4 %).
        From 0 to below 1.
    closing_fee_rate : array_like, default 0.0
        Fee for closing that the venue adds to the requirement, as a decimal of the notional.
        Below 1 together with `maintenance_margin_rate`.
    inverse : bool, default False
        Whether the contract is inverse (settled in the base currency).

    Returns
    -------
    float or ndarray
        Move as a decimal of the entry price: negative for a long, positive for a short, ``inf``
        for an inverse short at 1x. The opposite sign means that the margin is below the
        requirement from the start.

    Raises
    ------
    ValueError
        If an argument breaks its rule, or shapes do not match.

    See Also
    --------
    liquidation_price : For any margin, with the tier's amount and other positions.
    leverage.contracts.price_move : The move between any two prices.

    Notes
    -----
    With side :math:`s`, leverage :math:`L`, rate :math:`m` and closing fee :math:`f`:

    .. math::

        \frac{m + f - 1 / L}{s - m - f} \quad\text{(linear)}, \qquad
        \frac{m + f - 1 / L}{s + 1 / L} \quad\text{(inverse)}.

    Examples
    --------
    A 10x long is liquidated 9.64 % below its entry, a 10x short 9.56 % above:

    >>> liquidation_move([1, -1], 10, 0.004).round(4)
    array([-0.0964,  0.0956])
    """
    side, leverage, rate, fee_rate = checked(
        side=side,
        leverage=leverage,
        maintenance_margin_rate=maintenance_margin_rate,
        closing_fee_rate=closing_fee_rate,
    )
    share, margin = rate + fee_rate, 1 / leverage
    _refuse_share_of_one("maintenance_margin_rate", share)
    way = 1 + side * margin if checked_flag("inverse", inverse) else 1 - side * share
    with np.errstate(divide="ignore"):
        return as_result(side * (share - margin) / way)


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
    other_pnl: npt.ArrayLike = 0.0,
    other_requirement: npt.ArrayLike = 0.0,
    requirement_price: npt.ArrayLike | None = None,
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
    other_pnl : array_like, default 0.0
        In cross margin, unrealised profit or loss of all other positions at their marks, in the
        settlement currency.
    other_requirement : array_like, default 0.0
        In cross margin, maintenance margin of all other positions, in the settlement currency.
    requirement_price : array_like, optional
        Price at which the requirement is measured once and for all. By default it follows the mark
        price. Give the entry price for rules that measure it there, and the current mark price for
        displays that freeze it.
    contract_size : array_like, default 1.0
        What one contract stands for: base currency if linear, quote currency if inverse.
    inverse : bool, default False
        Whether the contract is inverse (settled in the base currency).

    Returns
    -------
    float or ndarray
        Liquidation price in quote currency per unit of base currency. A position that no price
        liquidates has 0.0 if it is long (linear) and ``inf`` if it is short (inverse). One whose
        cross margin is lost already, at every price, has 0.0 if it is short (linear) and ``inf``
        if it is long (inverse).

    Raises
    ------
    ValueError
        If an argument breaks its rule, or shapes do not match.

    See Also
    --------
    tiered_liquidation_price : The same with the rate and the amount found in a tier table.
    hedge_liquidation_price : One price for a long and a short leg together.
    bankruptcy_price : The same without a requirement.
    liquidation_move : The way from the entry price, for the initial margin.

    Notes
    -----
    Setting equity equal to requirement and solving for the price, with side :math:`s`, entry
    :math:`E`, size :math:`q` (quantity times contract size), margin :math:`M`, rate :math:`m`,
    amount :math:`A` and closing fee :math:`f`:

    .. math::

        P = \frac{s\,q\,E - M - A}{q\,(s - m - f)} \quad\text{(linear)}, \qquad
        P = \frac{q\,(s + m + f)}{M + A + s\,q / E} \quad\text{(inverse)}.

    In cross margin :math:`M` is the wallet balance plus `other_pnl` less `other_requirement`.

    The requirement is measured at the mark price unless `requirement_price` says otherwise. Rules
    that measure it at the entry price give another number: the short formula
    :math:`E\,(1 - s/L + s\,m)`.

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
    (
        side,
        entry_price,
        quantity,
        margin,
        rate,
        amount,
        fee_rate,
        others,
        others_need,
        fixed_at,
        contract_size,
    ) = checked(
        side=side,
        entry_price=entry_price,
        quantity=quantity,
        margin=margin,
        maintenance_margin_rate=maintenance_margin_rate,
        maintenance_amount=maintenance_amount,
        closing_fee_rate=closing_fee_rate,
        other_pnl=other_pnl,
        other_requirement=other_requirement,
        requirement_price=entry_price if requirement_price is None else requirement_price,
        contract_size=contract_size,
    )
    _refuse_share_of_one("maintenance_margin_rate", rate + fee_rate)
    is_inverse = checked_flag("inverse", inverse)
    size, share = quantity * contract_size, rate + fee_rate
    backing = margin + others - others_need + amount
    if requirement_price is not None:
        value = size / fixed_at if is_inverse else size * fixed_at
        backing = backing - amount - maintenance_margin(value, share, maintenance_amount=amount)
        share = np.zeros_like(share)
    with np.errstate(divide="ignore", over="ignore"):
        if is_inverse:
            # In 1 / price, an inverse position is a linear one on the other side.
            return as_result(1 / solve_level(-side, 1 / entry_price, backing / size, share))
        return as_result(solve_level(side, entry_price, backing / size, share))


def tiered_liquidation_price(
    side: npt.ArrayLike,
    entry_price: npt.ArrayLike,
    quantity: npt.ArrayLike,
    margin: npt.ArrayLike,
    tiers: TierTable,
    *,
    closing_fee_rate: npt.ArrayLike = 0.0,
    other_pnl: npt.ArrayLike = 0.0,
    other_requirement: npt.ArrayLike = 0.0,
    requirement_price: npt.ArrayLike | None = None,
    mark_price: npt.ArrayLike | None = None,
    contract_size: npt.ArrayLike = 1.0,
    inverse: bool = False,
) -> float | FloatArray:
    r"""Liquidation price on a tier table, with the tier of the notional at that very price.

    Parameters
    ----------
    side : {1, -1} or array_like
        1 for a long position, -1 for a short position.
    entry_price : array_like
        Average entry price, in quote currency per unit of base currency. Positive.
    quantity : array_like
        Size of the position: base currency, or number of contracts. Positive.
    margin : array_like
        Collateral without profit or loss, in the settlement currency: of the position in isolated
        margin, of the account in cross margin. Zero or more.
    tiers : TierTable
        Table with bounds in the settlement currency.
    closing_fee_rate : array_like, default 0.0
        Fee for closing that the venue adds to the requirement, as a decimal of the notional.
        Below 1 together with every rate of the table.
    other_pnl : array_like, default 0.0
        In cross margin, unrealised profit or loss of all other positions at their marks.
    other_requirement : array_like, default 0.0
        In cross margin, maintenance margin of all other positions.
    requirement_price : array_like, optional
        Price at which the requirement is measured once and for all. By default it follows the mark
        price.
    mark_price : array_like, optional
        Price from which the loss is followed, the entry price by default. It matters only on a
        table with jumps.
    contract_size : array_like, default 1.0
        What one contract stands for: base currency if linear, quote currency if inverse.
    inverse : bool, default False
        Whether the contract is inverse (settled in the base currency).

    Returns
    -------
    float or ndarray
        Liquidation price in quote currency per unit of base currency; 0.0 and ``inf`` mean what
        they mean for :func:`liquidation_price`.

    Raises
    ------
    ValueError
        If an argument breaks its rule, or shapes do not match.

    See Also
    --------
    liquidation_price : The same for one rate and amount.

    Notes
    -----
    With size :math:`q` (quantity times contract size), entry :math:`E`, margin :math:`M`, closing
    fee :math:`f` and :math:`n` the notional at the liquidation price, a linear long and a linear
    short meet their requirement where

    .. math::

        n\,(1 - f) - MM(n) = q E - M, \qquad n\,(1 + f) + MM(n) = q E + M.

    Both left sides grow with :math:`n`, so one binary search in their values at the bounds finds
    the tier, and its formula the price. An inverse long is solved as a linear short in
    :math:`n = q / P`, an inverse short as a linear long.

    Where the whole-position reading makes the requirement jump, the price can lie on a bound: one
    tick before it the position keeps the requirement, one tick after it does not. The price given
    is the first one met on the way from `mark_price` against the position. A jump may also kill a
    weakly backed position on its way to a profit; that price is not given, except where the
    position is below its requirement at `mark_price` already.

    References
    ----------
    Binance, "How to Calculate Liquidation Price of USD-M Futures Contracts", FAQ
    b3c689c1f50a44cabb3a84e663b81d93 (2020-08-14): the tier is the one at the liquidation price;
    read 2026-11-22.

    Examples
    --------
    A long of 400 000 falls into the tier below 250 000 before it is liquidated:

    >>> table = TierTable.marginal([0, 50_000, 250_000, 1e6], [0.004, 0.005, 0.01])
    >>> price = tiered_liquidation_price(1, 40_000, 10, 200_000, table)
    >>> round(price, 2), table.tier_number(10 * price)
    (20095.48, 2)
    >>> round(equity(1, 40_000, price, 10, 200_000), 6) == round(
    ...     table.maintenance_margin(10 * price), 6
    ... )
    True
    """
    table = checked_tiers(tiers)
    (
        side,
        entry_price,
        quantity,
        margin,
        fee_rate,
        others,
        others_need,
        fixed_at,
        mark,
        contract_size,
    ) = checked(
        side=side,
        entry_price=entry_price,
        quantity=quantity,
        margin=margin,
        closing_fee_rate=closing_fee_rate,
        other_pnl=other_pnl,
        other_requirement=other_requirement,
        requirement_price=entry_price if requirement_price is None else requirement_price,
        mark_price=entry_price if mark_price is None else mark_price,
        contract_size=contract_size,
    )
    is_inverse = checked_flag("inverse", inverse)
    _refuse_fees_above(table, fee_rate)
    size = quantity * contract_size
    at_entry = size / entry_price if is_inverse else size * entry_price
    backing = margin + (others - others_need)
    if requirement_price is not None:
        value = size / fixed_at if is_inverse else size * fixed_at
        backing = backing - table.maintenance_margin(value) - fee_rate * value
        table, fee_rate = TierTable.flat(0.0), np.zeros(())
    falls = -side if is_inverse else side
    start = at_entry
    if mark_price is not None:
        start = size / mark if is_inverse else size * mark
        # The result has the shape of the mark price too.
        backing, start = np.broadcast_arrays(backing, start)
    there = notional_at_liquidation(table, falls, at_entry, backing, fee_rate, start)
    with np.errstate(divide="ignore", over="ignore"):
        return as_result(size / there if is_inverse else there / size)


def margin_for_liquidation_price(
    side: npt.ArrayLike,
    entry_price: npt.ArrayLike,
    quantity: npt.ArrayLike,
    liquidation_price: npt.ArrayLike,
    tiers: TierTable,
    *,
    closing_fee_rate: npt.ArrayLike = 0.0,
    other_pnl: npt.ArrayLike = 0.0,
    other_requirement: npt.ArrayLike = 0.0,
    contract_size: npt.ArrayLike = 1.0,
    inverse: bool = False,
) -> float | FloatArray:
    r"""Margin that puts the liquidation price where you want it.

    It inverts :func:`tiered_liquidation_price`. What is to be added is this less the margin that
    the position has.

    Parameters
    ----------
    side : {1, -1} or array_like
        1 for a long position, -1 for a short position.
    entry_price : array_like
        Average entry price, in quote currency per unit of base currency. Positive.
    quantity : array_like
        Size of the position: base currency, or number of contracts. Positive.
    liquidation_price : array_like
        Price at which the position shall be liquidated, in the same unit as the entry. Positive.
    tiers : TierTable
        Table with bounds in the settlement currency; ``TierTable.flat(rate)`` for one rate.
    closing_fee_rate : array_like, default 0.0
        Fee for closing that the venue adds to the requirement, as a decimal of the notional.
    other_pnl : array_like, default 0.0
        In cross margin, unrealised profit or loss of all other positions at their marks.
    other_requirement : array_like, default 0.0
        In cross margin, maintenance margin of all other positions.
    contract_size : array_like, default 1.0
        What one contract stands for: base currency if linear, quote currency if inverse.
    inverse : bool, default False
        Whether the contract is inverse (settled in the base currency).

    Returns
    -------
    float or ndarray
        Collateral without profit or loss, in the settlement currency: of the position in isolated
        margin, of the account in cross margin.

    Raises
    ------
    ValueError
        If an argument breaks its rule, shapes do not match, the position needs no margin at that
        price, because its profit there covers the requirement, or no margin leads there, because
        the requirement jumps nearer to the entry.

    See Also
    --------
    tiered_liquidation_price : The price for a margin.

    Notes
    -----
    With entry :math:`E`, wanted price :math:`P`, notional there :math:`N`, and closing fee
    :math:`f`:

    .. math:: M = MM(N) + f N - \text{pnl}(E, P) - \text{other pnl} + \text{other requirement}

    Examples
    --------
    A long of 0.1 BTC from 50 000 that shall live down to 40 000:

    >>> table = TierTable.flat(0.004)
    >>> margin_for_liquidation_price(1, 50_000, 0.1, 40_000, table)
    1016.0
    >>> tiered_liquidation_price(1, 50_000, 0.1, 1_016, table)
    40000.0
    """
    table = checked_tiers(tiers)
    side, entry_price, quantity, price, fee_rate, others, others_need, contract_size = checked(
        side=side,
        entry_price=entry_price,
        quantity=quantity,
        liquidation_price=liquidation_price,
        closing_fee_rate=closing_fee_rate,
        other_pnl=other_pnl,
        other_requirement=other_requirement,
        contract_size=contract_size,
    )
    _refuse_fees_above(table, fee_rate)
    refuse_where(
        (price == 0) | np.isinf(price),
        "liquidation_price",
        "positive and finite",
        price,
        "give the price at which the position shall end",
    )
    size = quantity * contract_size
    there, at_entry = (np.asarray(notional(p, size, inverse=inverse)) for p in (price, entry_price))
    needed = (
        table.maintenance_margin(there)
        + fee_rate * there
        - pnl(side, entry_price, price, size, inverse=inverse)
        - others
        + others_need
    )
    gross = there + at_entry + abs(others) + others_need
    margin = without_noise(needed, gross)
    refuse_where(
        margin < 0,
        "liquidation_price",
        "a price at which the position needs margin",
        price,
        "without any it lives beyond that price",
    )
    falls = -side if inverse else side
    backing = margin + (others - others_need)
    reached = notional_at_liquidation(table, falls, at_entry, backing, fee_rate, at_entry)
    refuse_where(
        abs(reached - there) > _REACHED * gross,
        "liquidation_price",
        "a price that some margin leads to",
        price,
        "the requirement of the table jumps on the way there, and ends the position before",
    )
    return as_result(margin)


def hedge_liquidation_price(
    long_entry_price: npt.ArrayLike,
    long_quantity: npt.ArrayLike,
    short_entry_price: npt.ArrayLike,
    short_quantity: npt.ArrayLike,
    margin: npt.ArrayLike,
    maintenance_margin_rate: npt.ArrayLike,
    *,
    short_maintenance_margin_rate: npt.ArrayLike | None = None,
    maintenance_amount: npt.ArrayLike = 0.0,
    closing_fee_rate: npt.ArrayLike = 0.0,
    other_pnl: npt.ArrayLike = 0.0,
    other_requirement: npt.ArrayLike = 0.0,
    contract_size: npt.ArrayLike = 1.0,
    inverse: bool = False,
) -> float | FloatArray:
    r"""Price that liquidates a long and a short leg of one symbol together, in cross margin.

    Parameters
    ----------
    long_entry_price, short_entry_price : array_like
        Average entry price of each leg, in quote currency per unit of base currency. Positive.
    long_quantity, short_quantity : array_like
        Size of each leg: base currency, or number of contracts. Positive.
    margin : array_like
        Wallet balance without profit or loss, in the settlement currency. Zero or more.
    maintenance_margin_rate : array_like
        Rate of the long leg, and of both if no other is given, as a decimal (0.004 is 0.4 %).
    short_maintenance_margin_rate : array_like, optional
        Rate of the short leg where its tier differs.
    maintenance_amount : array_like, default 0.0
        Sum of the amounts that the tiers of both legs subtract, in the settlement currency.
    closing_fee_rate : array_like, default 0.0
        Fee for closing that the venue adds to the requirement, as a decimal of the notional.
    other_pnl : array_like, default 0.0
        Unrealised profit or loss of the positions in other symbols.
    other_requirement : array_like, default 0.0
        Maintenance margin of the positions in other symbols.
    contract_size : array_like, default 1.0
        What one contract stands for: base currency if linear, quote currency if inverse.
    inverse : bool, default False
        Whether the contract is inverse (settled in the base currency).

    Returns
    -------
    float or ndarray
        The one price of both legs. It lies below the market where the long leg outweighs the
        short one together with the requirement of both, and above otherwise. 0.0 (below) and
        ``inf`` (above) mean that there is none.

    Raises
    ------
    ValueError
        If an argument breaks its rule, or shapes do not match.

    See Also
    --------
    tiered_hedge_liquidation_prices : The same on a tier table, in both directions.

    Notes
    -----
    For linear contracts, with wallet :math:`M` (plus `other_pnl`, less `other_requirement`),
    amounts :math:`A`, and for each leg entry :math:`E`, size :math:`q` and rate :math:`m` with the
    closing fee in it:

    .. math::

        P = \frac{M + A - q_l E_l + q_s E_s}{q_l m_l + q_s m_s - q_l + q_s}.

    References
    ----------
    Binance, "How to Calculate Liquidation Price of USD-M Futures Contracts", FAQ
    b3c689c1f50a44cabb3a84e663b81d93 (2020-08-14), hedge mode; read 2026-11-22.

    Examples
    --------
    A short leg of half the size moves the price of the long leg far down:

    >>> round(hedge_liquidation_price(50_000, 2, 52_000, 1, 10_000, 0.005), 2)
    38578.68
    >>> round(liquidation_price(1, 50_000, 2, 10_000, 0.005), 2)
    45226.13
    """
    names = {
        "long_entry_price": long_entry_price,
        "long_quantity": long_quantity,
        "short_entry_price": short_entry_price,
        "short_quantity": short_quantity,
        "margin": margin,
        "maintenance_margin_rate": maintenance_margin_rate,
        "short_maintenance_margin_rate": (
            maintenance_margin_rate
            if short_maintenance_margin_rate is None
            else short_maintenance_margin_rate
        ),
        "maintenance_amount": maintenance_amount,
        "closing_fee_rate": closing_fee_rate,
        "other_pnl": other_pnl,
        "other_requirement": other_requirement,
        "contract_size": contract_size,
    }
    (
        long_entry,
        long_size,
        short_entry,
        short_size,
        margin,
        long_rate,
        short_rate,
        amount,
        fee_rate,
        others,
        others_need,
        contract_size,
    ) = checked(**names)
    for name, rate in (("", long_rate), ("short_", short_rate)):
        _refuse_share_of_one(f"{name}maintenance_margin_rate", rate + fee_rate)
    is_inverse = checked_flag("inverse", inverse)
    backing = (margin + others - others_need + amount) / contract_size
    with np.errstate(divide="ignore"):
        if is_inverse:
            # In 1 / price the legs change places.
            legs = (1 / short_entry, short_size, 1 / long_entry, long_size)
            level = 1 / solve_hedge(*legs, backing, short_rate + fee_rate, long_rate + fee_rate)
        else:
            legs = (long_entry, long_size, short_entry, short_size)
            level = solve_hedge(*legs, backing, long_rate + fee_rate, short_rate + fee_rate)
    return as_result(level)


def tiered_hedge_liquidation_prices(
    long_entry_price: npt.ArrayLike,
    long_quantity: npt.ArrayLike,
    short_entry_price: npt.ArrayLike,
    short_quantity: npt.ArrayLike,
    margin: npt.ArrayLike,
    tiers: TierTable,
    mark_price: npt.ArrayLike,
    *,
    closing_fee_rate: npt.ArrayLike = 0.0,
    other_pnl: npt.ArrayLike = 0.0,
    other_requirement: npt.ArrayLike = 0.0,
    contract_size: npt.ArrayLike = 1.0,
    inverse: bool = False,
) -> tuple[float | FloatArray, float | FloatArray]:
    r"""Prices between which a long and a short leg of one symbol live, on a tier table.

    Both legs share one collateral and are liquidated together, yet in both directions there may be
    a price: below the market because the larger leg loses, above it because the requirement of
    both legs outgrows the gain.

    Parameters
    ----------
    long_entry_price, short_entry_price : array_like
        Average entry price of each leg, in quote currency per unit of base currency. Positive.
    long_quantity, short_quantity : array_like
        Size of each leg: base currency, or number of contracts. Positive.
    margin : array_like
        Wallet balance without profit or loss, in the settlement currency. Zero or more.
    tiers : TierTable
        Table with bounds in the settlement currency; each leg has a tier of its own.
    mark_price : array_like
        Mark price from which both prices are looked for. Positive.
    closing_fee_rate : array_like, default 0.0
        Fee for closing that the venue adds to the requirement, as a decimal of the notional.
    other_pnl : array_like, default 0.0
        Unrealised profit or loss of the positions in other symbols.
    other_requirement : array_like, default 0.0
        Maintenance margin of the positions in other symbols.
    contract_size : array_like, default 1.0
        What one contract stands for: base currency if linear, quote currency if inverse.
    inverse : bool, default False
        Whether the contract is inverse (settled in the base currency).

    Returns
    -------
    low, high : float or ndarray
        Nearest liquidation prices below and above the mark price; 0.0 and ``inf`` where there is
        none. Both equal the mark price where the requirement is not met there already.

    Raises
    ------
    ValueError
        If an argument breaks its rule, or shapes do not match.

    Notes
    -----
    The tiers of both legs are those at the price given, found for every piece of price between two
    bounds of either leg.

    Examples
    --------
    >>> table = TierTable.marginal([0, 50_000, 250_000], [0.004, 0.05])
    >>> low, high = tiered_hedge_liquidation_prices(50_000, 1, 50_000, 0.98, 3_000, table, 50_000)
    >>> round(low, 2), round(high, 2)
    (0.0, 83544.3)
    """
    table = checked_tiers(tiers)
    (
        long_entry,
        long_size,
        short_entry,
        short_size,
        margin,
        mark,
        fee_rate,
        others,
        others_need,
        contract_size,
    ) = checked(
        long_entry_price=long_entry_price,
        long_quantity=long_quantity,
        short_entry_price=short_entry_price,
        short_quantity=short_quantity,
        margin=margin,
        mark_price=mark_price,
        closing_fee_rate=closing_fee_rate,
        other_pnl=other_pnl,
        other_requirement=other_requirement,
        contract_size=contract_size,
    )
    is_inverse = checked_flag("inverse", inverse)
    _refuse_fees_above(table, fee_rate)
    long_size, short_size = long_size * contract_size, short_size * contract_size
    backing = margin + (others - others_need)
    if is_inverse:
        # In the quote currency, where a coin is worth its price.
        start = short_size - long_size
        slope = net(backing, long_size / long_entry, -short_size / short_entry)
    else:
        start = backing - long_size * long_entry + short_size * short_entry
        slope = net(long_size, -short_size)
    legs = [Leg(size, table, is_inverse, fee_rate[..., None]) for size in (long_size, short_size)]
    low, high = dead_limits(start, slope, legs, mark)
    return as_result(low), as_result(high)


def order_cost(
    side: npt.ArrayLike,
    price: npt.ArrayLike,
    quantity: npt.ArrayLike,
    leverage: npt.ArrayLike,
    fee_rate: npt.ArrayLike,
    *,
    exit_fee_rate: npt.ArrayLike | None = None,
    contract_size: npt.ArrayLike = 1.0,
    inverse: bool = False,
) -> float | FloatArray:
    r"""Money an order ties up: initial margin, opening fee, and closing fee at bankruptcy.

    Venues show parts of it: give 0 for a fee that is not in theirs.

    Parameters
    ----------
    side : {1, -1} or array_like
        1 for a long position, -1 for a short position.
    price : array_like
        Order price, in quote currency per unit of base currency. Positive.
    quantity : array_like
        Size of the order: base currency, or number of contracts. Positive.
    leverage : array_like
        Chosen leverage, 10 for 10x. At least 1.
    fee_rate : array_like
        Fee as a decimal of the notional (0.0005 is 0.05 %). A negative rate is a rebate.
    exit_fee_rate : array_like, optional
        Fee for closing at the bankruptcy price of the initial margin, when it differs.
    contract_size : array_like, default 1.0
        What one contract stands for: base currency if linear, quote currency if inverse.
    inverse : bool, default False
        Whether the contract is inverse (settled in the base currency).

    Returns
    -------
    float or ndarray
        Order cost in the settlement currency.

    Raises
    ------
    ValueError
        If an argument breaks its rule, or shapes do not match.

    Notes
    -----
    With notional :math:`N`, side :math:`s`, leverage :math:`L`, and fee rates :math:`f_E` at entry
    and :math:`f_X` at exit:

    .. math::

        N\left(\frac{1}{L} + f_E + f_X\left(1 \mp \frac{s}{L}\right)\right)

    with minus for a linear and plus for an inverse contract.

    References
    ----------
    Bybit help centre, "Order Cost" (2024-10-30), as restated by mobie.io and ukcamo.com; MEXC API
    answer recorded in ccxt 4.5.90, parse_position (0.01 ETH at 1 217.3 and 100x shows 0.1290338:
    margin and one fee); Phemex help centre, liq-price-for-USDTM (500 at 0.4 and 5x is assigned
    40.096: margin and closing fee); all read 2026-11-22.

    Examples
    --------
    >>> round(order_cost(1, 10_000, 1, 50, 0.00075), 6)
    214.85
    >>> round(order_cost(1, 2_000, 10_000, 25, 0.00055, inverse=True), 8)
    0.20561

    The margin that MEXC shows holds the opening fee, the one that Phemex assigns the closing fee:

    >>> round(order_cost(1, 1_217.3, 0.01, 100, 0.0006, exit_fee_rate=0), 7)
    0.1290338
    >>> round(order_cost(1, 0.4, 500, 5, 0, exit_fee_rate=0.0006), 6)
    40.096
    """
    side, price, quantity, leverage, fee_rate, exit_fee_rate, contract_size = checked(
        side=side,
        price=price,
        quantity=quantity,
        leverage=leverage,
        fee_rate=fee_rate,
        exit_fee_rate=fee_rate if exit_fee_rate is None else exit_fee_rate,
        contract_size=contract_size,
    )
    value = np.asarray(notional(price, quantity, contract_size=contract_size, inverse=inverse))
    at_bankruptcy = 1 + (side if inverse else -side) / leverage
    return as_result(value * (1 / leverage + fee_rate + exit_fee_rate * at_bankruptcy))


def max_quantity(
    side: npt.ArrayLike,
    price: npt.ArrayLike,
    leverage: npt.ArrayLike,
    balance: npt.ArrayLike,
    *,
    fee_rate: npt.ArrayLike = 0.0,
    tiers: TierTable | None = None,
    contract_size: npt.ArrayLike = 1.0,
    inverse: bool = False,
) -> float | FloatArray:
    r"""Largest quantity that a balance opens: its order cost is paid and its tier allows it.

    Parameters
    ----------
    side : {1, -1} or array_like
        1 for a long position, -1 for a short position.
    price : array_like
        Order price, in quote currency per unit of base currency. Positive.
    leverage : array_like
        Chosen leverage, 10 for 10x. At least 1.
    balance : array_like
        Free balance in the settlement currency. A negative one opens nothing.
    fee_rate : array_like, default 0.0
        Fee as a decimal of the notional, charged as in :func:`order_cost`.
    tiers : TierTable, optional
        Table that limits the notional at this leverage.
    contract_size : array_like, default 1.0
        What one contract stands for: base currency if linear, quote currency if inverse.
    inverse : bool, default False
        Whether the contract is inverse (settled in the base currency).

    Returns
    -------
    float or ndarray
        Quantity in base currency, or number of contracts; not rounded to the lot.

    Raises
    ------
    ValueError
        If an argument breaks its rule, shapes do not match, or no tier allows `leverage`.

    See Also
    --------
    leverage.rounding.round_quantity : The next lot below.

    Notes
    -----
    .. math:: q = \min\left(\frac{\text{balance}}{\text{order cost of 1}},
        \frac{\text{largest notional at } L}{N \text{ of 1}}\right)

    Examples
    --------
    >>> max_quantity(1, 50_000, 10, 1_000)
    0.2
    >>> table = TierTable.marginal([0, 5_000, 50_000], [0.004, 0.05], [20, 5])
    >>> max_quantity(1, 50_000, 10, 1_000, tiers=table)
    0.1
    """
    side, price, leverage, balance, fee_rate, contract_size = checked(
        side=side,
        price=price,
        leverage=leverage,
        balance=balance,
        fee_rate=fee_rate,
        contract_size=contract_size,
    )
    cost = np.asarray(
        order_cost(
            side, price, 1.0, leverage, fee_rate, contract_size=contract_size, inverse=inverse
        )
    )
    refuse_where(
        cost <= 0,
        "fee_rate",
        "a rebate smaller than the margin",
        fee_rate,
        "check the rate",
    )
    quantity = np.maximum(balance, 0.0) / cost
    if tiers is not None:
        one = notional(price, 1.0, contract_size=contract_size, inverse=inverse)
        quantity = np.minimum(quantity, checked_tiers(tiers).max_notional(leverage) / one)
    return as_result(quantity)


def _refuse_share_of_one(name: str, share: FloatArray) -> None:
    refuse_where(
        share >= 1,
        f"{name} plus closing_fee_rate",
        "below 1",
        share,
        "give both as decimals, 0.004 for 0.4 %",
    )


def _refuse_fees_above(tiers: TierTable, fee_rate: FloatArray) -> None:
    rate = tiers.maintenance_margin_rates[-1]
    refuse_where(
        rate + fee_rate >= 1,
        "closing_fee_rate",
        f"below {shown(1 - rate)}, what the highest rate of the table leaves",
        fee_rate,
        "give it as a decimal, 0.0005 for 0.05 %",
    )


def _over_equity(amount: FloatArray, equity: FloatArray) -> float | FloatArray:
    """Divide by the equity; infinite where none is left."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return as_result(np.where(equity > 0, amount / equity, np.inf))


guard(globals())
