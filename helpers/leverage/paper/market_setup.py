"""How an exchange is put together from feeds, rules and markets."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from leverage.bars import Bars, read_bars, read_ticks
from leverage.paper.exchange_errors import BadFeed, BadRequest
from leverage.paper.formats import expiry_of
from leverage.paper.instruments import Instrument, Market
from leverage.paper.market_rules import ON_TIERS, Rules


def is_frame(feed: Any) -> bool:
    """Tell a table of prices from a dict of feeds."""
    return hasattr(feed, "columns") or hasattr(feed, "open")


def feed_reader(ticks: bool, timeframe: str | None) -> Callable[[Any, str], Bars]:
    """Return what reads a feed of ticks or bars; a bad one is refused under ccxt's names."""

    def reader(feed: Any, name: str) -> Bars:
        try:
            return read_ticks(feed, name) if ticks else read_bars(feed, name, timeframe)
        except ValueError as error:
            raise BadFeed(str(error)) from None

    return reader


def base_of(symbol: str | None) -> str:
    """Coin of a symbol; bitcoin where no symbol is named."""
    return "BTC" if symbol is None else symbol.partition("/")[0]


def symbol_of(base: str, rules: Rules) -> str:
    """Symbol of a coin under a set of rules."""
    if rules.is_inverse:
        return f"{base}/USD:{base}"
    if rules.contract == "spot margin":
        return f"{base}/{rules.settlement}"
    return f"{base}/{rules.settlement}:{rules.settlement}"


def instrument_for(symbol: str, rules: Rules, market: Market | None, bars: Bars) -> Instrument:
    """Make the contract of a symbol, and refuse a symbol that does not fit the rules."""
    base, slash, rest = symbol.partition("/")
    quote, colon, settle = rest.partition(":")
    is_spot = rules.contract == "spot margin"
    right = base if rules.is_inverse else quote
    settle, dash, expiry = settle.partition("-")
    is_wrong = colon and (settle != right or (dash and expiry_of(expiry) is None))
    if not (base and slash and quote) or bool(colon) == is_spot or is_wrong:
        raise BadRequest(
            f"a symbol of {rules.name} ({rules.contract}) must look like "
            f"{symbol_of('BTC', rules)!r}, with '-' and yymmdd for a fixed maturity, was {symbol!r}"
        )
    table = rules.table(base)
    if rules.requirement not in ON_TIERS:
        table = None
    elif table is None:
        raise BadRequest(f"tiers must be given for {base}, were for {', '.join(rules.tiers)}")
    return Instrument(
        symbol,
        base,
        quote,
        base if rules.is_inverse else quote,
        rules,
        market or usual_market(bars, rules),
        table,
    )


def usual_market(bars: Bars, rules: Rules) -> Market:
    """Choose steps for a price of this size: about a hundred-thousandth, and lots worth about 50."""
    price = float(bars.prices[0, 0])
    tick = float(f"1e{min(power_of_ten(price) - 5, 0)}")
    if rules.is_inverse:
        return Market(tick_size=tick, lot_size=1.0, min_amount=1.0)
    lot = float(f"1e{1 - power_of_ten(price)}") if price >= 10 else 1.0
    # As many coins as are worth a billion, as far as a float counts them one by one.
    most = min(float(f"1e{9 + max(-power_of_ten(price), 0)}"), 1e15)
    return Market(tick_size=tick, lot_size=min(lot, 1.0), max_amount=most, min_cost=5.0)


def power_of_ten(price: float) -> int:
    """Power of ten of a price: 4 for 50 000.

    Examples
    --------
    >>> power_of_ten(50_000.0), power_of_ten(0.07)
    (4, -2)
    """
    return int(f"{price:e}".partition("e")[2])


def other_feeds(kind: str, feed: Any, names: list[str], reader: Any) -> dict[str, Bars]:
    """Read mark or index prices, one feed or a dict of them."""
    if feed is None:
        return {}
    if not isinstance(feed, Mapping) or is_frame(feed):
        if len(names) > 1:
            raise BadRequest(f"{kind} must be a dict by symbol where there are several")
        feed = {names[0]: feed}
    return {
        symbol: reader(one, f"{kind} of {symbol}")
        for symbol, one in feed.items()
        if one is not None
    }
