"""What a bot sees and what it answers: a market, an account, and the orders that should stand.

`look` makes both views with ccxt's unified methods only, so that any object that has them will do.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class BotOrder:
    """An order that a bot wants to stand in the market.

    Attributes
    ----------
    side : {"buy", "sell"}
        What to do.
    amount : float
        Contracts; coins where a contract is one coin.
    price : float, optional
        Limit price in quote currency; a market order without it.
    trigger_price : float, optional
        Price at which a stop-loss wakes up. It closes at the market then.
    reduce_only : bool
        The order may close what is there and never open anything new.
    """

    side: str
    amount: float
    price: float | None = None
    trigger_price: float | None = None
    reduce_only: bool = False

    def __post_init__(self) -> None:
        if self.side not in ("buy", "sell"):
            raise ValueError(f"side must be 'buy' or 'sell', was {self.side!r}")
        if not (math.isfinite(self.amount) and self.amount > 0):
            raise ValueError(
                f"amount must be above zero, was {self.amount!r}; the side says the direction"
            )
        for name in ("price", "trigger_price"):
            value = getattr(self, name)
            if value is not None and not (math.isfinite(value) and value > 0):
                raise ValueError(f"{name} must be above zero, was {value!r}; leave it out for none")


@dataclass(frozen=True)
class MarketView:
    """A market at one moment, with nothing in it from later on.

    Attributes
    ----------
    symbol : str
        The venue's symbol, as ccxt writes it.
    time : int
        When the newest price was made, in milliseconds since 1970.
    price : float
        That price, in quote currency.
    bars : tuple of tuple
        *Completed* bars, the oldest first: time, open, high, low, close, volume.
    funding_rate : float, optional
        Funding rate as it is known now, as a decimal: fixed, an estimate that the source gives, or
        the last one that settled; ``None`` where there is none yet.
    contract_size : float
        Coins of a linear contract, or quote currency of an inverse one.
    inverse : bool
        True where profit and margin are paid in the coin.
    age : float
        Seconds by the exchange's clock since the newest price was made: the length of an outage.
    """

    symbol: str
    time: int
    price: float
    bars: tuple[tuple[float, ...], ...]
    funding_rate: float | None = None
    contract_size: float = 1.0
    inverse: bool = False
    age: float = 0.0

    @property
    def closes(self) -> tuple[float, ...]:
        """Closing prices of the completed bars, the oldest first."""
        return tuple(bar[4] for bar in self.bars)

    def contracts(self, value: float) -> float:
        """Return how many contracts are worth `value` quote currency at the present price."""
        return value / (self.contract_size * (1.0 if self.inverse else self.price))

    def exposure(self, account: AccountView) -> float:
        """Return the position's notional as a multiple of the equity; infinite without equity."""
        if not account.quantity:
            return 0.0
        behind = self.contracts(account.equity)
        return abs(account.quantity) / behind if behind > 0 else math.inf


@dataclass(frozen=True)
class AccountView:
    """An account at one moment.

    Attributes
    ----------
    equity : float
        Balance and unrealised profit, in quote currency.
    quantity : float
        Contracts held: positive for a long, negative for a short, zero for nothing.
    entry_price : float
        Average price of the position; zero without one.
    orders : tuple of BotOrder
        What waits in the market.
    """

    equity: float
    quantity: float = 0.0
    entry_price: float = 0.0
    orders: tuple[BotOrder, ...] = ()


Bot = Callable[[MarketView, AccountView], Sequence[BotOrder]]
"""Market and account in, the orders that should stand out. All of them, every time.

One that looks further back than a few bars says so in an attribute ``bars_needed``.
"""


def to_position(account: AccountView, quantity: float) -> list[BotOrder]:
    """Return the market order that turns the position into `quantity`, or none.

    Examples
    --------
    >>> to_position(AccountView(equity=1_000, quantity=0.5), -0.25)
    [BotOrder(side='sell', amount=0.75, price=None, trigger_price=None, reduce_only=False)]
    """
    change = quantity - account.quantity
    if abs(change) < 1e-12:
        return []
    closes = quantity == 0
    return [BotOrder("buy" if change > 0 else "sell", abs(change), reduce_only=closes)]


def stop_loss(quantity: float, trigger_price: float) -> BotOrder:
    """Return the order that closes a position at the market when a price is reached.

    Parameters
    ----------
    quantity : float
        Contracts held: positive for a long, negative for a short.
    trigger_price : float
        Where it wakes up, in quote currency.

    Examples
    --------
    >>> stop_loss(0.5, 45_000)
    BotOrder(side='sell', amount=0.5, price=None, trigger_price=45000, reduce_only=True)
    """
    return BotOrder("sell" if quantity > 0 else "buy", abs(quantity), None, trigger_price, True)


