r"""Several positions on one collateral: they live and are liquidated together.

In cross margin the balance backs every position of the account. One requirement, the sum of all,
stands against one equity. A loss in one coin therefore moves the liquidation prices of the others:
that is contagion.

Prices have one column for each coin, in the order of ``Positions.coins``; positions of one coin
move together, linear and inverse ones too. All amounts are in quote currency.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from math import inf
from reprlib import repr as short_repr
from typing import Any

import numpy as np
import numpy.typing as npt

from leverage._guard import guard
from leverage._solve import Leg, checked_tiers, dead_limits, net
from leverage._validate import (
    FloatArray,
    as_result,
    checked,
    checked_flag,
    has_labels,
    refuse_where,
)
from leverage.margin import tiered_liquidation_price
from leverage.tiers import TierTable


@dataclass(frozen=True, init=False)
class Positions:
    """Open positions of one account, each in a coin, and the coins that back them.

    Parameters
    ----------
    side : array_like of {1, -1}
        1 for a long position, -1 for a short position, one for each position.
    entry_price : array_like
        Average entry prices, in quote currency per unit of base currency. Positive.
    quantity : array_like
        Sizes: base currency, or number of contracts. Positive.
    tiers : TierTable or sequence of TierTable
        Tier table of all positions, or of each; bounds in the settlement currency.
    coin : str or sequence of str
        Coin of all positions, or of each. Positions of one coin move together.
    contract_size : array_like, default 1.0
        What one contract stands for: base currency if linear, quote currency if inverse.
    inverse : bool or sequence of bool, default False
        Whether the contracts are inverse (settled in their coin), for all or for each.
    collateral : mapping of str to float, optional
        Coins in the account that count as margin, each after its haircut; a negative amount is
        owed. They gain and lose with their price.

    Raises
    ------
    ValueError
        If an argument breaks its rule, shapes do not match, there is no position, or there are
        more or fewer tables, coins or kinds than positions.

    Examples
    --------
    >>> book = Positions(
    ...     [1, -1], [50_000, 3_000], [0.2, 4], TierTable.flat(0.005), coin=["BTC", "ETH"]
    ... )
    >>> len(book), book.coins
    (2, ('BTC', 'ETH'))
    """

    side: tuple[float, ...]
    entry_price: tuple[float, ...]
    quantity: tuple[float, ...]
    tiers: tuple[TierTable, ...]
    coin: tuple[str, ...]
    contract_size: tuple[float, ...]
    inverse: tuple[bool, ...]
    collateral: tuple[tuple[str, float], ...]

    def __init__(
        self,
        side: npt.ArrayLike,
        entry_price: npt.ArrayLike,
        quantity: npt.ArrayLike,
        tiers: TierTable | Sequence[TierTable],
        *,
        coin: str | Sequence[str],
        contract_size: npt.ArrayLike = 1.0,
        inverse: bool | Sequence[bool] = False,
        collateral: Mapping[str, float] | None = None,
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
        tables = [checked_tiers(table) for table in _each("tiers", tiers, TierTable, count)]
        kinds = [checked_flag("inverse", one) for one in _each("inverse", inverse, bool, count)]
        object.__setattr__(self, "tiers", tuple(tables))
        object.__setattr__(self, "inverse", tuple(kinds))
        object.__setattr__(self, "coin", tuple(map(_coin, _each("coin", coin, str, count))))
        held = tuple((_coin(name), amount) for name, amount in (collateral or {}).items())
        amounts = checked(collateral=[amount for _, amount in held])[0].tolist()
        pairs = zip((name for name, _ in held), amounts, strict=True)
        object.__setattr__(self, "collateral", tuple(pairs))

    def __len__(self) -> int:
        return len(self.side)

    @property
    def coins(self) -> tuple[str, ...]:
        """Coins of positions and collateral, each once: the order of all prices."""
        return tuple(dict.fromkeys(chain(self.coin, (name for name, _ in self.collateral))))


def portfolio_equity(
    positions: Positions, prices: npt.ArrayLike, balance: npt.ArrayLike
) -> float | FloatArray:
    r"""Balance, collateral, and the unrealised profit or loss of all positions.

    Parameters
    ----------
    positions : Positions
        Open positions and collateral of one account.
    prices : array_like
        Mark prices with one column for each coin (last axis), in quote currency per unit of base
        currency. Positive.
    balance : array_like
        Wallet balance in quote currency, without profit or loss and without the coins in
        ``positions.collateral``.

    Returns
    -------
    float or ndarray
        Equity in quote currency, with the last axis of `prices` summed away. Where all is settled
        in one coin, divide by its price to have it in the coin.

    Raises
    ------
    ValueError
        If an argument breaks its rule, or shapes do not match.

    Notes
    -----
    With balance :math:`B`, coins held :math:`h_c`, and the profit of an inverse contract valued at
    its mark price:

    .. math:: B + \sum_c h_c P_c + \sum_i \text{pnl}_i

    Examples
    --------
    >>> book = Positions(
    ...     [1, -1], [50_000, 3_000], [0.2, 4], TierTable.flat(0.005), coin=["BTC", "ETH"]
    ... )
    >>> portfolio_equity(book, [[50_000, 3_000], [49_000, 3_100]], 1_000)
    array([1000.,  400.])
    """
    marks, (balance,) = _marks(positions, prices), checked(balance=balance)
    held = (_held(positions) * marks).sum(axis=-1)
    return as_result(balance + held + _profits(positions, marks).sum(axis=-1))


def portfolio_requirement(positions: Positions, prices: npt.ArrayLike) -> float | FloatArray:
    r"""Sum of the maintenance margins of all positions, each in the tier of its own notional.

    Parameters
    ----------
    positions : Positions
        Open positions of one account.
    prices : array_like
        Mark prices with one column for each coin (last axis). Positive.

    Returns
    -------
    float or ndarray
        Requirement in quote currency, with the last axis of `prices` summed away.

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
    >>> book = Positions(
    ...     [1, -1], [50_000, 3_000], [0.2, 4], TierTable.flat(0.005), coin=["BTC", "ETH"]
    ... )
    >>> portfolio_requirement(book, [50_000, 3_000])
    110.0
    """
    return as_result(_requirements(positions, _marks(positions, prices)).sum(axis=-1))


def cross_liquidation_prices(
    positions: Positions, prices: npt.ArrayLike, balance: npt.ArrayLike
) -> FloatArray:
    r"""Price of each coin at which the account is liquidated while the others stay where they are.

    Parameters
    ----------
    positions : Positions
        Open positions and collateral of one account.
    prices : array_like
        Mark prices with one column for each coin (last axis). Positive.
    balance : array_like
        Wallet balance in quote currency, as for :func:`portfolio_equity`.

    Returns
    -------
    ndarray
        One price for each coin, in the shape of `prices`: all positions of a coin have it together.
        It lies where the account loses, and on the other side of the mark where only that side has
        one. 0.0 and ``inf`` mean what they mean for :func:`leverage.margin.liquidation_price`. Of
        several prices it is the first one met from the mark. Below its requirement, a coin with one
        linear position has the price at which the requirement would be met, any other the mark.

    Raises
    ------
    ValueError
        If an argument breaks its rule, or shapes do not match.

    Notes
    -----
    Where other positions and all that is constant leave :math:`B`, the price :math:`P` of a coin
    solves

    .. math:: B + h P + \sum_i \text{pnl}_i(P) = \sum_i MM_i(P)

    over the positions of that coin alone, each in the tier of its own notional at :math:`P`.

    Examples
    --------
    A profit in one coin moves the liquidation price of the other away:

    >>> book = Positions(
    ...     [1, 1], [50_000, 3_000], [0.2, 4], TierTable.flat(0.005), coin=["BTC", "ETH"]
    ... )
    >>> cross_liquidation_prices(book, [[50_000, 3_000], [50_000, 3_100]], 1_000).round(2)
    array([[45527.64,  2776.38],
           [43527.64,  2776.38]])

    Two legs of one coin die together:

    >>> hedge = Positions([1, -1], 100, [1, 0.5], TierTable.flat(0.004), coin="BTC")
    >>> cross_liquidation_prices(hedge, [100], 39.925).round(4)
    array([20.3947])
    """
    marks, (balance,) = _marks(positions, prices), checked(balance=balance)
    profits, needs = _profits(positions, marks), _requirements(positions, marks)
    held = _held(positions)
    columns = []
    for column, coin in enumerate(positions.coins):
        own = [place for place, name in enumerate(positions.coin) if name == coin]
        mark = marks[..., column]
        backing = balance + _without(held * marks, [column]) + _without(profits, own)
        others_need = _without(needs, own)
        if len(own) == 1 and not positions.inverse[own[0]] and held[column] == 0:
            price = _of_one(positions, own[0], backing, others_need, mark)
        else:
            price = _of_several(positions, own, held[column], backing - others_need, mark)
        columns.append(price)
    return np.stack(np.broadcast_arrays(*columns), axis=-1)


def contagion(
    positions: Positions,
    prices: npt.ArrayLike,
    balance: npt.ArrayLike,
    moves: npt.ArrayLike,
) -> FloatArray:
    r"""Liquidation prices of all coins after the price of only one of them has moved.

    Parameters
    ----------
    positions : Positions
        Open positions and collateral of one account.
    prices : array_like
        Mark price of each coin. Positive.
    balance : array_like
        Wallet balance in quote currency, as for :func:`portfolio_equity`.
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

    >>> book = Positions(
    ...     [1, 1], [50_000, 3_000], [0.2, 4], TierTable.flat(0.005), coin=["BTC", "ETH"]
    ... )
    >>> contagion(book, [50_000, 3_000], 1_000, [-0.05, -0.05]).round(2)
    array([[45527.64,  2901.38],
           [48527.64,  2776.38]])
    """
    marks, (moves,) = _marks(positions, prices), checked(moves=moves)
    if marks.ndim != 1:
        raise ValueError(
            f"prices must hold one price for each coin, had shape {marks.shape}; "
            "give the prices of one moment"
        )
    moved = np.tile(marks, (marks.size, 1))
    diagonal = np.arange(marks.size)
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
        Open positions and collateral of one account.
    prices : array_like
        Mark price of each coin. Positive.
    balance : float
        Wallet balance in quote currency, as for :func:`portfolio_equity`.
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
        If an argument breaks its rule, or shapes do not match.

    Notes
    -----
    Equity less requirement is a straight line in t between the strengths at which a notional
    changes its tier. Each such piece is solved exactly.

    Examples
    --------
    Two longs that fall together, the second twice as hard as the first:

    >>> book = Positions(
    ...     [1, 1], [50_000, 3_000], [0.2, 4], TierTable.flat(0.005), coin=["BTC", "ETH"]
    ... )
    >>> round(liquidation_shock(book, [50_000, 3_000], 1_000, [-0.05, -0.10]), 4)
    0.5262

    Where a bitcoin backs a long of one, half the fall is enough:

    >>> alone = Positions(1, 50_000, 1, TierTable.flat(0.005), coin="BTC")
    >>> backed = Positions(1, 50_000, 1, TierTable.flat(0.005), coin="BTC", collateral={"BTC": 1})
    >>> round(liquidation_shock(alone, [50_000], 50_000, [-1]), 4)
    1.0
    >>> round(liquidation_shock(backed, [50_000], 0, [-1]), 4)
    0.4987
    """
    marks, (balance_, shocks) = _marks(positions, prices), checked(balance=balance, shocks=shocks)
    if marks.ndim != 1 or balance_.ndim != 0:
        raise ValueError(
            f"prices must hold one price for each coin, had shape {marks.shape}, and balance "
            f"one number, had shape {balance_.shape}; give one account at one moment"
        )
    steps = marks * _one_each("shocks", shocks, positions)
    falls = steps < 0
    with np.errstate(over="ignore"):
        end = float((marks[falls] / -steps[falls]).min(initial=inf))
    at = _columns(positions)
    legs = [
        _leg(positions, place)._replace(base=marks[column], step=steps[column])
        for place, column in enumerate(at)
    ]
    deltas = _deltas(positions)
    slopes = [
        net(held, *(delta for delta, place in zip(deltas, at, strict=True) if place == column))
        for column, held in enumerate(_held(positions))
    ]
    start = float(portfolio_equity(positions, marks, balance))
    _, strength = dead_limits(
        np.asarray(start), np.asarray((np.array(slopes) * steps).sum()), legs, np.zeros(()), end
    )
    return float(strength)


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


