r"""How large a position to take: risk budgets, stops, the odds of a method, and drawdowns.

Everything here is arithmetic on numbers that you choose or estimate. Win rates, expected returns
and volatilities of the past are estimates, and the formulas take them as if they were known.
"""

import numpy as np
import numpy.typing as npt

from leverage import contracts
from leverage._guard import guard
from leverage._validate import BoolArray, FloatArray, as_result, checked, checked_flag, refuse_where
from leverage.rounding import round_price, round_quantity


def quantity_for_risk(
    side: npt.ArrayLike,
    entry_price: npt.ArrayLike,
    stop_price: npt.ArrayLike,
    risk_amount: npt.ArrayLike,
    *,
    fee_rate: npt.ArrayLike = 0.0,
    exit_fee_rate: npt.ArrayLike | None = None,
    slippage: npt.ArrayLike = 0.0,
    tick_size: npt.ArrayLike | None = None,
    lot_size: npt.ArrayLike | None = None,
    contract_size: npt.ArrayLike = 1.0,
    inverse: bool = False,
) -> float | FloatArray:
    r"""Quantity that loses a risk budget, fees and slippage included, when the stop is reached.

    Parameters
    ----------
    side : {1, -1} or array_like
        1 for a long position, -1 for a short position.
    entry_price : array_like
        Planned entry price, in quote currency per unit of base currency. Positive.
    stop_price : array_like
        Price at which you close at a loss, in the same unit: below the entry for a long, above it
        for a short.
    risk_amount : array_like
        Loss you accept, in the settlement currency. Positive.
    fee_rate : array_like, default 0.0
        Fee as a decimal of the notional (0.0005 is 0.05 %). A negative rate is a rebate.
    exit_fee_rate : array_like, optional
        Fee for the exit when it differs.
    slippage : array_like, default 0.0
        How much worse than the stop the exit fills, as a decimal of the stop (0.001 is 0.1 %).
    tick_size : array_like, optional
        Step between two prices: the exit goes to the next one that is worse.
    lot_size : array_like, optional
        Step between two quantities: the quantity is cut down to one.
    contract_size : array_like, default 1.0
        What one contract stands for: base currency if linear, quote currency if inverse.
    inverse : bool, default False
        Whether the contract is inverse (settled in the base currency).

    Returns
    -------
    float or ndarray
        Quantity in base currency, or number of contracts; cut to the lot only if one is given. The
        leverage does not change it.

    Raises
    ------
    ValueError
        If an argument breaks its rule, shapes do not match, the stop is on the profitable side, or
        a rebate pays for the whole loss.

    See Also
    --------
    loss_at_stop : What a quantity loses.

    Notes
    -----
    .. math:: q = \frac{\text{risk}}{\text{loss of 1 at the stop} + \text{both fees of 1}}

    A stop order becomes a market order: in a fast market it may fill at a worse price than the
    slippage says, and the loss is larger.

    Examples
    --------
    100 USDT at risk between 50 000 and 49 000, without and with a fee of 0.05 % on both trades:

    >>> quantity_for_risk(1, 50_000, 49_000, 100)
    0.1
    >>> round(quantity_for_risk(1, 50_000, 49_000, 100, fee_rate=0.0005), 6)
    0.095283

    With 0.1 % of slippage, in lots of 0.001:

    >>> quantity_for_risk(1, 50_000, 49_000, 100, fee_rate=0.0005, slippage=0.001, lot_size=0.001)
    0.091
    """
    loss = _loss_of_one(
        side, entry_price, stop_price, fee_rate, exit_fee_rate, slippage, tick_size, inverse
    )
    risk_amount, contract_size = checked(risk_amount=risk_amount, contract_size=contract_size)
    quantity = risk_amount / (loss * contract_size)
    return as_result(quantity) if lot_size is None else round_quantity(quantity, lot_size)


