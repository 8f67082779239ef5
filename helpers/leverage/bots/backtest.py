"""Run a bot: look, decide, place, one bar after the other, and write down what happened."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from leverage._extras import needs
from leverage._validate import checked_numbers, shown
from leverage.bots.placing import place_orders, used_ids
from leverage.bots.views import (
    AccountView,
    Bot,
    BotOrder,
    MarketView,
    is_kind,
    look,
    settlement_of,
    to_position,
)
from leverage.sizing import max_drawdown

if TYPE_CHECKING:
    import pandas as pd

BARS_SEEN = 200
"""Completed bars that a bot sees, unless it needs more."""

_FEES = ("fee", "liquidation fee")
_NO_COSTS = (
    "deposit",
    "withdrawal",
    "transfer",
    "trade",
    "insurance fund",
    "negative balance protection",
)


@dataclass(frozen=True)
class KillSwitch:
    """Limits at which a bot is stopped, whatever it would like to do next.

    Parameters
    ----------
    max_drawdown : float, default 1.0
        Loss from the highest equity so far, as a decimal above 0; 1.0 acts when all is lost.
    max_exposure : float, default infinite
        Notional as a multiple of the equity.
    max_age : float, default infinite
        Age of the newest price by the exchange's clock, in seconds.

    Examples
    --------
    >>> KillSwitch(max_drawdown=20)
    Traceback (most recent call last):
    ValueError: max_drawdown must be above 0 and at most 1, was 20; looks like per cent: give 0.2 \
for 20 %
    """

    max_drawdown: float = 1.0
    max_exposure: float = math.inf
    max_age: float = math.inf

    def __post_init__(self) -> None:
        checked_numbers(max_drawdown=self.max_drawdown)
        checked_numbers(max_exposure=self.max_exposure)
        checked_numbers(max_age=self.max_age)

    def reason(self, market: MarketView, account: AccountView, *, peak: float) -> str:
        """Return why the bot must stop, or nothing.

        Parameters
        ----------
        market, account : MarketView, AccountView
            The present.
        peak : float
            Highest equity so far, in quote currency.
        """
        if market.age > self.max_age:
            return f"the newest price is {shown(market.age)} s old, more than {shown(self.max_age)}"
        fall = 1 - account.equity / peak if peak > 0 else 0.0
        if fall >= self.max_drawdown:
            return f"the drawdown is {100 * fall:.4g}%, the limit {100 * self.max_drawdown:.4g}%"
        exposure = market.exposure(account)
        if exposure > self.max_exposure:
            return f"the notional is {exposure:.4g} times the equity, the limit {self.max_exposure:.4g}"
        return ""


@dataclass(frozen=True)
class BotRun:
    """What a bot did on the paper exchange.

    Everything is counted from the start of the run to its end, for the whole account: a run that
    continues another one begins where that one ended.

    Attributes
    ----------
    bot : str
        Its name.
    table : DataFrame
        A row for each bar, by time: ``price``, ``equity`` (quote currency), ``quantity``. Missing
        bars have no row.
    start_equity : float
        Equity before the first bar, in quote currency.
    orders, fills : int
        Orders that the bot sent, and fills of the account.
    liquidations, partial_liquidations : int
        Positions that the venue closed, and times that it only made one smaller.
    change : float
        Change of the equity, in the settlement currency.
    profit : float
        Profit of price in it, realised and open, before all costs.
    flows : mapping of str to float
        All other money that came in (positive) or went out, by cause as in the ledger: fees,
        funding, what the insurance fund took, deposits and so on.
    refused : tuple of str
        Orders that the exchange refused, with the reason.
    stopped : str
        Why the kill switch acted, or nothing.
    peak : float
        Highest equity of this run and of those that it continues, in quote currency.
    is_complete : bool
        Whether the run reached the end of the history.
    """

    bot: str
    table: pd.DataFrame
    start_equity: float
    orders: int
    fills: int
    liquidations: int
    partial_liquidations: int = 0
    change: float = 0.0
    profit: float = 0.0
    flows: Mapping[str, float] = field(default_factory=dict)
    refused: tuple[str, ...] = ()
    stopped: str = ""
    peak: float = 0.0
    is_complete: bool = True

    @property
    def end_equity(self) -> float:
        """Equity at the end, in quote currency."""
        return float(self.table["equity"].iloc[-1]) if len(self.table) else self.start_equity

    @property
    def total_return(self) -> float:
        """Change of the equity, as a decimal of the start; zero where nothing was there to lose."""
        return self.end_equity / self.start_equity - 1 if self.start_equity > 0 else 0.0

    @property
    def max_drawdown(self) -> float:
        """Largest loss from a high, as a positive decimal; measured at the bars' closes."""
        equity = np.maximum([self.start_equity, *self.table["equity"]], 0.0)
        return float(max_drawdown(equity)) if self.start_equity > 0 else 0.0

    @property
    def fees(self) -> float:
        """Trading and liquidation fees paid, in the settlement currency."""
        return -sum(self.flows.get(cause, 0.0) for cause in _FEES)

    @property
    def funding(self) -> float:
        """Paid for holding: funding, or opening fees, rollovers and interest where a venue takes these.

        In the settlement currency; negative was received.
        """
        return self.costs - self.fees

    @property
    def costs(self) -> float:
        """Everything that was paid for trading and holding, in the settlement currency."""
        return -sum(amount for cause, amount in self.flows.items() if cause not in _NO_COSTS)

    @property
    def unexplained(self) -> float:
        """What of the change is neither profit nor any flow: zero up to rounding."""
        return self.change - self.profit - sum(self.flows.values())

    def summary(self) -> dict[str, float | int | str]:
        """Return the result in one row."""
        return {
            "bot": self.bot,
            "return": self.total_return,
            "drawdown": self.max_drawdown,
            "liquidations": self.liquidations,
            "fills": self.fills,
            "fees": self.fees,
            "funding": self.funding,
        }