def _each(name: str, given: Any, kind: type, count: int) -> list[Any]:
    """One value for each position: that one for all, or those of a sequence."""
    if hasattr(given, "__iter__") and not isinstance(given, str | kind):
        values = list(given)
        if len(values) != count:
            raise ValueError(
                f"{name} must hold one {kind.__name__} for each of {count} positions, had "
                f"{len(values)}; give one for all, or one for each"
            )
        return values
    return [given] * count


def _coin(name: object) -> str:
    if isinstance(name, str) and name:
        return str(name)
    raise ValueError(f"coin must be a name, was {short_repr(name)}; give 'BTC' for bitcoin")


def _marks(positions: Positions, prices: npt.ArrayLike) -> FloatArray:
    if not isinstance(positions, Positions):
        raise ValueError(
            f"positions must be Positions, was {short_repr(positions)}; "
            "make them with Positions(side, entry_price, quantity, tiers, coin=...)"
        )
    if has_labels(prices):
        raise ValueError(
            f"prices must be an array without labels, was a {type(prices).__name__}; "
            "give prices[list(positions.coins)].to_numpy()"
        )
    (marks,) = checked(prices=prices)
    count = len(positions.coins)
    if marks.shape[-1:] != (count,):
        raise ValueError(
            f"prices must have a column for each of {count} coins ({', '.join(positions.coins)}), "
            f"had shape {marks.shape}; give the columns in this order"
        )
    return marks