def loss_at_stop(
    side: npt.ArrayLike,
    entry_price: npt.ArrayLike,
    stop_price: npt.ArrayLike,
    quantity: npt.ArrayLike,
    *,
    fee_rate: npt.ArrayLike = 0.0,
    exit_fee_rate: npt.ArrayLike | None = None,
    slippage: npt.ArrayLike = 0.0,
    tick_size: npt.ArrayLike | None = None,
    lot_size: npt.ArrayLike | None = None,
    contract_size: npt.ArrayLike = 1.0,
    inverse: bool = False,
) -> float | FloatArray:
    r"""Loss of a position that is closed at its stop, with fees, slippage and steps.

    Parameters
    ----------
    side : {1, -1} or array_like
        1 for a long position, -1 for a short position.
    entry_price : array_like
        Average entry price, in quote currency per unit of base currency. Positive.
    stop_price : array_like
        Price at which you close at a loss, in the same unit: below the entry for a long, above it
        for a short.
    quantity : array_like
        Size of the position: base currency, or number of contracts. Positive.
    fee_rate : array_like, default 0.0
        Fee as a decimal of the notional (0.0005 is 0.05 %). A negative rate is a rebate.
    exit_fee_rate : array_like, optional
        Fee for the exit when it differs.
    slippage : array_like, default 0.0
        How much worse than the stop the exit fills, as a decimal of the stop (0.001 is 0.1 %).
    tick_size : array_like, optional
        Step between two prices: the exit goes to the next one that is worse.
    lot_size : array_like, optional
        Step between two quantities: the quantity is cut down to one.
    contract_size : array_like, default 1.0
        What one contract stands for: base currency if linear, quote currency if inverse.
    inverse : bool, default False
        Whether the contract is inverse (settled in the base currency).

    Returns
    -------
    float or ndarray
        Loss as a positive amount, in the settlement currency.

    Raises
    ------
    ValueError
        If an argument breaks its rule, shapes do not match, the stop is on the profitable side, or
        a rebate pays for the whole loss.

    See Also
    --------
    quantity_for_risk : The quantity for a loss.

    Notes
    -----
    With entry :math:`E`, stop :math:`S`, slippage :math:`\sigma`, side :math:`s`, and fee rates
    :math:`f_E` at entry and :math:`f_X` at exit:

    .. math::

        X = S\,(1 - s \sigma), \qquad -\text{pnl}(E, X) + N_E f_E + N_X f_X

    Examples
    --------
    >>> round(loss_at_stop(1, 50_000, 49_000, 0.091, fee_rate=0.0005, slippage=0.001), 4)
    99.9613
    """
    loss = _loss_of_one(
        side, entry_price, stop_price, fee_rate, exit_fee_rate, slippage, tick_size, inverse
    )
    size, contract_size = checked(quantity=quantity, contract_size=contract_size)
    if lot_size is not None:
        size = np.asarray(round_quantity(size, lot_size))
    return as_result(loss * size * contract_size)


