"""Sending a bot's orders: what stands becomes what is wanted, and nothing is sent twice."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Container, Iterable
from dataclasses import dataclass, field
from typing import Any

from leverage.bots.views import (
    BotOrder,
    MarketView,
    all_orders,
    is_kind,
    keeps_triggers_apart,
    look,
    order_of,
    to_position,
)


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
    market, account, waiting = look(exchange, symbol, timeframe=None)
    return place_orders(exchange, market, to_position(account, 0.0), waiting, bot="kill switch")
