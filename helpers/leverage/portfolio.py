r"""Several positions on one collateral: they live and are liquidated together.

In cross margin the balance backs every position of the account. One requirement, the sum of all,
stands against one equity. A loss in one symbol therefore moves the liquidation prices of the
others: that is contagion.

Prices have one column for each position, in the order of :class:`Positions`. Two positions in one
symbol have two equal columns.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from reprlib import repr as short_repr

import numpy as np
import numpy.typing as npt

from leverage._solve import checked_tiers
from leverage._validate import FloatArray, as_result, checked, checked_flag, refuse_where
from leverage.contracts import notional, pnl
from leverage.margin import tiered_liquidation_price
from leverage.tiers import TierTable

# A notional in the last tier of every table.
_HUGE = 1e300


@dataclass(frozen=True, init=False)
class Positions:
    """Open positions that share one collateral currency.

    Parameters
    ----------
    side : array_like of {1, -1}
        1 for a long position, -1 for a short position, one for each position.
    entry_price : array_like
        Average entry prices, in quote currency per unit of base currency. Positive.
    quantity : array_like
        Sizes: base currency, or number of contracts. Positive.
    tiers : TierTable or sequence of TierTable
        Tier table of all positions, or of each.
    contract_size : array_like, default 1.0
        What one contract stands for: base currency if linear, quote currency if inverse.
    inverse : bool, default False
        Whether the contracts are inverse (settled in the base currency, the same for all).

    Raises
    ------
    ValueError
        If an argument breaks its rule, shapes do not match, there is no position, or there are
        more or fewer tables than positions.

    Examples
    --------
    >>> book = Positions([1, -1], [50_000, 3_000], [0.2, 4], TierTable.flat(0.005))
    >>> len(book)
    2
    """

    side: tuple[float, ...]
    entry_price: tuple[float, ...]
    quantity: tuple[float, ...]
    tiers: tuple[TierTable, ...]
    contract_size: tuple[float, ...]
    inverse: bool

    def __init__(
        self,
        side: npt.ArrayLike,
        entry_price: npt.ArrayLike,
        quantity: npt.ArrayLike,
        tiers: TierTable | Sequence[TierTable],
        contract_size: npt.ArrayLike = 1.0,
        inverse: bool = False,
    ) -> None:
        names = ("side", "entry_price", "quantity", "contract_size")
        given = checked(
            side=side, entry_price=entry_price, quantity=quantity, contract_size=contract_size
        )
        columns = np.broadcast_arrays(*(np.atleast_1d(value) for value in given))
        if columns[0].ndim != 1 or columns[0].size == 0:
            raise ValueError(
                f"side must hold one value for each position, had shape {columns[0].shape}; "
                "give at least one position, in one dimension"
            )
        for name, column in zip(names, columns, strict=True):
            object.__setattr__(self, name, tuple(column.tolist()))
        count = columns[0].size
        if isinstance(tiers, Sequence) and not isinstance(tiers, str):
            tables = tuple(checked_tiers(table) for table in tiers)
        else:
            tables = (checked_tiers(tiers),) * count
        if len(tables) != count:
            raise ValueError(
                f"tiers must hold one TierTable for each of {count} positions, had {len(tables)}; "
                "give one for all, or one for each"
            )
        object.__setattr__(self, "tiers", tables)
        object.__setattr__(self, "inverse", checked_flag("inverse", inverse))

    def __len__(self) -> int:
        return len(self.side)


def portfolio_equity(
    positions: Positions, prices: npt.ArrayLike, balance: npt.ArrayLike
) -> float | FloatArray:
    r"""Balance plus the unrealised profit or loss of all positions.

    Parameters
    ----------
    positions : Positions
        Open positions on one collateral.
    prices : array_like
        Mark prices with one column for each position (last axis), in quote currency per unit of
        base currency. Positive.
    balance : array_like
        Wallet balance without profit or loss, in the settlement currency.

    Returns
    -------
    float or ndarray
        Equity in the settlement currency, with the last axis of `prices` summed away.

    Raises
    ------
    ValueError
        If an argument breaks its rule, or shapes do not match.

    Notes
    -----
    With balance :math:`B`:

    .. math:: B + \sum_i \text{pnl}_i

    Examples
    --------
    >>> book = Positions([1, -1], [50_000, 3_000], [0.2, 4], TierTable.flat(0.005))
    >>> portfolio_equity(book, [[50_000, 3_000], [49_000, 3_100]], 1_000)
    array([1000.,  400.])
    """
    marks, (balance,) = _marks(positions, prices), checked(balance=balance)
    return as_result(balance + _profits(positions, marks).sum(axis=-1))


def portfolio_requirement(positions: Positions, prices: npt.ArrayLike) -> float | FloatArray:
    r"""Sum of the maintenance margins of all positions, each in the tier of its own notional.

    Parameters
    ----------
    positions : Positions
        Open positions on one collateral.
    prices : array_like
        Mark prices with one column for each position (last axis). Positive.

    Returns
    -------
    float or ndarray
        Requirement in the settlement currency, with the last axis of `prices` summed away.

    Raises
    ------
    ValueError
        If an argument breaks its rule, or shapes do not match.

    Notes
    -----
    With the maintenance margin :math:`MM_i` of each position at its notional :math:`N_i`:

    .. math:: \sum_i MM_i(N_i)

    Opposite positions are not netted.

    Examples
    --------
    >>> book = Positions([1, -1], [50_000, 3_000], [0.2, 4], TierTable.flat(0.005))
    >>> portfolio_requirement(book, [50_000, 3_000])
    110.0
    """
    return as_result(_requirements(positions, _marks(positions, prices)).sum(axis=-1))


def cross_liquidation_prices(
    positions: Positions, prices: npt.ArrayLike, balance: npt.ArrayLike
) -> FloatArray:
    r"""Liquidation price of each position while the other prices stay where they are.

    Parameters
    ----------
    positions : Positions
        Open positions on one collateral.
    prices : array_like
        Mark prices with one column for each position (last axis). Positive.
    balance : array_like
        Wallet balance without profit or loss, in the settlement currency. Zero or more.

    Returns
    -------
    ndarray
        One price for each position, in the shape of `prices`; 0.0 and ``inf`` mean what they mean
        for :func:`leverage.margin.liquidation_price`. Where jumps of a tier table make more than
        one price dead, it is the first one that a loss meets from the mark price.

    Raises
    ------
    ValueError
        If an argument breaks its rule, or shapes do not match.

    See Also
    --------
    leverage.margin.hedge_liquidation_price : For two legs in one symbol, whose prices move together.

    Examples
    --------
    A profit of one position moves the liquidation price of the other away:

    >>> book = Positions([1, 1], [50_000, 3_000], [0.2, 4], TierTable.flat(0.005))
    >>> cross_liquidation_prices(book, [[50_000, 3_000], [50_000, 3_100]], 1_000).round(2)
    array([[45527.64,  2776.38],
           [43527.64,  2776.38]])
    """
    marks, (balance,) = _marks(positions, prices), checked(balance=balance)
    profits, requirements = _profits(positions, marks), _requirements(positions, marks)
    columns = []
    for column, table in enumerate(positions.tiers):
        columns.append(
            tiered_liquidation_price(
                positions.side[column],
                positions.entry_price[column],
                positions.quantity[column],
                balance,
                table,
                other_pnl=profits.sum(axis=-1) - profits[..., column],
                other_requirement=_without(requirements, column),
                mark_price=marks[..., column],
                contract_size=positions.contract_size[column],
                inverse=positions.inverse,
            )
        )
    return np.stack(np.broadcast_arrays(*columns), axis=-1)


def contagion(
    positions: Positions,
    prices: npt.ArrayLike,
    balance: npt.ArrayLike,
    moves: npt.ArrayLike,
) -> FloatArray:
    r"""Liquidation prices of all positions after the price of only one of them has moved.

    Parameters
    ----------
    positions : Positions
        Open positions on one collateral.
    prices : array_like
        Mark price of each position. Positive.
    balance : array_like
        Wallet balance without profit or loss, in the settlement currency. Zero or more.
    moves : array_like
        Move of each price as a decimal (-0.1 is a fall of 10 %). Above -1.

    Returns
    -------
    ndarray
        Matrix: row i holds the liquidation prices after price i alone has moved by ``moves[i]``.
        Its diagonal does not differ from :func:`cross_liquidation_prices`, except where the price
        moves past a jump of a tier table; the rest shows how far a loss reaches.

    Raises
    ------
    ValueError
        If an argument breaks its rule, or shapes do not match.

    Examples
    --------
    A fall of the second price by 5 % brings the liquidation of the first nearer:

    >>> book = Positions([1, 1], [50_000, 3_000], [0.2, 4], TierTable.flat(0.005))
    >>> contagion(book, [50_000, 3_000], 1_000, [-0.05, -0.05]).round(2)
    array([[45527.64,  2901.38],
           [48527.64,  2776.38]])
    """
    marks, (moves,) = _marks(positions, prices), checked(moves=moves)
    if marks.ndim != 1:
        raise ValueError(
            f"prices must hold one price for each position, had shape {marks.shape}; "
            "give the prices of one moment"
        )
    moved = np.tile(marks, (len(positions), 1))
    diagonal = np.arange(len(positions))
    moved[diagonal, diagonal] *= 1 + _one_each("moves", moves, positions)
    return cross_liquidation_prices(positions, moved, balance)


def liquidation_shock(
    positions: Positions,
    prices: npt.ArrayLike,
    balance: float,
    shocks: npt.ArrayLike,
) -> float:
    r"""Strength of a shock to all prices at once that liquidates the account.

    Parameters
    ----------
    positions : Positions
        Open positions in linear contracts on one collateral.
    prices : array_like
        Mark price of each position. Positive.
    balance : float
        Wallet balance without profit or loss, in the settlement currency.
    shocks : array_like
        Move of each price at strength 1, as a decimal (-0.1 is a fall of 10 %).

    Returns
    -------
    float
        Smallest strength t of zero or more at which prices of ``prices * (1 + t * shocks)``
        liquidate the account: 0.5 when half the shock is enough, 0 when it is liquidated already,
        ``inf`` when no strength that leaves the prices positive is enough.

    Raises
    ------
    ValueError
        If an argument breaks its rule, shapes do not match, or contracts are inverse, whose profit
        is no straight line in the strength.

    Notes
    -----
    Equity less requirement is a straight line in t between the strengths at which a notional
    changes its tier. Each such piece is solved exactly.

    Examples
    --------
    Two longs that fall together, the second twice as hard as the first:

    >>> book = Positions([1, 1], [50_000, 3_000], [0.2, 4], TierTable.flat(0.005))
    >>> round(liquidation_shock(book, [50_000, 3_000], 1_000, [-0.05, -0.10]), 4)
    0.5262
    """
    marks, (balance_, shocks) = _marks(positions, prices), checked(balance=balance, shocks=shocks)
    if marks.ndim != 1 or balance_.ndim != 0:
        raise ValueError(
            f"prices must hold one price for each position, had shape {marks.shape}, and balance "
            f"one number, had shape {balance_.shape}; give one account at one moment"
        )
    if positions.inverse:
        raise ValueError(
            "positions must be linear for an exact shock, were inverse; "
            "compare portfolio_equity with portfolio_requirement on shocked prices"
        )
    shocks = _one_each("shocks", shocks, positions)
    side, size = _row(positions.side), _row(positions.quantity) * _row(positions.contract_size)
    value, slopes = size * marks, size * marks * shocks
    start = float(balance_) + float((side * (value - size * _row(positions.entry_price))).sum())
    bends = _bends(positions, value, shocks)
    for low, high in pairwise(bends):
        with np.errstate(over="ignore"):
            middle = value + slopes * (2 * low + 1 if np.isinf(high) else (low + high) / 2)
        inside = np.clip(middle, 0.0, _HUGE)
        tiers = list(zip(positions.tiers, inside, strict=True))
        rates = np.array([table.maintenance_margin_rate(n) for table, n in tiers])
        amounts = np.array([table.maintenance_amount(n) for table, n in tiers])
        level = start + float((amounts - rates * value).sum())
        slope = float(((side - rates) * slopes).sum())
        if level + slope * low <= 0:
            return float(low)
        if slope < 0 and -level / slope <= high:
            return float(-level / slope)
    return float("inf")


def portfolio_volatility(
    notionals: npt.ArrayLike, volatilities: npt.ArrayLike, correlations: npt.ArrayLike
) -> float | FloatArray:
    r"""Volatility of the profit of several positions together.

    Parameters
    ----------
    notionals : array_like
        Notional of each position along the last axis; negative for a short.
    volatilities : array_like
        Volatility of each symbol for one period, as a decimal (0.04 is 4 %). Zero or more.
    correlations : array_like
        Correlation matrix of the returns, symmetric with ones on its diagonal.

    Returns
    -------
    float or ndarray
        Standard deviation for that period, in the currency of `notionals`. Divide by the equity to
        have it as a share.

    Raises
    ------
    ValueError
        If an argument breaks its rule, shapes do not match, or `correlations` is no correlation
        matrix.

    Notes
    -----
    With :math:`x_i = N_i \sigma_i` and correlation matrix :math:`C`:

    .. math:: \sqrt{x^{\mathsf T} C\,x}

    Examples
    --------
    Two longs at a correlation of 0.8 hardly diversify, a long and a short nearly cancel out:

    >>> matrix = [[1, 0.8], [0.8, 1]]
    >>> portfolio_volatility([[10_000, 10_000], [10_000, -10_000]], 0.04, matrix).round(2)
    array([758.95, 252.98])
    """
    notionals, volatilities = checked(notionals=notionals, volatilities=volatilities)
    (matrix,) = checked(correlations=correlations)
    exposures = np.atleast_1d(notionals * volatilities)
    count = exposures.shape[-1]
    if matrix.shape != (count, count):
        raise ValueError(
            f"correlations must have shape ({count}, {count}), had {matrix.shape}; "
            "give one row and one column for each notional"
        )
    if not (np.allclose(matrix, matrix.T) and np.allclose(np.diag(matrix), 1)):
        raise ValueError(
            "correlations must be symmetric with ones on the diagonal, was not; "
            "compute it with correlation"
        )
    variance = np.einsum("...i,ij,...j->...", exposures, matrix, exposures)
    refuse_where(
        variance < -1e-9 * (exposures**2).sum(axis=-1),
        "correlations",
        "a matrix that gives no negative variance",
        variance,
        "no set of returns has such correlations",
    )
    return as_result(np.sqrt(np.maximum(variance, 0.0)))


def correlation(returns: npt.ArrayLike) -> FloatArray:
    r"""Correlation matrix of returns.

    Parameters
    ----------
    returns : array_like
        Returns as decimals, with a row for each period and a column for each symbol.

    Returns
    -------
    ndarray
        Symmetric matrix with ones on its diagonal.

    Raises
    ------
    ValueError
        If a value is not a finite number, there are fewer than two periods, or a column never
        changes.

    Notes
    -----
    Correlations of crypto assets rise towards 1 in a crash, when diversification is needed most.

    Examples
    --------
    >>> correlation([[0.01, 0.02], [-0.02, -0.04], [0.03, 0.05]]).round(3)
    array([[1.   , 0.997],
           [0.997, 1.   ]])
    """
    (values,) = checked(returns=returns)
    if values.ndim != 2 or values.shape[0] < 2 or values.shape[1] == 0:
        raise ValueError(
            "returns must have at least two rows (periods) and a column for each symbol, had "
            f"shape {values.shape}; give a table of returns"
        )
    centred = values - values.mean(axis=0)
    spread = np.sqrt((centred**2).sum(axis=0))
    # Rounding leaves a trace of a spread in a constant column.
    refuse_where(
        spread <= 1e-12 * abs(values).max(axis=0),
        "returns",
        "different from period to period in every column",
        spread,
        "leave out symbols that do not move",
    )
    unit = centred / spread
    matrix = np.clip(unit.T @ unit, -1.0, 1.0)
    np.fill_diagonal(matrix, 1.0)
    return np.asarray(matrix)


def _marks(positions: Positions, prices: npt.ArrayLike) -> FloatArray:
    if not isinstance(positions, Positions):
        raise ValueError(
            f"positions must be Positions, was {short_repr(positions)}; "
            "make them with Positions(side, entry_price, quantity, tiers)"
        )
    (marks,) = checked(prices=prices)
    if marks.shape[-1:] != (len(positions),):
        raise ValueError(
            f"prices must have a column for each of {len(positions)} positions, had shape "
            f"{marks.shape}; give the columns in the order of the positions"
        )
    return marks


def _one_each(name: str, values: FloatArray, positions: Positions) -> FloatArray:
    if values.ndim and values.shape != (len(positions),):
        raise ValueError(
            f"{name} must hold one value for each of {len(positions)} positions, had shape "
            f"{values.shape}; give them in the order of the positions"
        )
    return np.broadcast_to(values, (len(positions),))


def _row(values: tuple[float, ...]) -> FloatArray:
    return np.array(values, dtype=np.float64)


def _profits(positions: Positions, marks: FloatArray) -> FloatArray:
    profits = pnl(
        positions.side,
        positions.entry_price,
        marks,
        positions.quantity,
        contract_size=positions.contract_size,
        inverse=positions.inverse,
    )
    return np.asarray(profits)


def _requirements(positions: Positions, marks: FloatArray) -> FloatArray:
    values = np.asarray(
        notional(
            marks,
            positions.quantity,
            contract_size=positions.contract_size,
            inverse=positions.inverse,
        )
    )
    each = [
        table.maintenance_margin(values[..., column])
        for column, table in enumerate(positions.tiers)
    ]
    return np.stack([np.asarray(one) for one in each], axis=-1)


def _without(values: FloatArray, column: int) -> FloatArray:
    """Sum of the other columns; adding them up cannot leave a negative rounding error."""
    return np.asarray(np.delete(values, column, axis=-1).sum(axis=-1))


def _bends(positions: Positions, value: FloatArray, shocks: FloatArray) -> list[float]:
    """Strengths at which a notional changes its tier, up to the one that brings a price to zero."""
    with np.errstate(divide="ignore", over="ignore"):
        last = float(np.where(shocks < 0, -1 / shocks, np.inf).min())
        strengths = [np.array([0.0, last])]
        for table, one, shock in zip(positions.tiers, value, shocks, strict=True):
            if shock != 0:
                strengths.append((np.array(table.bounds[1:-1]) / one - 1) / shock)
    bends = np.unique(np.concatenate(strengths))
    return [float(strength) for strength in bends if 0 <= strength <= last]