def leverage_for_stop(
    side: npt.ArrayLike,
    entry_price: npt.ArrayLike,
    stop_price: npt.ArrayLike,
    maintenance_margin_rate: npt.ArrayLike,
    *,
    closing_fee_rate: npt.ArrayLike = 0.0,
    inverse: bool = False,
) -> float | FloatArray:
    r"""Leverage at which liquidation and stop are at the same price; any more and the stop is late.

    Parameters
    ----------
    side : {1, -1} or array_like
        1 for a long position, -1 for a short position.
    entry_price : array_like
        Planned entry price, in quote currency per unit of base currency. Positive.
    stop_price : array_like
        Price at which you close at a loss, in the same unit: below the entry for a long, above it
        for a short.
    maintenance_margin_rate : array_like
        Share of the notional at the mark price that is required, as a decimal (0.004 is 0.4 %).
    closing_fee_rate : array_like, default 0.0
        Fee for closing that the venue adds to the requirement, as a decimal of the notional.
    inverse : bool, default False
        Whether the contract is inverse (settled in the base currency).

    Returns
    -------
    float or ndarray
        Largest leverage, 10 for 10x, of a position with isolated margin. Below 1 when even a fully
        paid position is liquidated before the stop.

    Raises
    ------
    ValueError
        If an argument breaks its rule, shapes do not match, or the stop is on the profitable side.

    Notes
    -----
    With rate :math:`m`, closing fee :math:`f` and stop :math:`S`:

    .. math::

        L = \frac{E}{(m + f)\,S + s\,(E - S)} \quad\text{(linear)}, \qquad
        L = \frac{S}{(m + f)\,E + s\,(E - S)} \quad\text{(inverse)}.

    Stay well below it: the stop may fill late, funding is paid out of the margin, and the stop may
    follow the last price while liquidation follows the mark price.

    Examples
    --------
    A stop 5 % below the entry allows 18x, not 20x:

    >>> round(leverage_for_stop(1, 50_000, 47_500, 0.005), 2)
    18.26
    """
    side, entry_price, stop_price, rate, fee_rate = checked(
        side=side,
        entry_price=entry_price,
        stop_price=stop_price,
        maintenance_margin_rate=maintenance_margin_rate,
        closing_fee_rate=closing_fee_rate,
    )
    _refuse_stop_on_the_wrong_side(side, entry_price, stop_price)
    loss, share = side * (entry_price - stop_price), rate + fee_rate
    if checked_flag("inverse", inverse):
        return as_result(stop_price / (share * entry_price + loss))
    return as_result(entry_price / (share * stop_price + loss))


def stop_against_liquidation(
    side: npt.ArrayLike,
    entry_price: npt.ArrayLike,
    stop_price: npt.ArrayLike,
    liquidation_price: npt.ArrayLike,
) -> float | FloatArray:
    r"""Share of the way from entry to liquidation that is gone when the stop is reached.

    Parameters
    ----------
    side : {1, -1} or array_like
        1 for a long position, -1 for a short position.
    entry_price : array_like
        Average entry price, in quote currency per unit of base currency. Positive.
    stop_price : array_like
        Price at which you close at a loss, in the same unit: below the entry for a long, above it
        for a short.
    liquidation_price : array_like
        What a liquidation price function returned, in the same unit; 0.0 (long) and ``inf``
        (short) stand for no liquidation.

    Returns
    -------
    float or ndarray
        Share as a decimal. Below 1 the stop comes first; from 1 upwards liquidation does, and the
        stop never acts.

    Raises
    ------
    ValueError
        If an argument breaks its rule, shapes do not match, or a price is on the profitable side.

    Notes
    -----
    With entry :math:`E`, stop :math:`S` and liquidation price :math:`P_{\text{liq}}`:

    .. math:: \frac{E - S}{E - P_{\text{liq}}}

    Examples
    --------
    >>> stop_against_liquidation(1, 50_000, [48_000, 44_000], 45_000)
    array([0.4, 1.2])
    """
    side, entry_price, stop_price, price = checked(
        side=side,
        entry_price=entry_price,
        stop_price=stop_price,
        liquidation_price=liquidation_price,
    )
    _refuse_stop_on_the_wrong_side(side, entry_price, stop_price)
    refuse_where(
        side * (entry_price - price) <= 0,
        "liquidation_price",
        "on the losing side of the entry price",
        price,
        "a position that is liquidated at once has no use for a stop",
    )
    return as_result((entry_price - stop_price) / (entry_price - price))


