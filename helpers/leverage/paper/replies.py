"""The dicts that a ccxt exchange answers with, made from the records of the engine."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import ROUND_DOWN, Decimal
from math import inf
from numbers import Real
from typing import Any, cast

from leverage.paper.exchange_errors import BadRequest
from leverage.paper.formats import expiry_of, iso
from leverage.paper.instruments import Instrument, bankrupt_price, closing_price
from leverage.paper.state import (
    OUTSIDE,
    SPOT,
    Account,
    Liquidation,
    Order,
    Position,
    Posting,
    Trade,
)
from leverage.paper.world import World

SIDES = {1: "buy", -1: "sell"}
WAYS = {1: "long", -1: "short"}
NETWORK = "PAPER"

_ENTRY_TYPES = {
    "deposit": "transaction",
    "withdrawal": "transaction",
    "transfer": "transfer",
    "trade": "trade",
    "insurance fund": "margin",
    "negative balance protection": "margin",
}


def times(timestamp: int) -> dict[str, Any]:
    """Time stamp and its text."""
    return {"timestamp": timestamp, "datetime": iso(timestamp)}


_OTHER_PAGING = ("fromId", "cursor", "after", "paginate")


def last_asked(since: Any, limit: Any, params: Mapping[str, Any] | None) -> int | None:
    """Return the last time that is asked for, once it is clear what is.

    Raises
    ------
    BadRequest
        If a time or a count is no number, or a way of paging is asked for that is not spoken here.

    Examples
    --------
    >>> last_asked(0, 10, {"until": 1_700_000_000_000})
    1700000000000
    """
    given = params or {}
    for name in _OTHER_PAGING:
        if given.get(name):
            raise BadRequest(
                f"{name} is not spoken here; give since and until, and no limit for all"
            )
    until = given.get("until")
    for name, value in (("since", since), ("until", until), ("limit", limit)):
        if isinstance(value, bool) or not isinstance(value, Real | None):
            unit = "" if name == "limit" else " of milliseconds"
            raise BadRequest(f"{name} must be a number{unit}, was {value!r}")
    if limit is not None and limit < 1:
        raise BadRequest(f"limit must be 1 or more, was {limit}")
    return cast("int | None", until)


def limited(
    entries: Iterable[dict[str, Any]],
    since: int | None,
    limit: int | None,
    params: Mapping[str, Any] | None = None,
) -> list[dict[str, Any]]:
    """Keep entries from a time on, and the first of them; without a time, the last.

    ``"until"`` among the parameters is the last time to keep.

    Examples
    --------
    >>> limited([{"timestamp": 1}, {"timestamp": 2}], None, 1)
    [{'timestamp': 2}]
    """
    until = last_asked(since, limit, params)
    kept = [
        entry
        for entry in entries
        if (since is None or (entry["timestamp"] or 0) >= since)
        and (until is None or (entry["timestamp"] or 0) <= until)
    ]
    if limit is None:
        return kept
    return kept[:limit] if since is not None else kept[-limit:]


def fee_dict(cost: float, code: str) -> dict[str, Any]:
    """Fee structure."""
    return {"cost": cost, "currency": code}


def market_dict(instrument: Instrument, taker: float, maker: float) -> dict[str, Any]:
    """Market structure of a instrument."""
    rules, market = instrument.rules, instrument.market
    is_spot = rules.contract == "spot margin"
    # A fixed maturity is a market of its own; its feed ends it, and nothing is delivered.
    expiry = expiry_of(instrument.symbol.partition("-")[2])
    kind = "spot" if is_spot else "swap" if expiry is None else "future"
    name = instrument.symbol.replace("/", "").replace(":", "_")
    return {
        "id": name,
        "lowercaseId": name.lower(),
        "symbol": instrument.symbol,
        "base": instrument.base,
        "quote": instrument.quote,
        "settle": None if is_spot else instrument.settle,
        "baseId": instrument.base,
        "quoteId": instrument.quote,
        "settleId": None if is_spot else instrument.settle,
        "type": kind,
        "spot": is_spot,
        "margin": is_spot,
        "swap": kind == "swap",
        "future": kind == "future",
        "option": False,
        "index": False,
        "active": True,
        "contract": not is_spot,
        "subType": None if is_spot else ("inverse" if instrument.inverse else "linear"),
        "linear": None if is_spot else not instrument.inverse,
        "inverse": None if is_spot else instrument.inverse,
        "taker": taker,
        "maker": maker,
        "percentage": True,
        "tierBased": False,
        "feeSide": "quote",
        "contractSize": None if is_spot else instrument.size,
        "expiry": expiry,
        "expiryDatetime": None if expiry is None else iso(expiry),
        "strike": None,
        "optionType": None,
        "precision": {"amount": market.lot_size, "price": market.tick_size, "cost": 1e-8},
        "limits": {
            "leverage": {"min": 1.0, "max": instrument.leverages[0]},
            "amount": {"min": market.min_amount, "max": market.max_amount},
            "price": {"min": market.tick_size, "max": None},
            "cost": {"min": market.min_cost, "max": None},
        },
        "marginModes": {mode: mode in rules.margin_modes for mode in ("cross", "isolated")},
        "created": None,
        "info": {"rules": rules.name, "requirement": rules.requirement},
    }


def currency_dict(code: str, is_fiat: bool) -> dict[str, Any]:
    """Currency structure of a code."""
    anything = {"min": 0.0, "max": None}
    return {
        "id": code,
        "code": code,
        "name": code,
        "type": "fiat" if is_fiat else "crypto",
        "active": True,
        "deposit": True,
        "withdraw": True,
        "fee": 0.0,
        "precision": 1e-8,
        "limits": {"amount": anything, "withdraw": anything, "deposit": anything},
        "networks": {},
        "info": {},
    }


def order_dict(world: World, order: Order) -> dict[str, Any]:
    """Order structure."""
    instrument = world.instruments[order.symbol]
    trades = [trade_dict(world, world.state.trades[number]) for number in order.fills]
    average = None
    if trades:
        # One fill has its price exactly; a mean is cut to where rounding errors begin.
        mean = float(f"{order.value / order.filled:.12g}")
        average = trades[0]["price"] if len(trades) == 1 else mean
    cost = sum(trade["cost"] for trade in trades)
    fee = fee_dict(order.fee, instrument.settle)
    trigger = order.trigger
    is_stop = order.word.startswith("stop") or order.word == "stop loss"
    is_take = order.word.startswith("take")
    return {
        "info": {
            "type": order.word,
            "reason": order.reason,
            "triggerWay": order.trigger_way,
            "triggerPriceType": order.trigger_on,
            "trailingPercent": order.trail_rate * 100 or None,
            "trailingAmount": order.trail_amount or None,
            "positionSide": WAYS.get(order.position_side),
            "sibling": order.sibling or None,
        },
        "id": order.id,
        "clientOrderId": order.client_id or None,
        **times(order.created),
        "lastTradeTimestamp": trades[-1]["timestamp"] if trades else None,
        "lastUpdateTimestamp": order.updated,
        "symbol": order.symbol,
        "type": order.kind,
        "timeInForce": "PO" if order.post_only else order.time_in_force,
        "postOnly": order.post_only,
        "reduceOnly": order.reduce_only,
        "side": SIDES[order.side],
        "price": order.price if order.price is not None else average,
        "stopPrice": trigger,
        "triggerPrice": trigger,
        "stopLossPrice": trigger if is_stop else None,
        "takeProfitPrice": trigger if is_take else None,
        "amount": order.amount,
        "filled": order.filled,
        "remaining": order.remaining,
        "cost": cost,
        "average": average,
        "status": order.status,
        "fee": fee,
        "fees": [fee],
        "trades": trades,
    }


def trade_dict(world: World, trade: Trade) -> dict[str, Any]:
    """Trade structure of an account's fill."""
    instrument = world.instruments[trade.symbol]
    fee = fee_dict(trade.fee, instrument.settle)
    order = world.state.orders.get(trade.order)
    return {
        "info": {"kind": trade.kind, "realizedPnl": trade.realised},
        "id": trade.id,
        "order": trade.order or None,
        **times(trade.time),
        "symbol": trade.symbol,
        "type": order.kind if order else "market",
        "side": SIDES[trade.side],
        "takerOrMaker": "maker" if trade.is_maker else "taker",
        "price": trade.price,
        "amount": trade.contracts,
        "cost": instrument.value(trade.contracts, trade.price),
        "fee": fee,
        "fees": [fee],
    }


