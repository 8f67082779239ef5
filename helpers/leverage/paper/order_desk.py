"""The order desk: reads what a caller orders, and refuses what the market does not take.

Nothing here changes anything. The same checks serve an order and its preview.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any

from leverage._grid import down_to, nearest_to
from leverage.paper.exchange_errors import (
    AccountNotEnabled,
    ArgumentsRequired,
    AuthenticationError,
    BadRequest,
    BaseError,
    DuplicateOrderId,
    InsufficientFunds,
    InvalidOrder,
    OnMaintenance,
    OperationRejected,
    OrderImmediatelyFillable,
    OrderNotFillable,
)
from leverage.paper.fills import book_price, depth_within, scratch, touch_price
from leverage.paper.formats import amounts, iso
from leverage.paper.instruments import Instrument
from leverage.paper.matching import afford, next_id, reducible, touches, watched
from leverage.paper.state import Account, Order, position_key
from leverage.paper.world import World

_KINDS = {
    "market": ("market", ""),
    "limit": ("limit", ""),
    "stop": ("", "stop"),
    "stop_market": ("market", "stop"),
    "stop_limit": ("limit", "stop"),
    "stop_loss": ("", "stop"),
    "stop_loss_limit": ("limit", "stop"),
    "take_profit": ("", "take"),
    "take_profit_market": ("market", "take"),
    "take_profit_limit": ("limit", "take"),
    "trailing_stop": ("market", "trail"),
    "trailing_stop_market": ("market", "trail"),
}
_KNOWN = {
    "triggerPrice",
    "stopPrice",
    "triggerDirection",
    "stopLossPrice",
    "takeProfitPrice",
    "trailingPercent",
    "trailingAmount",
    "trailingTriggerPrice",
    "stopLoss",
    "takeProfit",
    "triggerPriceType",
    "reduceOnly",
    "postOnly",
    "timeInForce",
    "clientOrderId",
    "hedged",
    "positionSide",
    "marginMode",
}


@dataclass(frozen=True)
class Ticket:
    """An order as read, before the checks of market and margin.

    Attributes
    ----------
    order : Order
        What would be placed; it is in no list yet.
    account : Account
        Who orders.
    instrument : Instrument
        In which market.
    price : float
        Price that values the order: its limit, its trigger, or what the book gives now.
    asked : float
        Contracts as the caller asked for them, before rounding.
    """

    order: Order
    account: Account
    instrument: Instrument
    price: float
    asked: float


def require_ready(account: Account | None, name: str) -> Account:
    """Return an account that may trade, or say which step is missing."""
    if account is None or not account.signed_up:
        raise AuthenticationError(f"{name!r} has no account here; call sign_up() first")
    if not account.margin_enabled:
        raise AccountNotEnabled(
            f"margin trading is not enabled for {name!r}; call "
            f"{'enable_margin()' if account.verified else 'verify() and enable_margin()'} first"
        )
    return account


def require_mode(
    world: World, account: Account, symbol: str, params: Mapping[str, Any] | None
) -> None:
    """Refuse parameters that name another margin mode than the one that is set."""
    mode = (params or {}).get("marginMode")
    current = "isolated" if world.is_isolated(account, symbol) else "cross"
    if mode is not None and mode != current:
        raise InvalidOrder(
            f"marginMode must be what is set for {symbol}, {current!r}, was {mode!r}; call "
            "set_margin_mode first"
        )


def require_open(world: World, symbol: str) -> None:
    """Refuse while the history has no bars."""
    if not world.is_open(symbol):
        raise OnMaintenance(
            f"{symbol} is closed at {iso(world.state.now)}: its history has no bars here; step on "
            "until it has reopened"
        )


def require_cancelling(world: World, symbol: str) -> None:
    """Refuse cancellations while the history has no bars, but for the moment before it has again.

    Venues reopen this way: nothing trades yet, and what waits can be taken back (BitMEX, "Mainnet
    Scheduled Downtime for 9 March"; Kraken's system status ``cancel_only``; read 2026-11-30).
    """
    if not world.takes_cancellations(symbol):
        raise OnMaintenance(
            f"{symbol} is closed at {iso(world.state.now)}: its history has no bars here; orders can "
            "be cancelled in the last tick before it reopens"
        )


def positive_number(name: str, value: Any) -> float:
    """Read a positive number."""
    try:
        if isinstance(value, bool):
            raise TypeError
        result = float(value)
    except (TypeError, ValueError):
        raise InvalidOrder(f"{name} must be a number, was {value!r}; give 0.5") from None
    if not (isfinite(result) and result > 0):
        raise InvalidOrder(f"{name} must be positive and finite, was {result:g}")
    return result


def read_order(
    world: World,
    account: Account,
    instrument: Instrument,
    kind: str,
    side: str,
    amount: Any,
    price: Any,
    params: Mapping[str, Any],
) -> Ticket:
    """Read an order.

    Raises
    ------
    InvalidOrder
        If type, side, amount, price or a parameter is not one that the market takes.
    """
    strange = sorted(set(params) - _KNOWN)
    if strange:
        raise BadRequest(
            f"params must be among {', '.join(sorted(_KNOWN))}, had {', '.join(strange)}"
        )
    word = str(kind)
    if word not in _KINDS:
        raise InvalidOrder(f"type must be one of {', '.join(_KINDS)}, was {kind!r}")
    if side not in ("buy", "sell"):
        raise InvalidOrder(f"side must be 'buy' or 'sell', was {side!r}")
    way = 1 if side == "buy" else -1
    work, trigger_word = _KINDS[word]
    work = work or ("market" if price is None else "limit")
    asked = positive_number("amount", amount)
    size = down_to(asked, instrument.market.lot_size)
    limit = None
    if work == "limit":
        if price is None:
            raise ArgumentsRequired(f"price must be given for an order of type {word!r}")
        limit = nearest_to(positive_number("price", price), instrument.market.tick_size)
        positive_number("price rounded to the tick", limit)
    order = Order(
        id=next_id(world),
        client_id=str(params.get("clientOrderId") or ""),
        account=account.name,
        symbol=instrument.symbol,
        kind=work,
        side=way,
        amount=size,
        price=limit,
        reduce_only=_flag(params, "reduceOnly"),
        created=world.state.now,
        updated=world.state.now,
        word=word,
    )
    _read_time_in_force(order, params)
    _read_trigger(world, order, instrument, trigger_word, params)
    _read_position_side(order, account, params)
    _trim(world, order, account)
    _read_attached(order, instrument, params)
    require_mode(world, account, instrument.symbol, params)
    return Ticket(order, account, instrument, _value_price(world, order), asked)


def order_checks(world: World, ticket: Ticket) -> Iterator[Callable[[], None]]:
    """Give the checks that an order must pass, in the order in which they are made."""
    yield lambda: _check_open(world, ticket)
    yield lambda: _check_client_id(world, ticket)
    yield lambda: _check_size(ticket)
    yield lambda: _check_reduce_only(world, ticket)
    yield lambda: _check_attached(world, ticket)
    yield lambda: _check_tier(world, ticket)
    yield lambda: _check_fill(world, ticket)
    yield lambda: _check_free_margin(world, ticket)


def refusals(world: World, ticket: Ticket) -> list[BaseError]:
    """List everything that stands against an order."""
    found: list[BaseError] = []
    for check in order_checks(world, ticket):
        try:
            check()
        except BaseError as error:
            found.append(error)
    return found


def taken_at_once(world: World, order: Order) -> float:
    """Contracts that the book would fill at once."""
    if order.trigger_way or not order.is_active:
        return 0.0
    if order.price is None:
        return order.amount
    there = depth_within(world, order.symbol, order.side, order.price)
    if there >= order.amount:
        return order.amount
    return down_to(there, world.instruments[order.symbol].market.lot_size)


def _flag(params: Mapping[str, Any], name: str) -> bool:
    value = params.get(name, False)
    if not isinstance(value, bool):
        raise InvalidOrder(f"{name} must be True or False, was {value!r}")
    return value


def _read_time_in_force(order: Order, params: Mapping[str, Any]) -> None:
    word = params.get("timeInForce") or "GTC"
    if word not in ("GTC", "IOC", "FOK", "PO"):
        raise InvalidOrder(f"timeInForce must be GTC, IOC, FOK or PO, was {word!r}")
    order.post_only = word == "PO" or _flag(params, "postOnly")
    if order.post_only and (order.price is None or word in ("IOC", "FOK")):
        raise InvalidOrder("postOnly is for limit orders that rest; leave it out or give a price")
    order.time_in_force = "GTC" if word == "PO" else word


def _read_trigger(
    world: World, order: Order, instrument: Instrument, word: str, params: Mapping[str, Any]
) -> None:
    given = {
        name: params[name]
        for name in ("triggerPrice", "stopPrice", "stopLossPrice", "takeProfitPrice")
        if params.get(name) is not None
    }
    if len(given) > 1:
        raise InvalidOrder(f"only one trigger price may be given, had {', '.join(given)}")
    order.trigger_on = str(params.get("triggerPriceType") or "last")
    if order.trigger_on not in ("last", "mark", "index"):
        raise InvalidOrder(
            f"triggerPriceType must be last, mark or index, was {order.trigger_on!r}"
        )
    trails = [n for n in ("trailingPercent", "trailingAmount") if params.get(n) is not None]
    if trails or word == "trail":
        _read_trailing(world, order, instrument, trails, bool(given), params)
        return
    if not given:
        if word:
            raise ArgumentsRequired(
                f"triggerPrice must be given for an order of type {order.word!r}"
            )
        return
    ((name, value),) = given.items()
    trigger = nearest_to(positive_number(name, value), instrument.market.tick_size)
    order.trigger = positive_number(f"{name} rounded to the tick", trigger)
    now = watched(world, order)
    if name == "stopLossPrice" or (word == "stop" and name != "takeProfitPrice"):
        order.trigger_way = order.side
    elif name == "takeProfitPrice" or word == "take":
        order.trigger_way = -order.side
    else:
        order.trigger_way = _direction(params.get("triggerDirection"), trigger, now)
    order.is_active = False
    if order.trigger_way * (now - trigger) >= 0:
        way = "above" if order.trigger_way > 0 else "below"
        raise OrderImmediatelyFillable(
            f"the trigger of a {order.word} order must lie {way} the {order.trigger_on} price, "
            f"which is {now:.8g}, was {trigger:.8g}; it would be met at once"
        )


def _direction(word: Any, trigger: float, now: float) -> int:
    if word in ("ascending", "above"):
        return 1
    if word in ("descending", "below"):
        return -1
    if word is not None:
        raise InvalidOrder(f"triggerDirection must be ascending or descending, was {word!r}")
    return 1 if trigger > now else -1


def _read_trailing(
    world: World,
    order: Order,
    instrument: Instrument,
    trails: list[str],
    has_trigger: bool,
    params: Mapping[str, Any],
) -> None:
    if len(trails) != 1 or has_trigger or order.price is not None:
        raise InvalidOrder(
            "a trailing order is a market order with trailingPercent or trailingAmount, and "
            "trailingTriggerPrice where it starts later; give one distance and no other price"
        )
    distance = positive_number(trails[0], params[trails[0]])
    now = watched(world, order)
    if trails[0] == "trailingPercent":
        if not 0.01 <= distance <= 90:
            raise InvalidOrder(
                f"trailingPercent must be from 0.01 to 90, was {distance:g}; 1.5 is 1.5 %"
            )
        order.trail_rate = distance / 100
    elif distance >= now:
        raise InvalidOrder(f"trailingAmount must be below the price, {now:.8g}, was {distance:g}")
    else:
        order.trail_amount = distance
    order.is_active = False
    start = params.get("trailingTriggerPrice")
    if start is None:
        order.best, order.trigger_way = now, order.side
        order.trigger = now + order.side * (order.trail_amount or now * order.trail_rate)
        return
    order.trigger = nearest_to(
        positive_number("trailingTriggerPrice", start), instrument.market.tick_size
    )
    order.trigger_way = -order.side
    if order.trigger_way * (now - order.trigger) >= 0:
        raise OrderImmediatelyFillable(
            f"trailingTriggerPrice is met already: {order.trigger_on} is {now:.8g}, it was "
            f"{order.trigger:.8g}; leave it out to start now"
        )


def _read_position_side(order: Order, account: Account, params: Mapping[str, Any]) -> None:
    word = params.get("positionSide")
    if not account.hedged:
        if _flag(params, "hedged") or word not in (None, "BOTH", "both"):
            raise InvalidOrder(
                "positionSide is for hedge mode, the account is in one-way mode; call "
                "set_position_mode(True) first"
            )
        return
    closing = [
        name for name in ("stopLossPrice", "takeProfitPrice") if params.get(name) is not None
    ]
    if word is None and closing and not order.reduce_only:
        raise ArgumentsRequired(
            f"positionSide or reduceOnly must be given with {closing[0]} in hedge mode; without, "
            "the order would open the other side when it fires"
        )
    if word is None:
        order.position_side = -order.side if order.reduce_only else order.side
        return
    sides = {"long": 1, "short": -1}
    if str(word).lower() not in sides:
        raise InvalidOrder(f"positionSide must be long or short, was {word!r}")
    order.position_side = sides[str(word).lower()]
    if order.position_side != order.side:
        order.reduce_only = True
    elif order.reduce_only:
        raise InvalidOrder(
            f"a reduce-only order must be against its position, was a "
            f"{'buy' if order.side > 0 else 'sell'} of the {word} position"
        )


def _trim(world: World, order: Order, account: Account) -> None:
    """Cut a reduce-only order to its position where the venue does so instead of refusing it."""
    if order.reduce_only and world.rules.reduce_only_excess == "trimmed":
        held = reducible(account, order)
        if held is not None:
            order.amount = min(order.amount, held.contracts)


def _read_attached(order: Order, instrument: Instrument, params: Mapping[str, Any]) -> None:
    for name in ("stopLoss", "takeProfit"):
        given = params.get(name)
        if given is None:
            continue
        if not isinstance(given, Mapping):
            raise InvalidOrder(f"{name} must be a dict with triggerPrice, was {given!r}")
        strange = set(given) - {"triggerPrice", "stopPrice", "price", "type"}
        if strange:
            raise InvalidOrder(f"{name} takes triggerPrice and price, had {', '.join(strange)}")
        trigger = given.get("triggerPrice", given.get("stopPrice"))
        if trigger is None:
            raise ArgumentsRequired(f"{name} must have a triggerPrice")
        tick = instrument.market.tick_size
        attached = {
            "triggerPrice": nearest_to(positive_number(f"{name}.triggerPrice", trigger), tick)
        }
        if given.get("price") is not None:
            attached["price"] = nearest_to(positive_number(f"{name}.price", given["price"]), tick)
        if order.reduce_only:
            raise InvalidOrder(f"{name} is for an order that opens, this one only reduces")
        if name == "stopLoss":
            order.stop_loss = attached
        else:
            order.take_profit = attached


def _value_price(world: World, order: Order) -> float:
    if order.price is not None:
        return order.price
    if order.trigger_way:
        assert order.trigger is not None
        return order.trigger
    return book_price(world, order.symbol, order.side, order.amount)


def _check_open(world: World, ticket: Ticket) -> None:
    require_open(world, ticket.order.symbol)


def _check_client_id(world: World, ticket: Ticket) -> None:
    client_id = ticket.order.client_id
    if client_id and f"{ticket.account.name} {client_id}" in world.state.client_ids:
        raise DuplicateOrderId(f"clientOrderId {client_id!r} was used before; give a new one")


def _check_size(ticket: Ticket) -> None:
    order, instrument = ticket.order, ticket.instrument
    market = instrument.market
    if order.amount < market.min_amount:
        raise InvalidOrder(
            f"amount must be at least {market.min_amount:g} of {order.symbol}, was "
            f"{ticket.asked:g}, which is {order.amount:g} after rounding down to "
            f"{market.lot_size:g}"
        )
    if order.amount > market.max_amount:
        raise InvalidOrder(
            f"amount must be at most {market.max_amount:g} of {order.symbol}, was {order.amount:g}"
        )
    cost = instrument.value(order.amount, ticket.price)
    if cost < market.min_cost and not order.reduce_only:
        raise InvalidOrder(
            f"notional must be at least {market.min_cost:g} {instrument.settle}, was {cost:.8g}; "
            "order more"
        )


def _check_reduce_only(world: World, ticket: Ticket) -> None:
    order = ticket.order
    if not order.reduce_only:
        return
    held = reducible(ticket.account, order)
    what, other = ("long", "short") if order.side < 0 else ("short", "long")
    against = ticket.account.positions.get(position_key(order.symbol, order.side))
    if held is None:
        raise InvalidOrder(
            f"a reduce-only {'buy' if order.side > 0 else 'sell'} of {order.amount:g} needs a "
            f"{what} position in {order.symbol}, the position is "
            f"{f'a {other} of {against.contracts:g}' if against else '0'}; it would increase it"
        )
    if order.amount > held.contracts:
        raise InvalidOrder(
            f"a reduce-only order must be at most the {what} position of {held.contracts:g}, was "
            f"{order.amount:g}; it would do more than reduce"
        )
    if not world.rules.reduce_only_together or order.price is None or order.trigger_way:
        return
    resting = sum(
        other.remaining
        for other in world.orders_of(ticket.account, order.symbol)
        if other.reduce_only
        and other.is_active
        and (other.side, other.position_side) == (order.side, order.position_side)
        and other.id != order.id
    )
    if order.amount + resting > held.contracts * (1 + 1e-12):
        raise OperationRejected(
            f"resting reduce-only orders must be at most the {what} position of "
            f"{held.contracts:g} together, were {resting:g} and {order.amount:g}; cancel some first"
        )


def _check_attached(world: World, ticket: Ticket) -> None:
    order = ticket.order
    reference = ticket.price
    for name, given, way in (
        ("stopLoss", order.stop_loss, -order.side),
        ("takeProfit", order.take_profit, order.side),
    ):
        if given is not None and way * (given["triggerPrice"] - reference) <= 0:
            where = "above" if way > 0 else "below"
            raise InvalidOrder(
                f"{name} must lie {where} the price of the order, {reference:.8g}, was "
                f"{given['triggerPrice']:.8g}"
            )


def _check_tier(world: World, ticket: Ticket) -> None:
    order, instrument, account = ticket.order, ticket.instrument, ticket.account
    opening = world.opening_part(account, order)
    if opening <= 0:
        return
    held = account.positions.get(position_key(order.symbol, order.side))
    total = (
        opening
        + (held.contracts if held else 0.0)
        + sum(
            world.opening_part(account, other)
            for other in world.orders_of(account, order.symbol)
            if other.side == order.side and other.is_active and other.id != order.id
        )
    )
    leverage = world.leverage(account, order.symbol)
    allowed = instrument.max_leverage(total, ticket.price)
    if leverage > allowed:
        measure = instrument.measure(total, ticket.price)
        unit = (
            instrument.base
            if instrument.by_quantity and not instrument.inverse
            else (instrument.quote if instrument.by_quantity else instrument.settle)
        )
        largest = instrument.largest(leverage)
        raise OperationRejected(
            f"a position of {measure:.8g} {unit} in {order.symbol} may have "
            + (f"at most {allowed:g}x" if allowed else "no leverage: it is beyond the last tier")
            + f", {leverage:g}x is set; at {leverage:g}x the largest is {largest:.8g} {unit}"
        )


def _check_fill(world: World, ticket: Ticket) -> None:
    order = ticket.order
    if order.trigger_way:
        return
    if order.post_only and (touches(world, order) or taken_at_once(world, order) > 0):
        best = touch_price(world, order.symbol, order.side)
        raise OrderImmediatelyFillable(
            f"a post-only order must rest: its price of {order.price:g} meets the best price, "
            f"{best:.8g}"
        )
    if order.time_in_force == "FOK" and taken_at_once(world, order) < order.amount:
        raise OrderNotFillable(
            f"{order.amount:g} must be filled at once, the book has "
            f"{taken_at_once(world, order):g} at {order.price or 0:g} or better"
        )


def _check_free_margin(world: World, ticket: Ticket) -> None:
    order, account, instrument = ticket.order, ticket.account, ticket.instrument
    if order.trigger_way or world.opening_part(account, order) <= 0:
        return
    taken = taken_at_once(world, order)
    trial, holder = scratch(world, account)
    if taken > 0:
        price = book_price(world, order.symbol, order.side, taken)
        trial, holder = afford(world, account, order, taken, price, world.rules.taker_fee_rate)
    rest = nearest_to(order.amount - taken, instrument.market.lot_size)
    if order.price is None or rest <= 0 or order.time_in_force != "GTC":
        return
    code = instrument.settle
    opening = trial.opening_part(holder, order, rest)
    fee = max(world.rules.taker_fee_rate, 0.0)
    leverage = world.leverage(account, order.symbol)
    need = instrument.value(opening, order.price) * (1 / leverage + fee)
    free = trial.free(holder, code, order.id)
    if need > free + 1e-9 * max(abs(free), 1.0):
        needed, there = amounts(code, need, max(free, 0.0))
        raise InsufficientFunds(
            f"{needed} of margin and fee are needed for {instrument.sized(opening)} of "
            f"{order.symbol} at {order.price:.8g} and {leverage:g}x, {there} are free"
        )