def reward_to_risk(
    side: npt.ArrayLike,
    entry_price: npt.ArrayLike,
    stop_price: npt.ArrayLike,
    target_price: npt.ArrayLike,
    *,
    fee_rate: npt.ArrayLike = 0.0,
    inverse: bool = False,
) -> float | FloatArray:
    r"""Profit at the target over loss at the stop, both after fees.

    Parameters
    ----------
    side : {1, -1} or array_like
        1 for a long position, -1 for a short position.
    entry_price : array_like
        Planned entry price, in quote currency per unit of base currency. Positive.
    stop_price : array_like
        Price at which you close at a loss, in the same unit.
    target_price : array_like
        Price at which you close at a profit, in the same unit.
    fee_rate : array_like, default 0.0
        Fee of each trade as a decimal of its notional (0.0005 is 0.05 %).
    inverse : bool, default False
        Whether the contract is inverse (settled in the base currency).

    Returns
    -------
    float or ndarray
        Ratio: 2 when the target earns twice what the stop loses. Negative when the fees take more
        than the target earns.

    Raises
    ------
    ValueError
        If an argument breaks its rule, shapes do not match, stop or target is on the wrong side of
        the entry, or a rebate pays for the whole loss.

    Notes
    -----
    With entry :math:`E`, target :math:`T` and stop :math:`S`:

    .. math:: \frac{\text{pnl}(E, T) - \text{fees}}{-\text{pnl}(E, S) + \text{fees}}

    Examples
    --------
    >>> reward_to_risk(1, 50_000, 49_000, 52_000)
    2.0
    >>> round(reward_to_risk(1, 50_000, 49_000, 52_000, fee_rate=0.0005), 4)
    1.8571
    """
    side, entry_price, stop_price, target_price, fee_rate = checked(
        side=side,
        entry_price=entry_price,
        stop_price=stop_price,
        target_price=target_price,
        fee_rate=fee_rate,
    )
    _refuse_stop_on_the_wrong_side(side, entry_price, stop_price)
    refuse_where(
        side * (target_price - entry_price) <= 0,
        "target_price",
        "above the entry price for a long and below it for a short",
        target_price,
        "check side and target",
    )
    profit, loss = (
        direction * contracts.pnl(side, entry_price, exit_price, 1.0, inverse=inverse)
        - direction * _fees_of_one(entry_price, exit_price, fee_rate, fee_rate, inverse=inverse)
        for direction, exit_price in ((1, target_price), (-1, stop_price))
    )
    _refuse_rebate(loss, fee_rate)
    return as_result(profit / loss)


def break_even_win_rate(reward_to_risk: npt.ArrayLike) -> float | FloatArray:
    r"""Share of winning trades at which gains and losses cancel out.

    Parameters
    ----------
    reward_to_risk : array_like
        Profit of a winning trade over loss of a losing one. Positive.

    Returns
    -------
    float or ndarray
        Win rate as a decimal.

    Raises
    ------
    ValueError
        If `reward_to_risk` is not positive.

    Notes
    -----
    With reward to risk :math:`b`:

    .. math:: p = \frac{1}{1 + b}

    Examples
    --------
    >>> break_even_win_rate([1, 3])
    array([0.5 , 0.25])
    """
    (ratio,) = checked(reward_to_risk=reward_to_risk)
    return as_result(1 / (1 + ratio))


def expectancy(
    win_rate: npt.ArrayLike, average_win: npt.ArrayLike, average_loss: npt.ArrayLike
) -> float | FloatArray:
    r"""Average result of a trade.

    Parameters
    ----------
    win_rate : array_like
        Share of winning trades as a decimal (0.55 is 55 %). From 0 to 1.
    average_win : array_like
        Mean profit of the winning trades: an amount, or multiples of the risk. Zero or more.
    average_loss : array_like
        Mean loss of the losing trades as a positive number, in the same unit. Zero or more.

    Returns
    -------
    float or ndarray
        Expected result of one trade in that unit.

    Raises
    ------
    ValueError
        If an argument breaks its rule, or shapes do not match.

    Notes
    -----
    With win rate :math:`p`, average win :math:`W` and average loss :math:`\Lambda`:

    .. math:: p\,W - (1 - p)\,\Lambda

    Examples
    --------
    Winning 40 % of trades at twice the risk earns a fifth of the risk on average:

    >>> round(expectancy(0.4, 2, 1), 10)
    0.2
    """
    win_rate, average_win, average_loss = checked(
        win_rate=win_rate, average_win=average_win, average_loss=average_loss
    )
    return as_result(win_rate * average_win - (1 - win_rate) * average_loss)


