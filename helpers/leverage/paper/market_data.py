"""Market data as a ccxt exchange gives it: everybody may ask."""

from __future__ import annotations

from copy import deepcopy
from math import inf
from typing import Any

import numpy as np

from leverage._grid import nearest_to
from leverage.bars import MINUTE, begin_of, length_of
from leverage.paper.exchange_errors import BadRequest, NotSupported
from leverage.paper.face import Face, Params
from leverage.paper.fills import touch_price
from leverage.paper.formats import iso
from leverage.paper.replies import last_asked, limited, tier_dicts, times
from leverage.paper.tape import TICKS_A_BAR

DAY = 86_400_000
# Shown at each level of the book where any size is taken at the best price.
_SHOWN_DEPTH = 1_000.0


class MarketData(Face):
    """Markets, prices, book, tiers and funding rates."""

    def fetch_markets(self, params: Params = None) -> list[dict[str, Any]]:
        """List the markets."""
        return [deepcopy(market) for market in self.markets.values()]

    def fetch_currencies(self, params: Params = None) -> dict[str, Any]:
        """Currencies by code."""
        return {code: deepcopy(one) for code, one in self.currencies.items()}

    def fetch_time(self, params: Params = None) -> int:
        """Time on the exchange, in milliseconds."""
        return self.milliseconds()

    def fetch_status(self, params: Params = None) -> dict[str, Any]:
        """Tell whether the exchange works: ``"ok"``, or ``"maintenance"`` in an outage."""
        is_open = any(self._world.is_open(symbol) for symbol in self._world.instruments)
        return {
            "status": "ok" if is_open else "maintenance",
            "updated": self.milliseconds(),
            "eta": None,
            "url": None,
            "info": {},
        }

    def fetch_ticker(self, symbol: str, params: Params = None) -> dict[str, Any]:
        """Prices of a market now and over the last day."""
        symbol = self.market(symbol)["symbol"]
        world = self._world
        state, track = world.state, world.tape.tracks[symbol]
        time = world.tape.time
        begin = int(np.searchsorted(time, state.now - DAY, side="right"))
        window = track.last[begin : state.row + 1]
        last, opening = float(window[-1]), float(window[0])
        bars = track.bars
        done = (bars.time > state.now - DAY) & (bars.time + max(bars.length, 1) <= state.now)
        base = float(bars.volume[done].sum())
        quote = float((bars.volume[done] * bars.prices[done, 3]).sum())
        tick = world.instruments[symbol].market.tick_size
        bid, ask = self._best(symbol, tick)
        change = last - opening
        return {
            "info": {},
            "symbol": symbol,
            **times(self._newest_price(symbol)),
            "high": float(window.max()),
            "low": float(window.min()),
            "bid": bid,
            "bidVolume": self._depth(),
            "ask": ask,
            "askVolume": self._depth(),
            "vwap": quote / base if base else None,
            "open": opening,
            "close": last,
            "last": last,
            "previousClose": None,
            "change": change,
            "percentage": change / opening * 100,
            "average": (opening + last) / 2,
            "baseVolume": base,
            "quoteVolume": quote,
            "markPrice": state.prices[symbol].mark,
            "indexPrice": state.prices[symbol].index,
        }

    def fetch_tickers(
        self, symbols: list[str] | None = None, params: Params = None
    ) -> dict[str, dict[str, Any]]:
        """Tickers by symbol."""
        wanted = self.symbols if symbols is None else symbols
        tickers = [self.fetch_ticker(symbol) for symbol in wanted]
        return {ticker["symbol"]: ticker for ticker in tickers}

    def fetch_ohlcv(
        self,
        symbol: str,
        timeframe: str | None = None,
        since: int | None = None,
        limit: int | None = None,
        params: Params = None,
    ) -> list[list[float]]:
        """Bars up to now, the running one last with the prices so far.

        How much has traded in a bar is known when it has ended; until then its volume is zero.

        Parameters
        ----------
        symbol : str
            Market.
        timeframe : str, optional
            One of `timeframes`, of which a bar of the market is a part; its own if left out, and a
            minute for ticks.
        since, limit : int, optional
            First time in milliseconds, and the number of bars.
        params : dict, optional
            ``until``, the last start of a bar to give. There are bars of traded prices only.

        Returns
        -------
        list of list
            Start, open, high, low, close, volume.
        """
        given = params or {}
        until = last_asked(since, limit, params)
        if given.get("price"):
            raise NotSupported(
                f"there are no bars of the {given['price']} price; the ticker tells it of now"
            )
        symbol = self.market(symbol)["symbol"]
        own = self._world.tracks_length(symbol)
        length = own or MINUTE if timeframe is None else self._length(symbol, timeframe)
        # Of a long history only the newest bars are read where no others are asked for.
        count = None
        if limit is not None and since is None and until is None:
            count = (limit + 1) * (length // (own or 1))
        rows = self._bars_until_now(symbol, count)
        if length != own:
            rows = _merged(rows, length)
        kept = [
            row
            for row in rows
            if (since is None or row[0] >= since) and (until is None or row[0] <= until)
        ]
        if limit is not None:
            kept = kept[:limit] if since is not None else kept[-limit:]
        return kept

    def fetch_order_book(
        self, symbol: str, limit: int | None = None, params: Params = None
    ) -> dict[str, Any]:
        """Order book made of `spread` and `liquidity`: levels one tick apart around the price.

        Without a liquidity any size is taken at the best price, and 1 000 stand at each level.
        Without a spread orders are taken at the last price, which lies between the two best ones: no
        book shows both at one price.
        """
        symbol = self.market(symbol)["symbol"]
        tick = self._world.instruments[symbol].market.tick_size
        bid, ask = self._best(symbol, tick)
        depth = self._depth()
        levels = range(10 if limit is None else limit)
        bids = [[nearest_to(bid - level * tick, tick), depth] for level in levels]
        asks = [[nearest_to(ask + level * tick, tick), depth] for level in levels]
        return {
            "symbol": symbol,
            "bids": [level for level in bids if level[0] > 0],
            "asks": asks,
            **times(self.milliseconds()),
            "nonce": self._world.state.row,
        }

    def fetch_l2_order_book(
        self, symbol: str, limit: int | None = None, params: Params = None
    ) -> dict[str, Any]:
        """Order book by levels, which it is anyway."""
        return self.fetch_order_book(symbol, limit, params)

    def fetch_trades(
        self,
        symbol: str,
        since: int | None = None,
        limit: int | None = None,
        params: Params = None,
    ) -> list[dict[str, Any]]:
        """Public trades, made up: one for each tick of the history, a purchase where it rose.

        They share out the volume of their bar; while it runs they are of the smallest size.
        """
        until = last_asked(since, limit, params)
        symbol = self.market(symbol)["symbol"]
        world = self._world
        track, time, row = world.tape.tracks[symbol], world.tape.time, world.state.row
        if until is not None:
            row = min(row, int(np.searchsorted(time, until, side="right")) - 1)
        count = 500 if limit is None else min(limit, 5_000)
        first = 0 if since is None else int(np.searchsorted(time, since))
        first = max(first, row + 1 - count) if since is None else first
        bars, state = track.bars, world.state
        instrument = world.instruments[symbol]
        trades: list[dict[str, Any]] = []
        for number in range(first, row + 1):
            if len(trades) >= count or not track.is_open[number]:
                continue
            price = float(track.last[number])
            before = float(track.last[number - 1]) if number else price
            bar = max(int(track.bar[number]), 0)
            known = (
                float(bars.volume[bar]) if bars.time[bar] + bars.length <= state.now + 1 else 0.0
            )
            amount = max(known / TICKS_A_BAR, instrument.market.lot_size)
            trades.append(
                {
                    "info": {"synthetic": True},
                    "id": str(number + 1),
                    "order": None,
                    **times(int(time[number])),
                    "symbol": symbol,
                    "type": None,
                    "side": "buy" if price >= before else "sell",
                    "takerOrMaker": "taker",
                    "price": price,
                    "amount": amount,
                    "cost": instrument.value(amount, price),
                    "fee": None,
                    "fees": [],
                }
            )
        return trades

    def fetch_leverage_tiers(
        self, symbols: list[str] | None = None, params: Params = None
    ) -> dict[str, list[dict[str, Any]]]:
        """Leverage tiers by symbol."""
        wanted = self.symbols if symbols is None else symbols
        return {symbol: self.fetch_market_leverage_tiers(symbol) for symbol in wanted}

    def fetch_market_leverage_tiers(
        self, symbol: str, params: Params = None
    ) -> list[dict[str, Any]]:
        """Leverage tiers of a market."""
        return tier_dicts(self._world.instruments[self.market(symbol)["symbol"]])

    def fetch_funding_rate(self, symbol: str, params: Params = None) -> dict[str, Any]:
        """Funding rate as it is known now, and when the next one settles.

        A fixed rate is the one that settles next, a model's is an estimate from the prices of now.
        Of dated rates only those that have settled are known: the last of them is given, none
        before the first. ``info`` says which of the three it is.

        Raises
        ------
        NotSupported
            If no funding is charged on the market.
        """
        symbol = self.market(symbol)["symbol"]
        world = self._world
        source = world.funding.get(symbol)
        if source is None:
            raise NotSupported(f"no funding is charged on {symbol} here; see the rules")
        state = world.state
        due = state.funding_due.get(symbol)
        prices = state.prices[symbol]
        settled = state.rates.get(symbol, [])
        rate = source.known_rate(prices, settled[-1][1] if settled else None)
        hours = source.interval / 3_600_000
        return {
            "info": {"fundingRate": source.kind},
            "symbol": symbol,
            "markPrice": prices.mark,
            "indexPrice": prices.index,
            "interestRate": source.model.interest_rate if source.model else None,
            "estimatedSettlePrice": None,
            **times(state.now),
            "fundingRate": rate,
            "fundingTimestamp": due,
            "fundingDatetime": None if due is None else iso(due),
            "nextFundingRate": None,
            "nextFundingTimestamp": None,
            "nextFundingDatetime": None,
            "previousFundingRate": settled[-1][1] if settled else None,
            "previousFundingTimestamp": settled[-1][0] if settled else None,
            "previousFundingDatetime": iso(settled[-1][0]) if settled else None,
            "interval": f"{hours:g}h" if source.interval else None,
        }

    def fetch_funding_rates(
        self, symbols: list[str] | None = None, params: Params = None
    ) -> dict[str, dict[str, Any]]:
        """Funding rates by symbol, of the markets that have one."""
        wanted = list(self._world.funding) if symbols is None else symbols
        return {symbol: self.fetch_funding_rate(symbol) for symbol in wanted}

    def fetch_funding_rate_history(
        self,
        symbol: str | None = None,
        since: int | None = None,
        limit: int | None = None,
        params: Params = None,
    ) -> list[dict[str, Any]]:
        """Funding rates that were settled, oldest first."""
        wanted = self.symbols if symbol is None else [self.market(symbol)["symbol"]]
        entries = [
            {"info": {}, "symbol": name, "fundingRate": rate, **times(when)}
            for name in wanted
            for when, rate in self._world.state.rates.get(name, [])
        ]
        return limited(sorted(entries, key=lambda e: e["timestamp"]), since, limit, params)

    def _newest_price(self, symbol: str) -> int:
        """When the newest price was made: now, or before the outage."""
        track, state = self._world.tape.tracks[symbol], self._world.state
        if self._world.is_open(symbol):
            return state.now
        return int(track.bars.time[track.bar[state.row]]) + track.bars.length - 1

    def _best(self, symbol: str, tick: float) -> tuple[float, float]:
        """Best bid and ask that the book shows: a tick beside the price if there is no spread."""
        world = self._world
        bid, ask = touch_price(world, symbol, -1), touch_price(world, symbol, 1)
        if ask - bid < 2 * tick:
            last = world.state.prices[symbol].last
            bid, ask = last - tick, last + tick
        bid = max(nearest_to(bid, tick), tick)
        return bid, max(nearest_to(ask, tick), nearest_to(bid + tick, tick))

    def _depth(self) -> float:
        return self._world.liquidity if self._world.liquidity < inf else _SHOWN_DEPTH

    def _length(self, symbol: str, timeframe: str) -> int:
        own = self._world.tracks_length(symbol) or MINUTE
        if timeframe not in self.timeframes or length_of(timeframe) % own:
            fitting = [name for name in self.timeframes if length_of(name) % own == 0]
            raise BadRequest(
                f"timeframe of {symbol} must be one of {', '.join(fitting)}, was {timeframe!r}; "
                "its bars cannot be parted"
            )
        return length_of(timeframe)

    def _bars_until_now(self, symbol: str, count: int | None) -> list[list[float]]:
        world = self._world
        track, row, time = world.tape.tracks[symbol], world.state.row, world.tape.time
        bars = track.bars
        if not bars.length:
            stop = int(np.searchsorted(bars.time, world.state.now, side="right"))
            return [
                [int(t), p, p, p, p, float(v)]
                for t, p, v in zip(
                    bars.time[:stop],
                    bars.prices[:stop, 3].tolist(),
                    bars.volume[:stop],
                    strict=True,
                )
            ]
        number = int(track.bar[row])
        done = world.state.now >= int(bars.time[number]) + bars.length - 1
        stop = number + 1 if done else number
        first = 0 if count is None else max(stop - count, 0)
        rows = [
            [int(t), *prices, volume]
            for t, prices, volume in zip(
                bars.time[first:stop],
                bars.prices[first:stop].tolist(),
                bars.volume[first:stop].tolist(),
                strict=True,
            )
        ]
        if not done:
            start = int(np.searchsorted(time, bars.time[number]))
            seen = track.last[start : row + 1]
            prices = (float(seen[0]), float(seen.max()), float(seen.min()), float(seen[-1]))
            rows.append([int(bars.time[number]), *prices, 0.0])
        return rows


def _merged(rows: list[list[float]], length: int) -> list[list[float]]:
    """Merge bars into longer ones."""
    merged: list[list[float]] = []
    for start, opening, high, low, close, volume in rows:
        begin = (int(start) - begin_of(length)) // length * length + begin_of(length)
        if merged and merged[-1][0] == begin:
            bar = merged[-1]
            bar[2], bar[3], bar[4] = max(bar[2], high), min(bar[3], low), close
            bar[5] += volume
        else:
            merged.append([begin, opening, high, low, close, volume])
    return merged
