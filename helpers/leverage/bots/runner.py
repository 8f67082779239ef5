"""Run a bot: look, decide, place, one bar after the other, and write down what happened."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from leverage.bots.views import (
    AccountView,
    Bot,
    BotOrder,
    MarketView,
    all_orders,
    is_kind,
    keeps_triggers_apart,
    look,
    order_of,
    to_position,
)
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


def decision_id(bot: str, market: MarketView, order: BotOrder, number: int = 0) -> str:
    """Return a client order id that is the same whenever the same decision is sent again.

    It says which bot, market and bar, which place in the decision, and what kind of order. The
    amount is no part of it: it follows the price of the moment, which moves between two attempts.

    Parameters
    ----------
    bot : str
        The bot's name.
    market : MarketView
        The market that the decision was made on.
    order : BotOrder
        The order.
    number : int, default 0
        Its place among the orders of the decision.

    Examples
    --------
    >>> market = MarketView("BTC/USDT:USDT", 1_722_729_600_000, 58_000.0, ())
    >>> decision_id("grid", market, BotOrder("buy", 0.01, 57_000.0))
    'bot-3eb4ae9843e44d4f477dcd63'
    """
    bar = market.bars[-1][0] if market.bars else market.time
    kind = (order.side, order.price, order.trigger_price, order.reduce_only)
    text = f"{bot}|{market.symbol}|{bar:.0f}|{number}|{kind}"
    return "bot-" + hashlib.sha256(text.encode()).hexdigest()[:24]


@dataclass
class Placed:
    """What `place_orders` did: orders sent, kept, cancelled, repeated, and refused with the reason."""

    sent: int = 0
    kept: int = 0
    cancelled: int = 0
    repeated: int = 0
    refused: list[str] = field(default_factory=list)


def place_orders(
    exchange: Any,
    market: MarketView,
    wanted: Iterable[BotOrder],
    waiting: Iterable[dict[str, Any]] = (),
    *,
    bot: str = "bot",
    used: Container[str] | None = None,
) -> Placed:
    """Make the orders that stand the ones that are wanted; done twice, nothing more happens.

    Parameters
    ----------
    exchange : object
        Anything with ccxt's unified methods.
    market : MarketView
        The market that the bot decided on.
    wanted : iterable of BotOrder
        All orders that should stand.
    waiting : iterable of dict
        All orders that do, as ccxt gives them.
    bot : str
        The bot's name, part of every client order id.
    used : container of str, optional
        Client order ids that are used up. Without them `used_ids` is asked before anything is
        sent: some venues refuse an id only while its order waits, and would take a market order
        twice.

    Notes
    -----
    An order that the exchange refuses is noted and left out; the others are sent.
    """
    done, symbol = Placed(), market.symbol
    missing = []
    standing = [(row, order_of(row)) for row in waiting]
    for number, order in enumerate(wanted):
        rounded = _rounded(exchange, symbol, order)
        if rounded is None:
            continue
        found = next((pair for pair in standing if _alike(pair[1], rounded)), None)
        if found is None:
            missing.append((decision_id(bot, market, order, number), rounded))
        else:
            standing.remove(found)
            done.kept += 1
    for row, order in standing:
        apart = order.trigger_price is not None and keeps_triggers_apart(exchange, symbol)
        exchange.cancel_order(row["id"], symbol, {"trigger": True} if apart else {})
        done.cancelled += 1
    if missing and used is None:
        used = used_ids(exchange, market)
    for identity, order in missing:
        if used and identity in used:
            done.repeated += 1
            continue
        try:
            _send(exchange, symbol, order, identity)
            done.sent += 1
        except Exception as refusal:
            if is_kind(refusal, "DuplicateOrderId"):
                done.repeated += 1
            elif is_kind(refusal, "ExchangeError"):
                done.refused.append(f"{type(refusal).__name__}: {refusal}")
            else:
                raise
    return done


def _rounded(exchange: Any, symbol: str, order: BotOrder) -> BotOrder | None:
    """Return the order in the venue's own steps, or nothing if it is less than one step."""
    try:
        amount = float(exchange.amount_to_precision(symbol, order.amount))
    except Exception as refusal:
        if not is_kind(refusal, "InvalidOrder"):
            raise
        return None

    def price_of(price: float | None) -> float | None:
        return None if price is None else float(exchange.price_to_precision(symbol, price))

    price, trigger = price_of(order.price), price_of(order.trigger_price)
    return BotOrder(order.side, amount, price, trigger, order.reduce_only) if amount > 0 else None


def _alike(one: BotOrder, other: BotOrder) -> bool:
    def same(a: float | None, b: float | None) -> bool:
        return a is b if a is None or b is None else math.isclose(a, b, rel_tol=1e-9)

    return (
        one.side == other.side
        and same(one.amount, other.amount)
        and same(one.price, other.price)
        and same(one.trigger_price, other.trigger_price)
    )


def used_ids(exchange: Any, market: MarketView) -> set[str]:
    """Return the client order ids of this bar's finished orders, where the venue tells them."""
    if not exchange.has.get("fetchClosedOrders"):
        return set()
    since = int(market.bars[-1][0]) if market.bars else None
    rows = all_orders(exchange, exchange.fetch_closed_orders, market.symbol, since)
    return {row["clientOrderId"] for row in rows}


def _send(exchange: Any, symbol: str, order: BotOrder, identity: str) -> None:
    params: dict[str, Any] = {"clientOrderId": identity}
    if order.reduce_only:
        params["reduceOnly"] = True
    if order.trigger_price is not None:
        params["stopLossPrice"] = order.trigger_price
    kind = "market" if order.price is None else "limit"
    exchange.create_order(symbol, kind, order.side, order.amount, order.price, params)


def close_everything(exchange: Any, symbol: str) -> Placed:
    """Cancel all orders of the symbol and close its position: what a kill switch does."""
    shortest = next(iter(exchange.timeframes))
    market, account, waiting = look(exchange, symbol, timeframe=shortest, count=1)
    return place_orders(exchange, market, to_position(account, 0.0), waiting, bot="kill switch")


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
