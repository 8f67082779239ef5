"""The clock: rows of prices come in, and what is due happens in its order.

Inside a bar the price moves in a straight line. What happens first on that line happens first:
the exact point is found, the prices stand there for a moment, and the walk goes on.

Within one millisecond the order is: funding and other costs that fall due are settled on the mark,
then positions that do not keep their requirement are closed, then orders fill. Who comes in at the
moment of a settlement does not take part in it, and who is still in does.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

import numpy as np

from leverage.paper.bands import Bands, bands_of
from leverage.paper.closing import check_calls, check_margins, liquidate
from leverage.paper.holding_costs import charge_due, next_due
from leverage.paper.instruments import closing_price, standing
from leverage.paper.matching import touch_level, work_orders
from leverage.paper.state import Order, Prices
from leverage.paper.tape import view
from leverage.paper.world import MarginGroup, World

# Halvings that bring a bracket down to neighbouring floats.
_HALVINGS = 80


class Engine:
    """Moves a world forward in time.

    Parameters
    ----------
    world : World
        What is moved.

    Attributes
    ----------
    last_row : int
        Number of the last row of the tape.
    grids : dict of str to (int, int)
        Start of the first bar and what a bar lasts, in milliseconds, by symbol.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self._bands: Bands | None = None
        opens = [track.is_open for track in world.tape.tracks.values()]
        changes = np.zeros(world.tape.time.size, dtype=bool)
        for is_open in opens:
            changes[1:] |= is_open[1:] != is_open[:-1]
        self._changes = np.flatnonzero(changes)
        self._set_row: int | None = None
        # Views give plain floats faster than arrays do.
        self._views = {
            symbol: (view(track.last), view(track.mark), view(track.index))
            for symbol, track in world.tape.tracks.items()
        }
        self._times = view(world.tape.time)
        self.last_row = len(self._times) - 1
        self.grids = {
            symbol: (int(track.bars.time[0]), track.bars.length)
            for symbol, track in world.tape.tracks.items()
        }

    def begin(self) -> None:
        """Stand at the first row."""
        world = self.world
        state, tape = world.state, world.tape
        state.row, state.now = 0, int(tape.time[0])
        state.prices = self._prices_at(0)
        for symbol, source in world.funding.items():
            due = source.next_due(state.now)
            if due is not None:
                state.funding_due[symbol] = due

    def run(self, target: int, *, every_row: bool = False) -> int:
        """Go to a row.

        Parameters
        ----------
        target : int
            Row to stand at.
        every_row : bool, default False
            Work through every row, also where nothing can happen. The result is the same.

        Returns
        -------
        int
            Rows passed.
        """
        world = self.world
        state = world.state
        target = min(target, self.last_row)
        begin = state.row
        while state.row < target:
            if every_row:
                self._advance(state.row + 1)
                continue
            if self._bands is None or self._bands.revision != world.revision:
                self._bands = bands_of(world)
                self._set_row = None
            if self._set_row is None:
                self._set_row = self._next_set_row()
            end = min(target + 1, self._set_row)
            row = self._bands.first_outside(state.row + 1, end)
            if row - 1 > state.row:
                self._stand_at(row - 1)
            if row <= target:
                self._advance(row)
                self._bands = None
                self._set_row = None
        return state.row - begin

    def row_at(self, moment: int) -> int:
        """Last row at or before a moment."""
        # From here the row is mostly near; a bar has four.
        begin = self.world.state.row
        near = min(begin + 16, len(self._times))
        row = bisect_right(self._times, moment, begin, near)
        if row in (begin, near):
            row = bisect_right(self._times, moment)
        return row - 1

    def row_of_close(self, count: int, begin: int, length: int) -> int:
        """Row at which the next bars close, `count` of them, and always one that lies ahead.

        Parameters
        ----------
        count : int
            How many bars; missing ones are passed like any other.
        begin, length : int
            Start of any of the bars and what they last, in milliseconds; 0 where a tick is a bar.
        """
        state = self.world.state
        if not length:
            return state.row + count
        number = (state.now + 1 - begin) // length + count
        return max(self.row_at(begin + number * length - 1), state.row + 1)

    def _next_set_row(self) -> int:
        """First row after this one at which something is due or a market opens or closes."""
        world = self.world
        row, time = world.state.row, world.tape.time
        place = int(np.searchsorted(self._changes, row, side="right"))
        first = int(self._changes[place]) if place < self._changes.size else self.last_row + 1
        due = next_due(world)
        if due is not None:
            first = min(first, max(int(np.searchsorted(time, due)), row + 1))
        return first

    def _prices_at(self, row: int) -> dict[str, Prices]:
        return {
            symbol: Prices(last[row], mark[row], index[row])
            for symbol, (last, mark, index) in self._views.items()
        }

    def _stand_at(self, row: int) -> None:
        state = self.world.state
        state.row, state.now = row, self._times[row]
        state.prices = self._prices_at(row)

    def _advance(self, row: int) -> None:
        """Work through one row."""
        world = self.world
        state, tracks = world.state, world.tape.tracks
        joined = [symbol for symbol, track in tracks.items() if track.is_joined[row]]
        targets, arrival = self._prices_at(row), self._times[row]
        begin, departure = state.prices, state.now
        is_there = False
        while not is_there:
            due = next_due(world)
            if due is not None and due < arrival:
                share = (due - departure) / (arrival - departure)
                self._settle_at(due, joined, _between_all(begin, targets, share, joined))
            else:
                walked = self._walk(joined, targets, arrival, is_settled=due == arrival)
                is_there = walked is not None
        was_open = {symbol: world.is_open(symbol) for symbol in tracks}
        state.row, state.now = row, arrival
        state.prices = targets
        for symbol, before in was_open.items():
            if world.is_open(symbol) != before:
                kind = "outage" if before else "reopened"
                words = "has no prices" if before else "has prices again"
                world.record(kind, "", symbol, f"The history of {symbol} {words}.")
        charge_due(world)
        self._tick()

    def _settle_at(self, due: int, joined: Sequence[str], there: dict[str, Prices]) -> None:
        """Go to a settlement between two rows, or to one that a fill on the way has brought."""
        state = self.world.state
        is_met = self._walk(joined, there, due, is_settled=True)
        if is_met is None:
            return
        state.prices, state.now = there, due
        charge_due(self.world)
        if is_met:
            self._tick()
        else:
            # No tick of the history, so nothing more fills; but what was paid may be too much.
            check_margins(self.world)
            check_calls(self.world)

    def _tick(self) -> None:
        world = self.world
        check_margins(world)
        if work_orders(world):
            check_margins(world)
        check_calls(world)

    # ---- the way inside a bar

    def _walk(
        self,
        joined: Sequence[str],
        targets: dict[str, Prices],
        arrival: int,
        *,
        is_settled: bool,
    ) -> bool | None:
        """Stop at everything that the prices meet on their line to a moment.

        Returns
        -------
        bool or None
            Whether something is met at the end of the line, where the caller lets it happen once,
            or in the same millisecond as a settlement, which comes first;
            None where a fill on the way has brought a cost that falls due before the moment.
        """
        world = self.world
        state = world.state
        begin, departure = state.prices, state.now
        passed = 0.0
        while joined:
            found = self._first_event(joined, targets)
            if found is None:
                break
            share, event = found
            passed += (1 - passed) * share
            now = departure + round(passed * (arrival - departure))
            if share >= 1 or (is_settled and now >= arrival):
                return True
            here = _between_all(state.prices, targets, share, joined)
            if isinstance(event, Order):
                _put_on(
                    here[event.symbol], begin[event.symbol], event, _waiting_level(world, event)
                )
            state.prices = here
            state.now = now
            if isinstance(event, Order):
                self._tick()
            else:
                group, symbol, price = event
                if price is not None:
                    _put_mark(here[symbol], price)
                liquidate(world, group, at_once=True)
                self._tick()
            due = next_due(world)
            if due is not None and due < arrival:
                return None
        return False

    def _first_event(
        self, joined: Sequence[str], targets: dict[str, Prices]
    ) -> tuple[float, Order | tuple[MarginGroup, str, float | None]] | None:
        """Return what comes first on the line, and the share of the line up to there."""
        world = self.world
        here = world.state.prices
        best: tuple[float, Order | tuple[MarginGroup, str, float | None]] | None = None
        ahead = {**here, **{symbol: targets[symbol] for symbol in joined}}
        for name in sorted(world.state.accounts):
            for group in world.margin_groups(world.state.accounts[name]):
                if not any(p.symbol in joined for p in group.positions):
                    continue
                equity, need = standing(world.instruments, group.positions, group.cash, ahead)
                if equity > need:
                    continue
                share, symbol, price = self._meeting_point(group, joined, here, ahead)
                if best is None or share < best[0]:
                    best = share, (group, symbol, price)
        for order in world.state.working.values():
            if order.symbol not in joined:
                continue
            share_of_order = _share_to(world, order, here[order.symbol], ahead[order.symbol])
            if share_of_order is not None and (best is None or share_of_order < best[0]):
                best = share_of_order, order
        return best

    def _meeting_point(
        self,
        group: MarginGroup,
        joined: Sequence[str],
        here: dict[str, Prices],
        ahead: dict[str, Prices],
    ) -> tuple[float, str, float | None]:
        """Share of the line at which a group meets its requirement, and the mark if it is exact."""
        instruments = self.world.instruments
        equity, need = standing(instruments, group.positions, group.cash, here)
        if equity <= need:
            return 0.0, "", None
        moving = [p for p in group.positions if p.symbol in joined]
        if len(moving) == 1:
            position = moving[0]
            price = closing_price(instruments, position, group.positions, group.cash, here)
            start, stop = here[position.symbol].mark, ahead[position.symbol].mark
            if min(start, stop) <= price <= max(start, stop) and start != stop:
                return (price - start) / (stop - start), position.symbol, price
        low, high = 0.0, 1.0
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            if middle in (low, high):
                break
            there = _between_all(here, ahead, middle, joined)
            equity, need = standing(instruments, group.positions, group.cash, there)
            low, high = (middle, high) if equity > need else (low, middle)
        return high, "", None


