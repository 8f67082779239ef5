"""The market, its accounts and the questions that every part of the engine asks of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import inf
from typing import NamedTuple

from . import ledger
from .funding import FundingSource
from .kernel import Contract, standing
from .rules import Rules
from .state import Account, Event, Order, Position, State, place
from .tape import Tape


class Stake(NamedTuple):
    """What stands or falls together: an isolated position, or the cross positions of a wallet.

    Attributes
    ----------
    account : Account
        Whose it is.
    code : str
        Settlement currency.
    positions : tuple of Position
        One isolated position, or all cross positions.
    cash : float
        Isolated margin, or cash that is not isolated.
    is_isolated : bool
        Which of the two.
    """

    account: Account
    code: str
    positions: tuple[Position, ...]
    cash: float
    is_isolated: bool

    @property
    def name(self) -> str:
        """What it is called in the account's record of margin calls."""
        if not self.is_isolated:
            return self.code
        return place(self.positions[0].symbol, self.positions[0].side)


@dataclass
class World:
    """Everything that the engine works on.

    Attributes
    ----------
    rules : Rules
        What holds on the market.
    contracts : dict of str to Contract
        By symbol.
    tape : Tape
        Prices to come.
    funding : dict of str to FundingSource
        By symbol; none where nothing is charged.
    spread : float
        Decimal of the price between buying and selling.
    liquidity : float
        Contracts at each level of the book, and for each resting order at a tick.
    state : State
        All that changes.
    revision : int
        Counts changes that may move the bands in which nothing happens.
    """

    rules: Rules
    contracts: dict[str, Contract]
    tape: Tape
    funding: dict[str, FundingSource]
    spread: float = 0.0
    liquidity: float = inf
    state: State = field(default_factory=State)
    revision: int = 0

    def tracks_length(self, symbol: str) -> int:
        """Milliseconds that a bar of a symbol lasts; 0 for ticks."""
        return self.tape.tracks[symbol].bars.length

    @property
    def wallet(self) -> str:
        """Name of the trading wallet."""
        return self.rules.trading_wallet

    def pot(self, account: Account, wallet: str | None = None) -> str:
        """Pot of an account's wallet, the trading wallet if none is named."""
        return f"{account.name}/{wallet or self.wallet}"

    def cash(self, account: Account, code: str) -> float:
        """Money in the trading wallet, isolated margins included."""
        return ledger.balance(self.state, self.pot(account), code)

    def isolated_margin(self, account: Account, code: str) -> float:
        """Sum of the isolated margins settled in a currency."""
        return sum(
            position.margin
            for position in account.positions.values()
            if position.is_isolated and self.contracts[position.symbol].settle == code
        )

    def cross_stake(self, account: Account, code: str) -> Stake:
        """Cross positions of a wallet and the cash behind them."""
        positions = tuple(
            position
            for position in account.positions.values()
            if not position.is_isolated and self.contracts[position.symbol].settle == code
        )
        cash = self.cash(account, code) - self.isolated_margin(account, code)
        return Stake(account, code, positions, cash, is_isolated=False)

    def stake_of(self, account: Account, position: Position) -> Stake:
        """Return what a position stands or falls with."""
        code = self.contracts[position.symbol].settle
        if position.is_isolated:
            return Stake(account, code, (position,), position.margin, is_isolated=True)
        return self.cross_stake(account, code)

    def stakes(self, account: Account) -> Iterator[Stake]:
        """All stakes of an account that hold a position."""
        codes = []
        for position in account.positions.values():
            code = self.contracts[position.symbol].settle
            if position.is_isolated:
                yield Stake(account, code, (position,), position.margin, is_isolated=True)
            elif code not in codes:
                codes.append(code)
        for code in codes:
            yield self.cross_stake(account, code)

    def standing(self, stake: Stake) -> tuple[float, float]:
        """Equity and requirement of a stake at the marks."""
        return standing(self.contracts, stake.positions, stake.cash, self.state.prices)

    def opening_part(self, account: Account, order: Order, amount: float | None = None) -> float:
        """Contracts of an order that would open rather than close a position."""
        wanted = order.remaining if amount is None else amount
        if order.reduce_only:
            return 0.0
        if order.position_side:
            return wanted if order.position_side == order.side else 0.0
        held = account.positions.get(place(order.symbol, -order.side))
        return max(round(wanted - held.contracts, 12), 0.0) if held else wanted

    def reserved(self, account: Account, order: Order) -> float:
        """Margin and fee that a resting order ties up."""
        if not order.is_active or order.price is None or order.trigger_way:
            return 0.0
        opening = self.opening_part(account, order)
        if not opening:
            return 0.0
        contract = self.contracts[order.symbol]
        fee = max(self.rules.taker_fee_rate, 0.0)
        leverage = self.leverage(account, order.symbol)
        return contract.value(opening, order.price) * (1 / leverage + fee)

    def order_margin(self, account: Account, code: str, without: str = "") -> float:
        """Margin that all resting orders of an account tie up."""
        return sum(
            self.reserved(account, order)
            for order in self.state.working.values()
            if order.account == account.name
            and order.id != without
            and self.contracts[order.symbol].settle == code
        )

    def used(self, stake: Stake) -> float:
        """Add up the initial margins of cross positions."""
        prices = self.state.prices
        return sum(
            self.contracts[position.symbol].initial(position, prices[position.symbol].mark)
            for position in stake.positions
        )

    def free(self, account: Account, code: str, without: str = "") -> float:
        """Free margin: cross equity less initial and order margins."""
        stake = self.cross_stake(account, code)
        equity, _ = self.standing(stake)
        return equity - self.used(stake) - self.order_margin(account, code, without)

    def withdrawable(self, account: Account, code: str) -> float:
        """Money that may leave the trading wallet: free, and cash rather than open profit."""
        stake = self.cross_stake(account, code)
        cash = stake.cash - self.used(stake) - self.order_margin(account, code)
        return max(min(self.free(account, code), cash), 0.0)

    def leverage(self, account: Account, symbol: str) -> float:
        """Leverage that an account has set, or starts with."""
        chosen = account.leverage.get(symbol)
        return min(20.0, self.contracts[symbol].leverages[0]) if chosen is None else chosen

    def is_isolated(self, account: Account, symbol: str) -> bool:
        """Margin mode that an account has set, or starts with."""
        return account.isolated.get(symbol, "cross" not in self.rules.margin_modes)

    def is_open(self, symbol: str) -> bool:
        """Whether a symbol trades now."""
        return bool(self.tape.tracks[symbol].is_open[self.state.row])

    def orders_of(self, account: Account, symbol: str | None = None) -> list[Order]:
        """Open orders of an account, oldest first."""
        return [
            order
            for order in self.state.working.values()
            if order.account == account.name and symbol in (None, order.symbol)
        ]

    def touch(self) -> None:
        """Say that something changed on which the bands depend."""
        self.revision += 1

    def record(self, kind: str, account: str, symbol: str, message: str, **numbers: float) -> None:
        """Write an event down."""
        events = self.state.events
        events.append(
            Event(len(events) + 1, self.state.now, kind, account, symbol, message, numbers)
        )

    def end_order(self, order: Order, status: str, reason: str = "") -> None:
        """Close an order's record."""
        order.status, order.reason, order.updated = status, reason, self.state.now
        self.state.working.pop(order.id, None)
        self.touch()