def position_dict(world: World, account: Account, position: Position) -> dict[str, Any]:
    """Position structure."""
    instrument = world.instruments[position.symbol]
    prices = world.state.prices
    mark = prices[position.symbol].mark
    group = world.group_of(account, position)
    equity, need_of_group = world.standing(group)
    need = instrument.requirement(position, mark)
    profit = instrument.profit(position, mark)
    initial = instrument.initial(position, mark)
    value = instrument.value(position.contracts, mark)
    liquidation, bankrupt = end_prices(world, account, position)
    attached = _exits(world, account, position)
    return {
        "info": {
            "bankruptcyPrice": bankrupt,
            "openingPrice": position.entry,
            "opened": position.opened,
        },
        "id": None,
        "symbol": position.symbol,
        **times(world.state.now),
        "lastUpdateTimestamp": world.state.now,
        "hedged": account.hedged,
        "side": WAYS[position.side],
        "contracts": position.contracts,
        "contractSize": instrument.size,
        "entryPrice": position.entry,
        "markPrice": mark,
        "lastPrice": prices[position.symbol].last,
        "notional": value,
        "leverage": position.leverage,
        "collateral": equity,
        "positionMargin": position.margin if position.is_isolated else initial,
        "initialMargin": initial or None,
        "initialMarginPercentage": initial / value or None,
        "maintenanceMargin": need or None,
        "maintenanceMarginPercentage": need / value or None,
        "unrealizedPnl": profit,
        "realizedPnl": position.realised,
        "percentage": profit / initial * 100 if initial else 0.0,
        "liquidationPrice": liquidation,
        "marginRatio": need_of_group / equity if equity > 0 and need_of_group else None,
        "marginMode": "isolated" if position.is_isolated else "cross",
        "stopLossPrice": attached["stop loss"],
        "takeProfitPrice": attached["take profit"],
    }


