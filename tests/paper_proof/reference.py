"""An exchange on paper, a second time: in exact fractions, from the documented rules.

Nothing here is taken from `leverage.paper` or from any other part of the course. The rules:

- A bar is four moments: open, low, high, close when it rises, open, high, low, close when it falls.
  Inside a bar prices run in straight lines from moment to moment; into a bar they jump. The mark runs
  on lines of its own, with its extremes when the traded price has its.
- What lies first on a line happens first: there the prices stand for a moment, and the walk goes on.
- At every stand: what is due is paid; who does not keep the requirement is closed; then orders that
  were reached are filled, oldest first.
- A position's equity is its margin (isolated) or the cash that is not isolated (cross, all cross
  positions of a wallet together), and the profit at the mark. It is closed when that is at or below
  the sum of the maintenance margins.
- Closing by force: first orders are cancelled, those of an isolated position's symbol, or all of the
  account, whose money backs them, when its cross positions are closed. While there is equity left, a
  position above the first tier is cut to the top of the tier below. Else, of several positions the
  one with the largest loss goes first, until the rest keeps its requirement. It closes at the mark,
  pays the taker fee and the liquidation fee, each never more than what is left. The liquidation fee,
  and what is left of the last one where the trader does not keep it, go to the insurance fund, if
  there is one (else that fee is the venue's and the rest the trader's).
- What a position's own loss explains of what is lacking is covered as it is closed: for what the fund
  does not hold, winners on the other side are closed at its bankruptcy price, by rank, but nobody into
  a loss or below the requirement; the fund pays; the rest is the venue's, or stays as a debt.
- A fill closes what stands against it, then opens the rest. Fees go on the whole of it. Isolated
  margin is value over leverage, and leaves in the proportion in which a position is closed; a loss
  that is larger than what leaves, with its fee, comes out of the margin that stays, not out of the
  wallet: an isolated position costs no more than its margin. What a fill that closes all of it loses
  beyond the margin, or beyond the wallet if it closes the last cross position, the fund and then the
  venue cover as above; while a part is open, its profit may stand for the margin.
- A resting limit order is reached when the other side of the book comes to it, half a spread from the
  last price, and a stop or target when the last price does. The limit fills at its price as a maker;
  what is reached when a stop works fills in the book as a taker. The book holds the same contracts at every level, one tick apart; a resting
  order gets as many at every stand.
- A trailing stop starts at once, or when the last price comes to its starting price. From then on it
  stays an amount, or a share of the best last price so far, away from that one.
- An order that opens is refused for want of margin: one that rests, where its initial margin and
  taker fee at its price are more than what is free; one that fills, where nothing would be free
  after it, or where its position would not keep its requirement. Free is the equity of the cross
  positions less their initial margins, at entry or at the mark, and less what resting orders tie up;
  each of these is counted alone, less the opposite position that it would close. What has been
  accepted fills, or is asked the same question again and cancelled.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from typing import Any

LONG, SHORT = 1, -1
ZERO = Fraction(0)


@dataclass(frozen=True)
class Terms:
    """What the venue asks, in exact numbers."""

    inverse: bool
    bounds: tuple[Fraction, ...]
    """Bounds of the tiers, from 0; the last tier has none."""
    rates: tuple[Fraction, ...]
    taker: Fraction
    maker: Fraction
    liquidation: Fraction
    funding: Fraction
    funding_hours: int
    partial: bool
    keeps_rest: bool
    """Whether the trader keeps what is left of the margin."""
    has_fund: bool
    deleverages: bool
    forgives: bool
    spread: Fraction
    liquidity: Fraction | None
    tick: Fraction
    lot: Fraction
    initial_at_mark: bool
    asks_again: bool
    """Whether an accepted order must find its margin free when it fills."""

    def tier(self, value: Fraction) -> int:
        """The tier of a notional; one at a bound belongs to the lower tier."""
        number = 0
        while number + 1 < len(self.bounds) and value > self.bounds[number + 1]:
            number += 1
        return number

    def requirement(self, value: Fraction) -> Fraction:
        """Maintenance margin: every slice of the notional pays the rate of its own tier."""
        due = ZERO
        for number, rate in enumerate(self.rates):
            top = self.bounds[number + 1] if number + 1 < len(self.bounds) else value
            due += max(min(value, top) - self.bounds[number], ZERO) * rate
        return due

    def value(self, contracts: Fraction, price: Fraction) -> Fraction:
        """Notional in the settlement currency."""
        return contracts / price if self.inverse else contracts * price

    def profit(self, side: int, contracts: Fraction, entry: Fraction, price: Fraction) -> Fraction:
        """Profit in the settlement currency."""
        if self.inverse:
            return side * contracts * (1 / entry - 1 / price)
        return side * contracts * (price - entry)


@dataclass
class Position:
    """One direction in one symbol."""

    symbol: str
    side: int
    contracts: Fraction
    entry: Fraction
    leverage: Fraction
    isolated: bool
    margin: Fraction = ZERO


@dataclass
class Order:
    """A resting limit order (`limit`) or a stop or target that waits for its trigger."""

    number: int
    account: str
    symbol: str
    side: int
    rest: Fraction
    limit: Fraction | None
    trigger: Fraction | None
    above: bool
    """Whether it is reached at or above its price."""
    reduce: bool
    leg: int
    """In hedge mode, the position that it is about."""
    trail: tuple[Fraction, Fraction] = (ZERO, ZERO)
    """How far a trailing stop stays away: an amount, or a share of the best price."""
    best: Fraction | None = None


@dataclass
class Wallet:
    """An account: its money, positions and settings."""

    name: str
    cash: Fraction
    hedged: bool
    leverage: Mapping[str, Fraction]
    isolated: Mapping[str, bool]
    positions: list[Position] = field(default_factory=list)

    def held(self, symbol: str, side: int) -> Position | None:
        """The position of a side."""
        found = [p for p in self.positions if (p.symbol, p.side) == (symbol, side)]
        return found[0] if found else None


@dataclass(frozen=True)
class Trade:
    """A fill, or a close by force."""

    account: str
    symbol: str
    side: int
    price: Fraction
    contracts: Fraction
    fee: Fraction
    kind: str


class Reference:
    """The exchange. `clock` is moved with `bar`; orders are given between bars."""

    def __init__(
        self, terms: Terms, wallets: Iterable[Wallet], fund: Fraction, first: Mapping[str, Fraction]
    ) -> None:
        self.terms, self.fund = terms, fund
        self.wallets = {wallet.name: wallet for wallet in wallets}
        self.last, self.mark = dict(first), dict(first)
        self.orders: list[Order] = []
        self.trades: list[Trade] = []
        self.count = 0

    # ---- what there is

    def group(self, wallet: Wallet, position: Position | None) -> list[Position]:
        """What stands or falls together: an isolated position, or all cross ones (None)."""
        if position is not None:
            return [position]
        return [p for p in wallet.positions if not p.isolated]

    def groups(self, wallet: Wallet) -> list[Position | None]:
        """All groups of a wallet that hold something: what is isolated comes first."""
        alone: list[Position | None] = [p for p in wallet.positions if p.isolated]
        return alone + ([None] if self.group(wallet, None) else [])

    def money(self, wallet: Wallet, position: Position | None) -> Fraction:
        """Cash behind a group."""
        if position is not None:
            return position.margin
        return wallet.cash - sum((p.margin for p in wallet.positions), ZERO)

    def slack(
        self, wallet: Wallet, position: Position | None, marks: Mapping[str, Fraction]
    ) -> Fraction:
        """Equity less requirement of a group at some marks."""
        terms, total = self.terms, self.money(wallet, position)
        for p in self.group(wallet, position):
            total += terms.profit(p.side, p.contracts, p.entry, marks[p.symbol])
            total -= terms.requirement(terms.value(p.contracts, marks[p.symbol]))
        return total

    def initial(self, wallet: Wallet) -> Fraction:
        """Initial margin of the cross positions."""
        at_mark = self.terms.initial_at_mark
        return sum(
            (
                self.terms.value(p.contracts, self.mark[p.symbol] if at_mark else p.entry)
                / p.leverage
                for p in self.group(wallet, None)
            ),
            ZERO,
        )

    def opening(
        self, wallet: Wallet, symbol: str, side: int, contracts: Fraction, leg: int
    ) -> Fraction:
        """Contracts of an order that would open rather than close."""
        if wallet.hedged:
            return contracts if leg == side else ZERO
        against = wallet.held(symbol, -side)
        return max(contracts - against.contracts, ZERO) if against else contracts

    def tied_up(
        self, wallet: Wallet, symbol: str, side: int, contracts: Fraction, price: Fraction, leg: int
    ) -> Fraction:  # fmt: skip
        """Margin and fee of what a resting order would open."""
        opened = self.opening(wallet, symbol, side, contracts, leg)
        share = 1 / wallet.leverage[symbol] + self.terms.taker
        return self.terms.value(opened, price) * share if opened else ZERO

    def free(self, wallet: Wallet) -> Fraction:
        """Free margin of a wallet."""
        profit = sum(map(self.at_mark, self.group(wallet, None)), ZERO)
        resting = sum(
            (
                self.tied_up(wallet, o.symbol, o.side, o.rest, o.limit, o.leg)
                for o in self.orders
                if o.account == wallet.name and o.limit is not None and not o.reduce
            ),
            ZERO,
        )
        return self.money(wallet, None) + profit - self.initial(wallet) - resting

    def room(
        self, name: str, symbol: str, side: int, contracts: Fraction, limit: Fraction | None, leg: int
    ) -> Fraction | None:  # fmt: skip
        """What is left when an order is accepted: below zero it is refused. None if it only closes."""
        wallet = self.wallets[name]
        if not self.opening(wallet, symbol, side, contracts, leg):
            return None
        if limit is not None:
            return self.free(wallet) - self.tied_up(wallet, symbol, side, contracts, limit, leg)
        price = self.book(symbol, side, contracts)
        return self.left_after(wallet, symbol, side, contracts, price, self.terms.taker, leg)

    def left_after(
        self, wallet: Wallet, symbol: str, side: int, contracts: Fraction, price: Fraction,
        rate: Fraction, leg: int, order: Order | None = None,
    ) -> Fraction:  # fmt: skip
        """What is free after a fill, on trial; less than nothing where it would be closed at once."""
        trial = deepcopy(self)
        trial.orders = [o for o in trial.orders if order is None or o.number != order.number]
        after = trial.wallets[wallet.name]
        trial.fill(after, symbol, side, contracts, price, rate, leg)
        trial.drop_idle()
        position = after.held(symbol, side)
        assert position is not None
        slack = trial.slack(after, position if position.isolated else None, trial.mark)
        # Free margin may be used up, but the requirement must be kept by something.
        return min(trial.free(after), slack if slack > 0 else Fraction(-1))

    # ---- fills

    def book(self, symbol: str, side: int, contracts: Fraction) -> Fraction:
        """Average price at which the book takes an order now."""
        terms = self.terms
        best = self.last[symbol] * (1 + side * terms.spread / 2)
        if terms.liquidity is None:
            return best
        paid, left, level = ZERO, contracts, 0
        while left > 0:
            part = min(left, terms.liquidity)
            paid += part * (best + side * level * terms.tick)
            left, level = left - part, level + 1
        return paid / contracts

    def fill(
        self, wallet: Wallet, symbol: str, side: int, contracts: Fraction, price: Fraction,
        rate: Fraction, leg: int, kind: str = "fill",
    ) -> None:  # fmt: skip
        """Book a fill: close what stands against it, then open the rest."""
        terms = self.terms
        against = wallet.held(symbol, -side)
        closes = against is not None and (not wallet.hedged or leg == -side)
        closed = min(contracts, against.contracts) if against is not None and closes else ZERO
        if against is not None and closed:
            self.reduce(wallet, against, closed, price, rate)
            wallet.cash -= terms.value(closed, price) * rate
            if against.isolated and not against.contracts:
                self.cover(wallet, -against.margin)
            elif not against.contracts and not self.group(wallet, None):
                self.cover(wallet, -self.money(wallet, None))
        opened = contracts - closed
        if opened and not (wallet.hedged and closes):
            self.open(wallet, symbol, side, opened, price)
            wallet.cash -= terms.value(opened, price) * rate
        fee = terms.value(contracts, price) * rate
        self.trades.append(Trade(wallet.name, symbol, side, price, contracts, fee, kind))

    def reduce(
        self, wallet: Wallet, position: Position, contracts: Fraction, price: Fraction,
        rate: Fraction = ZERO,
    ) -> Fraction:  # fmt: skip
        """Close a part of a position, at a fee that is paid elsewhere; give the profit."""
        gain = self.terms.profit(position.side, contracts, position.entry, price)
        wallet.cash += gain
        released = position.margin * contracts / position.contracts
        loss = self.terms.value(contracts, price) * rate - gain
        if position.isolated:
            position.margin -= max(released, loss)
        position.contracts -= contracts
        if not position.contracts:
            wallet.positions.remove(position)
        return gain

    def cover(self, wallet: Wallet, lacking: Fraction) -> Fraction:
        """Let the fund and then the venue pay what is lacking; give what stays as a debt."""
        if lacking <= 0:
            return ZERO
        paid = min(lacking, self.fund) if self.terms.has_fund else ZERO
        self.fund -= paid
        wallet.cash += lacking if self.terms.forgives else paid
        return ZERO if self.terms.forgives else lacking - paid

    def open(
        self, wallet: Wallet, symbol: str, side: int, contracts: Fraction, price: Fraction
    ) -> None:
        """Open a position, or add to it."""
        terms, leverage = self.terms, wallet.leverage[symbol]
        held = wallet.held(symbol, side)
        if held is None:
            held = Position(symbol, side, ZERO, price, leverage, wallet.isolated[symbol])
            wallet.positions.append(held)
        total = held.contracts + contracts
        if terms.inverse:
            held.entry = total / (held.contracts / held.entry + contracts / price)
        else:
            held.entry = (held.contracts * held.entry + contracts * price) / total
        held.contracts = total
        if held.isolated:
            held.margin += terms.value(contracts, price) / leverage

    # ---- orders

    def market(self, name: str, symbol: str, side: int, contracts: Fraction, leg: int) -> None:
        """A market order."""
        price = self.book(symbol, side, contracts)
        self.fill(self.wallets[name], symbol, side, contracts, price, self.terms.taker, leg)
        self.drop_idle()

    def rest(
        self, name: str, symbol: str, side: int, contracts: Fraction, *,
        limit: Fraction | None = None, trigger: Fraction | None = None, above: bool = False,
        reduce: bool = False, leg: int = 0, trail: tuple[Fraction, Fraction] = (ZERO, ZERO),
    ) -> None:  # fmt: skip
        """An order that waits; in hedge mode, one against its position only makes that smaller.

        A trailing stop whose trigger is not given starts now.
        """
        self.count += 1
        reduce = reduce or leg == -side
        order = Order(
            self.count, name, symbol, side, contracts, limit, trigger, above, reduce, leg, trail
        )
        if trigger is None and limit is None:
            order.best = self.last[symbol]
            self.follow(order)
        self.orders.append(order)

    def follow(self, order: Order) -> None:
        """Let a trailing stop start where its price is reached, and then follow the best price."""
        if order.trail == (ZERO, ZERO) or (order.best is None and not self.reached(order)):
            return
        last, (amount, share) = self.last[order.symbol], order.trail
        order.best = (min if order.side > 0 else max)(last, order.best or last)
        order.above = order.side > 0
        order.trigger = order.best + order.side * (amount or share * order.best)

    def level(self, order: Order) -> Fraction:
        """Last price at which an order is reached: for a limit, that of the other side of the book."""
        if order.limit is not None:
            return order.limit / (1 + order.side * self.terms.spread / 2)
        assert order.trigger is not None
        return order.trigger

    def reached(self, order: Order) -> bool:
        """Whether an order is reached at the prices of now."""
        last, level = self.last[order.symbol], self.level(order)
        return last >= level if order.above else last <= level

    def work(self) -> bool:
        """Fill what is reached, oldest first; tell whether anything was."""
        filled = False
        for order in list(self.orders):
            if order not in self.orders:
                continue
            self.follow(order)
            if not self.reached(order):
                continue
            wallet = self.wallets[order.account]
            contracts = order.rest
            if order.reduce:
                held = wallet.held(order.symbol, -order.side)
                contracts = min(contracts, held.contracts) if held else ZERO
                order.rest = contracts
            if order.limit is not None:
                if self.terms.liquidity is not None:
                    contracts = min(contracts, self.terms.liquidity)
                price, rate = order.limit, self.terms.maker
            else:
                price, rate = self.book(order.symbol, order.side, contracts), self.terms.taker
            opens = self.opening(wallet, order.symbol, order.side, contracts, order.leg)
            given = (order.symbol, order.side, contracts, price, rate, order.leg)
            asks = opens and not order.reduce and self.terms.asks_again
            if asks and self.left_after(wallet, *given, order) < 0:
                self.orders.remove(order)
                continue
            self.fill(wallet, *given)
            order.rest -= contracts
            if not order.rest:
                self.orders.remove(order)
            filled = True
            self.drop_idle()
        return filled

    def drop_idle(self) -> None:
        """Reduce-only orders go when there is nothing left to reduce."""
        self.orders = [
            order
            for order in self.orders
            if not order.reduce or self.wallets[order.account].held(order.symbol, -order.side)
        ]

    # ---- time

    def bar(
        self,
        hour: int,
        last: Mapping[str, tuple[Fraction, Fraction, Fraction, Fraction]],
        mark: Mapping[str, tuple[Fraction, Fraction, Fraction, Fraction]],
    ) -> None:
        """Let a bar pass: open, high, low, close of each symbol, by last and by mark."""
        paths = {s: way(row, row) for s, row in last.items()}
        marks = {s: way(row, last[s]) for s, row in mark.items()}
        for number in range(4):
            ahead = {s: path[number] for s, path in paths.items()}
            mark_ahead = {s: path[number] for s, path in marks.items()}
            if number:
                self.walk(ahead, mark_ahead)
            self.last, self.mark = ahead, mark_ahead
            if number == 0 and self.terms.funding and hour % self.terms.funding_hours == 0:
                self.pay_funding()
            self.stand()

    def pay_funding(self) -> None:
        """A long pays when the rate is positive, on the mark."""
        for wallet in self.wallets.values():
            for p in wallet.positions:
                value = self.terms.value(p.contracts, self.mark[p.symbol])
                amount = -p.side * value * self.terms.funding
                wallet.cash += amount
                if p.isolated:
                    p.margin += amount

    def stand(self) -> None:
        """Let everybody react to the prices of this moment."""
        self.check_margins()
        if self.work():
            self.check_margins()

    def walk(self, last: Mapping[str, Fraction], mark: Mapping[str, Fraction]) -> None:
        """Go in straight lines to the next moment, and stand at what is met on the way."""
        at, here, here_mark = ZERO, dict(self.last), dict(self.mark)
        while True:
            shares = [
                share
                for share in (*self.order_shares(here, last), *self.margin_shares(here_mark, mark))
                if at < share < 1
            ]
            if not shares:
                return
            at = min(shares)
            self.last = {s: here[s] + at * (last[s] - here[s]) for s in here}
            self.mark = {s: here_mark[s] + at * (mark[s] - here_mark[s]) for s in here}
            self.stand()

    def order_shares(
        self, here: Mapping[str, Fraction], ahead: Mapping[str, Fraction]
    ) -> Iterator[Fraction]:
        """Where on the line orders are reached."""
        for order in self.orders:
            begin, end = here[order.symbol], ahead[order.symbol]
            if begin != end and not self.reached(order) and (end > begin) == order.above:
                yield (self.level(order) - begin) / (end - begin)

    def margin_shares(
        self, here: Mapping[str, Fraction], ahead: Mapping[str, Fraction]
    ) -> Iterator[Fraction]:
        """Where on the line groups meet their requirement."""
        for wallet in self.wallets.values():
            for group in self.groups(wallet):
                positions = self.group(wallet, group)
                corners = {ZERO, Fraction(1)}
                for p in positions:
                    begin, end = here[p.symbol], ahead[p.symbol]
                    for bound in self.terms.bounds[1:]:
                        price = p.contracts / bound if self.terms.inverse else bound / p.contracts
                        if begin != end and 0 < (price - begin) / (end - begin) < 1:
                            corners.add((price - begin) / (end - begin))
                yield from self.crossings(wallet, group, sorted(corners), here, ahead)

    def crossings(
        self, wallet: Wallet, group: Position | None, corners: list[Fraction],
        here: Mapping[str, Fraction], ahead: Mapping[str, Fraction],
    ) -> Iterator[Fraction]:  # fmt: skip
        """Where the slack of a group becomes zero, between corners of its tiers."""

        def marks(share: Fraction) -> dict[str, Fraction]:
            return {s: here[s] + share * (ahead[s] - here[s]) for s in here}

        for first, second in pairwise(corners):
            one = self.slack(wallet, group, marks(first))
            other = self.slack(wallet, group, marks(second))
            if one <= 0 or other > 0:
                continue
            if not self.terms.inverse:
                yield first + (second - first) * one / (one - other)
                continue
            # The slack is linear in 1 / price, and an inverse wallet has one symbol.
            (symbol,) = {p.symbol for p in self.group(wallet, group)}
            low, high = 1 / marks(first)[symbol], 1 / marks(second)[symbol]
            price = 1 / (low + (high - low) * one / (one - other))
            yield (price - here[symbol]) / (ahead[symbol] - here[symbol])

    # ---- closing by force

    def check_margins(self) -> None:
        """Close what does not keep its requirement, in the order of the accounts' names.

        A debt of one may bring another down, so it is asked until everything left keeps it.
        """
        for name in sorted(self.wallets):
            wallet = self.wallets[name]
            while failing := [
                group for group in self.groups(wallet) if self.slack(wallet, group, self.mark) <= 0
            ]:
                self.liquidate(wallet, failing[0])

    def liquidate(self, wallet: Wallet, group: Position | None) -> None:
        """Close a group step by step, until what is left keeps its requirement."""
        self.orders = [
            order
            for order in self.orders
            if order.account != wallet.name or (group and order.symbol != group.symbol)
        ]
        debt = ZERO
        while True:
            positions = [p for p in self.group(wallet, group) if p in wallet.positions]
            if not positions or self.slack(wallet, group, self.mark) > 0:
                return
            equity = self.money(wallet, group) + sum(map(self.at_mark, positions), ZERO)
            if equity > 0 and self.terms.partial and self.cut_down(wallet, group, positions):
                continue
            loser = min(positions, key=self.at_mark)
            debt += self.close_whole(wallet, group, loser, equity, debt)

    def at_mark(self, p: Position) -> Fraction:
        """Open profit of a position."""
        return self.terms.profit(p.side, p.contracts, p.entry, self.mark[p.symbol])

    def cut_down(self, wallet: Wallet, group: Position | None, positions: list[Position]) -> bool:
        """Cut the largest position above the first tier to the top of the tier below."""
        terms = self.terms
        large = [
            p for p in positions if terms.tier(terms.value(p.contracts, self.mark[p.symbol])) > 0
        ]
        if not large:
            return False
        p = max(large, key=lambda p: terms.value(p.contracts, self.mark[p.symbol]))
        mark = self.mark[p.symbol]
        bound = terms.bounds[terms.tier(terms.value(p.contracts, mark))]
        most = bound * mark if terms.inverse else bound / mark
        keep = most // terms.lot * terms.lot
        self.force(wallet, group, p, p.contracts - keep)
        return True

    def force(
        self, wallet: Wallet, group: Position | None, p: Position, contracts: Fraction
    ) -> None:
        """Close contracts at the mark: the result, the fee and the liquidation fee."""
        terms, mark = self.terms, self.mark[p.symbol]
        side, whole = p.side, contracts == p.contracts
        before = p.margin
        gain = self.reduce(wallet, p, contracts, mark)
        if p.isolated:
            # Nothing is released by force: the margin stays, and bears the result.
            p.margin = before + gain
        fees = ZERO
        for rate, to_fund in ((terms.taker, False), (terms.liquidation, True)):
            left = p.margin if p.isolated else self.money(wallet, None)
            rest = [] if whole and p.isolated else self.group(wallet, group)
            left += sum((self.at_mark(q) for q in rest), ZERO)
            fee = min(terms.value(contracts, mark) * rate, max(left, ZERO))
            wallet.cash -= fee
            if p.isolated:
                p.margin -= fee
            fees += fee
            if to_fund and terms.has_fund:
                self.fund += fee
        self.trades.append(
            Trade(wallet.name, p.symbol, -side, mark, contracts, fees, "liquidation")
        )

    def close_whole(
        self, wallet: Wallet, group: Position | None, p: Position, equity: Fraction, debt: Fraction
    ) -> Fraction:
        """Close a whole position, and let others cover what its loss explains of what is lacking.

        Returns what nobody covers; `debt` is what nobody covered of those that were closed before.
        """
        terms, side, last = self.terms, p.side, len(self.group(wallet, group)) == 1
        loss, contracts = -self.at_mark(p), p.contracts
        lacking = min(-equity - debt, loss)
        held = self.fund if terms.has_fund else ZERO
        if lacking > held and terms.deleverages:
            backing = loss - lacking
            if terms.inverse:
                bankrupt = 1 / (1 / p.entry + side * backing / contracts)
            else:
                bankrupt = p.entry - side * backing / contracts
            wanted = contracts * (lacking - held) / lacking
            lacking *= 1 - self.deleverage(wallet, p, wanted, bankrupt) / contracts
        if p in wallet.positions:
            self.force(wallet, group, p, p.contracts)
        self.drop_idle()
        left = p.margin if p.isolated else self.money(wallet, None)
        if last:
            lacking = -left - debt
        if lacking > 0:
            return self.cover(wallet, lacking)
        if last and left > 0 and terms.has_fund and not terms.keeps_rest:
            wallet.cash -= left
            self.fund += left
        return ZERO

    def deleverage(
        self, wallet: Wallet, p: Position, wanted: Fraction, price: Fraction
    ) -> Fraction:
        """Close winners on the other side at the bankruptcy price, in whole lots; give how much."""
        terms, symbol, side = self.terms, p.symbol, p.side
        winners = [
            (other, held)
            for other in self.wallets.values()
            if other is not wallet and (held := other.held(symbol, -side))
        ]
        lots = -(-wanted // terms.lot) * terms.lot
        left = lots
        for other, held in sorted(winners, key=lambda pair: self.rank(*pair), reverse=True):
            part = min(left, held.contracts)
            here = terms.profit(held.side, part, held.entry, self.mark[symbol])
            there = terms.profit(held.side, part, held.entry, price)
            group = held if held.isolated else None
            if part and there > 0 and self.slack(other, group, self.mark) > here - there:
                for owner, closed, way_out in ((wallet, p, -side), (other, held, side)):
                    self.reduce(owner, closed, part, price)
                    self.trades.append(
                        Trade(owner.name, symbol, way_out, price, part, ZERO, "auto-deleveraging")
                    )
                self.drop_idle()
                left -= part
        return lots - left

    def rank(self, wallet: Wallet, p: Position) -> Fraction:
        """In profit the return on margin times the effective leverage, in loss divided by it."""
        terms, gain = self.terms, self.at_mark(p)
        margin = p.margin if p.isolated else terms.value(p.contracts, p.entry) / p.leverage
        group = p if p.isolated else None
        equity = self.money(wallet, group) + sum(map(self.at_mark, self.group(wallet, group)), ZERO)
        effective = terms.value(p.contracts, self.mark[p.symbol]) / equity
        return gain / margin * effective if gain > 0 else gain / margin / effective


def way(row: tuple[Any, Any, Any, Any], traded: tuple[Any, Any, Any, Any]) -> tuple[Any, ...]:
    """The four prices of a bar in the order in which they come; traded prices decide which."""
    first, high, low, close = row
    rises = traded[3] >= traded[0]
    return (first, low, high, close) if rises else (first, high, low, close)