def _one_each(name: str, values: FloatArray, positions: Positions) -> FloatArray:
    count = len(positions.coins)
    if values.ndim and values.shape != (count,):
        raise ValueError(
            f"{name} must hold one value for each of {count} coins ({', '.join(positions.coins)}), "
            f"had shape {values.shape}; give them in this order"
        )
    return np.broadcast_to(values, (count,))


def _array(values: Sequence[float]) -> FloatArray:
    return np.array(values, dtype=np.float64)


def _columns(positions: Positions) -> list[int]:
    """Column of the price of each position."""
    return [positions.coins.index(coin) for coin in positions.coin]


def _held(positions: Positions) -> FloatArray:
    """Amount of each coin that backs the account."""
    amounts = dict(positions.collateral)
    return _array([amounts.get(coin, 0.0) for coin in positions.coins])


def _deltas(positions: Positions) -> FloatArray:
    """Gain of each position in quote currency when its price rises by one."""
    sizes = _array(positions.side) * _array(positions.quantity) * _array(positions.contract_size)
    return np.asarray(np.where(positions.inverse, sizes / _array(positions.entry_price), sizes))


def _profits(positions: Positions, marks: FloatArray) -> FloatArray:
    return _deltas(positions) * (marks[..., _columns(positions)] - _array(positions.entry_price))


