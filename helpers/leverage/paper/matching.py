"""How orders are set to work and filled at the prices of a moment."""

from __future__ import annotations

from math import inf

from leverage._grid import down_to, nearest_to
from leverage.paper.exchange_errors import InsufficientFunds, OperationRejected
from leverage.paper.fills import book_price, depth_within, scratch, settle
from leverage.paper.formats import amounts, iso
from leverage.paper.state import BY_ACCOUNT, Account, Order, Position, position_key
from leverage.paper.world import World


def work_orders(world: World) -> bool:
    """Let every open order react to the prices of this moment, oldest first.

    Returns
    -------
    bool
        Whether anything was filled.
    """
    trades = len(world.state.trades)
    for order in list(world.state.working.values()):
        if order.status != "open" or not world.is_open(order.symbol):
            continue
        if order.trigger_way:
            if order.is_trailing:
                follow(world, order)
            if is_met(world, order):
                start(world, order)
        elif order.is_active and touches(world, order):
            _fill_resting(world, order)
    return len(world.state.trades) > trades


def watched(world: World, order: Order) -> float:
    """Price that an order's trigger watches, now."""
    prices = world.state.prices[order.symbol]
    return float(getattr(prices, order.trigger_on))


def is_met(world: World, order: Order) -> bool:
    """Whether the trigger of a waiting order is met; a trailing order must be active first."""
    if order.trigger is None or (order.is_trailing and order.best is None):
        return False
    return order.trigger_way * (watched(world, order) - order.trigger) >= 0


def follow(world: World, order: Order) -> None:
    """Let the trigger of a trailing order follow the best price; activate it where it starts."""
    price = watched(world, order)
    if order.best is None:
        if order.trigger is not None and order.trigger_way * (price - order.trigger) < 0:
            return
        order.best = price
        order.trigger_way = order.side
        world.touch()
    trail(order, price)


def trail(order: Order, price: float) -> None:
    """Move the trigger of an active trailing order if a price is better than the best so far."""
    best = order.best if order.best is not None else price
    order.best = min(best, price) if order.side > 0 else max(best, price)
    away = order.trail_amount or order.best * order.trail_rate
    order.trigger = order.best + order.side * away


def start(world: World, order: Order) -> None:
    """Set a triggered order to work."""
    order.trigger_way = 0
    order.is_active = True
    order.updated = world.state.now
    world.touch()
    take(world, order)


def touch_level(world: World, order: Order) -> float:
    """Last price at which a resting limit order is reached."""
    assert order.price is not None
    return order.price / (1 + order.side * world.spread / 2)


def touches(world: World, order: Order) -> bool:
    """Whether the market has come to a resting limit order."""
    if order.price is None:
        return False
    last = world.state.prices[order.symbol].last
    return order.side * (touch_level(world, order) - last) >= 0


def take(world: World, order: Order) -> None:
    """Fill what the book gives to an order that has started to work, as a taker."""
    wanted = order.remaining
    if order.reduce_only:
        held = reducible(world.state.accounts[order.account], order)
        # The book is asked for what there is to reduce; without any, the fill cancels the order.
        wanted = min(wanted, held.contracts) if held else wanted
    if order.price is None:
        fill(world, order, wanted, book_price(world, order.symbol, order.side, wanted), False)
        if order.status == "open":
            world.end_order(order, "canceled", order.reason or "not filled")
        return
    there = min(wanted, depth_within(world, order.symbol, order.side, order.price))
    there = (
        down_to(there, world.instruments[order.symbol].market.lot_size) if there < wanted else there
    )
    if there > 0 and not (order.time_in_force == "FOK" and there < wanted):
        fill(world, order, there, book_price(world, order.symbol, order.side, there), False)
    if order.status == "open" and order.time_in_force in ("IOC", "FOK"):
        world.end_order(order, "canceled", f"{order.time_in_force}: the rest was not there")


def _fill_resting(world: World, order: Order) -> None:
    assert order.price is not None
    there = min(order.remaining, world.liquidity)
    there = (
        down_to(there, world.instruments[order.symbol].market.lot_size) if there < inf else there
    )
    if there > 0:
        fill(world, order, there, order.price, True)


def fill(world: World, order: Order, contracts: float, price: float, is_maker: bool) -> None:
    """Fill an order in part or whole, or cancel it where it may not be filled any more."""
    account = world.state.accounts[order.account]
    if order.reduce_only:
        held = reducible(account, order)
        contracts = min(contracts, held.contracts if held else 0.0)
        if contracts <= 0:
            world.end_order(order, "canceled", "nothing left to reduce")
            return
        assert held is not None
        if held.contracts < order.remaining and world.rules.reduce_only_rest == "trimmed":
            lot = world.instruments[order.symbol].market.lot_size
            order.amount = nearest_to(order.filled + held.contracts, lot)
    rate = world.rules.maker_fee_rate if is_maker else world.rules.taker_fee_rate
    opening = world.opening_part(account, order, contracts)
    if opening > 0:
        is_paid_for = is_maker and world.rules.resting_order_margin == "reserved"
        try:
            _keep_to_tier(world, account, order, contracts, price)
            if not is_paid_for:
                afford(world, account, order, contracts, price, rate)
        except (InsufficientFunds, OperationRejected) as error:
            world.record("order rejected", account.name, order.symbol, f"Order {order.id}: {error}")
            world.end_order(order, "canceled", str(error))
            return
    state = world.state
    fee, realised = settle(
        world,
        account,
        order.symbol,
        order.side,
        contracts,
        price,
        fee_rate=rate,
        position_side=order.position_side,
        reference=world.next_trade_id,
    )
    lot = world.instruments[order.symbol].market.lot_size
    order.filled = nearest_to(order.filled + contracts, lot)
    order.value += price * contracts
    order.fee += fee
    order.fills.append(len(state.trades))
    order.updated = state.now
    world.book_trade(
        account,
        order.symbol,
        order.side,
        contracts,
        price,
        fee,
        realised,
        order=order.id,
        is_maker=is_maker,
    )
    if order.remaining <= 0:
        world.end_order(order, "closed")
        if order.sibling in state.working:
            world.end_order(state.working[order.sibling], "canceled", "the other order filled")
    elif order.reduce_only and reducible(account, order) is None:
        world.end_order(order, "canceled", "nothing left to reduce")
    if opening > 0 and (order.stop_loss or order.take_profit):
        _protect(world, order, opening)
    drop_idle(world, account, order.symbol)