def end_prices(
    world: World, account: Account, position: Position
) -> tuple[float | None, float | None]:
    """Give the marks at which a position is liquidated and bankrupt; None where no price does so."""
    instrument, prices = world.instruments[position.symbol], world.state.prices
    group = world.group_of(account, position)
    equity, _ = world.standing(group)
    legs = [held for held in group.positions if held.symbol == position.symbol]
    others = [held for held in legs if held is not position]
    mark = prices[position.symbol].mark
    backing = equity - sum(instrument.profit(held, mark) for held in legs)
    liquidation = closing_price(world.instruments, position, group.positions, group.cash, prices)
    bankrupt = bankrupt_price(instrument, position, backing, *others)
    return (
        liquidation if 0 < liquidation < inf else None,
        bankrupt if 0 < bankrupt < inf else None,
    )


def _exits(world: World, account: Account, position: Position) -> dict[str, float | None]:
    """Triggers of the orders attached to a position."""
    exits: dict[str, float | None] = {"stop loss": None, "take profit": None}
    for order in world.orders_of(account, position.symbol):
        if order.word in exits and order.side == -position.side and order.trigger_way:
            exits[order.word] = order.trigger
    return exits


def balance_dict(world: World, account: Account, wallet: str, codes: list[str]) -> dict[str, Any]:
    """Balance structure of a wallet.

    The total of the trading wallet is its equity: cash, isolated margins and open profit or loss.
    """
    answer: dict[str, Any] = {"info": {}, **times(world.state.now)}
    parts: dict[str, dict[str, float]] = {"free": {}, "used": {}, "total": {}}
    for code in codes:
        total, free, info = _funds(world, account, wallet, code)
        one = exact_balance(total, free)
        answer[code] = one
        answer["info"][code] = info
        for name, amount in one.items():
            parts[name][code] = amount
    return {**answer, **parts}