def _leg(positions: Positions, place: int) -> Leg:
    size = positions.quantity[place] * positions.contract_size[place]
    return Leg(np.asarray(size), positions.tiers[place], positions.inverse[place])


def _requirements(positions: Positions, marks: FloatArray) -> FloatArray:
    each = []
    for place, column in enumerate(_columns(positions)):
        size, table, inverse = _leg(positions, place)[:3]
        mark = marks[..., column]
        need = np.asarray(table.maintenance_margin(size / mark if inverse else size * mark))
        each.append(need * mark if inverse else need)
    return np.stack(each, axis=-1)


def _without(values: FloatArray, columns: Sequence[int]) -> FloatArray:
    """Sum of the other columns; adding them up cannot leave a negative rounding error."""
    return np.asarray(np.delete(values, columns, axis=-1).sum(axis=-1))


def _of_one(
    positions: Positions, place: int, backing: FloatArray, others_need: FloatArray, mark: FloatArray
) -> FloatArray:
    """Price at which one linear position meets its requirement."""
    price = tiered_liquidation_price(
        positions.side[place],
        positions.entry_price[place],
        positions.quantity[place],
        0.0,
        positions.tiers[place],
        other_pnl=backing,
        other_requirement=others_need,
        mark_price=mark,
        contract_size=positions.contract_size[place],
    )
    return np.asarray(price)


def _of_several(
    positions: Positions, own: list[int], held: float, others: FloatArray, mark: FloatArray
) -> FloatArray:
    """Price at which everything in one coin meets its requirement, nearest against the account."""
    deltas = _deltas(positions)[own]
    slope = net(held, *deltas)
    start = others - (deltas * _array(positions.entry_price)[own]).sum()
    legs = [_leg(positions, place) for place in own]
    low, high = dead_limits(start, slope, legs, mark)
    gain = slope
    for leg in legs:
        if leg.inverse:
            gain = gain + np.asarray(leg.tiers.maintenance_amount(leg.size / mark))
        else:
            gain = gain - leg.size * leg.tiers.maintenance_margin_rate(leg.size * mark)
    nearer, other = np.where(gain > 0, [low, high], [high, low])
    is_only = np.isin(nearer, (0.0, inf)) & ~np.isin(other, (0.0, inf))
    return np.asarray(np.where(is_only, other, nearer))


guard(globals(), labels=False)
