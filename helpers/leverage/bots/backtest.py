"""Run a bot: look, decide, place, one bar after the other, and write down what happened."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from leverage.bots.placing import place_orders, used_ids
from leverage.bots.views import AccountView, Bot, MarketView, look, to_position
from leverage.sizing import max_drawdown

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class KillSwitch:
    """Limits at which a bot is stopped, whatever it would like to do next.

    Parameters
    ----------
    max_drawdown : float, default 1.0
        Loss from the highest equity so far, as a positive decimal. 1.0 never acts.
    max_exposure : float, default infinite
        Notional as a multiple of the equity.
    max_age : float, default infinite
        Age of the newest price, in seconds.
    """

    max_drawdown: float = 1.0
    max_exposure: float = math.inf
    max_age: float = math.inf

    def reason(
        self, market: MarketView, account: AccountView, *, peak: float, now: float | None = None
    ) -> str:
        """Return why the bot must stop, or nothing.

        Parameters
        ----------
        market, account : MarketView, AccountView
            The present.
        peak : float
            Highest equity so far, in quote currency.
        now : float, optional
            The clock, in milliseconds since 1970; the market's own time without it.
        """
        age = ((market.time if now is None else now) - market.time) / 1_000
        if age > self.max_age:
            return f"the newest price is {age:,.0f} s old, more than {self.max_age:,.0f}"
        fall = 1 - account.equity / peak
        if fall >= self.max_drawdown:
            return f"the drawdown is {fall:.1%}, the limit {self.max_drawdown:.1%}"
        exposure = market.exposure(account)
        if exposure > self.max_exposure:
            return (
                f"the notional is {exposure:.1f} times the equity, the limit {self.max_exposure:g}"
            )
        return ""


@dataclass(frozen=True)
class BotRun:
    """What a bot did on the paper exchange.

    Attributes
    ----------
    bot : str
        Its name.
    table : DataFrame
        A row for each bar, by time: ``price``, ``equity`` (quote currency), ``quantity``.
    start_equity : float
        Equity before the first bar, in quote currency.
    orders, fills, liquidations : int
        How many there were.
    fees, funding : float
        Paid, in the settlement currency; negative funding was received.
    refused : tuple of str
        Orders that the exchange refused, with the reason.
    stopped : str
        Why the kill switch acted, or nothing.
    peak : float
        Highest equity of this run and of those that it continues, in quote currency.
    """

    bot: str
    table: pd.DataFrame
    start_equity: float
    orders: int
    fills: int
    liquidations: int
    fees: float
    funding: float
    refused: tuple[str, ...] = ()
    stopped: str = ""
    peak: float = 0.0

    @property
    def total_return(self) -> float:
        """Change of the equity, as a decimal of the start."""
        return float(self.table["equity"].iloc[-1]) / self.start_equity - 1

    @property
    def max_drawdown(self) -> float:
        """Largest loss from a high, as a positive decimal; measured at the bars' closes."""
        equity = np.maximum([self.start_equity, *self.table["equity"]], 0.0)
        return float(max_drawdown(equity))

    @property
    def costs(self) -> float:
        """Fees and funding together."""
        return self.fees + self.funding

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