def _funds(
    world: World, account: Account, wallet: str, code: str
) -> tuple[float, float, dict[str, float]]:
    if wallet == SPOT:
        held = world.state.pots.get(f"{code} {world.pot(account, SPOT)}", 0.0)
        return held, held, {"walletBalance": held}
    group = world.cross_group(account, code)
    equity, need = world.standing(group)
    used = world.used(group)
    ordered = world.order_margin(account, code)
    isolated = 0.0
    for other in world.margin_groups(account):
        if other.is_isolated and other.code == code:
            isolated += max(world.standing(other)[0], 0.0)
    info = {
        "walletBalance": world.cash(account, code),
        "crossCash": group.cash,
        "crossEquity": equity,
        "unrealizedPnl": equity - group.cash,
        "initialMargin": used,
        "orderMargin": ordered,
        "maintenanceMargin": need,
        "isolatedEquity": isolated,
        "freeMargin": equity - used - ordered,
        "withdrawable": world.withdrawable(account, code),
    }
    return equity + isolated, equity - used - ordered, info


def exact_balance(total: float, free: float) -> dict[str, float]:
    """Free, used and total, cut to decimals that add up exactly; only a debt is below zero.

    Examples
    --------
    >>> exact_balance(100.123456789, 30.1)
    {'free': 30.1, 'used': 70.02345678, 'total': 100.12345678}
    >>> exact_balance(10_000 - 46.2 - 5_550, 0.3 - 0.1)  # 4403.799999999999 without its rounding error
    {'free': 0.2, 'used': 4403.6, 'total': 4403.8}
    >>> exact_balance(-5.0, -7.0)
    {'free': -5.0, 'used': 0.0, 'total': -5.0}
    """
    digits = max(0, 8 - max(0, len(str(int(abs(total)))) - 6))
    step = Decimal(1).scaleb(-digits)
    whole = Decimal(f"{total:.14g}").quantize(step, rounding=ROUND_DOWN)
    part = Decimal(f"{max(free, 0.0):.14g}").quantize(step, rounding=ROUND_DOWN)
    part = min(part, whole)
    # Adding nothing turns minus zero into zero.
    return {
        name: float(amount) + 0.0
        for name, amount in (("free", part), ("used", whole - part), ("total", whole))
    }


def tier_dicts(instrument: Instrument) -> list[dict[str, Any]]:
    """Leverage tiers of a market; bounds without an end are shown as a large number."""
    bounds = (0.0, *instrument.inner, instrument.cap if instrument.cap < inf else 1e12)
    has_rates = instrument.table is not None
    return [
        {
            "tier": number,
            "symbol": instrument.symbol,
            "currency": instrument.settle,
            "minNotional": low,
            "maxNotional": high,
            "maintenanceMarginRate": rate if has_rates else None,
            "maxLeverage": leverage,
            "info": {"maintenanceAmount": amount, "unit": instrument.rules.tier_unit},
        }
        for number, (low, high, rate, leverage, amount) in enumerate(
            zip(
                bounds,
                bounds[1:],
                instrument.rates,
                instrument.leverages,
                instrument.amounts,
                strict=False,
            ),
            start=1,
        )
    ]


