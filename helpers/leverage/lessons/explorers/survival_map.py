"""The survival map of chapter 04: leverage and holding time against the chance of liquidation."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.ticker import FixedLocator

from leverage.contracts import LONG
from leverage.history import load_daily
from leverage.lessons.canvas import Label
from leverage.lessons.charts.risk_charts import extreme_moves
from leverage.lessons.explorers.controls import choice, leverage_slider, side_choice, slider
from leverage.lessons.explorers.explorer import MAINTENANCE_MARGIN_RATE, Explorer, result_table
from leverage.lessons.explorers.picture import Picture
from leverage.lessons.figures import COLOURS, finish_axes, line_style
from leverage.lessons.wording import format_amount, format_percent
from leverage.margin import liquidation_price
from leverage.survival import liquidation_probability, simulate_touches

if TYPE_CHECKING:
    import numpy.typing as npt
    from matplotlib.axes import Axes

LARGEST_LEVERAGE = 125
LARGEST_DAYS = 60
PATHS = 2_000
SEED = 20_200_312

_HOURS_A_DAY = 24
_ENTRY = 100.0
_STEP_HOURS = {"all the time": 0.0, "every hour": 1.0, "once a day": 24.0}
_BANDS = (0.01, 0.05, 0.10, 0.25, 0.50, 0.75, 0.90)
_LINES = (0.01, 0.10, 0.50, 0.90)
_LEVERAGES = np.geomspace(1, LARGEST_LEVERAGE, 97)
_DAYS = np.arange(1, LARGEST_DAYS + 1)
_ERROR_DAYS = np.arange(5, LARGEST_DAYS + 1, 5)
_LEVERAGE_TICKS = (1, 2, 5, 10, 20, 50, 125)


@dataclass(frozen=True)
class _Odds:
    """Chances of liquidation for one choice of the controls."""

    side: int
    leverage: int
    days: int
    volatility: float
    step_hours: float

    @cached_property
    def level(self) -> float:
        """Liquidation price; the entry price is 100."""
        at = self.side, _ENTRY, 1.0, _ENTRY / self.leverage
        return float(liquidation_price(*at, MAINTENANCE_MARGIN_RATE))

    @cached_property
    def _by_formula(self) -> npt.NDArray[np.float64]:
        """By leverage, the chosen one last, and day."""
        chances = liquidation_probability(
            self.side,
            np.append(_LEVERAGES, self.leverage)[:, None],
            MAINTENANCE_MARGIN_RATE,
            self.volatility,
            _DAYS * _HOURS_A_DAY,
            drift=self.volatility**2 / 2,
            step_hours=self.step_hours,
        )
        return np.asarray(chances)

    @property
    def grid(self) -> npt.NDArray[np.float64]:
        """By leverage (rows of `_LEVERAGES`) and day."""
        return self._by_formula[:-1]

    @property
    def formula(self) -> npt.NDArray[np.float64]:
        """By day, for the chosen leverage."""
        return np.asarray(self._by_formula[-1])

    @cached_property
    def simulated(self) -> npt.NDArray[np.float64]:
        """By day."""
        return _simulated(self.level, self.volatility, self.step_hours or 1.0)

    @cached_property
    def history(self) -> npt.NDArray[np.float64]:
        """By day."""
        return _history(self.side, self.level)

    @property
    def chance(self) -> float:
        """By the formula, for the chosen leverage and days."""
        return float(self.formula[self.days - 1])

    @property
    def estimate(self) -> float:
        """By Monte Carlo."""
        return float(self.simulated[self.days - 1])

    @property
    def standard_error(self) -> float:
        return math.sqrt(self.estimate * (1 - self.estimate) / PATHS)

    @property
    def lived(self) -> float:
        """Share of bitcoin's own history."""
        return float(self.history[self.days - 1])

    def leverage_at(self, chance: float) -> npt.NDArray[np.float64]:
        """Return, for each day, the leverage at which the chance is reached, or nan outside."""
        found = [
            np.interp(chance, column, _LEVERAGES, left=np.nan, right=np.nan)
            for column in self.grid.T
        ]
        return np.array(found)

    @property
    def survivable(self) -> float:
        """Largest leverage of the map whose chance stays below 5 % for the chosen days; or nan."""
        below = self.grid[:, self.days - 1] < 0.05
        return float(_LEVERAGES[below].max()) if below.any() else math.nan


