"""The market, its accounts and the questions that every part of the engine asks of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import inf
from typing import NamedTuple

from leverage.paper import ledger
from leverage.paper.funding import FundingSource
from leverage.paper.instruments import Instrument, required, standing
from leverage.paper.market_rules import Rules
from leverage.paper.state import Account, Event, Order, Position, State, Trade, position_key
from leverage.paper.tape import Tape


class MarginGroup(NamedTuple):
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
        return position_key(self.positions[0].symbol, self.positions[0].side)


@dataclass
class World:
    """Everything that the engine works on.

    Attributes
    ----------
    rules : Rules
        What holds on the market.
    instruments : dict of str to Instrument
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
    instruments: dict[str, Instrument]
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
            if position.is_isolated and self.instruments[position.symbol].settle == code
        )

    def cross_group(self, account: Account, code: str) -> MarginGroup:
        """Cross positions of a wallet and the cash behind them."""
        positions = tuple(
            position
            for position in account.positions.values()
            if not position.is_isolated and self.instruments[position.symbol].settle == code
        )
        cash = self.cash(account, code) - self.isolated_margin(account, code)
        return MarginGroup(account, code, positions, cash, is_isolated=False)

    def group_of(self, account: Account, position: Position) -> MarginGroup:
        """Return what a position stands or falls with."""
        code = self.instruments[position.symbol].settle
        if position.is_isolated:
            return MarginGroup(account, code, (position,), position.margin, is_isolated=True)
        return self.cross_group(account, code)

    def margin_groups(self, account: Account) -> Iterator[MarginGroup]:
        """All groups of an account that hold a position."""
        codes = []
        for position in account.positions.values():
            code = self.instruments[position.symbol].settle
            if position.is_isolated:
                yield MarginGroup(account, code, (position,), position.margin, is_isolated=True)
            elif code not in codes:
                codes.append(code)
        for code in codes:
            yield self.cross_group(account, code)

    def standing(self, group: MarginGroup) -> tuple[float, float]:
        """Equity and requirement of a group at the marks."""
        return standing(self.instruments, group.positions, group.cash, self.state.prices)

    def opening_part(self, account: Account, order: Order, amount: float | None = None) -> float:
        """Contracts of an order that would open rather than close a position."""
        wanted = order.remaining if amount is None else amount
        if order.reduce_only:
            return 0.0
        if order.position_side:
            return wanted if order.position_side == order.side else 0.0
        held = account.positions.get(position_key(order.symbol, -order.side))
        return max(round(wanted - held.contracts, 12), 0.0) if held else wanted

    def reserved(self, account: Account, order: Order) -> float:
        """Margin and fee that a resting order ties up."""
        if not order.is_active or order.price is None or order.trigger_way:
            return 0.0
        opening = self.opening_part(account, order)
        if not opening:
            return 0.0
        instrument = self.instruments[order.symbol]
        fee = max(self.rules.taker_fee_rate, 0.0)
        leverage = self.leverage(account, order.symbol)
        return instrument.value(opening, order.price) * (1 / leverage + fee)

    def order_margin(self, account: Account, code: str, without: str = "") -> float:
        """Margin that all resting orders of an account tie up."""
        return sum(
            self.reserved(account, order)
            for order in self.state.working.values()
            if order.account == account.name
            and order.id != without
            and self.instruments[order.symbol].settle == code
        )

    def used(self, group: MarginGroup) -> float:
        """Add up the initial margins of cross positions."""
        prices = self.state.prices
        margins = [
            self.instruments[position.symbol].initial(position, prices[position.symbol].mark)
            for position in group.positions
        ]
        return required(self.instruments, group.positions, margins)

    def free(self, account: Account, code: str, without: str = "") -> float:
        """Free margin: cross equity less initial and order margins."""
        group = self.cross_group(account, code)
        equity, _ = self.standing(group)
        return equity - self.used(group) - self.order_margin(account, code, without)

    def withdrawable(self, account: Account, code: str) -> float:
        """Money that may leave the trading wallet: free, and cash rather than open profit."""
        group = self.cross_group(account, code)
        cash = group.cash - self.used(group) - self.order_margin(account, code)
        return max(min(self.free(account, code), cash), 0.0)

    def leverage(self, account: Account, symbol: str) -> float:
        """Leverage that an account has set, or starts with."""
        chosen = account.leverage.get(symbol)
        return min(20.0, self.instruments[symbol].leverages[0]) if chosen is None else chosen

    def is_isolated(self, account: Account, symbol: str) -> bool:
        """Margin mode that an account has set, or starts with."""
        return account.isolated.get(symbol, "cross" not in self.rules.margin_modes)

    def is_open(self, symbol: str) -> bool:
        """Whether a symbol trades now."""
        return bool(self.tape.tracks[symbol].is_open[self.state.row])

    def takes_cancellations(self, symbol: str) -> bool:
        """Whether orders in a symbol can be cancelled: while it trades, and just before it does."""
        is_open = self.tape.tracks[symbol].is_open
        return bool(is_open[self.state.row : self.state.row + 2].any())

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

    @property
    def next_trade_id(self) -> str:
        """Id of the next trade."""
        return f"t{len(self.state.trades) + 1}"

    def book_trade(
        self,
        account: Account,
        symbol: str,
        side: int,
        contracts: float,
        price: float,
        fee: float,
        realised: float,
        kind: str = "fill",
        order: str = "",
        is_maker: bool = False,
    ) -> None:
        """Write a trade down."""
        self.state.trades.append(
            Trade(
                self.next_trade_id,
                order,
                account.name,
                symbol,
                self.state.now,
                side,
                price,
                contracts,
                fee,
                realised,
                is_maker,
                kind,
            )
        )

    def end_order(self, order: Order, status: str, reason: str = "") -> None:
        """Close an order's record."""
        order.status, order.reason, order.updated = status, reason, self.state.now
        self.state.working.pop(order.id, None)
        self.touch()
