"""Closing by force: margin calls, partial and full liquidation, and who pays a shortfall."""

from __future__ import annotations

from leverage._grid import down_to, nearest_to, up_to
from leverage.paper import ledger
from leverage.paper.fills import absorb, settle
from leverage.paper.instruments import Instrument, bankrupt_price
from leverage.paper.matching import drop_idle
from leverage.paper.state import (
    FEES,
    FUND,
    MARKET,
    Account,
    Liquidation,
    Position,
    position_key,
)
from leverage.paper.world import MarginGroup, World

# Share of the equity that is a rounding error rather than money.
_DUST = 1e-12


def check_margins(world: World) -> bool:
    """Liquidate what does not keep its requirement, in the order of the accounts' names.

    Returns
    -------
    bool
        Whether anything was closed.
    """
    before = len(world.state.liquidations)
    for name in sorted(world.state.accounts):
        account = world.state.accounts[name]
        for group in list(world.margin_groups(account)):
            if any(is_alive(account, position) for position in group.positions):
                liquidate(world, renewed(world, group))
    return len(world.state.liquidations) > before


def is_alive(account: Account, position: Position) -> bool:
    """Whether a position is still open."""
    return account.positions.get(position_key(position.symbol, position.side)) is position


def renewed(world: World, group: MarginGroup) -> MarginGroup:
    """Return a group as it is now."""
    if group.is_isolated:
        return world.group_of(group.account, group.positions[0])
    return world.cross_group(group.account, group.code)


def liquidate(world: World, group: MarginGroup, *, at_once: bool = False) -> None:
    """Close a group step by step until its equity is above its requirement.

    Parameters
    ----------
    world : World
        Where it happens.
    group : MarginGroup
        What to close.
    at_once : bool, default False
        Take the first step without looking: the caller has found the price at which it is due.
    """
    debt = 0.0
    while group.positions:
        equity, need = world.standing(group)
        if equity > need and not at_once:
            return
        at_once = False
        tradable = [p for p in group.positions if world.is_open(p.symbol)]
        if not tradable:
            return
        _cancel_orders(world, group)
        # Cutting down saves a position that has something left; without that all goes at once.
        if equity <= _DUST * need or not _cut_down(world, group, tradable):
            worst = min(tradable, key=lambda p: _profit_at_mark(world, p))
            debt += _close_whole(world, group, worst, debt)
        if group.is_isolated and not is_alive(group.account, group.positions[0]):
            return
        group = renewed(world, group)


def check_calls(world: World) -> None:
    """Record margin calls, once for each time that the level is crossed."""
    factor = world.rules.call_factor
    if factor <= 1:
        return
    for name in sorted(world.state.accounts):
        account = world.state.accounts[name]
        groups = list(world.margin_groups(account))
        for gone in set(account.called) - {group.name for group in groups}:
            del account.called[gone]
        for group in groups:
            equity, need = world.standing(group)
            is_low = equity <= factor * need
            if is_low and not account.called.get(group.name, False):
                world.record(
                    "margin call",
                    name,
                    group.positions[0].symbol if group.is_isolated else "",
                    f"Equity of {equity:.8g} {group.code} has fallen to the call level, "
                    f"{factor * need:.8g} {group.code}; the close-out is at {need:.8g}.",
                    equity=equity,
                    call=factor * need,
                    requirement=need,
                )
                world.touch()
            if is_low:
                account.called[group.name] = True
            elif account.called.pop(group.name, False):
                world.touch()


def _profit_at_mark(world: World, position: Position) -> float:
    instrument = world.instruments[position.symbol]
    return instrument.profit(position, world.state.prices[position.symbol].mark)


def _cancel_orders(world: World, group: MarginGroup) -> None:
    symbols = {position.symbol for position in group.positions}
    for order in world.orders_of(group.account):
        same = (
            order.symbol in symbols
            if group.is_isolated
            else (world.instruments[order.symbol].settle == group.code)
        )
        if same:
            world.end_order(order, "canceled", "liquidation")


def _cut_down(world: World, group: MarginGroup, positions: list[Position]) -> bool:
    """Take the largest position that is above the first tier down to the top of the next tier."""
    if not world.rules.partial_liquidation:
        return False
    prices = world.state.prices
    steps = []
    for position in positions:
        instrument = world.instruments[position.symbol]
        mark = prices[position.symbol].mark
        tier = instrument.tier(position.contracts, mark)
        if tier > 0:
            target = _contracts_at(instrument, instrument.inner[tier - 1], mark)
            if 0 < target < position.contracts:
                steps.append((instrument.requirement(position, mark), position, target))
    if not steps:
        return False
    _, position, target = max(steps, key=lambda step: step[0])
    cut = nearest_to(
        position.contracts - target, world.instruments[position.symbol].market.lot_size
    )
    _force(world, group, position, cut, _bankrupt_at(world, group, position), is_partial=True)
    return True