def r_multiples(profits: npt.ArrayLike, risks: npt.ArrayLike) -> float | FloatArray:
    r"""Results of trades as multiples of what each put at risk.

    Parameters
    ----------
    profits : array_like
        Result of each trade, losses as negative numbers.
    risks : array_like
        Amount each trade would have lost at its stop, in the same currency. Positive.

    Returns
    -------
    float or ndarray
        R multiples: -1 for a trade stopped out as planned, below it when the stop filled late.

    Raises
    ------
    ValueError
        If an argument breaks its rule, or shapes do not match.

    Notes
    -----
    .. math:: R = \frac{\text{profit}}{\text{risk}}

    Examples
    --------
    >>> r_multiples([250, -100, -120], 100)
    array([ 2.5, -1. , -1.2])
    """
    profits, risks = checked(profits=profits, risks=risks)
    return as_result(profits / risks)


def kelly_fraction(win_rate: npt.ArrayLike, reward_to_risk: npt.ArrayLike) -> float | FloatArray:
    r"""Share of the capital at risk that makes it grow fastest in the long run, for a known edge.

    Parameters
    ----------
    win_rate : array_like
        Probability of a win as a decimal (0.55 is 55 %). From 0 to 1.
    reward_to_risk : array_like
        Profit of a win over loss of a loss. Positive.

    Returns
    -------
    float or ndarray
        Share of the capital to lose when the trade fails, as a decimal; negative when the odds are
        against you and the trade should not be taken.

    Raises
    ------
    ValueError
        If an argument breaks its rule, or shapes do not match.

    Notes
    -----
    With win rate :math:`p` and reward to risk :math:`b`:

    .. math:: f^* = p - \frac{1 - p}{b}

    Twice this share grows no faster than staying out, and more of it leads to ruin. As the win
    rate is an estimate, practitioners risk a small part of it.

    References
    ----------
    J. L. Kelly, "A New Interpretation of Information Rate", Bell System Technical Journal 35
    (1956).

    Examples
    --------
    >>> round(kelly_fraction(0.55, 1), 10)
    0.1
    """
    win_rate, ratio = checked(win_rate=win_rate, reward_to_risk=reward_to_risk)
    return as_result(win_rate - (1 - win_rate) / ratio)


def kelly_leverage(expected_return: npt.ArrayLike, volatility: npt.ArrayLike) -> float | FloatArray:
    r"""Leverage that makes capital grow fastest when returns are normal and rebalanced all the time.

    Parameters
    ----------
    expected_return : array_like
        Expected return of the asset above financing costs, as a decimal for a period (0.1 is
        10 %).
    volatility : array_like
        Standard deviation of the return in the same period, as a decimal. Positive.

    Returns
    -------
    float or ndarray
        Leverage; negative when the expected return is.

    Raises
    ------
    ValueError
        If an argument breaks its rule, or shapes do not match.

    Notes
    -----
    With expected return :math:`\mu` and volatility :math:`\sigma`:

    .. math:: L^* = \frac{\mu}{\sigma^2}

    It knows no jumps and no liquidation, so it is an upper limit and not advice.

    Examples
    --------
    >>> round(kelly_leverage(0.18, 0.6), 10)
    0.5
    """
    expected_return, volatility = checked(expected_return=expected_return, volatility=volatility)
    return as_result(expected_return / volatility**2)


