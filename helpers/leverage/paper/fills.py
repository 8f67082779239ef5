"""What a fill does to positions and money."""

from __future__ import annotations

from dataclasses import replace
from math import inf

from leverage._grid import nearest_to
from leverage.paper import ledger
from leverage.paper.funding import HOUR
from leverage.paper.instruments import average
from leverage.paper.state import FEES, FUND, MARKET, Account, Position, State, position_key
from leverage.paper.world import World

# Share of a gain or loss that is a rounding error rather than money.
_DUST = 1e-12


def settle(
    world: World,
    account: Account,
    symbol: str,
    side: int,
    contracts: float,
    price: float,
    *,
    fee_rate: float,
    position_side: int = 0,
    reference: str = "",
) -> tuple[float, float]:
    """Book a fill: close what stands against it, then open the rest.

    Parameters
    ----------
    world : World
        Where it happens.
    account : Account
        Whose fill it is.
    symbol : str
        Its market.
    side : {1, -1}
        1 for a purchase.
    contracts, price : float
        How much at what price.
    fee_rate : float
        Decimal of the notional.
    position_side : {0, 1, -1}, default 0
        In hedge mode, the position that it is about.
    reference : str, default ""
        Trade that the postings name.

    Returns
    -------
    fee, realised : float
        What was paid, and the profit booked before fees.
    """
    closing = -side if position_side == 0 else position_side
    held = account.positions.get(position_key(symbol, closing)) if closing == -side else None
    to_close = min(contracts, held.contracts) if held else 0.0
    to_open = nearest_to(contracts - to_close, world.instruments[symbol].market.lot_size)
    fee = realised = 0.0
    if held and to_close > 0:
        fee, realised = _close_position(world, account, held, to_close, price, fee_rate, reference)
    if to_open > 0 and (position_side in (0, side)):
        fee += _open_position(world, account, symbol, side, to_open, price, fee_rate, reference)
    world.touch()
    return fee, realised


def absorb(world: World, account: Account, code: str, shortfall: float, symbol: str) -> float:
    """Cover a loss beyond an account's margin: insurance fund first, then the venue's market.

    Returns
    -------
    float
        What nobody covers without negative balance protection: it stays as a debt.
    """
    if shortfall <= 0:
        return 0.0
    rules, state, pot = world.rules, world.state, world.pot(account)
    if rules.insurance_fund:
        paid = min(shortfall, max(ledger.balance(state, FUND, code), 0.0))
        ledger.move(state, FUND, pot, code, paid, "insurance fund", symbol)
        shortfall -= paid
        if paid:
            world.record(
                "insurance fund",
                account.name,
                symbol,
                f"The insurance fund paid {paid:.8g} {code} of a loss beyond the margin.",
                amount=paid,
            )
    if not rules.negative_balance_protection:
        return shortfall
    ledger.move(state, MARKET, pot, code, shortfall, "negative balance protection", symbol)
    return 0.0


def _close_position(
    world: World,
    account: Account,
    held: Position,
    contracts: float,
    price: float,
    fee_rate: float,
    reference: str,
) -> tuple[float, float]:
    instrument = world.instruments[held.symbol]
    code, pot = instrument.settle, world.pot(account)
    gain = instrument.booked(held, contracts, price)
    fee = instrument.value(contracts, price) * fee_rate
    ledger.move(world.state, MARKET, pot, code, gain, "trade", held.symbol, reference)
    ledger.move(world.state, pot, FEES, code, fee, "fee", held.symbol, reference)
    held.realised += gain - fee
    share = contracts / held.contracts
    held.contracts = nearest_to(held.contracts - contracts, instrument.market.lot_size)
    is_whole = held.contracts <= 0
    if is_whole:
        account.positions.pop(position_key(held.symbol, held.side), None)
    if held.is_isolated:
        # A loss takes the margin of this position first, and more than its share if it must. What
        # stays open may have a profit beyond it.
        held.margin -= max(held.margin * share, fee - gain)
        lacking = -held.margin if is_whole else 0.0
    elif is_whole:
        group = world.cross_group(account, code)
        lacking = 0.0 if group.positions else -group.cash
    else:
        lacking = 0.0
    if lacking > _DUST * abs(gain):
        absorb(world, account, code, lacking, held.symbol)
    return fee, gain


def _open_position(
    world: World,
    account: Account,
    symbol: str,
    side: int,
    contracts: float,
    price: float,
    fee_rate: float,
    reference: str,
) -> float:
    instrument, rules, state = world.instruments[symbol], world.rules, world.state
    code, pot = instrument.settle, world.pot(account)
    value = instrument.value(contracts, price)
    fee = value * fee_rate
    ledger.move(state, pot, FEES, code, fee, "fee", symbol, reference)
    opening = value * rules.opening_fee_rates[0 if side > 0 else 1]
    ledger.move(state, pot, FEES, code, opening, rules.carrying_cost, symbol, reference)
    key = position_key(symbol, side)
    held = account.positions.get(key)
    leverage = world.leverage(account, symbol)
    if held is None:
        carries = rules.carrying_cost in ("rollover", "interest")
        interval = round((rules.funding_interval_hours or 0) * HOUR)
        held = account.positions[key] = Position(
            symbol,
            side,
            contracts,
            price,
            leverage,
            is_isolated=world.is_isolated(account, symbol),
            opened=state.now,
            carry_due=state.now + interval if carries and interval else 0,
        )
    else:
        held.entry = average(instrument, held, contracts, price)
        held.contracts = nearest_to(held.contracts + contracts, instrument.market.lot_size)
    if held.is_isolated:
        held.margin += value / leverage
    held.realised -= fee + opening
    return fee


def scratch(world: World, account: Account) -> tuple[World, Account]:
    """Copy an account and its money, to try a fill on; nothing of the original changes."""
    state = world.state
    trial = replace(
        account,
        positions={key: replace(position) for key, position in account.positions.items()},
    )
    copy = State(
        row=state.row,
        now=state.now,
        prices=state.prices,
        accounts={account.name: trial},
        pots=dict(state.pots),
        orders=state.orders,
        working=state.working,
    )
    return replace(world, state=copy), trial


def book_price(world: World, symbol: str, side: int, contracts: float) -> float:
    """Average price at which the book takes an order now, however large it is."""
    best = touch_price(world, symbol, side)
    if world.liquidity == inf or contracts <= world.liquidity:
        return best
    tick = world.instruments[symbol].market.tick_size
    full = int(contracts / world.liquidity)
    rest = contracts - full * world.liquidity
    steps = (full * (full - 1) / 2 * world.liquidity + full * rest) / contracts
    return max(best + side * tick * steps, tick)


def touch_price(world: World, symbol: str, side: int) -> float:
    """Best price at which an order is taken now: the ask for a purchase, the bid for a sale."""
    return world.state.prices[symbol].last * (1 + side * world.spread / 2)


def depth_within(world: World, symbol: str, side: int, limit: float) -> float:
    """Contracts that the book holds at a limit price or better."""
    room = side * (limit - touch_price(world, symbol, side))
    if room < 0:
        return 0.0
    if world.liquidity == inf:
        return inf
    tick = world.instruments[symbol].market.tick_size
    return (int(room / tick + 1e-9) + 1) * world.liquidity