def _contracts_at(instrument: Instrument, bound: float, mark: float) -> float:
    """Contracts whose size in the tiers is at most a bound."""
    target = down_to(bound / instrument.measure(1.0, mark), instrument.market.lot_size)
    # A rounding error above the bound would leave the position in the tier it must leave.
    while target > 0 and instrument.measure(target, mark) > bound:
        target = nearest_to(target - instrument.market.lot_size, instrument.market.lot_size)
    return target


def _bankrupt_at(world: World, group: MarginGroup, position: Position) -> float:
    """Price of a position at which its group would have nothing left, the others at their marks."""
    backing = world.standing(group)[0] - _profit_at_mark(world, position)
    return bankrupt_price(world.instruments[position.symbol], position, backing)


def _force(
    world: World,
    group: MarginGroup,
    position: Position,
    contracts: float,
    bankrupt: float,
    *,
    is_partial: bool,
) -> None:
    """Close contracts at the mark: book the result, the fee and the liquidation fee."""
    account, code, state = group.account, group.code, world.state
    instrument, rules = world.instruments[position.symbol], world.rules
    mark = state.prices[position.symbol].mark
    equity, need = world.standing(group)
    value = instrument.value(contracts, mark)
    gain = instrument.booked(position, contracts, mark)
    left = equity
    fee = min(max(rules.taker_fee_rate, 0.0) * value, max(left, 0.0))
    left -= fee
    extra = min(rules.liquidation_fee_rate * value, max(left, 0.0))
    left -= extra
    pot, trade_id = world.pot(account), world.next_trade_id
    ledger.move(state, MARKET, pot, code, gain, "trade", position.symbol, trade_id)
    ledger.move(state, pot, FEES, code, fee, "fee", position.symbol, trade_id)
    keeper = FUND if rules.insurance_fund else FEES
    ledger.move(state, pot, keeper, code, extra, "liquidation fee", position.symbol, trade_id)
    if position.is_isolated:
        is_whole = contracts == position.contracts
        position.margin = left if is_whole else position.margin + gain - fee - extra
    position.realised += gain - fee - extra
    position.contracts = nearest_to(position.contracts - contracts, instrument.market.lot_size)
    if position.contracts <= 0:
        account.positions.pop(position_key(position.symbol, position.side), None)
    world.book_trade(
        account, position.symbol, -position.side, contracts, mark, fee + extra, gain, "liquidation"
    )
    _record_close(world, account, position, contracts, mark, bankrupt)
    way = "long" if position.side > 0 else "short"
    world.record(
        "partial liquidation" if is_partial else "liquidation",
        account.name,
        position.symbol,
        f"{contracts:g} contracts {way} were closed at a mark of {mark:.8g}: the equity of "
        f"{equity:.8g} {code} did not keep the requirement of {need:.8g} {code}.",
        contracts=contracts,
        mark=mark,
        equity=equity,
        requirement=need,
        bankruptcy_price=bankrupt,
    )
    world.touch()


def _record_close(
    world: World,
    account: Account,
    position: Position,
    contracts: float,
    price: float,
    bankrupt: float,
) -> None:
    """Write a forced close down; the position is as it is after it."""
    world.state.liquidations.append(
        Liquidation(
            world.state.now,
            account.name,
            position.symbol,
            position.side,
            contracts,
            price,
            bankrupt,
            position.contracts > 0,
        )
    )


def _close_whole(world: World, group: MarginGroup, position: Position, debt: float) -> float:
    """Close a whole position, and let others cover what its own loss leaves lacking.

    Parameters
    ----------
    world, group, position
        What to close, where. The position with the largest loss comes first.
    debt : float
        What closed positions of the group left lacking and nobody covered.

    Returns
    -------
    float
        What nobody covers of this one: it stays with the account.
    """
    account, code = group.account, group.code
    equity, _ = world.standing(group)
    loss = -_profit_at_mark(world, position)
    # Of equity that others have covered already, a rounding error of the loss may be left.
    dust = _DUST * max(abs(equity), abs(loss), 1e-6)
    lacking = min(-equity - debt, loss)
    # Where nothing is lacking, the price is that at which the whole group has nothing left.
    bankrupt = (
        bankrupt_price(world.instruments[position.symbol], position, loss - lacking)
        if lacking > dust
        else _bankrupt_at(world, group, position)
    )
    if lacking > dust:
        lacking -= _deleverage(world, group, position, lacking, bankrupt)
    if position.contracts > 0:
        # Deleveraging has used up a part of the margin.
        rest = renewed(world, group)
        _force(world, rest, position, position.contracts, bankrupt, is_partial=False)
    left = position.margin if group.is_isolated else world.cross_group(account, code).cash
    position.margin = 0.0
    if len(group.positions) == 1:
        lacking = -left - debt
    if lacking > dust:
        return absorb(world, account, code, lacking, position.symbol)
    is_taken = world.rules.takeover == "bankruptcy" and world.rules.insurance_fund
    if is_taken and len(group.positions) == 1 and left > dust:
        pot = world.pot(account)
        ledger.move(world.state, pot, FUND, code, left, "insurance fund", position.symbol)
    return 0.0