def _between(here: Prices, ahead: Prices, share: float) -> Prices:
    return Prices(
        here.last + share * (ahead.last - here.last),
        here.mark + share * (ahead.mark - here.mark),
        here.index + share * (ahead.index - here.index),
    )


def _between_all(
    here: dict[str, Prices], ahead: dict[str, Prices], share: float, joined: Sequence[str]
) -> dict[str, Prices]:
    """Give the prices at a share of the way; those that jump stay until they do."""
    return {
        symbol: _between(now, ahead[symbol], share) if symbol in joined else now
        for symbol, now in here.items()
    }


def _put_mark(prices: Prices, mark: float) -> None:
    """Set a mark exactly; last and index follow where they were the same."""
    if prices.last == prices.mark:
        prices.last = mark
    if prices.index == prices.mark:
        prices.index = mark
    prices.mark = mark


def _put_on(prices: Prices, begin: Prices, order: Order, level: float) -> None:
    """Set the price that an order waits for exactly; the others follow where they are the same."""
    kind = order.trigger_on if order.trigger_way else "last"
    same = [
        name
        for name in ("last", "mark", "index")
        if getattr(prices, name) == getattr(prices, kind)
        and getattr(begin, name) == getattr(begin, kind)
    ]
    for name in {kind, *same}:
        setattr(prices, name, level)


def _waiting_level(world: World, order: Order) -> float:
    if order.trigger_way:
        assert order.trigger is not None
        return order.trigger
    return touch_level(world, order)


def _share_to(world: World, order: Order, here: Prices, ahead: Prices) -> float | None:
    """Share of the line up to where an order is reached; None if it is not."""
    if order.trigger_way:
        if order.trigger is None:
            return None
        start, stop, way = (
            getattr(here, order.trigger_on),
            getattr(ahead, order.trigger_on),
            order.trigger_way,
        )
        level = order.trigger
    elif order.price is not None and order.is_active:
        start, stop, way, level = here.last, ahead.last, -order.side, touch_level(world, order)
    else:
        return None
    if way * (start - level) >= 0 or way * (stop - level) < 0:
        return None
    return float((level - start) / (stop - start))
