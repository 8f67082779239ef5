"""The leverage explorer of chapter 01: one isolated position, its equity and its liquidation."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from leverage.contracts import LONG, pnl, price_move, roe
from leverage.lessons.explorers.controls import (
    choice,
    leverage_slider,
    number_box,
    side_choice,
    slider,
)
from leverage.lessons.explorers.explorer import MAINTENANCE_MARGIN_RATE, Explorer, result_table
from leverage.lessons.explorers.picture import Picture, label_bar, place_beside
from leverage.lessons.figures import COLOURS, FILLS, finish_axes, line_style
from leverage.lessons.wording import format_amount, format_money, format_percent, format_price
from leverage.margin import (
    borrowed_amount,
    effective_leverage,
    equity,
    liquidation_price,
    maintenance_margin,
    position_value,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_CHART_RANGES_PCT = (5, 20, 50)
_LOWEST_PCT, _HIGHEST_PCT = -60.0, 240.0
_ROOM_AT_EDGES = 1.05


@dataclass(frozen=True)
class _Position:
    """One isolated linear position at a mark price, and all that follows, in quote currency."""

    side: int
    margin: float
    leverage: int
    entry_price: float
    mark_price: float

    @cached_property
    def value(self) -> float:
        return float(position_value(self.margin, self.leverage))

    @cached_property
    def quantity(self) -> float:
        return self.value / self.entry_price

    @cached_property
    def pnl(self) -> float:
        return float(pnl(self.side, self.entry_price, self.mark_price, self.quantity))

    @cached_property
    def roe(self) -> float:
        return float(roe(self.side, self.entry_price, self.mark_price, self.leverage))

    @cached_property
    def equity(self) -> float:
        prices = self.entry_price, self.mark_price
        return float(equity(self.side, *prices, self.quantity, self.margin))

    @cached_property
    def maintenance_margin(self) -> float:
        notional = self.quantity * self.mark_price
        return float(maintenance_margin(notional, MAINTENANCE_MARGIN_RATE))

    @cached_property
    def liquidation_price(self) -> float:
        at = self.side, self.entry_price, self.quantity, self.margin
        return float(liquidation_price(*at, MAINTENANCE_MARGIN_RATE))

    @cached_property
    def move(self) -> float:
        return self.mark_price / self.entry_price - 1

    @property
    def is_liquidated(self) -> bool:
        return self.equity <= self.maintenance_margin

    @property
    def has_liquidation_price(self) -> bool:
        return 0 < self.liquidation_price < math.inf

    @property
    def liquidation_move(self) -> float:
        """Move from entry to liquidation; infinite where there is no liquidation price."""
        if not self.has_liquidation_price:
            return -self.side * math.inf
        return float(price_move(self.entry_price, self.liquidation_price))

    @property
    def distance(self) -> float:
        """Move from the mark price to liquidation."""
        return float(price_move(self.mark_price, self.liquidation_price))

    @property
    def effective_leverage(self) -> float:
        """Notional over equity; infinite once the equity is gone."""
        if self.equity <= 0:
            return math.inf
        notional = self.value * self.mark_price / self.entry_price
        return float(effective_leverage(notional, self.equity))


class LeverageExplorer(Explorer):
    """See what leverage does to one position: equity, return on margin, distance to liquidation.

    The picture has the margin, the equity and the maintenance margin as bars, and the equity as
    a line over the move of the mark price, on one scale: per cent of the margin.

    Parameters
    ----------
    quote : str, default 'USDT'
        Name of the quote currency.

    Examples
    --------
    >>> explorer = LeverageExplorer(leverage=20, move_pct=-5)
    >>> explorer.sentence.partition(".")[0]
    'Liquidated'
    >>> explorer.leverage.value = 10
    >>> explorer.is_liquidated
    False
    """

    quote = "USDT"
    side = side_choice()
    margin = number_box(
        "Margin ({self.quote})",
        1_000.0,
        low=1.0,
        high=1_000_000.0,
        step=100.0,
        meaning="Your own money behind the position, 1 to 1 000 000",
    )
    leverage = leverage_slider()
    entry_price = number_box(
        "Entry price",
        50_000.0,
        low=0.000001,
        high=1_000_000.0,
        step=100.0,
        meaning="Price at which the position was opened, in {self.quote} per BTC",
    )
    move_pct = slider(
        "Price move (%)",
        5.0,
        low=-50.0,
        high=50.0,
        step=0.1,
        decimals=1,
        meaning="How far the mark price is from the entry price, −50 to 50 per cent",
    )
    chart_range = choice(
        "Chart shows",
        20,
        {f"±{limit} %": limit for limit in _CHART_RANGES_PCT},
        meaning="Which price moves the chart shows; it widens to keep the mark price in view",
    )
    _picture: _LeveragePicture

    def __init__(self, *, quote: str = quote, **start: Any) -> None:
        self.quote = quote
        super().__init__(**start)

    def _new_picture(self) -> _LeveragePicture:
        return _LeveragePicture()

    @property
    def is_liquidated(self) -> bool:
        """Whether the position is liquidated at the mark price."""
        return self._position.is_liquidated

    @property
    def description(self) -> str:
        """What the picture shows, in words."""
        return (
            "Bars of margin, equity and maintenance margin, and a line of equity against the move "
            f"of the mark price, all as per cent of the margin. {self.sentence}"
        )

    @property
    def rows(self) -> dict[str, str]:
        """The table below the picture: what is shown, and its value with unit."""
        at = self._position
        price_unit = f"{self.quote} per BTC"
        if at.has_liquidation_price:
            liquidation = f"{format_price(at.liquidation_price)} {price_unit}"
            distance = format_percent(at.distance, 2, signed=True)
        else:
            liquidation = distance = "none"
        still_open = ""
        if at.is_liquidated:
            distance, still_open = "passed", " (if it were still open)"
        return {
            "Mark price": f"{format_price(at.mark_price)} {price_unit}",
            "Position value at entry": self._money(at.value),
            "Borrowed": self._money(float(borrowed_amount(at.margin, at.leverage))),
            "Profit or loss (PnL)": self._money(at.pnl, signed=True) + still_open,
            "Return on margin (ROE)": format_percent(at.roe, signed=True) + still_open,
            "Equity": self._money(at.equity) + still_open,
            "Maintenance margin": self._money(at.maintenance_margin),
            "Liquidation price": liquidation,
            "Distance to liquidation, from the mark price": distance,
            "Effective leverage (notional / equity)": (
                f"{format_amount(at.effective_leverage, 1)}×"
                if math.isfinite(at.effective_leverage)
                else "none: no equity is left"
            ),
        }

    @property
    def _is_loud(self) -> bool:
        return self.is_liquidated

    def _follow(self) -> None:
        entry_price = self.entry_price.value
        self._position = _Position(
            side=self.side.value,
            margin=self.margin.value,
            leverage=self.leverage.value,
            entry_price=entry_price,
            mark_price=entry_price * (1 + self.move_pct.value / 100),
        )
        self._picture.show(self._position, self.chart_range.value, self.quote)

    def _tables(self) -> str:
        caption = "The position at this mark price"
        if self.is_liquidated:
            caption = "If the position had stayed open at this mark price"
        return result_table(caption, self.rows)

    def _sentences(self) -> list[str]:
        at = self._position
        opening = (
            f"A {at.leverage}× {_side_name(at.side)} with {self._money(at.margin)} of margin "
            f"controls {self._money(at.value)}."
        )
        direction = "above" if at.move > 0 else "below"
        place = (
            f"{format_percent(abs(at.move))} {direction} entry"
            if f"{at.move:.3f}".strip("-0.")
            else "the entry price"
        )
        mark = f"{format_price(at.mark_price)} {self.quote} per BTC, {place}"
        if at.is_liquidated:
            return [
                "Liquidated.",
                opening,
                f"At a mark price of {mark}, its equity would be {self._money(at.equity)}, no "
                f"more than the maintenance margin of {self._money(at.maintenance_margin)}.",
                f"The venue closes it at {format_price(at.liquidation_price)}, "
                f"{format_percent(abs(at.liquidation_move), 2)} from entry, and the whole margin "
                "may be lost.",
            ]
        return_on_margin = f"a return on margin of {format_percent(at.roe, signed=True)}"
        result = f"{'gained' if at.pnl > 0 else 'lost'} {self._money(abs(at.pnl))}"
        unchanged = abs(at.pnl) < 0.005 and abs(at.roe) < 0.0005
        result = "neither gained nor lost" if unchanged else f"{result}, {return_on_margin}"
        ending = (
            f"It is liquidated at {format_price(at.liquidation_price)}, a move of "
            f"{format_percent(at.distance, 2, signed=True)} from the mark price."
            if at.has_liquidation_price
            else "No price above zero liquidates it."
        )
        return [opening, f"At a mark price of {mark}, it has {result}.", ending]

    def _money(self, amount: float, *, signed: bool = False) -> str:
        return format_money(amount, self.quote, signed=signed)


class _LeveragePicture(Picture):
    """The explorer's figure and the artists that move in it. Heights are per cent of the margin."""

    def _make(self) -> None:
        bars, chart = self.panels(
            1, 2, (0.085, 0.985, 0.13, 0.9), wspace=0.08, width_ratios=[1, 1.9], sharey=True
        )
        self._make_bars(bars)
        self._make_chart(chart)

    def _make_bars(self, axes: Axes) -> None:
        finish_axes(axes, x_label="", y_label="Equity (% of margin)", zero_line=True)
        axes.set(xlim=(-0.6, 2.6), ylim=(_LOWEST_PCT, _HIGHEST_PCT))
        axes.set_xticks([0, 1, 2], ["Margin", "Equity", "Mainte-\nnance"])
        axes.tick_params(axis="x", length=0)
        neutral, edge = FILLS["neutral"], COLOURS["entry"]
        axes.bar(0, 100, 0.72, color=neutral, edgecolor=edge, linewidth=1.4)
        self._equity_bar = self.bar(axes, 1)
        self._maintenance_bar = self.bar(
            axes, 2, facecolor=COLOURS["liquidation"], edgecolor=COLOURS["text"]
        )
        self._bar_texts = [
            self.label(axes.transData, position=(x, 0), align="center") for x in range(3)
        ]

    def _make_chart(self, axes: Axes) -> None:
        self._chart = axes
        finish_axes(
            axes, x_label="Move of the mark price from entry (%)", y_label="", zero_line=True
        )
        axes.tick_params(axis="y", labelleft=False)
        axes.axvline(0, **line_style("entry"))
        self._gone_line = self.line(axes, color=COLOURS["index"], linestyle="--", linewidth=1)
        self._equity_line = self.line(axes)
        self._level_line = self.line(axes, color=COLOURS["index"], linestyle=":", linewidth=1)
        self._liquidation_line = self.line(axes, **line_style("liquidation"))
        self._mark_line = self.line(axes, **line_style("mark"))
        self._mark_point = self.line(
            axes, color=COLOURS["mark"], marker="o", markersize=7, markeredgecolor="white"
        )
        self._liquidation_text = self.label(axes.transData, vertical="top")
        self._mark_text = self.label(axes.transData)
        self._alarm = self.label(
            axes.transAxes,
            align="center",
            vertical="center",
            size=19,
            bold=True,
            edge=COLOURS["loss"],
        )
        self._alarm.text = "LIQUIDATED"

    def show(self, at: _Position, chart_range: int, quote: str) -> None:
        """Move every artist to where it belongs for the position."""
        move = at.move * 100
        equity_pct = at.equity / at.margin * 100
        self._show_range(max(chart_range, _range_for(abs(move))))
        self._show_bars(at, equity_pct)
        self._show_lines(at, move, equity_pct)
        self._alarm.set_visible(at.is_liquidated)
        # Where the equity line does not pass: low on the side on which the position gains.
        self._alarm.position = (0.5 + 0.24 * at.side, 0.33)
        self.title.text = _title(at, quote)

    def _show_range(self, limit: int) -> None:
        edge = limit * _ROOM_AT_EDGES
        if self._chart.get_xlim()[1] != edge:
            ticks = [-limit, -limit / 2, 0, limit / 2, limit]
            names = [format_amount(tick, 1).removesuffix(".0") for tick in ticks]
            names[2] = "0 (entry)"
            self._chart.set_xticks(ticks, names)
            self._chart.set_xlim(-edge, edge)

    def _show_bars(self, at: _Position, equity_pct: float) -> None:
        maintenance_pct = at.maintenance_margin / at.margin * 100
        gained = at.equity >= at.margin
        self._equity_bar.set_height(equity_pct)
        self._equity_bar.set_facecolor(COLOURS["gain"] if gained else "white")
        self._equity_bar.set_edgecolor(COLOURS["gain"] if gained else COLOURS["loss"])
        self._equity_bar.set_linestyle("-" if gained else "--")
        self._maintenance_bar.set_height(maintenance_pct)
        heights = (100.0, equity_pct, maintenance_pct)
        for text, height in zip(self._bar_texts, heights, strict=True):
            label_bar(text, height, low=_LOWEST_PCT, top=_HIGHEST_PCT - 18)
        if at.pnl and self._bar_texts[1].text.endswith("%"):
            self._bar_texts[1].text = ("▲ " if at.pnl > 0 else "▼ ") + self._bar_texts[1].text

    def _show_lines(self, at: _Position, move: float, equity_pct: float) -> None:
        limit = self._chart.get_xlim()[1]
        slope = at.side * at.leverage
        end = at.liquidation_move * 100
        last = max(-limit, min(limit, end))
        best = at.side * limit
        self._equity_line.set_data([last, best], [100 + slope * last, 100 + slope * best])
        self._equity_line.set(**line_style(_side_name(at.side)))
        self._gone_line.set_data([-best, last], [100 - slope * best, 100 + slope * last])
        in_view = abs(end) <= limit
        self._liquidation_line.set_visible(in_view)
        self._liquidation_line.set_data([end, end], [_LOWEST_PCT, _HIGHEST_PCT])
        self._liquidation_text.text = _liquidation_label(at, in_view)
        place_beside(self._liquidation_text, self._chart, last, _HIGHEST_PCT - 5, prefer=-at.side)
        self._mark_line.set_data([move, move], [_LOWEST_PCT, _HIGHEST_PCT])
        shown = max(_LOWEST_PCT, min(_HIGHEST_PCT, equity_pct))
        marker = "o" if shown == equity_pct else "^" if equity_pct > shown else "v"
        self._mark_point.set_marker(marker)
        self._mark_point.set_data([move], [shown])
        self._level_line.set_data([-limit, move], [equity_pct, equity_pct])
        self._mark_text.text = (
            f"Mark price\n{format_price(at.mark_price)} ({format_percent(at.move, signed=True)})"
        )
        place_beside(
            self._mark_text, self._chart, move, _LOWEST_PCT + 4, prefer=1 if move > 0 else -1
        )


def _title(at: _Position, quote: str) -> str:
    name = f"{at.leverage}× {_side_name(at.side)}"
    if at.is_liquidated:
        return f"{name}: liquidated at {format_price(at.liquidation_price)}"
    return (
        f"{name}: equity {format_amount(at.equity)} {quote}, "
        f"return on margin {format_percent(at.roe, signed=True)}"
    )


def _liquidation_label(at: _Position, in_view: bool) -> str:
    if not at.has_liquidation_price:
        return "No liquidation\nprice"
    price = format_price(at.liquidation_price)
    label = f"Liquidation\n{price}\n{format_percent(at.liquidation_move, signed=True)}"
    return label if in_view else f"{label}\noutside this chart"


def _range_for(move_pct: float) -> int:
    # The slack keeps 20 % in the range of 20 % when it comes back as 20.000000000000004 %.
    return next(limit for limit in _CHART_RANGES_PCT if move_pct <= limit * (1 + 1e-9))


def _side_name(side: int) -> str:
    return "long" if side == LONG else "short"
