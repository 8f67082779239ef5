"""Crashes, replayed: what a fall was, which positions lived through it, and how often it happens.

`survivable_leverage` and `base_rates` answer from the liquidation price alone; `replay` lets the
paper exchange answer, bar by bar, with stops and several positions on one balance. Prices are those
that the bars hold: the bundled ones are of Binance's spot market, and a perpetual's low may be
lower. Funding is left out, and so are fees, unless the rules of a venue are asked for.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from leverage._validate import FloatArray, as_result, checked, checked_choice, refuse_where
from leverage.bars import Bars, read_bars
from leverage.contracts import LONG, SHORT
from leverage.history import crash_windows, load_daily, load_hourly_window
from leverage.margin import liquidation_price
from leverage.paper import Market, PaperExchange
from leverage.paper.market_rules import Rules
from leverage.tiers import TierTable

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "MAINTENANCE_RATE",
    "PLAIN_RULES",
    "Ending",
    "Move",
    "Replay",
    "Stake",
    "base_rates",
    "crash_bars",
    "ending_of",
    "replay",
    "survivable_leverage",
    "survival_table",
    "tail_table",
    "worst_move",
]

MAINTENANCE_RATE = 0.004
"""Maintenance margin rate of this module unless another is given: 0.4 % of the notional."""

PLAIN_RULES = Rules(
    tiers={"": TierTable.flat(MAINTENANCE_RATE, max_leverage=1_000.0)},
    max_leverage=1_000.0,
    partial_liquidation=False,
    name="0.4 % maintenance, no fees",
)
"""Rules without fees and funding, the same for every size."""

_HOUR_MS = 3_600_000
# Sizes and stops are not rounded to a venue's steps: a replay is about the prices.
_FINE = Market(tick_size=1e-4, lot_size=1e-8, min_amount=1e-8, min_cost=0.0)


@dataclass(frozen=True)
class Move:
    """A move against one side of the market.

    Attributes
    ----------
    change : float
        Signed, as a decimal of the price at its start: negative for a fall.
    start_price, end_price : float
        In quote currency.
    start, end : Timestamp
        The bars in which those prices were traded, UTC.
    hours : float
        From the beginning of the first bar to the end of the last.
    """

    change: float
    start_price: float
    end_price: float
    start: pd.Timestamp
    end: pd.Timestamp
    hours: float


@dataclass(frozen=True)
class Stake:
    """A position to be replayed.

    Attributes
    ----------
    side : {1, -1}
        Long or short.
    value : float
        Position value at the first price, in quote currency.
    leverage : float, default 10
        Leverage that is set; it ties up value / leverage.
    stop : float, optional
        Distance of a stop-loss from the entry, as a positive decimal.
    """

    side: int
    value: float
    leverage: float = 10.0
    stop: float | None = None

    def __post_init__(self) -> None:
        _, value, _ = checked(side=self.side, notional=self.value, leverage=self.leverage)
        refuse_where(value == 0, "value", "positive", value, "give the size of the position")
        if self.stop is not None and not 0 < self.stop < 1:
            raise ValueError(
                f"stop must be between 0 and 1, was {self.stop:g}; give 0.05 for a stop 5 % from "
                "the entry"
            )


@dataclass(frozen=True)
class Ending:
    """How a replayed position ended.

    Attributes
    ----------
    outcome : {"liquidated", "stopped", "open"}
        Open means that it lived to the last bar.
    time : Timestamp
        Beginning of the bar in which it ended, or of the last bar, UTC.
    price : float
        Price at which it ended, or the last price, in quote currency.
    cuts : int
        How often the venue made it smaller before: partial liquidations.
    """

    outcome: str
    time: pd.Timestamp
    price: float
    cuts: int = 0


@dataclass(frozen=True)
class Replay:
    """A replay on the paper exchange, bar by bar.

    Attributes
    ----------
    table : DataFrame
        One row for each bar, at its end: the close of every symbol, and `equity` of the account.
    endings : dict of str to Ending
        By symbol.
    balance : float
        Money at the start, in quote currency.
    """

    table: pd.DataFrame
    endings: dict[str, Ending]
    balance: float

    @property
    def equity(self) -> float:
        """Equity at the end, in quote currency."""
        return float(self.table["equity"].iloc[-1])


def crash_bars(date: str, symbol: str = "BTC", *, entry_hour: int = 0) -> pd.DataFrame:
    """Return the hourly bars of a crash from an entry on.

    Parameters
    ----------
    date : str
        Day of the crash, as `leverage.history.crash_windows` lists them.
    symbol : {"BTC", "ETH"}
        Whose bars.
    entry_hour : int, default 0
        Hours from 00:00 UTC of that day to the entry; negative before it.

    Returns
    -------
    DataFrame
        As `leverage.history.load_hourly_window` gives it. The first open is the entry price.

    Raises
    ------
    ValueError
        If there is no such window, or the hour is not in it.

    Examples
    --------
    >>> float(crash_bars("2020-03-12")["open"].iloc[0])
    7934.52
    """
    from leverage._pandas import pd

    bars = load_hourly_window(date, symbol)
    entry = pd.Timestamp(date, tz="UTC") + pd.Timedelta(hours=entry_hour)
    if not bars.index[0] <= entry <= bars.index[-1]:
        raise ValueError(
            f"entry_hour must lie in the window of {date}, was {entry_hour}; its bars run from "
            f"{bars.index[0]:%Y-%m-%d %H:%M} to {bars.index[-1]:%Y-%m-%d %H:%M} UTC"
        )
    return bars[bars.index >= entry]


def worst_move(
    side: int, bars: pd.DataFrame, *, hours: float = math.inf, timeframe: str | None = None
) -> Move:
    """Return the largest move against a side: a fall for a long, a rise for a short.

    Parameters
    ----------
    side : {1, -1}
        Whom the move hurts.
    bars : DataFrame
        Bars with a UTC index and the columns open, high, low and close.
    hours : float, default infinite
        The move must fit into this many hours; 1 with hourly bars is the fastest hour.
    timeframe : str, optional
        What a bar lasts, such as ``"1h"``; the most frequent step if left out, an hour for a
        single bar.

    Returns
    -------
    Move
        From the best price before to the worst price.

    Raises
    ------
    ValueError
        If a bar is longer than `hours`, or something is wrong with the bars (`leverage.bars`).

    Notes
    -----
    Inside a bar only the open is known to come before the low, so a bar's own high is not where
    its fall may start.

    Examples
    --------
    >>> fall = worst_move(1, crash_bars("2020-03-12"))
    >>> round(fall.change, 4), fall.hours
    (-0.5252, 27.0)
    >>> round(worst_move(1, load_hourly_window("2020-03-12"), hours=1).change, 4)
    -0.2453
    """
    checked(side=side, hours=min(hours, 1e12))
    read = _read(bars, "bars", timeframe)
    times, length = read.time, read.length
    if hours * _HOUR_MS < length:
        raise ValueError(
            f"hours must be as long as a bar, was {hours:g}; a bar lasts {length / _HOUR_MS:g} hours"
        )
    # A short is hurt as a long is by the mirrored prices.
    opens, highs, lows, _ = read.prices.T
    bests, worsts = (highs, lows) if side == LONG else (lows, highs)
    found = (math.inf, 0, 0, 0.0)
    for end in range(len(bars)):
        first = int(np.searchsorted(times, times[end] + length - hours * _HOUR_MS))
        earlier = bests[first:end]
        start, price = end, opens[end]
        if earlier.size:
            place = int((side * earlier).argmax())
            if side * earlier[place] > side * price:
                start, price = first + place, earlier[place]
        hurt = float(side * (worsts[end] / price - 1))
        if hurt < found[0]:
            found = (hurt, start, end, float(price))
    hurt, start, end, price = found
    return Move(
        change=side * hurt,
        start_price=price,
        end_price=float(worsts[end]),
        start=bars.index[start],
        end=bars.index[end],
        hours=float(times[end] + length - times[start]) / _HOUR_MS,
    )


def survivable_leverage(
    side: npt.ArrayLike,
    entry_price: npt.ArrayLike,
    worst_price: npt.ArrayLike,
    maintenance_margin_rate: npt.ArrayLike = MAINTENANCE_RATE,
) -> float | FloatArray:
    r"""Leverage below which a position lives through a price.

    Parameters
    ----------
    side : array_like of {1, -1}
        1 for a long position, -1 for a short position.
    entry_price, worst_price : array_like
        Where it is opened, and the price that hurts it most, in quote currency.
    maintenance_margin_rate : array_like, default 0.004
        As a decimal of the notional.

    Returns
    -------
    float or ndarray
        Position value over the money behind it at which the worst price is the liquidation price.
        Below it the position lives. In isolated margin that money is the margin, and the ratio the
        leverage that is set; in cross margin it is the whole balance. Infinite where the worst
        price hurts nobody.

    Notes
    -----
    The money behind the position must cover the loss and the requirement at the worst price *X*:

    .. math:: L = \frac{E}{s\,(E - X) + m X}

    Fees and funding are left out; they lower it. `replay` reads a venue's tiers.

    Examples
    --------
    On 12 and 13 March 2020 not even 2x lived:

    >>> round(survivable_leverage(1, 7_934.52, 3_782.13), 3)
    1.904
    """
    side, entry, worst, rate = checked(
        side=side,
        entry_price=entry_price,
        mark_price=worst_price,
        maintenance_margin_rate=maintenance_margin_rate,
    )
    needed = side * (entry - worst) + rate * worst
    with np.errstate(divide="ignore"):
        return as_result(np.where(needed > 0, entry / np.maximum(needed, 0.0), np.inf))


def survival_table(maintenance_margin_rate: float = MAINTENANCE_RATE) -> pd.DataFrame:
    """Return, for every bundled crash, how deep it was and which leverage lived through it.

    Parameters
    ----------
    maintenance_margin_rate : float, default 0.004
        As a decimal of the notional.

    Returns
    -------
    DataFrame
        Index `date` and `symbol`. Columns title; fall, the deepest in the window, and hour, the
        deepest that began and ended within one hour, both negative decimals; entry, the price at
        00:00 UTC of the day; long and short, the leverage below which a position of that entry
        lived to the end of the window. Spot prices of Binance; no fees, no funding.

    Examples
    --------
    >>> survival_table().loc[("2024-08-05", "ETH"), ["fall", "long"]].astype(float).round(2).tolist()
    [-0.28, 4.59]
    """
    from leverage._pandas import pd

    rows = []
    for window in crash_windows():
        for symbol in window.symbols:
            whole, held = load_hourly_window(window.date, symbol), crash_bars(window.date, symbol)
            entry = float(held["open"].iloc[0])
            ends = np.array([held["low"].min(), held["high"].max()])
            lived = survivable_leverage([LONG, SHORT], entry, ends, maintenance_margin_rate)
            rows.append(
                {
                    "date": window.date,
                    "symbol": symbol,
                    "title": window.title,
                    "fall": worst_move(LONG, whole).change,
                    "hour": worst_move(LONG, whole, hours=1).change,
                    "entry": entry,
                    "long": float(np.asarray(lived)[0]),
                    "short": float(np.asarray(lived)[1]),
                }
            )
    return pd.DataFrame(rows).set_index(["date", "symbol"])


def replay(
    bars: Mapping[str, pd.DataFrame],
    stakes: Mapping[str, Stake],
    *,
    balance: float,
    mode: str = "isolated",
    rules: Rules | str = PLAIN_RULES,
    jumps: bool = False,
    timeframe: str | None = None,
) -> Replay:
    """Replay positions on the paper exchange, all opened when every asset has its first price.

    Parameters
    ----------
    bars : mapping of str to DataFrame
        Bars of each asset, such as ``{"BTC": …, "ETH": …}``. Their hours and lengths may differ:
        every asset is replayed on one clock, and a missing bar is an outage.
    stakes : mapping of str to Stake
        The position in each asset.
    balance : float
        Money in the wallet, in quote currency.
    mode : {"isolated", "cross"}
        What a loss can reach: the margin of the position, or the whole wallet.
    rules : Rules or str
        By default 0.4 % maintenance and no fees; or the name of a venue, for its tiers and fees.
    jumps : bool, default False
        False lets the price pass every value between the open, low, high and close of a bar: kind
        to stops. True lets it jump from one to the next: the worst that the bar allows.
    timeframe : str, optional
        What a bar lasts, such as ``"1h"``; the most frequent step if left out, an hour for a
        single bar.

    Returns
    -------
    Replay
        Funding is left out. A row for every moment at which a bar of any asset begins.

    Raises
    ------
    ValueError
        If an argument breaks its rule, or something is wrong with the bars (`leverage.bars`).

    Examples
    --------
    In April 2024 a long of ether took a long of bitcoin with it:

    >>> hours = {asset: crash_bars("2024-04-13", asset) for asset in ("BTC", "ETH")}
    >>> stakes = {"BTC": Stake(1, 8_000), "ETH": Stake(1, 8_000)}
    >>> for mode in ("isolated", "cross"):
    ...     told = replay(hours, stakes, balance=1_600, mode=mode)
    ...     print({asset: ending.outcome for asset, ending in told.endings.items()})
    {'BTC': 'open', 'ETH': 'liquidated'}
    {'BTC': 'liquidated', 'ETH': 'liquidated'}
    """
    from leverage._pandas import pd

    checked_choice("mode", mode, ("isolated", "cross"))
    (money,) = checked(balance=balance)
    refuse_where(money <= 0, "balance", "positive", money, "give the money in the wallet")
    if set(stakes) - set(bars) or not stakes:
        raise ValueError(
            f"stakes must name assets that there are bars of ({', '.join(bars)}), were "
            f"{', '.join(stakes) or 'none'}; give bars for each"
        )
    symbols = {asset: f"{asset}/USDT:USDT" for asset in stakes}
    read = {asset: _read(bars[asset], f"bars of {asset}", timeframe) for asset in stakes}
    feeds = {symbols[asset]: _ticks(one) if jumps else one for asset, one in read.items()}
    named: dict[str, Any] = {"venue": rules} if isinstance(rules, str) else {"rules": rules}
    markets = dict.fromkeys(feeds, _FINE)
    exchange = PaperExchange(feeds, balance=balance, ticks=jumps, markets=markets, **named)
    for asset, stake in stakes.items():
        _open_stake(exchange, symbols[asset], stake, mode)
    index = reduce(pd.Index.union, (bars[asset].index for asset in stakes))
    times = reduce(np.union1d, (one.time for one in read.values()))
    index, times = index[times >= exchange.now], times[times >= exchange.now]
    columns: dict[str, list[float]] = {name: [] for name in (*symbols, "equity")}
    for following in (*times[1:].tolist(), exchange.end + 1):
        exchange.run_until(following - 1)
        for asset, symbol in symbols.items():
            columns[asset].append(exchange.last_price(symbol))
        columns["equity"].append(exchange.equity())
    endings = {}
    for asset, symbol in symbols.items():
        outcome, moment, price = ending_of(exchange, symbol)
        bar = int(np.searchsorted(read[asset].time, moment, side="right")) - 1
        cuts = sum(row["info"]["isPartial"] for row in exchange.fetch_my_liquidations(symbol))
        endings[asset] = Ending(outcome, bars[asset].index[bar], price, cuts)
    return Replay(pd.DataFrame(columns, index=index), endings, float(money))


def ending_of(exchange: PaperExchange, symbol: str) -> tuple[str, int, float]:
    """Say what became of the position that an account opened in a symbol.

    Parameters
    ----------
    exchange : PaperExchange
        Where it was opened.
    symbol : str
        Its market.

    Returns
    -------
    outcome : {"liquidated", "stopped", "open"}
        A position that the venue only made smaller is open.
    moment : int
        When it ended, in milliseconds; now, if it is open.
    price : float
        At which it ended; the last one, if it is open.
    """
    if any(position["contracts"] for position in exchange.fetch_positions([symbol])):
        return "open", exchange.now, exchange.last_price(symbol)
    trade = exchange.fetch_my_trades(symbol)[-1]
    outcome = "stopped" if trade["info"]["kind"] == "fill" else "liquidated"
    return outcome, trade["timestamp"], trade["price"]


def base_rates(
    side: int,
    leverages: Sequence[float],
    bars: pd.DataFrame | None = None,
    *,
    maintenance_margin_rate: float = MAINTENANCE_RATE,
) -> FloatArray:
    """Return the share of bars within which a position opened at their open is liquidated.

    Parameters
    ----------
    side : {1, -1}
        1 for a long position, -1 for a short position.
    leverages : sequence of float
        Leverages to count for.
    bars : DataFrame, optional
        Every bundled day of bitcoin if left out: a position opened at 00:00 UTC and held for the
        day.
    maintenance_margin_rate : float, default 0.004
        As a decimal of the notional.

    Returns
    -------
    ndarray
        One share for each leverage, as a decimal. Isolated margin, no fees, no funding.

    Raises
    ------
    ValueError
        If an argument breaks its rule, or something is wrong with the bars (`leverage.bars`).

    Examples
    --------
    >>> base_rates(1, [2, 10, 100]).round(4).tolist()
    [0.0, 0.0427, 0.8343]
    """
    days = _read(load_daily("BTC") if bars is None else bars, "bars")
    (chosen,) = checked(leverage=list(leverages))
    if not chosen.size:
        raise ValueError("leverages must hold at least one, were empty; give [2, 10]")
    opens, highs, lows, _ = days.prices.T
    ends = liquidation_price(side, opens, 1.0, opens / chosen[:, None], maintenance_margin_rate)
    extremes = lows if side == LONG else highs
    return np.asarray((side * extremes <= side * np.asarray(ends)).mean(axis=1))


def tail_table(log_returns: npt.ArrayLike, sigmas: Sequence[float]) -> pd.DataFrame:
    """Compare how often large moves came with how often the normal model expects them.

    Parameters
    ----------
    log_returns : array_like
        One for each day, as `leverage.history.log_returns` gives them.
    sigmas : sequence of float
        Distances from the mean, in standard deviations of these returns.

    Returns
    -------
    DataFrame
        Index sigmas. Columns seen: days at least that far from the mean, in either direction;
        expected: days that the normal distribution would give; years: how long one such day would
        take to come, in years of 365 days.

    Examples
    --------
    >>> from leverage.history import log_returns
    >>> table = tail_table(log_returns(load_daily("BTC")), [2, 5])
    >>> table["seen"].tolist(), table["expected"].round(3).tolist()
    ([125, 4], [96.825, 0.001])
    """
    from leverage._pandas import pd

    (returns,) = checked(log_returns=log_returns)
    if returns.size < 2 or not returns.std():
        raise ValueError(
            f"log_returns must hold two or more different values, held {returns.size}; give a "
            "return for each day"
        )
    distance = abs(returns - returns.mean()) / returns.std(ddof=1)
    chances = np.array([math.erfc(sigma / math.sqrt(2)) for sigma in sigmas])
    return pd.DataFrame(
        {
            "seen": [int((distance >= sigma).sum()) for sigma in sigmas],
            "expected": chances * returns.size,
            "years": 1 / chances / 365,
        },
        index=pd.Index(list(sigmas), name="sigmas"),
    )


def _read(bars: pd.DataFrame, name: str, timeframe: str | None = None) -> Bars:
    """Read bars; a single one is taken to last an hour."""
    return read_bars(bars, name, timeframe or ("1h" if len(bars) == 1 else None))


def _ticks(bars: Bars) -> FloatArray:
    """Return four prices for each bar, in the order in which the paper exchange passes them."""
    opened, high, low, close = bars.prices.T
    first, step = bars.time, bars.length
    rises = close >= opened
    prices = [opened, np.where(rises, low, high), np.where(rises, high, low), close]
    moments = [first, first + step // 3, first + 2 * step // 3, first + step - 1]
    return np.column_stack([np.stack(moments, 1).ravel(), np.stack(prices, 1).ravel()])


def _open_stake(exchange: PaperExchange, symbol: str, stake: Stake, mode: str) -> None:
    if exchange.fetch_margin_mode(symbol)["marginMode"] != mode:
        exchange.set_margin_mode(mode, symbol)
    exchange.set_leverage(stake.leverage, symbol)
    price = exchange.last_price(symbol)
    params: dict[str, Any] = {}
    if stake.stop is not None:
        params["stopLoss"] = {"triggerPrice": price * (1 - stake.side * stake.stop)}
    side = "buy" if stake.side == LONG else "sell"
    exchange.create_order(symbol, "market", side, stake.value / price, params=params)
