"""Prices between which nothing can happen, and the search for the first row outside them.

A band is never too wide, so a row inside it needs no work; it may be too narrow, and then a row is
looked at for nothing. Ledgers are therefore the same with and without bands.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf

import numpy as np

from leverage._validate import FloatArray
from leverage.paper.instruments import Instrument
from leverage.paper.matching import touch_level, touches, trail
from leverage.paper.state import Order, Position
from leverage.paper.tape import view
from leverage.paper.world import MarginGroup, World

# Slack is cut by this share, against rounding.
_CAUTION = 1 - 1e-9
_CHUNKS = (8, 256, 4096, 65_536)
_FEW = 8

Limits = dict[str, list[float]]


@dataclass
class Bands:
    """Limits by symbol and price, and the trailing orders to follow.

    Attributes
    ----------
    watched : list of (array, low, high)
        Prices to come, and the limits that they must stay strictly between.
    views : list of (memoryview, low, high)
        The same, for looking at a few rows.
    trailing : list of (array, order)
        Prices to come that an active trailing order follows.
    revision : int
        State for which they hold.
    """

    watched: list[tuple[FloatArray, float, float]] = field(default_factory=list)
    views: list[tuple[memoryview, float, float]] = field(default_factory=list)
    trailing: list[tuple[FloatArray, Order]] = field(default_factory=list)
    revision: int = -1

    def first_outside(self, begin: int, end: int) -> int:
        """Return the first row from `begin` at which something may happen; `end` if there is none."""
        if end - begin <= _FEW and not self.trailing:
            # The way of a caller who stops at every bar.
            return self._search_few(begin, end)
        start, number = begin, 0
        while start < end:
            stop = min(start + _CHUNKS[min(number, len(_CHUNKS) - 1)], end)
            found = self._search(start, stop)
            if found < stop:
                self.follow(start, found)
                return found
            self.follow(start, stop)
            start, number = stop, number + 1
        return end

    def _search(self, start: int, stop: int) -> int:
        if stop - start <= _FEW and not self.trailing:
            return self._search_few(start, stop)
        first = stop
        for prices, low, high in self.watched:
            part = prices[start:first]
            if low > 0.0:
                outside = (part <= low) | (part >= high) if high < inf else part <= low
            else:
                outside = part >= high
            place = int(outside.argmax()) if part.size else 0
            if part.size and outside[place]:
                first = start + place
        for prices, order in self.trailing:
            part = prices[start:first]
            if not part.size:
                continue
            assert order.best is not None
            if order.side > 0:
                best = np.minimum(np.minimum.accumulate(part), order.best)
            else:
                best = np.maximum(np.maximum.accumulate(part), order.best)
            away = order.trail_amount or best * order.trail_rate
            outside = order.side * (part - (best + order.side * away)) >= 0
            place = int(outside.argmax())
            if outside[place]:
                first = start + place
        return first

    def _search_few(self, start: int, stop: int) -> int:
        for row in range(start, stop):
            for prices, low, high in self.views:
                if not low < prices[row] < high:
                    return row
        return stop

    def follow(self, start: int, stop: int) -> None:
        """Let trailing orders follow the prices of rows that were passed."""
        for prices, order in self.trailing:
            if stop > start:
                part = prices[start:stop]
                trail(order, float(part.min() if order.side > 0 else part.max()))


def bands_of(world: World) -> Bands:
    """Bands around the prices of this moment."""
    limits: dict[str, Limits] = {
        symbol: {"last": [0.0, inf], "mark": [0.0, inf], "index": [0.0, inf]}
        for symbol in world.instruments
    }
    bands = Bands(revision=world.revision)
    for order in world.state.working.values():
        track = world.tape.tracks[order.symbol]
        if order.is_trailing and order.trigger_way and order.best is not None:
            bands.trailing.append((getattr(track, order.trigger_on), order))
        else:
            _limit_by_order(world, order, limits[order.symbol])
    factor = world.rules.call_factor
    for account in world.state.accounts.values():
        stale = set(account.called)
        for group in world.margin_groups(account):
            equity, need = world.standing(group)
            _limit_by_group(world, group, equity - need, 1.0, limits, both_ways=False)
            if factor > 1:
                slack = equity - factor * need
                _limit_by_group(world, group, abs(slack), factor, limits, both_ways=True)
                # A call that a deposit or a trade has settled since is taken back at the next row.
                if (slack <= 0) == (group.name in account.called):
                    stale.discard(group.name)
                else:
                    stale.add(group.name)
        if stale:
            for kinds in limits.values():
                _shut(kinds["last"])
    for symbol, kinds in limits.items():
        track = world.tape.tracks[symbol]
        for kind, (low, high) in kinds.items():
            if low > 0.0 or high < inf:
                prices = getattr(track, kind)
                bands.watched.append((prices, low, high))
                bands.views.append((view(prices), low, high))
    return bands


def _limit_by_order(world: World, order: Order, kinds: Limits) -> None:
    if order.trigger_way:
        if order.trigger is None:
            _shut(kinds["last"])
        else:
            _narrow(kinds[order.trigger_on], order.trigger_way, order.trigger)
    elif touches(world, order):
        _shut(kinds["last"])
    elif order.price is not None:
        _narrow(kinds["last"], -order.side, touch_level(world, order))


def _narrow(limits: list[float], way: int, level: float) -> None:
    if way > 0:
        limits[1] = min(limits[1], level)
    else:
        limits[0] = max(limits[0], level)


def _shut(limits: list[float]) -> None:
    limits[0] = inf


def _limit_by_group(
    world: World,
    group: MarginGroup,
    slack: float,
    factor: float,
    limits: dict[str, Limits],
    *,
    both_ways: bool,
) -> None:
    """Share the slack of a group out over its positions, and narrow the limits of their marks."""
    prices = world.state.prices
    values = [
        world.instruments[p.symbol].value(p.contracts, prices[p.symbol].mark)
        for p in group.positions
    ]
    total = sum(values)
    for position, value in zip(group.positions, values, strict=True):
        kinds = limits[position.symbol]
        if slack <= 0 or not total:
            _shut(kinds["mark"])
            continue
        instrument = world.instruments[position.symbol]
        mark = prices[position.symbol].mark
        share = slack * _CAUTION * value / total
        against, either = instrument.steepness(position, factor)
        if both_ways:
            for way in (-1, 1):
                _narrow(kinds["mark"], way, _moved(instrument, mark, way, share / either))
        else:
            way = -position.side
            _narrow(kinds["mark"], way, _moved(instrument, mark, way, share / against))
        if not instrument.is_smooth and instrument.rates[-1] > 0:
            _stay_in_tier(instrument, position, mark, kinds["mark"])


def _moved(instrument: Instrument, mark: float, way: int, room: float) -> float:
    """Price that is a room away, which for an inverse contract is one in 1/price."""
    if not instrument.inverse:
        return max(mark + way * room, 0.0)
    turned = 1 / mark - way * room
    return 1 / turned if turned > 0 else inf


def _stay_in_tier(
    instrument: Instrument, position: Position, mark: float, limits: list[float]
) -> None:
    """Stop at the bounds of the tier, where the requirement jumps."""
    tier = instrument.tier(position.contracts, mark)
    size = position.contracts * instrument.size
    bounds = (0.0, *instrument.inner, inf)
    for bound in (bounds[tier], bounds[tier + 1]):
        if 0 < bound < inf:
            price = size / bound if instrument.inverse else bound / size
            _narrow(limits, 1 if price >= mark else -1, price)
