"""The tier explorer of chapter 02: the larger the position, the less leverage is left."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any, Literal

from leverage.lessons.canvas import Label
from leverage.lessons.explorers.controls import choice, leverage_slider, number_box, slider
from leverage.lessons.explorers.explorer import Explorer, result_table
from leverage.lessons.explorers.picture import Picture
from leverage.lessons.figures import COLOURS, finish_axes, line_style
from leverage.lessons.wording import format_amount, format_money, format_percent
from leverage.venues import TierData, facts_in_use, load_venue

SMALLEST_NOTIONAL, LARGEST_NOTIONAL = 1_000.0, 2_000_000_000.0

_MARKETS = (
    ("Binance BTCUSDT, 2026-09", "binance", "usdt_futures", "BTCUSDT", "2026-09-29"),
    ("Binance BTCUSDT, 2024-10", "binance", "usdt_futures", "BTCUSDT", "2024-10-24"),
    ("Binance SOLUSDT, 2026-09", "binance", "usdt_futures", "SOLUSDT", "2026-09-29"),
    ("Binance DOGEUSDT, 2026-09", "binance", "usdt_futures", "DOGEUSDT", "2026-09-29"),
    ("Bitget BTCUSDT, 2025-09", "bitget", "usdt_futures", "BTCUSDT", "2025-09-26"),
    ("Bybit BTCUSDT, 2025, 1 tier", "bybit", "linear", "BTCUSDT", "2025"),
    ("Kraken PF_XBTUSD, undated", "kraken", "futures_linear", "PF_XBTUSD", "undated"),
    ("MEXC BTC_USDT, about 2025", "mexc", "futures", "BTC_USDT", "about 2025"),
)
_READINGS: Mapping[str, tuple[Literal["given", "whole", "marginal"], ...]] = {
    "maintenance amount": ("given",),
    "whole position": ("whole",),
}
_LOWEST_LEVERAGE, _HIGHEST_LEVERAGE = 0.8, 700.0
# Closer to an edge than this a label needs the other side.
_NEAR_LEFT, _NEAR_RIGHT = 40_000.0, 40_000_000.0


@cache
def _market(number: int) -> tuple[TierData, str]:
    """Tier table of a market, and how its venue reads it."""
    _, venue, product_id, symbol, as_of = _MARKETS[number]
    product = load_venue(venue).product(product_id)
    (data,) = (
        t for t in product.tier_tables if (t.symbol, t.as_of, t.used) == (symbol, as_of, True)
    )
    return data, str(product.fact("tier_method").value)


def _fetched_market(number: int) -> tuple[str, TierData]:
    """Name and table of a market; the fetched table in place of the newest bundled one."""
    name, venue, product_id, symbol, _ = _MARKETS[number]
    data, _ = _market(number)
    if load_venue(venue).product(product_id).tiers(symbol) == data:
        newest = load_venue(venue, live=True).product(product_id).tiers(symbol)
        if newest.confidence == "fetched":
            return f"{name.partition(',')[0]}, fetched {newest.as_of}", newest
    return name, data


@cache
def _steps(data: TierData, price: float) -> tuple[list[float], list[float]]:
    """Corners of the line of maximum leverage over notional."""
    unit_price = price if data.unit == data.base else 1.0
    x: list[float] = []
    y: list[float] = []
    for tier in data.tiers:
        assert tier.max_leverage is not None
        x += [
            max(tier.lower * unit_price, SMALLEST_NOTIONAL / 2),
            min(tier.upper * unit_price, LARGEST_NOTIONAL * 2),
        ]
        y += [tier.max_leverage] * 2
    return x, y


@dataclass(frozen=True)
class _Place:
    """A position in a tier table. Amounts are in quote currency."""

    number: int
    notional: float
    leverage: int
    price: float
    live: bool = False

    @cached_property
    def _named(self) -> tuple[str, TierData]:
        if self.live:
            return _fetched_market(self.number)
        return _MARKETS[self.number][0], _market(self.number)[0]

    @property
    def name(self) -> str:
        return self._named[0]

    @property
    def data(self) -> TierData:
        return self._named[1]

    @cached_property
    def quote(self) -> str:
        return "USDT" if self.counts_coins else self.data.unit

    @cached_property
    def counts_coins(self) -> bool:
        """Whether the table counts coins instead of their value."""
        return self.data.unit == self.data.base

    @cached_property
    def unit_price(self) -> float:
        return self.price if self.counts_coins else 1.0

    @cached_property
    def size(self) -> float:
        """As the table counts it."""
        return self.notional / self.unit_price

    @cached_property
    def tier(self) -> int | None:
        fits = (n for n, t in enumerate(self.data.tiers) if t.lower < self.size <= t.upper)
        return next(fits, None)

    @cached_property
    def requirements(self) -> tuple[float, ...]:
        """What may be asked for: several amounts where the reading of the table is unknown."""
        readings = _READINGS.get(_market(self.number)[1], ("marginal", "whole"))
        tables = [self.data.table(reading) for reading in readings]
        amounts = {float(t.maintenance_margin(self.size)) * self.unit_price for t in tables}
        return tuple(sorted(amounts))

    def money(self, amount: float) -> str:
        return format_money(amount, self.quote, 0 if amount >= 100 else 2)

    @property
    def max_leverage(self) -> float:
        """Largest leverage at this size; NaN where the table does not say."""
        if self.tier is None:
            return math.nan
        return float(self.data.tiers[self.tier].max_leverage or math.nan)

    @property
    def is_beyond(self) -> bool:
        return self.tier is None

    @property
    def is_allowed(self) -> bool:
        return not self.is_beyond and self.leverage <= self.max_leverage

    @property
    def headline(self) -> float:
        return float(self.data.tiers[0].max_leverage or math.nan)

    @property
    def largest_notional(self) -> float:
        """Largest notional that the table allows at the leverage; 0 if none."""
        allowed = [t.upper for t in self.data.tiers if (t.max_leverage or 0) >= self.leverage]
        return max(allowed, default=0.0) * self.unit_price


class TierExplorer(Explorer):
    """See what a venue's tier table leaves of its advertised maximum leverage.

    The picture has the maximum leverage as a falling staircase over the notional, both on
    logarithmic axes, and the position as a point: on or below the stairs it may be opened.

    Parameters
    ----------
    live : bool, default False
        Use tables that were fetched, as in :func:`leverage.venues.load_venue`, and say which.

    Examples
    --------
    >>> explorer = TierExplorer()
    >>> explorer.is_allowed
    False
    >>> explorer.leverage.value = 75
    >>> explorer.is_allowed
    True
    """

    market = choice(
        "Tier table",
        0,
        {entry[0]: number for number, entry in enumerate(_MARKETS)},
        meaning="Venue, contract and date of the table",
    )
    notional = slider(
        "Notional",
        1_000_000.0,
        low=SMALLEST_NOTIONAL,
        high=LARGEST_NOTIONAL,
        step=0.02,
        decades=True,
        meaning="Value of the position, 1 000 to 2 000 000 000",
    )
    leverage = leverage_slider(100, high=500, meaning="Leverage that you would like to set")
    price = number_box(
        "Price of a coin",
        50_000.0,
        low=0.000001,
        high=1_000_000.0,
        step=1_000.0,
        meaning="Needed where the table counts coins instead of their value, as at MEXC",
    )
    _picture: _StairsPicture

    def __init__(self, *, live: bool = False, **start: Any) -> None:
        self._live = live
        super().__init__(**start)

    def _new_picture(self) -> _StairsPicture:
        return _StairsPicture()

    @property
    def is_allowed(self) -> bool:
        """Whether the table lets the position be opened."""
        return self._at.is_allowed

    @property
    def description(self) -> str:
        """What the picture shows, in words."""
        return (
            "Staircase of the maximum leverage over the notional, falling, both axes logarithmic, "
            f"with the position as a point. {self._at.name}. {self.sentence}"
        )

    @property
    def rows(self) -> dict[str, str]:
        """The table below the picture: what is shown, and its value with unit."""
        at = self._at
        rows = {"Notional": at.money(at.notional)}
        if at.counts_coins:
            rows["Size, as this table counts it"] = f"{format_amount(at.size, 2)} {at.data.base}"
        rows["Maximum of the first tier, the advertised one"] = f"{at.headline:g}×"
        if at.tier is None:
            rows["Tier"] = "none: beyond the end of the table"
        else:
            tier = at.data.tiers[at.tier]
            rows["Tier"] = f"{at.tier + 1} of {len(at.data.tiers)}"
            rows["Maximum leverage at this size"] = f"{at.max_leverage:g}×"
            rows["Margin at that maximum"] = at.money(at.notional / at.max_leverage)
            rows["Maintenance margin rate"] = format_percent(tier.maintenance_margin_rate, 2)
            amounts = " to ".join(at.money(amount) for amount in at.requirements)
            if len(at.requirements) > 1:
                amounts += " (how the venue reads its table was not found)"
            rows["Requirement"] = amounts
        largest = at.largest_notional
        if largest == 0:
            rows[f"Largest position at {at.leverage}×"] = "none: no tier allows it"
        elif math.isinf(largest):
            rows[f"Largest position at {at.leverage}×"] = "no end is stated"
        else:
            rows[f"Largest position at {at.leverage}×"] = at.money(largest)
        rows["Table of"] = at.data.as_of
        rows["Confidence"] = at.data.confidence
        return rows

    @property
    def _is_loud(self) -> bool:
        return not self.is_allowed

    def _follow(self) -> None:
        self._at = _Place(
            self.market.value,
            self.notional.value,
            self.leverage.value,
            self.price.value,
            self._live,
        )
        self._picture.show(self._at)

    def _tables(self) -> str:
        return result_table(f"{self._at.name}: this position", self.rows)

    def _sentences(self) -> list[str]:
        return [*self._verdict(), *([facts_in_use()] if self._live else [])]

    def _verdict(self) -> list[str]:
        at = self._at
        wanted = f"{at.leverage}× on {at.money(at.notional)}"
        if at.is_beyond:
            end = "the part of the table that is known" if not at.data.complete else "the table"
            return [f"Beyond the table: {wanted}.", f"{end.capitalize()} ends at a smaller size."]
        assert at.tier is not None
        place = f"tier {at.tier + 1} of {len(at.data.tiers)}"
        if at.is_allowed:
            return [
                f"Allowed: {wanted} lies in {place}, where the maximum is {at.max_leverage:g}×.",
                f"It takes {at.money(at.notional / at.leverage)} of margin.",
            ]
        return [
            f"Refused: {wanted}.",
            f"It lies in {place}, where the maximum is {at.max_leverage:g}×: it needs "
            f"{at.money(at.notional / at.max_leverage)} of margin, not "
            f"{at.money(at.notional / at.leverage)}.",
        ]


class _StairsPicture(Picture):
    """The explorer's figure: the table's staircase and the position as a point."""

    def _make(self) -> None:
        self._axes = axes = self.panels(1, 1, (0.085, 0.975, 0.13, 0.9))
        finish_axes(axes, x_label="Notional (USD or USDT)", y_label="Maximum leverage (×)")
        axes.set(
            xscale="log",
            yscale="log",
            xlim=(SMALLEST_NOTIONAL, LARGEST_NOTIONAL),
            ylim=(_LOWEST_LEVERAGE, _HIGHEST_LEVERAGE),
        )
        decades = [10**power for power in range(3, 10)]
        names = ["1 k", "10 k", "100 k", "1 M", "10 M", "100 M", "1 000 M"]
        axes.set_xticks(decades, names)
        ticks = [1, 2, 5, 10, 20, 50, 100, 200, 500]
        axes.set_yticks(ticks, [str(tick) for tick in ticks])
        axes.minorticks_off()
        self._stairs = self.line(axes, color=COLOURS["index"], linewidth=2)
        self._size_line = self.line(axes, color=COLOURS["index"], linestyle=":", linewidth=1)
        self._wanted_line = self.line(axes, **line_style("liquidation"))
        self._maximum_point = self.line(
            axes, color=COLOURS["index"], marker="s", markersize=7, linestyle="none"
        )
        self._point = self.line(
            axes, marker="o", markersize=10, linestyle="none", markeredgecolor="white"
        )
        self._maximum_text = self.label(axes.transData)
        self._point_text = self.label(axes.transData, bold=True)

    def show(self, at: _Place) -> None:
        """Move every artist to where it belongs for the position."""
        self._stairs.set_data(*_steps(at.data, at.price))
        self._size_line.set_data([at.notional] * 2, [_LOWEST_LEVERAGE, _HIGHEST_LEVERAGE])
        allowed = at.is_allowed
        self._point.set_data([at.notional], [at.leverage])
        self._point.set_marker("o" if allowed else "X")
        self._point.set_color(COLOURS["gain"] if allowed else COLOURS["loss"])
        known = not at.is_beyond
        self._maximum_point.set_visible(known)
        self._maximum_text.set_visible(known)
        self._wanted_line.set_visible(known and not allowed)
        if known:
            self._maximum_point.set_data([at.notional], [at.max_leverage])
            self._wanted_line.set_data([at.notional] * 2, [at.max_leverage, at.leverage])
            self._maximum_text.text = f"maximum here {at.max_leverage:g}×"
            _put_beside(
                self._maximum_text, at, at.max_leverage, above=at.leverage <= at.max_leverage
            )
        verdict = "allowed" if allowed else "not in the table" if at.is_beyond else "refused"
        self._point_text.text = f"{at.leverage}× {verdict}"
        above = at.is_beyond or at.leverage > at.max_leverage
        _put_beside(self._point_text, at, at.leverage, above=above)
        here = f"{at.max_leverage:g}× at this size" if known else "beyond the table"
        self.title.text = f"{at.name}: {here}, {at.headline:g}× advertised"


def _put_beside(label: Label, at: _Place, leverage: float, *, above: bool) -> None:
    """Put a label where the stairs do not pass: up and right of its point, or down and left."""
    to_right = above if _NEAR_LEFT < at.notional < _NEAR_RIGHT else at.notional <= _NEAR_LEFT
    label.align = "left" if to_right else "right"
    label.vertical = "bottom" if above else "top"
    height = min(max(leverage * (1.06 if above else 0.94), 1.15), 480.0)
    label.position = (at.notional * (1.12 if to_right else 1 / 1.12), height)