def reducible(account: Account, order: Order) -> Position | None:
    """Position that a reduce-only order may make smaller."""
    if order.position_side == order.side:
        return None
    return account.positions.get(position_key(order.symbol, -order.side))


def afford(
    world: World, account: Account, order: Order, contracts: float, price: float, rate: float
) -> tuple[World, Account]:
    """Try a fill on a copy, and refuse it if the margin does not carry it.

    Returns
    -------
    World, Account
        The copy after the fill.

    Raises
    ------
    InsufficientFunds
        If free margin would be negative, or the position would be liquidated at once.
    """
    instrument = world.instruments[order.symbol]
    code = instrument.settle
    trial, holder = scratch(world, account)
    settle(
        trial,
        holder,
        order.symbol,
        order.side,
        contracts,
        price,
        fee_rate=rate,
        position_side=order.position_side,
    )
    free = trial.free(holder, code, order.id)
    before = world.free(account, code, order.id)
    if free < -1e-9 * max(abs(before), 1.0):
        need, there = amounts(code, before - free, max(before, 0.0))
        raise InsufficientFunds(
            f"{need} of free margin are needed for {instrument.sized(contracts)} of {order.symbol} "
            f"at {price:.8g} and {world.leverage(account, order.symbol):g}x, {there} are free"
        )
    position = holder.positions.get(position_key(order.symbol, order.position_side or order.side))
    if position is not None:
        equity, required = trial.standing(trial.group_of(holder, position))
        if equity <= required:
            has, keep = amounts(code, equity, required)
            raise InsufficientFunds(
                f"the position would be liquidated at once: its equity of {has} would not be above "
                f"its requirement of {keep}"
            )
    return trial, holder


def _keep_to_tier(
    world: World, account: Account, order: Order, contracts: float, price: float
) -> None:
    """Refuse a fill that would make a position larger than its tier allows at its leverage."""
    instrument = world.instruments[order.symbol]
    held = account.positions.get(position_key(order.symbol, order.side))
    opening = world.opening_part(account, order, contracts)
    total = opening + (held.contracts if held else 0.0)
    leverage = world.leverage(account, order.symbol)
    allowed = instrument.max_leverage(total, price)
    if leverage > allowed:
        raise OperationRejected(
            f"{total:g} contracts of {order.symbol} at {price:.8g} may have at most {allowed:g}x, "
            f"{leverage:g}x is set"
        )


def _protect(world: World, entry: Order, opened: float) -> None:
    """Let the stop-loss and take-profit of an entry cover what a fill of it has opened.

    They are placed at its first fill and grow with every further one; the one cancels the other.
    Where they have ended since, new ones are placed, unless the account cancelled them.
    """
    state, lot = world.state, world.instruments[entry.symbol].market.lot_size
    attached = [state.orders[number] for number in entry.attached]
    waiting = [order for order in attached if order.status == "open"]
    for order in waiting:
        order.amount = nearest_to(order.amount + opened, lot)
    if waiting or (attached and all(order.reason == BY_ACCOUNT for order in attached)):
        return
    placed = [
        _attach(world, entry, given, opened, word, way)
        for word, given, way in (
            ("stop loss", entry.stop_loss, -1),
            ("take profit", entry.take_profit, 1),
        )
        if given is not None
    ]
    entry.attached = [order.id for order in placed]
    if len(placed) == 2:
        placed[0].sibling, placed[1].sibling = placed[1].id, placed[0].id
    world.touch()
    for order in placed:
        # A price that jumped over entry and stop alike meets the stop at once.
        if order.status == "open" and is_met(world, order):
            start(world, order)


def _attach(
    world: World, entry: Order, given: dict[str, float], amount: float, word: str, way: int
) -> Order:
    """Place one order that closes what an entry has opened."""
    order = Order(
        id=next_id(world),
        client_id="",
        account=entry.account,
        symbol=entry.symbol,
        kind="limit" if "price" in given else "market",
        side=-entry.side,
        amount=amount,
        price=given.get("price"),
        trigger=given["triggerPrice"],
        trigger_way=way * entry.side,
        trigger_on=entry.trigger_on,
        reduce_only=True,
        position_side=entry.position_side,
        is_active=False,
        created=world.state.now,
        updated=world.state.now,
        word=word,
    )
    world.state.orders[order.id] = order
    world.state.working[order.id] = order
    return order


def next_id(world: World) -> str:
    """Id of the next order."""
    return str(len(world.state.orders) + 1)


def drop_idle(world: World, account: Account, symbol: str) -> None:
    """Cancel reduce-only orders that have nothing left to reduce."""
    for order in world.orders_of(account, symbol):
        if order.reduce_only and reducible(account, order) is None:
            world.end_order(order, "canceled", f"nothing left to reduce at {iso(world.state.now)}")