def growth_rate(
    leverage: npt.ArrayLike, expected_return: npt.ArrayLike, volatility: npt.ArrayLike
) -> float | FloatArray:
    r"""Growth of capital in the long run at a leverage that is kept constant.

    Parameters
    ----------
    leverage : array_like
        Leverage held all the time, 10 for 10x. At least 1.
    expected_return : array_like
        Expected return of the asset above financing costs, as a decimal for a period.
    volatility : array_like
        Standard deviation of the return in the same period, as a decimal. Positive.

    Returns
    -------
    float or ndarray
        Expected growth of the logarithm of the capital per period, as a decimal.

    Raises
    ------
    ValueError
        If an argument breaks its rule, or shapes do not match.

    Notes
    -----
    With leverage :math:`L`, expected return :math:`\mu` and volatility :math:`\sigma`:

    .. math:: g = L \mu - \frac{L^2 \sigma^2}{2}

    Volatility costs with the square of the leverage: beyond twice :func:`kelly_leverage` the
    capital shrinks although the asset earns.

    Examples
    --------
    >>> growth_rate([1, 2, 4], 0.2, 0.4).round(10)
    array([ 0.12,  0.08, -0.48])
    """
    leverage, expected_return, volatility = checked(
        leverage=leverage, expected_return=expected_return, volatility=volatility
    )
    return as_result(leverage * expected_return - (leverage * volatility) ** 2 / 2)


def drawdown(equities: npt.ArrayLike) -> FloatArray:
    r"""Loss from the highest equity so far, at each moment.

    Parameters
    ----------
    equities : array_like
        Equity over time along the last axis, oldest first. It starts above zero.

    Returns
    -------
    ndarray
        Drawdown as a decimal of the highest equity so far: 0 at a new high, 1 when all is lost.

    Raises
    ------
    ValueError
        If a value is not a finite number, there is none, or the first is not positive.

    See Also
    --------
    leverage.contracts.recovery_return : The gain that makes a drawdown good.

    Notes
    -----
    With equity :math:`V_t` at time :math:`t`:

    .. math:: 1 - \frac{V_t}{\max_{u \le t} V_u}

    Examples
    --------
    >>> drawdown([100, 120, 90, 150])
    array([0.  , 0.  , 0.25, 0.  ])
    """
    (values,) = checked(equities=equities)
    values = _series("equities", "moment", values)
    refuse_where(
        values[..., 0] <= 0,
        "equities",
        "positive at the start",
        values[..., 0],
        "begin where there is something to lose",
    )
    return np.asarray(1 - values / np.maximum.accumulate(values, axis=-1)) + 0.0


def max_drawdown(equities: npt.ArrayLike) -> float | FloatArray:
    r"""Largest loss from a high to a later low.

    Parameters
    ----------
    equities : array_like
        Equity over time along the last axis, oldest first. It starts above zero.

    Returns
    -------
    float or ndarray
        Largest drawdown as a decimal of the high before it.

    Raises
    ------
    ValueError
        If a value is not a finite number, there is none, or the first is not positive.

    Notes
    -----
    With equity :math:`V_t` at time :math:`t`:

    .. math:: \max_t \left(1 - \frac{V_t}{\max_{u \le t} V_u}\right)

    Examples
    --------
    >>> max_drawdown([100, 120, 90, 150, 120])
    0.25
    """
    return as_result(drawdown(equities).max(axis=-1))


def losing_streak_probability(
    win_rate: npt.ArrayLike, streak: npt.ArrayLike, trades: npt.ArrayLike
) -> float | FloatArray:
    r"""Probability of at least one run of losses of some length in a number of trades.

    Parameters
    ----------
    win_rate : array_like
        Probability of a win as a decimal (0.55 is 55 %). From 0 to 1.
    streak : array_like
        Number of losses in a row. A whole number from 1.
    trades : array_like
        Number of trades. A whole number from 1.

    Returns
    -------
    float or ndarray
        Probability as a decimal.

    Raises
    ------
    ValueError
        If an argument breaks its rule, or shapes do not match.

    Notes
    -----
    Trades are taken as independent. With loss probability :math:`q = 1 - p`, the probability
    :math:`Q_n` of no run of :math:`k` losses in :math:`n` trades is 1 for :math:`n < k`,
    :math:`1 - q^k` for :math:`n = k`, and then

    .. math:: Q_n = Q_{n-1} - p\,q^k\,Q_{n-k-1}.

    References
    ----------
    W. Feller, An Introduction to Probability Theory and Its Applications, vol. 1, XIII.7.

    Examples
    --------
    With every second trade won, five losses in a row are likely within 100 trades:

    >>> round(losing_streak_probability(0.5, 5, 100), 4)
    0.8101
    """
    win_rate, streak, trades = checked(win_rate=win_rate, streak=streak, trades=trades)
    wins, lengths, counts = np.broadcast_arrays(win_rate, streak, trades)
    result = np.empty(wins.shape)
    for index in np.ndindex(wins.shape):
        result[index] = 1 - _no_streak(float(wins[index]), int(lengths[index]), int(counts[index]))
    return as_result(result)