def entry_dicts(posting: Posting, account: str) -> list[dict[str, Any]]:
    """Ledger entries of an account for a posting: two if it moved money between its wallets."""
    entries = []
    for pot, other, direction, after in (
        (posting.source, posting.target, "out", posting.source_after),
        (posting.target, posting.source, "in", posting.target_after),
    ):
        if pot.partition("/")[0] != account or "/" not in pot:
            continue
        # Rounded, so that a pot that was empty was not a rounding error below it.
        sign = 1 if direction == "out" else -1
        before = round(after + sign * posting.amount, 10)
        entries.append(
            {
                "info": {"cause": posting.cause, "symbol": posting.symbol or None, "pot": pot},
                "id": f"{posting.id}{'o' if direction == 'out' else 'i'}",
                **times(posting.time),
                "direction": direction,
                "account": pot.partition("/")[2],
                "referenceId": posting.reference or None,
                "referenceAccount": other,
                "type": _ENTRY_TYPES.get(posting.cause, "fee"),
                "currency": posting.code,
                "amount": posting.amount,
                "before": before,
                "after": after,
                "status": "ok",
                "fee": fee_dict(0.0, posting.code),
            }
        )
    return entries


def transaction_dict(posting: Posting) -> dict[str, Any]:
    """Deposit or withdrawal structure."""
    is_deposit = posting.source == OUTSIDE
    return {
        "info": {},
        "id": str(posting.id),
        "txid": f"paper-{posting.id}",
        **times(posting.time),
        "network": NETWORK,
        "address": "paper",
        "addressTo": "paper",
        "addressFrom": "paper",
        "tag": None,
        "tagTo": None,
        "tagFrom": None,
        "type": "deposit" if is_deposit else "withdrawal",
        "amount": posting.amount,
        "currency": posting.code,
        "status": "ok",
        "updated": posting.time,
        "internal": False,
        "comment": None,
        "fee": fee_dict(0.0, posting.code),
    }


def transfer_dict(posting: Posting) -> dict[str, Any]:
    """Transfer structure."""
    return {
        "info": {},
        "id": str(posting.id),
        **times(posting.time),
        "currency": posting.code,
        "amount": posting.amount,
        "fromAccount": posting.source.partition("/")[2],
        "toAccount": posting.target.partition("/")[2],
        "status": "ok",
    }


def liquidation_dict(world: World, done: Liquidation) -> dict[str, Any]:
    """Liquidation structure.

    The contract size stands in the market and in ``info``: ccxt's own check of this structure
    contradicts itself when size and price are both given.
    """
    instrument = world.instruments[done.symbol]
    size = done.contracts * instrument.size
    value = instrument.value(done.contracts, done.price)
    return {
        "info": {
            "contractSize": instrument.size,
            "bankruptcyPrice": done.bankruptcy_price if 0 < done.bankruptcy_price < inf else None,
            "isPartial": done.is_partial,
            "side": WAYS[done.side],
        },
        "symbol": done.symbol,
        "side": SIDES[-done.side],
        "contracts": done.contracts,
        "contractSize": None,
        "price": done.price,
        "baseValue": value if instrument.inverse else size,
        "quoteValue": size if instrument.inverse else value,
        **times(done.time),
    }


def features_dict(world: World) -> dict[str, Any]:
    """Say what orders and questions may carry, as ccxt's `features` do."""
    prices = {"last": True, "mark": True, "index": True}
    listed = {
        "marginMode": False,
        "limit": None,
        "daysBack": None,
        "untilDays": None,
        "trigger": False,
        "trailing": False,
        "symbolRequired": False,
    }
    features = {
        "sandbox": False,
        "createOrder": {
            "marginMode": True,
            "triggerPrice": True,
            "triggerPriceType": prices,
            "stopLossPrice": True,
            "takeProfitPrice": True,
            "attachedStopLossTakeProfit": {"triggerPriceType": prices, "price": True},
            "timeInForce": {"GTC": True, "IOC": True, "FOK": True, "PO": True, "GTD": False},
            "hedged": "hedge" in world.rules.position_modes,
            "trailing": True,
        },
        "createOrders": None,
        "fetchMyTrades": listed,
        "fetchOrder": listed,
        "fetchOpenOrders": listed,
        "fetchOrders": listed,
        "fetchClosedOrders": {**listed, "daysBackCanceled": None},
        "fetchOHLCV": {"limit": None},
    }
    if world.rules.contract == "spot margin":
        return {"spot": features}
    return {"swap": {"inverse" if world.rules.is_inverse else "linear": features}}
