"""The leverage explorer of chapter 01: one isolated position, its equity and its liquidation."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ipywidgets import (
    BoundedFloatText,
    Dropdown,
    FloatSlider,
)

from leverage.contracts import LONG, pnl, price_move, roe
from leverage.lessons.canvas import BlitCanvas, Label
from leverage.lessons.explorers.artists import new_bar, new_line, new_title, place_beside
from leverage.lessons.explorers.controls import control_look, leverage_slider, side_choice
from leverage.lessons.explorers.explorer import (
    Explorer,
    alert,
    check_side,
    check_within,
    status,
    table,
)
from leverage.lessons.figures import (
    COLOURS,
    FILLS,
    course_style,
    finish_axes,
    line_style,
    new_figure,
)
from leverage.lessons.wording import format_amount, format_percent, format_price
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
    from matplotlib.figure import Figure

LARGEST_LEVERAGE = 125
LARGEST_AMOUNT = 1_000_000.0
SMALLEST_MARGIN = 1.0
SMALLEST_PRICE = 0.000001
LARGEST_MOVE_PCT = 50.0

_CHART_RANGES_PCT = (5, 20, 50)
_LOWEST_PCT, _HIGHEST_PCT = -60.0, 240.0
_ROOM_AT_EDGES = 1.05
_GROUND = "#FFFFFF"


@dataclass(frozen=True)
class _Position:
    """One isolated linear position and all that follows from it, in quote currency."""

    side: int
    margin: float
    leverage: int
    entry_price: float
    mark_price: float
    maintenance_margin_rate: float
    value: float
    borrowed: float
    pnl: float
    roe: float
    equity: float
    maintenance_margin: float
    liquidation_price: float

    @classmethod
    def opened(
        cls,
        *,
        side: int,
        margin: float,
        leverage: int,
        entry_price: float,
        move: float,
        maintenance_margin_rate: float,
    ) -> _Position:
        value = float(position_value(margin, leverage))
        quantity = value / entry_price
        mark_price = entry_price * (1 + move)
        return cls(
            side=side,
            margin=margin,
            leverage=leverage,
            entry_price=entry_price,
            mark_price=mark_price,
            maintenance_margin_rate=maintenance_margin_rate,
            value=value,
            borrowed=float(borrowed_amount(margin, leverage)),
            pnl=float(pnl(side, entry_price, mark_price, quantity)),
            roe=float(roe(side, entry_price, mark_price, leverage)),
            equity=float(equity(side, entry_price, mark_price, quantity, margin)),
            maintenance_margin=float(
                maintenance_margin(quantity * mark_price, maintenance_margin_rate)
            ),
            liquidation_price=float(
                liquidation_price(side, entry_price, quantity, margin, maintenance_margin_rate)
            ),
        )

    @property
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
    side : {1, -1}, default 1
        1 for a long position, -1 for a short position.
    margin : float, default 1000
        Isolated margin, in quote currency.
    leverage : int, default 10
        Chosen leverage, 1 to 125.
    entry_price : float, default 50000
        Entry price, in quote currency per unit of base currency.
    move_pct : float, default 5
        Move of the mark price from entry, in per cent, -50 to 50.
    maintenance_margin_rate : float, default 0.004
        Maintenance margin divided by notional, as a decimal.
    base, quote : str
        Names of the currencies.

    Attributes
    ----------
    side, margin, leverage, entry_price, move_pct, chart_range : widget
        The controls. Setting their `value` in code works as well as by hand.

    Examples
    --------
    >>> explorer = LeverageExplorer(leverage=20, move_pct=-5)
    >>> explorer.sentence.partition(".")[0]
    'Liquidated'
    >>> explorer.leverage.value = 10
    >>> explorer.is_liquidated
    False
    """

    def __init__(
        self,
        *,
        side: int = LONG,
        margin: float = 1_000.0,
        leverage: int = 10,
        entry_price: float = 50_000.0,
        move_pct: float = 5.0,
        maintenance_margin_rate: float = 0.004,
        base: str = "BTC",
        quote: str = "USDT",
    ) -> None:
        check_side(side)
        check_within("margin", margin, SMALLEST_MARGIN, LARGEST_AMOUNT)
        check_within("leverage", leverage, 1, LARGEST_LEVERAGE)
        check_within("entry_price", entry_price, SMALLEST_PRICE, LARGEST_AMOUNT)
        check_within("move_pct", move_pct, -LARGEST_MOVE_PCT, LARGEST_MOVE_PCT)
        if not 0 <= maintenance_margin_rate < 1:
            raise ValueError(
                "maintenance_margin_rate must be from 0 to below 1, was "
                f"{maintenance_margin_rate!r}; give 0.004 for 0.4 %"
            )
        self.maintenance_margin_rate = maintenance_margin_rate
        self.base, self.quote = base, quote
        look = control_look()
        self.side = side_choice(side, look)
        self.margin = BoundedFloatText(
            value=margin,
            min=SMALLEST_MARGIN,
            max=LARGEST_AMOUNT,
            step=100,
            description=f"Margin ({quote})",
            tooltip="Your own money behind the position, 1 to 1 000 000",
            **look,
        )
        self.leverage = leverage_slider(leverage, look, most=LARGEST_LEVERAGE)
        self.entry_price = BoundedFloatText(
            value=entry_price,
            min=SMALLEST_PRICE,
            max=LARGEST_AMOUNT,
            step=100,
            description="Entry price",
            tooltip=f"Price at which the position was opened, in {quote} per {base}",
            **look,
        )
        self.move_pct = FloatSlider(
            value=move_pct,
            min=-LARGEST_MOVE_PCT,
            max=LARGEST_MOVE_PCT,
            step=0.1,
            readout_format=".1f",
            description="Price move (%)",
            tooltip="How far the mark price is from the entry price, −50 to 50 per cent",
            **look,
        )
        self.chart_range = Dropdown(
            options=[(f"±{limit} %", limit) for limit in _CHART_RANGES_PCT],
            value=20,
            description="Chart shows",
            tooltip="Which price moves the chart shows; it widens to keep the mark price in view",
            **look,
        )
        self._picture = _LeveragePicture()
        super().__init__(
            {
                "side": self.side,
                "margin": self.margin,
                "leverage": self.leverage,
                "entry_price": self.entry_price,
                "move_pct": self.move_pct,
                "chart_range": self.chart_range,
            },
            BlitCanvas(self._picture.figure, self._picture.artists),
        )

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
        price_unit = f"{self.quote} per {self.base}"
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
            "Borrowed": self._money(at.borrowed),
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

    def _show(self, values: Mapping[str, Any]) -> str:
        self._position = _Position.opened(
            side=values["side"],
            margin=values["margin"],
            leverage=values["leverage"],
            entry_price=values["entry_price"],
            move=values["move_pct"] / 100,
            maintenance_margin_rate=self.maintenance_margin_rate,
        )
        self._picture.show(self._position, values["chart_range"], self.quote)
        loud, *words_after = self._sentences()
        if self.is_liquidated:
            words = alert(loud, " ".join(words_after))
            caption = "If the position had stayed open at this mark price"
        else:
            words = status(self.sentence)
            caption = "The position at this mark price"
        return words + table(caption, self.rows)

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
        mark = f"{format_price(at.mark_price)} {self.quote} per {self.base}, {place}"
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
        return [
            opening,
            f"At a mark price of {mark}, it has {result}.",
            ending,
        ]

    def _money(self, amount: float, *, signed: bool = False) -> str:
        return f"{format_amount(amount, signed=signed)} {self.quote}"