@lru_cache(maxsize=64)
def _simulated(level: float, volatility: float, step_hours: float) -> npt.NDArray[np.float64]:
    """Return the share of simulated paths that touched the level by each day."""
    if not 0 < level < math.inf:
        return np.zeros(LARGEST_DAYS)
    per_day = round(_HOURS_A_DAY / step_hours)
    touches = simulate_touches(
        _ENTRY,
        {"liquidation": level},
        volatility,
        LARGEST_DAYS * per_day,
        drift=volatility**2 / 2,
        step_hours=step_hours,
        paths=PATHS,
        seed=SEED,
    )
    return np.asarray(touches.curve)[0, per_day::per_day]


def _history(side: int, level: float) -> npt.NDArray[np.float64]:
    """Return the share of starting days from which bitcoin reached the level by each day."""
    if not 0 < level < math.inf:
        return np.zeros(LARGEST_DAYS)
    moves = _sorted_moves(side)
    shares = []
    for worst in moves:
        below = np.searchsorted(worst, level / _ENTRY, side="right" if side == LONG else "left")
        shares.append(below / worst.size if side == LONG else 1 - below / worst.size)
    return np.array(shares)


@cache
def _sorted_moves(side: int) -> tuple[npt.NDArray[np.float64], ...]:
    days = load_daily("BTC")
    return tuple(np.sort(extreme_moves(days, side, held)) for held in _DAYS.tolist())


class SurvivalMap(Explorer):
    r"""See how likely liquidation is, for every leverage and holding time.

    The map shades the chance by the closed form. The chart beside it compares three ways for the
    chosen leverage: the closed form, Monte Carlo with two standard errors to either side, and
    bitcoin's own history.

    Notes
    -----
    The logarithm of the price has no direction. Isolated margin; fees, funding and tiers are left
    out. History does not follow the volatility control: it has its own. Monte Carlo looks at the
    price every hour at most.

    Examples
    --------
    >>> survival = SurvivalMap(leverage=2, days=10, volatility_pct=50.0)
    >>> survival.rows["Chance by the formula"]
    '0.00\u202f%'
    """

    side = side_choice()
    leverage = leverage_slider(high=LARGEST_LEVERAGE)
    days = slider(
        "Days held",
        30,
        low=1,
        high=LARGEST_DAYS,
        meaning="How long the position stays open, 1 to 60 days",
    )
    volatility_pct = slider(
        "Volatility (%)",
        77.0,
        low=10.0,
        high=200.0,
        meaning="Standard deviation of a year's returns, 10 to 200 per cent",
    )
    watched = choice(
        "Price watched",
        "all the time",
        {words: words for words in _STEP_HOURS},
        meaning="How often the formula looks whether the price has reached liquidation",
    )
    _picture: _OddsPicture

    def _new_picture(self) -> _OddsPicture:
        return _OddsPicture()

    def _sentences(self) -> list[str]:
        odds = self._odds
        side = "long" if odds.side == LONG else "short"
        opening = (
            f"This {odds.leverage}× {side}, held for {odds.days} "
            f"{'day' if odds.days == 1 else 'days'} at a volatility of "
            f"{format_percent(odds.volatility, 0)} a year"
        )
        if not 0 < odds.level < math.inf:
            return [f"{opening}, has no liquidation price: nothing is borrowed."]
        return [
            f"{opening}, is liquidated with a chance of {_chance(odds.chance)} by the formula and "
            f"{_chance(odds.estimate)} by Monte Carlo (standard error "
            f"{format_amount(odds.standard_error * 100)} percentage points); in bitcoin's history "
            f"{_chance(odds.lived)} of the starting days ended so."
        ]

    @property
    def description(self) -> str:
        """What the picture shows, in words."""
        return (
            "Map of the chance of liquidation, darker where higher, over days held from 1 to 60 and "
            "leverage from 1 to 125; and a chart of that chance over the days for the chosen "
            f"leverage, by formula, Monte Carlo and history. {self.sentence}"
        )

    @property
    def rows(self) -> dict[str, str]:
        """The table below the picture."""
        odds = self._odds
        has_level = 0 < odds.level < math.inf
        distance = format_percent(odds.level / _ENTRY - 1, 2, signed=True) if has_level else "none"
        typical = odds.volatility * math.sqrt(odds.days / 365)
        survivable = odds.survivable
        watched = "once a day" if odds.step_hours > 1 else "every hour"
        return {
            "Move from entry to liquidation": distance,
            "Typical move in that time, σ√T": format_percent(typical),
            "Chance by the formula": _chance(odds.chance),
            f"Chance by Monte Carlo, 2 000 paths, looked at {watched}": (
                f"{_chance(odds.estimate)} ± {format_amount(odds.standard_error * 100)} points"
            ),
            "Share in bitcoin's history": _chance(odds.lived),
            "Leverage with a chance below 5 %": (
                "none on the map"
                if math.isnan(survivable)
                else f"up to about {format_amount(survivable, 1)}×"
            ),
            "Left out": "direction, fees, funding, tiers; history has its own volatility",
        }

    def _follow(self) -> None:
        self._odds = _Odds(
            side=self.side.value,
            leverage=self.leverage.value,
            days=self.days.value,
            volatility=self.volatility_pct.value / 100,
            step_hours=_STEP_HOURS[self.watched.value],
        )
        self._picture.show(self._odds)

    def _tables(self) -> str:
        return result_table("The chosen leverage and holding time", self.rows)


