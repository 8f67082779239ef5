"""What holding a position costs: funding, interest and rollovers when they fall due."""

from __future__ import annotations

from leverage.paper import ledger
from leverage.paper.funding import HOUR
from leverage.paper.state import FEES, MARKET, Account, Position
from leverage.paper.world import World


def next_due(world: World) -> int | None:
    """Return when something falls due next, in milliseconds; None if nothing does.

    Funding falls due whether anybody holds a position or not, so that its history is complete.
    """
    due = min(world.state.funding_due.values(), default=None)
    if world.rules.carrying_cost in ("rollover", "interest"):
        for account in world.state.accounts.values():
            for position in account.positions.values():
                if position.carry_due and (due is None or position.carry_due < due):
                    due = position.carry_due
    return due


def charge_due(world: World) -> None:
    """Charge everything that fell due up to now, at the marks of now."""
    state = world.state
    for symbol, source in world.funding.items():
        due = state.funding_due.get(symbol)
        while due is not None and due <= state.now:
            rate = source.rate(due, state.prices[symbol])
            state.rates.setdefault(symbol, []).append((due, rate))
            _settle_funding(world, symbol, rate)
            following = source.next_due(due)
            if following is None:
                del state.funding_due[symbol]
            else:
                state.funding_due[symbol] = following
            due = following
    if world.rules.carrying_cost in ("rollover", "interest"):
        for name in sorted(state.accounts):
            account = state.accounts[name]
            for position in list(account.positions.values()):
                _carry(world, account, position)


def _settle_funding(world: World, symbol: str, rate: float) -> None:
    instrument = world.instruments[symbol]
    mark = world.state.prices[symbol].mark
    for name in sorted(world.state.accounts):
        account = world.state.accounts[name]
        for position in account.positions.values():
            if position.symbol == symbol:
                received = -position.side * instrument.value(position.contracts, mark) * rate
                _book(world, account, position, received, MARKET, "funding")


def _carry(world: World, account: Account, position: Position) -> None:
    rules, instrument = world.rules, world.instruments[position.symbol]
    interval = round((rules.funding_interval_hours or 0) * HOUR)
    way = 0 if position.side > 0 else 1
    while position.carry_due and position.carry_due <= world.state.now:
        cost = instrument.value(position.contracts, position.entry)
        if rules.carrying_cost == "interest" and position.side > 0:
            # A long borrows the money that it lacks, a short all the coins that it sells.
            cost = max(cost - max(world.group_of(account, position).cash, 0.0), 0.0)
        paid = cost * rules.carrying_rates[way]
        _book(world, account, position, -paid, FEES, rules.carrying_cost)
        position.carry_due += interval


def _book(
    world: World, account: Account, position: Position, received: float, pot: str, cause: str
) -> None:
    code = world.instruments[position.symbol].settle
    ledger.move(world.state, pot, world.pot(account), code, received, cause, position.symbol)
    if position.is_isolated:
        position.margin += received
    position.realised += received
    world.touch()