def _no_streak(win_rate: float, streak: int, trades: int) -> float:
    lose_all = (1 - win_rate) ** streak
    if trades < streak:
        return 1.0
    none = np.ones(trades + 1)
    none[streak] = 1 - lose_all
    for count in range(streak + 1, trades + 1):
        none[count] = none[count - 1] - win_rate * lose_all * none[count - streak - 1]
    return float(none[trades])


def _loss_of_one(
    side: npt.ArrayLike,
    entry_price: npt.ArrayLike,
    stop_price: npt.ArrayLike,
    fee_rate: npt.ArrayLike,
    exit_fee_rate: npt.ArrayLike | None,
    slippage: npt.ArrayLike,
    tick_size: npt.ArrayLike | None,
    inverse: bool,
) -> FloatArray:
    """Loss at the stop of a quantity of 1 with a contract size of 1, both fees included."""
    side, entry_price, stop_price, fee_rate, exit_fee_rate, slippage = checked(
        side=side,
        entry_price=entry_price,
        stop_price=stop_price,
        fee_rate=fee_rate,
        exit_fee_rate=fee_rate if exit_fee_rate is None else exit_fee_rate,
        slippage=slippage,
    )
    _refuse_stop_on_the_wrong_side(side, entry_price, stop_price)
    exit_price = stop_price * (1 - side * slippage)
    if tick_size is not None:
        down, up = (
            np.asarray(round_price(exit_price, tick_size, direction=way)) for way in ("down", "up")
        )
        exit_price = np.where(side > 0, np.maximum(down, tick_size), up)
    fees = _fees_of_one(entry_price, exit_price, fee_rate, exit_fee_rate, inverse=inverse)
    loss = fees - contracts.pnl(side, entry_price, exit_price, 1.0, inverse=inverse)
    _refuse_rebate(loss, fee_rate)
    return np.asarray(loss)


def _refuse_rebate(loss: FloatArray, fee_rate: FloatArray) -> None:
    refuse_where(
        np.asarray(loss) <= 0,
        "fee_rate",
        "a rebate smaller than the loss at the stop",
        fee_rate,
        "check the rate",
    )


def _fees_of_one(
    entry_price: FloatArray,
    exit_price: FloatArray,
    fee_rate: FloatArray,
    exit_fee_rate: FloatArray,
    *,
    inverse: bool,
) -> FloatArray:
    at_entry, at_exit = (
        np.asarray(contracts.notional(price, 1.0, inverse=inverse))
        for price in (entry_price, exit_price)
    )
    return at_entry * fee_rate + at_exit * exit_fee_rate


def _refuse_stop_on_the_wrong_side(
    side: FloatArray, entry_price: FloatArray, stop_price: FloatArray
) -> None:
    wrong: BoolArray = side * (entry_price - stop_price) <= 0
    refuse_where(
        wrong,
        "stop_price",
        "below the entry price for a long and above it for a short",
        stop_price,
        "check side and stop",
    )


def _series(name: str, item: str, values: FloatArray) -> FloatArray:
    series = np.atleast_1d(values)
    if series.shape[-1] == 0:
        raise ValueError(
            f"{name} must hold at least one {item}, was empty; give one value for each {item}"
        )
    return series


guard(globals())