class _LeveragePicture:
    """The explorer's figure and the artists that move in it. Heights are per cent of the margin."""

    def __init__(self) -> None:
        self.figure: Figure = new_figure()
        with course_style():
            self._make()
        self.artists = [
            self._equity_bar,
            self._maintenance_bar,
            self._gone_line,
            self._equity_line,
            self._level_line,
            self._liquidation_line,
            self._mark_line,
            self._mark_point,
            *self._bar_texts,
            self._liquidation_text,
            self._mark_text,
            self._title,
            self._alarm,
        ]

    def _make(self) -> None:
        # Fixed places: a layout worked out from tick labels would differ between chart ranges.
        self.figure.set_layout_engine("none")
        grid = {"left": 0.085, "right": 0.985, "top": 0.9, "bottom": 0.13, "wspace": 0.08}
        bars, chart = self.figure.subplots(
            1, 2, width_ratios=[1, 1.9], sharey=True, gridspec_kw=grid
        )
        self._make_bars(bars)
        self._make_chart(chart)
        self._title = new_title(self.figure)

    def _make_bars(self, axes: Axes) -> None:
        finish_axes(axes, x_label="", y_label="Equity (% of margin)", zero_line=True)
        axes.set(xlim=(-0.6, 2.6), ylim=(_LOWEST_PCT, _HIGHEST_PCT))
        axes.set_xticks([0, 1, 2], ["Margin", "Equity", "Mainte-\nnance"])
        axes.tick_params(axis="x", length=0)
        self._equity_bar = new_bar(1)
        self._maintenance_bar = new_bar(
            2, facecolor=COLOURS["liquidation"], edgecolor=COLOURS["text"]
        )
        margin_bar = new_bar(0, facecolor=FILLS["neutral"], edgecolor=COLOURS["entry"], height=100)
        for bar in (margin_bar, self._equity_bar, self._maintenance_bar):
            axes.add_patch(bar)
        self._bar_texts = [
            Label(self.figure, axes.transData, position=(x, 0), align="center", ground=_GROUND)
            for x in range(3)
        ]

    def _make_chart(self, axes: Axes) -> None:
        self._chart = axes
        finish_axes(
            axes, x_label="Move of the mark price from entry (%)", y_label="", zero_line=True
        )
        axes.tick_params(axis="y", labelleft=False)
        axes.axvline(0, **line_style("entry"))
        self._gone_line = new_line(axes, color=COLOURS["index"], linestyle="--", linewidth=1)
        self._equity_line = new_line(axes)
        self._level_line = new_line(axes, color=COLOURS["index"], linestyle=":", linewidth=1)
        self._liquidation_line = new_line(axes, **line_style("liquidation"))
        self._mark_line = new_line(axes, **line_style("mark"))
        self._mark_point = new_line(
            axes, color=COLOURS["mark"], marker="o", markersize=7, markeredgecolor="white"
        )
        self._liquidation_text = Label(self.figure, axes.transData, vertical="top", ground=_GROUND)
        self._mark_text = Label(self.figure, axes.transData, ground=_GROUND)
        self._alarm = Label(
            self.figure,
            axes.transAxes,
            align="center",
            vertical="center",
            size=19,
            bold=True,
            ground=_GROUND,
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
        self._title.text = _title(at, quote)

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
            _label_bar(text, height)
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


def _label_bar(label: Label, height: float) -> None:
    shown = max(0.0, min(_HIGHEST_PCT - 18, height))
    label.position = (label.position[0], shown + 3)
    arrow = " ↑" if height > shown else " ↓" if height < _LOWEST_PCT else ""
    label.text = format_percent(height / 100, 0 if abs(height) >= 10 else 1) + arrow


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