@dataclass(frozen=True)
class _Books:
    """What the account has and has done, at a moment: the difference of two is what a run did."""

    equity: float
    open_profit: float
    posting: int
    trades: int
    event: int

    @classmethod
    def of(cls, exchange: Any, code: str) -> _Books:
        held = exchange.fetch_positions(
            [name for name in exchange.symbols if settlement_of(exchange.market(name)) == code]
        )
        return cls(
            equity=exchange.equity(code),
            open_profit=sum(p["unrealizedPnl"] or 0.0 for p in held if p["contracts"]),
            posting=exchange.last_posting,
            trades=len(exchange.fetch_my_trades()),
            event=max((event["id"] for event in exchange.events()), default=0),
        )


def run_bot(
    bot: Bot,
    exchange: Any,
    *,
    symbol: str | None = None,
    timeframe: str | None = None,
    name: str = "",
    leverage: float | None = None,
    kill_switch: KillSwitch | None = None,
    bars: int | None = None,
    after: BotRun | None = None,
    progress: bool = False,
) -> BotRun:
    """Let a bot decide at the close of every bar of a paper exchange, to the end of its history.

    Parameters
    ----------
    bot : callable
        Market and account in, the orders that should stand out. Where it has an attribute
        ``bars_needed``, it sees at least so many bars.
    exchange : PaperExchange
        With a funded account. A resumed one goes on where it was.
    symbol : str, optional
        The market; by default the exchange's first.
    timeframe : str, optional
        Bars at whose closes it decides, such as ``"4h"``; by default the market's own.
    name : str
        The bot's name; by default that of its class or function.
    leverage : float, optional
        Set on the exchange before the first order.
    kill_switch : KillSwitch, optional
        Closes everything, for good, when a limit is passed; after a restart too, with `after`. In an
        outage it cancels what rests before the market reopens, and closes at the first price then.
    bars : int, optional
        Stop after so many bars.
    after : BotRun, optional
        The run that this one continues after a restart: its peak and its kill switch still count.
    progress : bool, default False
        Show a progress bar.

    Returns
    -------
    BotRun
        Equity bar by bar, orders, costs, liquidations.

    Warns
    -----
    UserWarning
        If the history never had as many bars as the bot needs.

    Notes
    -----
    A missing bar is passed without asking the bot, which could not trade: it sees nothing of it but
    the step between its last two bars. Only the kill switch looks at the age of the last price.
    """
    from leverage._pandas import pd

    symbol = symbol or exchange.symbols[0]
    name = name or getattr(bot, "__name__", type(bot).__name__)
    shown = timeframe or exchange.timeframe_of(symbol)
    count = int(checked_numbers(bars=bars)[0]) if bars is not None else None
    needed = int(getattr(bot, "bars_needed", 0))
    code = settlement_of(exchange.market(symbol))
    if leverage is not None:
        exchange.set_leverage(leverage, symbol)

    def see() -> tuple[MarketView, AccountView, list[dict[str, Any]]]:
        return look(exchange, symbol, timeframe=shown, count=max(needed, BARS_SEEN))

    orders, refused = 0, list[str]()

    def send(wanted: Sequence[BotOrder]) -> None:
        nonlocal orders
        done = place_orders(exchange, market, wanted, waiting, bot=name, used=used)
        orders += done.sent
        refused.extend(done.refused)

    market, account, waiting = see()
    before, start = _Books.of(exchange, code), account.equity
    peak = start if after is None else max(start, after.peak)
    # Read once: the paper exchange itself takes no id twice.
    used = used_ids(exchange, market)
    rows: list[tuple[int, float, float, float]] = []
    stopped = after.stopped if after is not None else ""
    length = exchange.parse_timeframe(shown) * 1_000
    left = -((exchange.now - exchange.end) // length)
    with _progress(progress, name, left if count is None else min(count, left)) as tick:
        while len(rows) != count:
            if stopped and not exchange.is_open(symbol):
                _go_to_reopening(exchange, symbol)
                market, account, waiting = see()
                if exchange.is_open(symbol):
                    send(to_position(account, 0.0))
            if not exchange.step(1, unit="bar", symbol=symbol, timeframe=timeframe):
                break
            tick()
            market, account, waiting = see()
            peak = max(peak, account.equity)
            is_open = exchange.is_open(symbol)
            if is_open:
                rows.append((market.time, market.price, account.equity, account.quantity))
            if not stopped and kill_switch is not None:
                stopped = kill_switch.reason(market, account, peak=peak)
            if not is_open or (stopped and not account.quantity and not waiting):
                continue
            wanted = to_position(account, 0.0) if stopped else bot(market, account)
            if not isinstance(wanted, Sequence):
                raise TypeError(
                    f"{name} must return a list of orders, returned {wanted!r}; [] stands for none"
                )
            send(wanted)
    if rows:
        # What the last decision cost belongs to the run.
        account = see()[1]
        rows[-1] = (*rows[-1][:2], account.equity, account.quantity)
    if len(market.bars) < needed:
        warnings.warn(
            f"{name} needs {needed} bars of {shown} before it decides, and saw {len(market.bars)}: "
            "give it a longer history or smaller settings",
            stacklevel=2,
        )
    columns = ["time", "price", "equity", "quantity"]
    table = pd.DataFrame(rows, columns=columns).set_index("time")
    table.index = pd.to_datetime(table.index, unit="ms", utc=True)
    end = _Books.of(exchange, code)
    flows = exchange.flows(code, since=before.posting)
    kinds = [event["kind"] for event in exchange.events(before.event)]
    return BotRun(
        bot=name,
        table=table,
        start_equity=start,
        orders=orders,
        fills=end.trades - before.trades,
        liquidations=kinds.count("liquidation"),
        partial_liquidations=kinds.count("partial liquidation"),
        change=end.equity - before.equity,
        profit=flows.pop("trade", 0.0) + end.open_profit - before.open_profit,
        flows=flows,
        refused=tuple(refused),
        stopped=stopped,
        peak=peak,
        is_complete=exchange.is_finished,
    )


def _go_to_reopening(exchange: Any, symbol: str) -> None:
    """Cancel what rests as soon as a closed market lets you, and go to its first new price."""
    while not exchange.is_open(symbol):
        try:
            exchange.cancel_all_orders(symbol)
        except Exception as refusal:
            if not is_kind(refusal, "OnMaintenance"):
                raise
        if not exchange.step(1):
            return


@contextmanager
def _progress(wanted: bool, name: str, bars: int) -> Iterator[Callable[[], object]]:
    """Give a function to call after every bar; it moves a progress bar, or does nothing."""
    if not wanted:
        yield lambda: None
        return
    needs("classroom", "tqdm")
    from tqdm.auto import tqdm

    with tqdm(total=bars, desc=name, unit=" bars") as shown:
        yield shown.update


def walk_forward(count: int, *, train: int, test: int) -> list[tuple[slice, slice]]:
    """Split a series into pairs of a part to choose settings on and the unseen part after it.

    Parameters
    ----------
    count : int
        Length of the series.
    train, test : int
        Lengths of the two parts. Test parts follow each other without a gap or an overlap.

    Returns
    -------
    list of (slice, slice)
        What is too short at the end for a whole test part is left out.

    Raises
    ------
    ValueError
        If the series is too short for a single pair.

    Examples
    --------
    >>> walk_forward(10, train=4, test=3)
    [(slice(0, 4, None), slice(4, 7, None)), (slice(3, 7, None), slice(7, 10, None))]
    """
    length, first, second = map(int, checked_numbers(count=count, train=train, test=test))
    if length < first + second:
        raise ValueError(
            f"count must be at least train + test = {first + second}, was {length}; give a longer "
            "series or shorter parts"
        )
    starts = range(first, length - second + 1, second)
    return [(slice(at - first, at), slice(at, at + second)) for at in starts]