def run_bot(
    bot: Bot,
    exchange: Any,
    *,
    symbol: str | None = None,
    name: str = "",
    leverage: float | None = None,
    kill_switch: KillSwitch | None = None,
    bars: int | None = None,
    after: BotRun | None = None,
    progress: bool = False,
) -> BotRun:
    """Let a bot decide at the close of every bar of a paper exchange, to the end of its feed.

    Parameters
    ----------
    bot : callable
        Market and account in, the orders that should stand out.
    exchange : PaperExchange
        With a funded account. A resumed one goes on where it was.
    symbol : str, optional
        The market; by default the exchange's first.
    name : str
        The bot's name; by default that of its class or function.
    leverage : float, optional
        Set on the exchange before the first order.
    kill_switch : KillSwitch, optional
        Closes everything, for good, when a limit is passed; after a restart too, with `after`.
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
    """
    import pandas as pd

    symbol = symbol or exchange.symbols[0]
    name = name or getattr(bot, "__name__", type(bot).__name__)
    timeframe = next(iter(exchange.timeframes))
    if leverage is not None:
        exchange.set_leverage(leverage, symbol)
    market, account, waiting = look(exchange, symbol, timeframe=timeframe)
    start = account.equity
    peak = start if after is None else max(start, after.peak)
    # Read once: the paper exchange itself takes no id twice.
    used = used_ids(exchange, market)
    rows: list[tuple[int, float, float, float]] = []
    orders, refused, stopped = 0, [], after.stopped if after is not None else ""
    first_event = max((event["id"] for event in exchange.events()), default=0)
    since = exchange.now
    length = exchange.parse_timeframe(timeframe) * 1_000
    left = -((exchange.now - exchange.end) // length)
    with _progress(progress, name, left if bars is None else min(bars, left)) as tick:
        while len(rows) != bars and exchange.step(1, unit="bar"):
            tick()
            market, account, waiting = look(exchange, symbol, timeframe=timeframe)
            peak = max(peak, account.equity)
            rows.append((market.time, market.price, account.equity, account.quantity))
            if not exchange.is_open(symbol) or (stopped and not account.quantity):
                continue
            if not stopped and kill_switch is not None:
                stopped = kill_switch.reason(market, account, peak=peak)
            wanted = to_position(account, 0.0) if stopped else bot(market, account)
            if not isinstance(wanted, Sequence):
                raise TypeError(
                    f"{name} must return a list of orders, returned {wanted!r}; [] stands for none"
                )
            done = place_orders(exchange, market, wanted, waiting, bot=name, used=used)
            orders += done.sent
            refused += done.refused
    if rows:
        # What the last decision cost belongs to the run.
        account = look(exchange, symbol, timeframe=timeframe)[1]
        rows[-1] = (*rows[-1][:2], account.equity, account.quantity)
    columns = ["time", "price", "equity", "quantity"]
    table = pd.DataFrame(rows, columns=columns).set_index("time")
    table.index = pd.to_datetime(table.index, unit="ms", utc=True)
    return BotRun(
        bot=name,
        table=table,
        start_equity=start,
        orders=orders,
        fills=sum(row["timestamp"] >= since for row in exchange.fetch_my_trades(symbol)),
        liquidations=sum("liquidation" in e["kind"] for e in exchange.events(first_event)),
        fees=_paid(exchange, since, "fee", "liquidation fee"),
        funding=_paid(exchange, since, "funding"),
        refused=tuple(refused),
        stopped=stopped,
        peak=peak,
    )


def _paid(exchange: Any, since: int, *causes: str) -> float:
    """Return what the account paid for some causes, from its ledger."""
    return float(
        sum(
            row["amount"] if row["direction"] == "out" else -row["amount"]
            for row in exchange.fetch_ledger(None, since, 1_000_000)
            if row["info"]["cause"] in causes
        )
    )


@contextmanager
def _progress(wanted: bool, name: str, bars: int) -> Iterator[Callable[[], object]]:
    """Give a function to call after every bar; it moves a progress bar, or does nothing."""
    if not wanted:
        yield lambda: None
        return
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

    Examples
    --------
    >>> walk_forward(10, train=4, test=3)
    [(slice(0, 4, None), slice(4, 7, None)), (slice(3, 7, None), slice(7, 10, None))]
    """
    for name, value in (("count", count), ("train", train), ("test", test)):
        if value < 1:
            raise ValueError(f"{name} must be 1 or more, was {value}; give a number of bars")
    starts = range(train, count - test + 1, test)
    return [(slice(at - train, at), slice(at, at + test)) for at in starts]