def look(
    exchange: Any, symbol: str, *, timeframe: str | None, count: int = 200
) -> tuple[MarketView, AccountView, list[dict[str, Any]]]:
    """Read market, account and open orders from an object with ccxt's unified methods.

    Parameters
    ----------
    exchange : object
        A paper exchange, or any exchange of ccxt after ``load_markets``.
    symbol : str
        The market.
    timeframe : str or None
        Length of a bar, such as ``"1h"``; None reads no bars.
    count : int, default 200
        Bars read.

    Returns
    -------
    MarketView, AccountView, list of dict
        The views, and the open orders as the exchange gave them.

    Notes
    -----
    A bar that is still running is left out: its close is not known yet. In an outage there is
    nothing new: the bars end before it, and `MarketView.age` says how long ago. The wallet's
    ``total`` is read as its equity, unrealised profit included, as the paper exchange reports it.
    """
    details = exchange.market(symbol)
    ticker = exchange.fetch_ticker(symbol)
    now = int(ticker["timestamp"] or exchange.milliseconds())
    bars: tuple[tuple[float, ...], ...] = ()
    if timeframe is not None:
        length = int(exchange.parse_timeframe(timeframe)) * 1_000
        rows = exchange.fetch_ohlcv(symbol, timeframe, limit=count + 1)
        # The last moment of a bar is one millisecond before the next one begins.
        bars = tuple(tuple(row) for row in rows if row[0] + length <= now + 1)[-count:]
    price, inverse = float(ticker["last"]), bool(details.get("inverse"))
    market = MarketView(
        symbol,
        now,
        price,
        bars,
        _funding_rate(exchange, symbol),
        float(details.get("contractSize") or 1.0),
        inverse,
        max(int(exchange.milliseconds()) - now, 0) / 1_000,
    )
    held = [p for p in exchange.fetch_positions([symbol]) if p.get("contracts")]
    equity = float(exchange.fetch_balance()[settlement_of(details)]["total"])
    quantity = sum((1 if p["side"] == "long" else -1) * float(p["contracts"]) for p in held)
    entry = float(held[0]["entryPrice"]) if held else 0.0
    waiting = all_orders(exchange, exchange.fetch_open_orders, symbol)
    account = AccountView(
        equity * (price if inverse else 1.0), quantity, entry, tuple(map(order_of, waiting))
    )
    return market, account, waiting


def settlement_of(market: dict[str, Any]) -> str:
    """Return the currency in which a market is settled; a spot market names none but its quote."""
    return str(market.get("settle") or market["quote"])


def keeps_triggers_apart(exchange: Any, symbol: str) -> bool:
    """Tell whether orders with a trigger have a list of their own, as ccxt's `features` say."""
    feature = getattr(exchange, "feature_value", None)
    return bool(feature and feature(symbol, "fetchOpenOrders", "trigger"))


def all_orders(
    exchange: Any, fetch: Callable[..., list[dict[str, Any]]], symbol: str, since: int | None = None
) -> list[dict[str, Any]]:
    """Return what ``fetch_open_orders`` or ``fetch_closed_orders`` gives, stops included.

    A venue that keeps orders with a trigger apart is asked twice: a bot that does not see its stop
    sends another one at every bar.
    """
    rows = {row["id"]: row for row in fetch(symbol, since)}
    if keeps_triggers_apart(exchange, symbol):
        rows = {row["id"]: row for row in fetch(symbol, since, None, {"trigger": True})} | rows
    return list(rows.values())


def is_kind(error: Exception, name: str) -> bool:
    """Tell whether an error is of a kind that ccxt names.

    ccxt's and the paper exchange's errors have the same names and no class in common.
    """
    return name in {kind.__name__ for kind in type(error).__mro__}


def _funding_rate(exchange: Any, symbol: str) -> float | None:
    if not exchange.has.get("fetchFundingRate"):
        return None
    try:
        rate = exchange.fetch_funding_rate(symbol).get("fundingRate")
    except Exception as refusal:
        if not is_kind(refusal, "NotSupported"):
            raise
        return None
    return None if rate is None else float(rate)


def order_of(row: dict[str, Any]) -> BotOrder:
    """Turn an open order, as ccxt gives it, into an `BotOrder`."""
    trigger = row.get("triggerPrice") or row.get("stopLossPrice")
    return BotOrder(
        row["side"],
        float(row.get("remaining") or row["amount"]),
        None if trigger or row.get("price") is None else float(row["price"]),
        float(trigger) if trigger else None,
        bool(row.get("reduceOnly")),
    )