def _deleverage(
    world: World, group: MarginGroup, position: Position, lacking: float, price: float
) -> float:
    """Close winners at the bankruptcy price for the part that the insurance fund cannot cover.

    Nobody is deleveraged into a loss or below the requirement: who would be is passed over.

    Returns
    -------
    float
        How much of what is lacking the winners gave up.
    """
    rules, instrument = world.rules, world.instruments[position.symbol]
    fund = ledger.balance(world.state, FUND, group.code) if rules.insurance_fund else 0.0
    uncovered = lacking - max(fund, 0.0)
    if not rules.auto_deleveraging or uncovered <= 0:
        return 0.0
    lot, whole = instrument.market.lot_size, position.contracts
    wanted = min(up_to(whole * uncovered / lacking, lot), whole)
    mark = world.state.prices[position.symbol].mark
    for account, winner in ranking(world, position.symbol, -position.side, group.account.name):
        if wanted <= 0:
            break
        part = min(wanted, winner.contracts)
        given_up = instrument.booked(winner, part, mark) - instrument.booked(winner, part, price)
        equity, need = world.standing(world.group_of(account, winner))
        if instrument.profit(winner, price) <= 0 or equity - given_up <= need:
            continue
        wanted = nearest_to(wanted - part, lot)
        for owner, side in ((group.account, -position.side), (account, position.side)):
            _close_at(world, owner, position.symbol, side, part, price)
        drop_idle(world, account, position.symbol)
        _record_close(world, group.account, position, part, price, price)
        world.record(
            "auto-deleveraging",
            account.name,
            position.symbol,
            f"{part:g} contracts were closed at {price:.8g}, the bankruptcy price of "
            f"{group.account.name}: the insurance fund lacked {uncovered:.8g} {group.code}.",
            contracts=part,
            price=price,
            uncovered=uncovered,
        )
    return lacking * ((whole - position.contracts) / whole)


def _close_at(
    world: World, account: Account, symbol: str, side: int, contracts: float, price: float
) -> None:
    """Close contracts at a price without a fee, and record the trade."""
    _, realised = settle(
        world,
        account,
        symbol,
        side,
        contracts,
        price,
        fee_rate=0.0,
        position_side=-side,
        reference=world.next_trade_id,
    )
    world.book_trade(account, symbol, side, contracts, price, 0.0, realised, "auto-deleveraging")


def ranking(world: World, symbol: str, side: int, without: str) -> list[tuple[Account, Position]]:
    """Positions in profit in the order in which they are closed to cover another's loss.

    Parameters
    ----------
    world : World
        Where they are.
    symbol : str
        Market.
    side : {1, -1}
        Direction of the positions.
    without : str
        Account that is not ranked: the one that is liquidated.

    Returns
    -------
    list of (Account, Position)
        Highest rank first: the return on the margin times the effective leverage, and of equal ones
        by name. An account that is itself due for liquidation is not ranked.
    """
    ranked = []
    mark = world.state.prices[symbol].mark
    instrument = world.instruments[symbol]
    for name in sorted(world.state.accounts):
        account = world.state.accounts[name]
        position = account.positions.get(position_key(symbol, side))
        if position is None or name == without:
            continue
        gained = instrument.profit(position, mark)
        equity, need = world.standing(world.group_of(account, position))
        if gained <= 0 or equity <= need:
            continue
        margin = max(instrument.initial(position, mark), 1e-12)
        rank = gained / margin * instrument.value(position.contracts, mark) / equity
        # Cut to where rounding errors begin: they must not decide between two that are equal.
        ranked.append((-float(f"{rank:.12g}"), name, account, position))
    return [(account, position) for _, _, account, position in sorted(ranked, key=lambda r: r[:2])]