class _Shading(Artist):
    """Cells coloured by band that fill the axes, drawn without resampling by Matplotlib."""

    def __init__(self, axes: Axes) -> None:
        super().__init__()
        self._box = axes.bbox
        self.bands: npt.NDArray[np.intp] = np.zeros((1, 1), dtype=np.intp)

    def draw(self, renderer: Any) -> None:
        """Draw the cells, each as large as its share of the axes; Matplotlib calls this."""
        box = self._box
        width, height = round(box.width), round(box.height)
        rows = np.arange(height) * self.bands.shape[0] // height
        columns = np.arange(width) * self.bands.shape[1] // width
        # Four bytes of a pixel are moved as one number.
        packed = np.ascontiguousarray(_COLOURS_OF_BANDS[self.bands][np.ix_(rows, columns)])
        pixels = packed.view(np.uint8).reshape(height, width, 4)
        context = renderer.new_gc()
        renderer.draw_image(context, round(box.x0), round(box.y0), pixels)
        context.restore()


class _OddsPicture(Picture):
    """The map, the chart beside it and the artists that move in them."""

    height = 4.6

    def _make(self) -> None:
        chances, chart = self.panels(
            1, 2, (0.075, 0.975, 0.115, 0.91), wspace=0.24, width_ratios=[1.15, 1]
        )
        self._make_map(chances)
        self._make_chart(chart)

    def _make_map(self, axes: Axes) -> None:
        axes.set_yscale("log")
        finish_axes(axes, x_label="Days held", y_label="Leverage (×)")
        axes.set(xlim=(0.5, LARGEST_DAYS + 0.5), ylim=(_edge(0), _edge(_LEVERAGES.size)))
        axes.yaxis.set_major_locator(FixedLocator(list(_LEVERAGE_TICKS)))
        axes.yaxis.set_minor_locator(FixedLocator([]))
        axes.grid(visible=False)
        self._shading = self.shape(_Shading(axes))
        axes.add_artist(self._shading)
        self._level_lines = [
            self.line(axes, color=COLOURS["text"], linestyle="-", linewidth=1) for _ in _LINES
        ]
        self._level_texts = [
            self.label(axes.transData, align="center", vertical="center", size=8) for _ in _LINES
        ]
        self._cross = [
            self.line(axes, color=COLOURS["text"], linestyle=":", linewidth=1) for _ in range(2)
        ]
        self._point = self.line(
            axes, color=COLOURS["mark"], marker="o", markersize=8, markeredgecolor="white"
        )

    def _make_chart(self, axes: Axes) -> None:
        finish_axes(axes, x_label="Days held", y_label="Chance of liquidation (%)")
        axes.set(xlim=(0, LARGEST_DAYS + 1), ylim=(0, 104))
        self._chart = axes
        self._curves = {
            "formula": self.line(axes, **line_style("gain")),
            "simulated": self.line(
                axes, color=COLOURS["text"], linestyle="none", marker="o", markersize=3.5
            ),
            "history": self.line(axes, **line_style("loss")),
        }
        self._errors = self.line(axes, color=COLOURS["text"], linestyle="-", linewidth=1.2)
        self._day_line = self.line(axes, color=COLOURS["text"], linestyle=":", linewidth=1)
        names = ("formula", "simulated", "history")
        self._curve_texts = {
            name: self.label(axes.transAxes, size=8.5, vertical="top") for name in names
        }

    def show(self, odds: _Odds) -> None:
        """Move every artist to where it belongs for the odds."""
        self._shading.bands = np.searchsorted(_BANDS, odds.grid, side="right")
        for chance, level, label in zip(_LINES, self._level_lines, self._level_texts, strict=True):
            leverages = odds.leverage_at(chance)
            level.set_data(_DAYS, leverages)
            self._name_line(label, leverages, chance)
        self._cross[0].set_data([0.5, odds.days], [odds.leverage, odds.leverage])
        self._cross[1].set_data([odds.days, odds.days], [_edge(0), odds.leverage])
        self._point.set_data([odds.days], [odds.leverage])
        self._show_chart(odds)
        side = "long" if odds.side == LONG else "short"
        self.title.text = (
            f"{odds.leverage}× {side}, {odds.days} d, volatility "
            f"{format_percent(odds.volatility, 0)}: formula {_chance(odds.chance)}, Monte Carlo "
            f"{_chance(odds.estimate)}, history {_chance(odds.lived)}"
        )

    def _name_line(self, label: Label, leverages: npt.NDArray[np.float64], chance: float) -> None:
        inside = np.flatnonzero(np.isfinite(leverages))
        label.set_visible(inside.size > 3)
        if inside.size > 3:
            place = inside[int(inside.size * 0.8)]
            label.position = (float(_DAYS[place]), float(leverages[place]))
            label.text = format_percent(chance, 0)

    def _show_chart(self, odds: _Odds) -> None:
        self._curves["formula"].set_data(_DAYS, odds.formula * 100)
        self._curves["history"].set_data(_DAYS, odds.history * 100)
        shown = odds.simulated[_ERROR_DAYS - 1] * 100
        self._curves["simulated"].set_data(_ERROR_DAYS, shown)
        errors = 2 * np.sqrt(shown * (100 - shown) / PATHS)
        # One line with breaks draws all error bars at once.
        bars = np.column_stack([shown - errors, shown + errors, np.full(shown.size, np.nan)])
        self._errors.set_data(np.repeat(_ERROR_DAYS, 3), bars.ravel())
        self._day_line.set_data([odds.days, odds.days], [0, 104])
        names = {
            "formula": "solid: formula",
            "simulated": "dots: Monte Carlo, ± 2 standard errors",
            "history": "dashed: bitcoin's history",
        }
        lower, upper = sorted((float(odds.formula[-1]), float(odds.history[-1])))
        low = upper < 0.5
        # The words stand above both curves, below both or, where those are far apart, between them.
        top = 0.99 if low else 0.2 if lower > 0.3 else (lower + upper) / 2 + 0.06
        for number, (name, text) in enumerate(names.items()):
            label = self._curve_texts[name]
            label.text = text
            label.position = (0.03 if low else 0.97, top - 0.06 * number)
            label.align = "left" if low else "right"


def _edge(row: int) -> float:
    """Return the lower edge of a row of the map."""
    step = float(np.log(LARGEST_LEVERAGE)) / (_LEVERAGES.size - 1)
    return math.exp(step * (row - 0.5))


def _chance(share: float) -> str:
    """Write a chance: two decimals below 1 %, one above."""
    return format_percent(share, 2 if share < 0.01 else 1)


def _band_colours() -> npt.NDArray[np.uint32]:
    """Return a colour for each band, from white to the colour of loss: four bytes as one number."""
    deep = np.array([int(COLOURS["loss"][i : i + 2], 16) for i in (1, 3, 5)])
    shares = np.linspace(0, 1, len(_BANDS) + 1)[:, None]
    colours = np.round(255 + shares * (deep - 255)).astype(np.uint8)
    opaque = np.full((colours.shape[0], 1), 255, dtype=np.uint8)
    return np.ascontiguousarray(np.hstack([colours, opaque])).view(np.uint32)[:, 0]


_COLOURS_OF_BANDS = _band_colours()
